"""The tables of MuseGAN's two papers, and the metrics as these define them.

Their numbers are of the Lakh Pianoroll Dataset at 24 steps a beat. Dong, Hsiao, Yang and Yang,
AAAI 2018, tables 1 and 2; Dong and Yang, ISMIR 2018 (arXiv 1804.09399), table 1. Where text and
published program differ, a metric is as the program computes it.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import combinations

import numpy as np
from jaxtyping import Float
from rich import box
from rich.table import Table

from core.app.report import Report, format_number
from core.errors import UserError
from musegen.measures.metrics import (
    TONAL_DISTANCE,
    MetricTable,
    TrackPhrases,
    empty_bars,
    mean_or_nan,
    tonal_centroid,
    used_pitch_classes,
)
from musegen.measures.yardstick import mean_of_known
from musegen.roll import Grid, Phrases
from musegen.tracks import Track

NAN = float("nan")
NAME_WIDTH = 24

STEPS_OF_A_QUARTER, BESIDE = 24, 0.3
"""The resolution of the published program, and the weight of drum hits a step beside 16ths."""

BAND = ("Bass", "Drums", "Guitar", "Piano", "Strings")
MELODIC = ("Bass", "Guitar", "Piano", "Strings")
PAIRS = tuple(
    f"{a}-{b}"
    for a, b in (
        *(("Bass", "Guitar"), ("Bass", "Strings"), ("Bass", "Piano")),
        *(("Guitar", "Strings"), ("Guitar", "Piano"), ("Strings", "Piano")),
    )
)

WITHIN_TRACKS = {
    "EB": (BAND, "empty bars, %"),
    "UPC": (
        MELODIC,
        "used pitch classes a bar, where one is a group of neighbouring semitones, not the same "
        "note of all octaves: so the published program folds a roll",
    ),
    "QN": (
        MELODIC,
        "qualified notes, %: runs of sounding steps in a bar, repeated notes as one, that last a "
        "twelfth of a beat as in the published program; of at least two steps, which is stricter "
        "below 24 a beat",
    ),
    "DP": (
        ("Drums",),
        "drum hits on the grid of 16th notes, where it fits best in each bar, and 0.3 of those "
        "beside it, %; coarse grids have no hits beside it",
    ),
}
"""Columns of table 1: the tracks of each metric, and its meaning."""

SONGS = {
    "training data": (
        *(8.06, 8.06, 19.4, 24.8, 10.1),
        *(1.71, 3.08, 3.28, 3.38),
        *(90.0, 81.9, 88.4, 89.6),
        88.6,
    ),
    "jamming": (
        *(6.59, 2.33, 18.3, 22.6, 6.10),
        *(1.53, 3.69, 4.13, 4.09),
        *(71.5, 56.6, 62.2, 63.1),
        93.2,
    ),
    "composer": (
        *(0.01, 28.9, 1.34, 0.02, 0.01),
        *(2.51, 4.20, 4.89, 5.19),
        *(49.5, 47.4, 49.9, 52.5),
        75.3,
    ),
    "hybrid": (
        *(2.14, 29.7, 11.7, 17.8, 6.04),
        *(2.35, 4.76, 5.45, 5.24),
        *(44.6, 43.2, 45.5, 52.0),
        71.3,
    ),
    "jamming beside piano": (
        *(4.60, 3.47, 13.3, NAN, 3.44),
        *(2.05, 3.79, NAN, 4.23),
        *(73.9, 58.8, NAN, 62.3),
        91.6,
    ),
    "composer beside piano": (
        *(0.65, 20.7, 1.97, NAN, 1.49),
        *(2.51, 4.57, NAN, 5.10),
        *(53.5, 48.4, NAN, 59.0),
        84.5,
    ),
    "hybrid beside piano": (
        *(2.09, 4.53, 10.3, NAN, 4.05),
        *(2.86, 4.43, NAN, 4.32),
        *(43.3, 55.6, NAN, 67.1),
        71.8,
    ),
}
"""AAAI 2018, table 1, in the order of `WITHIN_TRACKS`."""

BETWEEN_TRACKS = {
    "training data": (1.57, 1.58, 1.51, 1.10, 1.02, 1.04),
    "tracks shuffled": (1.59, 1.59, 1.56, 1.14, 1.12, 1.13),
    "hybrid": (1.34, 1.35, 1.32, 0.85, 0.85, 0.83),
}
"""AAAI 2018, table 2: the tonal distances of `PAIRS`."""

BINARISED = {
    "training data": (0.88, 0.48, 0.96),
    "pretrained, Bernoulli sampling": (0.67, 0.20, 0.98),
    "pretrained, hard threshold": (0.72, 0.22, 1.00),
    "two stages, deterministic neurons": (0.78, 0.45, 0.87),
    "two stages, stochastic neurons": (0.42, 0.26, 0.99),
}
"""ISMIR 2018, table 1: qualified notes, polyphonicity, and the tonal distance of piano and
guitar."""


class NeighbourPhrases(TrackPhrases):
    """One track whose pitch classes are twelve groups of neighbouring semitones."""

    @cached_property
    def chroma(self) -> Float[np.ndarray, "phrase beat group"]:
        """Count the sounding cells of each group in each beat."""
        phrases, bars, steps = self.cells.shape[:3]
        groups = np.array_split(self.sounding, 12, axis=3)
        by_step = np.stack([group.sum(3) for group in groups], 3)  # [phrase bar step group]
        beats = bars * steps // self.grid.steps_per_beat
        return by_step.reshape(phrases, beats, -1, 12).sum(2).astype(float)  # [phrase beat group]


def qualified_runs(track: TrackPhrases) -> float:
    """QN: return the share of runs of sounding cells in a bar that last a twelfth of a quarter
    note, and at least 2 steps; the mean over bars with notes.

    The papers' text says an eighth, 3 of 24 steps, their program 2.
    """
    long = starts = _starts_of_runs(track)
    for later in range(
        1, max(2, math.ceil(track.grid.steps_per_quarter / STEPS_OF_A_QUARTER * 2))
    ):
        after = np.zeros_like(starts)
        after[:, :, :-later] = track.sounding[:, :, later:]
        long = long & after
    shares = [runs.sum((2, 3))[track.bar_sounds] for runs in (long, starts)]  # [bar]
    return mean_or_nan(shares[0] / shares[1])


def _starts_of_runs(track: TrackPhrases) -> np.ndarray:
    """Return the cells in which a run of sounding ones begins, none before the bar,
    [phrase bar step pitch]."""
    before = np.zeros_like(track.sounding)
    before[:, :, 1:] = track.sounding[:, :, :-1]
    return track.sounding & ~before


def drum_pattern(track: TrackPhrases) -> float:
    """DP: return the share of drum hits on a grid of 16th notes; the mean over bars with notes.

    Hits beside the grid by one of the program's steps count as `BESIDE`, and in each bar the grid
    is moved by as many of them as fit best.
    """
    hits = _starts_of_runs(track).sum(3)[track.bar_sounds]  # [bar step]
    times = np.arange(track.cells.shape[2]) * STEPS_OF_A_QUARTER / track.grid.steps_per_quarter
    period = STEPS_OF_A_QUARTER // 4
    off = (times - np.arange(period)[:, None]) % period  # [shift step]
    weight = np.where(off == 0, 1.0, np.where((off == 1) | (off == period - 1), BESIDE, 0.0))
    return mean_or_nan((hits @ weight.T).max(1) / hits.sum(1))


def tonal_distance(first: TrackPhrases, second: TrackPhrases) -> float:
    """TD: return the mean distance of two tracks' tonal centroids, over the beats of bars in whose
    every beat both sound."""
    shape = (len(first.cells), -1, first.grid.beats_per_bar, 12)
    one = first.chroma.reshape(shape)  # [phrase bar beat group]
    other = second.chroma.reshape(shape)  # [phrase bar beat group]
    both = ((one.sum(3) > 0) & (other.sum(3) > 0)).all(2)  # [phrase bar]
    difference = tonal_centroid(one[both]) - tonal_centroid(other[both])
    return mean_or_nan(np.linalg.norm(difference, axis=2))


def polyphonicity(track: TrackPhrases) -> float:
    """PP: return the share of steps with two or more notes, of all steps of bars with notes.

    The paper's text says more than two, its program two or more.
    """
    return mean_or_nan(track.voices[track.bar_sounds] >= 2)


def measure(cells: Phrases, grid: Grid, tracks: tuple[Track, ...]) -> MetricTable:
    """Compute the papers' metrics: EB, UPC, QN and DP as in table 1, PP, and TD of pairs."""
    named = {t.name: NeighbourPhrases(cells[:, n], grid) for n, t in enumerate(tracks)}
    melodic = {t.name: named[t.name] for t in tracks if not t.is_drum}
    drums = {t.name: named[t.name] for t in tracks if t.is_drum}
    return {
        "EB": {name: empty_bars(track) for name, track in named.items()},
        "UPC": {name: used_pitch_classes(track) for name, track in melodic.items()},
        "QN": {name: 100 * qualified_runs(track) for name, track in melodic.items()},
        "DP": {name: 100 * drum_pattern(track) for name, track in drums.items()},
        "PP": {name: polyphonicity(track) for name, track in melodic.items()},
        "TD": {
            f"{a}-{b}": tonal_distance(melodic[a], melodic[b]) for a, b in combinations(melodic, 2)
        },
    }


OTHER_DATA = (
    "Published rows are of the Lakh Pianoroll Dataset, 24 steps a beat, and of networks of "
    "their size: other data, so that only what separates a model's row from that of its own data "
    "can be compared. Given tracks are real, and the papers leave them out."
)


def tables(report: Report) -> Iterator[Table]:
    """Build the papers' tables with the rows of a report below theirs.

    `UserError` for a collection of other tracks.
    """
    known = report.rows[0].published["EB"]
    missing = [name for name in BAND if name not in known]
    if missing:
        raise UserError(
            f"the papers' tables are of {', '.join(BAND)}, and this collection has no "
            f"{', '.join(missing)}: prepare it with --tracks lakh"
        )
    yield _of_tracks(report)
    yield _of_pairs(report)
    yield _of_binary_neurons(report)


def _of_tracks(report: Report) -> Table:
    names = [
        f"{metric} {track[0]}" for metric, (tracks, _) in WITHIN_TRACKS.items() for track in tracks
    ]
    return _table(
        "MuseGAN, AAAI 2018, table 1",
        names,
        SONGS,
        {row.name: _within(row.published) for row in report.rows},
        [f"{metric}: {meaning}" for metric, (_, meaning) in WITHIN_TRACKS.items()],
    )


def _of_pairs(report: Report) -> Table:
    initials = [f"{a[0]}-{b[0]}" for a, b in (pair.split("-") for pair in PAIRS)]
    return _table(
        "MuseGAN, AAAI 2018, table 2: tonal distance (TD) of two tracks",
        [*(f"TD {pair}" for pair in initials), *(f"right {pair}" for pair in initials)],
        {name: (*values, *[NAN] * len(PAIRS)) for name, values in BETWEEN_TRACKS.items()},
        {
            row.name: (*_pairs(row.published["TD"]), *_pairs(row.metrics[TONAL_DISTANCE]))
            for row in report.rows
        },
        [
            "TD: over bars in whose every beat both sound, with pitch classes as in UPC; right: "
            "over all beats where both sound, with the notes of all octaves as one pitch class, "
            "as in the other tables here"
        ],
    )


def _of_binary_neurons(report: Report) -> Table:
    of_tracks = [f"{metric} {track[0]}" for metric in ("QN", "PP") for track in MELODIC]
    return _table(
        "binary neurons, ISMIR 2018, table 1",
        ["QN", "PP", "TD P-G", *of_tracks],
        {name: (*values, *[NAN] * 2 * len(MELODIC)) for name, values in BINARISED.items()},
        {row.name: _binarised(row.published) for row in report.rows},
        [
            "QN: share of qualified notes, as above; PP: share of steps with two or more notes, "
            "of the steps of bars with notes; both the mean over melodic tracks, then each track",
        ],
    )


def _within(values: MetricTable) -> tuple[float, ...]:
    return tuple(
        values[metric][track] for metric, (tracks, _) in WITHIN_TRACKS.items() for track in tracks
    )


def _pairs(distances: Mapping[str, float]) -> tuple[float, ...]:
    """Return the distances in the order of the paper, whatever that of a pair's tracks."""
    unordered = {frozenset(pair.split("-")): distance for pair, distance in distances.items()}
    return tuple(unordered[frozenset(pair.split("-"))] for pair in PAIRS)


def _binarised(values: MetricTable) -> tuple[float, ...]:
    qualified = [values["QN"][track] / 100 for track in MELODIC]
    polyphonic = [values["PP"][track] for track in MELODIC]
    return (
        mean_of_known(qualified),
        mean_of_known(polyphonic),
        _pairs(values["TD"])[PAIRS.index("Guitar-Piano")],
        *qualified,
        *polyphonic,
    )


def _table(
    title: str,
    columns: Iterable[str],
    published: Mapping[str, tuple[float, ...]],
    ours: Mapping[str, tuple[float, ...]],
    meanings: Iterable[str],
) -> Table:
    caption = "\n".join([*(f"- {meaning}" for meaning in meanings), "", OTHER_DATA])
    table = Table(title=title, caption=caption, caption_justify="left", box=box.SIMPLE, padding=0)
    table.add_column("songs of", width=NAME_WIDTH, overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", width=5)
    for name, values in published.items():
        table.add_row(f"published: {name}", *map(format_number, values), style="dim")
    for name, values in ours.items():
        table.add_row(name, *map(format_number, values))
    return table
