"""The evaluation of generated music against real songs, for `pianoreel music evaluate`.

Every set is measured against the same half of the training data: phrases by the yardstick, longer
excerpts by all that a listener hears (`likeness`). Rows of real songs (the other half, held-out
songs) show what distance real music has; baselines (tracks shuffled between phrases, independent
cells, other songs) must be beaten.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from core.app.report import Kind, Report
from core.data.preparation import NothingKept
from core.data.sources import expand_patterns, scan
from core.errors import UserError
from core.files import temporary_folder
from core.wording import counted
from musegen.data.band import songs
from musegen.data.collection import Collection, spread
from musegen.data.preparation import prepare, settings_of
from musegen.files.limits import MusicLimits
from musegen.measures import published
from musegen.measures.hearing import (
    LENGTHS,
    Hearing,
    Judgement,
    Lengths,
    cut_cells,
    cut_notes,
    cut_songs,
    halves,
    lengths_of,
)
from musegen.measures.metrics import METRICS, Metric, MetricTable, TrackPhrases, measure
from musegen.measures.resemblance import onset_f1, overlapping_area, self_similarity
from musegen.measures.yardstick import Yardstick, mean_of_known
from musegen.roll import HOLD, ONSET, SILENT, Grid, Phrases, PlayedPhrases, cut_phrases, notes_of
from musegen.smf.chunks import SONG_FILES
from musegen.tracks import TRACK_LISTS

if TYPE_CHECKING:
    from musegen.model import Model

LOG = logging.getLogger("pianoreel")

NamedPhrases = Iterator[tuple[str, Kind, Phrases, Lengths | None]]

REFERENCE_BARS = 4000
"""The largest number of bars, as phrases, of each half of the data that are measured."""

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
    encoder. songs: excerpts of them; without, the phrases are taken.
    """

    name: str
    phrases: Phrases
    reconstruction: float = NAN
    songs: Lengths | None = None


@dataclass(frozen=True)
class Row(Judgement):
    """The measurements of one set of phrases and of songs against the reference.

    distances: the yardstick's distance of each metric, and `distance` their mean. metrics: their
    values by track. overlap: the overlapping area of each metric's distribution over phrases with
    the reference's, 0 to 1. self_similarity: mean Jaccard similarity of two phrases.
    reconstruction: see `Generated`; published: metrics as MuseGAN's papers define them; the other
    measurements: see `Judgement`.
    """

    name: str
    kind: Kind
    phrase_count: int
    distance: float
    distances: dict[str, float]
    metrics: MetricTable
    overlap: MetricTable
    self_similarity: float
    published: MetricTable
    reconstruction: float = NAN


def evaluate(
    generated: Generated,
    data: Collection,
    others: Sequence[Generated] = (),
    other_data: Collection | None = None,
    seed: int = 0,
) -> Report:
    """Measure generated phrases and songs, with real songs and baselines as further rows.

    `others`: phrases of other models. `other_data`: another real collection with the same tracks,
    grid and bars, as one more baseline.
    """
    generator = np.random.default_rng(seed)
    reference = _Reference.of(data, generator, seed)
    rows = [reference.training_row("training, one half", reference.phrases, 0)]
    for one in (generated, *others):
        measured = (one.phrases, one.songs, one.reconstruction)
        rows.append(reference.row(one.name, "generated", *measured))
    rows.append(reference.training_row("training, other half", reference.other_half, 1))
    rows += [reference.row(*one) for one in _held_out_songs(data, reference.lengths, generator)]
    rows += [reference.row(*one) for one in _baselines(data, reference, generator)]
    if other_data:
        data.require_form_of(other_data)
        phrases = _sample_phrases(other_data, generator)
        name = f"other songs ({other_data.store.folder.name})"
        songs = cut_songs(other_data, other_data.splits, reference.lengths)
        rows.append(reference.row(name, "baseline", phrases, songs))
    return Report(tuple(rows))


def _held_out_songs(
    data: Collection, lengths: Sequence[int], generator: np.random.Generator
) -> NamedPhrases:
    test = data.indices("test")
    if len(test):
        chosen = generator.permutation(test)[: _most_phrases(data)]
        phrases = data.rolls(np.sort(chosen))
        yield "held-out songs", "real", phrases, cut_songs(data, ["test"], lengths)


def _baselines(
    data: Collection, reference: "_Reference", generator: np.random.Generator
) -> NamedPhrases:
    real = reference.phrases
    yield "tracks shuffled", "baseline", shuffled_tracks(real, generator), None
    yield "independent cells", "baseline", independent_cells(real, generator), None
    if (data.tracks, data.grid.beats_per_bar, data.grid.beat_unit) == (TRACK_LISTS["lakh"], 4, 4):
        rolls = [roll.cells[None] for roll, _ in songs(BAND_SONGS, seed=0, grid=data.grid)]
        phrases, long = (
            np.concatenate([cut_phrases(cells, bars) for cells in rolls])
            for bars in (data.bars, LENGTHS[0])
        )
        played = cut_cells(long if len(long) else phrases, data, reference.lengths)
        yield "the procedural band", "baseline", phrases, played


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
    return data.rolls(np.sort(generator.permutation(indices)[: _most_phrases(data)]))


def _most_phrases(data: Collection) -> int:
    """Return how many phrases of a set are measured: their cells fill the memory by bars."""
    return max(1, REFERENCE_BARS // data.bars)


@dataclass(frozen=True)
class _Reference:
    """One half of the training data, with the measurements to compare others against.

    Phrases are halved at random, songs as wholes.
    """

    data: Collection
    phrases: Phrases
    other_half: UInt8[np.ndarray, "other_phrase track bar step pitch"]
    yardstick: Yardstick
    scores: dict[str, dict[str, np.ndarray]]
    hearing: Hearing
    halves: tuple[Lengths, Lengths]

    @property
    def lengths(self) -> tuple[int, ...]:
        """Return the numbers of bars of the excerpts that are measured."""
        return tuple(self.hearing.real)

    @classmethod
    def of(cls, data: Collection, generator: np.random.Generator, seed: int) -> "_Reference":
        """Halve random training phrases, and the training songs; measure the first halves."""
        train = generator.permutation(data.indices("train"))[: 2 * _most_phrases(data)]
        if len(train) < 2:
            raise UserError(
                f"{data.store.folder} has {len(train)} training phrases: an evaluation needs 2 "
                "or more, prepare more songs"
            )
        half = len(train) // 2
        phrases, other = (data.rolls(np.sort(part)) for part in (train[:half], train[half:]))
        yardstick = Yardstick.of(phrases, data.grid, data.tracks)
        excerpts = halves(data, lengths_of(data), seed)
        hearing = Hearing.of(excerpts[0], data)
        scores = _scores(phrases, data)
        return cls(data, phrases, other, yardstick, scores, hearing, excerpts)

    def row(
        self,
        name: str,
        kind: Kind,
        cells: Phrases,
        songs: Lengths | None = None,
        reconstruction: float = NAN,
    ) -> Row:
        """Measure one set of phrases and songs; without songs the phrases are judged."""
        distances = self.yardstick.distances(cells)
        songs = songs or cut_cells(cells, self.data, self.lengths)
        judgement = self.hearing.judge(songs, mean_of_known(distances.values()))
        return self._row(name, kind, cells, distances, judgement, reconstruction)

    def training_row(self, name: str, cells: Phrases, half: int) -> Row:
        """Measure one of the halves."""
        distances = self.yardstick.distances(cells)
        distance = mean_of_known(distances.values())
        judgement = self.hearing.judge(self.halves[half], distance, is_training=True)
        return self._row(name, "real", cells, distances, judgement)

    def _row(
        self,
        name: str,
        kind: Kind,
        cells: Phrases,
        distances: dict[str, float],
        judgement: Judgement,
        reconstruction: float = NAN,
    ) -> Row:
        return Row(
            **judgement.__dict__,
            name=name,
            kind=kind,
            phrase_count=len(cells),
            distance=mean_of_known(distances.values()),
            distances=distances,
            metrics=measure(cells, self.data.grid, self.data.tracks),
            overlap=self._overlap(cells),
            self_similarity=self_similarity(cells),
            published=published.measure(cells, self.data.grid, self.data.tracks),
            reconstruction=reconstruction,
        )

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
    scores: dict[str, dict[str, np.ndarray]] = {metric.name: {} for metric in METRICS}
    for number, track in enumerate(data.tracks):
        metrics = [metric for metric in METRICS if metric.applies(track)]
        for metric, values in _by_phrase(scored[:, number], data.grid, metrics).items():
            scores[metric][track.name] = values
    return scores


def _by_phrase(cells: np.ndarray, grid: Grid, metrics: Sequence[Metric]) -> dict[str, np.ndarray]:
    phrases = (TrackPhrases(one[None], grid) for one in cells)  # which share what metrics count
    values = np.array([[metric.compute(phrase) for metric in metrics] for phrase in phrases])
    return dict(zip((metric.name for metric in metrics), values.T, strict=True))


def generate(
    subject: "Model | Path",
    data: Collection,
    count: int,
    seed: int,
    other_data: Collection | None = None,
) -> Generated:
    """Sample `count` phrases of a model, or read the phrases of a folder of MIDI files.

    As many bars are sampled as songs, at the length at which the collection is measured. A model's
    reconstructions of held-out phrases are scored too. `other_data`: the songs that a translation
    model translates. A model that accompanies is given tracks of held-out songs.
    """
    if isinstance(subject, Path):
        return read_folder(subject, data)
    data.require_form(subject.name, subject.spec.grid, subject.spec.tracks)
    if subject.parts.given:
        return _accompanied(subject, data, count, seed)
    reconstruction, lengths = reconstruction_f1(subject, data, seed), lengths_of(data)
    if not subject.draws:
        examples = _held_out(subject.source(data, other_data), count)
        return Generated(subject.name, subject.transform(examples, seed=seed), reconstruction)
    bars = max(*lengths, data.bars)
    notes = subject.notes(-(-count * data.bars // bars), seed, bars)
    phrases = (
        subject.cells_of(notes, bars)
        if bars == data.bars
        else subject.cells(count, seed, data.bars)
    )
    songs = cut_notes(notes, bars, data, lengths)
    return Generated(subject.name, phrases, reconstruction, songs)


def _accompanied(model: "Model", data: Collection, count: int, seed: int) -> Generated:
    """Make tracks beside real ones, in excerpts as long as those that are measured."""
    lengths = lengths_of(data)
    bars = max(*lengths, data.bars)
    found = [data.beginnings(bars, split) for split in data.splits]
    begins = spread(
        next(one for one in reversed(found) if len(one)), -(-count * data.bars // bars)
    )
    excerpt, notes = data.excerpts(begins, bars)
    real = model.cells_of([notes[excerpt == number] for number in range(len(begins))], bars)
    cells = model.accompanied(real, seed)
    names = ", ".join(data.tracks[number].name for number in model.parts.given)
    songs = cut_notes([notes_of(one) for one in cells], bars, data, lengths)
    phrases = cut_phrases(cells, data.bars)
    return Generated(f"{model.name} (beside real {names})", phrases, songs=songs)


def _held_out(data: Collection, count: int) -> Phrases:
    return data.rolls(spread(data.indices(data.splits[-1]), count))


def reconstruction_f1(model: "Model", data: Collection, seed: int) -> float:
    """Return the onset F1 of a model's reconstructions of held-out phrases; NaN if it has none."""
    if "encoder" not in model.networks or model.spec.bars != data.bars:
        return NAN
    phrases = _held_out(data, RECONSTRUCTED_PHRASES)
    return onset_f1(phrases, PlayedPhrases.of(model.reconstruct(phrases, seed=seed)).cells)


def read_folder(folder: Path, data: Collection) -> Generated:
    """Read a folder of MIDI files with the settings of a collection, as if it were prepared.

    So both have the same selection: metre, tracks that must sound, no song twice; broken files
    and stems are left out, and a line says how many.
    """
    phrase = f"a phrase of {counted(data.bars, 'bar')}"
    missing = f"{folder} holds no run and no MIDI file with {phrase}"
    if not scan(expand_patterns([str(folder)]), SONG_FILES, MusicLimits()).count:
        raise UserError(missing)
    with temporary_folder() as aside:
        try:
            found = prepare([str(folder)], aside, settings_of(data), jobs=0)
        except NothingKept as error:
            raise UserError(f"{missing}: {error.summary}") from error
        if found.unmeasured:
            LOG.info("%s: %s", folder, found.unmeasured)
        songs = Collection.open(aside)
        indices = np.concatenate([songs.indices(split) for split in songs.splits])
        phrases = songs.rolls(spread(indices, _most_phrases(data)))
        excerpts = cut_songs(songs, songs.splits, lengths_of(data))
        return Generated(str(folder), phrases, songs=excerpts)
