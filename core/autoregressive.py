"""Densities that go part after part: p(x) = product over n of p(x_n given x_<n).

A causal transformer turns the parts so far into what the next part's distribution is read from.
Vaswani et al., NIPS 2017; normalisation before each block as in Child et al., arXiv 1904.10509.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

Parts = Float[Tensor, "batch part width"]
"""One vector for each part of a sequence."""

Padding = Int[Tensor, " batch"]
"""How many parts at the beginning of each sequence are filling, to be seen by no other part."""

Visible = Bool[Tensor, "rows head query key"]
"""Which parts (keys) each part (query) may see."""


class Memory:
    """Keys and values of the parts seen so far in one layer, so that each is computed once."""

    def __init__(self):
        self.seen = 0
        self.pairs = torch.empty(2, 0, 0, 0, 0)

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Append [batch head new width] and return all so far."""
        new = torch.stack([keys, values])
        end = self.seen + new.shape[3]
        if end > self.pairs.shape[3]:
            self._grow(new, 2 * end)
        self.pairs[:, :, :, self.seen : end] = new
        self.seen = end
        keys, values = self.pairs[:, :, :, :end]
        return keys, values

    def _grow(self, like: Tensor, parts: int) -> None:
        """Make room at least twice as large, so that copying stays cheap on the whole."""
        larger = like.new_empty(*like.shape[:3], parts, like.shape[4])
        if self.seen:
            larger[:, :, :, : self.seen] = self.pairs[:, :, :, : self.seen]
        self.pairs = larger

    def keep(self, rows: Tensor) -> None:
        """Forget all sequences of the batch but these."""
        self.pairs = self.pairs[:, rows, :, : self.seen]


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

    def forward(
        self, x: Parts, memory: Memory | None = None, visible: Visible | None = None
    ) -> Parts:
        x = x + self.join(self._attention(self.before_attention(x), memory, visible))
        return x + self.mlp(self.before_mlp(x))

    def _attention(self, x: Parts, memory: Memory | None, visible: Visible | None) -> Parts:
        split = self.attend(x).unflatten(2, (3, self.heads, -1))
        query, key, value = split.permute(2, 0, 3, 1, 4)  # [batch head part width/heads]
        if memory is None:
            seen = _attend_earlier(query, key, value)
        else:
            key, value = memory.extend(key, value)
            seen = F.scaled_dot_product_attention(query, key, value, visible)
        return seen.transpose(1, 2).flatten(2)


def _attend_earlier(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention of every part to itself and earlier ones, [batch head part width].

    Written out because on CPUs the gradient of torch's fused kernel takes twice as long.
    """
    parts = query.shape[2]
    future = torch.full((parts, parts), -math.inf, dtype=query.dtype, device=query.device)
    q, k, v = ((t.flatten(0, 1)) for t in (query * query.shape[-1] ** -0.5, key, value))
    scores = torch.baddbmm(future.triu(1), q, k.transpose(1, 2))
    return (scores.softmax(-1).to(v.dtype) @ v).unflatten(0, query.shape[:2])


def _visible(queries: int, keys: int, padding: Padding | None, like: Tensor) -> Visible | None:
    """Which keys the last `queries` of them may see; None where that is all."""
    if queries == 1 and padding is None:
        return None
    key = torch.arange(keys, device=like.device)
    query = key[keys - queries :, None]
    earlier = (key <= query)[None, None]
    if padding is None:
        return earlier
    real = key >= padding[:, None, None, None]
    return (earlier & real) | (key == query)  # filling sees itself: a softmax needs something


class CausalTransformer(nn.Module):
    """Vectors of parts -> vectors from which to read the next part; n sees only parts <= n.

    It knows nothing of a part's place but what is in its vector. With memories it takes the next
    parts only; sequences of different lengths are then aligned at their ends, with `padding`.
    """

    def __init__(self, width: int, layers: int, heads: int):
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.last = nn.LayerNorm(width)

    def forward(
        self, x: Parts, memories: list[Memory] | None = None, padding: Padding | None = None
    ) -> Parts:
        if memories is None:
            for block in self.blocks:
                x = block(x)
            return self.last(x)
        visible = _visible(x.shape[1], memories[0].seen + x.shape[1], padding, x)
        for block, memory in zip(self.blocks, memories, strict=True):
            x = block(x, memory, visible)
        return self.last(x)

    def memories(self) -> list[Memory]:
        """Empty memories, one for each layer."""
        return [Memory() for _ in self.blocks]


def log_chosen(logits: Float[Tensor, "n choice"], chosen: Tensor) -> Float[Tensor, " n"]:
    """log of the probability of the choice that was made, in full precision."""
    return -F.cross_entropy(logits.float(), chosen, reduction="none")


def choose(logits: Float[Tensor, "n choice"], temperature: float = 1.0) -> Tensor:
    """Draw a choice for each row, [n] int64, by the global generator."""
    return torch.multinomial((logits.float() / temperature).softmax(-1), 1).squeeze(1)
