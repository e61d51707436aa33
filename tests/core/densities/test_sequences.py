"""What looks back only: causality, probabilities that sum to 1, draws, and how far it sees."""

import itertools

import pytest
import torch

from core.densities.convolution import DilatedConvolutions, MaskedConvolutions
from core.densities.sequences import (
    SequenceDensity,
    pixelcnn,
    sparse_transformer,
    transformer,
    wavenet,
)
from core.densities.transformer import (
    CausalTransformer,
    LocalAttention,
    StridedAttention,
    causal_attention,
)
from core.ring import domain as ring

BODIES = {
    "pixelcnn": pixelcnn,
    "wavenet": wavenet,
    "transformer": transformer,
    "sparse_transformer": sparse_transformer,
}


def all_sequences(parts: int, alphabet: int) -> torch.Tensor:
    rows = torch.tensor(list(itertools.product(range(alphabet), repeat=parts)))
    return torch.nn.functional.one_hot(rows, alphabet).float()


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
@pytest.mark.parametrize("parts", [6, 9, 10])
def test_each_symbol_hears_all_before_it_and_none_after(name: str, parts: int):
    torch.manual_seed(1)
    density = SequenceDensity(parts, 3, BODIES[name])
    x = torch.randn(1, parts, 3, requires_grad=True)
    for part in range(parts):
        (slope,) = torch.autograd.grad(density.logits(x)[0, part].square().sum(), x)
        heard = slope[0].abs().sum(1) > 0
        assert heard.tolist() == [other < part for other in range(parts)], part


def test_draws_have_their_probabilities():
    torch.manual_seed(2)
    density = SequenceDensity(2, 3, transformer)
    with torch.no_grad():
        density.odds.bias.copy_(torch.tensor([1.0, 0.0, -1.0]))
        drawn = density(20_000).rsample()
        expected = density(9).log_prob(all_sequences(2, 3)).exp()
    numbers = drawn.argmax(2) @ torch.tensor([3, 1])
    found = torch.bincount(numbers, minlength=9) / len(drawn)
    torch.testing.assert_close(found, expected, atol=0.01, rtol=0)


@pytest.mark.parametrize(("stride", "parts"), [(3, 10), (4, 4), (5, 3), (2, 9)])
def test_sparse_attention_is_dense_attention_under_its_mask(stride: int, parts: int):
    torch.manual_seed(3)
    query, key, value = torch.randn(3, 2, 2, parts, 5)
    apart = torch.arange(parts)[:, None] - torch.arange(parts)
    sees = {
        LocalAttention(stride): (apart >= 0) & (apart < stride),
        StridedAttention(stride): (apart >= 0) & (apart % stride == 0),
    }
    for attention, visible in sees.items():
        scores = query @ key.transpose(2, 3) / 5**0.5
        expected = scores.masked_fill(~visible, -torch.inf).softmax(3) @ value
        torch.testing.assert_close(attention(query, key, value), expected)
    whole = causal_attention(query, key, value)
    assert not torch.allclose(whole, expected) or stride == 1


def test_two_sparse_layers_reach_all_and_one_does_not():
    torch.manual_seed(4)
    for layers, reaches in ((1, False), (2, True)):
        body = CausalTransformer(8, layers, heads=2, stride=4)
        x = torch.randn(1, 16, 8, requires_grad=True)
        (slope,) = torch.autograd.grad(body(x)[0, -1, 0], x)
        assert bool((slope[0].abs().sum(1) > 0).all()) == reaches


def test_dilated_layers_look_back_2_to_the_power_of_their_number():
    torch.manual_seed(5)
    body = DilatedConvolutions(4, layers=3)
    x = torch.randn(1, 12, 4, requires_grad=True)
    (slope,) = torch.autograd.grad(body(x)[0, 11].sum(), x)
    assert (slope[0].abs().sum(1) > 0).tolist() == [n > 3 for n in range(12)]


def test_a_masked_convolution_reads_as_one_reads():
    """The places that part (1, 1) of a page of three columns sees through one layer."""
    torch.manual_seed(6)
    body = MaskedConvolutions(4, columns=3, layers=1)
    x = torch.rand(1, 9, 4, requires_grad=True)
    (slope,) = torch.autograd.grad(body(x)[0, 4].sum(), x)
    assert (slope[0].abs().sum(1) > 0).tolist() == [True] * 5 + [False] * 4


def test_points_told_in_symbols_come_back_to_their_square():
    x = ring.points(500, seed=3)
    symbols = ring.to_symbols(x)
    assert symbols.shape == (500, 6, 4)
    assert (ring.from_symbols(symbols) - x).abs().max() <= 6 / 64
    upper_right = ring.to_symbols(torch.tensor([[2.9, 2.9], [-2.9, 2.9], [99.0, -99.0]]))
    assert upper_right[:, 0].argmax(1).tolist() == [3, 1, 2]
