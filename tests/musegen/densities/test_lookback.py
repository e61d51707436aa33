"""Looking back by hand, in an asymmetric piece of two rows with bars of three steps."""

import pytest
import torch

from musegen.densities.lookback import (
    History,
    Layout,
    Note,
    bass_of,
    lengths_and_velocities,
)
from musegen.densities.next_note import NO_NOTE, NextNote, ages
from musegen.roll import Grid
from musegen.tracks import QUARTET, VOICES, Track

GRID = Grid(steps_per_beat=3, beats_per_bar=1, lowest_pitch=40, pitches=14)
TRACKS = (
    Track(name="Lead", order=0),
    Track(name="Kit", is_drum=True),
    Track(name="Low", family="bass"),
)
LAYOUT = Layout.of(GRID, TRACKS, (1, 2))
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


def at(*numbers: int) -> torch.Tensor:
    return torch.tensor(numbers)


def nonzero(rows: torch.Tensor) -> dict[tuple[int, int], int]:
    return {(n, m): int(v) for n, row in enumerate(rows.tolist()) for m, v in enumerate(row) if v}


def test_tracks_are_played_drums_first_then_the_bass():
    assert LAYOUT.order == (1, 2, 0)
    assert (LAYOUT.is_drum, LAYOUT.bass) == ((True, False, False), 1)
    alone = Layout.of(GRID, TRACKS[1:2], (1,))
    assert (alone.order, alone.bass) == ((0,), None)


def test_the_bass_is_named_or_else_the_last_part_of_the_score():
    assert VOICES[bass_of(VOICES) or 0].name == "Bass"
    assert QUARTET[bass_of(QUARTET) or 0].name == "Cello"
    assert bass_of((TRACKS[2], TRACKS[0])) == 0
    assert bass_of((TRACKS[1],)) is None


def test_patterns_of_cells_and_tracks(history: History):
    """At step 3: the bit 1 is one bar ago, step 0; at step 6 the bit 2 is two bars ago."""
    found = history.cell_patterns(at(0, 0, 0, 1), at(3, 6, 6, 3), at(KIT, KIT, LOW, KIT))
    assert nonzero(found) == {
        (0, 5): 1,
        (1, 5): 3,
        (1, 8): 1,
        (2, 1): 2,
    }
    tracks = history.track_patterns(at(0, 0, 0, 1), at(3, 4, 6, 7))
    assert tracks.tolist() == [[1, 1, 1], [0, 0, 1], [3, 2, 2], [0, 0, 1]]


def test_patterns_ahead_hold_notes_up_to_the_last_one_only(history: History):
    """After the kit's notes at step 3, those of later steps and tracks are not known yet."""
    _, last = note((0, 3, KIT, 8, 1, 1))
    ahead = history.patterns_ahead(at(0), last)[0]
    assert ahead[:, KIT].tolist() == [1, 0, 0, 3, 0, 0, 2, 0, 0]
    assert ahead[:, LOW].tolist() == [1, 0, 0, 2, 0, 0, 0, 0, 0]
    assert ahead[:, LEAD].tolist() == [1, 1, 0, 2, 2, 0, 0, 0, 0]
    start = history.patterns_ahead(at(0), Note.start(1, torch.device("cpu")))
    assert start.eq(0).all(), "nothing is known before the first note"


def test_what_remains_at_the_last_notes_step(history: History):
    _, last = note((0, 6, KIT, 5, 1, 6), (0, 6, KIT, 8, 1, 1), (0, 6, LOW, 0, 1, 1))
    here = history.track_patterns(at(0, 0, 0), last.step)
    of_last = history.cell_patterns(at(0, 0, 0), last.step, last.track)
    remaining = history.remaining_patterns(here, last, of_last)
    assert here.tolist() == [[3, 2, 2]] * 3
    assert remaining.tolist() == [[1, 2, 2], [0, 2, 2], [0, 2, 2]]


def test_lengths_and_velocities_at_the_lags(history: History):
    at_lags = history.at_lags(at(6, 6, 4))
    cells = history.lagged_cells(at(0, 0, 0), at_lags, at(KIT, LOW, LEAD))
    lengths, velocities = lengths_and_velocities(cells[at(0, 1, 2), :, at(5, 1, 13)])
    assert lengths.tolist() == [[1, 1], [0, 4], [6, 0]]
    assert velocities.tolist() == [[6, 7], [0, 2], [5, 0]]
    cells = history.lagged_cells(at(1), history.at_lags(at(7)), at(LEAD))
    assert nonzero(cells[0]) == {(0, 9): 5 * 128 + 127}


def test_what_a_track_has_used_before_a_step(history: History):
    """The kit's pitch 8 and velocities 6 and 1 come at step 3, where they are not yet used."""
    for step, pitches, loud in ((3, [5], [7]), (4, [5, 8], [1, 6, 7])):
        used, velocities = history.used(at(0), at(step), at(KIT))
        assert nonzero(used) == {(0, pitch): 1 for pitch in pitches}
        assert nonzero(velocities) == {(0, velocity): 1 for velocity in loud}
    (used, _) = history.used(at(0, 1, 1), at(2, 4, 5), at(LEAD, LEAD, LEAD))
    assert nonzero(used) == {(0, 9): 1, (0, 13): 1, (2, 9): 1}


def test_pitch_classes_that_sound(history: History):
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
    sounding = torch.stack([history.sums(at(0, 2), at(n, n))[0, 0] for n in range(9)])
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


def test_sums_after_an_advance_are_those_of_known_pieces(history: History):
    """From step 1 of the first piece; within the second one, beyond all that sounds."""
    bar, earlier = history.totals()
    for advance in range(8):
        _, of_bar, passed = history.sums(at(1, 1), at(advance, advance))[0, :, :12]
        assert torch.equal(of_bar, bar[0, 1 + advance])
        assert torch.equal(passed, earlier[0, 1 + advance] - earlier[0, 1])
    now, of_bar, passed = history.sums(at(1, 3), at(8, 20))[1]
    assert (now.sum(), of_bar.sum(), passed[9]) == (0, 0, 5)


def test_notes_one_by_one_are_on_the_same_grids(history: History):
    """They differ in what starts only; each row has one note at a time."""
    appended = History(LAYOUT, 2, 9, torch.zeros(()))
    for first, second in zip(PIECE[:7], [PIECE[7]] * 7, strict=True):
        appended.append(at(0, 1), note((0, *first[1:]), (1, *second[1:]))[1])
    for name in ("cells", "patterns", "first"):
        assert torch.equal(getattr(appended, name), getattr(history, name))
    assert torch.equal(appended.sounding[0], history.sounding[0])
    assert torch.equal(appended.sounding[1], 7 * history.sounding[1])


def test_ages_of_tracks(history: History):
    never = NO_NOTE[3].item()
    found = ages(at(30), torch.tensor([[never, 30, 27, 26, 18, 17]]), history.ages)
    assert found.tolist() == [[3, 0, 0, 1, 1, 2]]


def test_rows_that_are_kept_look_back_at_their_own_notes(history: History):
    history.keep(at(1))
    assert history.cell_patterns(at(0), at(7), at(LEAD))[0, 9] == 1
    assert history.classes_at(at(0), at(6), torch.zeros(1, 24))[0, 9] == 1


def test_facts_follow_from_what_is_chosen(history: History):
    """The note of the lead at step 6, on the pitch 10, after the bass's there."""
    row, last = note((0, 6, LOW, 1, 3, 4))
    latest = torch.tensor([[[8, 1, 1, 3], [1, 3, 4, 6], [13, 6, 5, 1]]])
    sums = torch.zeros(1, 4, 12)
    sums[0, :, 1] = torch.tensor([3.0, 2.0, 4.0, 10.0])
    sums[0, 3, 9] = 2.0
    patterns = history.cell_patterns(row, last.step, last.track)
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
