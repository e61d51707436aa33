"""Captions in training that no clip has, and a decoder that does not forget meanwhile."""

from dataclasses import replace
from itertools import takewhile
from pathlib import Path

import pytest
import torch

from core.app import fit
from core.app.fit import configure
from core.errors import ConfigError
from core.theory.contracts import require
from core.training.run import Run
from videogen.batches import ClipBatches
from videogen.data.division import halves_of, recombined
from videogen.model import DOMAIN, Model
from videogen.networks.text import Captions
from videogen.shapes.dataset import MovingShapes
from videogen.words import words_of

SHAPES = MovingShapes(size=16, frames=4)
SHARP = ["model.weights.novel_match_sharpness=10", "model.weights.novel_keep_pyramid=1"]


def trained(to: Path, model: str, *settings: str, start: Path | None = None, steps: int = 2):
    usual = [f"train.steps={steps}", "train.batch_size=4", "train.log_every_steps=1"]
    return fit.train(DOMAIN, SHAPES, to, model, "tiny", "cpu", [*usual, *settings], start=start)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one step, with which others begin."""
    to = tmp_path_factory.mktemp("runs") / "first"
    trained(to, "gist_flow", steps=1)
    return to


def are_same(pair: tuple[str, str]) -> bool:
    return pair[0] == pair[1]


def weights_of(run: Path, network: str, group: str = "networks") -> dict[str, torch.Tensor]:
    """The weights of a network, as trained, or their averages (ema)."""
    found = Run(run, {}).read_best(lambda best: best.group(group))
    return {n.partition(".")[2]: value for n, value in found.items() if n.startswith(network)}


def test_novel_captions_join_halves_that_no_caption_in_training_joins():
    config = configure(DOMAIN, SHAPES, "gist_flow_sharp", "tiny", SHARP)
    batch = DOMAIN.batches(SHAPES, config, torch.device("cpu"))(3)
    _, captions = SHAPES.batch(3, config.train.batch_size, config.train.seed)
    tokens = Captions(config.spec.words)
    assert batch.c is not None and torch.equal(batch.c, tokens.encode(captions))
    assert batch.novel is not None and batch.novel.c is not None
    numbers = batch.novel.c[..., 0].tolist()
    found = [tuple(config.spec.words[n - 2] for n in row if n) for row in numbers]
    assert torch.equal(tokens.encode([" ".join(words) for words in found]), batch.novel.c)
    own = [tuple(words_of(caption)) for caption in captions]
    known = {tuple(words_of(one)) for one in SHAPES.captions_in_training(2000)}
    joined = [number for number, one in enumerate(own) if one != found[number]]
    assert len(joined) >= 2

    for number in joined:
        one, novel = own[number], found[number]
        first = [a for a, b in takewhile(are_same, zip(one, novel, strict=False))]
        assert novel not in known and len(first) > 2
        rest = novel[len(first) :]
        clip = batch.novel.x[number]
        (donor,) = (n for n, x in enumerate(batch.x) if torch.equal(x, clip))
        assert donor != number and own[donor][-len(rest) :] == rest


def test_novel_clips_of_one_second_half_are_a_group():
    """The last of five captions has no halves, and its own clip is left to it."""
    config = configure(DOMAIN, SHAPES, "gist_flow_sharp", "tiny", SHARP)
    batches = require(DOMAIN.batches(SHAPES, config, torch.device("cpu")), ClipBatches)
    captions = ["a dog runs", "a cat eats", "a fox runs", "a dog sleeps", "a bird"]
    halves = halves_of([*captions, "a cat sleeps", "a fox eats"])
    clips = torch.arange(5.0).repeat(3, 1).T.reshape(5, 3, 1, 1, 1)
    novel = replace(batches, halves=halves).novel(clips, captions)
    assert recombined(captions, halves) == [
        ("a dog eats", 1),
        ("a cat runs", 2),
        ("a fox sleeps", 3),
        ("a dog eats", 1),
        ("a bird", 4),
    ]
    assert novel.x[:, 0].flatten().tolist() == [1, 2, 3, 1, 4]
    assert novel.group is not None and novel.group.tolist() == [0, 1, 2, 0, 3]


def test_other_models_meet_none():
    config = configure(DOMAIN, SHAPES, "gist_flow_sharp", "tiny")
    assert DOMAIN.batches(SHAPES, config, torch.device("cpu"))(3).novel is None


def test_the_teacher_is_the_decoder_of_the_run_before_and_stays(first: Path, tmp_path: Path):
    model = trained(tmp_path / "sharp", "gist_flow_sharp", *SHARP, start=first)
    before = weights_of(first, "decoder", "ema")
    teacher, decoder = (weights_of(tmp_path / "sharp", name) for name in ("teacher", "decoder"))
    assert teacher.keys() == before.keys() == decoder.keys()
    assert all(torch.equal(teacher[name], before[name]) for name in before)
    assert not all(torch.equal(decoder[name], before[name]) for name in before)
    assert "teacher" not in model.networks
    assert "teacher" not in Model.load(tmp_path / "sharp", "cpu").networks


def test_a_run_with_a_teacher_resumes_to_the_bit_where_its_start_is_gone(
    first: Path, tmp_path: Path
):
    parts = tmp_path / "parts"
    trained(parts, "gist_flow_sharp", *SHARP, start=first, steps=1)
    trained(parts, "gist_flow_sharp", *SHARP, start=first, steps=2)
    trained(tmp_path / "whole", "gist_flow_sharp", *SHARP, start=first, steps=2)
    for network in ("decoder", "teacher"):
        one, other = (weights_of(to, network) for to in (parts, tmp_path / "whole"))
        assert all(torch.equal(one[name], other[name]) for name in other)


def test_without_a_run_to_keep_to_it_says_so(tmp_path: Path):
    with pytest.raises(ConfigError, match="keeps to what a trained run draws: name that by --fr"):
        trained(tmp_path / "run", "gist_flow_sharp", *SHARP)
    assert not (tmp_path / "run").exists()


ALL_FOUR = ["a dog runs", "a dog sleeps", "a cat runs", "a cat sleeps"]


@pytest.mark.parametrize("captions", [ALL_FOUR, ["runs", "sleeps", "eats"]])
def test_captions_that_join_to_no_new_one_are_refused_with_the_cure(
    captions: list[str], monkeypatch: pytest.MonkeyPatch
):
    config = configure(DOMAIN, SHAPES, "gist_flow_sharp", "tiny", SHARP)
    monkeypatch.setattr(MovingShapes, "captions_in_training", lambda self, most: captions)
    with pytest.raises(ConfigError, match="no halves of two captions can be joined to a new"):
        DOMAIN.batches(SHAPES, config, torch.device("cpu"))
