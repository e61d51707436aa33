"""Groups of clips that are measured: seen and held-out ones, and those of a judge apart."""

from pathlib import Path

import numpy as np
import pytest
import torch
from films import greys

from core.app.domain import Examples
from core.app.fit import configure
from videogen.captioned_clips import CaptionedClips
from videogen.data.collection import Collection
from videogen.data.preparation import prepare
from videogen.data.records import PrepareConfig
from videogen.files.clip import to_clips, to_frames, write_gif
from videogen.measures import evaluation, halves
from videogen.measures.augmentation import shifted_clips
from videogen.measures.classifier import BATCH, Classifier, train
from videogen.measures.evaluation import Group, evaluate, reconstruction_of
from videogen.measures.halves import JudgeOfHalves, Seen, judge_of_halves
from videogen.measures.metrics import explained_variance
from videogen.measures.progress import reconstructions_of
from videogen.measures.scorecard import tables
from videogen.model import DOMAIN, Model
from videogen.shapes.dataset import MovingShapes
from videogen.shapes.drawing import draw
from videogen.shapes.grammar import Split, split_of


class Noted(MovingShapes):
    """Moving shapes that note which batches are drawn."""

    def __init__(self, size: int = 16, frames: int = 4):
        super().__init__(size, frames)
        self.drawn: list[tuple[int, int, int, Split]] = []

    def batch(self, number, size, seed, split="train"):
        self.drawn.append((number, size, seed, split))
        return super().batch(number, size, seed, split)


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_group_and_its_reference_are_different_clips_of_its_split(split: Split):
    data = Noted()
    group = Group.sample("name", data, split, 40, 7, None)
    assert data.drawn == [(0, 40, 7, split), (1, 40, 7, split)]
    assert {split_of(caption) for caption in group.captions} == {split}
    assert torch.equal(group.real, to_clips(data.batch(0, 40, 7, split)[0]))
    assert group.reference is not None
    assert torch.equal(group.reference, to_clips(data.batch(1, 40, 7, split)[0]))
    assert not torch.equal(group.real, group.reference)


def test_the_classifier_is_trained_on_training_clips_alone():
    data = Noted()
    train(Classifier(16, 4, data.words), data, 3, lambda done, total: None)
    assert [(number, split) for number, _, _, split in data.drawn] == [
        (step, "train") for step in range(3)
    ]


def test_the_classifier_sees_clips_shifted_by_the_number_of_the_step(
    monkeypatch: pytest.MonkeyPatch,
):
    data, seen, loss = MovingShapes(16, 4), [], Classifier.loss

    def noted(self, clips, tokens):
        seen.append(clips)
        return loss(self, clips, tokens)

    monkeypatch.setattr(Classifier, "loss", noted)
    train(Classifier(16, 4, data.words), data, 2, lambda done, total: None)
    drawn = [to_clips(data.batch(step, BATCH, 0)[0]) for step in range(2)]
    assert all(torch.equal(one, shifted_clips(drawn[n], n)) for n, one in enumerate(seen))
    assert not all(map(torch.equal, seen, drawn))


class Blank(Model):
    def sampled_like(self, examples, seed):
        assert examples.conditions
        return draw(examples.conditions, seed, 16, 4) if self.spec.shapes else self.black(examples)

    def black(self, examples: Examples) -> torch.Tensor:
        return -torch.ones(len(examples.conditions or ()), 3, 4, 16, 16)

    def reconstruct(self, clips, captions):
        return clips * torch.linspace(0, 1, len(captions))[:, None, None, None, None]


def blank(data: CaptionedClips) -> Blank:
    config = configure(DOMAIN, data, "gist", "tiny")
    return Blank(DOMAIN.networks(config), config.model, config.spec, "blank")


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """Two greys that get lighter or darker, four films; each has 13 clips."""
    folder = tmp_path_factory.mktemp("films")
    for level in (60, 120):
        for way, step in (("up", 4), ("down", -4)):
            frames = np.empty((16, 16, 16, 3), np.uint8)
            frames[:] = (level + step * np.arange(16))[:, None, None, None]
            write_gif(frames, folder / f"grey{level} goes {way}.gif", 8)
    config = PrepareConfig(size=16, frames=4, hop=1, hold_out="windows", test_share=0.2)
    prepare([str(folder)], folder / "data", config, jobs=0)
    return Collection.open(folder / "data")


def groups_of(data: CaptionedClips, patch: pytest.MonkeyPatch) -> list[tuple[str, Split]]:
    """The names and splits of the groups that an evaluation measures, and of its rows."""
    classifier, sample, seen = Classifier(16, 4, data.words), Group.sample, []

    def noted(name: str, data: CaptionedClips, split: Split, *rest) -> Group:
        seen.append((name, split))
        return sample(name, data, split, *rest)

    patch.setattr(evaluation, "load_classifier", lambda *_: classifier.eval())
    patch.setattr(evaluation, "judge_of_halves", lambda *_: None)
    patch.setattr(Group, "sample", noted)
    one = blank(data)
    rows = evaluate([one, one], data, 4).rows
    assert list(dict.fromkeys(row.group for row in rows)) == [name for name, _ in seen]
    for first, beside in zip(rows[::4], rows[1::4], strict=True):
        assert first.frechet_clips == beside.frechet_clips, "a model beside itself is the same"
        assert first.diversity == beside.diversity
        flat = not isinstance(data, MovingShapes)
        assert np.isnan(first.sharpness) == flat, "real clips of one grey have no sharpness"
        assert (first.diversity == 0) == flat, "two seeds give two clips of a caption"
    return seen


def test_seen_and_held_out_clips_are_what_they_are_called(
    films: Collection, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        assert groups_of(MovingShapes(16, 4), patch) == [
            ("one shape, seen captions", "train"),
            ("one shape, held-out captions", "test"),
        ]
    with monkeypatch.context() as patch:
        assert groups_of(films, patch) == [("seen videos", "train"), ("held-out videos", "test")]


def frames_in(data: Collection, clips: np.ndarray) -> set[tuple[int, int]]:
    """The frames of clips, each by its film and its number there."""
    whole = data.store.whole
    begins = zip(whole["film"][clips], whole["frame_of_film"][clips], strict=True)
    return {(int(film), int(at) + n) for film, at in begins for n in range(data.frames)}


def test_the_halves_of_real_clips_share_no_frame(films: Collection):
    for split in films.splits:
        one, other = films.halves(split, seed=1)
        assert len(one) and len(other)
        assert frames_in(films, one).isdisjoint(frames_in(films, other))
        names = [set(films.captions_of(half)) for half in (one, other)]
        assert names[0] | names[1] == {video.caption for video in films.videos}
        assert np.array_equal(one, films.halves(split, seed=1)[0])


@pytest.mark.parametrize("split", ["train", "test"])
def test_real_clips_and_their_reference_share_no_frame(films: Collection, split: Split):
    group = Group.sample("name", films, split, 40, 7, None)
    assert group.reference is not None
    real, reference = (
        {one.numpy().tobytes() for one in of} for of in (group.real, group.reference)
    )
    assert real.isdisjoint(reference) and len(group.real) == len(group.reference) == 40
    one, _ = films.halves(split, 7)
    of_split = {one.numpy().tobytes() for one in to_clips(films.frames_of(films.indices(split)))}
    assert real | reference <= of_split, "held-out clips are none of those trained on"
    assert len(real) == len(one), "each clip before any is repeated"
    known = dict(zip(map(bytes, films.frames_of(one)), films.captions_of(one), strict=True))
    shown = to_frames(group.real)
    assert [known[bytes(frames)] for frames in shown] == group.captions


def test_a_single_clip_has_no_distance_to_itself_and_a_single_caption_is_not_exchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for level in (60, 120):
        write_gif(greys(*[level] * 4, height=16, width=16), tmp_path / f"grey {level}.gif", 8)
    config = PrepareConfig(size=16, frames=4, hold_out="videos", test_share=0.5)
    prepare([str(tmp_path)], tmp_path / "data", config, jobs=0)
    data = Collection.open(tmp_path / "data")
    classifier = Classifier(16, 4, data.words)
    monkeypatch.setattr(evaluation, "load_classifier", lambda *_: classifier.eval())
    monkeypatch.setattr(evaluation, "judge_of_halves", lambda *_: None)
    report = evaluate([blank(data)], data, 4)
    assert [row.name for row in report.rows] == ["blank", "real clips"] * 2
    assert all(np.isnan([row.frechet_clips, row.frechet_frames]).all() for row in report.rows)
    for table in [*tables(report)][:2]:
        cells = {str(column.header): list(column.cells) for column in table.columns}
        assert cells["top-1 caption"] == cells["right caption"] == ["-", "-"]
        assert "captions exchanged" not in str(table.caption)


def test_reconstructions_are_of_each_clip_by_its_own_caption():
    group = Group.sample("name", MovingShapes(16, 4), "train", 5, 1, None)
    model, given = blank(MovingShapes(16, 4)), []
    model.reconstruct = lambda clips, captions: given.append(captions) or clips / 2  # type: ignore
    share = reconstruction_of(model, group.real, group.captions)
    assert given == [group.captions]
    assert share == pytest.approx(explained_variance(group.real, group.real / 2)) != 1


def test_halves_are_learned_from_earlier_clips_and_tested_on_later_ones(
    films: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The first three quarters of each film's used clips, whichever split they are of."""
    monkeypatch.setenv("PIANOREEL_CACHE", str(tmp_path))
    trained, tested = [], []

    def seen(self, clips, captions):
        tested.append((clips, list(captions)))
        return Seen(1, 1, 1)

    monkeypatch.setattr(halves, "_train", lambda one, data, of, *_: trained.append(of))
    monkeypatch.setattr(JudgeOfHalves, "seen", seen)
    judge = judge_of_halves(films, torch.device("cpu"))
    assert judge is not None
    indices = {split: films.indices(split) for split in films.splits}
    every = np.sort(np.concatenate(list(indices.values())))
    source = films.store.whole["source"][every]
    earlier = [own[: int(0.75 * len(own))] for own in (every[source == n] for n in range(4))]
    assert [of.tolist() for of in trained] == 3 * [np.concatenate(earlier).tolist()]
    later = np.setdiff1d(every, trained[0])
    for split, (clips, captions) in zip(judge.own, tested, strict=True):
        own = np.intersect1d(later, indices[split])
        assert torch.equal(clips, to_clips(films.frames_of(own)))
        assert captions == films.captions_of(own)


class Rote(Blank):
    """Knows the clips of training by heart, and shows the mean clip in place of others."""

    known: set[bytes] = set()

    def reconstruct(self, clips, captions):
        seen = torch.tensor([clip.numpy().tobytes() in self.known for clip in clips])
        return torch.where(seen[:, None, None, None, None], clips, clips.mean(0))


def test_while_training_reconstructions_of_seen_and_of_held_out_clips_are_measured(
    films: Collection,
):
    measure = DOMAIN.measures(films, configure(DOMAIN, films, "gist", "tiny"))
    config = configure(DOMAIN, films, "gist", "tiny")
    rote = Rote(DOMAIN.networks(config), config.model, config.spec, "rote")
    seen = to_clips(films.frames_of(films.indices("train")))
    rote.known = {clip.numpy().tobytes() for clip in seen}
    found = measure(rote)
    assert found == {"reconstruction_seen": 1, "reconstruction_held_out": pytest.approx(0)}
    config = configure(DOMAIN, films, "vgan", "tiny")
    without = Rote(DOMAIN.networks(config), config.model, config.spec, "without an encoder")
    assert measure(without) == {}


class Asked(Exception):
    """Stops where clips are drawn."""


class Large(Collection):
    """A collection of large clips, of which none is there."""

    def __init__(self, frames: int, size: int):
        self.frames, self.size = frames, size

    @property
    def splits(self) -> tuple[Split, ...]:
        return ("train",)

    def batch(self, number, size, seed, split="train"):
        raise Asked(number, size, seed, split)


@pytest.mark.parametrize(("frames", "size", "count"), [(100, 128, 6), (256, 256, 2), (4, 16, 8)])
def test_of_large_clips_fewer_are_reconstructed(films: Collection, frames, size, count):
    """A clip of 100 frames has 3 * 100 * 128^2 = 4.9 of 33.6 million values; two are the least."""
    config = configure(DOMAIN, films, "gist", "tiny")
    model = Rote(DOMAIN.networks(config), config.model, config.spec, "rote")
    with pytest.raises(Asked) as asked:
        reconstructions_of(Large(frames, size), 5)(model)
    assert asked.value.args == (0, count, 5, "train")
