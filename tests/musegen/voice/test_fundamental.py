"""The exact judge of pitch."""

import math

import numpy as np
import pytest
from note_sounds import ORGAN, REED, note

from musegen.voice.fundamental import harmonicity, hear, hz_of, is_right, pitch_of

RATE = 16_000


@pytest.mark.parametrize("pitch", (24, 36.3, 48, 59.8, 60, 72, 84, 88))
@pytest.mark.parametrize("amplitudes", (ORGAN, REED, (0.1, 1.0, 0.5), (1.0,)))
def test_a_fundamental_is_right_to_a_tenth_of_a_semitone(pitch: float, amplitudes: tuple):
    """Also where the second harmonic is the loudest."""
    tone = hear(note(pitch, amplitudes, 0.5, RATE), RATE)
    assert tone
    assert tone.pitch == pytest.approx(pitch, abs=0.1)


def test_silence_noise_and_clicks_have_no_pitch():
    generator = np.random.default_rng(0)
    click = np.zeros(RATE)
    click[4000] = 0.9
    for sound in (np.zeros(RATE), 0.1 * generator.standard_normal(RATE), click, np.zeros(0)):
        assert hear(sound, RATE) is None
        assert not is_right(hear(sound, RATE), 60)


def test_a_quarter_tone_is_the_edge():
    for cents, right in ((0, True), (40, True), (-40, True), (60, False), (-60, False)):
        assert is_right(hear(note(60 + cents / 100, rate=RATE, seconds=0.5), RATE), 60) is right
    assert not is_right(hear(note(72, seconds=0.5, rate=RATE), RATE), 60), "an octave is wrong"


def test_harmonicity_is_one_for_harmonics_and_a_half_for_noise():
    sound = note(60, ORGAN, 0.5, RATE) * np.exp(np.arange(RATE // 2) / RATE)
    assert harmonicity(sound, RATE, 60) == pytest.approx(1, abs=0.005)
    assert harmonicity(sound, RATE, 64) < 0.8
    noise = np.random.default_rng(0).standard_normal(RATE)
    assert harmonicity(0.1 * noise, RATE, 60) == pytest.approx(0.5, abs=0.1)
    assert harmonicity(sound + 0.3 * noise[: len(sound)], RATE, 60) < 0.95
    assert math.isnan(harmonicity(np.zeros(RATE), RATE, 60))


def test_a_period_that_is_longer_than_any_that_is_looked_for_is_not_measured():
    """25 Hz is between pitches 19 and 20, of which the higher edge of 19 is 25.2 Hz."""
    sound = note(30, ORGAN, 0.5, RATE)
    assert math.isnan(harmonicity(sound, RATE, 18))
    assert 0 < harmonicity(sound, RATE, 19) < 1


def test_pitches_and_frequencies_are_inverse():
    assert hz_of(69) == 440 and pitch_of(hz_of(24.5)) == pytest.approx(24.5)
