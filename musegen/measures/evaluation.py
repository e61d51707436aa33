"""How near made music is to real songs: what `pianoreel music evaluate` prints and writes.

Every set of phrases is measured against the same half of the training songs' phrases. Beside what
was made stand real rows, which say how near is near (the other half; songs held out), and
baselines that must be beaten (tracks shuffled between phrases, independent cells, other songs).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from core.app.report import Kind, Report
from core.data.sources import RejectedFile, find_sources, roots
from core.errors import UserError
from musegen.data.band import songs
from musegen.data.collection import Collection, spread
from musegen.files.limits import MusicLimits
from musegen.files.midi import read_midi
from musegen.files.smf import MIDI
from musegen.measures.metrics import (
    METRICS,
    Metric,
    Phrases,
    Table,
    TrackPhrases,
    Yardstick,
    copied_bars,
    diversity,
    measure,
    overlapped_area,
    returned_notes,
)
from musegen.roll import HOLD, ONSET, SILENT, Roll
from musegen.tracks import TRACK_LISTS

if TYPE_CHECKING:
    from musegen.model import Model

Sets = Iterator[tuple[str, Kind, Phrases]]

REFERENCE_PHRASES = 1000
"""At most so many phrases of each half of the data are measured."""

BAND_SONGS = 40

SCORED_PHRASES = 128
"""Of each set, for the distributions over phrases."""

RETURNED_PHRASES = 128
"""So many phrases of the data pass through a model that can encode them."""


@dataclass(frozen=True)
class Made:
    """What was made, by what, and how much of the data comes back (NaN: nothing is encoded)."""

    name: str
    phrases: Phrases
    again: float = float("nan")


@dataclass(frozen=True)
class Row:
    """One set of phrases against the reference.

    A baseline is to be beaten, or is real but of other songs. parts: the yardstick's distance of
    each metric. overlap: for each metric and track the area that the distributions over phrases
    share with the reference's, 0 to 1. alike: mean Jaccard similarity of two phrases. copied:
    share of its bars that stand note for note in the measured training phrases; NaN for those
    themselves. again: what comes back of held-out phrases, see `returned_notes`.
    """

    name: str
    kind: Kind
    phrases: int
    distance: float
    parts: dict[str, float]
    metrics: Table
    overlap: Table
    self_similarity: float
    copied: float
    again: float = float("nan")


def evaluate(
    made: Made,
    data: Collection,
    beside: Sequence[Made] = (),
    other: Collection | None = None,
    seed: int = 0,
) -> Report:
    """Measure what was made, in the data's form, beside real rows.

    `beside`: what others made. `other`: another real collection of the same form, as one more row.
    """
    generator = np.random.default_rng(seed)
    judge = _Judge.of(data, generator)
    rows = [
        judge.row("training, one half", "real", judge.reference),
        *(judge.row(one.name, "generated", one.phrases, one.again) for one in (made, *beside)),
    ]
    rows += [judge.row(*one) for one in _real(data, judge, generator)]
    rows += [judge.row(*one) for one in _baselines(data, judge.reference, generator)]
    if other:
        songs = _drawn(other, generator, data)
        rows.append(judge.row(f"other songs ({other.store.folder.name})", "baseline", songs))
    return Report(tuple(rows))


def _real(data: Collection, judge: "_Judge", generator: np.random.Generator) -> Sets:
    yield "training, other half", "real", judge.other_half
    test = data.indices("test")
    if len(test):
        chosen = generator.permutation(test)[:REFERENCE_PHRASES]
        yield "held-out songs", "real", data.rolls(np.sort(chosen))


def _baselines(data: Collection, reference: Phrases, generator: np.random.Generator) -> Sets:
    yield "tracks shuffled", "baseline", shuffled_tracks(reference, generator)
    yield "independent cells", "baseline", independent_cells(reference, generator)
    if (data.tracks, data.grid.beats_per_bar) == (TRACK_LISTS["lakh"], 4):
        rolls = [roll for roll, _ in songs(BAND_SONGS, seed=0, grid=data.grid)]
        played = [phrase for roll in rolls for phrase in _whole_phrases(roll, data.bars)]
        yield "the procedural band", "baseline", np.stack(played)


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
    data.require_form_of(other)
    indices = np.concatenate([other.indices("train"), other.indices("test")])
    return other.rolls(np.sort(generator.permutation(indices)[:REFERENCE_PHRASES]))


@dataclass(frozen=True)
class _Judge:
    """The reference, and all that is measured against it."""

    data: Collection
    reference: Phrases
    other_half: UInt8[np.ndarray, "other track bar step pitch"]
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

    def row(self, name: str, kind: Kind, cells: Phrases, again: float = float("nan")) -> Row:
        is_training = cells is self.reference or cells is self.other_half
        parts = self.yardstick.parts(cells)
        return Row(
            name,
            kind,
            len(cells),
            float(np.nanmean(list(parts.values()))),
            parts,
            measure(cells, self.data.grid, self.data.tracks),
            self._overlap(cells),
            diversity(cells),
            float("nan") if is_training else copied_bars(cells, self._training),
            again,
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
    return np.array([metric.of(TrackPhrases(one[None], data.grid)) for one in cells])


def _whole_phrases(roll: Roll, bars: int) -> list[np.ndarray]:
    """The roll's whole phrases, [track bar step pitch] each."""
    return [roll.cells[:, n : n + bars] for n in range(0, roll.bars - bars + 1, bars)]


def made_of(
    subject: str | None,
    data: Collection,
    count: int,
    seed: int,
    device: str = "auto",
    other: Collection | None = None,
) -> Made:
    """Phrases in the data's form: `count` samples of a run, or those of a folder of MIDI files.

    None: of the weights that ship. `other`: what a model that translates is given.
    """
    folder = Path(subject or "")
    if subject and folder.is_dir() and not (folder / "config.yaml").exists():
        return Made(subject, _read_phrases(folder, data))
    from musegen.model import Model  # torch is needed for a run only

    model = Model.load(subject, device)
    if (model.spec.grid, model.spec.tracks) != (data.grid, data.tracks):
        name = subject or "the shipped model"
        raise UserError(f"{name} and {data.store.folder} have different grids or tracks")
    made = made_by(model, data, count, seed, other)
    return replace(made, name=subject or "shipped weights")


def made_by(
    model: "Model", data: Collection, count: int, seed: int, other: Collection | None = None
) -> Made:
    """`count` phrases of a model, and how much of held-out ones comes back of its encoding."""
    made = _sampled(model, data, count, seed, other)
    return Made(model.name, made, returned_by(model, data, seed))


def _sampled(
    model: "Model", data: Collection, count: int, seed: int, other: Collection | None
) -> Phrases:
    """Drawn from nothing, or made of held-out phrases."""
    if model.draws:
        return model.cells(count, seed, data.bars)
    if model.translates and not other:
        raise UserError(f"{model.name} translates: say from which collection with --other")
    return model.transform(_held_out(other or data, count), seed)


def _held_out(data: Collection, count: int) -> Phrases:
    return data.rolls(spread(data.indices(data.splits[-1]), count))


def returned_by(model: "Model", data: Collection, seed: int) -> float:
    """How much of held-out phrases comes back."""
    if "encoder" not in model.networks or model.spec.bars != data.bars:
        return float("nan")
    phrases = _held_out(data, RETURNED_PHRASES)
    return returned_notes(phrases, model.reconstruct(phrases, seed))


def _read_phrases(folder: Path, data: Collection) -> Phrases:
    """The whole phrases of a folder's MIDI files, one after another; broken files are left out."""
    phrases: list[np.ndarray] = []
    for source in find_sources(roots([str(folder)]), MIDI, MusicLimits()):
        try:
            song = read_midi(source.read(MusicLimits()), data.tracks, data.grid)
        except RejectedFile:
            continue
        phrases += _whole_phrases(song.roll(), data.bars)
    if not phrases:
        raise UserError(f"{folder} holds no run and no MIDI file of {data.bars} bars or more")
    return np.stack(phrases)
