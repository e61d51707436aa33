"""The key of pieces that have one."""

from dataclasses import replace

import numpy as np
import pytest
from note_rows import notes

from musegen.roll import Grid, Notes
from musegen.tonality import Key, in_key, key_of
from musegen.tracks import LAKH

DRUMS, PIANO, BASS = 0, 1, 3
GRID = Grid(lowest_pitch=22)
"""Its lowest pitch is A#0: a pitch of the grid is not a pitch class."""


def chords(*roots: tuple[int, str]) -> Notes:
    """A bar of each triad, its root doubled in the bass; roots as MIDI numbers from 60."""
    thirds = {"major": 4, "minor": 3}
    rows = []
    for bar, (root, kind) in enumerate(roots):
        rows += [(PIANO, 48 * bar, root + n - 22, 48) for n in (0, thirds[kind], 7)]
        rows.append((BASS, 48 * bar, root - 24 - 22, 48))
    return notes(*rows)


C_MAJOR = chords((60, "major"), (65, "major"), (67, "major"), (60, "major"))
A_MINOR = chords((69, "minor"), (62, "minor"), (64, "major"), (69, "minor"))
F_SHARP_MINOR = chords((66, "minor"), (71, "minor"), (61, "major"), (66, "minor"))


@pytest.mark.parametrize(
    ("piece", "name", "sharps"),
    [(C_MAJOR, "C major", 0), (A_MINOR, "A minor", 0), (F_SHARP_MINOR, "F# minor", 3)],
)
def test_a_cadence_is_in_its_key(piece: Notes, name: str, sharps: int):
    """Tonic, subdominant, dominant, tonic; a minor key's dominant is major."""
    key = key_of(piece, LAKH, GRID)
    assert key is not None
    assert (key.name, key.sharps) == (name, sharps)


SIGNATURES = {
    "C major": 0, "Db major": -5, "D major": 2, "Eb major": -3, "E major": 4, "F major": -1,
    "F# major": 6, "G major": 1, "Ab major": -4, "A major": 3, "Bb major": -2, "B major": 5,
}  # fmt: skip


@pytest.mark.parametrize("up", range(12))
def test_a_transposed_piece_is_in_the_transposed_key_with_its_signature(up: int):
    higher = replace(C_MAJOR, pitch=C_MAJOR.pitch + up)
    key = key_of(higher, LAKH, GRID)
    assert key is not None
    assert (key.name, key.sharps) == list(SIGNATURES.items())[up]


def test_drums_have_no_key_and_lengths_count():
    """A long C major chord beside many short notes of F#; drums on every pitch class."""
    drums = [(DRUMS, step, pitch, 1) for step, pitch in enumerate(range(12))]
    assert key_of(notes(*drums), LAKH, GRID) is None
    assert key_of(notes(), LAKH, GRID) is None
    long = [(PIANO, 0, p - 22, 96) for p in (60, 64, 67)]
    short = [(PIANO, 2 * n, 66 - 22, 1) for n in range(24)]
    key = key_of(notes(*drums, *long, *short), LAKH, GRID)
    assert key is not None and key.name == "C major"


def test_pitch_classes_of_equal_length_are_in_no_key():
    every = [(PIANO, 4 * n, n, 4) for n in range(12)]
    assert key_of(notes(*every), LAKH, GRID) is None


def sounding(*pitches: tuple[int, int]) -> np.ndarray:
    """Return how long each pitch of the grid sounds, of rows (MIDI pitch, steps)."""
    steps = np.zeros(GRID.pitches)
    for pitch, length in pitches:
        steps[pitch - GRID.lowest_pitch] = length
    return steps


def test_pieces_are_transposed_so_that_most_of_them_is_in_the_scale_the_shortest_way():
    """Into G major: E G# B is whole as D F# A, 2 down, and as G B D, 3 up; C A# as B A."""
    e_major = sounding((52, 9), (56, 4), (71, 4))
    alone = sounding((59, 7))
    outside = sounding((60, 5), (70, 1))
    pieces = np.stack([e_major, alone, outside])
    assert Key(tonic=7).turns(pieces, GRID).tolist() == [-2, 0, -1]
    scale = sounding(*((60 + step, 1) for step in (0, 2, 4, 5, 7, 9, 11)))
    keys = [Key(tonic=tonic).turns(scale[None], GRID)[0] for tonic in range(12)]
    assert keys == [0, 1, 2, 3, 4, 5, 6, -5, -4, -3, -2, -1]


@pytest.mark.parametrize("strength", [0.0, 0.75, 1.0])
def test_a_key_multiplies_the_odds_of_pitches_outside_its_scale(strength: float):
    key = Key(tonic=9, mode="minor")
    odds = np.exp(key.log_odds(GRID, strength))
    naturals = [(pitch + 22) % 12 in (0, 2, 4, 5, 7, 9, 11) for pitch in range(GRID.pitches)]
    np.testing.assert_allclose(odds, np.where(naturals, 1, 1 - strength))
    higher = key.moved(-4).log_odds(GRID, strength)  # F minor: four semitones lower
    np.testing.assert_array_equal(higher[:-4], key.log_odds(GRID, strength)[4:])


@pytest.mark.parametrize(("strength", "third"), [(0.0, 68), (1.0, 67)])
def test_a_piece_is_moved_into_a_key_and_its_strays_into_the_scale(strength: float, third: int):
    """From F# minor up by three semitones, drums apart; then the dominant's third falls."""
    kick = notes((DRUMS, 0, 36 - 22, 1))
    piece = Notes.concat([F_SHARP_MINOR, kick]).ordered()
    key = Key(tonic=9, mode="minor")
    moved = in_key(piece, LAKH, GRID, key, strength, np.random.default_rng(0))
    pitch = (moved.pitch + 22)[moved.track == PIANO].tolist()
    assert pitch == [69, 72, 76, 74, 77, 81, 64, third, 71, 69, 72, 76]
    assert (moved.pitch + 22)[moved.track == BASS].tolist() == [45, 50, 40, 45]
    assert (moved.pitch + 22)[moved.track == DRUMS].tolist() == [36]


def test_pitches_stay_on_the_grid():
    """A scale away from both ends: what would leave it moves by an octave."""
    grid = Grid(lowest_pitch=24, pitches=24)
    piece = notes(*((PIANO, 4 * n, p, 4) for n, p in enumerate((0, 2, 4, 5, 7, 9, 11, 23))))
    moved = in_key(piece, LAKH, grid, Key(tonic=11), 1.0, np.random.default_rng(0))
    assert moved.pitch.tolist() == [11, 1, 3, 4, 6, 8, 10, 22]
