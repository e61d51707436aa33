"""How near made music is to real songs: what `pianoreel music evaluate` prints and writes.

Every set of phrases is measured against the same half of the training songs' phrases. Beside what
was made stand real rows, which say how near is near (the other half; songs that were held out), and
baselines that must be beaten (tracks shuffled between phrases, independent cells, other songs).
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from core.config import UserError
from musegen.collection import Collection
from musegen.metrics import (
    METRICS,
    Heard,
    Metric,
    Phrases,
    Table,
    Yardstick,
    copied_bars,
    diversity,
    measure,
    overlapped_area,
)
from musegen.midi import RejectedFile, read_midi
from musegen.roll import HOLD, ONSET, SILENT
from musegen.sources import MIDI, find

REFERENCE_PHRASES = 1000
"""At most so many phrases of each half of the data are measured."""

SCORED_PHRASES = 128
"""Of each set, for the distributions over phrases."""


@dataclass(frozen=True)
class Row:
    """One set of phrases against the reference.

    parts: the yardstick's distance of each metric. overlap: for each metric and track the area
    that the distributions over phrases share with the reference's, 0 to 1. alike: mean Jaccard
    similarity of two phrases. copied: share of its bars that stand note for note in the training
    songs; NaN for the training songs themselves.
    """

    name: str
    phrases: int
    distance: float
    parts: dict[str, float]
    metrics: Table
    overlap: Table
    alike: float
    copied: float


@dataclass(frozen=True)
class Report:
    """All rows; the first is the reference itself, the second what was made."""

    rows: tuple[Row, ...]
    pairs: tuple[str, ...] = field(default=())

    @property
    def made(self) -> Row:
        return self.rows[1]

    def json(self) -> str:
        """All numbers; what does not exist is null."""
        rows = [_plain(row.__dict__) for row in self.rows]
        return json.dumps({"rows": rows}, indent=1, allow_nan=False)


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def evaluate(
    made: Phrases,
    data: Collection,
    name: str = "made",
    other: Collection | None = None,
    seed: int = 0,
) -> Report:
    """Measure `made` [phrase track bar step pitch], in the data's form, beside real rows.

    `other`: another real collection of the same form, as one more row.
    """
    generator = np.random.default_rng(seed)
    judge = _Judge.of(data, generator)
    sets = [(name, made), *_real(data, judge, generator), *_baselines(judge.reference, generator)]
    if other:
        sets.append((f"other songs ({other.store.folder.name})", _drawn(other, generator, data)))
    reference = judge.row("training songs, one half", judge.reference)
    return Report((reference, *(judge.row(label, cells) for label, cells in sets)))


def _real(
    data: Collection, judge: "_Judge", generator: np.random.Generator
) -> Iterator[tuple[str, Phrases]]:
    yield "training songs, other half", judge.other_half
    test = data.indices("test")
    if len(test):
        chosen = generator.permutation(test)[:REFERENCE_PHRASES]
        yield "held-out songs", data.rolls(np.sort(chosen))


def _baselines(
    reference: Phrases, generator: np.random.Generator
) -> Iterator[tuple[str, Phrases]]:
    yield "tracks shuffled between phrases", shuffled_tracks(reference, generator)
    yield "independent cells", independent_cells(reference, generator)


def shuffled_tracks(cells: Phrases, generator: np.random.Generator) -> Phrases:
    """Each track of each phrase taken from a phrase of its own: right parts, no ensemble."""
    tracks = [cells[generator.permutation(len(cells)), t] for t in range(cells.shape[1])]
    return np.stack(tracks, 1)


def independent_cells(cells: Phrases, generator: np.random.Generator) -> Phrases:
    """Every cell drawn alone, by how often it is an onset or held in the data's phrases.

    A hold that follows silence becomes an onset.
    """
    onset, held = ((cells == state).mean((0, 2)) for state in (ONSET, HOLD))  # [track step pitch]
    made = np.empty_like(cells)
    for phrase in made:
        chance = generator.random(phrase.shape, dtype=np.float32)
        is_onset = chance < onset[:, None]
        is_held = ~is_onset & (chance < (onset + held)[:, None])
        phrase[:] = np.where(is_onset, ONSET, np.where(is_held, HOLD, SILENT))
    flat = made.reshape(*made.shape[:2], -1, made.shape[4])
    before = np.concatenate([np.zeros_like(flat[:, :, :1]), flat[:, :, :-1]], 2)
    flat[(flat == HOLD) & (before == SILENT)] = ONSET
    return made


def _drawn(other: Collection, generator: np.random.Generator, data: Collection) -> Phrases:
    if (other.grid, other.tracks, other.bars) != (data.grid, data.tracks, data.bars):
        raise UserError(f"{other.store.folder} was prepared with other tracks, grid or bars")
    indices = np.concatenate([other.indices("train"), other.indices("test")])
    return other.rolls(np.sort(generator.permutation(indices)[:REFERENCE_PHRASES]))


@dataclass(frozen=True)
class _Judge:
    """The reference, and all that is measured against it."""

    data: Collection
    reference: Phrases
    other_half: Phrases
    yardstick: Yardstick
    scores: dict[str, dict[str, np.ndarray]]

    @classmethod
    def of(cls, data: Collection, generator: np.random.Generator) -> "_Judge":
        train = generator.permutation(data.indices("train"))[: 2 * REFERENCE_PHRASES]
        if len(train) < 2:
            raise UserError(f"{data.store.folder} has too few phrases to measure against")
        half = len(train) // 2
        reference, other = (data.rolls(np.sort(part)) for part in (train[:half], train[half:]))
        yardstick = Yardstick.of(reference, data.grid, data.tracks)
        return cls(data, reference, other, yardstick, _scores(reference, data))

    def row(self, name: str, cells: Phrases) -> Row:
        is_training = name.startswith("training")
        parts = self.yardstick.parts(cells)
        return Row(
            name,
            len(cells),
            float(np.nanmean(list(parts.values()))),
            parts,
            measure(cells, self.data.grid, self.data.tracks),
            self._overlap(cells),
            diversity(cells),
            float("nan") if is_training else copied_bars(cells, self._training),
        )

    @property
    def _training(self) -> Phrases:
        return np.concatenate([self.reference, self.other_half])

    def _overlap(self, cells: Phrases) -> Table:
        scores = _scores(cells, self.data)
        return {
            metric: {track: overlapped_area(values, real[track]) for track, values in of.items()}
            for (metric, of), real in zip(scores.items(), self.scores.values(), strict=True)
        }


def _scores(cells: Phrases, data: Collection) -> dict[str, dict[str, np.ndarray]]:
    """Each metric of each track, phrase by phrase."""
    return {
        metric.name: {
            track.name: _by_phrase(cells[:SCORED_PHRASES, number], data, metric)
            for number, track in enumerate(data.tracks)
            if metric.applies(track)
        }
        for metric in METRICS
    }


def _by_phrase(cells: np.ndarray, data: Collection, metric: Metric) -> np.ndarray:
    return np.array([metric.of(Heard(one[None], data.grid)) for one in cells])


def read_phrases(folder: Path, data: Collection) -> Phrases:
    """The phrases of a folder of MIDI files, in the data's form, one after another."""
    phrases: list[np.ndarray] = []
    for source in find([str(folder)], MIDI, _limits()):
        try:
            song = read_midi(source.read(_limits()), data.tracks, data.grid)
        except RejectedFile:
            continue
        cells = song.roll().cells
        whole = cells.shape[1] // data.bars
        phrases += [cells[:, n * data.bars : (n + 1) * data.bars] for n in range(whole)]
    if not phrases:
        raise UserError(f"{folder} holds no run and no MIDI file of {data.bars} bars or more")
    return np.stack(phrases)
