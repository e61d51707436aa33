"""Flows: inverses, volumes against autograd's Jacobian, first batches."""

import math

import pytest
import torch

from core.densities.flow import (
    ActNorm,
    Bijection,
    Chain,
    Coupling,
    InvertibleLinear,
    Scaling,
    glow,
    nice,
    realnvp,
    vector_coupling,
    zero,
)
from core.densities.spline import BINS, REACH, Spline, neural_spline, spline_coupling
from core.theory.distributions import Gaussian

SIZE, CONDITION = 5, 3
MAPS = {
    "additive": lambda: vector_coupling(SIZE, 0, affine=False, condition=CONDITION),
    "affine": lambda: vector_coupling(SIZE, 1, condition=CONDITION),
    "spline": lambda: spline_coupling(SIZE, 0, condition=CONDITION),
    "scaling": lambda: Scaling(SIZE),
    "actnorm": lambda: ActNorm(SIZE),
    "linear": lambda: InvertibleLinear(SIZE),
    "chain": lambda: Chain(
        [Scaling(SIZE), InvertibleLinear(SIZE), vector_coupling(SIZE, 0, condition=CONDITION)]
    ),
}
FLOWS = {"nice": nice, "realnvp": realnvp, "glow": glow, "neural_spline": neural_spline}


def perturb(module: torch.nn.Module, by: float = 0.2) -> None:
    """Move the weights away from the identity, at which a flow is initialised."""
    torch.manual_seed(1)
    for parameter in module.parameters():
        parameter.data += by * torch.randn_like(parameter)


def built(name: str) -> Bijection:
    torch.manual_seed(0)
    bijection = MAPS[name]().eval()
    perturb(bijection)
    return bijection


@pytest.mark.parametrize("name", MAPS)
def test_a_bijection_is_inverted_and_its_volume_is_the_jacobians(name):
    bijection = built(name)
    x, c = torch.randn(4, SIZE), torch.randn(4, CONDITION)
    y, log_det = bijection(x, c)
    torch.testing.assert_close(bijection.inverse(y, c), x, atol=1e-5, rtol=1e-4)
    for number in range(4):
        one = c[number : number + 1]
        jacobian = torch.autograd.functional.jacobian(
            lambda v, one=one: bijection(v[None], one)[0][0], x[number]
        )
        assert isinstance(jacobian, torch.Tensor)
        expected = torch.linalg.slogdet(jacobian).logabsdet
        torch.testing.assert_close(log_det[number], expected, atol=1e-5, rtol=1e-4)
    assert name in ("additive",) or log_det.abs().max() > 0.01


@pytest.mark.parametrize("build", [vector_coupling, spline_coupling])
def test_a_coupling_leaves_the_numbers_that_its_network_reads(build):
    x = torch.randn(2, SIZE)
    for number in (0, 1):
        coupling = build(SIZE, number)
        perturb(coupling)
        y, _ = coupling(x)
        unmoved = (y == x).all(0)
        assert torch.equal(unmoved, torch.arange(SIZE) % 2 == number)


@pytest.mark.parametrize("name", ["realnvp", "glow", "neural_spline"])
def test_a_flow_that_scales_is_initialised_as_the_normal_distribution(name):
    torch.manual_seed(0)
    flow = FLOWS[name](2).eval()
    x = torch.randn(6, 2)
    standard = Gaussian(torch.zeros(6, 2), torch.zeros(6, 2))
    torch.testing.assert_close(flow(6).log_prob(x), standard.log_prob(x), atol=1e-4, rtol=1e-4)


def by_hand(x: float) -> tuple[float, float]:
    """Return y and dy/dx of a spline by eqs. 4 and 5 of Durkan et al. 2019.

    Its first knots are (-4, -4), (-2.008, -0.024) and (-0.016, 0.976), its slopes there 1, 3, 1:
    a thousandth of all is each bin's, the rest are its shares.
    """
    x0, x1, y0, y1, d0, d1 = -2.008, -0.016, -0.024, 0.976, 3, 1
    if x < x0:
        x0, x1, y0, y1, d0, d1 = -4, x0, -4, y0, 1, 3
    s, t = (y1 - y0) / (x1 - x0), (x - x0) / (x1 - x0)
    below = s + (d1 + d0 - 2 * s) * t * (1 - t)
    y = y0 + (y1 - y0) * (s * t**2 + d0 * t * (1 - t)) / below
    slope = s**2 * (d1 * t**2 + 2 * s * t * (1 - t) + d0 * (1 - t) ** 2) / below**2
    return y, slope


def test_a_spline_has_its_knots_and_slopes():
    """Shares of the widths are a quarter, a quarter and more, of the heights 1/2, 1/8 and more."""
    rest = BINS - 2
    widths = torch.tensor([1 / 4, 1 / 4, *[1 / 2 / rest] * rest]).double().log()
    heights = torch.tensor([1 / 2, 1 / 8, *[3 / 8 / rest] * rest]).double().log()
    three = math.log(math.expm1(3 - 1e-3)) - math.log(math.expm1(1 - 1e-3))
    slopes = torch.tensor([three, *[0.0] * rest]).double()
    spline = Spline.of(torch.cat([widths, heights, slopes]).expand(6, 1, -1))
    x = torch.tensor([[-3.5, -2.0, -1.0, -0.25, REACH + 1, -REACH - 2]]).double().T
    y, log_slope = spline(x)
    expected = [by_hand(value) for value in x[:4, 0].tolist()]
    assert y[:4, 0].tolist() == pytest.approx([y for y, _ in expected], abs=1e-6)
    assert log_slope[:4, 0].exp().tolist() == pytest.approx([d for _, d in expected], abs=1e-6)
    assert torch.equal(y[4:], x[4:]) and not log_slope[4:].any(), "the identity beyond"
    torch.testing.assert_close(spline.inverse(y), x)


def slope(coupling: Coupling, x: torch.Tensor) -> float:
    """Return the largest gradient of -log N(f(x)) |det df/dx| in the coupling's weights."""
    y, log_det = coupling(x)
    base = Gaussian(torch.zeros_like(x), torch.zeros_like(x))
    loss = -(base.log_prob(y) + log_det).mean()
    gradients = torch.autograd.grad(loss, list(coupling.parameters()))
    return max(g.abs().max().item() for g in gradients)


def test_an_additive_coupling_would_stay_the_identity_on_mirrored_data_and_shifts_at_random():
    """There its gradient is E[x_2 | x_1] = 0; an affine one's is E[1 - x_2^2 | x_1] too."""
    torch.manual_seed(0)
    half = 3 * torch.randn(50, 2)
    mirrored = torch.cat([half, half * torch.tensor([1.0, -1.0])])
    additive, affine = (vector_coupling(2, 0, affine) for affine in (False, True))
    assert slope(affine, mirrored) > 0.1
    assert slope(additive, mirrored) > 0.1
    assert isinstance(additive.net, torch.nn.Sequential)
    zero(additive.net[-1])
    assert slope(additive, mirrored) < 1e-5


@pytest.mark.parametrize("name", FLOWS)
def test_the_density_of_a_flow_sums_to_1_over_a_grid(name):
    torch.manual_seed(0)
    flow = FLOWS[name](2).eval()
    perturb(flow, by=0.03)
    axis = torch.linspace(-9, 9, 181)
    grid = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        total = flow(len(grid)).log_prob(grid).exp().sum() * 0.1**2
        samples = flow(20_000).rsample()
    assert total.item() == pytest.approx(1, abs=0.02)
    weights = flow(len(grid)).log_prob(grid).exp() * 0.1**2
    torch.testing.assert_close(
        (weights[:, None] * grid).sum(0), samples.mean(0), atol=0.05, rtol=0.05
    )


def test_the_first_batch_of_actnorm_has_mean_0_and_variance_1():
    norm = ActNorm(SIZE)
    x = 7 + 3 * torch.randn(100, SIZE)
    y, log_det = norm(x)
    torch.testing.assert_close(y.mean(0), torch.zeros(SIZE), atol=1e-4, rtol=0)
    torch.testing.assert_close(y.std(0, correction=0), torch.ones(SIZE), atol=1e-4, rtol=0)
    assert log_det[0].item() == pytest.approx(-SIZE * math.log(3), abs=0.6)
    other, _ = norm(x + 1)
    torch.testing.assert_close(other - y, norm.log_scale.exp().expand_as(y), atol=1e-4, rtol=1e-4)


def test_a_frozen_actnorm_stays_as_it_is():
    norm = ActNorm(SIZE).requires_grad_(False)
    x = 3 + torch.randn(7, SIZE)
    assert torch.equal(norm(x)[0], x)
    assert norm.initialised == 0


def test_actnorm_scales_a_number_that_never_changes_by_1000():
    norm = ActNorm(2)
    y, _ = norm(torch.tensor([[5.0, 1.0], [5.0, 3.0]]))
    assert norm.log_scale.exp().tolist() == pytest.approx([1000.0, 1.0], rel=1e-5)
    torch.testing.assert_close(y, torch.tensor([[0.0, -1.0], [0.0, 1.0]]))


def test_additive_couplings_keep_volumes_and_scales_change_them():
    flow = nice(SIZE)
    perturb(flow)
    assert isinstance(flow.bijection, Chain)
    scaling = flow.bijection.bijections[-1]
    assert isinstance(scaling, Scaling)
    x = torch.randn(3, SIZE)
    y = x
    for bijection in flow.bijection.bijections:
        y, _ = bijection(y)
    base = Gaussian(torch.zeros(3, SIZE), torch.zeros(3, SIZE))
    expected = base.log_prob(y) + scaling.log_scale.sum()
    torch.testing.assert_close(flow(3).log_prob(x), expected)


def test_a_flow_depends_on_its_condition():
    flow = realnvp(2, condition=CONDITION)
    perturb(flow)
    flow.double()  # its scales multiply what single precision rounds
    x = torch.ones(2, 2, dtype=torch.double)
    c = torch.tensor([[1.0, 0, 0], [0, 1, 0]], dtype=torch.double)
    one, other = flow(2, c).log_prob(x)
    assert one != other
    one, other = flow(2, c).representative
    assert not torch.allclose(one, other)
    mapped, _ = flow.bijection(flow(2, c).representative, c)
    torch.testing.assert_close(mapped, torch.zeros_like(mapped), atol=1e-6, rtol=0)
