"""Frames enlarged: squares, and Lanczos's kernel beside another program's."""

import numpy as np
import pytest
from PIL import Image

from core.errors import ConfigError
from videogen.rendering.enlargement import (
    Enlargement,
    lanczos,
    lanczos_weights,
    nearest,
    repeated,
)

CHANCE = np.random.default_rng(0)


def noise(count: int = 2, height: int = 12, width: int = 20) -> np.ndarray:
    return CHANCE.integers(0, 256, (count, height, width, 3)).astype(np.uint8)


def test_pixels_become_squares():
    frames = np.arange(2 * 2 * 3 * 3, dtype=np.uint8).reshape(2, 2, 3, 3)
    large = repeated(frames, 3)
    assert large.shape == (2, 6, 9, 3)
    assert all(np.array_equal(large[:, i::3, j::3], frames) for i in range(3) for j in range(3))
    assert np.array_equal(nearest(frames, 3.0), large)


def test_pixels_of_no_whole_factor_are_those_below_the_centres():
    frames = np.array([10, 20, 30], np.uint8)[None, None, :, None].repeat(3, 3)
    assert nearest(frames, 1.5)[0, 0, :, 0].tolist() == [10, 20, 20, 30]  # 1/3, 1, 5/3, 7/3
    assert nearest(frames, 2 / 3)[0, 0, :, 0].tolist() == [10, 30]  # 3/4, 9/4


@pytest.mark.parametrize("factor", [2.0, 4.0, 1.5, 0.5])
def test_lanczos_is_that_of_another_program(factor: float):
    """It rounds between rows and columns; at full contrast it would also clamp there."""
    frames = 80 + noise() // 3
    mine = lanczos(frames, factor)
    size = (round(20 * factor), round(12 * factor))
    theirs = [Image.fromarray(f).resize(size, Image.Resampling.LANCZOS) for f in frames]
    assert np.abs(mine.astype(int) - np.stack([np.asarray(t) for t in theirs])).max() <= 2


def test_lanczos_keeps_a_grey_and_the_picture_at_factor_one():
    frames = noise()
    assert np.array_equal(lanczos(frames, 1.0), frames)
    assert lanczos_weights(7, 19).sum(1) == pytest.approx(1, abs=1e-6)
    grey = np.full((1, 5, 9, 3), 77, np.uint8)
    assert (lanczos(grey, 3.7) == 77).all()
    assert lanczos(grey, 3.7).shape == (1, round(5 * 3.7), round(9 * 3.7), 3)


def test_unasked_small_clips_become_squares_of_a_player_and_larger_ones_smooth():
    small, medium, large = (noise(1, side, side) for side in (32, 64, 300))
    unasked = Enlargement()
    assert np.array_equal(unasked(small), repeated(small, 8))
    assert np.array_equal(unasked(medium), lanczos(medium, 4.0))
    assert np.array_equal(unasked(large), large)
    assert np.array_equal(Enlargement(2.5)(small), lanczos(small, 2.5))
    assert np.array_equal(Enlargement(2.5, "nearest")(small), nearest(small, 2.5))
    assert np.array_equal(Enlargement(2, "lanczos")(small), lanczos(small, 2.0))


def test_frames_that_no_player_decodes_are_refused():
    with pytest.raises(ConfigError, match=r"12 pixels .* at most 204.8 times .*--scale 204.8"):
        Enlargement(205)(noise())
