"""A recurrent network as the body of an autoregressive density.

Like a causal transformer it maps embedded positions to hidden states for the next ones, and n
depends on positions <= n only. Cho et al., EMNLP 2014: gated recurrent units.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from core.densities.arrays import Blocks, Indices, layer_norm, product, view
from core.densities.transformer import Hidden


class RecurrentState:
    """The state of each layer after the positions so far, [layer batch width]."""

    def __init__(self, layers: Tensor | None = None):
        self.layers = layers


class CausalGRU(nn.Module):
    """Embedded positions -> hidden states, by layers of gated recurrent units.

    With a state, the next positions alone are given.
    """

    def __init__(self, width: int, layers: int):
        super().__init__()
        self.gru = nn.GRU(width, width, layers, batch_first=True)
        self.last = nn.LayerNorm(width)

    def forward(self, x: Hidden, caches: list[RecurrentState] | None = None) -> Hidden:
        if caches is None:
            return self.last(self.gru(x)[0])
        (state,) = caches
        hidden, state.layers = self.gru(x, state.layers)
        return self.last(hidden)

    def caches(self) -> list[RecurrentState]:
        """Return an empty state, as the only cache."""
        return [RecurrentState()]


Rows = Float[np.ndarray, "n width"]
"""One position of each of n sequences."""


class RecurrentSteps:
    """The same network for one position after another, without gradients, in numpy.

    What the first layer takes of a position is linear, so that it can be summed up beforehand:
    see `taken`. `state`: that after the positions so far.
    """

    state: Float[np.ndarray, "layer batch width"] | None = None

    def __init__(self, body: CausalGRU):
        self.body = body
        last, gru = body.last, body.gru
        self.last = view(last.weight), view(last.bias), last.eps
        self.shape = gru.num_layers, gru.hidden_size
        self.weights = [_CellWeights.of(*layer) for layer in gru.all_weights]
        self.bias = self.weights[0].bias

    def taken(self, x: Rows) -> Float[np.ndarray, "n gates"]:
        """Return what the gates of the first layer take of embedded positions, the bias aside."""
        return product(x, self.weights[0].taken)

    def read(self, x: Hidden) -> Hidden:
        """Go on by embedded positions at once."""
        state = RecurrentState(None if self.state is None else torch.from_numpy(self.state))
        hidden = self.body(x, [state])
        assert state.layers is not None
        self.state = view(state.layers)
        return hidden

    def keep(self, rows: Indices) -> None:
        """Drop all sequences of the batch but these."""
        if self.state is not None:
            self.state = self.state[:, rows]

    def begin(self, batch: int) -> Rows:
        """Set the state to that before the first position, where there is none; return a hidden
        state of zeros."""
        layers, width = self.shape
        if self.state is None:
            self.state = np.zeros((layers, batch, width), self.bias.dtype)
        return np.zeros((batch, width), self.bias.dtype)

    def __call__(self, taken: Float[np.ndarray, "batch gates"]) -> Rows:
        """Go on by one position, [batch 3*width] -> [batch width]."""
        if self.state is None:
            self.begin(len(taken))
        assert self.state is not None
        return self._step(taken, self.state)

    def move(self, rows: Indices, taken: Float[np.ndarray, "row gates"]) -> Rows:
        """Go on by one position in these rows alone, [row 3*width] -> [row width]."""
        assert self.state is not None, "it begins with all rows"
        layers = self.state[:, rows]
        hidden = self._step(taken, layers)
        self.state[:, rows] = layers
        return hidden

    def _step(
        self,
        taken: Float[np.ndarray, "n gates"],
        layers: Float[np.ndarray, "layer n width"],
    ) -> Rows:
        """Set the state of each layer to the next one."""
        hidden = taken
        for weights, state in zip(self.weights, layers, strict=True):
            if weights is not self.weights[0]:
                taken = product(hidden, weights.taken) + weights.bias
            hidden = state[:] = weights.step(taken, state)
        return layer_norm(hidden, *self.last)


class _CellWeights(NamedTuple):
    """The weights of a layer: W and U of x and h, by columns, the biases of both and that of the
    candidate's U h alone.

    A gate is sigmoid(a) = (1 + tanh(a / 2)) / 2: the inner half is multiplied into them.
    """

    taken: Blocks
    kept: Blocks
    bias: Float[np.ndarray, " gates"]
    kept_bias: Float[np.ndarray, " width"]

    @classmethod
    def of(cls, w: Tensor, u: Tensor, w_bias: Tensor, u_bias: Tensor) -> "_CellWeights":
        width = u.shape[1]
        half = torch.ones_like(u_bias)
        half[: 2 * width] = 0.5
        bias = w_bias + F.pad(u_bias[: 2 * width], (0, width))
        taken, kept = (Blocks.of(view(half * matrix.T)) for matrix in (w, u))
        return cls(taken, kept, view(half * bias), view(u_bias[2 * width :]))

    def step(self, taken: Float[np.ndarray, "n gates"], state: Rows) -> Rows:
        """Return (1 - z) tanh(W x + r (U h)) + z h, where r, z = sigmoid(W x + U h)."""
        width = state.shape[1]
        kept = product(state, self.kept)
        gates = 0.5 + 0.5 * np.tanh(taken[:, : 2 * width] + kept[:, : 2 * width])
        of_state = gates[:, :width] * (kept[:, 2 * width :] + self.kept_bias)
        candidate = np.tanh(taken[:, 2 * width :] + of_state)
        return candidate + gates[:, width:] * (state - candidate)
