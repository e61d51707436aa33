"""Wider networks begin as the smaller ones whose weights they take over."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from core.app import fit
from core.densities.flow import ActNorm, Chain
from core.errors import ConfigError
from core.recipes import RECIPES
from core.ring.data import DrawnRing
from core.ring.model import DOMAIN
from core.theory.passes import Networks
from core.training.checkpoint import save_checkpoint
from core.training.run import Run
from core.training.warm_start import start_from, widened


def test_a_wider_network_computes_what_the_smaller_one_did():
    """Three more inputs, two more hidden units: the first outputs stay as they were."""
    torch.manual_seed(0)
    small = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    wide = nn.Sequential(nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 4))
    known, own = small.state_dict(), wide.state_dict()
    wide.load_state_dict({name: widened(own[name], known[name]) for name in own})
    x = torch.randn(7, 2)
    torch.testing.assert_close(wide(torch.cat([x, torch.randn(7, 3)], 1))[:, :2], small(x))


def test_new_outputs_keep_their_own_weights():
    torch.manual_seed(0)
    new = torch.randn(4, 3, 3, 3)
    wide = widened(new, torch.ones(2, 1, 3, 3))
    assert torch.equal(wide[2:], new[2:])
    assert wide[:2, 0].eq(1).all()
    assert not wide[:2, 1:].any()


def test_what_a_first_batch_initialises_is_initialised_anew_where_it_is_of_another_size(
    tmp_path: Path,
):
    """An actnorm of five numbers in place of four, behind one of two that stays."""
    old, new = ([ActNorm(2), ActNorm(size)] for size in (4, 5))
    for norm in old:
        norm.initialised.fill_(1)
        norm.shift.data.fill_(3)
    weights = Networks({"prior": Chain(old)}).state_dict()
    save_checkpoint(tmp_path / "checkpoints" / "step-00000001", {"ema": weights}, {})
    start_from(Run(tmp_path, {}), None, lambda config: Networks({"prior": Chain(new)}))
    kept, other = new
    assert (kept.initialised, kept.shift.tolist()) == (1, [3, 3])
    assert (other.initialised, other.shift.tolist()) == (0, [0] * 5)


def trained(to: Path, *settings: str, start: Path | None = None, model: str = "vae_flow"):
    """Train on the ring for two steps."""
    steps = ["train.steps=2", "train.batch_size=8", *settings]
    return fit.train(DOMAIN, DrawnRing(), to, model, "tiny", "cpu", steps, start=start).networks


def test_frozen_networks_stay_and_the_others_learn(tmp_path: Path):
    before = trained(tmp_path / "first")
    after = trained(tmp_path / "next", "train.frozen=[encoder,decoder]", start=tmp_path / "first")
    same = {
        name: all(torch.equal(one, network.state_dict()[key]) for key, one in known.items())
        for name, network in after.items()
        for known in [before[name].state_dict()]
    }
    assert same == {"encoder": True, "decoder": True, "prior": False}


def test_a_start_of_a_config_file_is_kept_to(tmp_path: Path):
    """A run's config.yaml has one; and the run resumes where what it began with is gone."""
    first = tmp_path / "first"
    before = trained(first)
    settings = ("train.frozen=[encoder,decoder]", f"start={first}")
    weights = trained(tmp_path / "next", *settings)["decoder"].state_dict()
    assert all(torch.equal(weights[k], v) for k, v in before["decoder"].state_dict().items())
    first.rename(tmp_path / "gone")
    resumed = trained(tmp_path / "next", *settings, "train.steps=3")["decoder"].state_dict()
    assert all(torch.equal(resumed[k], v) for k, v in weights.items())


@pytest.mark.parametrize(
    ("model", "frozen", "said"),
    [
        ("vae_flow", "[decoder,prio]", "no network is called 'prio': did you mean 'prior'"),
        ("vae_flow", "[decoder,encoder,prior]", "nothing is left to train"),
        ("gan", "[critic]", "no network is called 'critic'"),
        ("gan", "[decoder]", "nothing is left to train"),
    ],
)
def test_what_cannot_be_frozen_is_refused(tmp_path: Path, model: str, frozen: str, said: str):
    with pytest.raises(ConfigError, match=said):
        trained(tmp_path / "run", f"train.frozen={frozen}", model=model)


def test_terms_that_train_frozen_networks_alone_are_not_computed(tmp_path: Path):
    """A flow as prior is trained without the decoder, which is frozen as the encoder is."""
    trained(tmp_path / "run", "train.frozen=[encoder,decoder]", "train.log_every_steps=1")
    lines = [
        json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().split("\n")[:-1]
    ]
    logged = {name for line in lines for name in line}
    assert "match_z" in logged and "reconstruct_x" not in logged


@pytest.mark.parametrize(
    ("model", "frozen", "left"),
    [
        ("vae", ["decoder"], {"reconstruct_x": ("encoder", "decoder"), "match_z": ("encoder",)}),
        ("vae", ["encoder"], {"reconstruct_x": ("encoder", "decoder")}),
        ("vae_flow", ["encoder", "decoder"], {"match_z": ("encoder", "prior")}),
        # its critic measures the reconstructions of the encoder
        (
            "vae_gan",
            ["decoder"],
            {
                "reconstruct_features": ("encoder", "decoder"),
                "match_z": ("encoder",),
                "match_x": (),
            },
        ),
        ("aae", ["encoder"], {"reconstruct_x": ("encoder", "decoder")}),
        ("aavae", ["decoder", "encoder"], {"match_x": ()}),
    ],
)
def test_terms_that_train_another_network_stay(
    model: str, frozen: list[str], left: dict[str, tuple[str, ...]]
):
    recipe = RECIPES[model].beside(frozen)
    assert {term.name: term.trains for term in recipe.terms} == left
    assert len(recipe.critics) == ("match_x" in left)
