"""Distributions against closed forms, and their gradients."""

import math

import pytest
import torch

from core.theory.distributions import Bernoulli, Categorical, Delta, Gaussian, straight_through


def test_gaussian_log_prob_sums_over_the_event():
    q = Gaussian(torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, math.log(3.0)]]))
    expected = -0.5 * 4 - 0.5 * (6 / 3) ** 2 - math.log(3.0) - math.log(2 * math.pi)
    assert q.log_prob(torch.tensor([[3.0, 4.0]])).item() == pytest.approx(expected, rel=1e-6)


def test_gaussian_samples_have_its_moments():
    torch.manual_seed(1)
    q = Gaussian(torch.full((20_000, 1), 3.0), torch.full((20_000, 1), math.log(0.5)))
    sample = q.rsample()
    assert sample.mean().item() == pytest.approx(3.0, abs=0.02)
    assert sample.std().item() == pytest.approx(0.5, abs=0.02)


def test_delta_costs_half_the_squared_error():
    point = Delta(torch.tensor([[1.0, 2.0, 4.0]]))
    assert point.log_prob(torch.tensor([[3.0, 2.0, 1.0]])).item() == -0.5 * (4 + 9)
    assert point.rsample() is point.mean


def test_bernoulli_log_prob_of_an_asymmetric_event():
    x = Bernoulli(torch.logit(torch.tensor([[0.9, 0.2, 0.7]])))
    value = torch.tensor([[1.0, 0.0, 0.0]])
    assert x.log_prob(value).exp().item() == pytest.approx(0.9 * 0.8 * 0.3, rel=1e-5)


def test_a_deterministic_neuron_rounds_and_passes_the_sigmoids_gradient():
    logits = torch.tensor([[1.5, -0.3]], requires_grad=True)
    sample = Bernoulli(logits, "deterministic", slope=2.0).rsample()
    assert sample.tolist() == [[1.0, 0.0]]
    (sample * torch.tensor([[1.0, 3.0]])).sum().backward()
    p = torch.sigmoid(2.0 * torch.tensor([[1.5, -0.3]]))
    torch.testing.assert_close(logits.grad, torch.tensor([[1.0, 3.0]]) * 2.0 * p * (1 - p))


def test_a_stochastic_neuron_is_binary_with_its_probability():
    torch.manual_seed(2)
    sample = Bernoulli(torch.full((1, 20_000), math.log(0.2 / 0.8))).rsample()
    assert set(sample.unique().tolist()) == {0.0, 1.0}
    assert sample.mean().item() == pytest.approx(0.2, abs=0.01)


def test_an_unread_bernoulli_is_its_probability():
    sample = Bernoulli(torch.logit(torch.tensor([[0.3]])), "probability").rsample()
    assert sample.item() == pytest.approx(0.3)


def test_categorical_samples_one_hot_with_its_frequencies():
    torch.manual_seed(3)
    probabilities = torch.tensor([0.1, 0.2, 0.7])
    x = Categorical(probabilities.log().expand(20_000, 3))
    sample = x.rsample()
    assert sample.sum(-1).eq(1).all()
    torch.testing.assert_close(sample.mean(0), probabilities, atol=0.02, rtol=0)
    one_hot = torch.eye(3)[[2]].expand(20_000, 3)
    assert x.log_prob(one_hot)[0].exp().item() == pytest.approx(0.7, rel=1e-5)


def slopes(x: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Return the gradient of a sum of x, weighted by 1, 2 ..., with respect to the logits."""
    weights = torch.arange(1.0, x.numel() + 1).view_as(x)
    return torch.autograd.grad((weights * x).sum(), logits)[0]


def test_binary_events_are_represented_by_the_likelier_one_with_the_means_gradient():
    logits = torch.tensor([[0.2, -3.0, 1.0]], requires_grad=True)
    x = Bernoulli(logits, slope=5.0)
    torch.testing.assert_close(x.mean, 1 / (1 + torch.exp(-logits)))
    assert x.representative.tolist() == [[1.0, 0.0, 1.0]]
    torch.testing.assert_close(slopes(x.representative, logits), slopes(x.mean, logits))


def test_classes_are_represented_by_the_likeliest_with_the_means_gradient():
    logits = torch.tensor([[[0.1, 0.2, 0.7], [0.5, 0.4, 0.1]]]).log().requires_grad_()
    x = Categorical(logits)
    torch.testing.assert_close(x.mean, logits.exp())
    assert x.representative.tolist() == [[[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]]
    torch.testing.assert_close(slopes(x.representative, logits), slopes(x.mean, logits))


def test_an_event_of_one_number_needs_no_axis():
    x = Bernoulli(torch.logit(torch.tensor([0.9, 0.2])))
    assert x.log_prob(torch.tensor([1.0, 1.0])).exp().tolist() == pytest.approx([0.9, 0.2])


def test_straight_through_keeps_the_forward_value_to_the_bit():
    backward = torch.tensor([0.1, 0.30000001], requires_grad=True)
    forward = torch.tensor([1.0, 0.0])
    assert torch.equal(straight_through(forward, backward), forward)
