"""Evaluate a model of notes: do its notes have their pitches, and their instruments?

Pairs of an instrument and a pitch of training and held-out ones form two groups. In
each, a model's samples have the pitches of the real notes and timbres of the prior; where it has
an encoder, it also plays each real note in the timbre of another note of its take, of training.
Real notes give the best possible values, noise those of chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan

import numpy as np
import torch
from jaxtyping import Float, Int

from core.app.evaluation import TRAINING_STEPS
from core.app.report import Kind, Report
from core.data.collection import Split
from core.data.preparation import Tasks, unshown
from core.errors import UserError
from core.theory.divergences import frechet_distance
from musegen.voice.conditions import examples_of
from musegen.voice.data.collection import Collection, NoteBatch
from musegen.voice.fundamental import harmonicity, hear, is_right
from musegen.voice.measures.classifier import Classifier, load_classifier
from musegen.voice.measures.metrics import (
    assigned,
    clusters,
    constancy,
    different_bins,
    diversity,
)
from musegen.voice.model import Model
from musegen.voice.spectrogram import Sounds

SPLITS: dict[Split, str] = {"train": "seen pairs", "test": "held-out pairs"}
MOST_BINS, NOTES_PER_BIN = 50, 8
"""Bins of NDB, as in the paper, or fewer so that a bin has about so many notes."""
TIMBRES, OCTAVES = 12, 2
"""Timbres whose constancy is measured, over so many octaves."""
SHOWN = 8
"""Notes of the picture."""


@dataclass(frozen=True)
class Row:
    """The measurements of one set of notes, each with a wanted pitch.

    `right`: share at their pitch to the exact judge, `named_pitch` and `named_timbre` to the
    classifier. `harmonicity`: mean share of energy that repeats with the wanted period. `frechet`:
    squared Frechet distance to other real notes, `bins`: NDB / k to them. `diversity`: mean
    distance of two notes of a pitch, `constancy`: share of a timbre's notes that keep their
    instrument. NaN stands for what is not measured.
    """

    group: str
    name: str
    kind: Kind
    notes: int
    right: float
    named_pitch: float
    named_timbre: float
    harmonicity: float
    frechet: float
    bins: float
    diversity: float
    constancy: float = nan


@dataclass(frozen=True)
class Evaluation(Report):
    """The rows; by instrument the share of real notes that the judge hears right; a few notes."""

    calibration: dict[str, float]
    rate: int
    titles: tuple[str, ...]
    sounds: Float[np.ndarray, "note sample"]


@dataclass(frozen=True)
class Group:
    """Real notes, as many others to compare with, and for each another note of its take."""

    name: str
    real: NoteBatch
    other: NoteBatch
    partners: NoteBatch

    @classmethod
    def draw(cls, data: Collection, split: Split, count: int, seed: int) -> "Group":
        """Draw `count` notes of a split, or all where there are fewer, twice, without repetition
        where there are enough."""
        generator = np.random.default_rng([seed, 0])
        numbers = generator.permutation(data.indices(split))
        half = min(count, max(len(numbers) // 2, 1))
        first, second = numbers[:half], numbers[half : 2 * half]
        second = second if len(second) else first  # of a single note
        real, other = data.notes_of(first), data.notes_of(second)
        return cls(SPLITS[split], real, other, data.notes_of(_partners(data, first, generator)))


def _partners(
    data: Collection, notes: Int[np.ndarray, " note"], generator: np.random.Generator
) -> Int[np.ndarray, " note"]:
    """Return for each note a training note of its take, at another pitch where there is one."""
    takes, pitch = data.store.whole["take"], data.store.whole["pitch"]
    trained = data.indices("train")
    chosen = []
    for note in notes:
        own = trained[takes[trained] == takes[note]]
        others = own[pitch[own] != pitch[note]]
        chosen.append(generator.choice(others) if len(others) else note)
    return np.array(chosen)


def evaluate(
    models: Sequence[Model],
    data: Collection,
    count: int = 256,
    seed: int = 0,
    tasks: Tasks = unshown,
) -> Evaluation:
    """Measure models beside real notes and noise.

    `tasks` follow the training of the classifier, if this data has none yet. `UserError` where a
    model makes notes of another rate or length than the data's.
    """
    for model in models:
        _require_same_form(model, data)
    steps = tasks(TRAINING_STEPS.format("a classifier of real notes"))
    judge = _Judge(load_classifier(data, steps), data)
    groups = [Group.draw(data, split, count, seed) for split in data.splits]
    rows, tick = list[Row](), tasks("groups of notes measured")
    for number, group in enumerate(groups, 1):
        rows += judge.rows(group, models, seed)
        tick(number, len(groups))
    model, group = models[0], groups[-1]
    titles, sounds = _shown(model, group, seed)
    return Evaluation(tuple(rows), judge.calibration(groups), data.sample_rate_hz, titles, sounds)


def _require_same_form(model: Model, data: Collection) -> None:
    spec = model.spec
    wanted = spec.sample_rate_hz, spec.samples
    if wanted != (data.sample_rate_hz, data.samples):
        raise UserError(
            f"{model.name} makes notes of {spec.seconds:g} s at {spec.sample_rate_hz} Hz, and "
            f"these are of {data.seconds:g} s at {data.sample_rate_hz}: prepare them with "
            f"--seconds {spec.seconds:g} --rate {spec.sample_rate_hz}"
        )


def _shown(
    model: Model, group: Group, seed: int
) -> tuple[tuple[str, ...], Float[np.ndarray, "note sample"]]:
    """Return a few real notes and below them the model's samples of their pitches."""
    real = group.real.sounds[: SHOWN // 2]
    pitches = group.real.pitches[: SHOWN // 2]
    sounds = model.samples(pitches.tolist(), seed).numpy()
    names = examples_of(group.real).conditions or ()
    titles = [f"{kind} {name}" for kind in ("real", model.name) for name in names[: SHOWN // 2]]
    return tuple(titles), np.concatenate([real, sounds])


def transposed(model: Model, group: Group, seed: int) -> Sounds:
    """Return the real notes as a model plays them in the timbres of their partners."""
    partners, real = examples_of(group.partners), examples_of(group.real)
    points = model.encode(partners.items, partners.conditions)
    there = replace(points, c=model.conditioning(real.conditions))
    return model.decode(there, seed)


@dataclass(frozen=True)
class _Judge:
    classifier: Classifier
    data: Collection

    def rows(self, group: Group, models: Sequence[Model], seed: int) -> list[Row]:
        """Return the rows of models, of real notes and of noise."""
        rows = []
        for model in models:
            samples = model.samples(group.real.pitches.tolist(), seed)
            row = self.row(group, model.name, "generated", samples, None)
            rows.append(replace(row, constancy=self._constancy(model, seed)))
            if "encoder" in model.networks:
                sounds = transposed(model, group, seed)
                name = f"{model.name}, known timbres"
                rows.append(self.row(group, name, "generated", sounds, group.real.timbres))
        real = torch.from_numpy(group.real.sounds)
        row = self.row(group, "real notes", "real", real, group.real.timbres)
        rows.append(replace(row, constancy=self._real_constancy()))
        generator = torch.Generator().manual_seed(seed)
        noise = 0.1 * torch.randn(real.shape, generator=generator)
        return [*rows, self.row(group, "noise", "baseline", noise, group.real.timbres)]

    def row(
        self,
        group: Group,
        name: str,
        kind: Kind,
        sounds: Sounds,
        timbres: Int[np.ndarray, " note"] | None,
    ) -> Row:
        """Measure notes of the group's pitches; `timbres`: the instruments that are wanted."""
        rate, pitches = self.data.sample_rate_hz, group.real.pitches
        pairs = list(zip(sounds.numpy(), pitches.tolist(), strict=True))
        right = np.mean([is_right(hear(sound, rate), pitch) for sound, pitch in pairs])
        harmonic = np.nanmean([harmonicity(sound, rate, pitch) for sound, pitch in pairs])
        named_pitch, named_timbre = self.classifier.named(sounds)
        features = self.classifier.features(sounds)
        other = self.classifier.features(torch.from_numpy(group.other.sounds))
        return Row(
            group=group.name,
            name=name,
            kind=kind,
            notes=len(sounds),
            right=float(right),
            named_pitch=float(np.mean(named_pitch + self.data.lowest == pitches)),
            named_timbre=nan if timbres is None else float(np.mean(named_timbre == timbres)),
            harmonicity=float(harmonic),
            frechet=frechet_distance(features, other),
            bins=_bins(features, other),
            diversity=diversity(features, pitches),
        )

    def _constancy(self, model: Model, seed: int) -> float:
        pitches = self._middle()
        named = [
            self.classifier.named(model.notes_of(pitches, seed + number))[1]
            for number in range(TIMBRES)
        ]
        return constancy(np.stack(named))

    def _real_constancy(self) -> float:
        """Return the constancy of real takes over the same pitches."""
        whole, pitches = self.data.store.whole, self._middle()
        named = []
        for take in np.unique(whole["take"])[: 2 * TIMBRES : 2]:
            own = np.flatnonzero((whole["take"] == take) & np.isin(whole["pitch"], pitches))
            if len(own) == len(pitches):
                sounds = torch.from_numpy(self.data.notes_of(own).sounds)
                named.append(self.classifier.named(sounds)[1])
        return constancy(np.stack(named)) if named else nan

    def _middle(self) -> list[int]:
        """Return the pitches of two octaves in the middle, or all where there are fewer."""
        low, high = self.data.lowest, self.data.highest
        first = max(low, (low + high - 12 * OCTAVES) // 2)
        return list(range(first, min(high, first + 12 * OCTAVES) + 1))

    def calibration(self, groups: Sequence[Group]) -> dict[str, float]:
        """Return by instrument the share of real notes at their pitch to the exact judge."""
        rate = self.data.sample_rate_hz
        right: dict[str, list[bool]] = {}
        for batch in (batch for group in groups for batch in (group.real, group.other)):
            names = self.data.names(batch.timbres.tolist())
            for sound, pitch, name in zip(batch.sounds, batch.pitches, names, strict=True):
                right.setdefault(name, []).append(is_right(hear(sound, rate), int(pitch)))
        return {name: float(np.mean(found)) for name, found in sorted(right.items())}


def _bins(features: np.ndarray, other: np.ndarray) -> float:
    k = min(MOST_BINS, len(other) // NOTES_PER_BIN)
    if k < 2:
        return nan
    centres = clusters(other, k, 0)
    return different_bins(assigned(features, centres), assigned(other, centres), k)
