"""The optimizers' settings reach the optimizers."""

import pytest
import torch
from torch import nn

from core.recipes import GAMES, RECIPES, Recipe
from core.ring import domain as ring
from core.theory.passes import Networks
from core.training.optimisation import Optimisation
from core.training.presets import SMOKE_TEST, Preset
from core.training.step import TrainState, game, step


def moved(settings: Optimisation, gradients: list[float]) -> float:
    """A weight that begins at 1, after a step along each gradient."""
    weight = nn.Parameter(torch.ones(()))
    optimizer = settings.optimizer([weight])
    for gradient in gradients:
        weight.grad = torch.tensor(gradient)
        optimizer.step()
    return weight.item()


def test_rmsprop_by_hand():
    """v = 0.01 * 4, step 0.1 * 2 / 0.2; then v = 0.99 * 0.04 + 0.01, step 0.1 / sqrt(v)."""
    settings = Optimisation(optimiser="rmsprop", learning_rate=0.1)
    assert moved(settings, [2.0]) == pytest.approx(0.0, abs=1e-6)
    assert moved(settings, [2.0, 1.0]) == pytest.approx(-0.1 / 0.0496**0.5, rel=1e-5)


def test_adamw_by_hand():
    """m / (1 - b1) = sqrt(v / (1 - b2)) = 2: a step of the rate, after the decay by 0.98.

    Then m = 0.5 * 1 + 0.5 * 1 = 1 of 0.75, v = 0.9 * 0.4 + 0.1 * 1 = 0.46 of 0.19.
    """
    settings = Optimisation(learning_rate=0.1, betas=(0.5, 0.9), weight_decay=0.2)
    first = 0.98 - 0.1
    assert moved(settings, [2.0]) == pytest.approx(first, rel=1e-5)
    second = 0.98 * first - 0.1 * (1 / 0.75) / (0.46 / 0.19) ** 0.5
    assert moved(settings, [2.0, 1.0]) == pytest.approx(second, rel=1e-5)


def test_wgan_has_its_papers_settings():
    """Arjovsky et al. 2017, algorithm 1: alpha = 0.00005, c = 0.01, n_critic = 5, RMSProp."""
    (term,) = RECIPES["wgan"].critics
    assert (game(term).clip, game(term).critic_steps) == (0.01, 5)
    assert GAMES["wgan"] == game(term)
    preset = Preset("", "", "", "", {}, SMOKE_TEST, SMOKE_TEST.replace(steps=7), {})
    train = preset.values("wgan", RECIPES["wgan"])["train"]
    for player in (train["learner"], train["critic"]):
        assert (player["optimiser"], player["learning_rate"]) == ("rmsprop", 5e-5)
    assert preset.values("gan", RECIPES["gan"])["train"]["learner"]["optimiser"] == "adamw"


def test_a_clipped_critic_stays_within_its_bound():
    recipe = RECIPES["wgan"]
    torch.manual_seed(0)
    rate = Optimisation(optimiser="rmsprop", learning_rate=1e-3)
    state = TrainState(ring.networks(recipe), recipe, rate, rate)
    step(state, ring.batches(recipe), 0, seed=0)
    sizes = [w.abs().max().item() for w in state.networks["critic_x"].parameters()]
    assert max(sizes) == pytest.approx(0.01)


def test_each_player_has_the_settings_of_its_own():
    recipe = Recipe((), RECIPES["gan"].paper)
    networks = Networks({"decoder": nn.Linear(1, 1), "critic_x": nn.Linear(1, 1)})
    learner = Optimisation(learning_rate=0.3, betas=(0.1, 0.2))
    critic = Optimisation(optimiser="rmsprop", learning_rate=0.4)
    state = TrainState(networks, recipe, learner, critic)
    decoder, judge = (state.optimizers[n].param_groups[0] for n in ("decoder", "critic_x"))
    assert (decoder["lr"], decoder["betas"]) == (0.3, (0.1, 0.2))
    assert (judge["lr"], judge["alpha"]) == (0.4, 0.99)
