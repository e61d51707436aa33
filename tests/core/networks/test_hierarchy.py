"""Two levels of latents: their likelihood, and what is left where the bottom one is free."""

import math

import pytest
import torch

from core.networks.hierarchy import HierarchicalGaussian, HierarchicalHead, HierarchicalPrior
from core.theory.distributions import Gaussian
from core.theory.divergences import kl

TOP = Gaussian(torch.tensor([[1.0], [0.0]]), torch.zeros(2, 1))


def twice(top: torch.Tensor) -> Gaussian:
    """N(2 z_1, 3^2)."""
    return Gaussian(2 * top, torch.full_like(top, math.log(3)))


def test_the_likelihood_is_the_product_of_the_levels():
    z = torch.tensor([[1.5, 4.0], [-1.0, 0.0]])
    expected = [
        -0.5 * 0.5**2 - 0.5 * (1 / 3) ** 2 - math.log(3) - math.log(2 * math.pi),
        -0.5 * 1**2 - 0.5 * (2 / 3) ** 2 - math.log(3) - math.log(2 * math.pi),
    ]
    torch.testing.assert_close(
        HierarchicalGaussian(TOP, twice).log_prob(z), torch.tensor(expected)
    )
    assert HierarchicalGaussian(TOP, twice).representative.tolist() == [[1, 2], [0, 0]]


def test_samples_have_the_covariance_of_a_linear_chain():
    top = Gaussian(torch.zeros(50_000, 1), torch.zeros(50_000, 1))
    torch.manual_seed(0)
    samples = HierarchicalGaussian(top, twice).rsample()
    expected = torch.tensor([[1.0, 2], [2, 4 + 9]])
    torch.testing.assert_close(torch.cov(samples.T), expected, atol=0.15, rtol=0.03)


def test_with_equal_bottom_levels_the_bound_is_that_of_one_level():
    """KL(q || p) over many samples is the closed form of the top level alone."""
    top = Gaussian(torch.full((40_000, 1), 0.7), torch.full((40_000, 1), -0.5))
    standard = Gaussian(torch.zeros(40_000, 1), torch.zeros(40_000, 1))
    q, p = HierarchicalGaussian(top, twice), HierarchicalGaussian(standard, twice)
    torch.manual_seed(0)
    samples = q.rsample()
    exact = kl(top, standard, top.rsample()).mean().item()
    assert kl(q, p, samples).mean().item() == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize("condition", [0, 3])
def test_the_prior_is_initialised_near_the_standard_normal_distribution(condition: int):
    torch.manual_seed(0)
    prior = HierarchicalPrior(5, condition)
    c = torch.randn(20_000, condition) if condition else None
    samples = prior(20_000, c).rsample()
    assert samples.shape == (20_000, 5)
    torch.testing.assert_close(torch.cov(samples.T), torch.eye(5), atol=0.25, rtol=0)


def test_both_levels_of_the_prior_depend_on_the_condition():
    torch.manual_seed(0)
    distribution = HierarchicalPrior(5, 3)(2, torch.tensor([[1.0, 0, 0], [0, 0, 1]]))
    for level in (distribution.top, distribution.bottom(torch.zeros(2, 2))):
        assert (level.mean[0] - level.mean[1]).abs().max() > 1e-4


def test_the_posteriors_bottom_level_reads_both():
    torch.manual_seed(0)
    head = HierarchicalHead(4, 6)
    one, other = head(torch.randn(2, 4)).bottom(torch.zeros(2, 3)).mean
    assert not torch.equal(one, other)
    bottom = head(torch.zeros(2, 4)).bottom(torch.tensor([[0.0, 0, 0], [1, 2, 3]])).mean
    assert not torch.equal(bottom[0], bottom[1])
    assert head(torch.zeros(2, 4)).rsample().shape == (2, 6)
