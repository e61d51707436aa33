"""Every recipe learns the ring of eight Gaussians; a constant and an untrained model do not.

Good samples lie within three standard deviations of a mode. The bounds leave room for other seeds
and machines below what docs/models/models.md shows; a model with a third of good samples fails.
"""

import math

import pytest
import torch
from ring_bounds import GOOD, LESS, UNLEARNED, bound_of
from torch.nn import functional as F

from core.densities.closed_form import FullGaussian
from core.networks.heads import StandardNormal
from core.recipes import RECIPES
from core.ring import eight_gaussians as ring
from core.ring.benchmark import (
    REAL,
    accuracy,
    adapting,
    begin,
    distance,
    labels,
    learn,
    on_the_ring,
    samples,
)
from core.theory.distributions import LOG_STD_BOUND, Delta
from core.theory.divergences import mmd
from core.training.step import Optimisation, TrainState, step

HERE = on_the_ring()
LABELLED = [name for name in HERE if "condition" in RECIPES[name].networks]
INVERTING = {"bigan", "cyclegan"}
"""Without a term that reconstructs x, encoder and decoder still invert each other."""

ROOM = 0.02
"""Below the bound of the mean over seeds: another seed, another machine."""
STRAIGHT = {"ppca"}
"""One direction and noise make no ring: judged by the closed form."""


@torch.no_grad()
def reconstruction_error(state: TrainState) -> float:
    """Median distance of a point of the ring from its reconstruction, in units of the radius."""
    networks = state.ema
    x = networks["decoder"](networks["encoder"](REAL).representative).representative
    return ((x - REAL).norm(dim=1).median() / ring.RADIUS).item()


@torch.no_grad()
def codes_read_back(state: TrainState) -> tuple[float, float, float]:
    """Measure Q's predictions of the codes of generated points, and match categories to modes.

    (share of categories read rightly, least correlation of a number with what is read of it,
    share of points that lie in the mode in which most of their category lie).
    """
    networks = state.ema
    prior = networks["prior"](len(REAL))
    z = prior.rsample()
    category, numbers, _ = prior.sizes.split(z)
    x = networks["decoder"](z).rsample()
    read = networks["encoder"](x)
    chosen, said = category.argmax(1), read.category.mean.argmax(1)
    correlations = [
        torch.corrcoef(torch.stack([numbers[:, n], read.continuous.mean[:, n]]))[0, 1].item()
        for n in range(numbers.shape[1])
    ]
    mode = torch.cdist(x, ring.modes()).argmin(1)
    together = F.one_hot(chosen * ring.MODES + mode, ring.MODES**2).sum(0)  # [category*mode]
    largest = together.unflatten(0, (-1, ring.MODES)).amax(1).sum()
    share = (chosen == said).float().mean().item()
    return share, min(correlations), largest.item() / len(x)


def test_an_untrained_q_reads_no_code():
    category, number, _ = codes_read_back(begin("infogan"))
    assert category < 0.3
    assert abs(number) < 0.3


@pytest.mark.slow
def test_a_code_is_read_back_and_a_category_is_a_mode():
    """Noise and numbers move a point within the mode that its category has chosen."""
    state = learn("infogan")
    category, number, one_mode = codes_read_back(state)
    assert category > 0.95
    assert number > 0.3
    assert one_mode > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in HERE if name not in UNLEARNED])
def test_a_recipe_learns_the_ring(name):
    state = learn(name)
    x = samples(state)
    covered, good = ring.coverage(x)
    assert good >= bound_of(name) - ROOM, f"{good:.1%}"
    assert covered == ring.MODES
    if name in LABELLED:
        nearest = torch.cdist(x, ring.modes()).argmin(1)
        assert (nearest == labels().argmax(1)).float().mean() > 0.95
    if name in INVERTING:
        assert reconstruction_error(state) < 0.3


@torch.no_grad()
def errors_at_a_mode(state: TrainState, mode: int, draws: int = 50_000) -> tuple[float, float]:
    """Return the errors of a mode's reconstructions from q and from the exact posterior.

    Root mean squares over coordinates; the posterior weights draws of N(0, I) by likelihood.
    """
    encoder, decoder = state.ema["encoder"], state.ema["decoder"]
    x = ring.modes()[mode].expand(draws, 2)
    prior = decoder(torch.randn(draws, ring.LATENT))
    weights = torch.softmax(prior.log_prob(x), 0)
    said = decoder(encoder(x).rsample()).mean
    exact = (weights[:, None] * (prior.mean - x) ** 2).sum(0).mean().sqrt().item()
    return ((said - x) ** 2).mean().sqrt().item(), exact


@pytest.mark.slow
def test_wake_sleep_stops_where_the_error_of_q_is_the_spread_that_it_learns():
    """Around a ring the posterior bends, and a Gaussian of its moments spills over the neighbours:
    from the posterior itself modes would be reconstructed better, and the spread would shrink."""
    state = learn("wake_sleep")
    torch.manual_seed(0)
    spread = state.ema["decoder"](torch.zeros(1, ring.LATENT)).log_std.exp()[0, 0].item()
    errors = [errors_at_a_mode(state, mode) for mode in range(ring.MODES)]
    by_q, exact = (sum(each) / ring.MODES for each in zip(*errors, strict=True))
    assert spread > 5 * ring.STD
    assert by_q == pytest.approx(spread, rel=0.1)
    assert exact < 0.9 * spread


@torch.no_grad()
def from_the_prior(state: TrainState) -> float:
    """Return the squared MMD between the aggregate of the posteriors and the prior."""
    networks = state.ema
    prior = StandardNormal(ring.LATENT)(len(REAL))
    return mmd(networks["encoder"](REAL).rsample(), prior.rsample()).item()


@pytest.mark.slow
def test_aggregate_posteriors_come_to_the_prior_where_they_are_matched():
    """Two draws of the prior: 0.00. Untrained, or not matched: 0.6 and more."""
    assert from_the_prior(learn("ae")) > 0.3
    for name in ("aae", "wae_mmd"):
        assert from_the_prior(begin(name)) > 0.3
        assert from_the_prior(learn(name)) < 0.03, name


@pytest.mark.parametrize("name", [*HERE, *adapting()])
def test_a_step_of_every_recipe_is_finite_and_moves_what_it_trains(name):
    recipe = RECIPES[name]
    torch.manual_seed(0)
    state = TrainState(ring.networks(recipe), recipe, Optimisation(), Optimisation())
    before = {k: v.clone() for k, v in state.networks.state_dict().items()}
    losses = step(state, ring.batches(recipe), 0, seed=3)
    assert all(value == value and abs(value) < 1e6 for value in losses.values())
    assert losses["skipped"] == 0
    moved = {
        k.split(".")[0]
        for k, v in before.items()
        if not torch.equal(v, state.networks.state_dict()[k])
    }
    trained = {name for term in recipe.terms for name in term.trains}
    assert moved == trained | {f"critic_{term.space}" for term in recipe.critics}


ENTROPY = math.log(8) + 1 + math.log(2 * math.pi * ring.STD**2)
"""Entropy of the ring in nats: the least negative log-likelihood of a density."""
EXCESS = {"nice": 1.2, "realnvp": 0.8, "glow": 0.8, "gaussian_mixture": 0.1}
"""Nats above it that are let pass: a map without tears leaves bridges between the modes, and one
that keeps volumes the most. The best single Gaussian is 3.2 above."""
EXACT = sorted(name for name in HERE if RECIPES[name].density)


@torch.no_grad()
def cost(state: TrainState) -> float:
    """Return a density's negative log-likelihood of a point of the ring, in nats."""
    return -state.ema["density"](len(REAL)).log_prob(REAL).mean().item()


SEQUENCES = sorted(name for name in HERE if RECIPES[name].sequence)
SQUARE = math.log((2 * ring.EDGE / 2**ring.LEVELS) ** 2)
"""A point's square in symbols: log of its area."""


@torch.no_grad()
def cost_in_symbols(state: TrainState) -> float:
    """Return the negative log-likelihood under symbols, spread over their square, in nats."""
    density = state.ema["density"](len(REAL))
    return SQUARE - density.log_prob(ring.to_symbols(REAL)).mean().item()


@pytest.mark.slow
@pytest.mark.parametrize("name", SEQUENCES)
def test_a_density_over_symbols_comes_near_the_rings_entropy(name):
    assert ENTROPY - 0.05 < cost_in_symbols(learn(name)) < ENTROPY + 0.3


@pytest.mark.parametrize("name", SEQUENCES)
def test_an_untrained_density_over_symbols_misses_it(name):
    """It is about uniform: log 36 nats, 2.6 above; and so is a constant one."""
    assert cost_in_symbols(begin(name)) > ENTROPY + 1.5
    assert math.log(36) > ENTROPY + 1.5


KNOWN = 0.93
"""Largest share of the shifted ring's labels that a classifier of one ring predicts right."""


@pytest.mark.slow
def test_who_knows_one_ring_errs_on_the_shifted_one_and_who_adapts_does_not():
    here, there = accuracy(learn("classifier"))
    assert here > 0.99
    assert 0.7 < there < KNOWN
    for name in ("dann", "adda"):
        here, there = accuracy(learn(name))
        assert here > 0.99
        assert there > 0.97, (name, there)


def test_who_has_not_learned_says_no_label():
    """Nor does who always says the same one."""
    assert max(accuracy(begin("classifier"))) < 0.5
    assert labels().mean(0).max() < 0.2


def test_every_density_has_a_bound():
    assert set(EXACT) == set(EXCESS) | STRAIGHT


def cost_of_the_best_gaussian() -> float:
    """Return the cost of the best Gaussian, in nats a sample.

    Probabilistic PCA can reach it: one direction and noise give any covariance of the plane.
    """
    fitted = FullGaussian(len(REAL), REAL.mean(0), torch.cov(REAL.T, correction=0))
    return -fitted.log_prob(REAL).mean().item()


@pytest.mark.slow
@pytest.mark.parametrize("name", EXACT)
def test_a_density_comes_near_the_rings_entropy(name):
    paid = cost(learn(name))
    if name in STRAIGHT:
        assert paid == pytest.approx(cost_of_the_best_gaussian(), abs=0.02)
    else:
        assert ENTROPY - 0.05 < paid < ENTROPY + EXCESS[name]


@pytest.mark.parametrize("name", EXACT)
def test_an_untrained_density_misses_its_bound(name):
    paid = cost(begin(name))
    if name in STRAIGHT:
        assert abs(paid - cost_of_the_best_gaussian()) > 0.1
    else:
        assert paid > ENTROPY + 2 * EXCESS[name]


def test_a_constant_density_misses_every_bound():
    """The same Gaussian everywhere, the best of them."""
    assert cost_of_the_best_gaussian() > ENTROPY + 2 * max(EXCESS.values())


def test_an_untrained_model_and_a_constant_miss_the_bound():
    untrained = samples(begin("gan"))
    constant = REAL.mean(0).expand(len(REAL), -1) + 0.01 * torch.randn(len(REAL), 2)
    for x in (untrained, constant):
        covered, good = ring.coverage(x)
        assert (covered, good < 0.34) == (0, True)
    assert min(GOOD, *LESS.values()) - ROOM > 0.34


def test_the_real_ring_is_covered():
    """A Gaussian of the plane lies within three standard deviations by 1 - exp(-9 / 2)."""
    covered, good = ring.coverage(ring.points(20_000, seed=5))
    assert covered == 8
    assert good == pytest.approx(0.98889, abs=0.003)
    assert abs(distance(ring.points(2000, seed=5))) < 0.01


def at(*places: tuple[float, float, int]) -> torch.Tensor:
    """Points: x, y and how many of them."""
    return torch.cat([torch.tensor([[x, y]]).expand(count, 2) for x, y, count in places])


def test_a_good_sample_lies_within_three_standard_deviations_of_a_mode():
    x = at((2.29, 0, 1), (2.31, 0, 1), (0, -1.71, 1), (0, -1.69, 1), (0, 0, 1))
    assert ring.coverage(x)[1] == pytest.approx(2 / 5)


def test_a_mode_is_covered_with_a_quarter_of_its_share_of_good_samples():
    """A mode's share of 320 samples is 40, a quarter of it 10."""
    assert ring.coverage(at((2, 0, 10), (0, 2, 9), (-2.4, 0, 301)))[0] == 1
    assert ring.coverage(at((2, 0, 10), (0, 2, 10), (-2.2, 0, 300)))[0] == 3


def test_half_of_the_points_are_turned_by_up_to_half_of_the_way_between_two_modes():
    """By angles that are uniform in +- 22.5 degrees: of mean 0 and deviation 22.5 / sqrt 3."""
    torch.manual_seed(0)
    place = torch.polar(torch.tensor(1.7), torch.tensor(0.3))
    turned = ring.rotated(torch.view_as_real(place).expand(20_000, 2))
    turn = torch.view_as_complex(turned.contiguous()) / place
    torch.testing.assert_close(turn.abs(), torch.ones(20_000))
    degrees = turn.angle().rad2deg()
    moved = degrees[degrees.abs() > 1e-3]
    assert len(moved) == pytest.approx(10_000, rel=0.03)
    assert 22 < moved.abs().max() < 22.51
    assert moved.mean().item() == pytest.approx(0, abs=0.5)
    assert moved.std().item() == pytest.approx(22.5 / math.sqrt(3), rel=0.02)


def test_fourier_features_are_x_with_sines_and_cosines_of_its_multiples():
    features = ring.fourier_features(torch.tensor([[0.5, -1.0]]), 2)
    waves = [f(k * x) for k in (1, 2) for f in (math.sin, math.cos) for x in (0.5, -1.0)]
    assert features.tolist()[0] == pytest.approx([0.5, -1.0, *waves])


def test_z_before_a_decoder_and_x_before_a_critic_are_doubled():
    z = torch.tensor([[0.5, -3.0]])
    for decoder in (ring.Decoder(), ring.PointDecoder()):
        torch.testing.assert_close(decoder(z).representative, decoder.layers(2 * z))
    assert ring.scaled(z, torch.tensor([[7.0]])).tolist() == [[1.0, -6.0, 7.0]]


def test_a_decoder_of_samples_alone_begins_wide_and_ends_no_narrower_than_a_mode():
    """Its standard deviation is 1 at first, and learned down to 0.1; that of others is 0.1."""
    z = torch.zeros(1, 2)
    decoder = ring.networks(RECIPES["wake_sleep"])["decoder"]
    assert decoder(z).log_std.exp().tolist()[0] == pytest.approx([1.0, 1.0])
    for wider, std in ((0.5, 0.1 * math.exp(0.5)), (-3.0, 0.1)):
        decoder.get_parameter("wider").data.fill_(wider)
        assert decoder(z).log_std.exp().tolist()[0] == pytest.approx([std, std])
    assert ring.Decoder()(z).log_std.exp().tolist()[0] == pytest.approx([0.1, 0.1])


def test_an_encoder_bends_before_its_head():
    """A last hidden layer of -1 is -0.2 after LeakyReLU."""
    encoder = ring.Encoder(Delta)
    with torch.no_grad():
        for layer in (m for m in encoder.body.modules() if isinstance(m, torch.nn.Linear)):
            layer.weight.zero_()
            layer.bias.fill_(-1.0)
        seen = encoder(torch.tensor([[0.3, 2.0]])).representative
        torch.testing.assert_close(seen, encoder.head(torch.full((1, 128), -0.2)).representative)


POINTS = {"gan", "wgan_gp", "bigan", "infogan", "aae", "wae_mmd", "vq_vae", "vq_vae_2", "vae_gan"}
NOISY = {"vae", "cvae", "aavae", "wake_sleep", "vae_flow", "hierarchical_vae"}


def test_a_decoder_is_a_point_unless_a_likelihood_of_x_is_bounded_by_it():
    assert {name for name in POINTS | NOISY if ring.is_point_decoder(RECIPES[name])} == POINTS
    z = torch.randn(3, 2)
    decoder = ring.networks(RECIPES["gan"])["decoder"]
    assert torch.equal(decoder(z).rsample(), decoder(z).rsample())
    residual = ring.networks(RECIPES["vae"])["decoder"](z.expand(3000, 3, 2).flatten(0, 1))
    spread = (residual.rsample() - residual.mean).std().item()
    assert spread == pytest.approx(0.1, rel=0.05)


def test_batches_are_a_function_of_their_number():
    assert torch.equal(ring.batch(7).x, ring.batch(7).x)
    assert not torch.equal(ring.batch(7).x, ring.batch(8).x)


def test_the_gaussians_of_labels_have_bounded_deviations():
    """A deviation of exp(90) would make samples that are not finite."""
    c = torch.full((3, ring.CONDITION), 1000.0)
    assert ring.LabelPrior()(3, c).log_std.abs().max() <= LOG_STD_BOUND
