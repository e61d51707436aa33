"""Synthesis: notes have their pitches, times, lengths and loudness, and add up."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tones import pitch_of

from musegen.files.audio import SAMPLE_RATE
from musegen.playing import synthesis
from musegen.playing.instrument import Envelope, Glide, Instrument, Range, Region
from musegen.playing.loop import Loop
from musegen.playing.orchestra import SOUNDFONT
from musegen.playing.resampling import interpolated, resampled
from musegen.playing.sf2 import Soundfont
from musegen.playing.synthesis import Note, Synthesis, level, tone

FONT = Soundfont(SOUNDFONT)
PERIOD = 100
"""Samples of a period of the sine, 441 Hz: 3.9 cents above A4."""
SINE = np.sin(2 * np.pi * np.arange(PERIOD) / PERIOD).astype(np.float32)
A4 = 69 + 12 * np.log2(441 / 440)


def played(instrument: Instrument, *notes: Note, seconds: float = 2.0) -> np.ndarray:
    sound = np.zeros((2, round(seconds * SAMPLE_RATE)), np.float32)
    Synthesis().play(instrument, notes, sound)
    return sound


def organ(**changes: Any) -> Instrument:
    """One pipe: a loop of one period of a sine."""
    pipe = Region(SINE, SAMPLE_RATE, A4, loop=Loop(0, PERIOD), envelope=Envelope(release=0.5))
    return Instrument((replace(pipe, **changes),))


def loudness(sound: np.ndarray, begin: float, end: float) -> float:
    part = sound[:, round(begin * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
    return float(np.sqrt(np.square(part, dtype=np.float64).mean()))


@pytest.mark.parametrize("program", [0, 24, 33, 40, 56, 73])
def test_an_instrument_of_the_soundfont_sounds_at_its_pitch(program: int):
    instrument = FONT.instrument(program)
    assert instrument
    for pitch in (50, 67):
        sound = played(instrument, Note(0.0, 0.4, pitch, 100), seconds=0.4).mean(0)
        assert pitch_of(sound[4000:], SAMPLE_RATE) == pytest.approx(pitch, abs=0.2)


@pytest.mark.parametrize("key", [57, 64, 69, 72])
def test_a_sample_plays_at_the_pitch_of_its_key(key: int):
    sound = tone(organ().regions[0], key, SAMPLE_RATE // 2)
    assert pitch_of(sound, SAMPLE_RATE) == pytest.approx(key, abs=0.01)


def test_a_note_sounds_from_its_start_until_its_end_and_its_release():
    sound = played(organ(), Note(0.5, 0.6, 69, 127))
    first = np.flatnonzero(np.abs(sound).max(0) > 0.01)[0] / SAMPLE_RATE
    assert first == pytest.approx(0.5, abs=0.001)
    steady = loudness(sound, 0.6, 1.1)
    assert loudness(sound, 0.5, 0.6) == pytest.approx(steady, rel=0.01)
    fallen = 20 * np.log10(loudness(sound, 1.19, 1.21) / steady)
    assert fallen == pytest.approx(-100 * 0.1 / 0.5, abs=3), "100 dB in the release"
    assert not sound[:, round(1.5 * SAMPLE_RATE) :].any()


def test_velocity_is_loudness():
    """(v / 127)^2: 40 lg 2 = 12 dB for half of the velocity."""
    loud, soft = (loudness(played(organ(), Note(0, 1, 69, v)), 0, 1) for v in (120, 60))
    assert loud / soft == pytest.approx(4, rel=1e-4)


def test_notes_add_up():
    first, second = Note(0.0, 1.0, 69, 100), Note(0.3, 0.5, 76, 80)
    together = played(organ(), first, second)
    assert np.allclose(together, played(organ(), first) + played(organ(), second), atol=1e-6)
    assert not played(organ()).any()


def test_equal_notes_are_computed_once_and_sound_the_same(monkeypatch: pytest.MonkeyPatch):
    computed: list[int] = []
    own = synthesis.tone
    monkeypatch.setattr(
        synthesis, "tone", lambda region, key, n: computed.append(key) or own(region, key, n)
    )
    sound = np.zeros((2, 4 * SAMPLE_RATE), np.float32)
    player, instrument = Synthesis(), organ()
    notes = [Note(0.0, 0.5, 69, 100), Note(2.0, 0.5, 69, 100), Note(1.0, 0.2, 72, 100)]
    player.play(instrument, notes, sound)
    assert sorted(computed) == [69, 72]
    half = 2 * SAMPLE_RATE
    assert np.array_equal(sound[:, : SAMPLE_RATE // 2], sound[:, half : half + SAMPLE_RATE // 2])
    later = np.zeros_like(sound)
    player.play(instrument, [Note(0.0, 3.0, 69, 100)], np.zeros_like(sound))  # a longer one
    player.play(instrument, notes, later)
    assert sorted(computed) == [69, 69, 72], "the longer one, from which shorter ones are cut"
    assert np.array_equal(later, sound)


@pytest.mark.parametrize(
    ("changes", "short"),
    [
        ({}, 12 * PERIOD + PERIOD // 2 + 1),
        ({"envelope": Envelope(delay=0.2, release=0.5)}, SAMPLE_RATE // 100),
    ],
    ids=["cut at a zero", "cut before its attack"],
)
def test_a_note_does_not_depend_on_a_shorter_one_before(changes: dict[str, Any], short: int):
    """A player that has computed a few samples of a key goes on with it in a longer note."""
    instrument = organ(**{"root": 69, **changes})
    player, long = Synthesis(), Note(0.0, 1.0, 69, 127)
    player.play(instrument, [long], np.zeros((2, short), np.float32))
    sound = np.zeros((2, 2 * SAMPLE_RATE), np.float32)
    player.play(instrument, [long], sound)
    assert sound.any() and np.array_equal(sound, played(instrument, long))


def test_a_key_that_has_fallen_silent_is_computed_once():
    for changes in ({"loop": None}, {"envelope": Envelope(decay=0.2, sustain_db=100.0)}):
        instrument, player = organ(**changes), Synthesis()
        for seconds in (0.5, 2.0):
            sound = np.zeros((2, 4 * SAMPLE_RATE), np.float32)
            player.play(instrument, [Note(0.0, seconds, 69, 127)], sound)
        ((_, of),) = player.tones.values()
        assert of < SAMPLE_RATE, "0.5 s and the release"


def test_a_loop_sounds_for_as_long_as_the_key_is_down():
    sound = played(organ(), Note(0.0, 5.0, 69, 127), seconds=5.0)
    assert loudness(sound, 0, 1) == pytest.approx(0.5, rel=1e-3), "1/sqrt 2, in each half"
    assert loudness(sound, 4, 5) == pytest.approx(0.5, rel=1e-3)
    once = played(organ(loop=None), Note(0.0, 5.0, 69, 127), seconds=5.0)
    assert not once[:, PERIOD + 4 :].any()


def test_panning_moves_sound_and_keeps_its_power():
    left, middle, right = (
        np.square(played(organ(pan=pan), Note(0, 1, 69, 127))).sum(1) for pan in (-1.0, 0.0, 1.0)
    )
    assert left[1] == 0 and right[0] == 0
    assert middle[0] == pytest.approx(middle[1])
    assert left[0] == pytest.approx(middle.sum(), rel=1e-3) == right[1]


def test_the_envelope_rises_is_held_and_falls_by_decibels():
    """Attack 0.2 s, hold 0.1 s, 100 dB in 2 s down to -20 dB, which is reached at 0.7 s."""
    at = level(Envelope(0.1, 0.2, 0.1, 2.0, 20.0, 0.1), SAMPLE_RATE)
    values = [float(at[round(seconds * SAMPLE_RATE)]) for seconds in (0.05, 0.2, 0.35, 0.6, 0.9)]
    assert values == pytest.approx([0, 0.5, 1, 10 ** (-10 / 20), 0.1], abs=1e-3)


def test_a_pitch_glides_down_from_an_octave_above():
    """Held there for 0.2 s, it falls by 100 % in 0.4 s, and stays: 12, 6 and 0 semitones."""
    envelope = Envelope(hold=0.2, decay=0.4, sustain_db=100.0)
    pipe = organ(glide=Glide(12.0, envelope)).regions[0]
    sound = tone(pipe, 69, SAMPLE_RATE)
    high, low = sound[: SAMPLE_RATE // 5], sound[round(0.65 * SAMPLE_RATE) :]
    assert [pitch_of(part, SAMPLE_RATE) for part in (high, low)] == pytest.approx(
        [81, 69], abs=0.1
    )
    middle = sound[round(0.39 * SAMPLE_RATE) : round(0.41 * SAMPLE_RATE)]
    assert pitch_of(middle, SAMPLE_RATE) == pytest.approx(75, abs=0.5)


def test_a_key_an_octave_higher_falls_in_half_the_time():
    falling = Envelope(decay=1.0, sustain_db=100.0, decay_octaves_per_key=1 / 12)
    pipe = organ(envelope=falling, brightness=None).regions[0]
    for key, seconds in ((60, 1.0), (72, 0.5), (48, 2.0)):
        sound = np.abs(tone(pipe, key, SAMPLE_RATE))
        at = round(0.2 * seconds * SAMPLE_RATE)  # after a fifth of the decay, 20 dB
        assert sound[at : at + 2 * PERIOD].max() == pytest.approx(0.1, rel=0.05)
    fixed = organ(envelope=falling, fixed_key=60).regions[0]
    assert (tone(fixed, 72, 4000) == tone(fixed, 60, 4000)).all()


def test_layers_of_velocity_and_keys_choose_the_region():
    soft = organ(velocities=Range(1, 63)).regions[0]
    hard = organ(velocities=Range(64, 127), keys=Range(60, 70)).regions[0]
    instrument = Instrument((soft, hard))
    assert instrument.sounding(65, 63) == [soft] and instrument.sounding(65, 64) == [hard]
    assert instrument.sounding(71, 64) == []
    assert instrument.keys == (0, 127)


def test_interpolation_is_exact_for_a_parabola_and_ends_in_silence():
    parabola = (np.arange(20, dtype=np.float32) - 3) ** 2
    found = interpolated(parabola, 1.5, 20)
    assert found[1:12] == pytest.approx((1.5 * np.arange(1, 12) - 3) ** 2, abs=1e-4)
    assert not found[13:].any()
    assert interpolated(parabola, 1.0, 25).tolist() == [*parabola.tolist(), *[0] * 5]


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 32_000, 48_000])
def test_a_second_at_another_rate_is_a_second(rate: int):
    assert resampled(np.ones((1, rate), np.float32), rate / SAMPLE_RATE).shape == (1, SAMPLE_RATE)
    assert resampled(np.ones((1, SAMPLE_RATE), np.float32), SAMPLE_RATE / rate).shape == (1, rate)


def test_resampling_moves_the_pitch_by_semitones():
    time = np.arange(16_000) / 16_000
    sine = np.sin(2 * np.pi * 440 * time).astype(np.float32)
    up = resampled(sine[None], 16_000 / SAMPLE_RATE * 2 ** (7 / 12))[0]
    assert len(up) == pytest.approx(SAMPLE_RATE / 2 ** (7 / 12), abs=2)
    assert pitch_of(up, SAMPLE_RATE) == pytest.approx(76, abs=0.002)
    assert np.abs(up).max() == pytest.approx(1, abs=0.02)
