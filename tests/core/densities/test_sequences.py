"""Causal networks: causality, probabilities that sum to 1, samples, fields of view, gates."""

import itertools
import math

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from core.densities.convolution import DilatedLayer, GatedLayer, GatedPixelCNN, WaveNet, gate
from core.densities.sequences import (
    BLOCK,
    SequenceDensity,
    local_transformer,
    pixelcnn,
    sparse_transformer,
    transformer,
    wavenet,
)
from core.densities.transformer import (
    BlockAttention,
    CausalTransformer,
    LocalAttention,
    StridedAttention,
    causal_attention,
)
from core.ring import eight_gaussians as ring

BODIES = {
    "pixelcnn": pixelcnn,
    "wavenet": wavenet,
    "transformer": transformer,
    "sparse_transformer": sparse_transformer,
    "local_transformer": local_transformer,
}


def all_sequences(positions: int, vocabulary: int) -> torch.Tensor:
    rows = torch.tensor(list(itertools.product(range(vocabulary), repeat=positions)))
    return torch.nn.functional.one_hot(rows, vocabulary).float()


def field_of_view(body: nn.Module, length: int, position: int, width: int = 4) -> list[int]:
    """The positions of the input that the output at `position` depends on."""
    torch.manual_seed(7)
    x = torch.randn(1, length, width, requires_grad=True)
    (gradient,) = torch.autograd.grad((body(x)[0, position] * torch.randn(width)).sum(), x)
    return [n for n in range(length) if gradient[0, n].abs().sum() > 0]


@pytest.mark.parametrize("name", BODIES)
def test_the_probabilities_of_all_sequences_sum_to_1(name: str):
    torch.manual_seed(0)
    density = SequenceDensity(6, 3, BODIES[name])
    with torch.no_grad():
        for parameter in density.parameters():
            parameter.mul_(3)  # far from uniform
        log_probs = density(729).log_prob(all_sequences(6, 3))
    assert log_probs.exp().sum().item() == pytest.approx(1, abs=1e-4)
    assert log_probs.std() > 0.5


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("positions", [6, 9, 10])
def test_each_symbol_depends_on_all_before_it_and_none_after(name: str, positions: int):
    torch.manual_seed(1)
    density = SequenceDensity(positions, 3, BODIES[name])
    x = torch.randn(1, positions, 3, requires_grad=True)
    for position in range(positions):
        (gradient,) = torch.autograd.grad(density.logits(x)[0, position].square().sum(), x)
        seen = gradient[0].abs().sum(1) > 0
        assert seen.tolist() == [other < position for other in range(positions)], position


def test_samples_have_their_probabilities():
    torch.manual_seed(2)
    density = SequenceDensity(2, 3, transformer)
    with torch.no_grad():
        density.to_logits.bias.copy_(torch.tensor([1.0, 0.0, -1.0]))
        samples = density(20_000).rsample()
        expected = density(9).log_prob(all_sequences(2, 3)).exp()
    numbers = samples.argmax(2) @ torch.tensor([3, 1])
    found = torch.bincount(numbers, minlength=9) / len(samples)
    torch.testing.assert_close(found, expected, atol=0.01, rtol=0)


@pytest.mark.parametrize(("stride", "length"), [(3, 10), (4, 4), (5, 3), (2, 9)])
def test_sparse_and_local_attention_are_dense_attention_under_their_masks(
    stride: int, length: int
):
    torch.manual_seed(3)
    query, key, value = torch.randn(3, 2, 2, length, 5)
    at, other = torch.arange(length)[:, None], torch.arange(length)
    apart = at - other
    visible = {
        LocalAttention(stride): (apart >= 0) & (apart < stride),
        StridedAttention(stride): (apart >= 0) & (apart % stride == 0),
        BlockAttention(stride): (apart >= 0) & (at // stride - other // stride <= 1),
    }
    for attention, seen in visible.items():
        scores = query @ key.transpose(2, 3) / 5**0.5
        expected = scores.masked_fill(~seen, -torch.inf).softmax(3) @ value
        torch.testing.assert_close(attention(query, key, value), expected)


@pytest.mark.parametrize(("size", "length"), [(7, 7), (9, 7), (4, 7)])
def test_block_attention_over_two_blocks_at_most_is_full_attention(size: int, length: int):
    torch.manual_seed(3)
    query, key, value = torch.randn(3, 2, 2, length, 5)
    full = causal_attention(query, key, value)
    torch.testing.assert_close(BlockAttention(size)(query, key, value), full)
    assert not torch.allclose(BlockAttention(3)(query, key, value), full)


def test_a_layer_of_block_attention_reaches_to_the_beginning_of_the_block_before():
    for layers, first in ((1, 6), (2, 3), (3, 0)):
        body = CausalTransformer(8, layers, 2, (BlockAttention(3),))
        assert field_of_view(body, 14, 11, width=8) == list(range(first, 12))


def test_the_local_transformer_sees_a_block_further_back_with_each_of_its_four_layers():
    """Position 22 is in block 5 of four positions: it sees from block 1 on."""
    torch.manual_seed(4)
    assert field_of_view(local_transformer(8, 24), 24, 22, width=8) == list(range(4, 23))


def test_pixelcnn_is_deep_enough_for_wide_pages():
    """Five rows of seven columns: more columns than four layers reach across."""
    torch.manual_seed(4)
    for position in (7, 34):
        assert field_of_view(pixelcnn(4, 35), 35, position) == list(range(position + 1))


def test_block_attention_costs_the_same_for_each_further_block():
    def products(blocks: int) -> int:
        query, key, value = torch.randn(3, 1, 1, blocks * BLOCK, 5)
        with FlopCounterMode(display=False) as counter:
            BlockAttention(BLOCK)(query, key, value)
        return counter.get_total_flops()

    assert products(3) - products(2) == products(30) - products(29) > 0


def test_two_sparse_layers_reach_all_and_one_does_not():
    torch.manual_seed(4)
    for layers, reaches in ((1, [12, 13, 14, 15]), (2, list(range(16)))):
        attentions = (LocalAttention(4), StridedAttention(4))
        body = CausalTransformer(8, layers, 2, attentions)
        assert field_of_view(body, 16, 15, width=8) == reaches


def test_a_gate_by_hand():
    """tanh(0.5) sigmoid(-1) and tanh(-2) sigmoid(3)."""
    gated = gate(torch.tensor([[0.5, -2.0, -1.0, 3.0]]))
    expected = [math.tanh(0.5) / (1 + math.e), math.tanh(-2) / (1 + math.exp(-3))]
    torch.testing.assert_close(gated, torch.tensor([expected]))


def set_weights(layer: nn.Module, weights: list[float], bias: list[float]) -> None:
    parameter = layer.get_parameter("weight")
    parameter.data = torch.tensor(weights).view_as(parameter)
    layer.get_parameter("bias").data = torch.tensor(bias)


def test_a_wavenet_of_two_layers_by_hand():
    """One channel; output is relu(last(relu(skip_1 + skip_2))), skip_2 of x + residual_1."""
    net = WaveNet(1, layers=2)
    first, second = net.layers
    assert isinstance(first, DilatedLayer) and isinstance(second, DilatedLayer)
    set_weights(first.filter, [0.5, -1.0, 0.3, 0.8], [0.1, -0.2])  # value, opening: early, late
    set_weights(second.filter, [1.2, 0.4, -0.6, 0.9], [0.0, 0.3])
    set_weights(first.residual, [0.7], [0.05])
    set_weights(first.skip, [2.0], [0.4])
    set_weights(second.skip, [-1.5], [0.6])
    set_weights(net.last, [3.0], [-0.5])
    x = [0.9, -0.4, 1.3, 0.2]

    def gated(early: float, late: float, w: list[float], b: list[float]) -> float:
        value, opening = w[0] * early + w[1] * late + b[0], w[2] * early + w[3] * late + b[1]
        return math.tanh(value) / (1 + math.exp(-opening))

    one = [
        gated(a, b, [0.5, -1.0, 0.3, 0.8], [0.1, -0.2]) for a, b in zip([0.0, *x], x, strict=False)
    ]
    line = [a + 0.7 * g + 0.05 for a, g in zip(x, one, strict=True)]
    two = [
        gated(a, b, [1.2, 0.4, -0.6, 0.9], [0.0, 0.3])
        for a, b in zip([0.0, 0.0, *line], line, strict=False)
    ]
    total = [2.0 * a + 0.4 - 1.5 * b + 0.6 for a, b in zip(one, two, strict=True)]
    assert min(total) < 0 < max(total)
    expected = [max(0.0, 3 * max(0.0, t) - 0.5) for t in total]
    found = net(torch.tensor(x)[None, :, None])[0, :, 0]
    torch.testing.assert_close(found, torch.tensor(expected))
    assert found.max() > 0


def test_dilated_layers_look_back_2_to_the_power_of_their_number():
    torch.manual_seed(5)
    assert field_of_view(WaveNet(4, layers=3), 12, 11) == list(range(4, 12))


def test_a_gated_layer_by_hand():
    """One channel: v' = conv(above), vertical gate(v'), row + 0.7 gate(h' + link(v')) + 0.1."""
    layer = GatedLayer(1)
    set_weights(layer.vertical, [0.1 * n - 0.4 for n in range(12)], [0.2, -0.1])
    set_weights(layer.horizontal, [0.5, -0.3, 0.8, 0.6], [0.1, 0.4])
    set_weights(layer.link, [1.5, -0.2, 0.3, 0.9], [0.0, -0.6])
    set_weights(layer.residual, [0.7], [0.1])
    above = torch.tensor([[1.0, -2.0, 0.5], [0.3, 0.8, -1.1]])
    row = torch.tensor([[0.4, 0.9, -0.7], [1.2, -0.5, 0.6]])
    vertical, horizontal = layer(above[None, None], row[None, None])
    seen = [1.0, -2.0, 0.5, 0.3, 0.8, -1.1]  # of position (1, 1): two rows of three columns
    v = [
        sum((0.1 * n - 0.4) * s for n, s in enumerate(seen)) + 0.2,
        sum((0.1 * (n + 6) - 0.4) * s for n, s in enumerate(seen)) - 0.1,
    ]
    assert vertical[0, 0, 1, 1].item() == pytest.approx(
        math.tanh(v[0]) / (1 + math.exp(-v[1])), abs=1e-6
    )
    value = 0.5 * 1.2 - 0.3 * -0.5 + 0.1 + 1.5 * v[0] - 0.2 * v[1]
    opening = 0.8 * 1.2 + 0.6 * -0.5 + 0.4 + 0.3 * v[0] + 0.9 * v[1] - 0.6
    gated = math.tanh(value) / (1 + math.exp(-opening))
    assert horizontal[0, 0, 1, 1].item() == pytest.approx(-0.5 + 0.7 * gated + 0.1, abs=1e-6)


@pytest.mark.parametrize(
    ("layers", "pixels"),
    [
        (1, {(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3), (2, 0), (2, 1)}),
        (2, {(row, column) for row in range(2) for column in range(5)} | {(2, 0), (2, 1)}),
    ],
)
def test_a_pixel_depends_on_those_above_and_to_the_left_without_a_blind_spot(layers, pixels):
    """Take pixel (2, 2) of a page of five columns; input n is pixel n - 1."""
    torch.manual_seed(6)
    seen = field_of_view(GatedPixelCNN(4, columns=5, layers=layers), 15, 12)
    assert {divmod(n - 1, 5) for n in seen if n} == pixels


def test_points_as_symbols_come_back_to_their_square():
    x = ring.points(500, seed=3)
    symbols = ring.to_symbols(x)
    assert symbols.shape == (500, 6, 4)
    assert (ring.from_symbols(symbols) - x).abs().max() <= 6 / 64
    upper_right = ring.to_symbols(torch.tensor([[2.9, 2.9], [-2.9, 2.9], [99.0, -99.0]]))
    assert upper_right[:, 0].argmax(1).tolist() == [3, 1, 2]


@pytest.mark.parametrize(
    "body", [pixelcnn, wavenet, transformer, sparse_transformer, local_transformer]
)
def test_a_sequence_can_be_of_one_symbol(body):
    torch.manual_seed(0)
    symbols = torch.eye(4)[:, None]  # [batch position symbol]
    probabilities = SequenceDensity(1, 4, body)(4).log_prob(symbols).exp()
    assert probabilities.sum().item() == pytest.approx(1, abs=1e-5)
