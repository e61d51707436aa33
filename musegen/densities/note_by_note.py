"""The lookback network for one note after another, with what is linear multiplied out.

Between a note and the gates of the recurrent body, and between the attributes and the first layer
of a head, there are sums of embeddings and a matrix W alone. W (h + sum e) = W h + sum W e: the
products with the embeddings are computed once, and that with the hidden state for all heads.

The units of a head are x Phi(x) = s u (1 + erf u) with x = u / s, s = 1 / sqrt(2) (Hendrycks and
Gimpel, 2016): s is multiplied into the matrices before and after them.
"""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import Embedding, Linear

from core.densities.arrays import Blocks, Indices, ScaledGELU, product, view
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

    `known_from`: where the first layers begin that know of a fact; `added`: what it adds to them.
    `ahead`: what an advance, and the step of the bar where it ends, add to the track's.
    """

    outputs: "NoteOutputs | None" = None

    def __init__(self, heads: LookbackHeads):
        layers = [getattr(heads, name).layers for name in ATTRIBUTES]
        first = view(SCALE * torch.cat([first.weight for first, *_ in layers]).T.contiguous())
        self.first, self.width = Blocks.of(first), len(first)
        self.bias = view(SCALE * torch.cat([first.bias for first, *_ in layers]))
        self.last = {name: _parts_of(getattr(heads, name)) for name in ATTRIBUTES}
        self.known_from = {
            fact: self.width * ATTRIBUTES.index(name)
            for fact, name in KNOWN_FROM.items()
            if getattr(heads, f"embed_{fact}") is not None
        }
        self.added = {
            fact: self._added(getattr(heads, f"embed_{fact}"), first, begin)
            for fact, begin in self.known_from.items()
        }
        of_track = first[:, self.width : 2 * self.width]
        self.ahead = (
            product(view(heads.embed_advance.weight), of_track),
            product(view(heads.embed_in_bar.weight), of_track),
        )

    def _added(
        self, embedding: Embedding | Linear, first: np.ndarray, begin: int
    ) -> Callable[[np.ndarray], np.ndarray]:
        known = first[:, begin:]
        if not isinstance(embedding, Linear):
            table = product(view(embedding.weight), known)
            return partial(table.take, axis=0)
        self.bias[begin:] += view(embedding.bias) @ known
        blocks = Blocks.of(product(view(embedding.weight).T, known))
        return partial(product, matrix=blocks)

    def __call__(self, hidden: np.ndarray) -> "NoteOutputs":
        """Return the outputs of the heads for the next notes; the memory is that of the last ones,
        where there were as many."""
        if self.outputs is None or len(self.outputs.firsts) != len(hidden):
            self.outputs = NoteOutputs(self, len(hidden))
        np.add(product(hidden, self.first), self.bias, out=self.outputs.firsts)
        return self.outputs

    def parts(self, attribute: Attribute, units: Float[np.ndarray, "n width"]) -> list[np.ndarray]:
        """Return the parts of the output of a head with these units."""
        weight, bias, parts = self.last[attribute]
        output = product(units, weight)
        output += bias
        return [output[:, part] for part in parts]


class NoteOutputs:
    """Outputs of the heads for n notes: what is known is added to the first layers.

    `firsts`: those layers, [n attribute*width]; `known_by`: those of them that know of a fact.
    """

    def __init__(self, heads: HeadSteps, count: int):
        self.heads = heads
        self.firsts = np.empty((count, len(heads.bias)), heads.bias.dtype)
        firsts = np.split(self.firsts, len(ATTRIBUTES), 1)
        self.units = dict(zip(ATTRIBUTES, map(ScaledGELU, firsts), strict=True))
        self.known_by = {fact: self.firsts[:, begin:] for fact, begin in heads.known_from.items()}

    def of(self, attribute: Attribute) -> list[np.ndarray]:
        """Return the parts of a head's output."""
        return self.heads.parts(attribute, self.units[attribute]())

    def know(self, fact: str, value: np.ndarray) -> None:
        """Let the heads that follow know a fact."""
        firsts = self.known_by[fact]
        firsts += self.heads.added[fact](value)

    def tracks_ahead(
        self, advance: Int[np.ndarray, "n ahead"], in_bar: Int[np.ndarray, " each"]
    ) -> list[np.ndarray]:
        """Return the parts of the track's head at each advance, [n*ahead ..]."""
        width, (of_advance, of_bar) = self.heads.width, self.heads.ahead
        track = self.firsts[:, None, width : 2 * width] + of_advance[advance]
        track = track.reshape(-1, width) + of_bar[in_bar]  # [n*ahead width]
        return self.heads.parts("track", ScaledGELU(track)())


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
