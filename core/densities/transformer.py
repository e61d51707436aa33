"""Causal transformers, for densities p(x) = product over n of p(x_n given x_<n).

A causal transformer maps the embedded positions so far to hidden states, from which the
distribution of the next one is read. Vaswani et al., NIPS 2017; normalisation before each block as
in Child et al., arXiv 1904.10509.

causal_attention        to all earlier positions: length^2 products
LocalAttention(k)       to the last k positions: length * 2 k products
StridedAttention(k)     to every k-th earlier position: length^2 / k products
BlockAttention(k)       blocks of k to themselves and to the block before: length * 2 k products
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

Hidden = Float[Tensor, "batch position width"]
"""Hidden states, one for each position of a sequence."""

Heads = Float[Tensor, "batch head position headwidth"]
"""Queries, keys or values."""

Padding = Int[Tensor, " batch"]
"""Positions at the beginning of each sequence that are padding: no other position sees them."""

AttentionMask = Bool[Tensor, "rows head query key"]
"""True where a position (query) attends to another (key)."""


class KVCache:
    """Keys and values of the positions so far in one layer, so that each is computed once."""

    def __init__(self):
        self.length = 0
        self.pairs = torch.empty(2, 0, 0, 0, 0)

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Append keys and values [batch head new width]; return all so far."""
        new = torch.stack([keys, values])
        end = self.length + new.shape[3]
        if end > self.pairs.shape[3]:
            self._grow(new, 2 * end)
        self.pairs[:, :, :, self.length : end] = new
        self.length = end
        keys, values = self.pairs[:, :, :, :end]
        return keys, values

    def _grow(self, like: Tensor, capacity: int) -> None:
        """Reallocate with at least twice the capacity, so that few copies are needed."""
        larger = like.new_empty(*like.shape[:3], capacity, like.shape[4])
        if self.length:
            larger[:, :, :, : self.length] = self.pairs[:, :, :, : self.length]
        self.pairs = larger

    def keep(self, rows: Tensor) -> None:
        """Drop all sequences of the batch but these."""
        self.pairs = self.pairs[:, rows, :, : self.length]


class Block(nn.Module):
    """Causal self-attention, then a two-layer network, each with a residual connection."""

    def __init__(self, width: int, heads: int, attention: "Attention"):
        super().__init__()
        self.heads, self.attention = heads, attention
        self.before_attention, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width)
        )

    def forward(
        self, x: Hidden, cache: KVCache | None = None, mask: AttentionMask | None = None
    ) -> Hidden:
        x = x + self.join(self._attend(self.before_attention(x), cache, mask))
        return x + self.mlp(self.before_mlp(x))

    def _attend(self, x: Hidden, cache: KVCache | None, mask: AttentionMask | None) -> Hidden:
        split = self.attend(x).unflatten(2, (3, self.heads, -1))  # [batch position qkv head w]
        query, key, value = split.permute(2, 0, 3, 1, 4)  # [batch head position headwidth]
        if cache is None:
            attended = self.attention(query, key, value)
        else:
            key, value = cache.extend(key, value)
            attended = F.scaled_dot_product_attention(query, key, value, mask)
        return attended.transpose(1, 2).flatten(2)  # [batch position width]


Attention = Callable[[Heads, Heads, Heads], Heads]
"""(query, key, value) -> the attended values of each query."""


def causal_attention(query: Heads, key: Heads, value: Heads) -> Heads:
    """Attend from every position to itself and all earlier ones."""
    length = query.shape[2]
    future = torch.ones(length, length, dtype=torch.bool, device=query.device).triu(1)
    return _attend(query, key, value, future)


def _attend(query: Tensor, key: Tensor, value: Tensor, hidden: Tensor) -> Tensor:
    """Attend from [batch head query width] to all keys but the hidden ones [query key].

    Written out because on CPUs the gradient of torch's fused kernel takes twice as long.
    """
    mask = torch.zeros(hidden.shape, dtype=query.dtype, device=query.device)
    scaled = query * query.shape[-1] ** -0.5
    q, k, v = (t.flatten(0, 1) for t in (scaled, key, value))  # [batch*head position headwidth]
    mask = mask.masked_fill(hidden, -math.inf)
    scores = torch.baddbmm(mask, q, k.transpose(1, 2))  # [batch*head query key]
    attended = scores.softmax(-1).to(v.dtype) @ v
    return attended.unflatten(0, query.shape[:2])  # [batch head query width]


@dataclass(frozen=True)
class LocalAttention:
    """Attention to the last `stride` positions (Child et al. 2019, A1 of section 4.2)."""

    stride: int

    def __call__(self, query: Heads, key: Heads, value: Heads) -> Heads:
        at, other = _two_blocks(self.stride, query.device)
        outside = (other > at) | (other <= at - self.stride)
        return _attend_blockwise(query, key, value, outside)


@dataclass(frozen=True)
class BlockAttention:
    """Local attention of the Image Transformer (Parmar et al., ICML 2018, section 3.2, 1D).

    The positions of a query block attend to a memory: their own block up to themselves, and the
    whole block before.
    """

    size: int

    def __call__(self, query: Heads, key: Heads, value: Heads) -> Heads:
        at, other = _two_blocks(self.size, query.device)
        return _attend_blockwise(query, key, value, other > at)


def _two_blocks(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Positions of a block [query 1] and of the block before with it [key], counted from there."""
    other = torch.arange(2 * size, device=device)
    return other[size:, None], other


def _attend_blockwise(query: Heads, key: Heads, value: Heads, hidden: Tensor) -> Heads:
    """Attend from each block to itself and the block before, but for the hidden [query key]."""
    length, size = query.shape[2], len(hidden)
    q, k, v = (_blocks(t, size) for t in (query, key, value))  # [batch head block position w]
    k, v = (torch.cat([F.pad(t, (0, 0, 0, 0, 1, 0))[:, :, :-1], t], 3) for t in (k, v))
    before = torch.arange(2 * size, device=query.device) < size
    first = _attend(q[:, :, 0], k[:, :, 0], v[:, :, 0], hidden | before)
    q_later, k_later, v_later = (
        t[:, :, 1:].flatten(1, 2)  # [batch head*block position headwidth]
        for t in (q, k, v)
    )
    later = _attend(q_later, k_later, v_later, hidden)
    later = later.unflatten(1, (q.shape[1], -1))  # [batch head block position headwidth]
    attended = torch.cat([first[:, :, None], later], 2)
    return attended.flatten(2, 3)[:, :, :length]  # [batch head position headwidth]


@dataclass(frozen=True)
class StridedAttention:
    """Attention to every `stride`-th earlier position, and to itself (A2 of the same section).

    Positions of equal remainder are a sequence of their own.
    """

    stride: int

    def __call__(self, query: Heads, key: Heads, value: Heads) -> Heads:
        length, batch = query.shape[2], len(query)
        columns = [
            _blocks(t, self.stride).permute(3, 0, 1, 2, 4).flatten(0, 1)
            for t in (query, key, value)
        ]  # [remainder*batch head block headwidth]
        attended = causal_attention(*columns)
        attended = attended.unflatten(0, (self.stride, batch))  # [remainder batch head block w]
        rows = attended.permute(1, 2, 3, 0, 4)  # [batch head block remainder headwidth]
        return rows.flatten(2, 3)[:, :, :length]  # [batch head position headwidth]


def _blocks(x: Heads, size: int) -> Float[Tensor, "batch head block inblock headwidth"]:
    """Cut into blocks of `size` positions; the last one is filled with zeros."""
    padded = F.pad(x, (0, 0, 0, -x.shape[2] % size))
    return padded.unflatten(2, (-1, size))  # [batch head block inblock headwidth]


def _mask(queries: int, keys: int, padding: Padding | None, like: Tensor) -> AttentionMask | None:
    """Return the mask of the keys that the last `queries` may attend to; None for all of them."""
    if queries == 1 and padding is None:
        return None
    key = torch.arange(keys, device=like.device)
    query = key[keys - queries :, None]
    earlier = (key <= query)[None, None]
    if padding is None:
        return earlier
    real = key >= padding[:, None, None, None]
    return (earlier & real) | (key == query)  # padding sees itself: a softmax needs something


class CausalTransformer(nn.Module):
    """Embedded positions -> hidden states for the next ones; n depends on positions <= n only.

    Unlike in Vaswani et al. there is no encoder to attend to, normalisation comes before each
    block, and nothing is dropped out. Positions are not encoded here: they must be part of the
    embedding. `attentions`: those of the layers, by turns. With KV caches, only for full
    attention, the next positions alone are given; sequences of different lengths are then aligned
    at their ends, with `padding`.
    """

    def __init__(
        self,
        width: int,
        layers: int,
        heads: int,
        attentions: Sequence[Attention] = (causal_attention,),
    ):
        super().__init__()
        self.blocks = nn.ModuleList(
            Block(width, heads, attentions[layer % len(attentions)]) for layer in range(layers)
        )
        self.last = nn.LayerNorm(width)

    def forward(
        self, x: Hidden, kv_caches: list[KVCache] | None = None, padding: Padding | None = None
    ) -> Hidden:
        if kv_caches is None:
            for block in self.blocks:
                x = block(x)
            return self.last(x)
        mask = _mask(x.shape[1], kv_caches[0].length + x.shape[1], padding, x)
        for block, cache in zip(self.blocks, kv_caches, strict=True):
            x = block(x, cache, mask)
        return self.last(x)

    def caches(self) -> list[KVCache]:
        """Return empty caches, one for each layer."""
        return [KVCache() for _ in self.blocks]


def log_prob_of(logits: Float[Tensor, "n choice"], chosen: Tensor) -> Float[Tensor, " n"]:
    """Return log of the softmax probability of the chosen class, in single precision."""
    return -F.cross_entropy(logits.float(), chosen, reduction="none")


def nucleus(logits: Float[Tensor, "n choice"], share: float) -> tuple[Tensor, Tensor]:
    """Return the likeliest classes' probabilities, as few as have `share` in all, and the classes.

    In descending order; those of the other classes are 0. Nucleus (top-p) sampling, Holtzman et
    al., ICLR 2020, eq. 2, before it is normalised.

    >>> nucleus(torch.tensor([[0.15, 0.5, 0.05, 0.3]]).log(), 0.6)
    (tensor([[0.5000, 0.3000, 0.0000, 0.0000]]), tensor([[1, 3, 0, 2]]))
    """
    ordered, classes = logits.sort(descending=True)
    p = ordered.softmax(-1)
    return p * (p.cumsum(-1) - p < share), classes


def sample_logits(
    logits: Float[Tensor, "n choice"], temperature: float = 1.0, share: float = 1.0
) -> Tensor:
    """Sample a class for each row, [n] int64, with torch's global generator.

    `share`: the probability of the nucleus from which it is sampled, after the temperature.
    """
    logits = logits.float()
    if temperature != 1:
        logits = logits / temperature
    if share >= 1:
        return _sample(logits.softmax(-1)).squeeze(1)
    p, classes = nucleus(logits, share)
    return classes.gather(1, _sample(p)).squeeze(1)


def _sample(p: Float[Tensor, "n choice"]) -> Tensor:
    """Sample an index of each row in proportion: the least of exponential times of rates p.

    What `torch.multinomial` computes for one sample, to the bit, without its checks.
    """
    return (p / torch.empty_like(p).exponential_()).argmax(-1, keepdim=True)
