"""Halves of captions, who and what, and the classifiers that see them in clips."""

from pathlib import Path

import numpy as np
import pytest
import torch

from core.training import optimisation
from videogen.data.collection import Collection
from videogen.data.division import halves_of
from videogen.data.preparation import prepare
from videogen.data.records import PrepareConfig
from videogen.files.clip import write_mp4
from videogen.measures import classifier, halves
from videogen.measures.halves import (
    HalvesClassifier,
    JudgeOfHalves,
    Seen,
    is_earlier,
    judge_of_halves,
)
from videogen.measures.metrics import motion, sharpness
from videogen.shapes.dataset import MovingShapes

COLOURS = {"the red one": (255, 0, 0), "the green one": (0, 255, 0), "the blue one": (0, 0, 255)}
WAYS = {"goes right": 1, "goes left": -1}


def moving_bar(colour: tuple[int, int, int], way: int) -> np.ndarray:
    """Return 24 frames of a bar of six pixels that moves by one pixel a frame."""
    frames = np.zeros((24, 32, 32, 3), np.uint8)
    for time, frame in enumerate(frames):
        left = (time if way > 0 else 23 - time) + 1
        frame[:, left : left + 6] = colour
    return frames


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    folder = tmp_path_factory.mktemp("bars")
    for who, colour in COLOURS.items():
        for what, way in WAYS.items():
            write_mp4(moving_bar(colour, way), folder / f"{who} {what}.mp4", 8.0)
    config = PrepareConfig(size=16, frames=8, hop=1, hold_out="composition")
    prepare([str(folder)], folder / "data", config, jobs=0)
    return Collection.open(folder / "data")


def test_halves_are_cut_where_both_recur():
    found = halves_of(["a dog runs", "a dog sleeps", "a cat runs", "rain"])
    assert found == {
        "a dog runs": (("a", "dog"), ("runs",)),
    }


def test_the_classifier_sees_who_and_what_and_says_no(
    data: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(halves, "STEPS", 100)
    monkeypatch.setattr(halves, "BATCH", 32)
    monkeypatch.setenv("PIANOREEL_CACHE", str(tmp_path))
    ticks: list[tuple[int, int]] = []
    judge = judge_of_halves(data, torch.device("cpu"), lambda *of: ticks.append(of))
    assert judge is not None
    assert ticks == [(done, 300) for done in range(1, 301)]
    assert set(judge.own) == {"train", "test"}
    assert judge.own["train"].both > 0.8
    assert judge.own["test"].both > 0.8
    ticks.clear()
    cached = judge_of_halves(data, torch.device("cpu"), lambda *of: ticks.append(of))
    assert cached is not None
    assert (cached.own, ticks) == (judge.own, [])  # trained once
    clips, captions = data.batch(0, 64, 1)
    x = torch.from_numpy(clips).permute(0, 4, 1, 2, 3) / 127.5 - 1
    assert judge.seen(x, captions).both > 0.9
    said = [one.probabilities(x)[1] for one in judge.members]
    assert not any(torch.equal(one, said[0]) for one in said[1:])
    turned = judge.seen(x.flip(4), captions)  # right is left, the colour stays
    assert turned.beginning > 0.9
    assert turned.ending < 0.2


def test_a_small_collection_is_shown_a_number_of_times_and_no_more(
    data: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Seventeen clips of each of six films, of which twelve are earlier: 72 in batches of 32."""
    monkeypatch.setattr(optimisation, "PASSES", 2)
    monkeypatch.setattr(halves, "FEWEST_STEPS", 3)
    monkeypatch.setenv("PIANOREEL_CACHE", str(tmp_path))
    ticks: list[tuple[int, int]] = []

    def totals() -> set[int]:
        ticks.clear()
        judge_of_halves(data, torch.device("cpu"), lambda *of: ticks.append(of))
        return {total for _, total in ticks}

    steps = 2 * 72 // 32
    assert totals() == {3 * steps}
    assert totals() == set(), "kept"
    monkeypatch.setattr(halves, "FEWEST_STEPS", 5)
    assert totals() == {3 * 5}, "those of fewer steps are others"
    monkeypatch.setattr(halves, "STEPS", 2)
    assert totals() == {3 * 2}
    assert classifier.steps_of(data) == 150
    monkeypatch.setattr(optimisation, "PASSES", 1000)
    assert classifier.steps_of(data) == 600 == classifier.steps_of(MovingShapes(16, 4))


def test_both_means_that_the_two_halves_of_one_clip_are_right():
    found = halves_of(["a b c d", "a b e f", "g h c d", "g h e f"])
    classifier = HalvesClassifier(16, 4, found)
    said = ["a b c d", "g h e f", "a b e f", "g h c d"]
    numbers = classifier.numbers(said)
    read = torch.tensor([[0, 0, 0, 1], [0, 1, 0, 0]])  # beginnings, endings
    scores = [torch.eye(2)[half] for half in read]
    classifier.forward = lambda clips: scores  # type: ignore[method-assign]
    assert numbers.tolist() == [[0, 1, 0, 1], [0, 1, 1, 0]]
    judge = JudgeOfHalves([classifier], {})
    assert judge.seen(torch.zeros(4, 3, 4, 16, 16), said) == Seen(0.75, 0.75, 0.5)


def test_a_classifier_that_is_sure_outweighs_two_that_are_not():
    """Means of probabilities: a beginning of 0.99, 0.4, 0.4, an ending of 0.01, 0.6, 0.6."""
    found = halves_of(["a b c d", "a b e f", "g h c d", "g h e f"])
    members = [HalvesClassifier(16, 4, found) for _ in range(3)]
    for one, beginning, ending in zip(members, (0.99, 0.4, 0.4), (0.01, 0.6, 0.6), strict=True):
        p = torch.tensor([[[beginning, 1 - beginning]], [[ending, 1 - ending]]])
        one.forward = lambda clips, p=p: list(p.log())  # type: ignore[method-assign]
    judge = JudgeOfHalves(members, {})
    assert judge.seen(torch.zeros(1, 3, 4, 16, 16), ["a b e f"]) == Seen(1, 1, 1)


def test_the_earlier_clips_of_each_video_are_its_first_three_quarters():
    assert is_earlier(np.array([3, 3, 3, 3, 3, 5, 5])).tolist() == [True] * 3 + [False] * 2 + [
        True,
        False,
    ]


def test_captions_without_halves_have_no_judge(tmp_path: Path):
    for name in ("one", "two", "three"):
        write_mp4(moving_bar((255, len(name), 0), 1), tmp_path / f"{name}.mp4", 8.0)
    prepare([str(tmp_path)], tmp_path / "data", PrepareConfig(size=16, frames=8), jobs=0)
    assert judge_of_halves(Collection.open(tmp_path / "data"), torch.device("cpu")) is None


def test_sharpness_and_motion_by_hand():
    """One clip of 2 frames of 1 x 3 pixels in each colour: 0 1 3, then 0 1 0."""
    clip = torch.tensor([[0.0, 1, 3], [0, 1, 0]])[None, None, :, None, :].expand(1, 3, 2, 2, 3)
    assert sharpness(clip) == pytest.approx((1 + 4 + 1 + 1) / 4)
    assert motion(clip) == pytest.approx(9 / 3)
