"""Evaluate a model of video: do its clips show what their captions say?

Training captions and held-out captions form separate groups, as do clips of one and of two moving
shapes. In each group the real clips of the same captions give the best possible values, and the
model's clips with exchanged captions, where these differ, give those of chance. A folder of clips
of any origin is measured as a model is, by the captions of its own that are those of the data.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from core.app.domain import Examples
from core.app.evaluation import TRAINING_STEPS
from core.app.report import Kind, Report
from core.data.collection import Split
from core.data.preparation import Tasks, unshown
from core.errors import UserError
from core.theory.divergences import frechet_distance
from core.training.device import choose_device
from videogen.captioned_clips import CaptionedClips
from videogen.configuration import DataSpec
from videogen.data.collection import Collection
from videogen.files.clip import Clips, FrameBatch, to_clips, to_frames
from videogen.measures.classifier import Classifier, load_classifier
from videogen.measures.folder import FolderOfClips, Generated, read_folder
from videogen.measures.halves import JudgeOfHalves, Seen, judge_of_halves
from videogen.measures.metrics import (
    caption_accuracy,
    diversity,
    explained_variance,
    motion,
    sharpness,
    top1_accuracy,
)
from videogen.model import Model
from videogen.shapes.dataset import MovingShapes
from videogen.shapes.drawing import draw
from videogen.shapes.judge import agreement
from videogen.shapes.steadiness import steadiness

EXAMPLES = 6
"""Captions whose real and generated clip are part of the report."""

OtherClips = Float[torch.Tensor, "other 3 time height width"]
"""Clips, as many as there are."""

SPLITS: dict[Split, str] = {"train": "seen", "test": "held-out"}
EXCHANGED = "captions exchanged"
"""The row of the first subject's clips, each with the caption of another."""
NUMBERS = {1: "one shape", 2: "two shapes"}


@dataclass(frozen=True)
class Row:
    """The measurements of one set of clips, each with a caption.

    `attributes`: shares of moving shapes that the judge reads as the caption says, for each
    attribute and for all; `steadiness`: the worst frame of moving shapes, see
    `videogen.shapes.steadiness`; both are empty for other clips. `seen`: shares of clips that show
    each half of their caption, see `videogen.measures.halves`. `sharpness`, `motion`: energies of
    gradients in space and in time as shares of those of the group's real clips.
    `caption_accuracy` and `top1_accuracy`: see `metrics`, among `captions` different captions.
    `frechet_clips`, `frechet_frames`: squared Frechet distances to the group's reference, in the
    classifier's features of clips and of chunks. `diversity`: difference between two clips of a
    caption. `reconstruction`: explained variance. NaN stands for what is not measured.
    """

    group: str
    name: str
    kind: Kind
    clips: int
    captions: int
    attributes: dict[str, float]
    steadiness: dict[str, float]
    caption_accuracy: float
    top1_accuracy: float
    frechet_clips: float
    frechet_frames: float
    diversity: float
    sharpness: float = nan
    motion: float = nan
    seen: Seen | None = None
    reconstruction: float = nan


@dataclass(frozen=True)
class Evaluation(Report):
    """The rows, and a real and a generated clip of a few captions."""

    captions: tuple[str, ...]
    real_frames: FrameBatch
    generated_frames: FrameBatch


@dataclass(frozen=True)
class Group:
    """Captions, real clips of them, and as many other real clips as the reference.

    No frame of the reference is in a real clip; there is none where all real clips overlap.
    `second`: further real clips of the captions, if they can be had, for the diversity. `source`
    with `source_captions`: clips of another collection, the input of models that translate.
    """

    name: str
    split: Split
    captions: list[str]
    real: Clips
    reference: Clips | None
    second: Clips | None = None
    source: Clips | None = None
    source_captions: tuple[str, ...] = ()

    @classmethod
    def sample(
        cls,
        name: str,
        data: CaptionedClips,
        split: Split,
        count: int,
        seed: int,
        other: CaptionedClips | None,
    ) -> "Group":
        """Sample `count` clips of a split, and as many of another collection, if any."""
        real, captions, reference = _real_and_reference(data, split, count, seed)
        is_shapes = isinstance(data, MovingShapes)
        second = draw(captions, [seed, 1], data.size, data.frames) if is_shapes else None
        group = cls(name, split, captions, real, reference, second)
        if not other:
            return group
        other_split = split if split in other.splits else "train"
        source, source_captions = other.batch(0, count, seed, other_split)
        return replace(group, source=to_clips(source), source_captions=tuple(source_captions))


def _real_and_reference(
    data: CaptionedClips, split: Split, count: int, seed: int
) -> tuple[Clips, list[str], Clips | None]:
    """Sample real clips with their captions, and a reference that shares no frame with them."""
    if not isinstance(data, Collection):
        frames, captions = data.batch(0, count, seed, split)
        return to_clips(frames), captions, to_clips(data.batch(1, count, seed, split)[0])
    generator = np.random.default_rng([seed, 3])
    halves = (generator.permutation(half) for half in data.halves(split, seed))
    real, other = (np.resize(half, count if len(half) else 0) for half in halves)
    reference = to_clips(data.frames_of(other)) if len(other) else None
    return to_clips(data.frames_of(real)), data.captions_of(real), reference


def evaluate(
    models: Sequence[Model | FolderOfClips | Path],
    data: CaptionedClips,
    count: int = 256,
    seed: int = 0,
    other: CaptionedClips | None = None,
    tasks: Tasks = unshown,
) -> Evaluation:
    """Measure models, and folders of clips, beside real clips and chance.

    `count`: clips of each group, of a folder at most. `other`: the collection that models
    translate; translations are judged by its captions. Classifiers are on the device of the first
    of `models`, of a plain path on a GPU if there is one. `tasks` follow the training of
    classifiers, if this data has none yet, then how many sets of clips are measured. Raises
    `UserError`, before any of that, if a model generates clips of another size, length or rate
    than the data's, or translates and there is no `other`, and if a folder has no clip of a
    caption of the data.
    """
    for one in models:
        if isinstance(one, Model):
            _require_same_clips(one, data)
            one.source(data, other)
    groups = list(_groups(data))
    folders = [one.path if isinstance(one, FolderOfClips) else one for one in models]
    subjects = [
        read_folder(one, data, groups, count, seed) if isinstance(one, Path) else one
        for one in folders
    ]
    device = choose_device("auto") if isinstance(models[0], Path) else models[0].device
    is_shapes = isinstance(data, MovingShapes)
    steps, halves = tasks(TRAINING_STEPS.format("classifiers of real captions' halves")), None
    if isinstance(data, Collection):
        halves = judge_of_halves(data, device, steps)
    steps = tasks(TRAINING_STEPS.format("a classifier of real clips"))
    judge = _Judge(load_classifier(data, device, steps), is_shapes, halves)
    measured = [
        (Group.sample(*one, count, seed, other), of)
        for one in groups
        if (of := [subject for subject in subjects if _has_clips(subject, one[0])])
    ]
    rows, tick = list[Row](), tasks("sets of clips measured")
    for row in (row for one in measured for row in judge.rows(*one, seed)):
        rows.append(row)
        tick(sum(one.kind == "generated" for one in rows), sum(len(of) for _, of in measured))
    group, (first, *_) = measured[0]
    judged, generated = generate(first, group, seed)
    captions = judged.captions[:EXAMPLES]
    if isinstance(first, Generated):
        real = data.clips_of(captions, group.split)
    else:
        real = to_frames(first.source(group.real, group.source)[:EXAMPLES])
    return Evaluation(tuple(rows), tuple(captions), real, to_frames(generated[:EXAMPLES]))


def _has_clips(subject: Model | Generated, group: str) -> bool:
    return not isinstance(subject, Generated) or group in subject.parts


def generate(subject: Model | Generated, group: Group, seed: int) -> tuple[Group, Clips]:
    """Return clips of a model or a folder, and the group with the captions they are judged by.

    Clips are sampled for the group's captions; a model that translates is given the source clips,
    one without a prior reconstructs the real clips.
    """
    if isinstance(subject, Generated):
        part = subject.parts[group.name]
        return replace(group, captions=part.captions), part.clips
    clips = subject.source(group.real, group.source)
    judged = group
    if subject.translates:
        judged = replace(group, captions=list(group.source_captions))
    return judged, subject.generate(Examples(clips, judged.captions), seed)


def _require_same_clips(model: Model, data: CaptionedClips) -> None:
    spec = model.spec
    own, given = ((of.frames, of.size, of.frames_per_second) for of in (spec, data))
    if own != given:
        raise UserError(
            f"{model.name} generates {_described(*own)}, and these are {_described(*given)}: "
            f"prepare the data with --frames {spec.frames} --size {spec.size} "
            f"--fps {spec.frames_per_second:g}"
        )


def _described(frames: int, size: int, rate: float) -> str:
    return f"clips of {frames} frames of {size} pixels, {rate:g} a second"


def _groups(data: CaptionedClips) -> Iterator[tuple[str, CaptionedClips, Split]]:
    """Yield the groups: each split, of moving shapes also each number of shapes."""
    for split in data.splits:
        if not isinstance(data, MovingShapes):
            yield f"{SPLITS[split]} videos", data, split
            continue
        for count in data.counts:
            part = MovingShapes(data.size, data.frames, [count], data.showing)
            yield f"{NUMBERS[count]}, {SPLITS[split]} captions", part, split


@dataclass(frozen=True)
class _Judge:
    """The classifiers of the data, and whether its clips are moving shapes."""

    classifier: Classifier
    is_shapes: bool
    halves: JudgeOfHalves | None

    def rows(
        self, group: Group, subjects: Sequence[Model | Generated], seed: int
    ) -> Iterator[Row]:
        """Yield the rows of the subjects, of real clips, and of chance."""
        row, judged, clips = self._evaluate(group, subjects[0], seed)
        yield row
        for other in subjects[1:]:
            yield self._evaluate(group, other, seed)[0]
        yield self.row(group, "real clips", "real", group.real, second=group.second)
        exchanged = [*judged.captions[1:], judged.captions[0]]
        if exchanged != judged.captions:  # a single caption is its own exchange
            yield self.row(group, EXCHANGED, "baseline", clips, captions=exchanged)
        if group.source is not None:
            judged = replace(group, captions=list(group.source_captions))
            yield self.row(judged, "other clips", "baseline", group.source)

    def _evaluate(
        self, group: Group, subject: Model | Generated, seed: int
    ) -> tuple[Row, Group, Clips]:
        judged, clips = generate(subject, group, seed)
        if isinstance(subject, Generated):
            row = self.row(judged, subject.name, "generated", clips)
            return replace(row, diversity=subject.parts[group.name].diversity), judged, clips
        second = generate(subject, group, seed + 1)[1] if subject.draws else None
        row = self.row(judged, subject.name, "generated", clips, second=second)
        reconstruction = reconstruction_of(subject, group.real, group.captions)
        return replace(row, reconstruction=reconstruction), judged, clips

    def row(
        self,
        group: Group,
        name: str,
        kind: Kind,
        clips: Clips,
        *,
        second: Clips | None = None,
        captions: Sequence[str] = (),
    ) -> Row:
        """Measure clips.

        `second`: further clips of the same captions. `captions` replace those of the group; then
        only the agreement with them is measured.
        """
        judged_by = captions or group.captions
        similarity = self.classifier.similarity(clips, judged_by)
        reference = None if captions else group.reference
        return Row(
            group=group.name,
            name=name,
            kind=kind,
            clips=len(clips),
            captions=len(set(judged_by)),
            attributes=agreement(judged_by, clips) if self.is_shapes else {},
            steadiness=steadiness(judged_by, clips) if self.is_shapes and not captions else {},
            caption_accuracy=caption_accuracy(similarity, judged_by),
            top1_accuracy=top1_accuracy(similarity, judged_by),
            frechet_clips=_distance(self.classifier.features, clips, reference),
            frechet_frames=_distance(self.classifier.chunk_features, clips, reference),
            diversity=nan if second is None else diversity(clips, second),
            sharpness=nan if captions else _share(sharpness, clips, group.real),
            motion=nan if captions else _share(motion, clips, group.real),
            seen=self._seen(group, kind, clips, judged_by),
        )

    def _seen(
        self, group: Group, kind: Kind, clips: Clips, captions: Sequence[str]
    ) -> Seen | None:
        """Return which halves of captions are seen; of real clips the judge's own accuracy."""
        halves = self.halves
        if halves is None or not any(one in halves.halves for one in captions):
            return None
        return halves.own.get(group.split) if kind == "real" else halves.seen(clips, captions)


def _distance(
    features: Callable[[Clips], np.ndarray], clips: Clips, reference: OtherClips | None
) -> float:
    return nan if reference is None else frechet_distance(features(clips), features(reference))


def _share(energy: Callable[[Clips], float], clips: Clips, real: OtherClips) -> float:
    """Return the energy of clips as a share of that of real ones; NaN where these have none."""
    return energy(clips) / energy(real) if energy(real) else nan


def reconstruction_of(model: Model, real: Clips, captions: Sequence[str]) -> float:
    """Return the explained variance of a model's reconstructions; NaN without an encoder."""
    if "encoder" not in model.networks:
        return nan
    return explained_variance(real, model.reconstruct(real, captions))


def data_of(spec: DataSpec) -> MovingShapes:
    """Return the data of a model of moving shapes; `UserError` for any other model."""
    if not spec.shapes:
        raise UserError("this model was trained on your clips: give them by --against DATA")
    return MovingShapes(spec.size, spec.frames, range(1, spec.shapes + 1), spec.showing)
