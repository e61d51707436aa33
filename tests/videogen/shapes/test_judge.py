"""The judge reads pictures that are painted here, pixel by pixel, without the drawing's help."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from videogen.shapes.grammar import Shape
from videogen.shapes.judge import agreement, judge

SIZE = 60
HALF = {"small": 8, "large": 13}
PAINT = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "yellow": (1, 1, 0)}
PAINT["white"] = (1, 1, 1)

SWING = (0, 3.8, 6.7, 2.9, -1, -4.8, -5.8, -1.9, 1.9, 5.8, 4.8, 1, -2.9, -6.7, -3.8, 0)
"""Pixels to the right of its way, of a zigzag in 16 frames: right, left, right, left."""
STEPS = [2.0 * time - 15 for time in range(16)]
"""Pixels along the way, from its middle: half of the picture in all."""


def square(x: float, y: float, half: float) -> bool:
    return -half <= x <= half and -half <= y <= half


def circle(x: float, y: float, half: float) -> bool:
    return x * x + y * y <= half * half


def triangle(x: float, y: float, half: float) -> bool:
    """Tip up: at the top no width, at the bottom all of it."""
    return -half <= y <= half and -(y + half) / 2 <= x <= (y + half) / 2


WAYS: dict[tuple[str, str], Callable[[float, float], tuple[float, float]]] = {
    ("straight", "north"): lambda along, _: (0, -along),
    ("straight", "east"): lambda along, _: (along, 0),
    ("straight", "south"): lambda along, _: (0, along),
    ("straight", "west"): lambda along, _: (-along, 0),
    ("zigzag", "north"): lambda along, right: (right, -along),
    ("zigzag", "east"): lambda along, right: (along, right),
    ("zigzag", "south"): lambda along, right: (-right, along),
    ("zigzag", "west"): lambda along, right: (-along, -right),
    ("diagonal", "northeast"): lambda along, _: (0.7 * along, -0.7 * along),
    ("diagonal", "southeast"): lambda along, _: (0.7 * along, 0.7 * along),
    ("diagonal", "southwest"): lambda along, _: (-0.7 * along, 0.7 * along),
    ("diagonal", "northwest"): lambda along, _: (-0.7 * along, -0.7 * along),
}


def painted(
    shape: Shape, middle: tuple[float, float] = (30, 30), scale: float = 1
) -> torch.Tensor:
    """A clip of one shape on black, whose way has its middle there."""
    inside = {"square": square, "circle": circle, "triangle": triangle}[shape.kind]
    clip = -torch.ones(1, 3, 16, SIZE, SIZE)
    way, half = WAYS[shape.path, shape.direction], scale * HALF[shape.size]
    colour = 2 * torch.tensor(PAINT[shape.colour]).float() - 1
    for time, (along, right) in enumerate(zip(STEPS, SWING, strict=True)):
        x, y = (m + scale * way for m, way in zip(middle, way(along, right), strict=True))
        for row in range(SIZE):
            for column in range(SIZE):
                if inside(column + 0.5 - x, row + 0.5 - y, half):
                    clip[0, :, time, row, column] = colour
    return clip


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_every_way_is_read(way: tuple[str, str]):
    shape = Shape("square", "small", "green", *way)
    assert judge(painted(shape)) == [(shape,)]


@pytest.mark.parametrize("size", HALF)
@pytest.mark.parametrize(
    ("kind", "colour"),
    [("square", "red"), ("circle", "white"), ("triangle", "yellow"), ("circle", "blue")],
)
def test_every_kind_size_and_colour_is_read(kind: str, size: str, colour: str):
    shape = Shape(kind, size, colour, "straight", "west")
    assert judge(painted(shape)) == [(shape,)]


def test_two_shapes_are_read():
    """Those of two are smaller by the same share, and so are their ways."""
    one = Shape("triangle", "large", "red", "zigzag", "east")
    other = Shape("square", "small", "blue", "straight", "north")
    both = torch.maximum(painted(one, (20, 15), 0.7), painted(other, (45, 42), 0.7))
    assert set(judge(both, 2)[0]) == {one, other}


def test_shapes_are_matched_so_that_most_of_all_agrees():
    """The painted square is of the circle's colour and way: as the square's it has its kind alone,
    as the circle's all but the kind."""
    square = Shape("square", "small", "red", "straight", "north")
    circle = Shape("circle", "large", "blue", "zigzag", "east")
    painted_square = replace(circle, kind="square")
    painted_circle = replace(square, kind="circle")
    first, second = painted(painted_square, (20, 15), 0.7), painted(painted_circle, (45, 42), 0.7)
    caption = f"{square.caption} and {circle.caption}"
    shares = agreement([caption], torch.maximum(first, second))
    assert shares == {"kind": 0, "size": 1, "colour": 1, "path": 1, "direction": 1, "all": 0}


def test_a_way_and_back_is_no_motion():
    shape = Shape("circle", "large", "green", "straight", "east")
    clip = painted(shape)
    there_and_back = clip[:, :, [*range(0, 16, 2), *range(15, 0, -2)]]
    assert judge(there_and_back)[0][0] == Shape("circle", "large", "green", "none", "none")
