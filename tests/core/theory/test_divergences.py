"""Divergences against closed forms."""

import contextlib
import math

import numpy as np
import pytest
import torch

from core.errors import ConfigError
from core.theory.distributions import Delta, Gaussian
from core.theory.divergences import (
    BANDWIDTHS,
    EM,
    KL,
    MMD,
    Contrast,
    Moments,
    frechet_distance,
    kl,
    mmd,
)
from core.theory.passes import Batch, Networks, Passes


def gaussian(mean: list[float], std: list[float]) -> Gaussian:
    return Gaussian(torch.tensor([mean]), torch.tensor([std]).log())


def test_kl_of_gaussians_in_closed_form():
    q, p = gaussian([1.0, 0.0], [2.0, 0.5]), gaussian([-1.0, 0.5], [3.0, 1.0])
    first = math.log(3 / 2) + (4 + 4) / 18 - 0.5
    second = math.log(1 / 0.5) + (0.25 + 0.25) / 2 - 0.5
    assert kl(q, p, q.mean).item() == pytest.approx(first + second, rel=1e-5)


def test_kl_to_itself_is_zero():
    q = gaussian([1.0, -3.0], [0.2, 5.0])
    assert kl(q, q, q.mean).item() == pytest.approx(0.0, abs=1e-6)


def test_kl_without_a_closed_form_is_the_log_ratio_of_a_draw():
    q, p = Delta(torch.tensor([[2.0]])), gaussian([0.0], [1.0])
    expected = 0.0 - (-2.0 - 0.5 * math.log(2 * math.pi))
    assert kl(q, p, torch.tensor([[2.0]])).item() == pytest.approx(expected, rel=1e-6)


def test_mmd_is_unbiased_at_equality():
    generator = torch.Generator().manual_seed(4)
    draws = [
        mmd(torch.randn(24, 3, generator=generator), torch.randn(24, 3, generator=generator))
        for _ in range(300)
    ]
    values = torch.stack(draws)
    assert abs(values.mean().item()) < 3 * values.std().item() / math.sqrt(300)
    assert (values < 0).any()  # a biased estimate is never negative


def test_mmd_by_hand():
    """Samples 0 and 2, reference 0, 3 and 4 (squared distances 9, 16 and 1: median 9)."""
    samples, reference = torch.tensor([[0.0], [2.0]]), torch.tensor([[0.0], [3.0], [4.0]])

    def kernel(squared: float) -> float:
        return sum(9 * s / (9 * s + squared) for s in (0.1, 0.2, 0.5, 1, 2, 5, 10))

    within = kernel(4) + (kernel(9) + kernel(16) + kernel(1)) / 3
    across = (kernel(0) + kernel(9) + kernel(16) + kernel(4) + kernel(1) + kernel(4)) / 6
    assert mmd(samples, reference).item() == pytest.approx(within - 2 * across, rel=1e-5)


@pytest.mark.parametrize("dim", [2, 3000])
def test_mmd_sees_a_difference_whatever_the_number_and_the_size_of_axes(dim):
    """Two collections without a common point: kernels within and across differ by a constant."""
    torch.manual_seed(7)
    a, b = torch.randn(20, dim), torch.randn(20, dim)
    far = mmd(a, b + 5).item()
    assert mmd(1000 * a, 1000 * (b + 5)).item() == pytest.approx(far, rel=1e-3)
    assert far > 0.2 * len(BANDWIDTHS)


def test_mmd_of_equal_points_is_finite():
    assert mmd(torch.ones(3, 2), torch.ones(4, 2)).item() == pytest.approx(0, abs=1e-5)


def test_mmd_grows_with_the_shift():
    generator = torch.Generator().manual_seed(5)
    a, b = (torch.randn(200, 3, generator=generator) for _ in range(2))
    near, far = mmd(a, b + 0.5).item(), mmd(a, b + 2.0).item()
    assert 0.02 < near < far


class Counter(torch.nn.Module):
    def statistics(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (x[:, :1], x[:, 1:])


class FixedPasses(Passes):
    def produced(self, space):
        return (torch.tensor([[4.0, 1.0, 5.0], [4.0, 3.0, 5.0]]),)


def test_moments_by_hand():
    real = torch.tensor([[1.0, 2.0, 0.0], [3.0, 2.0, 4.0]])  # variances 2, 0 and 8
    passes = FixedPasses(Networks({"critic_x": Counter()}), Batch(real))
    expected = (4 - 2) ** 2 / 2.001 + 0 / 0.001 + (5 - 2) ** 2 / 8.001
    assert Moments()(passes, "x", "critic_x").item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("by", [MMD(), Moments()])
@pytest.mark.parametrize("samples", [1, 2])
def test_a_batch_of_one_cannot_be_compared(by, samples):
    """It has no variance and no pairs: the loss would not be a number."""
    passes = FixedPasses(Networks({"critic_x": Counter()}), Batch(torch.randn(samples, 3)))
    with contextlib.nullcontext() if samples > 1 else pytest.raises(ConfigError, match="batch_s"):
        assert by(passes, "x", "critic_x").isfinite()


class Squares(torch.nn.Module):
    def statistics(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (x**2,)


def test_moments_of_the_reference_have_no_gradient():
    real = torch.tensor([[1.0, 2.0, 0.0], [3.0, 2.0, 4.0]], requires_grad=True)
    passes = FixedPasses(Networks({"critic_x": Squares()}), Batch(real))
    assert not Moments()(passes, "x", "critic_x").requires_grad


class Known(torch.nn.Module):
    """p(x) = N(0, 1), whose EM steps are counted."""

    def __init__(self):
        super().__init__()
        self.steps = 0

    def forward(self, batch: int, c: torch.Tensor | None = None) -> Gaussian:
        return Gaussian(torch.zeros(batch, 1), torch.zeros(batch, 1))

    def em_step(self, x: torch.Tensor) -> None:
        self.steps += 1


@pytest.mark.parametrize("by", [KL(), EM()])
def test_in_x_a_density_costs_the_nats_of_its_surprise(by):
    """-log N(x; 0, 1) = x^2 / 2 + log(2 pi) / 2."""
    passes = Passes(Networks({"density": Known()}), Batch(torch.tensor([[0.0], [2.0]])))
    constant = 0.5 * math.log(2 * math.pi)
    expected = torch.tensor([constant, 2 + constant])
    torch.testing.assert_close(by(passes, "x", "critic_x"), expected)


def test_em_steps_once_a_batch_and_only_where_gradients_would_be_taken():
    density = Known()
    networks, batch = Networks({"density": density}), Batch(torch.tensor([[0.0], [2.0]]))
    EM()(Passes(networks, batch), "x", "critic_x")
    assert density.steps == 1
    with torch.no_grad():
        EM()(Passes(networks, batch), "x", "critic_x")
    EM()(Passes(networks.eval(), batch), "x", "critic_x")
    assert density.steps == 1


class Standard(torch.nn.Module):
    """p(z) = N(0, 1)."""

    def forward(self, batch: int, c: torch.Tensor | None = None) -> Gaussian:
        return Gaussian(torch.zeros(batch, 1), torch.zeros(batch, 1))


class Points(torch.nn.Module):
    """An encoder with a weight, by which z is x."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, x: torch.Tensor, c: torch.Tensor | None = None) -> Delta:
        return Delta(self.weight * x)


class Line(torch.nn.Module):
    """r(z) = slope z + shift."""

    def __init__(self, slope: float, shift: float):
        super().__init__()
        self.slope = torch.nn.Parameter(torch.tensor(slope))
        self.shift = torch.nn.Parameter(torch.tensor(shift))

    def forward(self, z: torch.Tensor, c: torch.Tensor | None = None) -> torch.Tensor:
        return self.slope * z[:, 0] + self.shift


def contrast(ratio: Line, x: torch.Tensor, prior: torch.nn.Module) -> torch.Tensor:
    networks = Networks({"encoder": Points(), "prior": prior, "ratio": ratio})
    return Contrast()(Passes(networks, Batch(x)), "z", "critic_z")


class Twos(torch.nn.Module):
    """p(z) has all its mass at 2."""

    def forward(self, batch: int, c: torch.Tensor | None = None) -> Delta:
        return Delta(torch.full((batch, 1), 2.0))


def test_contrast_by_hand():
    """r is 0.5 z - 1: of z = 4 it is 1, of z = -2 it is -2, of samples 0."""
    ratio = Line(0.5, -1.0)
    losses = contrast(ratio, torch.tensor([[4.0], [-2.0]]), Twos())
    expected = [math.log1p(math.exp(-1)), math.log1p(math.exp(2))]
    assert losses.tolist() == pytest.approx([one + math.log(2) for one in expected], rel=1e-6)


def test_contrast_recovers_the_log_ratio_of_two_gaussians():
    """log N(z; 1, 1) / N(z; 0, 1) = z - 1/2; the encoder, which it uses, gets no gradient."""
    torch.manual_seed(0)
    ratio = Line(0.0, 0.0)
    optimizer = torch.optim.LBFGS(ratio.parameters(), max_iter=50)
    x = 1 + torch.randn(20_000, 1)

    def loss() -> torch.Tensor:
        torch.manual_seed(1)  # the same samples of the prior at each evaluation
        optimizer.zero_grad()
        value = contrast(ratio, x, Standard()).mean()
        value.backward()
        return value

    optimizer.step(loss)  # type: ignore[arg-type]  # torch asks for a float
    assert ratio.slope.item() == pytest.approx(1.0, abs=0.04)
    assert ratio.shift.item() == pytest.approx(-0.5, abs=0.04)
    encoder = Points()
    networks = Networks({"encoder": encoder, "prior": Standard(), "ratio": ratio})
    Contrast()(Passes(networks, Batch(x)), "z", "critic_z").mean().backward()
    assert encoder.weight.grad is None


def test_the_frechet_distance_of_gaussians_has_a_closed_form():
    """Diagonal: |m - m'|^2 + sum (s - s')^2, with the sample's own moments."""
    generator = np.random.default_rng(1)
    white = generator.standard_normal((400, 3))
    white = (white - white.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(white.T))).T
    one, other = white * [1, 2, 3] + [5, 0, 0], white * [4, 2, 1] + [2, 0, 1]
    assert frechet_distance(one, other) == pytest.approx(9 + 1 + 9 + 0 + 4)
    assert frechet_distance(other, one) == pytest.approx(frechet_distance(one, other))
    turn = np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]])
    assert frechet_distance(one @ turn, other @ turn) == pytest.approx(23)


def test_a_sample_is_at_no_frechet_distance_from_itself():
    few = np.random.default_rng(2).standard_normal((5, 8))  # a covariance without full rank
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(few, few + 2) == pytest.approx(8 * 4)
    one = np.array([[0.0], [2.0]])  # one feature: variance 2
    assert frechet_distance(one, one + 3) == pytest.approx(9)


def test_a_single_sample_has_no_frechet_distance():
    several = np.arange(6.0).reshape(3, 2)
    assert math.isnan(frechet_distance(several[:1], several))
    assert math.isnan(frechet_distance(several, several[:1]))
