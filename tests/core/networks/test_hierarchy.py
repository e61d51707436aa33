"""Two levels of latents: their likelihood, and what is left where the lower one is free."""

import math

import pytest
import torch

from core.networks.hierarchy import HierarchicalGaussian, HierarchicalHead, HierarchicalPrior
from core.theory.distributions import Gaussian
from core.theory.divergences import kl

UPPER = Gaussian(torch.tensor([[1.0], [0.0]]), torch.zeros(2, 1))


def twice(upper: torch.Tensor) -> Gaussian:
    """N(2 z_1, 3^2)."""
    return Gaussian(2 * upper, torch.full_like(upper, math.log(3)))


def test_the_likelihood_is_the_product_of_the_levels():
    z = torch.tensor([[1.5, 4.0], [-1.0, 0.0]])
    expected = [
        -0.5 * 0.5**2 - 0.5 * (1 / 3) ** 2 - math.log(3) - math.log(2 * math.pi),
        -0.5 * 1**2 - 0.5 * (2 / 3) ** 2 - math.log(3) - math.log(2 * math.pi),
    ]
    torch.testing.assert_close(
        HierarchicalGaussian(UPPER, twice).log_prob(z), torch.tensor(expected)
    )
    assert HierarchicalGaussian(UPPER, twice).mean.tolist() == [[1, 2], [0, 0]]


def test_draws_have_the_covariance_of_a_linear_chain():
    above = Gaussian(torch.zeros(50_000, 1), torch.zeros(50_000, 1))
    torch.manual_seed(0)
    drawn = HierarchicalGaussian(above, twice).rsample()
    expected = torch.tensor([[1.0, 2], [2, 4 + 9]])
    torch.testing.assert_close(torch.cov(drawn.T), expected, atol=0.15, rtol=0.03)


def test_with_equal_lower_levels_the_bound_is_that_of_one_level():
    """KL(q || p) over many draws is the closed form of the upper level alone."""
    above = Gaussian(torch.full((40_000, 1), 0.7), torch.full((40_000, 1), -0.5))
    standard = Gaussian(torch.zeros(40_000, 1), torch.zeros(40_000, 1))
    q, p = HierarchicalGaussian(above, twice), HierarchicalGaussian(standard, twice)
    torch.manual_seed(0)
    drawn = q.rsample()
    exact = kl(above, standard, above.rsample()).mean().item()
    assert kl(q, p, drawn).mean().item() == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize("condition", [0, 3])
def test_the_prior_begins_near_the_standard_normal_distribution(condition: int):
    torch.manual_seed(0)
    prior = HierarchicalPrior(5, condition)
    c = torch.randn(20_000, condition) if condition else None
    drawn = prior(20_000, c).rsample()
    assert drawn.shape == (20_000, 5)
    torch.testing.assert_close(torch.cov(drawn.T), torch.eye(5), atol=0.25, rtol=0)


def test_the_posteriors_lower_level_hears_both():
    torch.manual_seed(0)
    head = HierarchicalHead(4, 6)
    one, other = head(torch.randn(2, 4)).below(torch.zeros(2, 3)).mean
    assert not torch.equal(one, other)
    lower = head(torch.zeros(2, 4)).below(torch.tensor([[0.0, 0, 0], [1, 2, 3]])).mean
    assert not torch.equal(lower[0], lower[1])
    assert head(torch.zeros(2, 4)).rsample().shape == (2, 6)
