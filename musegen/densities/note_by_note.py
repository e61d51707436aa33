"""The lookback network for one note after another, with what is linear multiplied out.

Between a note and the gates of the recurrent body, and between the attributes and the first layer
of a head, there are sums of embeddings and a matrix W alone. W (h + sum e) = W h + sum W e: the
products with the embeddings are computed once, and that with the hidden state for all heads.

The units of a head are x Phi(x) = s u (1 + erf u) with x = u / s, s = 1 / sqrt(2) (Hendrycks and
Gimpel, 2016): s is multiplied into the matrices before and after them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import Embedding, Linear

from core.densities.arrays import Blocks, Indices, product, scaled_gelu, view
from core.densities.recurrent import CausalGRU, RecurrentSteps
from core.densities.transformer import CausalTransformer
from musegen.densities.lookback_gates import Gates, Places
from musegen.densities.lookback_heads import Head, LookbackHeads
from musegen.densities.lookback_network import LookbackNetwork
from musegen.densities.next_note import Attribute

ATTRIBUTES: tuple[Attribute, ...] = get_args(Attribute)

SCALE = math.sqrt(0.5)

KNOWN_FROM: dict[str, Attribute] = {
    "advance": "track",
    "in_bar": "track",
    "track": "pitch",
    "profiles": "pitch",
    "pitch": "length",
    "pattern": "length",
    "length": "velocity",
}
"""The first head that knows of each fact; the later ones do as well."""


class TransformerSteps:
    """A causal transformer for one position after another.

    `caches`: the keys and values of the positions so far.
    """

    def __init__(self, body: CausalTransformer):
        self.body, self.caches = body, body.caches()
        self.bias = np.zeros((), view(body.last.bias).dtype)

    def taken(self, x: np.ndarray) -> np.ndarray:
        """Return what the body takes of embedded positions, the bias aside: all."""
        return x

    def read(self, x: Float[Tensor, "batch position width"]) -> Tensor:
        """Go on by embedded positions at once."""
        return self.body(x, self.caches)

    def keep(self, rows: Indices) -> None:
        """Drop all sequences of the batch but these."""
        for cache in self.caches:
            cache.keep(torch.from_numpy(rows))

    def __call__(self, taken: np.ndarray) -> np.ndarray:
        """Go on by one position, [batch width]."""
        return view(self.read(torch.from_numpy(taken)[:, None])[:, 0])


def steps_of(density: LookbackNetwork) -> RecurrentSteps | TransformerSteps:
    """Return the body for one note after another."""
    body = density.body
    return RecurrentSteps(body) if isinstance(body, CausalGRU) else TransformerSteps(body)


class HeadSteps:
    """The heads in numpy, their first layers multiplied out.

    `after`: where the first layers begin that know of a fact, and what it adds to them.
    `ahead`: what an advance, and the step of the bar where it ends, add to the track's.
    """

    def __init__(self, heads: LookbackHeads):
        layers = [getattr(heads, name).layers for name in ATTRIBUTES]
        first = view(SCALE * torch.cat([first.weight for first, *_ in layers]).T.contiguous())
        self.first, self.width = Blocks.of(first), len(first)
        self.bias = view(SCALE * torch.cat([first.bias for first, *_ in layers]))
        self.last = [_parts_of(getattr(heads, name)) for name in ATTRIBUTES]
        self.after = {
            fact: self._after(getattr(heads, f"embed_{fact}"), first, ATTRIBUTES.index(name))
            for fact, name in KNOWN_FROM.items()
            if getattr(heads, f"embed_{fact}") is not None
        }
        of_track = first[:, self.width : 2 * self.width]
        self.ahead = (
            product(view(heads.embed_advance.weight), of_track),
            product(view(heads.embed_in_bar.weight), of_track),
        )

    def _after(
        self, embedding: Embedding | Linear, first: np.ndarray, number: int
    ) -> tuple[int, Callable[[np.ndarray], np.ndarray]]:
        begin = self.width * number
        known = first[:, begin:]
        if not isinstance(embedding, Linear):
            table = product(view(embedding.weight), known)
            return begin, partial(table.take, axis=0)
        self.bias[begin:] += view(embedding.bias) @ known
        blocks = Blocks.of(product(view(embedding.weight).T, known))
        return begin, partial(product, matrix=blocks)

    def __call__(self, hidden: np.ndarray) -> "NoteOutputs":
        """Return the outputs of the heads for the next notes."""
        return NoteOutputs(self, product(hidden, self.first) + self.bias)

    def outputs(self, number: int, of: Float[np.ndarray, "n width"]) -> list[np.ndarray]:
        """Return the parts of the output of a head, whose first layer is `of`."""
        weight, bias, parts = self.last[number]
        output = product(scaled_gelu(of), weight) + bias
        return [output[:, part] for part in parts]


@dataclass
class NoteOutputs:
    """Outputs of the heads: what is known is added to the first layers, [n attribute*width]."""

    heads: HeadSteps
    firsts: Float[np.ndarray, "n attributes"]

    def of(self, attribute: Attribute) -> list[np.ndarray]:
        """Return the parts of a head's output."""
        number, width = ATTRIBUTES.index(attribute), self.heads.width
        return self.heads.outputs(number, self.firsts[:, number * width : (number + 1) * width])

    def know(self, fact: str, value: np.ndarray) -> None:
        """Let the heads that follow know a fact."""
        begin, added = self.heads.after[fact]
        firsts = self.firsts[:, begin:]
        firsts += added(value)

    def tracks_ahead(
        self, advance: Int[np.ndarray, "n ahead"], in_bar: Int[np.ndarray, " each"]
    ) -> list[np.ndarray]:
        """Return the parts of the track's head at each advance, [n*ahead ..]."""
        width, (of_advance, of_bar) = self.heads.width, self.heads.ahead
        track = self.firsts[:, None, width : 2 * width] + of_advance[advance]
        track = track.reshape(-1, width) + of_bar[in_bar]  # [n*ahead width]
        return self.heads.outputs(ATTRIBUTES.index("track"), track)


def gates_of(heads: LookbackHeads) -> Gates:
    """Return the gates for notes that are sampled."""
    gates = heads.gates
    return Gates(gates.layout, gates.harmony, Places(*map(view, gates.places)))


def _slices(sizes: list[int]) -> list[slice]:
    """Return where parts of these sizes are.

    >>> _slices([2, 3])
    [slice(0, 2, None), slice(2, 5, None)]
    """
    ends = np.cumsum([0, *sizes]).tolist()
    return [slice(begin, end) for begin, end in pairwise(ends)]


def _parts_of(head: Head) -> tuple[Blocks, np.ndarray, list[slice]]:
    """Return the last layer of a head, as a map to its parts, by columns, and where those are."""
    last = head.layers[2]
    assert isinstance(last, Linear)
    weights, biases = head.parts(last.weight.T), head.parts(last.bias[None])
    weight = Blocks.of(view(SCALE * torch.cat(weights, 1)))
    return weight, view(torch.cat(biases, 1)[0]), _slices([w.shape[1] for w in weights])
