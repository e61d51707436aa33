"""A recurrent network as the body of an autoregressive density.

Like a causal transformer it maps embedded positions to hidden states for the next ones, and n
depends on positions <= n only. Cho et al., EMNLP 2014: gated recurrent units.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

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
    """The same network for one position after another, without gradients.

    What the first layer takes of a position is linear, so that it can be summed up beforehand:
    see `taken`. The matrices lie in memory by columns: on CPUs a product with one row then takes
    half the time, and with many rows four fifths. `state`: that after the positions so far.
    """

    def __init__(self, body: CausalGRU):
        self.body, self.state = body, RecurrentState()
        last, gru = body.last, body.gru
        self.last = last.normalized_shape, last.weight, last.bias, last.eps
        self.shape = gru.num_layers, gru.hidden_size
        self.weights = [_CellWeights.of(*layer) for layer in gru.all_weights]
        self.bias = self.weights[0].bias

    def taken(self, x: Tensor) -> Tensor:
        """Return what the gates of the first layer take of embedded positions, the bias aside."""
        return x @ self.weights[0].taken

    def read(self, x: Hidden) -> Hidden:
        """Go on by embedded positions at once."""
        return self.body(x, [self.state])

    def keep(self, rows: Tensor) -> None:
        """Drop all sequences of the batch but these."""
        self.state.keep(rows)

    def begin(self, batch: int) -> Tensor:
        """Set the state to that before the first position, where there is none; return a hidden
        state of zeros."""
        layers, width = self.shape
        if self.state.layers is None:
            self.state.layers = self.bias.new_zeros(layers, batch, width)
        return self.bias.new_zeros(batch, width)

    def __call__(self, taken: Tensor) -> Tensor:
        """Go on by one position, [batch 3*width] -> [batch width]."""
        if self.state.layers is None:
            self.begin(len(taken))
        assert self.state.layers is not None
        return self._step(taken, self.state.layers)

    def move(self, rows: Tensor, taken: Tensor) -> Tensor:
        """Go on by one position in these rows alone, [row 3*width] -> [row width]."""
        assert self.state.layers is not None, "it begins with all rows"
        layers = self.state.layers[:, rows]
        hidden = self._step(taken, layers)
        self.state.layers[:, rows] = layers
        return hidden

    def _step(self, taken: Tensor, layers: Tensor) -> Tensor:
        """Set the state of each layer to the next one."""
        hidden = taken
        for weights, before in zip(self.weights, layers, strict=True):
            if weights is not self.weights[0]:
                taken = torch.addmm(weights.bias, hidden, weights.taken)
            hidden = weights.step(taken, before)
        return torch.layer_norm(hidden, *self.last)


class _CellWeights(NamedTuple):
    """The weights of a layer: W and U of x and h, the biases of both and that of U h alone."""

    taken: Tensor
    gates: Tensor
    candidate: Tensor
    bias: Tensor
    kept_bias: Tensor

    @classmethod
    def of(cls, w: Tensor, u: Tensor, w_bias: Tensor, u_bias: Tensor) -> "_CellWeights":
        both = 2 * u.shape[1]
        bias = w_bias + F.pad(u_bias[:both], (0, u.shape[1]))
        taken, gates, candidate = (m.detach().t().contiguous() for m in (w, u[:both], u[both:]))
        return cls(taken, gates, candidate, bias.detach(), u_bias[both:].detach())

    def step(self, taken: Tensor, state: Tensor) -> Tensor:
        """Set h to (1 - z) tanh(W x + r (U h)) + z h, where r, z = sigmoid(W x + U h)."""
        width = state.shape[1]
        gates = torch.addmm(taken[:, : 2 * width], state, self.gates).sigmoid_()
        kept = torch.addmm(self.kept_bias, state, self.candidate)
        candidate = torch.addcmul(taken[:, 2 * width :], gates[:, :width], kept).tanh_()
        return torch.lerp(candidate, state, gates[:, width:], out=state)
