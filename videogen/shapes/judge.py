"""The exact judge of moving shapes: reads kind, size, colour, path and direction from pixels."""

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from videogen.files.clip import Clips
from videogen.shapes.drawing import Cover, Points, cover_of, ways_of
from videogen.shapes.grammar import COLOURS, KINDS, NONE, SCALES, SIZES, WAYS, Shape, parse

LIT = 0.15
"""Cover below this is noise to the judge."""
WORST_FIT = 0.35
"""A shape is read when the pixels differ from its drawing by less, squared, of that drawing."""
WORST_WAY = 0.25
"""A way is read when the centres differ from it by less, squared, of that way."""
LEAST_AREA = 0.5
"""Of the smallest shape's area, what a colour must cover to be seen."""
LEAST_PURITY = 0.6
"""Of all that is lit, what the seen colours must cover."""


@torch.no_grad()
def judge(clips: Clips, shapes: int = 1) -> list[tuple[Shape, ...]]:
    """Read kind, size, colour, path and direction of each shape from the pixels alone.

    Colour: that of most lit pixels (two shapes: the two commonest, which are told apart by it).
    Kind and size: the one of six whose drawing around the seen centre differs least. Path and
    direction: the one of twelve ways that the centre keeps to. What does not fit is `none`.
    """
    light = ((clips.float() + 1) / 2).clamp(0, 1)
    cover = light.amax(1)
    cover = torch.where(cover < LIT, 0.0, cover)
    nearest = _nearest_colours(light, cover)
    areas = torch.stack([(cover * (nearest == c)).mean((1, 2, 3)) for c in range(len(COLOURS))], 1)
    most = areas.topk(shapes, 1)
    pure = most.values.sum(1) >= LEAST_PURITY * areas.sum(1)
    least_area = LEAST_AREA * 2 * (SCALES[shapes] * min(SIZES.values())) ** 2
    verdicts = []
    for nth in range(shapes):
        colour, area = most.indices[:, nth], most.values[:, nth]
        own = cover * (nearest == colour[:, None, None, None]) if shapes > 1 else cover
        seen = torch.where(pure & (area >= least_area), colour, -1)
        verdicts.append(_read(own, seen, SCALES[shapes]))
    return list(zip(*verdicts, strict=True))


def _nearest_colours(light: Tensor, cover: Cover) -> Tensor:
    """The palette's colour nearest to each pixel's own, [batch time height width]."""
    pure = light / cover.clamp(min=LIT)[:, None]
    palette = torch.tensor(list(COLOURS.values()))
    distances = [((pure - c.view(1, 3, 1, 1, 1)) ** 2).sum(1) for c in palette]
    return torch.stack(distances).argmin(0)


def _read(cover: Cover, colours: Tensor, scale: float) -> list[Shape]:
    """The shape that covers each clip's pixels; a colour of -1 is none."""
    centres = _centres(cover)
    drawings = _best_drawing(cover, centres, scale).tolist()
    ways = _best_way(centres, scale).tolist()
    kinds = [*itertools.product(KINDS, SIZES), (NONE, NONE)]
    names, paths = [*COLOURS, NONE], [*WAYS, (NONE, NONE)]
    chosen = zip(drawings, colours.tolist(), ways, strict=True)
    read = [(kinds[drawing], names[colour], paths[way]) for drawing, colour, way in chosen]
    return [Shape(kind, size, colour, *way) for (kind, size), colour, way in read]


def _centres(cover: Cover) -> Points:
    """Centres of gravity, in widths of the frame; of an empty frame its middle."""
    size = cover.shape[-1]
    pixels = (torch.arange(size) + 0.5) / size
    area = cover.sum((2, 3))
    moments = torch.stack([cover.sum(2) @ pixels, cover.sum(3) @ pixels], -1)
    return torch.where(area[..., None] > 0, moments / area.clamp(min=1e-6)[..., None], 0.5)


def _best_drawing(cover: Cover, centres: Points, scale: float) -> Tensor:
    """Of each clip the drawing (kind, size) that differs least, or -1, [batch]."""
    errors = []
    for kind, size in itertools.product(KINDS, SIZES):
        half = torch.full((len(cover),), scale * SIZES[size])
        gravity = centres.clone()
        if kind == "triangle":
            gravity[..., 1] -= half[0] / 3  # a triangle's centre of gravity lies below its middle
        drawing = cover_of([kind] * len(cover), half, gravity, cover.shape[-1])
        errors.append(((cover - drawing) ** 2).sum((1, 2, 3)) / (drawing**2).sum((1, 2, 3)))
    return _least(torch.stack(errors, 1), WORST_FIT)


def _best_way(centres: Points, scale: float) -> Tensor:
    """Of each clip the way that its centres keep closest to, or -1, [batch]."""
    ways = torch.from_numpy(ways_of(centres.shape[1], scale)).float()
    ways = ways - ways.mean(1, keepdim=True)
    moved = centres - centres.mean(1, keepdim=True)
    errors = ((moved[:, None] - ways) ** 2).sum((2, 3)) / (ways**2).sum((1, 2)).clamp(min=1e-6)
    return _least(errors, WORST_WAY)


def _least(errors: Float[Tensor, "batch choice"], worst: float) -> Tensor:
    """The choice of the least error; -1 where even that is too great (or not a number)."""
    least = errors.min(1)
    return torch.where(least.values < worst, least.indices, -1)


ATTRIBUTES = ("kind", "size", "colour", "path", "direction")


def agreement(captions: Sequence[str], clips: Clips) -> dict[str, float]:
    """Share of shapes whose clip shows what the caption says, for each attribute and for `all`.

    Of two shapes the caption's first is compared with whichever the judge saw that it agrees with
    more, so that their order does not matter.
    """
    right: list[list[bool]] = []
    for count in SCALES:
        chosen = [n for n, caption in enumerate(captions) if len(parse(caption)) == count]
        verdicts = judge(clips[chosen], count) if chosen else []
        for number, verdict in zip(chosen, verdicts, strict=True):
            right += _compare(parse(captions[number]), verdict)
    shares = np.array(right, dtype=float).mean(0).tolist()
    return dict(zip((*ATTRIBUTES, "all"), shares, strict=True))


def _compare(asked: Sequence[Shape], seen: Sequence[Shape]) -> list[list[bool]]:
    """For each asked shape which attributes agree, and whether all do; the best pairing counts."""
    pairings = [
        [
            [getattr(wanted, name) == getattr(shown, name) for name in ATTRIBUTES]
            for wanted, shown in zip(asked, order, strict=True)
        ]
        for order in itertools.permutations(seen)
    ]
    best = max(pairings, key=lambda rows: sum(map(sum, rows)))
    return [[*row, all(row)] for row in best]
