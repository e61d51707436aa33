"""The orchestra: voices take the place of instruments, and of nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from tones import Reeds, pitch_of

from core.errors import ConfigError
from musegen.files.audio import SAMPLE_RATE
from musegen.files.sound import Session
from musegen.performance import Performance
from musegen.playing.opening import open_voices
from musegen.playing.orchestra import ALL, SOUNDFONT, Orchestra
from musegen.tracks import LAKH

DRUMS, PIANO, BASS = 0, 1, 3


def song(*rows: tuple[int, float, float, int, int]) -> Performance:
    """Notes from rows of (track, start, seconds, pitch, velocity)."""
    track, start, seconds, pitch, velocity = zip(*rows, strict=True)
    whole = (np.array(column, np.int64) for column in (track, pitch, velocity))
    times = (np.array(column, np.float64) for column in (start, seconds))
    (track, pitch, velocity), (start, seconds) = whole, times
    return Performance(track, start, seconds, pitch, velocity, LAKH)


BAND = song(
    (DRUMS, 0.0, 0.1, 36, 100),
    (DRUMS, 0.5, 0.1, 38, 90),
    (PIANO, 0.0, 0.4, 60, 100),
    (PIANO, 0.5, 0.4, 64, 100),
    (PIANO, 1.0, 0.4, 60, 70),
    (BASS, 0.0, 0.9, 50, 100),
)


def track(orchestra: Orchestra, number: int, performance: Performance = BAND) -> np.ndarray:
    sound = np.zeros((2, 2 * SAMPLE_RATE), np.float32)
    orchestra.play(performance.of_track(number), sound)
    return sound


def test_a_voice_changes_the_melodic_tracks_and_not_the_drums():
    plain, voiced = Orchestra(), Orchestra(voices={ALL: Reeds()})
    assert track(plain, DRUMS).any()
    assert np.array_equal(track(plain, DRUMS), track(voiced, DRUMS))
    for melodic in (PIANO, BASS):
        assert not np.allclose(track(plain, melodic), track(voiced, melodic), atol=0.01)


def test_a_voice_of_one_track_leaves_the_others():
    plain, voiced = Orchestra(), Orchestra(voices={"bass": Reeds()})
    assert np.array_equal(track(plain, PIANO), track(voiced, PIANO))
    assert not np.allclose(track(plain, BASS), track(voiced, BASS), atol=0.01)
    both = Orchestra(voices={"bass": Reeds(), ALL: Reeds(0.3)})
    assert np.array_equal(track(both, BASS), track(voiced, BASS))


def test_a_voice_is_asked_once_for_each_pitch_and_class_of_length():
    reeds = Reeds()
    orchestra = Orchestra(voices={ALL: reeds})
    track(orchestra, PIANO)
    assert sorted({one for one in reeds.asked if one[0] in (60, 64)}) == [(60, 0.5), (64, 0.5)]
    asked = list(reeds.asked)
    assert len(asked) == len(set(asked))
    track(orchestra, PIANO)
    assert reeds.asked == asked


def test_a_note_in_a_voice_has_its_pitch_time_and_length():
    """Also below and above what the voice knows, and for longer than it knows."""
    for pitch, seconds in ((60, 0.3), (45, 1.5), (79, 0.6)):
        one = song((PIANO, 0.25, seconds, pitch, 100))
        sound = track(Orchestra(voices={ALL: Reeds()}), PIANO, one).mean(0)
        assert pitch_of(sound[12_000:24_000], SAMPLE_RATE) == pytest.approx(pitch, abs=0.05)
        audible = np.flatnonzero(np.abs(sound) > 0.01 * np.abs(sound).max())
        assert audible[0] / SAMPLE_RATE == pytest.approx(0.25, abs=0.003)
        assert audible[-1] / SAMPLE_RATE == pytest.approx(0.25 + seconds, abs=0.2)


def test_velocity_orders_loudness():
    levels = [
        np.square(track(Orchestra(voices=v), PIANO, song((PIANO, 0.0, 1.0, 60, velocity)))).mean()
        for v in ({}, {ALL: Reeds()})
        for velocity in (20, 60, 100, 127)
    ]
    for four in (levels[:4], levels[4:]):
        assert four == sorted(four) and four[3] > 100 * four[0]


def test_a_voice_is_as_loud_as_the_instrument_whose_place_it_takes():
    class Faint(Reeds):
        def notes(self, pitches: np.ndarray, velocities: np.ndarray, seconds: float) -> np.ndarray:
            return super().notes(pitches, velocities, seconds) / np.float32(50)

    strong, faint = (track(Orchestra(voices={ALL: v}), PIANO) for v in (Reeds(), Faint()))
    assert np.abs(strong).max() == pytest.approx(np.abs(faint).max(), rel=1e-3)
    first = slice(0, SAMPLE_RATE // 2)
    one = song((PIANO, 0.0, 0.5, 60, 100))
    energies = [
        np.square(track(orchestra, PIANO, one)[:, first]).mean()
        for orchestra in (Orchestra(), Orchestra(voices={ALL: Reeds()}))
    ]
    assert abs(10 * np.log10(energies[1] / energies[0])) < 4


def test_the_mix_is_the_same_each_time_and_silence_is_silence():
    first, second = (Session(BAND, Orchestra(voices={ALL: Reeds()})).mix for _ in "ab")
    assert np.array_equal(first, second)
    nothing = replace(BAND, tracks=LAKH)[np.zeros(len(BAND), bool)]
    assert not Session(nothing, Orchestra(voices={ALL: Reeds()})).mix.any()


def test_stems_in_a_voice_add_up_to_the_song():
    session = Session(BAND, Orchestra(voices={ALL: Reeds()}))
    stems = sum(session.stem(number) for number in range(len(LAKH)))
    assert np.allclose(stems, session.mix, atol=1e-4)


def open_run(run: str, seed: int) -> Reeds:
    assert (run, seed) == ("runs/reeds", 3)
    return Reeds()


def test_voices_are_named_by_track():
    voices = open_voices(["Bass=runs/reeds:3", f"{SOUNDFONT}:violin"], open_run)
    assert set(voices) == {"bass", ALL}
    Orchestra(voices=voices).require(LAKH)
    with pytest.raises(
        ConfigError, match=r"--voice: no track is called 'basso': did you mean 'bass'\?"
    ):
        Orchestra(voices=open_voices(["basso=runs/reeds:3"], open_run)).require(LAKH)


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["=runs/reeds"], "names no voice: --voice RUN or --voice bass=RUN"),
        (["bass="], "names no voice"),
        (["runs/reeds:3", "runs/reeds:3"], "given twice for all tracks: give it once"),
        (["runs/reeds:three"], "'three' is no seed of a voice: --voice runs/reeds:3"),
        ([f"{SOUNDFONT}:violino"], "no instrument is called 'violino'"),
    ],
)
def test_a_text_that_is_no_voice_is_named_with_a_cure(texts: list[str], sentence: str):
    with pytest.raises(ConfigError, match=sentence):
        open_voices(texts, open_run)
