"""Excerpts from rows of numbers, for tests."""

import numpy as np

from musegen.measures.excerpts import Excerpts
from musegen.roll import Grid, Notes
from musegen.tracks import Track

DRUMS, PIANO, BASS, FLUTE = range(4)
TRACKS = (
    Track(name="Drums", is_drum=True),
    Track(name="Piano"),
    Track(name="Bass", program=33),
    Track(name="Flute", program=73),
)


def excerpts(
    *rows: tuple[int, ...], bars: int = 5, beats: int = 3, songs: tuple[int, ...] = (4, 7)
) -> Excerpts:
    """Excerpts with these notes: (excerpt, track, sixteenth, MIDI pitch[, length[, velocity]])."""
    full = [(*row, 1, 100)[:6] if len(row) == 4 else (*row, 100)[:6] for row in rows]
    excerpt, track, start, pitch, length, velocity = np.array(full, np.int64).reshape(-1, 6).T
    grid = Grid(steps_per_beat=4, beats_per_bar=beats, lowest_pitch=0, pitches=128)
    notes = Notes(track, start, pitch, length, velocity)
    return Excerpts.of(excerpt, notes, np.array(songs), bars, grid, TRACKS)
