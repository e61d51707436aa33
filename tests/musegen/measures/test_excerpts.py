"""Excerpts: notes on sixteenths, cut and taken, from cells and from collections."""

import numpy as np
import pytest
from excerpt_rows import excerpts

from musegen.data.collection import Collection
from musegen.data.preparation import PrepareConfig, prepare_band
from musegen.measures.excerpts import Excerpts, mean_over_excerpts
from musegen.roll import HOLD, ONSET, Grid, Notes
from musegen.tracks import Track


def rows(of: Excerpts) -> list[tuple[int, ...]]:
    notes = of.notes
    columns = (of.excerpt, notes.track, notes.start, notes.pitch, notes.length, notes.velocity)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_onsets_and_ends_go_to_the_nearest_sixteenth():
    """Twelve steps a beat: steps 4 and 5 are sixteenths 1.33 and 1.67, 22 is 7.33."""
    grid = Grid(steps_per_beat=12, beats_per_bar=2, lowest_pitch=21, pitches=9)
    start, length = np.array([4, 5, 22, 22, 23, 0]), np.array([3, 1, 1, 9, 1, 0])
    pitch = np.array([3, 3, 5, 5, 1, 0])
    notes = Notes(np.array([1, 1, 0, 0, 2, 1]), start, pitch, length, np.full(6, 70))
    tracks = (Track(name="A"), Track(name="B"), Track(name="C"))
    found = Excerpts.of(np.zeros(6, np.int64), notes, np.array([3]), 1, grid, tracks)
    assert rows(found) == [
        (0, 1, 0, 21, 1, 70),  # no note is shorter than a sixteenth
        (0, 1, 1, 24, 1, 70),
        (0, 1, 2, 24, 1, 70),
        (0, 0, 7, 26, 1, 70),  # of two in one cell the longer stays, and it ends with the bar
        (0, 2, 7, 22, 1, 70),  # 7.67 is beyond the end
    ]


def test_cells_are_notes_with_the_numbers_of_midi():
    cells = np.zeros((2, 3, 2, 8, 5), np.uint8)
    cells[1, 2, 0, 7, 4], cells[1, 2, 1, 0, 4], cells[0, 1, 1, 3, 2] = ONSET, HOLD, ONSET
    grid = Grid(steps_per_beat=4, beats_per_bar=2, lowest_pitch=30, pitches=5)
    tracks = (Track(name="A"), Track(name="B"), Track(name="C"))
    found = Excerpts.of_cells(cells, grid, tracks)
    assert rows(found) == [(0, 1, 11, 32, 1, 100), (1, 2, 7, 34, 2, 100)]
    assert (len(found), found.bars, found.song.tolist()) == (2, 2, [0, 1])


def test_a_cut_ends_notes_and_leaves_a_rest_out():
    """Five bars of 12 steps in excerpts of two: steps 0 to 23, 24 to 47; 48 is left out."""
    whole = excerpts((0, 1, 5, 60), (0, 2, 20, 40, 9), (1, 0, 25, 38), (1, 3, 50, 70))
    cut = whole.cut(2)
    assert rows(cut) == [(0, 1, 5, 60, 1, 100), (0, 2, 20, 40, 4, 100), (3, 0, 1, 38, 1, 100)]
    assert (len(cut), cut.bars, cut.song.tolist()) == (4, 2, [4, 4, 7, 7])


def test_taken_excerpts_have_their_notes_and_songs_in_order():
    whole = excerpts(
        (0, 1, 5, 60), (1, 0, 2, 35), (1, 1, 3, 61), (2, 3, 1, 70), songs=(4, 7, 9)
    )  # fmt: skip
    taken = whole.take(np.array([2, 1]))
    assert rows(taken) == [(0, 3, 1, 70, 1, 100), (1, 0, 2, 35, 1, 100), (1, 1, 3, 61, 1, 100)]
    assert taken.song.tolist() == [9, 7]


def test_the_mean_is_over_the_excerpts_that_have_a_value():
    values = np.array([[1.0, np.nan, np.nan], [4.0, 3.0, np.nan], [4.0, 1.0, np.nan]])
    assert mean_over_excerpts(values).tolist() == pytest.approx([3, 2, np.nan], nan_ok=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """Phrases of three bars, a bar apart, of which at least four tracks sound."""
    folder = tmp_path_factory.mktemp("data") / "band"
    config = PrepareConfig(grid=Grid(steps_per_beat=4, lowest_pitch=22), bars=3, min_tracks=4)
    prepare_band(6, folder, config)
    return Collection.open(folder)


def test_notes_of_a_collection_are_those_of_its_cells(data: Collection):
    """A phrase read as notes, and the same phrase as cells; held notes begin with it."""
    phrases = data.indices("train")
    read = Excerpts.of_songs(data, phrases, data.bars)
    cells = Excerpts.of_cells(data.rolls(phrases), data.grid, data.tracks)
    without = [row[:5] for row in rows(read)]
    assert without == [row[:5] for row in rows(cells)]
    assert len(without) > 5000
    assert read.song.tolist() == data.store.whole["song"][phrases].tolist()


def test_excerpts_lie_end_to_end_in_bars_that_phrases_cover(data: Collection):
    """By each song's phrases, which need four tracks: 7 bars hold 1, 14 hold 2."""
    begin = data.beginnings(7, "train")
    song, first = data.store.whole["song"], data.store.whole["first_bar"]
    covered = {
        (int(song[p]), int(first[p]) + bar) for p in data.indices("train") for bar in range(3)
    }
    taken: list[tuple[int, int]] = []
    for phrase in begin:
        bars = [(int(song[phrase]), int(first[phrase]) + bar) for bar in range(7)]
        assert covered.issuperset(bars)
        taken += bars
    assert len(set(taken)) == len(taken)
    lengths = [length for _, length in data.stretches("train")]
    assert sum(lengths) == len(covered)
    assert len(begin) == sum(length // 7 for length in lengths)
    assert len(data.beginnings(max(lengths) + 1, "train")) == 0


def test_a_longer_excerpt_of_a_collection_is_its_phrases_one_after_the_other(data: Collection):
    begin = data.beginnings(6, "train")[:1]
    whole = Excerpts.of_songs(data, begin, 6)
    song, first = (data.store.whole[key][begin[0]] for key in ("song", "first_bar"))
    later = [
        p for p in data.indices("train")
        if data.store.whole["song"][p] == song and data.store.whole["first_bar"][p] == first + 3
    ]  # fmt: skip
    cells = data.rolls(np.array([begin[0], later[0]]))
    joined = np.concatenate([cells[:1], cells[1:]], axis=2)
    starts = {(t, s, p) for _, t, s, p, _, _ in rows(whole)}
    expected = Excerpts.of_cells(joined, data.grid, data.tracks)
    others = {(t, s, p) for _, t, s, p, _, _ in rows(expected)} - starts
    assert starts <= {(t, s, p) for _, t, s, p, _, _ in rows(expected)}
    assert {s for _, s, _ in others} <= {3 * 16}, "only notes held over the border begin anew"
