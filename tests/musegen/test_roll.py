"""Notes to cells and back."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from note_rows import notes, rows

from musegen.roll import (
    HOLD,
    ONSET,
    SILENT,
    Grid,
    Roll,
    cut_phrases,
    fill,
    joined,
    notes_of,
    separate,
    velocities_from,
)
from musegen.tracks import Track

GRID = Grid(steps_per_beat=2, beats_per_bar=3, lowest_pitch=40, pitches=5)


def test_grid_counts_steps():
    assert Grid().steps_per_bar == 48
    assert GRID.steps_per_bar == 6


def test_a_note_is_an_onset_and_holds_over_the_bar_line():
    cells = fill(notes((1, 4, 3, 5)), tracks=2, bars=3, grid=GRID)
    assert cells.shape == (2, 3, 6, 5)
    assert cells[1, 0, :, 3].tolist() == [0, 0, 0, 0, ONSET, HOLD]
    assert cells[1, 1, :, 3].tolist() == [HOLD, HOLD, HOLD, 0, 0, 0]
    assert np.count_nonzero(cells) == 5


def test_repeated_notes_that_touch_stay_two():
    piece = notes((0, 1, 2, 2), (0, 3, 2, 1))
    cells = fill(piece, tracks=1, bars=1, grid=GRID)
    assert cells[0, 0, :, 2].tolist() == [SILENT, ONSET, HOLD, ONSET, SILENT, SILENT]
    assert rows(notes_of(cells)) == [(0, 1, 2, 2), (0, 3, 2, 1)]


def test_a_hold_after_silence_starts_a_note():
    cells = np.zeros((1, 2, 6, 5), np.uint8)
    cells[0, 0, 5, 1] = cells[0, 1, 0, 1] = HOLD
    assert rows(notes_of(cells)) == [(0, 5, 1, 2)]


def test_notes_are_found_in_order_of_start_then_track_then_pitch():
    piece = notes((1, 0, 4, 2), (0, 3, 0, 1), (0, 0, 3, 9), (0, 0, 1, 4))
    cells = fill(piece, tracks=2, bars=2, grid=GRID)
    assert rows(notes_of(cells)) == [(0, 0, 1, 4), (0, 0, 3, 9), (1, 0, 4, 2), (0, 3, 0, 1)]


def test_a_note_from_before_the_first_step_starts_there_and_the_end_is_cut():
    cells = fill(notes((0, -2, 1, 4), (0, 4, 2, 9), (0, -3, 3, 3)), tracks=1, bars=1, grid=GRID)
    assert rows(notes_of(cells)) == [(0, 0, 1, 2), (0, 4, 2, 2)]


def test_a_later_note_cuts_an_earlier_one_on_its_pitch_and_track():
    piece = separate(notes((0, 0, 2, 6), (0, 4, 2, 1), (0, 0, 3, 6), (1, 0, 2, 6)), GRID)
    assert rows(piece) == [(0, 0, 2, 4), (0, 0, 3, 6), (1, 0, 2, 6), (0, 4, 2, 1)]


def test_of_notes_that_start_together_the_longest_stays_with_its_velocity():
    piece = separate(notes((0, 1, 2, 3, 50), (0, 1, 2, 4, 70), (0, 1, 2, 2, 90)), GRID)
    assert rows(piece) == [(0, 1, 2, 4)]
    assert piece.velocity.tolist() == [70]


def test_each_note_keeps_its_velocity_through_cells_and_in_a_part_of_them():
    piece = notes((1, 4, 3, 5, 17), (0, 1, 2, 2, 127), (0, 3, 2, 1, 1))
    roll = Roll.of(piece, (Track(name="A"), Track(name="B")), GRID, np.full(2, 90.0), "a")
    assert rows(roll.notes) == [(0, 1, 2, 2), (0, 3, 2, 1), (1, 4, 3, 5)]
    assert roll.notes.velocity.tolist() == [127, 1, 17]
    assert roll.velocity[0, 0, :, 2].tolist() == [0, 127, 127, 1, 0, 0]
    second_bar = notes_of(roll.cells[:, 1:], roll.velocity[:, 1:])
    assert (rows(second_bar), second_bar.velocity.tolist()) == ([(1, 0, 3, 3)], [17])


def test_notes_of_unknown_velocity_are_played_at_100():
    cells = fill(notes((0, 0, 2, 1, 33), (0, 2, 2, 1, 44)), tracks=1, bars=1, grid=GRID)
    known = np.zeros_like(cells)
    known[0, 0, 2, 2] = 44
    assert notes_of(cells).velocity.tolist() == [100, 100]
    assert notes_of(cells, known).velocity.tolist() == [100, 44]


def test_no_notes_are_no_cells_and_no_cells_no_notes():
    assert len(separate(notes(), GRID)) == 0
    assert not fill(notes(), tracks=2, bars=1, grid=GRID).any()
    assert len(notes_of(np.zeros((2, 1, 6, 5), np.uint8))) == 0


anything = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 17), st.integers(0, 4), st.integers(1, 18)).filter(
        lambda row: row[1] + row[3] <= 18
    ),
    max_size=40,
)


@given(anything)
def test_notes_that_share_no_cell_survive_the_way_to_cells_and_back(
    given_notes: list[tuple[int, ...]],
):
    apart = separate(notes(*given_notes), GRID)
    assert rows(notes_of(fill(apart, tracks=3, bars=3, grid=GRID))) == rows(apart)
    assert rows(separate(apart, GRID)) == rows(apart)


@given(anything)
def test_separating_keeps_every_onset_and_every_sounding_cell(given_notes: list[tuple[int, ...]]):
    apart = separate(notes(*given_notes), GRID)
    assert {row[:3] for row in rows(apart)} == {row[:3] for row in given_notes}
    sounding = {(t, p, s) for t, start, p, n in given_notes for s in range(start, start + n)}
    cells = [(t, p, s) for t, start, p, n in rows(apart) for s in range(start, start + n)]
    assert len(cells) == len(set(cells))
    assert set(cells) <= sounding


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 4))
def test_any_cells_and_their_notes_sound_in_the_same_cells(seed: int, tracks: int, bars: int):
    cells = np.random.default_rng(seed).integers(0, 3, (tracks, bars, 6, 5)).astype(np.uint8)
    legal = fill(notes_of(cells), tracks, bars, GRID)
    assert ((legal > SILENT) == (cells > SILENT)).all()
    assert (legal[cells == ONSET] == ONSET).all()
    assert rows(notes_of(legal)) == rows(notes_of(cells))


def test_the_duration_of_a_roll():
    cells = np.zeros((1, 3, 6, 5), np.uint8)
    roll = Roll.of_cells(cells, (Track(name="A"),), GRID, np.array([60.0, 120.0, 240.0]))
    assert roll.bars == 3
    assert roll.seconds == 3 + 1.5 + 0.75


def test_songs_are_cut_into_phrases_one_song_after_the_other():
    """Two songs of five bars, numbered by song and bar: 0 to 4 and 10 to 14."""
    bar = np.array([[0, 1, 2, 3, 4], [10, 11, 12, 13, 14]], np.uint8)
    songs = np.broadcast_to(bar[:, None, :, None, None], (2, 3, 5, 2, 4))
    phrases = cut_phrases(songs, 2)
    assert phrases.shape == (4, 3, 2, 2, 4)
    assert phrases[:, 2, :, 1, 3].tolist() == [[0, 1], [2, 3], [10, 11], [12, 13]]
    assert cut_phrases(songs, 6).shape == (0, 3, 6, 2, 4)


def test_a_kept_note_keeps_its_velocity_and_a_new_one_takes_the_median_of_its_track_nearby():
    """Track 0 grows by 2 from 10; track 1 has two notes, track 2 none."""
    rising = [(0, 4 * n, 2, 1, 10 + 2 * n) for n in range(20)]
    source = notes(*rising, (1, 0, 1, 9, 80), (1, 40, 1, 9, 91)).ordered()
    fresh = notes(
        (0, 40, 2, 7),  # kept, though longer: number 10
        (0, 41, 2, 1),  # between 10 and 11: the median of 7 to 14
        (0, 40, 3, 1),  # another pitch: of 6 to 13
        (0, 0, 4, 1),  # at the beginning: of 0 to 7
        (0, 99, 2, 1),  # after the end: of 12 to 19
        (1, 8, 3, 1),
        (2, 8, 3, 1),
    )
    median = int(np.rint(np.median([*range(10, 50, 2), 80, 91])))
    assert velocities_from(source, fresh).tolist() == [30, 31, 29, 17, 41, 86, median]


def test_without_a_note_of_the_source_all_have_the_default_velocity():
    assert velocities_from(notes(), notes((0, 1, 2, 3, 7), (1, 0, 0, 1, 9))).tolist() == [100, 100]


def test_a_roll_is_played_like_its_source():
    piece = notes((0, 1, 2, 2, 33), (1, 4, 3, 5, 17))
    tracks = (Track(name="A"), Track(name="B"))
    silent = Roll.of_cells(fill(piece, 2, 2, GRID), tracks, GRID, np.full(2, 90.0))
    assert silent.notes.velocity.tolist() == [100, 100]
    assert silent.played_like(piece).notes.velocity.tolist() == [33, 17]


def test_rolls_are_joined_with_what_is_known_of_their_velocities():
    """The second roll begins after the first one's bar of six steps, in which a note is cut."""
    tracks = (Track(name="A"),)
    first, second = notes((0, 2, 2, 9, 33)), notes((0, 0, 2, 1), (0, 3, 1, 2))
    loud = Roll.of(first, tracks, GRID, np.array([90.0]))
    both = joined([loud, Roll.of(second, tracks, GRID, np.array([60.0]), "b")])
    assert rows(both.notes) == [(0, 2, 2, 4), (0, 6, 2, 1), (0, 9, 1, 2)]
    assert both.notes.velocity.tolist() == [33, 100, 100]
    assert both.tempo_bpm.tolist() == [90, 60]
