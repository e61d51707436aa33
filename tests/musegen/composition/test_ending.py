"""Endings: the last chord, by hand, and which bars are composed before it."""

import numpy as np

from musegen.composition.ending import THINNING_BARS, ending_of, last_chord
from musegen.drafts.wishes import blank
from musegen.roll import Grid, Notes
from musegen.tonality import Key
from musegen.tracks import LAKH

GRID = Grid(steps_per_beat=4)
DRUMS, PIANO, GUITAR, BASS, STRINGS = range(5)
A_MINOR = Key(tonic=9, mode="minor")


def notes(*rows: tuple[int, int, int, int]) -> Notes:
    """Return notes of (track, start, MIDI pitch, velocity), two steps long."""
    columns = np.array([(t, s, p - 24, 2, v) for t, s, p, v in rows], np.int64).T
    return Notes(*columns).ordered()


SONG = notes(
    (GUITAR, 0, 60, 90),  # silent in the last bars
    (BASS, 80, 40, 70),
    (BASS, 100, 43, 80),
    (PIANO, 104, 59, 50),
    (PIANO, 104, 65, 50),
    (PIANO, 104, 69, 60),
    (DRUMS, 96, 35, 100),
    (DRUMS, 104, 57, 100),
    (STRINGS, 115, 72, 40),  # in the last bar, where nothing of it stays
)


def test_each_sounding_track_plays_the_nearest_notes_of_the_tonic() -> None:
    chord = last_chord(blank(LAKH, GRID, 8), SONG, A_MINOR)
    rows = list(zip(chord.track, chord.pitch + 24, chord.length, chord.velocity, strict=True))
    assert set(chord.start) == {112}
    # the piano's mean is 64 1/3, of A, C and E: 64, then 60 and 69 (4 1/3 and 4 2/3 away)
    assert rows == [
        (DRUMS, 35, 1, 100),
        (DRUMS, 57, 1, 100),
        (PIANO, 60, 16, 50),
        (PIANO, 64, 16, 50),
        (PIANO, 69, 16, 50),
        (BASS, 45, 16, 75),
    ]


def test_the_bars_before_it_are_open_where_the_song_is() -> None:
    draft = blank(LAKH, GRID, 8, ["bass", "piano"])
    ending = ending_of(draft, SONG, A_MINOR)
    still_open = np.argwhere(~ending.kept).tolist()
    assert still_open == [[track, bar] for track in (PIANO, BASS) for bar in (5, 6)]
    assert THINNING_BARS == 2
    kept = ending.kept_notes
    assert kept.start.max() == 112 and STRINGS not in kept.track
    assert (kept.start[kept.track == BASS]).tolist() == [112]  # bar 5 is open: 80 is in it


def test_drums_beyond_the_grid_do_not_end_a_piece() -> None:
    """The kick is 36, below a grid of 40 to 49; with its pitch of -4 it would be another note."""
    grid = GRID.replace(lowest_pitch=40, pitches=10)
    song = Notes(*np.array([[DRUMS, 104, 2, 1, 100]]).T)
    chord = last_chord(blank(LAKH, grid, 8), song, A_MINOR)
    assert (chord.pitch + 40).tolist() == [49]
