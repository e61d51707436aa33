"""Clips of moving shapes, drawn from their captions with one seed for all."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from videogen.files.clip import Clips
from videogen.shapes.grammar import COLOURS, PATHS, SCALES, SIZES, WAYS, Shape, parse

TRAVEL = 0.5
"""The way along the direction from the first frame to the last, in widths of the frame."""
SWING = 0.12
"""How far a zigzag path leads to either side, in widths of the frame."""
SWINGS = 2
"""To both sides and back, in one clip."""

TRIES = 64
"""Places that are drawn for a pair of shapes, of which the first without overlap is taken."""

FRAMES_PER_SECOND = 8.0
Points = Float[Tensor, "batch time xy"]
Cover = Float[Tensor, "batch time height width"]
"""How much of each pixel is covered, in [0, 1]."""


def _way(path: str, direction: str, frames: int, scale: float) -> np.ndarray:
    """The way of a shape around its middle, [time xy], in widths of the frame."""
    x, y = PATHS[path][direction]
    s = np.linspace(0, 1, frames)[:, None] if frames > 1 else np.full((1, 1), 0.5)
    way = TRAVEL * (s - 0.5) * [x, y]
    if path == "zigzag":
        triangle = 4 * np.abs((SWINGS * s - 0.25) % 1 - 0.5) - 1
        way = way + SWING * triangle * [-y, x]
    return scale * way


@lru_cache(maxsize=64)
def ways_of(frames: int, scale: float) -> np.ndarray:
    """All ways in the order of `WAYS`, [way time xy]."""
    return np.stack([_way(path, direction, frames, scale) for path, direction in WAYS])


def draw(
    captions: Sequence[str], seed: int | Sequence[int], size: int = 64, frames: int = 16
) -> Clips:
    """One clip for each caption, with as many shapes; the seed places them, inside the frame.

    Two shapes never overlap where there is room for both. Raises `UserError` for other captions.
    """
    generator = np.random.default_rng(seed)
    clips = torch.zeros(len(captions), 3, frames, size, size)
    shapes = [parse(caption) for caption in captions]
    for count in SCALES:
        chosen = [number for number, described in enumerate(shapes) if len(described) == count]
        if chosen:
            group = [shapes[number] for number in chosen]
            clips[chosen] = _draw(group, SCALES[count], generator, size, frames)
    return 2 * clips - 1


def _draw(
    clips: Sequence[Sequence[Shape]],
    scale: float,
    generator: np.random.Generator,
    size: int,
    frames: int,
) -> Clips:
    half = scale * np.array([[SIZES[shape.size] for shape in clip] for clip in clips])
    way = np.array([[WAYS.index((s.path, s.direction)) for s in clip] for clip in clips])
    ways = ways_of(frames, scale)[way]
    centres = torch.from_numpy(_places(half, ways, generator)).float()
    drawn = torch.zeros(len(clips), 3, frames, size, size)
    for nth in range(half.shape[1]):
        kinds = [clip[nth].kind for clip in clips]
        colour = torch.tensor([COLOURS[clip[nth].colour] for clip in clips])
        cover = cover_of(kinds, torch.from_numpy(half[:, nth]).float(), centres[:, nth], size)
        drawn.lerp_(colour[:, :, None, None, None].expand_as(drawn), cover[:, None])
    return drawn


def _places(half: np.ndarray, ways: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Centres [clip shape time xy] inside the frame, apart from each other where that can be.

    half: [clip shape]; ways: [clip shape time xy].
    """
    low = half[..., None] - ways.min(2)
    high = 1 - half[..., None] - ways.max(2)
    tries = TRIES if half.shape[1] > 1 else 1
    middle = low + generator.random((tries, *low.shape)) * (high - low)
    centres = middle[:, :, :, None] + ways
    if tries == 1:
        return centres[0]
    between = np.abs(centres[:, :, 0] - centres[:, :, 1]).max(-1).min(-1)
    apart = between - half.sum(1)
    free = np.minimum(apart, 1 / 32)  # more room than that is no better
    return centres[free.argmax(0), np.arange(len(half))]


def cover_of(kinds: Sequence[str], half: Tensor, centres: Points, size: int) -> Cover:
    """How much of each pixel the shapes cover, with soft edges one pixel wide.

    half: [batch], centres [batch time xy], both in widths of the frame.
    """
    pixels = (torch.arange(size) + 0.5) / size
    x = (pixels - centres[..., :1])[:, :, None, :]
    y = (pixels - centres[..., 1:])[:, :, :, None]
    half = half[:, None, None, None]
    cover = torch.empty(*centres.shape[:2], size, size)
    for kind in set(kinds):
        chosen = torch.tensor([k == kind for k in kinds])
        outside = _outside(kind, x[chosen], y[chosen], half[chosen])
        cover[chosen] = (0.5 - size * outside).clamp_(0, 1)
    return cover


def _outside(kind: str, x: Tensor, y: Tensor, half: Tensor) -> Tensor:
    """How far a point lies outside a shape around the origin; negative inside."""
    if kind == "square":
        return torch.maximum(x.abs() - half, y.abs() - half)
    if kind == "circle":
        return torch.sqrt(x**2 + y**2) - half
    side = (2 * x.abs() - y - half) / math.sqrt(5)  # from the tip down to a corner
    return torch.maximum(side, y - half)
