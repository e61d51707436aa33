"""Blocks of generators: modulation against its definition, variances, growth."""

import pytest
import torch
from torch import nn

from core.networks.generators import (
    CONVOLVE,
    DCGAN,
    GAIN,
    ModulatedConv,
    ProgressiveGenerator,
    StyleBased,
    UpBlock,
    _activate,
)

STYLE = 4
LEVEL_STEPS = 10
SIZES = {1: (9,), 2: (5, 7), 3: (3, 4, 5)}

GENERATORS = [DCGAN, StyleBased]


def modulated(axes: int, inputs: int = 3, outputs: int = 2) -> ModulatedConv:
    torch.manual_seed(0)
    return ModulatedConv(inputs, outputs, axes, STYLE)


@pytest.mark.parametrize("axes", SIZES)
def test_modulation_is_a_convolution_with_weights_for_each_sample(axes):
    """Its definition, sample by sample: scaled by input channel, divided by the norm."""
    block = modulated(axes)
    nn.init.normal_(block.bias)
    x, style = torch.randn(4, 3, *SIZES[axes]), torch.randn(4, STYLE)
    output = block(x, style)
    for number in range(4):
        scale = block.scale(style[number]).view(1, 3, *[1] * axes)
        weight = scale * block.weight
        norms = weight.flatten(1).norm(dim=1).view(2, 1, *[1] * axes)
        expected = CONVOLVE[axes](x[number : number + 1], weight / norms, block.bias, padding=1)
        torch.testing.assert_close(output[number], expected[0], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(output[0], block(x[:1], style[1:2])[0], atol=1e-2)


def test_modulation_by_hand():
    """Two channels in, scaled by 2 and 1; weights 3 and 8 in the middle: norm of (6, 8) is 10."""
    block = ModulatedConv(2, 1, axes=1, style=1)
    block.weight.data.zero_()
    block.weight.data[0, :, 1] = torch.tensor([3.0, 8.0])
    block.scale.weight.data = torch.tensor([[1.0], [0.0]])
    x = torch.tensor([[[1.0, 0, 5], [0, 1, 1]]])
    output = block(x, torch.ones(1, 1))
    torch.testing.assert_close(output, torch.tensor([[[0.6, 0.8, 3.8]]]))


@pytest.mark.parametrize("axes", SIZES)
def test_modulation_by_ones_is_a_convolution_of_norm_1(axes):
    block = modulated(axes)
    x = torch.randn(4, 3, *SIZES[axes])
    norms = block.weight.flatten(1).norm(dim=1).view(2, 1, *[1] * axes)
    plain = CONVOLVE[axes](x, block.weight / norms, padding=1)
    torch.testing.assert_close(block(x, torch.zeros(4, STYLE)), plain, atol=1e-5, rtol=1e-4)


def test_inputs_of_variance_1_give_outputs_of_variance_1_whatever_the_style():
    torch.manual_seed(0)
    block = ModulatedConv(16, 8, axes=2, style=STYLE)
    x = torch.randn(4, 16, 66, 66)
    style = torch.tensor([0.1, 1.0, 10, 100])[:, None] * torch.randn(4, STYLE)
    inner = block(x, style)[:, :, 1:-1, 1:-1]  # beyond the reach of the padding
    torch.testing.assert_close(inner.var((2, 3)), torch.ones(4, 8), atol=0, rtol=0.12)
    assert block.scale(style).abs().max() > 20


def test_the_activation_keeps_the_mean_square():
    torch.manual_seed(0)
    x = torch.randn(100_000)
    assert _activate(x[None, None]).square().mean().item() == pytest.approx(1, abs=0.02)
    negative = _activate(torch.full((1, 1, 3), -2.0))
    torch.testing.assert_close(negative, torch.full((1, 1, 3), -0.4 * GAIN))


@pytest.mark.parametrize("axes", SIZES)
def test_upsampling_reaches_each_position_once_from_each_side(axes):
    """Kernel 4 and stride 2: with weights of one, an inner position sums two inputs an axis."""
    convolution, *_ = UpBlock(1, 1, axes)
    for weight in convolution.parameters():
        nn.init.ones_(weight)
    output = convolution(torch.ones(1, 1, *SIZES[axes]))
    assert output.shape[2:] == tuple(2 * n for n in SIZES[axes])
    assert output.max().item() == 2**axes
    assert output.flatten()[0].item() == 1


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("coarsest", [(3,), (4, 7), (2, 3, 4)])
def test_the_output_depends_on_the_code_everywhere_and_all_weights_have_a_gradient(
    generator, coarsest
):
    torch.manual_seed(0)
    built = generator(5, 4, coarsest, 2, 3)
    code = torch.randn(6, 5)
    maps = built(code)
    assert maps.shape == (6, 3, *(4 * n for n in coarsest))
    assert (maps.std(0) > 1e-3).all(), "every position depends on the code"
    (maps * torch.randn_like(maps)).sum().backward()
    for name, parameter in built.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_a_level_fades_in_as_a_mixture_with_the_one_before():
    torch.manual_seed(0)
    generator, code = ProgressiveGenerator(5, 4, (3,), 2, 2, LEVEL_STEPS), torch.randn(6, 5)
    style = generator.style(code)
    outputs = [
        convolution(maps, style)
        for convolution, maps in zip(
            [*generator.to_output, generator.last], generator.levels(style), strict=True
        )
    ]
    coarse, middle, fine = (p.repeat_interleave(12 // p.shape[2], 2) for p in outputs)
    for steps, expected in {
        0: coarse,
        3: 0.7 * coarse + 0.3 * middle,
        10: middle,
        15: 0.5 * middle + 0.5 * fine,
        20: fine,
        999: fine,
    }.items():
        generator.set_stage(steps)
        torch.testing.assert_close(generator(code), expected)


def test_fully_grown_it_is_the_style_based_generator():
    torch.manual_seed(0)
    generator, code = ProgressiveGenerator(5, 4, (3, 3), 2, 2, LEVEL_STEPS), torch.randn(6, 5)
    generator.set_stage(2 * LEVEL_STEPS)
    torch.testing.assert_close(generator(code), StyleBased.forward(generator, code))


def test_all_weights_have_a_gradient_while_it_grows():
    generator = ProgressiveGenerator(5, 4, (3,), 2, 2, LEVEL_STEPS)
    for steps in (5, 15):
        generator.set_stage(steps)
        generator(torch.randn(6, 5)).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in generator.parameters())


def test_later_levels_have_no_gradient():
    generator = ProgressiveGenerator(5, 4, (3,), 2, 2, LEVEL_STEPS)
    generator.set_stage(LEVEL_STEPS)
    generator(torch.randn(6, 5)).square().sum().backward()
    assert all(
        p.grad is None
        for p in (*generator.upsamplings[1].parameters(), *generator.last.parameters())
    )
    assert all(p.grad is not None for p in generator.upsamplings[0].parameters())


def test_data_have_the_resolution_of_the_growth_stage():
    """Eight positions over three levels of 2, 4 and 8: means by fours, by twos, none."""
    generator = ProgressiveGenerator(1, 1, (2,), 2, 1, LEVEL_STEPS)
    x = torch.tensor([[[1.0, 3, 5, 7, 0, 0, 4, 8]]])
    for steps, expected in {
        0: [4.0, 4, 4, 4, 3, 3, 3, 3],
        5: [3.0, 3, 5, 5, 1.5, 1.5, 4.5, 4.5],
        10: [2.0, 2, 6, 6, 0, 0, 6, 6],
        15: [1.5, 2.5, 5.5, 6.5, 0, 0, 5, 7],
        20: [1.0, 3, 5, 7, 0, 0, 4, 8],
    }.items():
        generator.set_stage(steps)
        torch.testing.assert_close(generator.to_current_resolution(x), torch.tensor([[expected]]))


def test_a_style_ends_in_the_activation():
    """A map to -1 everywhere leaves as -0.2."""
    generator = StyleBased(5, 4, (3,), 1, 2)
    last = [layer for layer in generator.style.modules() if isinstance(layer, nn.Linear)][-1]
    nn.init.zeros_(last.weight)
    nn.init.constant_(last.bias, -1.0)
    style = generator.style(torch.randn(2, 5))
    torch.testing.assert_close(style, torch.full_like(style, -0.2))
