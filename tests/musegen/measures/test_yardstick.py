"""The yardstick: cells on its grid, and its distances, against numbers worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from musegen.measures.yardstick import Yardstick, regrid, relative_error
from musegen.roll import HOLD, ONSET, Grid
from musegen.tracks import Track

FINE = Grid(steps_per_beat=12, beats_per_bar=1, lowest_pitch=21, pitches=9)


def test_onsets_and_ends_go_to_the_nearest_of_four_steps_a_beat():
    """The grid has 12 steps a beat; pitch 5 above MIDI 21 is 2 above 24."""
    cells = np.zeros((1, 1, 2, 12, 9), np.uint8)
    line = cells.reshape(24, 9)
    line[2:7, 5] = HOLD  # from 0.67 to 2.33: step 1 alone
    line[2, 5] = ONSET
    line[10:20, 5] = HOLD  # from 3.33 to 6.67, over the bar line: steps 3 to 6
    line[10, 5] = ONSET
    line[3, 6] = line[4, 6] = ONSET  # 1 and 1.33: they become one
    line[23, 7] = ONSET  # 7.67 is beyond the last step
    line[0, 1] = ONSET  # below the yardstick's pitches
    coarse = regrid(cells, FINE)
    assert coarse.shape == (1, 1, 2, 4, 72)
    found = coarse.reshape(8, 72)
    assert found[:, 2].tolist() == [0, ONSET, 0, ONSET, HOLD, HOLD, HOLD, 0]
    assert found[:, 3].tolist() == [0, ONSET, 0, 0, 0, 0, 0, 0]
    assert found[:, 4].tolist() == [0, 0, 0, 0, 0, 0, 0, ONSET]
    assert np.count_nonzero(found) == 7


def test_two_steps_a_beat_become_four():
    cells = np.zeros((1, 1, 1, 4, 3), np.uint8)
    cells[0, 0, 0, 1:3, 1] = ONSET, HOLD
    grid = Grid(steps_per_beat=2, beats_per_bar=2, lowest_pitch=60, pitches=3)
    assert regrid(cells, grid)[0, 0, 0, :, 37].tolist() == [0, 0, ONSET, HOLD, HOLD, HOLD, 0, 0]


@pytest.mark.parametrize("lowest", [0, 100])
def test_pitches_out_of_the_yardsticks_range_are_left_out(lowest: int):
    grid = Grid(steps_per_beat=4, beats_per_bar=1, lowest_pitch=lowest, pitches=20)
    assert not regrid(np.full((2, 1, 3, 4, 20), ONSET, np.uint8), grid).any()


def test_relative_error():
    assert relative_error(3, 4) == 0.25
    assert relative_error(9, 4) == 1.25
    assert relative_error(float("nan"), 4) == 1
    assert np.isnan(relative_error(3, 0))
    assert relative_error(3, 1, least=4) == 0.5
    assert relative_error(3, 0, least=4) == 0.75
    assert np.isnan(relative_error(3, float("nan"), least=4))
    assert np.isnan(relative_error(3, float("nan")))


GRID = Grid(steps_per_beat=4, beats_per_bar=1, lowest_pitch=24, pitches=72)
TRACKS = (Track(name="Piano"), Track(name="Guitar", program=24), Track(name="Bass", program=33))


def songs() -> np.ndarray:
    """One phrase of five bars; each track plays C, D in turn, the last bar is empty."""
    cells = np.zeros((1, 3, 5, 4, 72), np.uint8)
    for track in range(3):
        for bar in range(4):
            cells[0, track, bar, :2, 2 * (bar % 2) + 12 * track] = ONSET, HOLD
    cells[0, :, 0, 0, 40] = ONSET  # a chord in bar 0
    return cells


def test_the_data_has_distance_0():
    assert Yardstick.of(songs(), GRID, TRACKS).distance(songs()) == 0


def test_the_distance_of_a_metric_is_the_mean_relative_error_of_the_tracks():
    """The piano loses its note in bar 3: 4 notes instead of 5, 2 empty bars instead of 1."""
    generated = songs()
    generated[0, 0, 3] = 0
    distances = Yardstick.of(songs(), GRID, TRACKS).distances(generated)
    assert distances["notes a bar"] == pytest.approx((1 / 5) / 3)
    assert distances["empty bars"] == pytest.approx(1 / 3)
    assert distances["pitch classes a bar"] == pytest.approx((4 / 3 / (5 / 4) - 1) / 3)
    assert distances["long notes"] == pytest.approx((1 - (3 / 4) / (4 / 5)) / 3)
    assert distances["polyphony"] == pytest.approx((1 / 6 / (1 / 8) - 1) / 2), "without the bass"
    known = [value for value in distances.values() if not np.isnan(value)]
    assert len(known) == 6, "the tracks of the data play the same: their tonal distance is 0"
    distance = Yardstick.of(songs(), GRID, TRACKS).distance(generated)
    assert distance == pytest.approx(sum(known) / 6)


def test_a_rare_share_counts_relative_to_5_percent():
    """One of 50 bars of the piano is empty, 2 % of them, and then 3; no step has two notes, and
    then 1 of 94 that sound."""
    real = np.zeros((1, 1, 50, 4, 72), np.uint8)
    real[0, 0, :-1, :2, 9] = ONSET, HOLD
    generated = real.copy()
    generated[0, 0, :2] = 0
    yardstick = Yardstick.of(real, GRID, TRACKS[:1])
    assert yardstick.distances(generated)["empty bars"] == pytest.approx(4 / 5)
    generated[0, 0, 5, 0, 14] = ONSET
    assert yardstick.distances(generated)["polyphony"] == pytest.approx(1 / 94 / 0.05)


def test_the_polyphony_of_the_bass_does_not_count():
    generated = songs()
    generated[0, 2, 0, 0, 40] = 0
    distances = Yardstick.of(songs(), GRID, TRACKS).distances(generated)
    assert distances["polyphony"] == 0
    assert distances["notes a bar"] == pytest.approx((1 / 5) / 3)


def test_tonal_distance_counts_for_piano_with_guitar_and_guitar_with_bass():
    cells = songs()
    cells[0, 1] = np.roll(cells[0, 1], 3, axis=-1)
    yardstick = Yardstick.of(cells, GRID, TRACKS)
    known = yardstick.real["tonal distance"]
    moved = {
        "Piano-Guitar": known["Piano-Guitar"] / 4,
        "Piano-Bass": 99.0,
        "Guitar-Bass": known["Guitar-Bass"] * 2,
    }
    other = replace(yardstick, real={**yardstick.real, "tonal distance": moved})
    assert other.distances(cells)["tonal distance"] == pytest.approx((3 + 0.5) / 2)
