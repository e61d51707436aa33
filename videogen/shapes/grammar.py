"""The captions of moving shapes: five attributes, and which captions are held out."""

import itertools
import math
import re
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from core.errors import UserError

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
SCALES = {1: 1.0, 2: 0.7}
"""Sizes and ways of a clip of so many shapes: two have to find room beside each other."""

HELD_OUT = 10
REMAINDER = 7
"""One caption in ten is held out of training: those whose checksum leaves this remainder."""

NONE = "none"
Split = Literal["train", "test"]


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
