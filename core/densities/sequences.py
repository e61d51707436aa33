"""Densities over short sequences of symbols: p(x) = product over n of p(x_n given x_<n).

What turns the symbols so far into the odds of the next one is the model: masked convolutions
(PixelCNN), dilated convolutions (WaveNet), full or sparse attention. Each maps parts
[batch part width] to parts and lets part n see parts <= n only.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.densities.convolution import DilatedConvolutions, MaskedConvolutions
from core.densities.transformer import CausalTransformer, Hidden, sample_logits
from core.theory.distributions import Distribution
from core.theory.shapes import Losses, Samples

WIDTH = 64

LAYERS, HEADS = 4, 4

Body = Callable[[int, int], nn.Module]
"""(width, parts) -> what reads the parts so far."""


def pixelcnn(width: int, parts: int) -> nn.Module:
    """Masked convolutions over a page that is about square."""
    rows = max(n for n in range(1, parts + 1) if parts % n == 0 and n * n <= parts)
    return MaskedConvolutions(width, parts // rows, LAYERS)


def wavenet(width: int, parts: int) -> nn.Module:
    """Dilated convolutions, as many as reach from the last part to the first."""
    return DilatedConvolutions(width, max(1, math.ceil(math.log2(parts))))


def transformer(width: int, parts: int) -> nn.Module:
    """Attention to all earlier parts."""
    return CausalTransformer(width, LAYERS, HEADS)


def sparse_transformer(width: int, parts: int) -> nn.Module:
    """Attention by strides of about the root of the length."""
    return CausalTransformer(width, LAYERS, HEADS, stride=max(2, round(math.sqrt(parts))))


class SequenceDensity(nn.Module):
    """(batch, c) -> p(x) over one-hot symbols [batch part symbol]."""

    def __init__(self, parts: int, alphabet: int, body: Body):
        super().__init__()
        self.parts, self.alphabet = parts, alphabet
        self.symbol = nn.Linear(alphabet, WIDTH, bias=False)
        self.place = nn.Parameter(0.02 * torch.randn(parts, WIDTH))
        self.body = body(WIDTH, parts)
        self.odds = nn.Linear(WIDTH, alphabet)

    def forward(self, batch: int, c: Tensor | None = None) -> "SequenceDistribution":
        return SequenceDistribution(self, batch)

    def logits(self, x: Samples) -> Float[Tensor, "batch part symbol"]:
        """Of each symbol, given the ones before it."""
        before = torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], 1)
        told: Hidden = self.symbol(before) + self.place
        return self.odds(self.body(told))


class SequenceDistribution(Distribution):
    """p(x), once for each of a batch."""

    def __init__(self, density: SequenceDensity, batch: int):
        self.density, self.batch = density, batch

    @property
    def mean(self) -> Samples:
        """A draw: the mean of symbols is no symbol."""
        return self.rsample()

    def rsample(self) -> Samples:
        """Draw symbol after symbol; no gradient leads to the odds."""
        density = self.density
        x = density.place.new_zeros(self.batch, density.parts, density.alphabet)
        with torch.no_grad():
            for part in range(density.parts):
                chosen = sample_logits(density.logits(x)[:, part])
                x[torch.arange(self.batch), part, chosen] = 1
        return x

    def log_prob(self, value: Samples) -> Losses:
        """In nats."""
        log_odds = self.density.logits(value).float().log_softmax(2)
        return (log_odds * value).sum((1, 2))
