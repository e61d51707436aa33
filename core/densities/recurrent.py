"""A recurrent network as the body of an autoregressive density.

Like a causal transformer it maps embedded positions to hidden states for the next ones, and n
depends on positions <= n only. Cho et al., EMNLP 2014: gated recurrent units.
"""

import torch
from torch import Tensor, nn

from core.densities.transformer import Hidden


class RecurrentState:
    """The state of each layer after the positions so far, [layer batch width]."""

    def __init__(self):
        self.layers: Tensor | None = None

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
        if x.shape[1] == 1 and state.layers is not None:
            return self.last(self._step(x[:, 0], state.layers))[:, None]
        hidden, state.layers = self.gru(x, state.layers)
        return self.last(hidden)

    def _step(self, x: Tensor, state: Tensor) -> Tensor:
        """Go on by one position [batch width]: a cell of each layer, without `gru`'s overhead."""
        for layer, weights in enumerate(self.gru.all_weights):
            x = torch.gru_cell(x, state[layer], *weights)
            state[layer] = x
        return x

    def caches(self) -> list[RecurrentState]:
        """Return an empty state, as the only cache."""
        return [RecurrentState()]
