"""Moving shapes: clips with known answers, drawn from captions and read back by an exact judge.

>>> CAPTIONS[0]
'A small red square is moving in a straight line towards north'
>>> clips = draw(CAPTIONS[:1], seed=1, size=32)
>>> clips.shape
torch.Size([1, 3, 16, 32, 32])
>>> judge(clips)[0][0].caption == CAPTIONS[0]
True

The caption grammar is that of the moving shapes of Balaji et al. (IJCAI 2019): 3 shapes, 2 sizes,
5 colours and 12 ways to move make 360 sentences, and two of them can be joined. One caption in ten
is held out of training.
"""

import hashlib
import itertools
import math
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from core.config import ConfigError, UserError, nearest
from videogen.clip import Clips, FrameBatch, to_frames

KINDS = ("square", "circle", "triangle")
SIZES = {"small": 0.13, "large": 0.22}
"""Half the width and half the height of a shape, in widths of the frame."""

COLOURS = {
    "red": (1.0, 0.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
    "yellow": (1.0, 1.0, 0.0),
    "white": (1.0, 1.0, 1.0),
}
"""In [0, 1], on black. Each has a channel at 1: the greatest channel says how much is covered."""

DIAGONAL = math.sqrt(0.5)
COMPASS = {"north": (0.0, -1.0), "east": (1.0, 0.0), "south": (0.0, 1.0), "west": (-1.0, 0.0)}
BETWEEN = {
    "northeast": (DIAGONAL, -DIAGONAL),
    "southeast": (DIAGONAL, DIAGONAL),
    "southwest": (-DIAGONAL, DIAGONAL),
    "northwest": (-DIAGONAL, -DIAGONAL),
}
PATHS = {"straight": COMPASS, "zigzag": COMPASS, "diagonal": BETWEEN}
"""Path -> direction -> unit vector, x to the right and y down."""

TRAVEL = 0.5
"""The way along the direction from the first frame to the last, in widths of the frame."""
SWING = 0.12
"""How far a zigzag path leads to either side, in widths of the frame."""
SWINGS = 2
"""To both sides and back, in one clip."""

SCALES = {1: 1.0, 2: 0.7}
"""Sizes and ways of a clip of so many shapes: two have to find room beside each other."""
TRIES = 64
"""Places that are drawn for a pair of shapes, of which the first without overlap is taken."""

FRAMES_PER_SECOND = 8.0
HELD_OUT = 10
REMAINDER = 7
"""One caption in ten is held out of training: those whose checksum leaves this remainder."""

NONE = "none"
Split = Literal["train", "test"]
Points = Float[Tensor, "batch time xy"]
Cover = Float[Tensor, "batch time height width"]
"""How much of each pixel is covered, in [0, 1]."""


@dataclass(frozen=True)
class Shape:
    """One moving shape, in the words of its caption; where nothing fits, the word is `none`."""

    kind: str
    size: str
    colour: str
    path: str
    direction: str

    @property
    def caption(self) -> str:
        ways = {
            "straight": f"in a straight line towards {self.direction}",
            "zigzag": f"in a zigzag path towards {self.direction}",
            "diagonal": f"in a diagonal path in the {self.direction} direction",
        }
        return f"A {self.size} {self.colour} {self.kind} is moving {ways[self.path]}"


UNSEEN = Shape(NONE, NONE, NONE, NONE, NONE)
WAYS = tuple((path, name) for path, names in PATHS.items() for name in names)
SHAPES = tuple(
    Shape(kind, size, colour, path, direction)
    for kind, size, colour, (path, direction) in itertools.product(KINDS, SIZES, COLOURS, WAYS)
)
CAPTIONS = tuple(shape.caption for shape in SHAPES)
WORDS = tuple(sorted({"and", *(word for text in CAPTIONS for word in text.lower().split())}))
_BY_CAPTION = {shape.caption.lower(): shape for shape in SHAPES}


@lru_cache(maxsize=200_000)
def parse(caption: str) -> tuple[Shape, ...]:
    """The shapes of a caption; `UserError` where it is not of the grammar."""
    sentences = re.split(r"\s+and\s+", " ".join(caption.lower().rstrip(". ").split()))
    shapes = tuple(_BY_CAPTION.get(sentence, UNSEEN) for sentence in sentences)
    if UNSEEN in shapes or len(shapes) not in SCALES:
        raise UserError(f"'{caption}' describes no moving shapes; as in: '{CAPTIONS[0]}'")
    return shapes


def split_of(caption: str) -> Split:
    """Whether a caption is one to train on: by its checksum, the same everywhere."""
    return "test" if zlib.crc32(caption.lower().encode()) % HELD_OUT == REMAINDER else "train"


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
def _ways(frames: int, scale: float) -> np.ndarray:
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
    ways = _ways(frames, scale)[way]
    centres = torch.from_numpy(_places(half, ways, generator)).float()
    drawn = torch.zeros(len(clips), 3, frames, size, size)
    for nth in range(half.shape[1]):
        kinds = [clip[nth].kind for clip in clips]
        colour = torch.tensor([COLOURS[clip[nth].colour] for clip in clips])
        cover = _cover(kinds, torch.from_numpy(half[:, nth]).float(), centres[:, nth], size)
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


def _cover(kinds: Sequence[str], half: Tensor, centres: Points, size: int) -> Cover:
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
        drawing = _cover([kind] * len(cover), half, gravity, cover.shape[-1])
        errors.append(((cover - drawing) ** 2).sum((1, 2, 3)) / (drawing**2).sum((1, 2, 3)))
    return _least(torch.stack(errors, 1), WORST_FIT)


def _best_way(centres: Points, scale: float) -> Tensor:
    """Of each clip the way that its centres keep closest to, or -1, [batch]."""
    ways = torch.from_numpy(_ways(centres.shape[1], scale)).float()
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


class MovingShapes:
    """Moving shapes as data to train on: drawn anew in every batch, never stored.

    `counts`: how many shapes a clip may show; each number is as frequent as the others. `showing`:
    a word that each caption has.
    """

    splits: tuple[Split, ...] = ("train", "test")

    def __init__(
        self, size: int = 64, frames: int = 16, counts: Sequence[int] = (1,), showing: str = ""
    ):
        if showing and showing not in WORDS:
            raise ConfigError(f"no caption says '{showing}': {nearest(showing, WORDS)}")
        self.size, self.frames, self.counts, self.showing = size, frames, tuple(counts), showing
        self.frames_per_second, self.words = FRAMES_PER_SECOND, WORDS

    @property
    def digest(self) -> str:
        """Stands for the data: what is drawn follows from these."""
        settings = (self.size, self.frames, self.counts, SIZES, COLOURS, TRAVEL, SWING, SWINGS)
        told = f"{settings!r}{self.showing}"
        return hashlib.sha256(told.encode()).hexdigest()

    def captions(self, count: int, generator: np.random.Generator, split: Split) -> list[str]:
        """Draw captions of a split; the shapes of one clip differ in colour."""
        found: list[str] = []
        while len(found) < count:
            shapes = self.counts[generator.integers(len(self.counts))]
            chosen = [SHAPES[n] for n in generator.integers(len(SHAPES), size=shapes)]
            caption = " and ".join([chosen[0].caption, *(_joined(s.caption) for s in chosen[1:])])
            said = not self.showing or self.showing in caption.lower().split()
            different = len({s.colour for s in chosen}) == shapes
            if said and different and split_of(caption) == split:
                found.append(caption)
        return found

    def batch(
        self, number: int, size: int, seed: int, split: Split = "train"
    ) -> tuple[FrameBatch, list[str]]:
        """Batch `number`: a function of the number, the seed and the split alone."""
        captions = self.captions(size, np.random.default_rng([seed, number, 1]), split)
        clips = draw(captions, [seed, number, 2], self.size, self.frames)
        return to_frames(clips), captions


def _joined(caption: str) -> str:
    return caption[0].lower() + caption[1:]
