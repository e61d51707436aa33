"""Likeness: errors and the total by hand, and facts about deformed songs."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from deformations import DEFORMATIONS

from core.data.sources import RejectedFile
from musegen.data.band import song
from musegen.data.collection import spread
from musegen.files.midi import read_midi
from musegen.measures.excerpts import Excerpts
from musegen.measures.likeness import (
    MEASURES,
    TIME,
    WEIGHTS,
    Portrait,
    absolute,
    group_errors,
    measures_of,
    octaves,
    relative,
    relative_area,
    structure_in_time,
    total,
)
from musegen.reading.song import Song
from musegen.roll import Grid, Notes
from musegen.tracks import LAKH

NAN = float("nan")
GRID = Grid(steps_per_beat=4)
BARS = 16


def test_errors_by_hand():
    real, generated = np.array([4.0, 0.5, 0.02, NAN]), np.array([5.0, 0.2, 0.07, 9.0])
    assert relative(generated, real) == pytest.approx((1 / 4 + 3 / 5 + 0.05 / 0.1) / 3)
    assert relative(np.array([NAN, 0.5]), np.array([4.0, 0.4])) == pytest.approx((1 + 1 / 4) / 2)
    assert absolute(generated, real) == pytest.approx((1 + 0.3 + 0.05) / 3)
    assert relative_area(generated, real) == pytest.approx((1 + 0.3 + 0.05) / 4.52)
    assert relative_area(np.array([NAN, 1.0]), np.array([3.0, 2.0])) == pytest.approx(4 / 5)
    assert np.isnan(relative(np.array([1.0]), np.array([NAN])))
    assert np.isnan(relative_area(np.array([1.0]), np.array([NAN])))


def test_registers_are_compared_in_octaves():
    """All notes on 40 against 3/10 on 52: p5 and median 0, p95 12; moved 0.3 octaves."""
    low, some = np.zeros(128), np.zeros(128)
    low[40], some[[40, 52]] = 1, (0.7, 0.3)
    assert octaves(some, low) == pytest.approx((0.3 + (0 + 0 + 1) / 3) / 2)
    assert octaves(np.full(128, NAN), low) == 1
    assert np.isnan(octaves(low, np.full(128, NAN)))


def test_the_total_is_weighted_over_known_groups():
    groups = {"form": 0.3, "register": 0.6, "dynamics": NAN, "copies": 0.05}
    assert total(groups) == pytest.approx((3 * 0.3 + 2 * 0.6 + 1 * 0.05) / 6)
    assert sum(WEIGHTS.values()) == 14
    assert np.isnan(total({"form": NAN}))


def test_time_is_the_mean_of_ten_parts_each_the_mean_of_its_measures():
    errors = {one.name: 0.0 for one in MEASURES}
    errors |= {"repetition, drums": 0.3, "repetition, bass": 0.6, "backbeat": 9.0, "groove": 0.7}
    assert len(TIME) == 10
    assert structure_in_time(errors) == pytest.approx((0.9 / 3 + 0.7) / 10)


def test_a_groups_error_is_the_mean_of_its_measures():
    errors = {one.name: 0.0 for one in MEASURES}
    errors |= {"in key": 0.3, "bass in the chord": 0.6, "velocities": NAN, "growth": 1.4}
    errors["spread of velocity"] = 0.8
    groups = group_errors(errors, MEASURES)
    assert groups == pytest.approx(
        {"form": 1.4 / 14, "harmony": 0.9 / 3, "beat": 0, "dynamics": 0.8}
    )


OF_NAME = {one.name: one for one in MEASURES}


def test_repetition_is_measured_1_2_4_and_8_bars_later():
    """Two bars in turn, the kick on the first beat of one and on the second of the other."""
    bars = np.arange(BARS)
    start, none = 16 * bars + 4 * (bars % 2), np.zeros_like(bars)
    notes = Notes(none, start, none + 36, none + 1, none + 90)
    excerpts = Excerpts.of_notes([notes], BARS, GRID, LAKH)
    for name in ("repetition, drums", "rhythm, drums"):
        assert OF_NAME[name].compute(excerpts).tolist() == [[0, 1, 1, 1]]
    assert np.isnan(OF_NAME["repetition, bass"].compute(excerpts)).all()
    similar = OF_NAME["similar bars"]
    assert similar.shown(similar.compute(excerpts)).tolist() == [[0, 1, 1, 1]]


def test_what_is_shown_of_shares_by_hand():
    """Half of the intervals are 1 sixteenth and half are 3; notes on 40 and, one in ten, on 64."""
    intervals = np.zeros((1, 16))
    intervals[0, [0, 2]] = 0.5
    assert OF_NAME["intervals of time, drums"].shown(intervals).tolist() == [[2]]
    assert OF_NAME["similar bars"].shown(np.arange(3.0)[None])[0, :2].tolist() == [0, 1]
    assert np.isnan(OF_NAME["similar bars"].shown(np.arange(3.0)[None])[0, 2:]).all()
    pitches = np.zeros((2, 128))
    pitches[:, 40], pitches[1, [40, 64]] = 1, (0.9, 0.1)
    measures = {one.name: one for one in measures_of(excerpts_of_nothing())}
    shown = measures["register, Bass"].shown(pitches)
    assert shown.tolist() == [[40, 40, 40], [40, 40, 64]]


def excerpts_of_nothing() -> Excerpts:
    none = np.zeros(0, int)
    return Excerpts.of_notes([Notes(none, none, none, none, none)], BARS, GRID, LAKH)


def excerpts_of(songs: list[Song]) -> Excerpts:
    """All excerpts of the songs' first stretches, as read from files."""
    columns: list[np.ndarray] = []
    numbers: list[int] = []
    for number, one in enumerate(songs):
        notes, steps = one.notes, BARS * GRID.steps_per_bar
        first, bars = one.stretches[0]
        for begin in range(first, first + bars - BARS + 1, BARS):
            start = notes.start - begin * GRID.steps_per_bar
            inside = (start >= 0) & (start < steps)
            excerpt = np.full(int(inside.sum()), len(numbers))
            row = (notes.track, start, notes.pitch, notes.length, notes.velocity)
            columns.append(np.stack([excerpt, *(column[inside] for column in row)]))
            numbers.append(number)
    excerpt, *rest = np.concatenate(columns, 1).astype(np.int64)
    return Excerpts.of(excerpt, Notes(*rest), np.array(numbers), BARS, GRID, LAKH)


def accented(one: Song) -> Song:
    """The band plays strong beats louder, and no two songs at one level."""
    notes = one.notes
    level = 60 + 7 * (len(notes) % 5)
    strong = 20 * (notes.start % 16 == 0) + 9 * (notes.start % 4 == 0)
    return replace(one, notes=replace(notes, velocity=level + strong + notes.pitch % 6))


@dataclass(frozen=True)
class Songs:
    """Real songs, others that are held out, and the total of these."""

    real: Portrait
    held_out: Excerpts
    total: float


def compared(real: list[Song], held_out: list[Song]) -> Songs:
    portrait, others = Portrait.of(some(excerpts_of(real))), some(excerpts_of(held_out))
    return Songs(portrait, others, total_of(portrait, others))


def some(excerpts: Excerpts) -> Excerpts:
    """At most 120 of them, from all songs."""
    return excerpts.take(spread(np.arange(len(excerpts)), 120))


def total_of(real: Portrait, excerpts: Excerpts) -> float:
    generated = Portrait.of(excerpts)
    errors = group_errors(generated.errors(real), real.measures)
    errors["classifier"] = max(0.0, 2 * generated.accuracy(real) - 1)
    return total(errors)


@pytest.fixture(scope="module")
def band() -> Songs:
    songs = [accented(Song.of(song([3, n], GRID)[0])) for n in range(90)]
    return compared(songs[:60], songs[60:])


@pytest.fixture(scope="module")
def freedoom(shared_data: Path) -> Songs:
    """Rock and metal of real files, with the velocities that were played."""
    songs = []
    for path in sorted((shared_data / "music" / "freedoom" / "midi").rglob("*.mid")):
        try:
            one = read_midi(path, LAKH, GRID)
        except RejectedFile:
            continue
        if one.stretches[0][1] >= BARS and len(np.unique(one.notes.track)) >= 3:
            songs.append(one)
    return compared(songs[::2], songs[1::2])


@pytest.mark.parametrize("data", ["band", "freedoom"])
def test_the_same_songs_have_a_total_of_0(data: str, request: pytest.FixtureRequest):
    real = request.getfixturevalue(data).real
    assert total_of(real, real.excerpts) < 0.01


def test_velocities_that_the_real_songs_lack_are_no_feature(band: Songs):
    """Cells have a constant velocity, and a collection without velocities has none."""

    def at(velocity: int, excerpts: Excerpts) -> Excerpts:
        level = np.full(len(excerpts.notes), velocity)
        return replace(excerpts, notes=replace(excerpts.notes, velocity=level))

    unknown = Portrait.of(at(0, band.real.excerpts))
    generated = Portrait.of(at(100, band.held_out))
    assert generated.accuracy(unknown) < 0.65
    errors = group_errors(generated.errors(unknown), generated.measures)
    assert np.isnan(errors["dynamics"])
    assert generated.accuracy(band.real) > 0.95, "which have other velocities"


FACTORS = {
    "scrambled octaves": 4.0,
    "shuffled bars": 4.0,
    "bass an octave up": 2.0,
    "bass three semitones up": 2.0,
    "dropped repeats": 4.0,
    "constant velocity": 2.0,
}
"""The least total of deformed songs, as a multiple of that of held-out ones."""


@pytest.mark.parametrize("data", ["band", "freedoom"])
@pytest.mark.parametrize("name", FACTORS)
def test_what_a_listener_hears_makes_the_total_worse(
    data: str, name: str, request: pytest.FixtureRequest
):
    songs = request.getfixturevalue(data)
    deformed = DEFORMATIONS[name](songs.held_out)
    assert total_of(songs.real, deformed) > FACTORS[name] * songs.total
