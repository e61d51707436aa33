"""The worst frame of moving shapes: pictures drawn by hand, and real clips spoilt in one way."""

import pytest
import torch

from videogen.shapes.drawing import draw
from videogen.shapes.steadiness import steadiness

NORTH = "A small red square is moving in a straight line towards north"
EAST = "A large white circle is moving in a straight line towards east"
BOTH = f"{NORTH} and a{EAST[1:]}"


def box_moving_north(frames: int = 5, size: int = 40) -> torch.Tensor:
    """Return a red box of 10 x 10 pixels that moves up by 5 pixels a frame: 0.5 frame widths."""
    clip = torch.full((1, 3, frames, size, size), -1.0)
    for time in range(frames):
        top = 25 - 5 * time
        clip[:, 0, time, top : top + 10, 15:25] = 1
    return clip


def test_a_box_on_its_path_is_steady():
    facts = steadiness([NORTH], box_moving_north())
    assert facts == pytest.approx({"cut": 0, "flicker": 0, "wobble": 0, "travel": 1}, abs=1e-5)


def test_a_frame_that_lacks_a_fifth_of_the_area_counts_as_cut_and_a_twentieth_does_not():
    clip = box_moving_north(size=40)
    clip[:, :, 2, 15:17] = -1  # two of ten rows
    assert steadiness([NORTH], clip)["cut"] == 1
    clip = box_moving_north()
    clip[:, :, 2, 15, 15:20] = -1  # five of a hundred pixels
    assert steadiness([NORTH], clip)["cut"] == 0


def test_flicker_is_the_largest_change_of_colour():
    clip = box_moving_north()
    clip[:, 1, 3, 10:20, 15:25] = 0.2  # green 0.6 in one frame
    assert steadiness([NORTH], clip)["flicker"] == pytest.approx(0.6, abs=1e-5)


def test_wobble_is_the_largest_distance_from_the_path():
    """One frame of five, 4 pixels of 40 to the right: 0.1, of which the mean takes a fifth."""
    clip = box_moving_north()
    clip[:, :, 2] = clip[:, :, 2].roll(4, 2)
    assert steadiness([NORTH], clip)["wobble"] == pytest.approx(0.1 * 4 / 5, abs=1e-5)


def test_travel_is_the_share_of_the_way():
    clip = box_moving_north()
    clip[:, :, 4] = clip[:, :, 3]  # stands still in the last frame
    assert steadiness([NORTH], clip)["travel"] == pytest.approx(0.75, abs=1e-5)
    assert steadiness([NORTH], clip.flip(2))["travel"] == pytest.approx(-0.75, abs=1e-5)


def test_drawn_clips_of_one_and_two_shapes_are_steady():
    captions = [NORTH, EAST, BOTH] * 10
    facts = steadiness(captions, draw(captions, seed=1, size=32))
    assert facts["cut"] < 0.05  # where there is no room for two, one covers the other
    assert facts["wobble"] < 0.01
    assert facts["travel"] == pytest.approx(1, abs=0.02)


def test_of_two_shapes_each_is_followed_by_its_colour():
    clip = draw([BOTH], seed=1, size=32)
    clip[:, 1:, 5] = -1  # the white circle turns red in one frame
    facts = steadiness([BOTH], clip)
    assert facts["cut"] == 0.5
