"""Songs under pictures: where their bars are, and that they begin with a note."""

import numpy as np
import pytest
from note_rows import notes

from musegen.composition import soundtrack
from musegen.composition.soundtrack import Soundtrack, compose_seconds
from musegen.files.audio import SAMPLE_RATE
from musegen.files.sound import Session
from musegen.roll import Grid, Roll
from musegen.tracks import LAKH

GRID = Grid(steps_per_beat=4)
TEMPI = np.array([60.0, 120.0, 90.0, 120.0, 120.0, 120.0])


def song(first_bar: int = 1) -> Roll:
    """Six bars of a piano's chord on each beat, after some bars of rest."""
    steps = range(16 * first_bar, 6 * 16, 4)
    chord = [(1, step, pitch, 3) for step in steps for pitch in (24, 28, 31)]
    return Roll.of(notes(*chord), LAKH, GRID, TEMPI)


def test_bars_begin_with_the_first_note_and_follow_their_tempi():
    """Bars of 4, 2, 8/3 and 2 seconds; the first rests."""
    track = Soundtrack(song(), 3)
    assert track.first_bar == 1
    assert track.bar_seconds.tolist() == pytest.approx([0, 2, 14 / 3, 20 / 3])
    assert Soundtrack(song(0), 2).bar_seconds.tolist() == pytest.approx([0, 4, 6])
    silent = Roll.of(notes(), LAKH, GRID, TEMPI)
    assert Soundtrack(silent, 2).first_bar == 0


def test_sound_lasts_as_long_as_its_bars_and_is_the_songs_from_there():
    track = Soundtrack(song(), 3)
    assert track.sound.shape == (2, round(20 / 3 * SAMPLE_RATE))
    begin = 4 * SAMPLE_RATE
    whole = Session(track.roll).mix
    assert np.array_equal(track.sound, whole[:, begin : begin + track.sound.shape[1]])
    assert np.abs(track.sound[:, : SAMPLE_RATE // 2]).max() > 0.05


def test_as_many_bars_are_composed_as_the_pictures_last(monkeypatch: pytest.MonkeyPatch):
    """At 240 beats a minute a bar lasts a second: ten seconds need ten bars and not five."""
    asked: list[int] = []

    class Fast:
        @classmethod
        def load(cls, run: str | None, device: str) -> "Fast":
            return cls()

        def sample(self, count: int, seed: int, bars: int, tempo_bpm: float | None) -> list[Roll]:
            asked.append(bars)
            chord = notes((1, 0, 24, 3))
            return [Roll.of(chord, LAKH, GRID, np.full(bars, float(tempo_bpm or 240)))]

    monkeypatch.setattr(soundtrack, "Model", Fast)
    track = compose_seconds(None, 9.5, seed=1)
    assert asked == [5 + 2, 10 + 2]
    assert track.bar_seconds[-1] == pytest.approx(10)
    assert track.sound.shape[1] == 10 * SAMPLE_RATE
    assert compose_seconds(None, 1.5).bar_seconds[-1] == pytest.approx(2)
    assert soundtrack.compose_bars(None, 3, tempo_bpm=60).bar_seconds.tolist() == [0, 4, 8, 12]
