"""Densities that go part after part: p(x) = product over n of p(x_n given x_<n).

A causal transformer turns the parts so far into what the next part's distribution is read from.
Vaswani et al., NIPS 2017; normalisation before each block as in Child et al., arXiv 1904.10509.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

Hidden = Float[Tensor, "batch part width"]
"""One vector for each part of a sequence."""

Padding = Int[Tensor, " batch"]
"""How many parts at the beginning of each sequence are filling, to be seen by no other part."""

AttentionMask = Bool[Tensor, "rows head query key"]
"""Which parts (keys) each part (query) may see."""


class KVCache:
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
    """Causal self-attention, then a two-layer network, each added to its input.

    `sees`: how queries, keys and values [batch head part width] are brought together.
    """

    def __init__(self, width: int, heads: int, sees: "Attention | None" = None):
        super().__init__()
        self.heads, self.sees = heads, sees or causal_attention
        self.before_attention, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width)
        )

    def forward(
        self, x: Hidden, cache: KVCache | None = None, mask: AttentionMask | None = None
    ) -> Hidden:
        x = x + self.join(self._attention(self.before_attention(x), cache, mask))
        return x + self.mlp(self.before_mlp(x))

    def _attention(self, x: Hidden, cache: KVCache | None, mask: AttentionMask | None) -> Hidden:
        split = self.attend(x).unflatten(2, (3, self.heads, -1))
        query, key, value = split.permute(2, 0, 3, 1, 4)  # [batch head part width/heads]
        if cache is None:
            seen = self.sees(query, key, value)
        else:
            key, value = cache.extend(key, value)
            seen = F.scaled_dot_product_attention(query, key, value, mask)
        return seen.transpose(1, 2).flatten(2)


Attention = Callable[[Tensor, Tensor, Tensor], Tensor]
"""query, key, value [batch head part width] -> what each part has seen."""


def causal_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention of every part to itself and earlier ones."""
    parts = query.shape[2]
    future = torch.ones(parts, parts, dtype=torch.bool, device=query.device).triu(1)
    return _attend(query, key, value, future)


def _attend(query: Tensor, key: Tensor, value: Tensor, hidden: Tensor) -> Tensor:
    """Attention [batch head query width] to all keys but the hidden ones [query key].

    Written out because on CPUs the gradient of torch's fused kernel takes twice as long.
    """
    mask = torch.zeros(hidden.shape, dtype=query.dtype, device=query.device)
    q, k, v = ((t.flatten(0, 1)) for t in (query * query.shape[-1] ** -0.5, key, value))
    scores = torch.baddbmm(mask.masked_fill(hidden, -math.inf), q, k.transpose(1, 2))
    return (scores.softmax(-1).to(v.dtype) @ v).unflatten(0, query.shape[:2])


@dataclass(frozen=True)
class LocalAttention:
    """Attention to the last `stride` parts (Child et al., arXiv 1904.10509, A1 of section 4.2).

    Each block of `stride` parts is compared with itself and the one before: parts * 2 stride
    products in place of parts^2.
    """

    stride: int

    def __call__(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        parts, stride = query.shape[2], self.stride
        q, k, v = (_blocks(t, stride) for t in (query, key, value))  # [batch head block part w]
        k, v = (torch.cat([F.pad(t, (0, 0, 0, 0, 1, 0))[:, :, :-1], t], 3) for t in (k, v))
        at = torch.arange(stride, device=query.device)[:, None] + stride
        other = torch.arange(2 * stride, device=query.device)
        hidden = (other > at) | (other <= at - stride)
        first = _attend(q[:, :, 0], k[:, :, 0], v[:, :, 0], hidden | (other < stride))
        q_later, k_later, v_later = (t[:, :, 1:].flatten(1, 2) for t in (q, k, v))
        later = _attend(q_later, k_later, v_later, hidden)
        seen = torch.cat([first[:, :, None], later.unflatten(1, (q.shape[1], -1))], 2)
        return seen.flatten(2, 3)[:, :, :parts]


@dataclass(frozen=True)
class StridedAttention:
    """Attention to each `stride`-th part before, and to itself (A2 of the same section).

    Parts of equal remainder are a sequence of their own: parts^2 / stride products.
    """

    stride: int

    def __call__(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        parts, count = query.shape[2], len(query)
        apart = [
            _blocks(t, self.stride).permute(3, 0, 1, 2, 4).flatten(0, 1)
            for t in (query, key, value)
        ]
        seen = causal_attention(*apart).unflatten(0, (self.stride, count))
        return seen.permute(1, 2, 3, 0, 4).flatten(2, 3)[:, :, :parts]


def _blocks(x: Tensor, size: int) -> Tensor:
    """[batch head part width] -> [batch head block part width], filled up with zeros."""
    return F.pad(x, (0, 0, 0, -x.shape[2] % size)).unflatten(2, (-1, size))


def _mask(queries: int, keys: int, padding: Padding | None, like: Tensor) -> AttentionMask | None:
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
    `stride`: layers see by turns the last so many parts and each so-manieth before; two of them
    reach all (Child et al. 2019). Such a transformer has no memories.
    """

    def __init__(self, width: int, layers: int, heads: int, stride: int = 0):
        super().__init__()
        turns: tuple[Attention | None, ...] = (None,)
        if stride:
            turns = (LocalAttention(stride), StridedAttention(stride))
        self.blocks = nn.ModuleList(
            Block(width, heads, turns[layer % len(turns)]) for layer in range(layers)
        )
        self.last = nn.LayerNorm(width)

    def forward(
        self, x: Hidden, kv_caches: list[KVCache] | None = None, padding: Padding | None = None
    ) -> Hidden:
        if kv_caches is None:
            for block in self.blocks:
                x = block(x)
            return self.last(x)
        mask = _mask(x.shape[1], kv_caches[0].seen + x.shape[1], padding, x)
        for block, cache in zip(self.blocks, kv_caches, strict=True):
            x = block(x, cache, mask)
        return self.last(x)

    def kv_caches(self) -> list[KVCache]:
        """Empty memories, one for each layer."""
        return [KVCache() for _ in self.blocks]


def log_prob_of(logits: Float[Tensor, "n choice"], chosen: Tensor) -> Float[Tensor, " n"]:
    """log of the probability of the choice that was made, in full precision."""
    return -F.cross_entropy(logits.float(), chosen, reduction="none")


def sample_logits(logits: Float[Tensor, "n choice"], temperature: float = 1.0) -> Tensor:
    """Draw a choice for each row, [n] int64, by the global generator."""
    return torch.multinomial((logits.float() / temperature).softmax(-1), 1).squeeze(1)
