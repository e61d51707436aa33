"""Flows over maps: squeeze by hand, inverses, volumes against the Jacobian, masks, scales."""

import math

import pytest
import torch
from torch import nn

from core.densities.flow import ActNorm, Bijection, Chain, Coupling, InvertibleLinear
from core.densities.map_flow import (
    STEPS,
    FactorOut,
    Flatten,
    Squeeze,
    channel_mask,
    checkerboard,
    glow_maps,
    map_coupling,
    realnvp_maps,
    scales_of,
)
from core.errors import ConfigError
from core.theory.distributions import Gaussian

FLOWS = {"realnvp": realnvp_maps, "glow": glow_maps}
SHAPES = [(3, 8), (2, 2, 4), (1, 2, 4, 2)]
CONDITION = 2
BIJECTIONS = {
    "squeeze": lambda shape: Squeeze(),
    "flatten": Flatten,
    "factor": lambda shape: FactorOut((4, *shape[1:]), Flatten((2, *shape[1:]))),
    "checkerboard": lambda shape: map_coupling(checkerboard(shape, 1), shape, CONDITION),
    "channels": lambda shape: map_coupling(channel_mask(shape, 0), shape, CONDITION),
    "actnorm": lambda shape: ActNorm(shape[0]),
    "convolution": lambda shape: InvertibleLinear(shape[0]),
}


def perturb(module: nn.Module, by: float = 0.1) -> None:
    """Move the weights away from the identity, at which a flow is initialised."""
    torch.manual_seed(1)
    for parameter in module.parameters():
        parameter.data += by * torch.randn_like(parameter)


def assert_inverted_with_its_volume(bijection: Bijection, shape: tuple[int, ...]) -> None:
    bijection.double().eval()
    perturb(bijection)
    x, c = torch.randn(2, *shape).double(), torch.randn(2, CONDITION).double()
    y, log_det = bijection(x, c)
    torch.testing.assert_close(bijection.inverse(y, c), x, atol=1e-4, rtol=1e-4)
    for number in range(2):
        one = c[number : number + 1]
        jacobian = torch.autograd.functional.jacobian(
            lambda v, one=one: bijection(v[None], one)[0][0].flatten(), x[number]
        )
        assert isinstance(jacobian, torch.Tensor)
        square = jacobian.flatten(1)
        assert square.shape[0] == square.shape[1]
        expected = torch.linalg.slogdet(square).logabsdet
        assert log_det[number].item() == pytest.approx(expected.item(), abs=1e-4)


@pytest.mark.parametrize("name", BIJECTIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_bijection_of_maps_is_inverted_and_its_volume_is_the_jacobians(name, shape):
    torch.manual_seed(0)
    shape = (4, *shape[1:]) if name in ("factor", "channels") else shape
    assert_inverted_with_its_volume(BIJECTIONS[name](shape), shape)


@pytest.mark.parametrize("name", FLOWS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_flow_of_maps_is_inverted_and_its_volume_is_the_jacobians(name, shape):
    torch.manual_seed(0)
    flow = FLOWS[name](shape, CONDITION)
    assert_inverted_with_its_volume(flow.bijection, shape)


def test_a_squeeze_by_hand():
    """Two channels of 2 x 4: each block of 2 x 2 becomes the channels of one position."""
    x = torch.arange(16.0).view(1, 2, 2, 4)
    y, log_det = Squeeze()(x)
    expected = [[0, 2], [1, 3], [4, 6], [5, 7], [8, 10], [9, 11], [12, 14], [13, 15]]
    assert y[0, :, 0].tolist() == expected
    assert log_det.item() == 0
    time, _ = Squeeze()(torch.arange(6.0).view(1, 1, 6))
    assert time[0].tolist() == [[0, 2, 4], [1, 3, 5]]


def test_masks_by_hand():
    assert checkerboard((5, 2, 3), 0).int().tolist() == [[[1, 0, 1], [0, 1, 0]]]
    assert checkerboard((5, 2, 3), 1).int().tolist() == [[[0, 1, 0], [1, 0, 1]]]
    assert channel_mask((5, 2, 3), 0).flatten().int().tolist() == [1, 1, 0, 0, 0]
    assert channel_mask((5, 2, 3), 3).flatten().int().tolist() == [0, 0, 1, 1, 1]


@pytest.mark.parametrize("mask", [checkerboard, channel_mask])
@pytest.mark.parametrize("number", [0, 1])
def test_a_coupling_moves_what_its_mask_frees_by_what_stays(mask, number):
    shape = (4, 2, 4)
    stays = mask(shape, number)
    coupling = map_coupling(stays, shape, 0)
    perturb(coupling)
    x = torch.randn(3, *shape)
    y, _ = coupling(x)
    assert torch.equal((y == x).all(0), stays.expand(shape))
    freed = torch.where(stays, x, 0.0)
    moved = coupling(freed)[0] - freed  # the shift alone: it does not depend on what is moved
    log_scale = ((y - moved) / x).log()
    torch.testing.assert_close(
        y, torch.where(stays, x, x * log_scale.exp() + moved), atol=1e-5, rtol=1e-4
    )
    assert coupling(x)[1].tolist() == pytest.approx(
        log_scale.where(~stays, torch.zeros(())).flatten(1).sum(1).tolist(), abs=1e-3
    )


def test_half_of_the_channels_is_factored_out_on_each_scale():
    """(2, 8, 4): squeezed to 8 x 4 x 2, of which 32 numbers leave; then 16 x 2 x 1, the end."""
    assert scales_of((2, 8, 4)) == 2
    flow = realnvp_maps((2, 8, 4)).eval()
    x = torch.randn(1, 2, 8, 4)
    squeezed, _ = Squeeze()(x)
    twice, _ = Squeeze()(squeezed[:, :4])
    z, log_det = flow.bijection(x)  # at initialisation couplings are the identity
    torch.testing.assert_close(z, torch.cat([twice.flatten(1), squeezed[:, 4:].flatten(1)], 1))
    assert log_det.item() == 0


def test_three_scales_by_hand():
    """Eight positions: the odd ones leave first, then 2 and 6, then 0 and 4 are the end."""
    z, _ = realnvp_maps((1, 8)).eval().bijection(torch.arange(8.0).view(1, 1, 8))
    assert z[0].tolist() == [0, 4, 2, 6, 1, 3, 5, 7]


def test_the_steps_of_both_flows():
    """Glow: actnorm, 1x1 convolution, coupling; RealNVP: checkerboards, squeeze, channels.

    Each group of RealNVP's couplings begins with an actnorm.
    """
    glow = [type(part).__name__ for part in glow_maps((1, 2)).bijection.modules()]
    steps = [n for n in glow if n in ("ActNorm", "InvertibleLinear", "Coupling", "Squeeze")]
    assert steps == ["Squeeze", *["ActNorm", "InvertibleLinear", "Coupling"] * STEPS]
    realnvp = list(realnvp_maps((3, 2)).bijection.modules())
    masks = [part.stays.flatten().int().tolist() for part in realnvp if isinstance(part, Coupling)]
    boards, halves = [[1, 0], [0, 1]], [[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]]
    assert masks == [*boards * (STEPS // 2), *halves * (STEPS // 2)]
    assert [len(part.shift) for part in realnvp if isinstance(part, ActNorm)] == [3, 6]


def test_what_is_factored_out_early_does_not_go_through_later_scales():
    flow = realnvp_maps((2, 8, 4))
    perturb(flow)
    x = torch.randn(1, 2, 8, 4)
    before, _ = flow.bijection(x)
    assert isinstance(flow.bijection, Chain)
    end = flow.bijection.bijections[-1]
    assert isinstance(end, FactorOut)
    perturb(end.rest)
    after, _ = flow.bijection(x)
    assert torch.equal(before[:, 32:], after[:, 32:])
    assert not torch.allclose(before[:, :32], after[:, :32])


@pytest.mark.parametrize("name", FLOWS)
def test_a_density_over_a_map_of_two_numbers_is_normalised(name):
    torch.manual_seed(0)
    flow = FLOWS[name]((1, 2)).eval()
    x = torch.randn(6, 1, 2)
    standard = Gaussian(torch.zeros(6, 2), torch.zeros(6, 2))
    initial = flow(6).log_prob(x)
    torch.testing.assert_close(initial, standard.log_prob(x.flatten(1)), atol=1e-4, rtol=1e-4)
    perturb(flow, by=0.05)
    axis = torch.linspace(-9, 9, 181)
    grid = torch.cartesian_prod(axis, axis)[:, None]
    with torch.no_grad():
        weights = flow(len(grid)).log_prob(grid).exp() * 0.1**2
        samples = flow(20_000).rsample()
    assert weights.sum().item() == pytest.approx(1, abs=0.02)
    mean = (weights[:, None, None] * grid).sum(0)
    torch.testing.assert_close(samples.mean(0), mean, atol=0.05, rtol=0.05)
    assert (flow(1).log_prob(x[:1]) - initial[:1]).abs() > 0.01


def test_actnorm_gives_each_channel_mean_0_and_variance_1_over_batch_and_positions():
    torch.manual_seed(0)
    x = torch.randn(5, 2, 3, 4) * torch.tensor([3.0, 0.5]).view(2, 1, 1) + 7
    norm = ActNorm(2)
    y, log_det = norm(x)
    torch.testing.assert_close(y.mean((0, 2, 3)), torch.zeros(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(y.var((0, 2, 3), correction=0), torch.ones(2), atol=1e-4, rtol=0)
    stds = x.std((0, 2, 3), correction=0)
    assert log_det[0].item() == pytest.approx(-12 * stds.log().sum().item(), rel=1e-4)


def test_a_convolution_of_1_by_1_mixes_the_channels_of_each_position_equally():
    convolution = InvertibleLinear(2)
    convolution.weight.data = torch.tensor([[2.0, 1.0], [0.0, -3.0]])
    x = torch.tensor([[[1.0, 4.0, 0.5], [2.0, -1.0, 0.0]]])
    y, log_det = convolution(x)
    assert y[0].tolist() == [[4.0, 7.0, 1.0], [-6.0, 3.0, 0.0]]
    assert log_det.item() == pytest.approx(3 * math.log(6))


def test_axes_of_odd_size_are_refused():
    assert scales_of((3, 16, 32)) == 3
    assert scales_of((3, 6, 32)) == 1
    with pytest.raises(ConfigError, match="have 4 x 5 positions: prepare the data with even"):
        realnvp_maps((3, 4, 5))


def test_a_flow_over_maps_depends_on_its_condition():
    flow = glow_maps((1, 4), condition=CONDITION)
    perturb(flow)
    x = torch.ones(2, 1, 4)
    one, other = flow(2, torch.tensor([[1.0, 0], [0, 1.0]])).log_prob(x)
    assert (one - other).abs() > 1e-3


def test_the_weights_of_a_coupling_of_maps():
    """From 4 channels and 3 numbers of c as a bias to 64, to 64, to scale and shift of each."""
    coupling = map_coupling(channel_mask((4, 8, 8), 0), (4, 8, 8), condition=3)
    expected = (4 * 9 * 64 + 64 + 3 * 64) + (64 * 64 + 64) + (64 * 9 * 8 + 8)
    assert sum(p.numel() for p in coupling.parameters()) == expected
