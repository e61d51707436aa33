"""Registers, drums and velocities, counted by hand."""

import numpy as np
import pytest
from excerpt_rows import BASS, DRUMS, PIANO, excerpts

from musegen.measures.beat import backbeat, bass_on_downbeat, drum_kinds, drums_outside
from musegen.measures.register import (
    distinct_velocities,
    octaves_apart,
    pitch_shares,
    quantiles,
    velocity_spread,
)

NAN = float("nan")


def values(of: np.ndarray) -> list[float]:
    return of[:, 0].tolist()


def test_pitch_shares_and_their_quantiles():
    """Pitches 40 once, 50 twelve times, 61 six times, 90 once: 5, 65, 95 and 100 %."""
    pitches = [40] + [50] * 12 + [61] * 6 + [90]
    music = excerpts(
        *((0, BASS, step, pitch) for step, pitch in enumerate(pitches)), (0, PIANO, 0, 99)
    )
    shares = pitch_shares(music, BASS)
    assert shares.shape == (2, 128)
    assert shares[0, [40, 50, 61, 90]].tolist() == pytest.approx([0.05, 0.6, 0.3, 0.05])
    assert shares[0].sum() == pytest.approx(1)
    assert quantiles(shares[0]) == [40, 50, 61]
    assert np.isnan(quantiles(shares[1])).all()


def test_octaves_apart_is_how_far_notes_must_move():
    """A quarter moves by an octave and a quarter by three semitones."""
    one, other = np.zeros(128), np.zeros(128)
    one[[40, 50, 60]] = 0.25, 0.25, 0.5
    other[[52, 53, 60]] = 0.25, 0.25, 0.5
    assert octaves_apart(one, other) == pytest.approx((0.25 * 12 + 0.25 * 3) / 12)
    assert octaves_apart(other, one) == octaves_apart(one, other)


def test_kinds_of_drums_and_those_that_general_midi_lacks():
    pitches = (36, 36, 38, 34, 82, 81, 35)
    drums = [(0, DRUMS, n, pitch) for n, pitch in enumerate(pitches)]
    music = excerpts(*drums, (0, PIANO, 3, 20), (1, PIANO, 0, 99))
    assert values(drum_kinds(music)) == pytest.approx([6, NAN], nan_ok=True)
    assert values(drums_outside(music)) == pytest.approx([2 / 7, NAN], nan_ok=True)


def test_the_backbeat_is_a_snare_on_beats_2_and_4():
    """Three bars of four with drums: snares on 2; on 2, twice, and on 3; on 4 by a kick alone."""
    music = excerpts(
        (0, DRUMS, 4, 38), (0, DRUMS, 20, 40), (0, DRUMS, 20, 38), (0, DRUMS, 24, 38),
        (0, DRUMS, 44, 36), (0, PIANO, 52, 38), (1, PIANO, 4, 38), beats=4,
    )  # fmt: skip
    assert values(backbeat(music)) == pytest.approx([2 / 6, NAN], nan_ok=True)
    assert np.isnan(backbeat(excerpts((0, DRUMS, 4, 38)))).all(), "a bar of three beats"


def test_the_bass_is_on_one_in_bars_in_which_it_plays():
    """It plays on one in bar 0, in bar 2 off it, in bar 3 on and off; the piano does not count."""
    music = excerpts(
        (0, BASS, 0, 40), (0, BASS, 25, 40), (0, BASS, 36, 40), (0, BASS, 36, 47),
        (0, BASS, 41, 40), (0, PIANO, 12, 60), (1, PIANO, 0, 60),
    )  # fmt: skip
    assert values(bass_on_downbeat(music)) == pytest.approx([2 / 3, NAN], nan_ok=True)


def test_velocities_that_are_known():
    """40, 40, 70 and 100: mean 62.5. A velocity of 0 is not known."""
    velocities = (40, 40, 70, 100, 0)
    music = excerpts(
        *((0, PIANO, n, 60, 1, v) for n, v in enumerate(velocities)), (1, PIANO, 0, 60, 1, 0)
    )
    assert values(distinct_velocities(music)) == pytest.approx([3, NAN], nan_ok=True)
    spread = ((2 * 22.5**2 + 7.5**2 + 37.5**2) / 4) ** 0.5
    assert values(velocity_spread(music)) == pytest.approx([spread, NAN], nan_ok=True)
