"""The grammar of the captions of moving shapes, and the captions that are held out."""

import itertools
import math
import re
import zlib
from dataclasses import dataclass
from functools import lru_cache

from core.data.collection import Split
from core.errors import UserError

KINDS = ("square", "circle", "triangle")
SIZES = {"small": 0.13, "large": 0.22}
"""Half of a shape's width and height, as a share of the frame's width."""

COLOURS = {
    "red": (1.0, 0.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
    "yellow": (1.0, 1.0, 0.0),
    "white": (1.0, 1.0, 1.0),
}
"""In [0, 1], on black. Each has a channel of 1, so that the maximum over channels is the coverage
of a pixel."""

DIAGONAL = math.sqrt(0.5)
COMPASS = {"north": (0.0, -1.0), "east": (1.0, 0.0), "south": (0.0, 1.0), "west": (-1.0, 0.0)}
DIAGONALS = {
    "northeast": (DIAGONAL, -DIAGONAL),
    "southeast": (DIAGONAL, DIAGONAL),
    "southwest": (-DIAGONAL, DIAGONAL),
    "northwest": (-DIAGONAL, -DIAGONAL),
}
PATHS = {"straight": COMPASS, "zigzag": COMPASS, "diagonal": DIAGONALS}
"""Unit vectors by path and direction; x points right, y down."""
SCALES = {1: 1.0, 2: 0.7}
"""Scale of sizes and motions by the number of shapes in a clip: two need room for each other."""

HELD_OUT = 10
REMAINDER = 7
"""A caption is held out if its checksum modulo `HELD_OUT` is `REMAINDER`."""

NONE = "none"


@dataclass(frozen=True)
class Shape:
    """One moving shape in the words of its caption; `none` for what is not recognised."""

    kind: str
    size: str
    colour: str
    path: str
    direction: str

    @property
    def caption(self) -> str:
        motions = {
            "straight": f"in a straight line towards {self.direction}",
            "zigzag": f"in a zigzag path towards {self.direction}",
            "diagonal": f"in a diagonal path in the {self.direction} direction",
        }
        return f"A {self.size} {self.colour} {self.kind} is moving {motions[self.path]}"


UNKNOWN = Shape(NONE, NONE, NONE, NONE, NONE)
MOTIONS = tuple((path, name) for path, names in PATHS.items() for name in names)
SHAPES = tuple(
    Shape(kind, size, colour, path, direction)
    for kind, size, colour, (path, direction) in itertools.product(KINDS, SIZES, COLOURS, MOTIONS)
)
CAPTIONS = tuple(shape.caption for shape in SHAPES)
WORDS = tuple(sorted({"and", *(word for text in CAPTIONS for word in text.lower().split())}))
_BY_CAPTION = {shape.caption.lower(): shape for shape in SHAPES}


@lru_cache(maxsize=200_000)
def parse(caption: str) -> tuple[Shape, ...]:
    """Return the shapes of a caption; `UserError` if the grammar has no such caption."""
    sentences = re.split(r"\s+and\s+", " ".join(caption.lower().rstrip(". ").split()))
    shapes = tuple(_BY_CAPTION.get(sentence, UNKNOWN) for sentence in sentences)
    if UNKNOWN in shapes or len(shapes) not in SCALES:
        raise UserError(f"'{caption}' describes no moving shapes; write as in: '{CAPTIONS[0]}'")
    return shapes


def split_of(caption: str) -> Split:
    """Return the split of a caption, which its checksum alone decides."""
    return "test" if zlib.crc32(caption.lower().encode()) % HELD_OUT == REMAINDER else "train"
