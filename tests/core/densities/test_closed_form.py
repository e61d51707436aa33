"""Densities with closed forms: sums by hand, covariances, EM."""

import itertools
import math

import pytest
import torch

from core.densities.closed_form import (
    FullGaussian,
    GaussianMixture,
    LinearGaussian,
    MixtureOfGaussians,
    seed_means,
)
from core.recipes import RECIPES
from core.ring import eight_gaussians as ring
from core.training.step import Optimisation, TrainState, step


def normal(x: float, mean: float, std: float) -> float:
    return math.exp(-0.5 * ((x - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))


def test_a_mixture_by_hand():
    """Shares 1/4 and 3/4, means 0 and 2, spreads 1 and 1/2."""
    logits = torch.tensor([1.0, 3.0]).log()
    means, log_stds = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [0.5]]).log()
    mixture = MixtureOfGaussians(3, logits, means, log_stds)
    expected = [math.log(0.25 * normal(x, 0, 1) + 0.75 * normal(x, 2, 0.5)) for x in (0, 1.5, 9)]
    given = mixture.log_prob(torch.tensor([[0.0], [1.5], [9.0]]))
    torch.testing.assert_close(given, torch.tensor(expected))
    torch.testing.assert_close(mixture.mean, torch.full((3, 1), 1.5))
    assert mixture.representative.tolist() == [[2.0]] * 3  # the mean of the larger one
    torch.manual_seed(0)
    samples = MixtureOfGaussians(20_000, logits, means, log_stds).rsample()
    assert samples.mean().item() == pytest.approx(1.5, abs=0.03)
    variance = 0.25 * (1 + 0) + 0.75 * (0.25 + 4) - 1.5**2
    assert samples.var().item() == pytest.approx(variance, rel=0.05)


def test_a_gaussian_with_a_full_covariance():
    covariance = torch.tensor([[2.0, 0.6], [0.6, 1.0]])
    mean = torch.tensor([1.0, -1.0])
    gaussian = FullGaussian(4, mean, covariance)
    x = torch.tensor([[0.0, 0], [1, -1], [3, 1], [-2, 5]])
    known = torch.distributions.MultivariateNormal(mean, covariance)
    torch.testing.assert_close(gaussian.log_prob(x), known.log_prob(x))
    torch.manual_seed(0)
    samples = FullGaussian(40_000, mean, covariance).rsample()
    torch.testing.assert_close(torch.cov(samples.T), covariance, atol=0.05, rtol=0.05)


def test_a_sample_of_a_gaussian_is_its_mean_and_a_root_of_its_covariance_times_noise():
    """L = [[2, 0], [1, 3]]: L L' is [[4, 2], [2, 10]]."""
    gaussian = FullGaussian(5, torch.tensor([1.0, -1.0]), torch.tensor([[4.0, 2.0], [2.0, 10.0]]))
    assert gaussian.representative.tolist() == [[1.0, -1.0]] * 5
    torch.manual_seed(0)
    sampled = gaussian.rsample()
    torch.manual_seed(0)
    one, other = torch.randn(5, 2).T
    torch.testing.assert_close(sampled, torch.stack([1 + 2 * one, -1 + one + 3 * other], 1))


def test_the_covariance_of_ppca_by_hand():
    """W = (2, 1) and noise of standard deviation 0.5: W W' + 0.25 I."""
    density = LinearGaussian(2)
    weights = {"mean": [1.0, -1.0], "weight": [[2.0], [1.0]], "log_std": math.log(0.5)}
    density.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    gaussian = density(3)
    covariance = torch.tensor([[4.25, 2.0], [2.0, 1.25]])
    torch.testing.assert_close(gaussian.root @ gaussian.root.T, covariance)
    assert gaussian.mean.tolist() == [[1.0, -1.0]] * 3


def test_a_mixture_is_initialised_with_equal_shares():
    mixture = GaussianMixture(2, components=4)(10)
    assert mixture.logits.softmax(0).tolist() == [0.25] * 4
    assert mixture.rsample().shape == (10, 2)


ONE_D = torch.tensor([[-1.0], [0.5], [3.0]])


def mixture_at(
    shares: list[float], means: list[list[float]], stds: list[list[float]]
) -> GaussianMixture:
    """A mixture with these parameters, after its first step."""
    mixture = GaussianMixture(len(means[0]), len(shares))
    share, mean, std = (torch.tensor(values) for values in (shares, means, stds))
    mixture.share.data = share
    mixture.first.data = share[:, None] * mean
    mixture.second.data = share[:, None] * (mean**2 + std**2)
    mixture.steps.fill_(1)
    return mixture


def test_an_em_step_by_hand():
    """Shares 1/4 and 3/4, N(0, 1) and N(2, 1/4); the second step keeps 1 - 2^-0.6 of the first."""
    mixture = mixture_at([0.25, 0.75], [[0.0], [2.0]], [[1.0], [0.5]])
    mixture.em_step(ONE_D)
    r = []  # of the first component
    for x in (-1.0, 0.5, 3.0):
        first, second = 0.25 * normal(x, 0, 1), 0.75 * normal(x, 2, 0.5)
        r.append(first / (first + second))
    keep = 1 - 2**-0.6
    share = keep * 0.25 + (1 - keep) * sum(r) / 3
    total = keep * 0.25 * 0 + (1 - keep) * (-1.0 * r[0] + 0.5 * r[1] + 3.0 * r[2]) / 3
    squares = keep * 0.25 * 1 + (1 - keep) * (1.0 * r[0] + 0.25 * r[1] + 9.0 * r[2]) / 3
    fitted = mixture(1)
    assert fitted.logits.softmax(0)[0].item() == pytest.approx(share, abs=1e-6)
    assert fitted.means[0].item() == pytest.approx(total / share, abs=1e-5)
    variance = squares / share - (total / share) ** 2
    assert fitted.log_stds.exp()[0].item() ** 2 == pytest.approx(variance, abs=1e-5)
    assert mixture.steps == 2


def test_an_empty_component_is_finite_and_one_of_a_single_sample_has_a_spread():
    """Bounds of a share, 1e-8, and of a variance, 1e-6."""
    fitted = mixture_at([0.0, 1.0], [[5.0], [2.0]], [[1.0], [0.0]])(1)
    torch.testing.assert_close(fitted.logits.exp(), torch.tensor([1e-8, 1.0]), atol=0, rtol=1e-5)
    torch.testing.assert_close(fitted.means, torch.tensor([[0.0], [2.0]]))
    torch.testing.assert_close(fitted.log_stds.exp(), torch.full((2, 1), 1e-3))


BLOBS = [(40, 0.3, [1.0, -2.0]), (90, 1.0, [-3.0, 0.5]), (20, 0.1, [2.0, 2.5])]
"""Number, standard deviation and mean of the points of three blobs."""


def points_of_three_sizes() -> torch.Tensor:
    torch.manual_seed(3)
    return torch.cat([torch.randn(n, 2) * std + torch.tensor(mean) for n, std, mean in BLOBS])


def test_the_likelihood_of_a_batch_never_falls_over_em_steps():
    torch.manual_seed(5)
    x, mixture = points_of_three_sizes(), GaussianMixture(2, components=3)
    mixture.steps.fill_(1)  # from random means: there is more to climb
    found = [mixture(len(x)).log_prob(x).mean().item()]
    for _ in range(60):
        mixture.em_step(x)
        found.append(mixture(len(x)).log_prob(x).mean().item())
    assert all(after >= before - 1e-5 for before, after in itertools.pairwise(found))
    assert found[-1] > found[0] + 2


def test_em_finds_the_components_that_generated_the_data():
    torch.manual_seed(0)
    x, mixture = points_of_three_sizes(), GaussianMixture(2, components=3)
    for _ in range(300):
        mixture.em_step(x)
    fitted = mixture(1)
    order = fitted.means[:, 1].argsort()
    shares = torch.tensor([40, 90, 20]) / 150
    torch.testing.assert_close(fitted.logits.exp()[order], shares, atol=1e-3, rtol=0)
    parts = x.split([40, 90, 20])
    means = torch.stack([part.mean(0) for part in parts])
    stds = torch.stack([part.std(0, correction=0) for part in parts])
    torch.testing.assert_close(fitted.means[order], means, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(fitted.log_stds.exp()[order], stds, atol=1e-3, rtol=1e-3)


def test_a_mixture_integrates_to_1():
    mixture = mixture_at([0.2, 0.8], [[-1.0, 0.5], [2.0, -0.3]], [[0.4, 1.5], [1.1, 0.7]])
    axis = torch.linspace(-9, 9, 361)
    grid = torch.cartesian_prod(axis, axis)
    total = mixture(len(grid)).log_prob(grid).exp().sum().item() * 0.05**2
    assert total == pytest.approx(1, abs=1e-4)


def test_a_batch_that_is_not_finite_leaves_the_mixture():
    mixture = mixture_at([0.25, 0.75], [[0.0], [2.0]], [[1.0], [0.5]])
    before = {k: v.clone() for k, v in mixture.state_dict().items()}
    mixture.em_step(torch.tensor([[1.0], [math.nan]]))
    assert all(torch.equal(v, mixture.state_dict()[k]) for k, v in before.items())


def test_seeds_lie_in_every_cluster_with_the_variance_around_them():
    """Two points each at 0, 100 and 10,000: the far ones are chosen nearly surely."""
    torch.manual_seed(0)
    x = torch.tensor([[0.0], [1.0], [100.0], [103.0], [10_000.0], [10_000.0]])
    means, variance = seed_means(x, 3)
    assert sorted((means / 100).round().flatten().tolist()) == [0, 1, 100]
    torch.testing.assert_close(variance, torch.tensor([(1 + 9) / 6]), atol=1e-5, rtol=0)


def test_training_takes_em_steps_that_resume_to_the_bit_and_evaluation_takes_none():
    recipe = RECIPES["gaussian_mixture"]

    def begin() -> TrainState:
        torch.manual_seed(0)
        return TrainState(ring.networks(recipe), recipe, Optimisation(), Optimisation(), 0.9)

    whole, half = begin(), begin()
    for number in range(4):
        step(whole, ring.batches(recipe), number, seed=1)
    for number in range(2):
        step(half, ring.batches(recipe), number, seed=1)
    resumed = begin()
    for part in ("networks", "ema"):
        getattr(resumed, part).load_state_dict(getattr(half, part).state_dict())
    for number in (2, 3):
        step(resumed, ring.batches(recipe), number, seed=1)
    for part in ("networks", "ema"):
        after, expected = (getattr(state, part).state_dict() for state in (resumed, whole))
        assert all(torch.equal(value, after[key]) for key, value in expected.items())
    with torch.no_grad():
        recipe.terms[0](recipe.passes(resumed.networks, ring.batch(9)))
    recipe.terms[0](recipe.passes(resumed.ema, ring.batch(9)))
    assert [part["density"].get_buffer("steps") for part in (resumed.networks, resumed.ema)] == [
        4,
        4,
    ]
