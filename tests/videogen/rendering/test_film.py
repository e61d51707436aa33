"""Films: where they are cut, how clips fill them, and how sound ends."""

import numpy as np
import pytest

from videogen.files.clip import SAMPLE_RATE_HZ
from videogen.rendering.film import FADE_SECONDS, cut_frames, cut_sound, stretched


def levels(*values: int) -> np.ndarray:
    return np.array(values, np.uint8)[:, None, None, None].repeat(3, 3)


@pytest.mark.parametrize("rate", [8, 24, 29.97])
def test_cuts_stay_within_half_a_frame_of_their_times_and_no_error_adds_up(rate: float):
    times = np.arange(50) * 1.4545
    cuts = np.concatenate([[0], np.cumsum(cut_frames(times, rate))])
    assert np.abs(cuts / rate - times).max() <= 0.5 / rate + 1e-9


def test_a_clip_is_stretched_or_thinned_evenly():
    assert stretched(levels(1, 2, 3), 3)[:, 0, 0, 0].tolist() == [1, 2, 3]
    assert stretched(levels(1, 2), 5)[:, 0, 0, 0].tolist() == [1, 1, 2, 2, 2]
    assert stretched(levels(1, 2, 3, 4), 2)[:, 0, 0, 0].tolist() == [2, 4]


def test_sound_is_cut_and_falls_to_nothing_at_its_end():
    sound = np.ones((2, 10 * SAMPLE_RATE_HZ), np.float32)
    cut = cut_sound(sound, 4.0)
    assert cut.shape == (2, 4 * SAMPLE_RATE_HZ)
    assert (cut[:, : 3 * SAMPLE_RATE_HZ] == 1).all()
    half = round((4 - FADE_SECONDS / 2) * SAMPLE_RATE_HZ)
    assert cut[:, half] == pytest.approx(0.5, abs=1e-4)
    assert cut[:, -1] == pytest.approx(0, abs=1e-6)
    assert (np.diff(cut[0]) <= 0).all()


def test_a_short_film_fades_in_a_quarter_and_short_sound_is_filled_with_silence():
    sound = np.ones((2, SAMPLE_RATE_HZ), np.float32)
    cut = cut_sound(sound, 2.0)
    assert cut.shape == (2, 2 * SAMPLE_RATE_HZ)
    assert (cut[:, :SAMPLE_RATE_HZ] == 1).all()
    assert (cut[:, SAMPLE_RATE_HZ:] == 0).all()
    short = cut_sound(sound, 0.4)
    assert (short[:, : round(0.3 * SAMPLE_RATE_HZ)] == 1).all()
    assert short[0, round(0.35 * SAMPLE_RATE_HZ)] == pytest.approx(0.5, abs=1e-3)
