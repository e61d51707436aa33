"""A song, and the roll that it is."""

import numpy as np
from note_rows import notes, rows

from musegen.reading.song import Song
from musegen.roll import Grid, Roll, fill
from musegen.tracks import LAKH


def test_a_roll_is_a_song_of_one_stretch():
    cells = fill(notes((1, 3, 2, 4)), 5, 3, Grid())
    song = Song.of(Roll.of_cells(cells, LAKH, Grid(), np.full(3, 90.0), "mine"), "yours")
    assert (song.bars, song.stretches, song.name) == (3, ((0, 3),), "yours")
    assert rows(song.notes) == [(1, 3, 2, 4)]
    assert (song.roll().cells == cells).all()
