"""Looking back by hand, in an asymmetric piece of two rows with bars of three steps."""

import numpy as np
import pytest
import torch

from musegen.densities.growing import GrowingHistory
from musegen.densities.lookback import (
    History,
    Layout,
    Note,
    lengths_and_velocities,
)
from musegen.densities.next_note import NO_NOTE, NextNote, ages
from musegen.roll import Grid
from musegen.tracks import Track

GRID = Grid(steps_per_beat=3, beats_per_bar=1, lowest_pitch=40, pitches=14)
TRACKS = (
    Track(name="Lead", order=0),
    Track(name="Kit", is_drum=True),
    Track(name="Low", family="bass"),
)
LAYOUT = Layout.of(GRID, TRACKS, (1, 2))
WIDE = Layout.of(GRID.model_copy(update={"pitches": 60}), TRACKS, (1, 2))
KIT, LOW, LEAD = 0, 1, 2

PIECE = [  # row, step, track, pitch, length, velocity
    (0, 0, KIT, 5, 1, 7),
    (0, 0, LOW, 1, 4, 2),
    (0, 0, LEAD, 9, 2, 3),
    (0, 1, LEAD, 13, 6, 5),
    (0, 3, KIT, 5, 1, 6),
    (0, 3, KIT, 8, 1, 1),
    (0, 6, LOW, 1, 3, 4),
    (1, 4, LEAD, 9, 5, 127),
]


def note(*rows: tuple[int, ...]) -> tuple[torch.Tensor, Note]:
    row, *columns = torch.tensor(rows).T
    return row, Note(*columns)


@pytest.fixture
def history() -> History:
    history = History(LAYOUT, 2, 9, torch.zeros(()))
    history.add(*note(*PIECE))
    return history


@pytest.fixture
def growing(history: History) -> GrowingHistory:
    return GrowingHistory.of(history)


def at(*numbers: int) -> torch.Tensor:
    return torch.tensor(numbers)


def nonzero(rows: torch.Tensor | np.ndarray) -> dict[tuple[int, int], int]:
    return {(n, m): int(v) for n, row in enumerate(rows.tolist()) for m, v in enumerate(row) if v}


def test_tracks_are_played_drums_first_then_the_bass():
    assert LAYOUT.order == (1, 2, 0)
    assert (LAYOUT.is_drum, LAYOUT.bass) == ((True, False, False), 1)
    alone = Layout.of(GRID, TRACKS[1:2], (1,))
    assert (alone.order, alone.bass) == ((0,), None)


def test_the_only_melodic_track_is_played_as_the_bass():
    alone = Layout.of(GRID, TRACKS[:2], (1,))
    assert (alone.order, alone.bass) == ((1, 0), 1)


def test_patterns_of_cells_and_tracks(history: History):
    """At step 3: the bit 1 is one bar ago, step 0; at step 6 the bit 2 is two bars ago."""
    found = history.pitch_patterns(at(0, 0, 0, 1), at(3, 6, 6, 3), at(KIT, KIT, LOW, KIT))
    assert nonzero(found) == {
        (0, 5): 1,
        (1, 5): 3,
        (1, 8): 1,
        (2, 1): 2,
    }
    tracks = history.track_patterns(at(0, 0, 0, 1), at(3, 4, 6, 7))
    assert tracks.tolist() == [[1, 1, 1], [0, 0, 1], [3, 2, 2], [0, 0, 1]]


def test_patterns_ahead_hold_notes_up_to_the_last_one_only(history: History):
    """After the kit's notes at step 3, those of later steps and tracks are not known yet.

    From an advance of nine steps on nothing is.
    """
    _, last = note((0, 3, KIT, 8, 1, 1))
    ahead = history.patterns_ahead(at(0), last)[0]
    assert ahead[:, KIT].tolist() == [1, 0, 0, 3, 0, 0, 2, 0, 0, 0]
    assert ahead[:, LOW].tolist() == [1, 0, 0, 2, 0, 0, 0, 0, 0, 0]
    assert ahead[:, LEAD].tolist() == [1, 1, 0, 2, 2, 0, 0, 0, 0, 0]
    start = history.patterns_ahead(at(0), Note.start(1, torch.device("cpu")))
    assert start.eq(0).all(), "nothing is known before the first note"


def test_what_remains_at_the_last_notes_step(history: History):
    _, last = note((0, 6, KIT, 5, 1, 6), (0, 6, KIT, 8, 1, 1), (0, 6, LOW, 0, 1, 1))
    here = history.track_patterns(at(0, 0, 0), last.step)
    of_last = history.pitch_patterns(at(0, 0, 0), last.step, last.track)
    remaining = history.remaining_patterns(here, last, of_last)
    assert here.tolist() == [[3, 2, 2]] * 3
    assert remaining.tolist() == [[1, 2, 2], [0, 2, 2], [0, 2, 2]]


def test_lengths_and_velocities_at_the_lags(history: History):
    at_lags = history.at_lags(at(6, 6, 4))
    cells = history.lagged_cells(at(0, 0, 0), at_lags, at(KIT, LOW, LEAD), at(5, 1, 13))
    lengths, velocities = lengths_and_velocities(cells)
    assert lengths.tolist() == [[1, 1], [0, 4], [6, 0]]
    assert velocities.tolist() == [[6, 7], [0, 2], [5, 0]]
    lagged = history.at_lags(at(7)).expand(14, -1)
    cells = history.lagged_cells(at(*[1] * 14), lagged, at(*[LEAD] * 14), torch.arange(14))
    assert nonzero(cells) == {(9, 0): 5 * 128 + 127}


def test_what_a_track_has_used_before_a_step(history: History):
    """The kit's pitch 8 and velocities 6 and 1 come at step 3, where they are not yet used."""
    for step, pitches, loud in ((3, [5], [7]), (4, [5, 8], [1, 6, 7])):
        used, velocities = history.used(at(0), at(step), at(KIT))
        assert nonzero(used) == {(0, pitch): 1 for pitch in pitches}
        assert nonzero(velocities) == {(0, velocity): 1 for velocity in loud}
    (used, _) = history.used(at(0, 1, 1), at(2, 4, 5), at(LEAD, LEAD, LEAD))
    assert nonzero(used) == {(0, 9): 1, (0, 13): 1, (2, 9): 1}


def test_pitch_classes_that_sound(history: History, growing: GrowingHistory):
    """Pitch 13 is of the class of 1; at step 1 the lead plays it while the bass sounds on."""
    nothing = torch.zeros(3, 24)
    held = history.classes_at(at(0, 0, 1), at(3, 1, 6), nothing)
    assert nonzero(held) == {
        (0, 1): 2,
        (0, 12 + 1): 1,
        (1, 1): 1,
        (1, 12 + 1): 1,
        (1, 9): 1,
        (2, 9): 1,
    }
    started = torch.eye(24)[[1]] + torch.eye(24)[[13]]
    assert nonzero(history.classes_at(at(0), at(6), started)) == {(0, 1): 2, (0, 12 + 1): 1}
    sounding = np.stack([growing.sums(*np.array([[0, 2], [n, n]]))[0, 0] for n in range(9)])
    assert sounding[:, 1].tolist() == [1, 2, 2, 2, 1, 1, 2, 1, 1]
    assert sounding[:, 9].tolist() == [1, 1, 0, 0, 0, 0, 0, 0, 0]
    assert sounding[:, :12].sum() == 13 + 2, "drums sound in no class"
    assert sounding[:, 13].tolist() == [1, 1, 1, 1, 0, 0, 1, 1, 1], "the bass alone"
    classes = history.class_patterns(at(0, 0), history.at_lags(at(3, 7)))
    assert classes[:, 1].tolist() == [1, 3]
    assert classes[:, 9].tolist() == [1, 2]


def test_sums_over_the_bar_before_and_over_all_before(history: History):
    bar, earlier = history.totals()
    assert bar[0, :8, 1].tolist() == [0, 1, 3, 5, 6, 5, 4, 4]
    assert earlier[0, :8, 1].tolist() == [0, 1, 3, 5, 7, 8, 9, 11]


def test_sums_after_an_advance_are_those_of_known_pieces(
    history: History, growing: GrowingHistory
):
    """From step 1 of the first piece; within the second one, beyond all that sounds."""
    bar, earlier = history.totals()
    for advance in range(8):
        sums = growing.sums(*np.array([[1, 1], [advance, advance]]))
        _, of_bar, passed = torch.from_numpy(sums)[0, :, :12]
        assert torch.equal(of_bar, bar[0, 1 + advance])
        assert torch.equal(passed, earlier[0, 1 + advance] - earlier[0, 1])
    now, of_bar, passed = growing.sums(*np.array([[1, 3], [8, 20]]))[1]
    assert (now.sum(), of_bar.sum(), passed[9]) == (0, 0, 5)


def arrays(note: Note) -> Note:
    """Notes in numpy."""
    return Note(*(column.numpy() for column in note.columns))


def test_notes_one_by_one_are_on_the_same_grids(history: History):
    """They differ in what starts only; each row has one note at a time."""
    appended = GrowingHistory(LAYOUT, 2, 9, torch.zeros(()))
    for first, second in zip(PIECE[:7], [PIECE[7]] * 7, strict=True):
        new = note((0, *first[1:]), (1, *second[1:]))[1]
        appended.append(np.array([0, 1]), arrays(new))
    for name in ("cells", "pitches", "tracks", "first"):
        assert np.array_equal(getattr(appended, name), getattr(history, name))
    assert np.array_equal(appended.sounding[0], history.sounding[0])
    assert np.array_equal(appended.sounding[1], 7 * history.sounding[1])


def test_what_is_asked_in_numpy_is_answered_as_in_torch(history: History, growing: GrowingHistory):
    """The same look-ups; the windows ahead and the largest sets of lags are found otherwise."""
    row, (_, last) = at(0, 0, 1), note((0, 3, KIT, 8, 1, 1), (0, 6, LOW, 1, 3, 4), PIECE[7])
    here = history.track_patterns(row, last.step)
    of_last = history.pitch_patterns(row, last.step, last.track)
    rows, lasts = row.numpy(), arrays(last)
    remaining = growing.remaining_patterns(here.numpy(), lasts, of_last.numpy())
    assert np.array_equal(remaining, history.remaining_patterns(here, last, of_last))
    classes = growing.class_patterns(rows, growing.at_lags(lasts.step))
    assert np.array_equal(classes, history.class_patterns(row, history.at_lags(last.step)))


@pytest.mark.parametrize("lags", [(1, 2), (1, 4)], ids=["within", "beyond the choices"])
def test_what_is_ahead_needs_no_mask_where_notes_come_one_by_one(lags: tuple[int, ...]):
    """After each note of the first piece; known pieces have the later ones on their grids too."""
    layout = Layout.of(GRID, TRACKS, lags)
    history = History(layout, 2, 9, torch.zeros(()))
    history.add(*note(*PIECE))
    appended, row = GrowingHistory(layout, 1, 9, torch.zeros(())), np.array([0])
    for one in PIECE[:7]:
        _, last = note(one)
        appended.append(row, arrays(last))
        ahead = appended.patterns_ahead(row, arrays(last))
        assert np.array_equal(ahead, history.patterns_ahead(at(0), last))


def test_intervals_are_clamped_and_have_a_number_where_a_track_has_no_note():
    wide = History(WIDE, 1, 1, torch.zeros(())).intervals
    assert [wide[own, pitch].item() for own, pitch in ((5, 5), (5, 7), (9, 2))] == [24, 26, 17]
    assert [wide[own, pitch].item() for own, pitch in ((0, 24), (0, 59), (59, 0))] == [48, 48, 0]
    assert wide[-1].eq(49).all()


def test_ages_of_tracks(history: History):
    never = NO_NOTE[3].item()
    found = ages(at(30), torch.tensor([[never, 30, 27, 26, 18, 17]]), history.ages)
    assert found.tolist() == [[3, 0, 0, 1, 1, 2]]


def test_rows_that_are_kept_look_back_at_their_own_notes(growing: GrowingHistory):
    """Notes that are laid on them afterwards sound as well."""
    growing.keep(np.array([1]))
    row, six = np.array([0]), np.array([6])
    assert growing.pitch_patterns(row, np.array([7]), np.array([LEAD]))[0, 9] == 1
    assert nonzero(growing.sums(six, row)[:, 0]) == {(0, 9): 1}
    growing.append(row, arrays(note((0, 6, LOW, 2, 2, 9))[1]))
    assert nonzero(growing.sums(six, row)[:, 0]) == {(0, 9): 1, (0, 2): 1, (0, 12 + 2): 1}
    assert growing.patterns_ahead(row, arrays(note((0, 6, LOW, 2, 2, 9))[1]))[0, 3, LOW] == 1


def test_a_row_in_anothers_place_has_its_notes(growing: GrowingHistory):
    growing.replace(np.array([0]), np.array([1]))
    for name in ("cells", "pitches", "tracks", "sounding", "first"):
        grid = getattr(growing, name)
        assert np.array_equal(grid[0], grid[1]) and grid[0].any()


def test_facts_follow_from_what_is_chosen(history: History):
    """The note of the lead at step 6, on the pitch 10, after the bass's there."""
    row, last = note((0, 6, LOW, 1, 3, 4))
    latest = torch.tensor([[[8, 1, 1, 3], [1, 3, 4, 6], [13, 6, 5, 1]]])
    sums = torch.zeros(1, 4, 12)
    sums[0, :, 1] = torch.tensor([3.0, 2.0, 4.0, 10.0])
    sums[0, 3, 9] = 2.0
    patterns = history.pitch_patterns(row, last.step, last.track)
    new = NextNote(
        history, row, last, patterns, latest, lambda advance: sums, lambda place: 7 * place
    )
    new.choose("advance", at(0))
    new.choose("track", at(LEAD))
    new.choose("pitch", at(9))
    assert new.there.tolist() == [[0, 0, 2]]
    assert new.ages.tolist() == [[0, 0, 1]]
    assert new.profiles[0, :, 1].tolist() == [2, 1, 1, 1]
    assert new.profiles[0, :, 9].tolist() == [0, 0, 0, pytest.approx(0.2)]
    assert (new.own_pitch, new.own_length, new.own_velocity) == (13, 6, 5)
    assert (new.track_pattern, new.pattern, new.interval) == (2, 2, 20)
    assert not new.same_track
    assert (new.lagged_lengths.tolist(), new.lagged_velocities.tolist()) == ([[0, 2]], [[0, 3]])
    assert new.pitch_velocity == 7 * (2 * 14 + 9)
    assert nonzero(new.used_pitches) == {(0, 9): 1, (0, 13): 1}
    assert nonzero(new.used_velocities) == {(0, 3): 1, (0, 5): 1}
