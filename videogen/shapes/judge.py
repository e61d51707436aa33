"""The judge of moving shapes: reads kind, size, colour, path and direction from pixels."""

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from videogen.files.clip import Clips
from videogen.shapes.drawing import Coverage, Points, coverage, trajectories
from videogen.shapes.grammar import COLOURS, KINDS, MOTIONS, NONE, SCALES, SIZES, Shape, parse

ATTRIBUTES = ("kind", "size", "colour", "path", "direction")

NOISE = 0.15
"""Coverage below this counts as 0."""
MAX_DRAWING_ERROR = 0.35
"""Largest squared error between the pixels and the best drawing, relative to the drawing."""
MAX_MOTION_ERROR = 0.25
"""Largest squared error between the centres and the best trajectory, relative to the latter."""
MIN_AREA = 0.5
"""Smallest area of a colour, relative to that of the smallest shape."""
MIN_PURITY = 0.6
"""Smallest share of the shapes' colours in all covered pixels."""

Choice = Int[Tensor, " batch"]
"""An index for each clip; -1 stands for none."""


@torch.no_grad()
def judge(clips: Clips, shapes: int = 1) -> list[tuple[Shape, ...]]:
    """Recognise kind, size, colour, path and direction of each shape from the pixels alone.

    The colour covers the most pixels; two shapes are separated by the two most frequent colours.
    Kind and size are those of the drawing with the least squared error around the measured centre,
    path and direction those of the trajectory nearest to the centres. An attribute beyond its
    threshold is `none`.
    """
    light = light_of(clips)
    cover = _cover_of(light)
    colours = _nearest_colours(light, cover)
    areas = torch.stack([(cover * (colours == c)).mean((1, 2, 3)) for c in range(len(COLOURS))], 1)
    largest = areas.topk(shapes, 1)
    pure = largest.values.sum(1) >= MIN_PURITY * areas.sum(1)
    min_area = MIN_AREA * 2 * (SCALES[shapes] * min(SIZES.values())) ** 2
    verdicts = []
    for nth in range(shapes):
        colour, area = largest.indices[:, nth], largest.values[:, nth]
        own = cover * (colours == colour[:, None, None, None]) if shapes > 1 else cover
        recognised = torch.where(pure & (area >= min_area), colour, -1)
        verdicts.append(_recognise(own, recognised, SCALES[shapes]))
    return list(zip(*verdicts, strict=True))


def light_of(clips: Clips) -> Clips:
    """Return clips in [0, 1], 0 for the black background."""
    return ((clips.float() + 1) / 2).clamp(0, 1)


def _cover_of(light: Clips) -> Coverage:
    """Return the coverage of each pixel by any shape, 0 where it is noise."""
    cover = light.amax(1)  # [batch time height width]
    return torch.where(cover < NOISE, 0.0, cover)


def covers_of(light: Clips, shapes: Sequence[Sequence[Shape]]) -> list[Coverage]:
    """Return the coverage of each clip's first shape, of its second, ..., by their colours.

    `light`: clips in [0, 1], each with as many shapes. A single shape has all that is covered.
    """
    cover = _cover_of(light)
    if len(shapes[0]) == 1:
        return [cover]
    colours, names = _nearest_colours(light, cover), list(COLOURS)
    numbers = torch.tensor([[names.index(one.colour) for one in clip] for clip in shapes])
    return [cover * (colours == number[:, None, None, None]) for number in numbers.T]


def _nearest_colours(light: Tensor, cover: Coverage) -> Int[Tensor, "batch time height width"]:
    """Return the index of the colour nearest to each pixel's own."""
    pure = light / cover.clamp(min=NOISE)[:, None]
    palette = torch.tensor(list(COLOURS.values()))  # [colour rgb]
    palette = palette.view(-1, 3, 1, 1, 1)  # [colour rgb 1 1 1]
    distances = [((pure - c) ** 2).sum(1) for c in palette]
    return torch.stack(distances).argmin(0)  # [batch time height width]


def _recognise(cover: Coverage, colours: Choice, scale: float) -> list[Shape]:
    """Return the shape of each clip, given the index of its colour."""
    centres = centres_of(cover)
    drawings = _best_drawings(cover, centres, scale).tolist()
    motions = _best_motions(centres, scale).tolist()
    kind_names = [*itertools.product(KINDS, SIZES), (NONE, NONE)]  # -1 is the last of each list
    colour_names, motion_names = [*COLOURS, NONE], [*MOTIONS, (NONE, NONE)]
    shapes = []
    for drawing, colour, motion in zip(drawings, colours.tolist(), motions, strict=True):
        (kind, size), (path, direction) = kind_names[drawing], motion_names[motion]
        shapes.append(Shape(kind, size, colour_names[colour], path, direction))
    return shapes


def centres_of(cover: Coverage) -> Points:
    """Return the centre of mass of each frame; of an empty frame its middle."""
    size = cover.shape[-1]
    pixels = (torch.arange(size) + 0.5) / size
    mass = cover.sum((2, 3))[..., None]  # [batch time 1]
    moments = torch.stack([cover.sum(2) @ pixels, cover.sum(3) @ pixels], -1)  # [batch time xy]
    return torch.where(mass > 0, moments / mass.clamp(min=1e-6), 0.5)


def _best_drawings(cover: Coverage, centres: Points, scale: float) -> Choice:
    """Return the index of the kind and size whose drawing has the least error."""
    errors = []
    for kind, size in itertools.product(KINDS, SIZES):
        half = torch.full((len(cover),), scale * SIZES[size])
        middle = centres.clone()
        if kind == "triangle":
            middle[..., 1] -= half[0] / 3  # its centre of mass lies below the middle of its box
        drawing = coverage([kind] * len(cover), half, middle, cover.shape[-1])
        errors.append(((cover - drawing) ** 2).sum((1, 2, 3)) / (drawing**2).sum((1, 2, 3)))
    return _least(torch.stack(errors, 1), MAX_DRAWING_ERROR)


def _best_motions(centres: Points, scale: float) -> Choice:
    """Return the index of the motion whose trajectory is nearest to the centres."""
    paths = torch.from_numpy(trajectories(centres.shape[1], scale)).float()  # [motion time xy]
    paths = paths - paths.mean(1, keepdim=True)
    moved = (centres - centres.mean(1, keepdim=True))[:, None]  # [batch 1 time xy]
    errors = ((moved - paths) ** 2).sum((2, 3)) / (paths**2).sum((1, 2)).clamp(min=1e-6)
    return _least(errors, MAX_MOTION_ERROR)


def _least(errors: Float[Tensor, "batch choice"], most: float) -> Choice:
    """Return the index of the least error, -1 if it is `most` or more, or not a number."""
    least = errors.min(1)
    return torch.where(least.values < most, least.indices, -1)


def agreement(captions: Sequence[str], clips: Clips) -> dict[str, float]:
    """Return the share of shapes whose attribute the judge reads as the caption says.

    One share for each attribute, and `all` for all five at once. The two shapes of a caption are
    matched with those of the clip in the order that agrees best.
    """
    correct: list[list[bool]] = []
    for count in SCALES:
        members = [n for n, caption in enumerate(captions) if len(parse(caption)) == count]
        verdicts = judge(clips[members], count) if members else []
        for number, verdict in zip(members, verdicts, strict=True):
            correct += _compare(parse(captions[number]), verdict)
    shares = np.array(correct, dtype=float).mean(0).tolist()
    return dict(zip((*ATTRIBUTES, "all"), shares, strict=True))


def _compare(expected: Sequence[Shape], recognised: Sequence[Shape]) -> list[list[bool]]:
    """Return for each expected shape which attributes agree, and whether all do."""
    pairings = [
        [
            [getattr(one, name) == getattr(other, name) for name in ATTRIBUTES]
            for one, other in zip(expected, order, strict=True)
        ]
        for order in itertools.permutations(recognised)
    ]
    best = max(pairings, key=lambda rows: sum(map(sum, rows)))
    return [[*row, all(row)] for row in best]
