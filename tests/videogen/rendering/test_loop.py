"""Loops: the blend by hand, and a seam that moves no more than the clip does."""

import numpy as np

from videogen.rendering.loop import blended, looped, steps_of


def levels(*values: int) -> np.ndarray:
    """Frames of one grey each."""
    return np.array(values, np.uint8)[:, None, None, None].repeat(3, 3)


def test_the_end_is_blended_into_the_beginning_in_equal_steps():
    """The last two of 0, 30, 60 ... 150, 120 and 150, lead to the first two, 0 and 30."""
    mixed = blended(levels(0, 30, 60, 90, 120, 150), 2)
    first, second = 0 / 3 + 2 * 120 / 3, 2 * 30 / 3 + 150 / 3
    assert mixed[:, 0, 0, 0].tolist() == [first, second, 60, 90]
    assert blended(levels(1, 2, 3), 0)[:, 0, 0, 0].tolist() == [1, 2, 3]


def test_steps_are_root_mean_squares_and_the_last_leads_to_the_first():
    frames = np.zeros((3, 1, 2, 3), np.uint8)
    frames[1, 0, 0] = 8  # half of its numbers
    frames[2] = 8
    assert steps_of(frames).tolist() == [np.sqrt(32), np.sqrt(32), 8]


def test_a_clip_that_repeats_stays_as_it_is():
    turning = levels(0, 50, 100, 50)
    assert np.array_equal(looped(turning), turning)
    assert np.array_equal(looped(levels(9)), levels(9))


def test_the_seam_of_a_moving_square_is_no_larger_than_its_usual_step():
    frames = np.zeros((24, 32, 64, 3), np.uint8)
    for number in range(24):
        frames[number, 8:20, 2 * number : 2 * number + 12] = 200
    usual = steps_of(frames)[:-1].mean()
    assert steps_of(frames)[-1] > 2 * usual, "without a loop it jumps"
    seamless = looped(frames)
    assert steps_of(seamless).max() <= usual * 1.001
    assert 12 <= len(seamless) < 24
    overlap = 24 - len(seamless)
    assert np.array_equal(seamless[overlap:], frames[overlap : len(seamless)])
    shorter = steps_of(blended(frames, overlap - 1))
    assert max(shorter[-1], shorter[: overlap - 1].max()) > usual, "no shorter blend would do"
