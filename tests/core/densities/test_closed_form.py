"""Densities with closed forms: sums by hand, covariances, and the best of probabilistic PCA."""

import math

import pytest
import torch

from core.densities.closed_form import (
    FullGaussian,
    GaussianMixture,
    MixtureOfGaussians,
    best_log_likelihood,
)


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
    torch.manual_seed(0)
    drawn = MixtureOfGaussians(20_000, logits, means, log_stds).rsample()
    assert drawn.mean().item() == pytest.approx(1.5, abs=0.03)
    variance = 0.25 * (1 + 0) + 0.75 * (0.25 + 4) - 1.5**2
    assert drawn.var().item() == pytest.approx(variance, rel=0.05)


def test_a_gaussian_with_a_full_covariance():
    covariance = torch.tensor([[2.0, 0.6], [0.6, 1.0]])
    mean = torch.tensor([1.0, -1.0])
    gaussian = FullGaussian(4, mean, covariance)
    x = torch.tensor([[0.0, 0], [1, -1], [3, 1], [-2, 5]])
    known = torch.distributions.MultivariateNormal(mean, covariance)
    torch.testing.assert_close(gaussian.log_prob(x), known.log_prob(x))
    torch.manual_seed(0)
    drawn = FullGaussian(40_000, mean, covariance).rsample()
    torch.testing.assert_close(torch.cov(drawn.T), covariance, atol=0.05, rtol=0.05)


def test_the_best_of_ppca_is_the_likelihood_of_its_closed_form():
    """W = U (L - s)^(1/2), s the mean of the other eigenvalues (Tipping and Bishop, eq. 7, 8)."""
    torch.manual_seed(0)
    x = torch.randn(500, 3) @ torch.tensor([[3.0, 0, 0], [1, 1, 0], [0, 0.2, 0.5]])
    covariance = torch.cov(x.T, correction=0)
    values, vectors = torch.linalg.eigh(covariance)
    noise = values[:2].mean()
    weight = vectors[:, 2:] * (values[2:] - noise).sqrt()
    best = FullGaussian(500, x.mean(0), weight @ weight.T + noise * torch.eye(3))
    assert best.log_prob(x).mean().item() == pytest.approx(best_log_likelihood(x, 1), abs=1e-4)
    worse = FullGaussian(500, x.mean(0), 1.2 * weight @ weight.T + noise * torch.eye(3))
    assert worse.log_prob(x).mean().item() < best_log_likelihood(x, 1)


def test_a_mixture_begins_with_equal_shares():
    mixture = GaussianMixture(2, components=4)(10)
    assert mixture.logits.softmax(0).tolist() == [0.25] * 4
    assert mixture.rsample().shape == (10, 2)
