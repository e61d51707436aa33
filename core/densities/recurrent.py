"""A recurrent network as the body of an autoregressive density.

Like a causal transformer it maps embedded positions to hidden states for the next ones, and n
depends on positions <= n only. Cho et al., EMNLP 2014: gated recurrent units.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.densities.arrays import Array, Indices, layer_norm, product, view
from core.densities.transformer import Hidden


class RecurrentState:
    """The state of each layer after the positions so far, [layer batch width]."""

    def __init__(self, layers: Tensor | None = None):
        self.layers = layers

    def keep(self, rows: Tensor) -> None:
        """Drop all sequences of the batch but these."""
        if self.layers is not None:
            self.layers = self.layers[:, rows].contiguous()


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


class RecurrentSteps:
    """The same network for one position after another, without gradients, in numpy.

    What the first layer takes of a position is linear, so that it can be summed up beforehand:
    see `taken`. `state`: that after the positions so far, [layer batch width].
    """

    def __init__(self, body: CausalGRU):
        self.body, self.state = body, None
        last, gru = body.last, body.gru
        self.last = view(last.weight), view(last.bias), last.eps
        self.shape = gru.num_layers, gru.hidden_size
        self.weights = [_CellWeights.of(*layer) for layer in gru.all_weights]
        self.bias = self.weights[0].bias

    def taken(self, x: Array) -> Array:
        """Return what the gates of the first layer take of embedded positions, the bias aside."""
        return x @ self.weights[0].taken

    def read(self, x: Hidden) -> Hidden:
        """Go on by embedded positions at once."""
        layers = None if self.state is None else torch.from_numpy(self.state)
        state = RecurrentState(layers)
        hidden = self.body(x, [state])
        self.state = view(state.layers)
        return hidden

    def keep(self, rows: Indices) -> None:
        """Drop all sequences of the batch but these."""
        if self.state is not None:
            self.state = self.state[:, rows]

    def begin(self, batch: int) -> np.ndarray:
        """Set the state to that before the first position, where there is none; return a hidden
        state of zeros."""
        layers, width = self.shape
        if self.state is None:
            self.state = np.zeros((layers, batch, width), self.bias.dtype)
        return np.zeros((batch, width), self.bias.dtype)

    def __call__(self, taken: np.ndarray) -> np.ndarray:
        """Go on by one position, [batch 3*width] -> [batch width]."""
        if self.state is None:
            self.begin(len(taken))
        return self._step(taken, self.state)

    def move(self, rows: Indices, taken: np.ndarray) -> np.ndarray:
        """Go on by one position in these rows alone, [row 3*width] -> [row width]."""
        assert self.state is not None, "it begins with all rows"
        layers = self.state[:, rows]
        hidden = self._step(taken, layers)
        self.state[:, rows] = layers
        return hidden

    def _step(self, taken: np.ndarray, layers: np.ndarray) -> np.ndarray:
        """Set the state of each layer to the next one."""
        for weights, state in zip(self.weights, layers, strict=True):
            if weights is not self.weights[0]:
                taken = product(hidden, weights.taken) + weights.bias
            hidden = state[:] = weights.step(taken, state)
        return layer_norm(hidden, *self.last)


class _CellWeights(NamedTuple):
    """The weights of a layer: W and U of x and h, the biases of both and that of U h alone.

    The gates are sigmoid(a) = (1 + tanh(a / 2)) / 2: their halves are in the matrices.
    """

    taken: np.ndarray
    kept: np.ndarray
    bias: np.ndarray
    kept_bias: np.ndarray

    @classmethod
    def of(cls, w: Tensor, u: Tensor, w_bias: Tensor, u_bias: Tensor) -> "_CellWeights":
        both = 2 * u.shape[1]
        scale = torch.ones_like(u_bias)
        scale[:both] = 0.5
        bias = (w_bias + F.pad(u_bias[:both], (0, u.shape[1]))) * scale
        taken, kept = ((m.t() * scale).contiguous() for m in (w, u))
        return cls(*map(view, (taken, kept, bias, u_bias[both:])))

    def step(self, taken: np.ndarray, state: np.ndarray) -> np.ndarray:
        """Return (1 - z) tanh(W x + r (U h)) + z h, where r, z = sigmoid(W x + U h)."""
        width = state.shape[1]
        kept = product(state, self.kept)
        gates = np.tanh(taken[:, : 2 * width] + kept[:, : 2 * width])
        gates *= 0.5
        gates += 0.5
        candidate = kept[:, 2 * width :] + self.kept_bias
        candidate *= gates[:, :width]
        candidate += taken[:, 2 * width :]
        np.tanh(candidate, out=candidate)
        return candidate + gates[:, width:] * (state - candidate)
