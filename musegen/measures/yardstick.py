"""The yardstick: the distance of phrases from the data, one number over seven metrics.

Phrases of every grid are measured on one coarse grid, so that collections of any resolution have
comparable distances.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, UInt8

from musegen.measures.metrics import TONAL_DISTANCE, MetricTable, mean_or_nan, measure
from musegen.roll import HOLD, ONSET, SILENT, Grid, Phrases
from musegen.tracks import Track

STEPS_PER_BEAT, LOWEST_PITCH, PITCHES = 4, 24, 72
YARDSTICK_METRICS = (
    "empty bars",
    "pitch classes a bar",
    "long notes",
    "polyphony",
    "notes a bar",
    "note length",
    TONAL_DISTANCE,
)
LEAST_SHARES = {"empty bars": 5.0, "long notes": 0.05, "polyphony": 0.05}
"""The least that errors of shares are relative to, in % and as parts of 1: where one real bar of a
thousand is empty, four are no error of 300 %."""

YARDSTICK_PAIRS = ("Piano-Guitar", "Guitar-Bass")
BASS = "Bass"


@dataclass(frozen=True)
class Yardstick:
    """The data's metrics, against which phrases are measured.

    The distance of a metric is the mean over tracks of |generated - real| / real, of shares
    relative to 5 % at least; the distance is the mean over metrics. The polyphony of the bass is
    left out (a bass is nearly always monophonic), and tonal distance is taken over piano-guitar
    and guitar-bass, or over all pairs where the tracks are others.
    """

    grid: Grid
    tracks: tuple[Track, ...]
    real: MetricTable = field(repr=False)

    @classmethod
    def of(cls, cells: Phrases, grid: Grid, tracks: tuple[Track, ...]) -> "Yardstick":
        """Measure the data's phrases."""
        return cls(grid, tracks, measure_coarsely(cells, grid, tracks))

    def distance(self, cells: Phrases) -> float:
        """Return the distance of phrases from the data, 0 for the data itself."""
        return mean_of_known(self.distances(cells).values())

    def distances(self, cells: Phrases) -> dict[str, float]:
        """Return the distance of each metric."""
        generated = measure_coarsely(cells, self.grid, self.tracks)
        return {
            name: self._distance(name, generated[name], self.real[name])
            for name in YARDSTICK_METRICS
        }

    def _distance(self, name: str, generated: dict[str, float], real: dict[str, float]) -> float:
        keys = [key for key in real if self._counts(name, key, real)]
        least = LEAST_SHARES.get(name, 0.0)
        return mean_of_known(relative_error(generated[key], real[key], least) for key in keys)

    def _counts(self, name: str, key: str, real: dict[str, float]) -> bool:
        if name == TONAL_DISTANCE and set(YARDSTICK_PAIRS) <= set(real):
            return key in YARDSTICK_PAIRS
        return not (name == "polyphony" and key == BASS and len(real) > 1)


def measure_coarsely(cells: Phrases, grid: Grid, tracks: tuple[Track, ...]) -> MetricTable:
    """Compute all metrics on the yardstick's grid."""
    coarse = Grid(
        steps_per_beat=STEPS_PER_BEAT,
        beats_per_bar=grid.beats_per_bar,
        beat_unit=grid.beat_unit,
        lowest_pitch=LOWEST_PITCH,
        pitches=PITCHES,
    )
    return measure(regrid(cells, grid), coarse, tracks)


def mean_of_known(values: Iterable[float]) -> float:
    """Return the mean of the values that are not NaN; NaN of none."""
    array = np.array(list(values))
    return mean_or_nan(array[~np.isnan(array)])


def relative_error(generated: float, real: float, least: float = 0.0) -> float:
    """Return |generated - real| / real, or relative to `least` where the real value is less.

    1 where only the data has a value, NaN without data.
    """
    whole = max(real, least)
    if np.isnan(real) or whole == 0:
        return float("nan")
    return 1.0 if np.isnan(generated) else abs(generated - real) / whole


def regrid(
    cells: Phrases, grid: Grid
) -> UInt8[np.ndarray, "phrase track bar coarse_step coarse_pitch"]:
    """Resample cells to 4 steps a beat and pitches 24 to 95.

    Onsets and ends go to the nearest step; notes of one pitch that start in one step become one.
    """
    phrases, tracks, bars, _, pitches = cells.shape
    line = cells.reshape(phrases, tracks, -1, pitches)  # [phrase track bar*step pitch]
    steps = STEPS_PER_BEAT * grid.beats_per_bar
    if grid.steps_per_beat != STEPS_PER_BEAT:
        line = _resample(line, bars * steps)
    cropped = np.zeros((phrases, tracks, bars * steps, PITCHES), np.uint8)
    shift = grid.lowest_pitch - LOWEST_PITCH
    first = max(0, shift)
    last = max(first, min(PITCHES, shift + pitches))
    cropped[..., first:last] = line[..., first - shift : last - shift]
    return cropped.reshape(phrases, tracks, bars, steps, -1)  # [phrase track bar step pitch]


def _resample(line: UInt8[np.ndarray, "phrase track step pitch"], steps: int) -> np.ndarray:
    """Return the same notes on a line of `steps` steps."""
    phrases, tracks, fine_steps, pitches = line.shape
    nearest = np.floor(np.arange(fine_steps) * steps / fine_steps + 0.5).astype(int)
    onset = np.zeros((phrases, tracks, steps, pitches), bool)
    for fine, coarse in enumerate(np.minimum(nearest, steps - 1)):
        onset[:, :, coarse] |= line[:, :, fine] == ONSET
    centre = ((np.arange(steps) + 0.5) * fine_steps / steps).astype(int)
    sounding = _continue_notes(onset, line[:, :, centre] > SILENT)
    return np.where(onset, ONSET, np.where(sounding, HOLD, SILENT)).astype(np.uint8)


def _continue_notes(
    onset: Bool[np.ndarray, "phrase track step pitch"],
    held: Bool[np.ndarray, "phrase track step pitch"],
) -> Bool[np.ndarray, "phrase track step pitch"]:
    """Return which cells sound: onsets, and held cells that follow a sounding one."""
    sounding = onset.copy()
    for step in range(1, onset.shape[2]):
        sounding[:, :, step] |= held[:, :, step] & sounding[:, :, step - 1]
    return sounding
