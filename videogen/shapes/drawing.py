"""Draw clips of moving shapes from their captions."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from videogen.files.clip import Clips
from videogen.shapes.grammar import COLOURS, MOTIONS, PATHS, SCALES, SIZES, Shape, parse

TRAVEL = 0.5
"""Distance from the first frame to the last along the direction, in frame widths."""
AMPLITUDE = 0.12
"""Amplitude of a zigzag path, in frame widths."""
PERIODS = 2
"""Periods of a zigzag path in one clip."""

TRIES = 64
"""Positions sampled for a pair of shapes; the first without overlap is taken."""
MARGIN = 1 / 32
"""Gap between two shapes that suffices, in frame widths."""

FRAMES_PER_SECOND = 8.0
Points = Float[Tensor, "batch time xy"]
"""In frame widths."""
Coverage = Float[Tensor, "batch time height width"]
"""Covered share of each pixel, in [0, 1]."""


def _trajectory(path: str, direction: str, frames: int, scale: float) -> np.ndarray:
    """Return the trajectory of a shape relative to its midpoint, [time xy], in frame widths."""
    x, y = PATHS[path][direction]
    s = np.linspace(0, 1, frames)[:, None] if frames > 1 else np.full((1, 1), 0.5)
    trajectory = TRAVEL * (s - 0.5) * [x, y]
    if path == "zigzag":
        triangle_wave = 4 * np.abs((PERIODS * s - 0.25) % 1 - 0.5) - 1
        trajectory = trajectory + AMPLITUDE * triangle_wave * [-y, x]
    return scale * trajectory


@lru_cache(maxsize=64)
def trajectories(frames: int, scale: float) -> np.ndarray:
    """Return all trajectories in the order of `MOTIONS`, [motion time xy]."""
    return np.stack([_trajectory(path, direction, frames, scale) for path, direction in MOTIONS])


def draw(
    captions: Sequence[str],
    seed: int | Sequence[int],
    size: int = 64,
    frames: int = 16,
    device: torch.device | str = "cpu",
) -> Clips:
    """Draw one clip for each caption; the seed decides where shapes are, all inside the frame.

    Two shapes do not overlap if there is room for both. Raises `UserError` for captions that are
    not of the grammar.
    """
    generator = np.random.default_rng(seed)
    clips = torch.zeros(len(captions), 3, frames, size, size, device=device)
    shapes = [parse(caption) for caption in captions]
    for count in SCALES:
        members = [number for number, described in enumerate(shapes) if len(described) == count]
        if members:
            group = [shapes[number] for number in members]
            clips[members] = _draw(group, SCALES[count], generator, size, frames, device)
    return 2 * clips - 1


def _draw(
    clips: Sequence[Sequence[Shape]],
    scale: float,
    generator: np.random.Generator,
    size: int,
    frames: int,
    device: torch.device | str,
) -> Clips:
    half = scale * np.array([[SIZES[shape.size] for shape in clip] for clip in clips])
    motions = np.array([[MOTIONS.index((s.path, s.direction)) for s in clip] for clip in clips])
    paths = trajectories(frames, scale)[motions]  # [clip shape time xy]
    centres = torch.from_numpy(_place(half, paths, generator)).float().to(device)
    halves = torch.from_numpy(half).float().to(device)  # [clip shape]
    images = torch.zeros(len(clips), 3, frames, size, size, device=device)
    for nth in range(half.shape[1]):
        kinds = [clip[nth].kind for clip in clips]
        colour = torch.tensor([COLOURS[clip[nth].colour] for clip in clips], device=device)
        colour = colour[:, :, None, None, None].expand_as(images)  # [batch rgb time height width]
        cover = coverage(kinds, halves[:, nth], centres[:, nth], size)
        images.lerp_(colour, cover[:, None])
    return images


def _place(half: np.ndarray, paths: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Sample centres [clip shape time xy] inside the frame, of two shapes without overlap if
    possible.

    half: [clip shape]; paths: [clip shape time xy].
    """
    low = half[..., None] - paths.min(2)
    high = 1 - half[..., None] - paths.max(2)
    tries = TRIES if half.shape[1] > 1 else 1
    midpoints = low + generator.random((tries, *low.shape)) * (high - low)
    centres = midpoints[:, :, :, None] + paths  # [try clip shape time xy]
    if tries == 1:
        return centres[0]
    distance = np.abs(centres[:, :, 0] - centres[:, :, 1]).max(-1).min(-1)  # [try clip]
    gap = np.minimum(distance - half.sum(1), MARGIN)
    return centres[gap.argmax(0), np.arange(len(half))]


def coverage(kinds: Sequence[str], half: Tensor, centres: Points, size: int) -> Coverage:
    """Rasterise shapes: the covered share of each pixel, with edges one pixel wide.

    half: [batch], centres: [batch time xy], both in frame widths.
    """
    pixels = (torch.arange(size, device=centres.device) + 0.5) / size
    x = (pixels - centres[..., :1])[:, :, None, :]  # [batch time 1 width]
    y = (pixels - centres[..., 1:])[:, :, :, None]  # [batch time height 1]
    half = half[:, None, None, None]
    cover = centres.new_empty(*centres.shape[:2], size, size)
    for kind in set(kinds):
        of_kind = [number for number, own in enumerate(kinds) if own == kind]
        distance = _signed_distance(kind, x[of_kind], y[of_kind], half[of_kind])
        cover[of_kind] = (0.5 - size * distance).clamp_(0, 1)
    return cover


def _signed_distance(kind: str, x: Tensor, y: Tensor, half: Tensor) -> Tensor:
    """Return the distance of points from a shape around the origin, negative inside."""
    if kind == "square":
        return torch.maximum(x.abs() - half, y.abs() - half)
    if kind == "circle":
        return torch.sqrt(x**2 + y**2) - half
    side = (2 * x.abs() - y - half) / math.sqrt(5)  # from the tip down to a corner
    return torch.maximum(side, y - half)
