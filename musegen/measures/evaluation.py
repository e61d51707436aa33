"""The evaluation of generated music against real songs, for `pianoreel music evaluate`.

Every set of phrases is measured against the same half of the training phrases. Rows of real songs
(the other half, held-out songs) show what distance real music has; baselines (tracks shuffled
between phrases, independent cells, other songs) must be beaten.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from core.app.report import Kind, Report
from core.data.sources import RejectedFile, expand_patterns, iterate_sources
from core.errors import UserError
from musegen.data.band import songs
from musegen.data.collection import Collection, spread
from musegen.files.limits import MusicLimits
from musegen.files.midi import read_midi
from musegen.files.smf import MIDI
from musegen.measures.metrics import METRICS, Metric, MetricTable, TrackPhrases, measure
from musegen.measures.resemblance import copied_bars, onset_f1, overlapping_area, self_similarity
from musegen.measures.yardstick import Yardstick, mean_of_known
from musegen.roll import HOLD, ONSET, SILENT, Phrases, Roll
from musegen.tracks import TRACK_LISTS

if TYPE_CHECKING:
    from musegen.model import Model

NamedPhrases = Iterator[tuple[str, Kind, Phrases]]

REFERENCE_PHRASES = 1000
"""The largest number of phrases of each half of the data that are measured."""

BAND_SONGS = 40

SCORED_PHRASES = 128
"""Phrases of each set from which the distributions of metrics are computed."""

RECONSTRUCTED_PHRASES = 128
"""Phrases of the data that a model with an encoder reconstructs."""

NAN = float("nan")


@dataclass(frozen=True)
class Generated:
    """Phrases with the name of the model or folder that they come from.

    reconstruction: onset F1 of the model's reconstructions of held-out phrases; NaN without an
    encoder.
    """

    name: str
    phrases: Phrases
    reconstruction: float = NAN


@dataclass(frozen=True)
class Row:
    """The measurements of one set of phrases against the reference.

    distances: the yardstick's distance of each metric, and `distance` their mean. metrics: their
    values by track. overlap: the overlapping area of each metric's distribution over phrases with
    the reference's, 0 to 1. self_similarity: mean Jaccard similarity of two phrases. copied_bars:
    share of bars that are in the measured training phrases note for note; NaN for those
    themselves. reconstruction: see `Generated`.
    """

    name: str
    kind: Kind
    phrase_count: int
    distance: float
    distances: dict[str, float]
    metrics: MetricTable
    overlap: MetricTable
    self_similarity: float
    copied_bars: float
    reconstruction: float = NAN


def evaluate(
    generated: Generated,
    data: Collection,
    others: Sequence[Generated] = (),
    other_data: Collection | None = None,
    seed: int = 0,
) -> Report:
    """Measure generated phrases, with real songs and baselines as further rows.

    `others`: phrases of other models. `other_data`: another real collection with the same tracks,
    grid and bars, as one more baseline.
    """
    generator = np.random.default_rng(seed)
    reference = _Reference.of(data, generator)
    rows = [
        reference.row("training, one half", "real", reference.phrases),
        *(
            reference.row(one.name, "generated", one.phrases, one.reconstruction)
            for one in (generated, *others)
        ),
    ]
    rows += [reference.row(*one) for one in _real(data, reference, generator)]
    rows += [reference.row(*one) for one in _baselines(data, reference.phrases, generator)]
    if other_data:
        data.require_form_of(other_data)
        phrases = _sample_phrases(other_data, generator)
        name = f"other songs ({other_data.store.folder.name})"
        rows.append(reference.row(name, "baseline", phrases))
    return Report(tuple(rows))


def _real(
    data: Collection, reference: "_Reference", generator: np.random.Generator
) -> NamedPhrases:
    yield "training, other half", "real", reference.other_half
    test = data.indices("test")
    if len(test):
        chosen = generator.permutation(test)[:REFERENCE_PHRASES]
        yield "held-out songs", "real", data.rolls(np.sort(chosen))


def _baselines(
    data: Collection, reference: Phrases, generator: np.random.Generator
) -> NamedPhrases:
    yield "tracks shuffled", "baseline", shuffled_tracks(reference, generator)
    yield "independent cells", "baseline", independent_cells(reference, generator)
    if (data.tracks, data.grid.beats_per_bar) == (TRACK_LISTS["lakh"], 4):
        rolls = [roll for roll, _ in songs(BAND_SONGS, seed=0, grid=data.grid)]
        phrases = [phrase for roll in rolls for phrase in _whole_phrases(roll, data.bars)]
        yield "the procedural band", "baseline", np.stack(phrases)


def shuffled_tracks(cells: Phrases, generator: np.random.Generator) -> Phrases:
    """Take each track of each phrase from another random phrase: real parts, no ensemble."""
    tracks = [cells[generator.permutation(len(cells)), t] for t in range(cells.shape[1])]
    return np.stack(tracks, 1)


def independent_cells(cells: Phrases, generator: np.random.Generator) -> Phrases:
    """Sample every cell independently, with its frequencies of onset and hold in the data.

    A hold that follows silence becomes an onset.
    """
    onset, held = ((cells == state).mean((0, 2)) for state in (ONSET, HOLD))  # [track step pitch]
    sampled = np.empty_like(cells)
    for phrase in sampled:
        uniform = generator.random(phrase.shape, dtype=np.float32)
        is_onset = uniform < onset[:, None]
        is_held = ~is_onset & (uniform < (onset + held)[:, None])
        phrase[:] = np.where(is_onset, ONSET, np.where(is_held, HOLD, SILENT))
    phrases, tracks, bars, steps, pitches = cells.shape
    line = sampled.reshape(phrases, tracks, bars * steps, pitches)  # [phrase track step pitch]
    previous = np.concatenate([np.zeros_like(line[:, :, :1]), line[:, :, :-1]], 2)
    line[(line == HOLD) & (previous == SILENT)] = ONSET
    return sampled


def _sample_phrases(data: Collection, generator: np.random.Generator) -> Phrases:
    """Take random phrases of all splits, without replacement."""
    indices = np.concatenate([data.indices("train"), data.indices("test")])
    return data.rolls(np.sort(generator.permutation(indices)[:REFERENCE_PHRASES]))


@dataclass(frozen=True)
class _Reference:
    """One half of the training phrases, with the measurements to compare others against."""

    data: Collection
    phrases: Phrases
    other_half: UInt8[np.ndarray, "other_phrase track bar step pitch"]
    yardstick: Yardstick
    scores: dict[str, dict[str, np.ndarray]]

    @classmethod
    def of(cls, data: Collection, generator: np.random.Generator) -> "_Reference":
        """Split random training phrases into two halves, and measure the first."""
        train = generator.permutation(data.indices("train"))[: 2 * REFERENCE_PHRASES]
        if len(train) < 2:
            raise UserError(
                f"{data.store.folder} has {len(train)} training phrases: an evaluation needs 2 "
                "or more, prepare more songs"
            )
        half = len(train) // 2
        phrases, other = (data.rolls(np.sort(part)) for part in (train[:half], train[half:]))
        yardstick = Yardstick.of(phrases, data.grid, data.tracks)
        return cls(data, phrases, other, yardstick, _scores(phrases, data))

    def row(self, name: str, kind: Kind, cells: Phrases, reconstruction: float = NAN) -> Row:
        """Measure one set of phrases."""
        is_training = cells is self.phrases or cells is self.other_half
        distances = self.yardstick.distances(cells)
        return Row(
            name=name,
            kind=kind,
            phrase_count=len(cells),
            distance=mean_of_known(distances.values()),
            distances=distances,
            metrics=measure(cells, self.data.grid, self.data.tracks),
            overlap=self._overlap(cells),
            self_similarity=self_similarity(cells),
            copied_bars=NAN if is_training else copied_bars(cells, self._training),
            reconstruction=reconstruction,
        )

    @property
    def _training(self) -> Phrases:
        return np.concatenate([self.phrases, self.other_half])

    def _overlap(self, cells: Phrases) -> MetricTable:
        return {
            metric: {
                track: overlapping_area(values, self.scores[metric][track])
                for track, values in by_track.items()
            }
            for metric, by_track in _scores(cells, self.data).items()
        }


def _scores(cells: Phrases, data: Collection) -> dict[str, dict[str, np.ndarray]]:
    """Compute each metric of each track for every phrase alone."""
    scored = cells[spread(np.arange(len(cells)), SCORED_PHRASES)]
    return {
        metric.name: {
            track.name: _by_phrase(scored[:, number], data, metric)
            for number, track in enumerate(data.tracks)
            if metric.applies(track)
        }
        for metric in METRICS
    }


def _by_phrase(cells: np.ndarray, data: Collection, metric: Metric) -> np.ndarray:
    return np.array([metric.compute(TrackPhrases(one[None], data.grid)) for one in cells])


def _whole_phrases(roll: Roll, bars: int) -> list[np.ndarray]:
    """Cut a roll into phrases [track bar step pitch]; a shorter rest is left out."""
    return [roll.cells[:, n : n + bars] for n in range(0, roll.bars - bars + 1, bars)]


def generate(
    subject: "Model | Path",
    data: Collection,
    count: int,
    seed: int,
    other_data: Collection | None = None,
) -> Generated:
    """Sample `count` phrases of a model, or read the phrases of a folder of MIDI files.

    A model's reconstructions of held-out phrases are scored too. `other_data`: the songs that a
    translation model translates.
    """
    if isinstance(subject, Path):
        return Generated(str(subject), _read_phrases(subject, data))
    if (subject.spec.grid, subject.spec.tracks) != (data.grid, data.tracks):
        raise UserError(f"{subject.name} and {data} have different grids or tracks")
    phrases = _sample(subject, data, count, seed, other_data)
    return Generated(subject.name, phrases, reconstruction_f1(subject, data, seed))


def _sample(
    model: "Model", data: Collection, count: int, seed: int, other_data: Collection | None
) -> Phrases:
    """Sample from the prior; a model without one transforms held-out phrases."""
    if model.draws:
        return model.cells(count, seed, data.bars)
    return model.transform(_held_out(model.source(data, other_data), count), seed=seed)


def _held_out(data: Collection, count: int) -> Phrases:
    return data.rolls(spread(data.indices(data.splits[-1]), count))


def reconstruction_f1(model: "Model", data: Collection, seed: int) -> float:
    """Return the onset F1 of a model's reconstructions of held-out phrases; NaN if it has none."""
    if "encoder" not in model.networks or model.spec.bars != data.bars:
        return NAN
    phrases = _held_out(data, RECONSTRUCTED_PHRASES)
    return onset_f1(phrases, model.reconstruct(phrases, seed=seed))


def _read_phrases(folder: Path, data: Collection) -> Phrases:
    """Read the whole phrases of a folder's MIDI files; broken files are left out."""
    phrases: list[np.ndarray] = []
    for source in iterate_sources(expand_patterns([str(folder)]), MIDI, MusicLimits()):
        try:
            song = read_midi(source.read(MusicLimits()), data.tracks, data.grid)
        except RejectedFile:
            continue
        phrases += _whole_phrases(song.roll(), data.bars)
    if not phrases:
        raise UserError(f"{folder} holds no run and no MIDI file of {data.bars} bars or more")
    return np.stack(phrases)
