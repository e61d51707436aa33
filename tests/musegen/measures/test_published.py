"""The papers' metrics against numbers counted by hand, and their tables beside ours."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from core.app.report import Report
from core.errors import UserError
from musegen.measures.metrics import TONAL_DISTANCE, used_pitch_classes
from musegen.measures.published import (
    BAND,
    BETWEEN_TRACKS,
    BINARISED,
    MELODIC,
    PAIRS,
    SONGS,
    NeighbourPhrases,
    drum_pattern,
    measure,
    polyphonicity,
    qualified_runs,
    tables,
    tonal_distance,
)
from musegen.roll import HOLD, ONSET, Grid
from musegen.tracks import TRACK_LISTS

GRID = Grid(steps_per_beat=4, beats_per_bar=2, lowest_pitch=36, pitches=24)
"""Two pitches are neighbours in a group: 0 and 1, 2 and 3 ..."""


def track(*notes: tuple[int, int, int], grid: Grid = GRID, bars: int = 2) -> NeighbourPhrases:
    """One phrase of notes (first step, pitch, length)."""
    line = np.zeros((1, bars * grid.steps_per_bar, grid.pitches), np.uint8)
    for start, pitch, length in notes:
        line[0, start + 1 : start + length, pitch] = HOLD
        line[0, start, pitch] = ONSET
    return NeighbourPhrases(line.reshape(1, bars, -1, grid.pitches), grid)


def test_neighbours_are_one_pitch_class_and_octaves_are_not():
    """C and C sharp are one group, C and the C above are two; the notes lie in beat 1 and 2."""
    of_groups = track((0, 0, 2), (1, 1, 1), (4, 12, 3))
    assert of_groups.chroma.shape == (1, 4, 12)
    assert of_groups.chroma[0, 0].tolist() == [3, *[0] * 11]
    assert of_groups.chroma[0, 1].tolist() == [*[0] * 6, 3, *[0] * 5]
    assert used_pitch_classes(of_groups) == 2
    octave = track((0, 0, 8)), track((0, 12, 8))
    assert tonal_distance(*octave) > 1
    assert tonal_distance(track((0, 0, 8)), track((0, 1, 8))) == 0


@pytest.mark.parametrize(
    ("steps_per_beat", "share"), [(4, 3 / 5), (16, 3 / 5), (24, 3 / 5), (36, 2 / 5), (48, 1 / 5)]
)
def test_a_run_is_qualified_from_two_of_24_steps_on(steps_per_beat, share):
    """Runs of 1, 1, 2, 3 and 4 steps; a twelfth is 2 of 24, 3 of 36 and 4 of 48 steps a beat."""
    grid = Grid(steps_per_beat=steps_per_beat, beats_per_bar=4, pitches=12)
    notes = ((0, 0, 1), (2, 0, 1), (4, 0, 2), (0, 3, 3), (7, 3, 4))
    assert qualified_runs(track(*notes, grid=grid, bars=1)) == pytest.approx(share)


def test_a_repeated_note_is_one_run_and_a_bar_line_cuts_it():
    """Two repeated notes sound for two steps; one over the bar line is two runs, 1 and 2 long."""
    assert qualified_runs(track((0, 5, 1), (1, 5, 1))) == 1
    assert qualified_runs(track((7, 5, 3))) == pytest.approx(1 / 2)
    assert math.isnan(qualified_runs(track()))


def test_all_bars_count_the_same_whatever_the_number_of_their_runs():
    """One long run in the first bar, a long and three short ones in the second: 1 and 1/4."""
    runs = track((0, 5, 3), (8, 0, 2), (8, 2, 1), (8, 4, 1), (8, 6, 1))
    assert qualified_runs(runs) == pytest.approx((1 + 1 / 4) / 2)


def test_drum_hits_count_on_16ths_and_a_third_of_them_beside():
    """24 steps a beat, 6 a 16th. First bar: steps 0, 6, 13 and 15 weigh 1, 1, 0.3 and 0. Second:
    3, 9 and 20 are on the grid and a step before it, when it is moved by 3. The third is empty."""
    grid = Grid(steps_per_beat=24, beats_per_bar=1, pitches=12)
    hits = ((0, 0, 1), (6, 0, 1), (13, 5, 1), (15, 0, 1), (27, 0, 1), (33, 0, 1), (44, 1, 1))
    drums = track(*hits, grid=grid, bars=3)
    assert drum_pattern(drums) == pytest.approx((2.3 / 4 + 2.3 / 3) / 2)
    assert drum_pattern(track((0, 0, 1), (3, 0, 1))) == 1, "all steps are 16ths"
    assert math.isnan(drum_pattern(track()))


def test_tonal_distance_is_of_bars_in_whose_every_beat_both_sound():
    """In the second bar the other track rests in a beat: its distance there is left out."""
    one, other = track((0, 0, 16)), track((0, 0, 8), (8, 14, 4))
    assert tonal_distance(one, other) == 0
    assert tonal_distance(one, track((0, 0, 8), (8, 14, 8))) > 0.5
    assert math.isnan(tonal_distance(one, track((0, 0, 4))))


def test_polyphonicity_is_a_share_of_all_steps_of_bars_with_notes():
    """Two notes at once in 3 of the 8 steps of the first bar; the second bar is empty."""
    assert polyphonicity(track((0, 0, 4), (1, 7, 3))) == pytest.approx(3 / 8)
    assert polyphonicity(track((0, 0, 4), (1, 7, 3), (8, 2, 1))) == pytest.approx(3 / 16)
    assert math.isnan(polyphonicity(track()))


def test_the_papers_training_data_are_as_published():
    """AAAI 2018, tables 1 and 2; ISMIR 2018, table 1."""
    assert {len(row) for row in SONGS.values()} == {5 + 4 + 4 + 1}
    assert SONGS["training data"][:5] == (8.06, 8.06, 19.4, 24.8, 10.1)
    assert SONGS["hybrid beside piano"][-2:] == (67.1, 71.8)
    assert [math.isnan(value) for value in SONGS["jamming beside piano"]] == [
        *(False, False, False, True, False),
        *([False, False, True, False] * 2),
        False,
    ]
    assert PAIRS[0] == "Bass-Guitar"
    assert BETWEEN_TRACKS["training data"][-1] == 1.04
    assert BINARISED["two stages, deterministic neurons"] == (0.78, 0.45, 0.87)


LAKH = TRACK_LISTS["lakh"]


def report(names: tuple[str, ...] = BAND) -> Report:
    """One row of five tracks: the bass alone sounds, C over both bars and E in the second."""
    cells = np.zeros((1, 5, 2, 8, 24), np.uint8)
    cells[0, 3] = track((0, 0, 16), (8, 4, 8)).cells[0]
    cells[0, 0] = track((0, 0, 1), (1, 0, 1)).cells[0]
    values = measure(cells, GRID, LAKH)
    values["EB"] = {name: values["EB"][name] for name in names}
    right = {TONAL_DISTANCE: {pair: float(n) for n, pair in enumerate(values["TD"])}}
    row = SimpleNamespace(name="mine", kind="generated", published=values, metrics=right)
    return Report((row,))


def last_row(number: int) -> dict[str, str]:
    table = list(tables(report()))[number]
    return {str(c.header): str(list(c.cells)[-1]) for c in table.columns}


def test_rows_of_a_report_stand_below_the_published_ones():
    row = last_row(0)
    assert row["songs of"] == "mine"
    assert (row["EB B"], row["EB D"], row["EB G"]) == ("0", "50", "100")
    assert (row["UPC B"], row["UPC G"]) == ("1.5", "-")
    assert (row["QN B"], row["DP D"]) == ("100", "100")
    first = next(tables(report()))
    assert next(map(str, first.columns[0].cells)) == "published: training data"
    assert len(first.columns) == 1 + 14
    assert "other data" in str(first.caption)


def test_tonal_distances_are_in_the_papers_order_and_twice():
    """By the papers' pitch classes and by the right ones, whatever the order of a pair's names."""
    row = last_row(1)
    assert row["TD B-G"] == "-", "the guitar is silent"
    order = ["Piano-Guitar", "Piano-Bass", "Piano-Strings", "Guitar-Bass", "Guitar-Strings"]
    right = {name: str(n) for n, name in enumerate([*order, "Bass-Strings"])}
    assert row["right B-G"] == right["Guitar-Bass"]
    assert row["right S-P"] == right["Piano-Strings"]
    assert row["right G-S"] == right["Guitar-Strings"]


def test_the_second_paper_is_of_means_over_tracks_and_of_each_track():
    row = last_row(2)
    assert (row["QN"], row["PP"], row["TD P-G"]) == ("1", "0.5", "-")
    assert (row["QN B"], row["PP B"], row["PP S"]) == ("1", "0.5", "-")


def test_a_collection_of_other_tracks_has_no_such_tables():
    with pytest.raises(UserError, match="has no Piano, Strings: prepare it with --tracks lakh"):
        list(tables(report(("Bass", "Drums", "Guitar"))))
    assert set(MELODIC) < set(BAND)
