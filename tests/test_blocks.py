"""Blocks of generators: modulation against its definition, variances, sizes of every kind."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from core.blocks import CONVOLVE, DCGAN, GAIN, Double, Modulated, StyleBased

STYLE = 4
PLACES = {1: (9,), 2: (5, 7), 3: (3, 4, 5)}
GENERATORS = [DCGAN, StyleBased]


def modulated(axes: int, inputs: int = 3, outputs: int = 2) -> Modulated:
    torch.manual_seed(0)
    return Modulated(inputs, outputs, axes, STYLE)


@pytest.mark.parametrize("axes", PLACES)
def test_modulation_is_a_convolution_with_weights_of_each_samples_own(axes):
    """Its definition, sample by sample: scaled by input channel, divided by the norm."""
    block = modulated(axes)
    nn.init.normal_(block.bias)
    x, style = torch.randn(4, 3, *PLACES[axes]), torch.randn(4, STYLE)
    made = block(x, style)
    for number in range(4):
        scale = block.scale(style[number]).view(1, 3, *[1] * axes)
        weight = scale * block.weight
        norms = weight.flatten(1).norm(dim=1).view(2, 1, *[1] * axes)
        expected = CONVOLVE[axes](x[number : number + 1], weight / norms, block.bias, padding=1)
        torch.testing.assert_close(made[number], expected[0], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(made[0], block(x[:1], style[1:2])[0], atol=1e-2)


def test_modulation_by_hand():
    """Two channels in, scaled by 2 and 1; weights 3 and 8 in the middle: norm of (6, 8) is 10."""
    block = Modulated(2, 1, axes=1, style=1)
    block.weight.data.zero_()
    block.weight.data[0, :, 1] = torch.tensor([3.0, 8.0])
    block.scale.weight.data = torch.tensor([[1.0], [0.0]])
    x = torch.tensor([[[1.0, 0, 5], [0, 1, 1]]])
    made = block(x, torch.ones(1, 1))
    torch.testing.assert_close(made, torch.tensor([[[0.6, 0.8, 3.8]]]))


@pytest.mark.parametrize("axes", PLACES)
def test_modulation_by_ones_is_a_convolution_of_norm_1(axes):
    block = modulated(axes)
    x = torch.randn(4, 3, *PLACES[axes])
    norms = block.weight.flatten(1).norm(dim=1).view(2, 1, *[1] * axes)
    plain = CONVOLVE[axes](x, block.weight / norms, padding=1)
    torch.testing.assert_close(block(x, torch.zeros(4, STYLE)), plain, atol=1e-5, rtol=1e-4)


def test_variance_1_leaves_with_variance_1_whatever_the_style():
    torch.manual_seed(0)
    block = Modulated(16, 8, axes=2, style=STYLE)
    x = torch.randn(4, 16, 66, 66)
    style = torch.tensor([0.1, 1.0, 10, 100])[:, None] * torch.randn(4, STYLE)
    inner = block(x, style)[:, :, 1:-1, 1:-1]  # what the zeros around do not reach
    torch.testing.assert_close(inner.var((2, 3)), torch.ones(4, 8), atol=0, rtol=0.12)
    assert block.scale(style).abs().max() > 20


def test_the_activation_keeps_the_mean_square():
    torch.manual_seed(0)
    x = torch.randn(100_000)
    assert (GAIN * F.leaky_relu(x, 0.2)).square().mean().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("axes", PLACES)
def test_doubling_reaches_each_place_once_from_each_side(axes):
    """Kernel 4 and stride 2: with weights of one, what is inside sums two places an axis."""
    convolution, *_ = Double(1, 1, axes)
    for weight in convolution.parameters():
        nn.init.ones_(weight)
    made = convolution(torch.ones(1, 1, *PLACES[axes]))
    assert made.shape[2:] == tuple(2 * n for n in PLACES[axes])
    assert made.max().item() == 2**axes
    assert made.flatten()[0].item() == 1


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("coarsest", [(3,), (4, 7), (2, 3, 4)])
def test_a_generator_over_any_axes_moves_with_its_code_and_all_of_it_learns(generator, coarsest):
    torch.manual_seed(0)
    made = generator(5, 4, coarsest, 2, 3)
    code = torch.randn(6, 5)
    maps = made(code)
    assert maps.shape == (6, 3, *(4 * n for n in coarsest))
    assert (maps.std(0) > 1e-3).all(), "every place follows the code"
    (maps * torch.randn_like(maps)).sum().backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
