"""Stabilisers for games: what each does by hand, and that each helps any model that plays one."""

import math

import pytest
import torch
from torch import nn

from core.errors import ConfigError
from core.networks.augmentation import shifted
from core.networks.critics import MinibatchDiscrimination, SpectralNorm, normalise
from core.recipes import RECIPES, Recipe
from core.ring import domain as ring
from core.ring.benchmark import on_the_ring
from core.theory.adversarial import R1, Adversarial, hinge, least_squares, logistic
from core.theory.divergences import Features
from core.theory.passes import Batch, Networks, Passes
from core.training.stabilisers import Stabilisers
from core.training.step import Optimisation, TrainState, critic_step, learner_step, step

PLAYING = [name for name in on_the_ring() if RECIPES[name].critics]
ALL = Stabilisers(
    feature_matching=0.5,
    minibatch_discrimination=3,
    historical_averaging=0.01,
    label_smoothing=0.1,
    spectral_norm=True,
    instance_noise=0.2,
    r1=0.3,
    gradient_penalty=0.7,
    augment=True,
)


def state(name: str, stabilisers: Stabilisers) -> TrainState:
    torch.manual_seed(2)
    recipe = stabilisers.on(RECIPES[name])
    networks = stabilisers.fit(ring.networks(recipe))
    rate = Optimisation(learning_rate=1e-3)
    return TrainState(
        networks, recipe, rate, rate, 0.9, historical_averaging=stabilisers.historical_averaging
    )


@pytest.mark.parametrize("name", PLAYING)
def test_every_game_can_be_helped_by_all_of_them(name: str):
    helped = state(name, ALL)
    losses = step(helped, ring.batches(helped.recipe), 0, seed=1)
    assert losses["skipped"] == 0
    for term in RECIPES[name].critics:
        assert not term.trains or losses[f"features_{term.space}"] >= 0
        assert {f"critic_{term.space}_r1", f"critic_{term.space}_penalty"} <= set(losses)


def test_switched_off_they_change_nothing():
    recipe = RECIPES["vae_gan"]
    assert Stabilisers().on(recipe) is recipe
    networks = ring.networks(recipe)
    assert all(Stabilisers().fit(networks)[name] is part for name, part in networks.items())


def test_a_model_without_a_game_has_no_use_for_them():
    with pytest.raises(ConfigError, match="plays none"):
        Stabilisers(instance_noise=0.1).on(RECIPES["vae"])


class Scaled(nn.Module):
    """Scores 3 x + 1, with features (x, 2 x)."""

    width = 2

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(3.0))

    def features(self, x):
        return torch.cat([x, 2 * x], 1)

    def augment(self, x):
        return x + 10

    def forward(self, x):
        return (self.scale * x + 1).squeeze(1)


class Told(Passes):
    """Real is 0 and 4, produced is 1 and 2."""

    def __init__(self) -> None:
        real = torch.tensor([[0.0], [4.0]])
        super().__init__(Networks({"critic_x": Scaled()}), Batch(real))

    def produced(self, space):
        return (torch.tensor([[1.0], [2.0]]),)


def test_feature_matching_by_hand():
    """Means (2, 4) and (1.5, 3)."""
    assert Features()(Told(), "x", "critic_x").item() == pytest.approx(0.25 + 1.0)


@pytest.mark.parametrize("game", [logistic, least_squares, hinge])
def test_smoothing_moves_a_share_of_what_is_real(game):
    """0.8 of the cost of real + 0.2 of the cost of calling it produced, but for a constant."""
    real, fake = (torch.tensor(v, requires_grad=True) for v in ([0.3, -1.2], [0.5, 0.9]))
    Adversarial(game, label_smoothing=0.2)._smoothed(real, fake).sum().backward()
    again = real.detach().clone().requires_grad_()
    zero = torch.zeros(2)
    (0.8 * game(again, zero) + 0.2 * game(zero, again)).sum().backward()
    torch.testing.assert_close(real.grad, again.grad)


def test_the_best_score_under_smoothing_is_bounded():
    """Of the logistic game: where all is real, D = 1 - share (Goodfellow 2016, section 4.2)."""
    score = torch.linspace(-4, 8, 4801)
    costs = Adversarial(logistic, label_smoothing=0.1)._smoothed(
        score, torch.full_like(score, -99)
    )
    assert torch.sigmoid(score[costs.argmin()]).item() == pytest.approx(0.9, abs=1e-3)


def test_noise_is_of_the_stated_size_and_augmentation_is_the_critics():
    torch.manual_seed(0)
    point = (torch.zeros(4000, 1),)
    noisy = (Adversarial(logistic, instance_noise=0.5)._score(Told(), "critic_x", point) - 1) / 3
    assert noisy.std().item() == pytest.approx(0.5, rel=0.05)
    moved = Adversarial(logistic, augment=True)._score(Told(), "critic_x", point)
    assert (moved == 31).all()


def test_r1_of_a_linear_critic():
    real, fake = torch.randn(5, 2), torch.randn(5, 2)
    weight = torch.tensor([3.0, -4.0])
    paid = R1(0.6)(lambda x: x @ weight, (real,), (fake,))
    torch.testing.assert_close(paid, torch.full((5,), 0.3 * 25.0))


def test_closeness_by_hand():
    """Features 0, 1 and 5 with one kernel of five equal numbers: distances 5, 25 and 20."""
    critic = MinibatchDiscrimination(Scaled(), kernels=1)
    critic.compare.weight.data = torch.tensor([[1.0, 0.0]]).repeat(5, 1)
    near = critic.closeness(torch.tensor([[0.0, 9.0], [1.0, 9.0], [5.0, 9.0]]))
    expected = [math.exp(-5) + math.exp(-25), math.exp(-5) + math.exp(-20)]
    torch.testing.assert_close(near[:2, 0], torch.tensor(expected))


def test_a_critic_sees_that_all_samples_are_alike():
    critic = MinibatchDiscrimination(Scaled(), kernels=2)
    self_similarity, different = torch.zeros(6, 1), 50 * torch.arange(6.0)[:, None]
    assert (critic.closeness(critic.features(self_similarity)) == 5).all()
    assert critic.closeness(critic.features(different)).max() < 0.5


@pytest.mark.parametrize("layer", [nn.Linear(7, 4), nn.Conv2d(3, 5, 3), nn.Conv1d(2, 6, 4)])
def test_a_normalised_map_has_norm_1(layer):
    torch.manual_seed(1)
    module = nn.Sequential(layer)
    normalise(module)
    with torch.no_grad():
        for _ in range(30):
            weight = layer.weight
    assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1, abs=1e-3)


def test_each_players_map_has_norm_1():
    from musegen.networks.multiscale import Linear

    torch.manual_seed(1)
    layer = Linear(3, 6, 5)
    layer.weight.data[1] *= 9
    normalise(nn.Sequential(layer))
    with torch.no_grad():
        for _ in range(30):
            weight = layer.weight
    torch.testing.assert_close(
        torch.linalg.matrix_norm(weight, 2), torch.ones(3), atol=1e-3, rtol=0
    )


def test_the_gradient_of_a_normalised_map_is_that_of_the_ratio():
    torch.manual_seed(3)
    layer = nn.Linear(4, 3, bias=False)
    norm = SpectralNorm(layer).train()
    weight = layer.weight.detach().double().requires_grad_()
    norm.left.data = norm.left.double()
    for _ in range(200):
        norm(weight)
    direction = torch.randn(3, 4, dtype=torch.float64)
    (norm(weight) * direction).sum().backward()
    exact = weight.detach().clone().requires_grad_()
    (exact / torch.linalg.matrix_norm(exact, 2) * direction).sum().backward()
    torch.testing.assert_close(weight.grad, exact.grad, rtol=1e-4, atol=1e-6)


def test_history_pulls_weights_to_their_average():
    """2 * history * distance is added to each gradient."""
    helped = state("gan", Stabilisers(historical_averaging=0.25))
    recipe: Recipe = helped.recipe
    for name in ("decoder", "critic_x"):
        for weight in helped.networks[name].parameters():
            weight.data += 0.02
    batch = ring.batches(recipe)(0)
    plain = state("gan", Stabilisers())
    plain.networks.load_state_dict(helped.networks.state_dict())
    for one in (helped, plain):
        torch.manual_seed(5)
        critic_step(one, batch)
        learner_step(one, batch)
    for name in ("decoder", "critic_x"):
        with_history, without = (
            next(one.networks[name].parameters()).grad for one in (helped, plain)
        )
        assert with_history is not None
        assert without is not None
        if name == "critic_x":  # the decoder's gradient has passed a critic that differs by now
            torch.testing.assert_close(
                with_history - without, torch.full_like(without, 0.01), atol=1e-4, rtol=1e-2
            )
        else:
            assert with_history.mean() > without.mean()


def test_augmentation_moves_half_around_with_its_gradient():
    torch.manual_seed(0)
    x = torch.arange(24.0).view(1, 4, 6).repeat(400, 1, 1).requires_grad_()
    made = shifted(x, {1: 1, -1: 2})
    same = (made == x).flatten(1).all(1).float().mean().item()
    assert same == pytest.approx(0.5 + 0.5 / 15, abs=0.06)
    torch.testing.assert_close(made.flatten(1).sort(1).values, x.flatten(1))
    made.sum().backward()
    torch.testing.assert_close(x.grad, torch.ones_like(x))


def test_a_helped_run_resumes_to_the_bit(tmp_path):
    from core.training.loop import TrainConfig, train
    from core.training.run import Run

    config = TrainConfig(steps=4, save_every_steps=2, ema_decay=0.9)

    def run(folder, steps):
        helped = state("gan", ALL)
        draw = ring.batches(helped.recipe)
        with Run.open(folder, {}) as opened:
            train(opened, helped, draw, config.replace(steps=steps), lambda ema, step: {})
        return helped

    whole = run(tmp_path / "whole", 4)
    run(tmp_path / "parts", 2)
    parts = run(tmp_path / "parts", 4)
    for group, values in whole.state().items():
        if group != "optimizers":
            for key, value in values.items():
                assert torch.equal(value, parts.state()[group][key]), (group, key)
