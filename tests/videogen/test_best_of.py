"""One of several samples of a clip is taken: by a ratio of densities, or by reconstruction."""

from pathlib import Path

import pytest
import torch
from command import run
from torch import Tensor, nn

from core.app import fit
from core.errors import UserError
from core.theory.passes import Networks
from videogen.files.label import origin_of
from videogen.model import DOMAIN, Model
from videogen.shapes.dataset import MovingShapes
from videogen.shapes.steadiness import steadiness

SHAPES = MovingShapes(size=16, frames=4)
CAPTION = "A small red circle is moving in a zigzag path towards north"

PAIR = (
    "A large red square is moving in a straight line towards north and a small green circle is "
    "moving in a zigzag path towards east"
)


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load("shapes", "cpu")


def test_the_weights_that_ship_take_one_of_eight_by_a_ratio(model: Model):
    """Samples that are taken are likelier encoded than those that come first."""
    assert model.config.video.tries == 8
    captions = [PAIR] * 2
    torch.testing.assert_close(model.best_of(8).clips(captions, 1), model.clips(captions, 1))
    c = model.conditioning([PAIR] * 256)
    torch.manual_seed(0)
    with torch.no_grad():
        first, taken = (
            model.networks["ratio"](one.space.sample(256, c), c).mean()
            for one in (model.best_of(1), model)
        )
    assert taken > first + 0.5


def error(model: Model, captions: list[str], seed: int) -> float:
    clips = model.clips(captions, seed)
    reconstructed = model.reconstruct(clips, captions)
    return (reconstructed - clips).square().mean().item()


def test_without_a_ratio_that_is_taken_which_is_reconstructed_best(model: Model):
    networks = Networks({name: one for name, one in model.networks.items() if name != "ratio"})
    plain = Model(networks, model.config, model.spec, "plain")
    captions = [PAIR] * 4
    assert error(plain.best_of(4), captions, 1) < error(plain.best_of(1), captions, 1)


@pytest.mark.slow
def test_fewer_shapes_lose_their_form(model: Model):
    captions = [PAIR] * 64
    cut = {tries: steadiness(captions, model.best_of(tries).clips(captions, 1))["cut"]
           for tries in (1, 8)}  # fmt: skip
    assert cut[8] < 0.4 * cut[1]


def test_parts_and_points_are_those_of_the_same_clip(model: Model):
    (clip,) = model.clips([PAIR], 3)
    parts = model.parts([PAIR], 3)
    mask = parts["mask"][0]
    background = parts["background"][0][:, None]
    whole = mask * parts["foreground"][0] + (1 - mask) * background
    torch.testing.assert_close(whole.clamp(-1, 1), clip, atol=1e-4, rtol=0)
    (longer,) = model.clips([PAIR], 3, frames=31)  # slower, as none goes on
    torch.testing.assert_close(longer[:, ::2], clip, atol=1e-3, rtol=0)
    (decoded,) = model.decode(model.space.draw(1, model.read_conditions([PAIR]), 3))
    torch.testing.assert_close(decoded, clip, atol=1e-4, rtol=0)


class Larger(nn.Module):
    """A ratio by which a z of larger numbers is more likely encoded than sampled."""

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        return 100 * z.sum(1)


def test_a_ratio_learns_beside_what_is_frozen_and_samples_are_taken_by_it(tmp_path: Path):
    """The weights of the ratio move, and the best of several clips is the one of larger z."""
    parts = "[condition,decoder,encoder,prior]"
    settings = ["train.batch_size=4", "model.weights.contrast_z=1", "model.video.tries=8"]
    models = [
        fit.train(DOMAIN, SHAPES, to, "gist_flow", "tiny", "cpu", [*settings, *more], start=start)
        for to, more, start in (
            (tmp_path / "first", ["train.steps=1"], None),
            (tmp_path / "next", ["train.steps=3", f"train.frozen={parts}"], tmp_path / "first"),
        )
    ]
    first, after = (model.networks.state_dict() for model in models)
    moved = {name.split(".")[0] for name in first if not torch.equal(first[name], after[name])}
    assert moved == {"ratio"}
    model = models[1]
    c = torch.zeros(64, *model.conditioning([CAPTION]).shape[1:])
    torch.manual_seed(0)
    by_chance = model.best_of(1).space.sample(64, c).sum(1).mean()
    model.networks["ratio"] = Larger()
    assert model.space.sample(64, c).sum(1).mean() > by_chance + 2


def test_a_model_without_an_encoder_says_so(model: Model):
    parts = Networks({name: one for name, one in model.networks.items() if name != "encoder"})
    blind = Model(parts, model.config, model.spec, "blind")
    with pytest.raises(UserError, match="blind has no encoder"):
        blind.best_of(2)


def test_the_option_reaches_the_clip_and_its_side_text(tmp_path: Path):
    for tries in (1, 2):
        to = tmp_path / str(tries)
        options = ("--best-of", tries, "--seed", 2, "--format", "mp4", "--to", to)
        assert run("video", "sample", PAIR, *options)[0] == 0
    first, second = (next((tmp_path / str(tries)).glob("*.mp4")) for tries in (1, 2))
    assert first.read_bytes() != second.read_bytes()
    assert "best of 2" in origin_of(second)
