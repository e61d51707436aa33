"""Densities that go part after part: p(x) = product over n of p(x_n given x_<n).

A causal transformer turns the parts so far into what the next part's distribution is read from.
Vaswani et al., NIPS 2017; normalisation before each block as in Child et al., arXiv 1904.10509.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

Parts = Float[Tensor, "batch part width"]
"""One vector for each part of a sequence."""


class Memory:
    """Keys and values of the parts seen so far in one layer, so that each is computed once."""

    def __init__(self, parts: int):
        self.parts, self.seen = parts, 0
        self.keys = self.values = torch.empty(0)

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Append [batch head new width] and return all so far."""
        if self.seen == 0:
            shape = (*keys.shape[:2], self.parts, keys.shape[3])
            self.keys, self.values = keys.new_empty(shape), values.new_empty(shape)
        end = self.seen + keys.shape[2]
        self.keys[:, :, self.seen : end], self.values[:, :, self.seen : end] = keys, values
        self.seen = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def keep(self, rows: Tensor) -> None:
        """Forget all sequences of the batch but these."""
        self.keys, self.values = self.keys[rows], self.values[rows]


class Block(nn.Module):
    """Causal self-attention, then a two-layer network, each added to its input."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Parts, memory: Memory | None = None) -> Parts:
        x = x + self.join(self._attention(self.before_attention(x), memory))
        return x + self.mlp(self.before_mlp(x))

    def _attention(self, x: Parts, memory: Memory | None) -> Parts:
        split = self.attend(x).unflatten(2, (3, self.heads, -1))
        query, key, value = split.permute(2, 0, 3, 1, 4)  # [batch head part width/heads]
        if memory is not None:
            key, value = memory.extend(key, value)
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(2, 3)
        weights = (scores + _future(scores)).softmax(-1).to(value.dtype)
        return (weights @ value).transpose(1, 2).flatten(2)


def _future(scores: Tensor) -> Tensor:
    """-inf where a query, the last ones of all keys, would see a later part; [query key]."""
    queries, keys = scores.shape[2:]
    hidden = torch.full((queries, keys), -math.inf, dtype=scores.dtype, device=scores.device)
    return hidden.triu(keys - queries + 1)


class CausalTransformer(nn.Module):
    """Vectors of parts -> vectors from which to read the next part; n sees only parts <= n."""

    def __init__(self, width: int, layers: int, heads: int):
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.last = nn.LayerNorm(width)

    def forward(self, x: Parts, memories: list[Memory] | None = None) -> Parts:
        for number, block in enumerate(self.blocks):
            x = block(x, memories[number] if memories else None)
        return self.last(x)

    def memories(self, parts: int) -> list[Memory]:
        """Empty memories for sequences of at most this many parts."""
        return [Memory(parts) for _ in self.blocks]


def log_chosen(logits: Float[Tensor, "n choice"], chosen: Tensor) -> Float[Tensor, " n"]:
    """log of the probability of the choice that was made, in full precision."""
    return -F.cross_entropy(logits.float(), chosen, reduction="none")


def choose(logits: Float[Tensor, "n choice"], temperature: float = 1.0) -> Tensor:
    """Draw a choice for each row, [n] int64, by the global generator."""
    return torch.multinomial((logits.float() / temperature).softmax(-1), 1).squeeze(1)
