"""Stabilisers for games: what each does by hand, and that each helps any model that plays one."""

import copy
import math

import pytest
import torch
from torch import nn

from core.errors import ConfigError
from core.networks.augmentation import shifted
from core.networks.critics import MinibatchDiscrimination, SpectralNorm, normalise
from core.recipe import Recipe
from core.recipes import RECIPES
from core.ring import eight_gaussians as ring
from core.ring.benchmark import on_the_ring
from core.theory.adversarial import (
    R1,
    Adversarial,
    GradientPenalty,
    hinge,
    least_squares,
    logistic,
    wasserstein,
)
from core.theory.divergences import Features
from core.theory.passes import Batch, Networks, Passes
from core.training.optimisation import Optimisation
from core.training.stabilisers import Stabilisers
from core.training.step import TrainState, _add_history_gradient, game, step, update_history

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
    clip=0.05,
    augment=True,
    pool=300,
)


def state(name: str, stabilisers: Stabilisers) -> TrainState:
    torch.manual_seed(2)
    if any(game(term).game is wasserstein for term in RECIPES[name].critics):
        stabilisers = stabilisers.replace(label_smoothing=0)  # refused
    recipe = stabilisers.on(RECIPES[name])
    networks = stabilisers.fit(ring.networks(recipe))
    rate = (recipe.optimisation or Optimisation()).replace(learning_rate=1e-3)
    averaging, pool = stabilisers.historical_averaging, stabilisers.pool
    return TrainState(networks, recipe, rate, rate, 0.9, False, averaging, pool)


@pytest.mark.parametrize("name", PLAYING)
def test_every_game_can_be_helped_by_all_of_them(name: str):
    helped = state(name, ALL)
    losses = step(helped, ring.batches(helped.recipe), 0, seed=1)
    assert losses["skipped"] == 0
    for term in RECIPES[name].critics:
        assert not term.trains or losses[f"features_{term.space}"] >= 0
        assert {f"critic_{term.space}_r1", f"critic_{term.space}_penalty"} <= set(losses)


@pytest.mark.parametrize(
    ("name", "weight", "penalties"),
    [
        ("wgan_gp", None, (GradientPenalty(10.0),)),
        ("wgan_gp", 0.1, (GradientPenalty(0.1),)),
        ("wgan_gp", 0.0, ()),
        ("gan", None, ()),
        ("gan", 2.0, (GradientPenalty(2.0),)),
    ],
)
def test_a_gradient_penalty_takes_the_place_of_the_games_own(name, weight, penalties):
    recipe = Stabilisers(gradient_penalty=weight, instance_noise=0.1).on(RECIPES[name])
    assert game(recipe.critics[0]).penalties == penalties


@pytest.mark.parametrize(("weight", "penalties"), [(0.0, (R1(16.0),)), (2.0, (R1(2.0),))])
def test_r1_takes_the_place_of_the_recipes_own(weight, penalties):
    """Two of one name would cost two backward passes, of which one counts."""
    own = Adversarial(logistic, penalties=(R1(16.0),))
    recipe = RECIPES["gan"].with_games(lambda space, by: own)
    helped = Stabilisers(r1=weight, instance_noise=0.1).on(recipe)
    assert game(helped.critics[0]).penalties == penalties


@pytest.mark.parametrize(
    ("name", "bound", "clip"), [("wgan", 0.0, 0.01), ("wgan", 0.1, 0.1), ("gan", 0.1, 0.1)]
)
def test_a_bound_of_the_weights_takes_the_place_of_the_games_own(name, bound, clip):
    recipe = Stabilisers(clip=bound, instance_noise=0.1).on(RECIPES[name])
    assert game(recipe.critics[0]).clip == clip


def test_switched_off_they_change_nothing():
    recipe = RECIPES["vae_gan"]
    assert Stabilisers().on(recipe) is recipe
    networks = ring.networks(recipe)
    assert all(Stabilisers().fit(networks)[name] is part for name, part in networks.items())


def test_a_state_of_which_no_more_is_asked_keeps_no_averages_and_no_pools():
    recipe, rate = RECIPES["gan"], Optimisation()
    plain = TrainState(ring.networks(recipe), recipe, rate, rate)
    assert (plain.ema_decay, plain.bf16) == (0, False)
    assert (plain.historical_averaging, [*plain.history], plain.pools) == (0, [], {})


def test_features_are_matched_from_when_their_game_is_played():
    recipe = Stabilisers(feature_matching=0.5).on(RECIPES["gan"].later({"match_x": 0.6}))
    weights = [{t.name: t.weight for t in recipe.at(used).terms} for used in (0.5, 0.6)]
    assert weights == [{"match_x": 0, "features_x": 0}, {"match_x": 1, "features_x": 0.5}]


def test_a_model_without_a_game_has_no_use_for_them():
    with pytest.raises(ConfigError, match="plays none"):
        Stabilisers(instance_noise=0.1).on(RECIPES["vae"])


def test_samples_of_a_batch_add_to_the_score_of_each_patch():
    """Features 0, 1 and 5 with one kernel: exp(-5) + exp(-25), and so on, times a weight of 2."""
    critic = MinibatchDiscrimination(TwoPatches(), kernels=1)
    critic.compare.weight.data = torch.ones(5, 1)
    critic.score.weight.data = torch.tensor([[2.0]])
    scores = critic(torch.tensor([[0.0], [1.0], [5.0]]))
    expected = [math.exp(-5) + math.exp(-25), math.exp(-5) + math.exp(-20)]
    added = 2 * torch.tensor([*expected, math.exp(-25) + math.exp(-20)])[:, None]
    alone = torch.tensor([[0.0, 7.0], [1.0, 7.0], [5.0, 7.0]])
    torch.testing.assert_close(scores, alone + added)


class TwoPatches(nn.Module):
    """Scores x and 7 of two patches."""

    width = 1

    def features(self, x):
        return x

    def augment(self, x):
        return x

    def features_and_scores(self, x):
        return self.features(x), self(x)

    def forward(self, x):
        return torch.cat([x, torch.full_like(x, 7.0)], 1)


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

    def features_and_scores(self, x):
        return self.features(x), self(x)

    def forward(self, x):
        return (self.scale * x + 1).squeeze(1)


class Fixed(Passes):
    """Real is 0 and 4, produced is 1 and 2."""

    def __init__(self) -> None:
        real = torch.tensor([[0.0], [4.0]])
        super().__init__(Networks({"critic_x": Scaled()}), Batch(real))

    def produced(self, space):
        return (torch.tensor([[1.0], [2.0]]),)


def test_feature_matching_by_hand():
    """Means (2, 4) and (1.5, 3)."""
    assert Features()(Fixed(), "x", "critic_x").item() == pytest.approx(0.25 + 1.0)


@pytest.mark.parametrize("game", [logistic, least_squares, hinge])
def test_smoothing_moves_a_share_of_what_is_real(game):
    """0.8 of the cost of real + 0.2 of the cost of calling it produced, but for a constant."""
    real, fake = (torch.tensor(v, requires_grad=True) for v in ([0.3, -1.2], [0.5, 0.9]))
    Adversarial(game, label_smoothing=0.2)._smoothed(real, fake).sum().backward()
    copied = real.detach().clone().requires_grad_()
    zero = torch.zeros(2)
    (0.8 * game(copied, zero) + 0.2 * game(zero, copied)).sum().backward()
    torch.testing.assert_close(real.grad, copied.grad)


def test_the_best_score_under_smoothing_is_bounded():
    """In the logistic game, D = 1 - share where all is real (Goodfellow 2016, section 4.2)."""
    score = torch.linspace(-4, 8, 4801)
    costs = Adversarial(logistic, label_smoothing=0.1)._smoothed(
        score, torch.full_like(score, -99)
    )
    assert torch.sigmoid(score[costs.argmin()]).item() == pytest.approx(0.9, abs=1e-3)


def test_noise_is_of_the_stated_size_and_augmentation_is_the_critics():
    torch.manual_seed(0)
    point = (torch.zeros(4000, 1),)
    noisy = (Adversarial(logistic, instance_noise=0.5)._score(Fixed(), "critic_x", point) - 1) / 3
    assert noisy.std().item() == pytest.approx(0.5, rel=0.05)
    moved = Adversarial(logistic, augment=True)._score(Fixed(), "critic_x", point)
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


def test_a_critic_sees_that_all_samples_are_the_same():
    critic = MinibatchDiscrimination(Scaled(), kernels=2)
    self_similarity, different = torch.zeros(6, 1), 50 * torch.arange(6.0)[:, None]
    assert (critic.closeness(critic.features(self_similarity)) == 5).all()
    assert critic.closeness(critic.features(different)).max() < 0.5


MAPS = {
    "linear": lambda: nn.Linear(7, 4),
    "conv2d": lambda: nn.Conv2d(3, 5, 3),
    "conv1d": lambda: nn.Conv1d(2, 6, 4),
}
"""Built within the test: its seed decides their weights, and so how fast the norm is found."""


@pytest.mark.parametrize("name", MAPS)
def test_a_normalised_map_has_norm_1(name):
    torch.manual_seed(1)
    layer = MAPS[name]()
    normalise(nn.Sequential(layer))
    with torch.no_grad():
        for _ in range(30):
            weight = layer.weight
    assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1, abs=1e-3)


def test_recurrent_maps_have_norm_1_in_each_layer_and_direction():
    """Ten times the parameters is the same map, in copies and after a pass too."""
    torch.manual_seed(1)
    layer = nn.GRU(3, 2, num_layers=2, bidirectional=True)
    normalise(nn.Sequential(layer))
    x = torch.randn(5, 1, 3)
    for _ in range(40):
        expected, _ = layer(x)
    maps = [name for name in layer._flat_weights_names if name.startswith("weight")]
    assert len(maps) == 2 * 2 * 2
    layer.eval()
    for name in maps:
        assert torch.linalg.matrix_norm(getattr(layer, name), 2).item() == pytest.approx(1, 1e-3)
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if "original" in name:
                parameter *= 10
        for one in (layer, copy.deepcopy(layer), layer.to(torch.float32)):
            torch.testing.assert_close(one(x)[0], expected, atol=1e-3, rtol=1e-3)
    layer.train()(x)[0].sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())


def test_tables_of_embeddings_stay_as_they_are():
    tables = nn.Sequential(nn.Embedding(4, 3), nn.EmbeddingBag(4, 3))
    before = copy.deepcopy(tables.state_dict())
    normalise(tables)
    assert all(torch.equal(tables.state_dict()[key], value) for key, value in before.items())


@pytest.mark.parametrize("name", ["wgan", "wgan_gp", "musegan"])
def test_label_smoothing_of_a_wasserstein_game_is_refused(name):
    """The critic's loss would have no minimum: scores of all samples fall for ever."""
    with pytest.raises(ConfigError, match=r"Wasserstein.*model\.game=hinge"):
        Stabilisers(label_smoothing=0.1).on(RECIPES[name])
    smoothed = Adversarial(wasserstein, label_smoothing=0.1)
    scores = torch.tensor([-1.0, -10.0, -100.0])
    losses = smoothed._smoothed(scores, scores)
    torch.testing.assert_close(losses, 0.2 * scores)


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
    norm = SpectralNorm(layer.weight, stacked=False).train()
    weight = layer.weight.detach().double().requires_grad_()
    norm.left.data = norm.left.double()
    for _ in range(200):
        norm(weight)
    direction = torch.randn(3, 4, dtype=torch.float64)
    (norm(weight) * direction).sum().backward()
    exact = weight.detach().clone().requires_grad_()
    (exact / torch.linalg.matrix_norm(exact, 2) * direction).sum().backward()
    torch.testing.assert_close(weight.grad, exact.grad, rtol=1e-4, atol=1e-6)


def test_the_singular_vector_is_followed_in_training_alone():
    """A diagonal matrix, whose largest entry changes its place, is divided by that entry.

    (2 / 3)^30, what is left of the other entries at first, is no denormal number.
    """
    first, then = (torch.diag(torch.tensor(d)) for d in ([3.0, 2.0, 2.0], [2.0, 2.0, 3.0]))
    norm = SpectralNorm(first, stacked=False).eval()
    for _ in range(50):
        weight = norm(first)
    torch.testing.assert_close(weight, first / 3)
    left = norm.left.clone()
    norm(then)
    assert torch.equal(norm.left, left)
    norm.train()
    for _ in range(50):
        weight = norm(then)
    torch.testing.assert_close(weight, then / 3, atol=1e-4, rtol=0)


class Slope(nn.Module):
    """A player with one weight, whose loss has the slope 1: AdamW moves it by its rate."""

    def __init__(self, weight: float):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, *x):
        return self.weight.expand(1)


def test_history_is_the_mean_of_all_weights_so_far_for_both_players():
    """Weights 4, 1 and 10 have the mean 5; |10 - 5|^2 has the slope 10 (section 3.3)."""
    players = {"decoder": Slope(4.0), "critic_x": Slope(-4.0)}
    rate = Optimisation()
    recipe = Recipe((), RECIPES["gan"].paper)
    state = TrainState(Networks(players), recipe, rate, rate, 0.9, historical_averaging=0.25)
    for number, value in enumerate((1.0, 10.0)):
        players["decoder"].weight.data.fill_(value)
        players["critic_x"].weight.data.fill_(-value)
        update_history(state, number)
    means = {name: next(network.parameters()).item() for name, network in state.history.items()}
    assert means == pytest.approx({"decoder": 5, "critic_x": -5})
    for name, slope in (("decoder", 2.5), ("critic_x", -2.5)):
        players[name].weight.grad = torch.tensor(7.0)
        _add_history_gradient(state, name)
        torch.testing.assert_close(players[name].weight.grad, torch.tensor(7 + slope))


def test_history_is_updated_by_a_step_and_pulls_both_players():
    """After two steps the mean is of three values, and its pull is in what moves the weights."""
    helped, plain = (
        state("gan", Stabilisers(historical_averaging=weight)) for weight in (5.0, 0.0)
    )
    names, seen = ("decoder", "critic_x"), {"decoder": [], "critic_x": []}
    for number in range(3):
        for name in names:
            seen[name].append(next(helped.networks[name].parameters()).detach().clone())
        for one in (helped, plain):
            step(one, ring.batches(one.recipe), number, seed=1)
        for name in names:
            same = torch.equal(*(next(s.networks[name].parameters()) for s in (helped, plain)))
            assert same == (number == 0), "at first the weights are their own mean"
    for name in names:
        seen[name].append(next(helped.networks[name].parameters()).detach())
        mean = next(helped.history[name].parameters())
        torch.testing.assert_close(mean, torch.stack(seen[name]).mean(0))


def test_augmentation_moves_half_around_with_its_gradient():
    torch.manual_seed(0)
    x = torch.arange(24.0).view(1, 4, 6).repeat(400, 1, 1).requires_grad_()
    augmented = shifted(x, {1: 1, -1: 2})
    same = (augmented == x).flatten(1).all(1).float().mean().item()
    assert same == pytest.approx(0.5 + 0.5 / 15, abs=0.06)
    torch.testing.assert_close(augmented.flatten(1).sort(1).values, x.flatten(1))
    augmented.sum().backward()
    torch.testing.assert_close(x.grad, torch.ones_like(x))


@pytest.mark.parametrize("name", ["gan", "wgan", "bigan", "cgan", "cyclegan"])
def test_a_helped_run_resumes_to_the_bit(name, tmp_path):
    """The pool of 20 is not full at first, and is when the run resumes."""
    from core.training.loop import TrainConfig, train
    from core.training.run import Run

    config = TrainConfig(steps=4, save_every_steps=2, ema_decay=0.9)
    all_of_them = ALL.replace(pool=20)

    def run(folder, steps):
        helped = state(name, all_of_them)
        draw = ring.batches(helped.recipe, size=16)
        with Run.open(folder, {}) as opened:
            train(opened, helped, draw, config.replace(steps=steps), lambda ema, step: {})
        return helped

    whole = run(tmp_path / "whole", 4)
    run(tmp_path / "parts", 2)
    parts = run(tmp_path / "parts", 4)
    for group in ("networks", "ema", "history"):
        resumed = parts.state()[group]
        for key, value in whole.state()[group].items():
            assert torch.equal(value, resumed[key]), (group, key)
    for critic, pool in whole.pools.items():
        assert len(pool.kept[0]) == 20
        for one, other in zip(pool.kept, parts.pools[critic].kept, strict=True):
            assert torch.equal(one, other)
    assert not any("kept" in key for group in ("networks", "ema") for key in whole.state()[group])
