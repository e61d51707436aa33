"""Blocks of generators: modulation against its definition, variances, sizes of every kind."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from core.networks.generators import (
    CONVOLVE,
    DCGAN,
    GAIN,
    Growing,
    ModulatedConv,
    StyleBased,
    UpBlock,
)

STYLE = 4
LEVEL_STEPS = 10
PLACES = {1: (9,), 2: (5, 7), 3: (3, 4, 5)}

GENERATORS = [DCGAN, StyleBased]


def modulated(axes: int, inputs: int = 3, outputs: int = 2) -> ModulatedConv:
    torch.manual_seed(0)
    return ModulatedConv(inputs, outputs, axes, STYLE)


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
    block = ModulatedConv(2, 1, axes=1, style=1)
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
    block = ModulatedConv(16, 8, axes=2, style=STYLE)
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
    convolution, *_ = UpBlock(1, 1, axes)
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


def test_a_level_joins_as_a_mixture_with_the_one_before():
    torch.manual_seed(0)
    made, code = Growing(5, 4, (3,), 2, 2, LEVEL_STEPS), torch.randn(6, 5)
    style = made.style(code)
    pictures = [
        picture(maps, style)
        for picture, maps in zip([*made.pictures, made.last], made.levels(style), strict=True)
    ]
    coarse, middle, fine = (p.repeat_interleave(12 // p.shape[2], 2) for p in pictures)
    for steps, expected in {
        0: coarse,
        3: 0.7 * coarse + 0.3 * middle,
        10: middle,
        15: 0.5 * middle + 0.5 * fine,
        20: fine,
        999: fine,
    }.items():
        made.grow(steps)
        torch.testing.assert_close(made(code), expected)


def test_fully_grown_it_is_the_style_based_one():
    torch.manual_seed(0)
    made, code = Growing(5, 4, (3, 3), 2, 2, LEVEL_STEPS), torch.randn(6, 5)
    made.grow(2 * LEVEL_STEPS)
    torch.testing.assert_close(made(code), StyleBased.forward(made, code))


def test_all_of_it_learns_while_it_grows():
    made = Growing(5, 4, (3,), 2, 2, LEVEL_STEPS)
    for steps in (5, 15):
        made.grow(steps)
        made(torch.randn(6, 5)).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in made.parameters())


def test_levels_to_come_do_not_learn():
    made = Growing(5, 4, (3,), 2, 2, LEVEL_STEPS)
    made.grow(LEVEL_STEPS)
    made(torch.randn(6, 5)).square().sum().backward()
    assert all(p.grad is None for p in (*made.doublings[1].parameters(), *made.last.parameters()))
    assert all(p.grad is not None for p in made.doublings[0].parameters())


def test_data_are_as_fine_as_what_is_made():
    """Eight places over three levels of 2, 4 and 8: means by fours, by twos, none."""
    made = Growing(1, 1, (2,), 2, 1, LEVEL_STEPS)
    x = torch.tensor([[[1.0, 3, 5, 7, 0, 0, 4, 8]]])
    for steps, expected in {
        0: [4.0, 4, 4, 4, 3, 3, 3, 3],
        5: [3.0, 3, 5, 5, 1.5, 1.5, 4.5, 4.5],
        10: [2.0, 2, 6, 6, 0, 0, 6, 6],
        15: [1.5, 2.5, 5.5, 6.5, 0, 0, 5, 7],
        20: [1.0, 3, 5, 7, 0, 0, 4, 8],
    }.items():
        made.grow(steps)
        torch.testing.assert_close(made.as_fine(x), torch.tensor([[expected]]))
