"""Autoregressive densities over short sequences of symbols: p(x) = product of p(x_n given x_<n).

A causal network turns the symbols so far into the logits of the next one: gated masked
convolutions (PixelCNN), dilated convolutions (WaveNet), full, sparse or local attention. Each maps
hidden states [batch position width] to hidden states, and position n depends on positions <= n.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.densities.convolution import GatedPixelCNN, WaveNet
from core.densities.transformer import (
    BlockAttention,
    CausalTransformer,
    Hidden,
    LocalAttention,
    StridedAttention,
    sample_logits,
)
from core.theory.distributions import Distribution
from core.theory.shapes import Losses, Samples

WIDTH, LAYERS, HEADS = 64, 4, 4
BLOCK = 4
"""Positions of a query block of local attention, and of the memory block before it."""

CausalBody = Callable[[int, int], nn.Module]
"""(width, positions) -> the causal network."""


def pixelcnn(width: int, positions: int) -> nn.Module:
    """Gated PixelCNN over a page that is about square, deep enough to see all of it."""
    rows = max(n for n in range(1, positions + 1) if positions % n == 0 and n * n <= positions)
    columns = positions // rows
    return GatedPixelCNN(width, columns, max(LAYERS, columns))


def wavenet(width: int, positions: int) -> nn.Module:
    """WaveNet with enough layers to reach from the last position to the first."""
    return WaveNet(width, max(1, math.ceil(math.log2(positions))))


def transformer(width: int, positions: int) -> nn.Module:
    """Attention to all earlier positions, with learned embeddings of these instead of sines."""
    return CausalTransformer(width, LAYERS, HEADS)


def sparse_transformer(width: int, positions: int) -> nn.Module:
    """Local windows and strides of about the root of the length, by turns (Child et al. 2019).

    MLPs have ReLU instead of the paper's GELU, and initial weights do not depend on the depth.
    """
    stride = max(2, round(math.sqrt(positions)))
    return CausalTransformer(
        width, LAYERS, HEADS, (LocalAttention(stride), StridedAttention(stride))
    )


def local_transformer(width: int, positions: int) -> nn.Module:
    """Blocks that attend to themselves and the block before (Image Transformer).

    Each layer reaches at least one block further back: the last position sees the first one where
    there are at most LAYERS + 1 blocks. The paper's one-dimensional attention, with a memory
    as long as the block; its two-dimensional one is left out.
    """
    return CausalTransformer(width, LAYERS, HEADS, (BlockAttention(BLOCK),))


class SequenceDensity(nn.Module):
    """(batch, c) -> p(x) over one-hot sequences [batch position symbol]; c is not read."""

    def __init__(self, positions: int, vocabulary: int, body: CausalBody):
        super().__init__()
        self.positions, self.vocabulary = positions, vocabulary
        self.embedding = nn.Linear(vocabulary, WIDTH, bias=False)
        self.position = nn.Parameter(0.02 * torch.randn(positions, WIDTH))
        self.body = body(WIDTH, positions)
        self.to_logits = nn.Linear(WIDTH, vocabulary)

    def forward(self, batch: int, c: Tensor | None = None) -> "SequenceDistribution":
        return SequenceDistribution(self, batch)

    def logits(self, x: Samples) -> Float[Tensor, "batch position symbol"]:
        """Return the logits of each symbol, given the ones before it."""
        earlier = torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], 1)
        hidden: Hidden = self.embedding(earlier) + self.position
        return self.to_logits(self.body(hidden))


class SequenceDistribution(Distribution):
    """p(x), one sequence for each of a batch."""

    def __init__(self, density: SequenceDensity, batch: int):
        self.density, self.batch = density, batch

    @property
    def representative(self) -> Samples:
        """Return the sequence of greedy decoding: the likeliest symbol at each position."""
        return self._generate(lambda logits: logits.argmax(-1))

    def rsample(self) -> Samples:
        """Sample symbol after symbol; no gradient leads to the logits."""
        return self._generate(sample_logits)

    @torch.no_grad()
    def _generate(self, choose: Callable[[Tensor], Tensor]) -> Samples:
        density = self.density
        x = density.position.new_zeros(self.batch, density.positions, density.vocabulary)
        for position in range(density.positions):
            symbol = choose(density.logits(x)[:, position])
            x[torch.arange(self.batch), position, symbol] = 1
        return x

    def log_prob(self, value: Samples) -> Losses:
        """log p of one-hot sequences, in nats."""
        log_probs = self.density.logits(value).float().log_softmax(2)
        return (log_probs * value).sum((1, 2))
