"""Half precision is used only where a device computes with it."""

import math

import pytest
import torch

from core.densities.closed_form import GaussianMixture
from core.densities.ratio import DensityRatio
from core.networks.critics import LatentCritic
from core.recipes import RECIPES
from core.ring import eight_gaussians as ring
from core.ring.benchmark import adapting, on_the_ring
from core.ring.settings import settings_of
from core.theory.adversarial import (
    R1,
    Adversarial,
    Game,
    GradientPenalty,
    Penalty,
    logistic,
    wasserstein,
)
from core.theory.passes import Batch, Networks, Passes
from core.training.device import computes_bf16
from core.training.step import TrainState, step


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"avx512_bf16": True, "amx_bf16": True}, True),
        ({"avx512_bf16": True, "amx_bf16": False, "amx_tile": True, "amx_int8": True}, False),
        ({"avx512_bf16": True}, False),
        ({"bf16": True, "architecture": "aarch64"}, False),
        ({"avx2": True, "cpu_name": "any"}, False),
    ],
)
def test_a_cpu_trains_in_bfloat16_only_with_amx(monkeypatch, found, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found)
    assert computes_bf16(torch.device("cpu")) is expected


def test_a_device_of_another_kind_computes_in_single_precision():
    assert not computes_bf16(torch.device("meta"))


@pytest.mark.parametrize("name", [*on_the_ring(), *adapting()])
def test_every_recipe_takes_steps_in_bfloat16(name: str):
    settings = settings_of(name)
    recipe, train = settings.apply(RECIPES[name]), settings.train
    torch.manual_seed(0)
    networks = ring.networks(recipe, settings.latent, settings.frequencies)
    state = TrainState(networks, recipe, train.learner, train.critic, 0.9, bf16=True)
    for number in range(2):
        losses = step(state, ring.batches(recipe, 16), number, seed=1, measured=True)
        assert losses["skipped"] == 0 and all(map(math.isfinite, losses.values()))


@pytest.mark.parametrize("penalty", [R1(2.0), GradientPenalty(3.0)])
def test_penalties_of_latents_in_bfloat16_are_computed_in_single_precision(penalty: Penalty):
    torch.manual_seed(0)
    critic, halves = LatentCritic(3, 8), torch.randn(2, 5, 3).bfloat16()
    paid = []
    for reference, produced in (halves, halves.float()):
        torch.manual_seed(1)
        with torch.autocast("cpu", torch.bfloat16):
            paid.append(penalty(critic, (reference,), (produced,)))
    assert torch.equal(*paid)


@pytest.mark.parametrize("game", [logistic, wasserstein], ids=lambda game: game.__name__)
def test_losses_of_a_game_in_bfloat16_are_averaged_in_single_precision(game: Game):
    """Scores are rounded, as the critic's last map is; what is computed of them is not."""
    torch.manual_seed(0)
    critic, real, fake = LatentCritic(3, 8), torch.randn(100, 3), torch.randn(100, 3)
    passes = Passes(Networks({"critic_z": critic}), Batch(real))
    passes.prior_sample, passes.posterior_sample = real, fake
    with torch.autocast("cpu", torch.bfloat16):
        scores = [critic(z) for z in (real, fake)]
        (loss,) = Adversarial(game).critic_loss(passes, "z", "critic_z").values()
    assert {score.dtype for score in scores} == {torch.bfloat16}
    torch.testing.assert_close(loss.mean(), game(*(score.float() for score in scores)).mean())


def test_a_ratio_of_densities_in_bfloat16_is_compared_in_single_precision():
    ratio = DensityRatio(3, 2, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert ratio(torch.randn(5, 3), torch.randn(5, 2)).dtype == torch.float32


def test_a_step_of_em_in_bfloat16_is_taken_in_single_precision():
    x = ring.points(64, seed=3)
    parameters = []
    for is_half in (False, True):
        torch.manual_seed(0)
        density = GaussianMixture(2)
        with torch.autocast("cpu", torch.bfloat16, enabled=is_half):
            density.em_step(x)
        parameters.append(torch.nn.utils.parameters_to_vector(density.parameters()))
    assert torch.equal(*parameters)
