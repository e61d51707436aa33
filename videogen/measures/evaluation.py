"""How well clips show what their captions say: what `pianoreel video evaluate` prints and writes.

Captions that were trained on and captions held out stand apart, and so do clips of one moving
shape and of two. In each group real clips of the same captions say what the best would score, and
the model's own clips with their captions exchanged say what chance scores.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import nan

import numpy as np

from core.app.report import Kind, Report
from core.errors import UserError
from videogen.files.clip import Clips, FrameBatch, to_clips, to_frames
from videogen.measures.classifier import Classifier, Tick, trained
from videogen.measures.metrics import diversity, first_choice, frechet, returned, right_over_wrong
from videogen.model import CaptionedClips, DataSpec, Model
from videogen.shapes.dataset import MovingShapes
from videogen.shapes.drawing import draw
from videogen.shapes.grammar import Split
from videogen.shapes.judge import agreement

EXAMPLES = 6
"""Captions of which a real and a made clip are kept to be shown."""

WRONG_CAPTIONS = "wrong_captions"
"""Weights that ship."""

SPLITS: dict[Split, str] = {"train": "seen", "test": "held-out"}
NUMBERS = {1: "one shape", 2: "two shapes"}


@dataclass(frozen=True)
class Row:
    """One set of clips, each with the caption that it was made for.

    shown: share of moving shapes that the judge reads as the caption says, for each attribute and
    for all; empty for other clips. right: how often a clip is nearer to its caption than to
    another one (chance: 0.5). first: how often its caption is the nearest of all `captions`
    (chance: 1 / captions). clip_distance, frame_distance: squared Frechet distances to real clips,
    in features of the classifier. diversity: how far two clips of a caption differ, 0 to 1.
    again: how much of real clips comes back, see `returned`. What is not measured is NaN.
    """

    group: str
    name: str
    kind: Kind
    clips: int
    captions: int
    shown: dict[str, float]
    right: float
    first: float
    clip_distance: float
    frame_distance: float
    diversity: float
    again: float = nan


@dataclass(frozen=True)
class Evaluation(Report):
    """The rows, group by group, and a few captions with a real and a made clip of each."""

    captions: tuple[str, ...]
    real_frames: FrameBatch
    made_frames: FrameBatch


@dataclass(frozen=True)
class Group:
    """Captions to make clips of, real clips of these captions, and as many other real ones."""

    name: str
    captions: list[str]
    real: Clips
    others: Clips
    again: Clips | None
    """Real clips of the captions once more, where they can be had."""
    source: Clips | None = None
    """Clips of another collection, with captions of their own, for models that translate."""
    source_captions: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        name: str,
        data: CaptionedClips,
        split: Split,
        count: int,
        seed: int,
        other: CaptionedClips | None,
    ) -> "Group":
        """Draw `count` clips of a split, and as many of another collection, if any."""
        frames, captions = data.batch(0, count, seed, split)
        others, _ = data.batch(1, count, seed, split)
        shapes = isinstance(data, MovingShapes)
        again = draw(captions, [seed, 1], data.size, data.frames) if shapes else None
        group = cls(name, captions, to_clips(frames), to_clips(others), again)
        if not other:
            return group
        found, told = other.batch(0, count, seed, split if split in other.splits else "train")
        return replace(group, source=to_clips(found), source_captions=tuple(told))


def evaluate(
    models: Sequence[Model],
    data: CaptionedClips,
    count: int = 256,
    seed: int = 0,
    other: CaptionedClips | None = None,
    tick: Tick = lambda done, total: None,
    chance: Sequence[Model] = (),
) -> Evaluation:
    """Measure models beside real clips and beside chance.

    `count` clips of each group. `other`: the collection that models translate; their translations
    are judged by its captions. `tick` follows the classifier's training, where there is none of
    this data yet. `chance`: models whose scores are chance. Raises `UserError` where a model's
    clips have another size or length.
    """
    model, *_ = models
    for one in (*models, *chance):
        _require_form(one, data)
    judge = _Judge(trained(data, model.device, tick), isinstance(data, MovingShapes))
    rows: list[Row] = []
    groups = [Group.of(*one, count, seed, other) for one in _groups(data)]
    for group in groups:
        rows += judge.rows(group, models, chance, seed)
    shown, made = made_of(model, groups[0], seed)
    real = groups[0].source if model.translates else groups[0].real
    assert real is not None
    told = tuple(shown.captions[:EXAMPLES])
    return Evaluation(tuple(rows), told, to_frames(real[:EXAMPLES]), to_frames(made[:EXAMPLES]))


def made_of(model: Model, group: Group, seed: int) -> tuple[Group, Clips]:
    """What a model makes of a group, and the group with the captions by which that is judged.

    Drawn for the captions; without a prior made of real clips, or of the other collection's.
    """
    if model.draws:
        return group, model.clips(group.captions, seed)
    if not model.translates:
        return group, model.transform(group.real, group.captions)
    if group.source is None:
        raise UserError(f"{model.name} translates: say from which collection with --other")
    told = list(group.source_captions)
    return replace(group, captions=told), model.translate(group.source)


def _require_form(model: Model, data: CaptionedClips) -> None:
    spec, wanted = model.spec, (data.size, data.frames)
    if (spec.size, spec.frames) != wanted:
        raise UserError(
            f"{model.name} makes clips of {spec.frames} frames of {spec.size} pixels, and these "
            f"are of {data.frames} frames of {data.size}"
        )


def _groups(data: CaptionedClips) -> Iterator[tuple[str, CaptionedClips, Split]]:
    """What stands apart: numbers of shapes, and seen or held out."""
    for split in data.splits:
        if not isinstance(data, MovingShapes):
            yield f"{SPLITS[split]} videos", data, split
            continue
        for count in data.counts:
            part = MovingShapes(data.size, data.frames, [count], data.showing)
            yield f"{NUMBERS[count]}, {SPLITS[split]} captions", part, split


@dataclass(frozen=True)
class _Judge:
    """All that clips are measured by."""

    classifier: Classifier
    knows_shapes: bool

    def rows(
        self, group: Group, models: Sequence[Model], chance: Sequence[Model], seed: int
    ) -> Iterator[Row]:
        """Rows of the first model, of real clips and of chance, then of the other models."""
        made = self._made(group, models[0], "generated", seed)
        yield made[0]
        yield self.row(group, "real clips", "real", group.real, again=group.again)
        exchanged = [*group.captions[1:], group.captions[0]]
        yield self.row(group, "captions exchanged", "baseline", made[1], captions=exchanged)
        if group.source is not None:
            judged = replace(group, captions=list(group.source_captions))
            yield self.row(judged, "other clips", "baseline", group.source)
        for other in models[1:]:
            yield self._made(group, other, "generated", seed)[0]
        for other in chance:
            yield self._made(group, other, "baseline", seed)[0]

    def _made(self, group: Group, model: Model, kind: Kind, seed: int) -> tuple[Row, Clips]:
        judged, clips = made_of(model, group, seed)
        again = made_of(model, group, seed + 1)[1] if model.draws else None
        row = self.row(judged, model.name, kind, clips, again=again)
        return replace(row, again=returned_by(model, group)), clips

    def row(
        self,
        group: Group,
        name: str,
        kind: Kind,
        clips: Clips,
        *,
        again: Clips | None = None,
        captions: Sequence[str] = (),
    ) -> Row:
        """Measure clips; `captions` stand in for those of the group, and only they are judged.

        `again`: clips of the same captions once more.
        """
        told = captions or group.captions
        similarity = self.classifier.similarity(clips, told)
        return Row(
            group.name,
            name,
            kind,
            len(clips),
            len(set(told)),
            agreement(told, clips) if self.knows_shapes else {},
            right_over_wrong(similarity, told),
            first_choice(similarity, told),
            nan if captions else self._distance(self.classifier.features, clips, group.others),
            nan if captions else self._distance(self.classifier.chunks, clips, group.others),
            nan if again is None else diversity(clips, again),
        )

    def _distance(
        self, features: Callable[[Clips], np.ndarray], clips: Clips, others: Clips
    ) -> float:
        return frechet(features(clips), features(others))


def returned_by(model: Model, group: Group) -> float:
    """How much of the group's real clips comes back."""
    if "encoder" not in model.networks:
        return nan
    return returned(group.real, model.reconstruct(group.real, group.captions))


def chance_model(model: Model, device: str = "auto") -> list[Model]:
    """The model that ships and was given wrong captions, where it makes clips as `model` does.

    What it scores is chance. For clips of your own train one with --set wrong_captions=true.
    """
    chance = Model.load(WRONG_CAPTIONS, device)
    forms = [(m.spec.size, m.spec.frames, m.spec.shapes) for m in (model, chance)]
    return [chance] if forms[0] == forms[1] and model.name != chance.name else []


def data_of(spec: DataSpec) -> MovingShapes:
    """The data of a model of moving shapes; `UserError` for another one."""
    if not spec.shapes:
        raise UserError("this model was trained on your clips: give them with --against DATA")
    return MovingShapes(spec.size, spec.frames, range(1, spec.shapes + 1), spec.showing)
