"""The settings of the ring reach recipe, optimizers and schedule."""

import math

import pytest
import torch
from torch.nn.utils import parameters_to_vector

from core.app import fit
from core.densities.flow import Coupling
from core.errors import ConfigError
from core.recipes import RECIPES
from core.ring.benchmark import adapting, begin, learn, on_the_ring
from core.ring.data import DrawnRing
from core.ring.eight_gaussians import points
from core.ring.model import DOMAIN
from core.ring.settings import (
    SETTINGS,
    Couplings,
    RingSettings,
    likelihood,
    ramp,
    settings_of,
)
from core.theory.adversarial import R1, Adversarial, GradientPenalty
from core.theory.divergences import MMD
from core.theory.passes import Networks
from core.theory.terms import Match
from core.training.pool import Pool
from core.training.stabilisers import Stabilisers

NAMES = [*on_the_ring(), *adapting()]


def applied(name):
    return settings_of(name).apply(RECIPES[name])


def game_of(name) -> Adversarial:
    (term,) = applied(name).critics
    assert isinstance(term.by, Adversarial)
    return term.by


@pytest.mark.parametrize("name", NAMES)
def test_settings_of_every_recipe_fit_it_and_keep_its_terms(name):
    names = [term.name for term in applied(name).terms]
    assert names == [term.name for term in RECIPES[name].terms]
    assert settings_of(name).train.decay == "cosine"


def test_a_game_has_r1_and_a_wasserstein_game_has_the_penalty_of_its_toys():
    assert game_of("gan").penalties == (R1(0.1),)
    assert game_of("bigan").penalties == (R1(0.05),)
    assert game_of("wgan_gp").penalties == (GradientPenalty(0.1),)
    assert game_of("wgan_gp").critic_steps == 3
    assert game_of("wgan").penalties == ()
    assert game_of("wgan").clip == 0.1
    assert game_of("gan").clip == 0.0


def shapes(networks: Networks) -> dict[str, torch.Size]:
    return {key: weight.shape for key, weight in networks.state_dict().items()}


@pytest.mark.parametrize("name", on_the_ring())
def test_a_run_on_the_ring_has_terms_and_networks_of_the_settings(name):
    """`ring train --model wgan_gp` learns what the report's table shows."""
    other = DrawnRing("small") if RECIPES[name].other else None
    run = fit.configure(DOMAIN, DrawnRing(), name, other=other)
    assert run.train == settings_of(name).train
    assert run.model.resolved_recipe.terms == applied(name).terms
    assert shapes(DOMAIN.networks(run)) == shapes(begin(name).networks)


def test_a_model_without_a_flow_has_no_use_for_its_size():
    for name in ("vae", "ppca"):
        with pytest.raises(ConfigError, match="has none"):
            begin(name, settings=settings_of(name).replace(flow=Couplings(couplings=4, width=8)))


def test_weights_and_kernels_are_those_of_the_settings():
    (reconstruct, match) = applied("wae_mmd").terms
    assert (reconstruct.weight, match.weight) == (1, 300)
    assert isinstance(match, Match)
    assert match.by == MMD((0.003, 0.015, 0.07, 0.3, 1.5))
    assert [term.weight for term in applied("aae").terms] == [1, 50]


def test_encoders_have_fourier_features_where_aggregates_are_matched():
    with_features = {name for name in NAMES if settings_of(name).frequencies}
    assert with_features == {"aae", "wae_mmd", "bigan"}
    for name, inputs in (("aae", 2 + 2 * 2 * 4), ("vae", 2)):
        weight = next(begin(name).networks["encoder"].parameters())
        assert weight.shape == (128, inputs)


def couplings(network) -> list[Coupling]:
    return [module for module in network.modules() if isinstance(module, Coupling)]


def test_flows_have_the_size_of_the_settings():
    density = couplings(begin("realnvp").networks["density"])
    assert [c.bound for c in density] == [4.0] * 16
    glow = couplings(begin("glow").networks["density"])
    assert [c.bound for c in glow] == [4.0] * 16
    prior = couplings(begin("vae_flow").networks["prior"])
    assert [c.bound for c in prior] == [4.0] * 12
    assert prior[0].stays.tolist() == [1, 0, 1, 0]
    assert next(p.shape for p in prior[0].net.parameters()) == (64, 4)


def test_a_flow_of_a_wider_bound_scales_by_up_to_its_exponential():
    """The network's outputs are 100: log scale = bound tanh(100 / bound)."""
    coupling = couplings(begin("realnvp").networks["density"])[0]
    with torch.no_grad():
        list(coupling.net.parameters())[-1].fill_(100.0)
    y, log_det = coupling(torch.tensor([[1.0, 1.0]]))
    assert log_det.item() == pytest.approx(4.0)
    assert y[0].tolist() == pytest.approx([1.0, math.exp(4) + 100])


def test_gradients_are_clipped_in_flows():
    """A scale of up to exp(4) can make a gradient of any size; a shift without a bound, a leap."""
    clipped = {name for name in NAMES if settings_of(name).train.learner.clip_norm}
    assert clipped == {"nice", "realnvp", "glow", "vae_flow"}


def test_flows_learn_at_two_to_three_times_the_rate_of_other_likelihoods():
    train = {name: settings_of(name).train for name in ("vae", "vae_flow", "nice", "glow")}
    train["realnvp"] = settings_of("realnvp").train
    assert {name: (one.learner.learning_rate, one.steps) for name, one in train.items()} == {
        "vae": (1e-3, 4000),
        "vae_flow": (2e-3, 3000),
        "nice": (2e-3, 6000),
        "glow": (2e-3, 6000),
        "realnvp": (3e-3, 6000),
    }
    assert {name for name, one in train.items() if one.warmup_steps} == {"nice", "glow"}


def test_flows_of_shifts_and_of_linear_maps_have_the_couplings_of_realnvp():
    for name in ("nice", "glow"):
        density = couplings(begin(name).networks["density"])
        assert len(density) == 16
        assert {next(p.shape for p in coupling.net.parameters()) for coupling in density} == {
            (64, 2)
        }


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2))])
def test_a_rate_that_grows_from_0_keeps_the_first_steps_of_glow_near_its_start(seed):
    """At the full rate of 2e-3 some loss within 40 steps was 1e12, 3e21 and 3e5."""
    glow = settings_of("glow")
    first_steps = glow.replace(train=glow.train.replace(steps=40, decay="constant"))
    losses: list[float] = []

    @torch.no_grad()
    def observe(state, steps):
        density = state.networks["density"](256)
        losses.append(-density.log_prob(points(256, seed=steps)).mean().item())

    learn("glow", seed, first_steps, observe)
    assert max(losses) < losses[0] + 0.1
    assert losses[-1] < losses[0] - 0.05


def size(name: str) -> int:
    return sum(p.numel() for p in begin(name).networks.parameters())


def test_the_weights_that_a_condition_costs():
    """8 labels to 8 numbers, which encoder and decoder read; a Gaussian of z for each label."""
    embedding, prior = 8 * 8 + 8, 8 * 4 + 4
    assert size("cvae") - size("vae") == embedding + prior + 2 * 8 * 128


def test_the_ramped_weight_grows_as_in_the_paper():
    dann = settings_of("dann")
    recipe = dann.apply(RECIPES["dann"])
    weights = [[t.weight for t in dann.at(recipe, p).terms] for p in (0.0, 0.1, 1.0)]
    assert weights[0] == [1, 0]
    assert weights[1] == [1, pytest.approx(0.462117)]
    assert weights[2] == [1, pytest.approx(0.999909)]
    doubled = recipe.weighted({"match_domain": 2.0})
    assert dann.at(doubled, 0.1).terms[1].weight == pytest.approx(0.924234)
    assert ramp(0.5) == pytest.approx(0.986614)
    assert settings_of("adda").at(recipe, 0.1) == recipe


def test_a_training_plays_by_the_ramped_weight(monkeypatch):
    """ramp(0) = 0: the first step has no game, by which the critic would learn."""
    monkeypatch.setitem(SETTINGS, "classifier", likelihood(steps=1, latent=8))
    dann = settings_of("dann")
    settings = dann.replace(train=dann.train.replace(steps=2))
    before = parameters_to_vector(
        begin("dann", 0, settings).networks["critic_domain"].parameters()
    )
    moves: list[bool] = []

    def observe(state, steps):
        after = parameters_to_vector(state.networks["critic_domain"].parameters())
        moves.append(not torch.equal(after, before))

    learn("dann", 0, settings, observe)
    assert moves == [False, True]


SHORT = likelihood(steps=4, rate=1e-3)


def test_rates_fall_by_a_cosine_and_are_those_of_learner_and_critic():
    rates: dict[str, list[float]] = {"decoder": [], "critic_x": []}

    def observe(state, steps):
        for name, seen in rates.items():
            (group,) = state.optimizers[name].param_groups
            seen.append(group["lr"])

    train = SHORT.train.replace(critic=SHORT.train.critic.replace(learning_rate=4e-3))
    learn("gan", settings=SHORT.replace(train=train), observe=observe)
    factors = [1.0, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2]
    assert rates["decoder"] == pytest.approx([1e-3 * f for f in factors])
    assert rates["critic_x"] == pytest.approx([4e-3 * f for f in factors])


def weights_after(seed: int, settings: RingSettings = SHORT) -> torch.Tensor:
    return parameters_to_vector(learn("gan", seed, settings).networks.parameters())


def test_a_training_is_a_function_of_its_seed_and_leaves_the_random_state_alone():
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    first = weights_after(0)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(weights_after(0), first)
    assert not torch.equal(weights_after(1), first)


def first_weights(seed: int) -> torch.Tensor:
    return next(begin("gan", seed).networks["decoder"].parameters())


def test_a_seed_decides_initialisation():
    assert torch.equal(first_weights(1), first_weights(1))
    assert not torch.equal(first_weights(0), first_weights(1))


def test_a_stabiliser_that_changes_critics_changes_them():
    settings = SHORT.replace(stabilisers=Stabilisers(minibatch_discrimination=3))
    critic = begin("gan", settings=settings).networks["critic_x"]
    assert critic.get_parameter("score.weight").shape == (1, 3)
    pooled = begin("gan", settings=SHORT.replace(stabilisers=Stabilisers(pool=3)))
    assert pooled.pools == {"critic_x": Pool(3)}
    assert begin("gan", settings=SHORT).pools == {}
    averaged = begin(
        "gan", settings=SHORT.replace(stabilisers=Stabilisers(historical_averaging=3))
    )
    assert averaged.historical_averaging == 3 and set(averaged.history) == set(averaged.networks)
