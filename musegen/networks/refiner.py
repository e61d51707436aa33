"""The refiner: it binarises what generators generate as real values, track by track.

Dong and Yang, ISMIR 2018 (arXiv 1804.09399), section 3.3. Generators and critic train first; then
the generators stay as they are, and the refiner trains with the critic.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from musegen.networks.bar_generators import STATES
from musegen.networks.states import CellValues

KERNEL = (3, 12)
"""Steps and pitches of a convolution."""
BESIDE = (5, 6, 1, 1)
"""Pitches below and above, steps before and after, that keep the size of a bar."""
UNITS = 2
RAREST = 1e-3
"""The log odds of rarer events, and of surer ones, are those of this probability."""

BarMaps = Float[Tensor, "bar state step pitch"]
"""Values of onset and hold in each cell of the bars of one track."""


class ResidualUnit(nn.Module):
    """h -> h + f(h), f of two convolutions; f is 0 before training."""

    def __init__(self, filters: int):
        super().__init__()
        last = nn.Conv2d(filters, STATES, KERNEL)
        self.layers = nn.Sequential(
            nn.GroupNorm(1, STATES),
            nn.ReLU(),
            nn.ZeroPad2d(BESIDE),
            nn.Conv2d(STATES, filters, KERNEL),
            nn.GroupNorm(1, filters),
            nn.ReLU(),
            nn.ZeroPad2d(BESIDE),
            last,
        )
        for parameter in last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, h: BarMaps) -> BarMaps:
        return h + self.layers(h)


class Refiner(nn.Module):
    """Probabilities of onset and hold in each cell -> logits of the binary neurons.

    Before training they are the log odds of the probabilities, so that rounding them is the hard
    threshold and sampling them is Bernoulli sampling. Each track has units of its own, and each
    bar is refined by itself.
    """

    def __init__(self, tracks: int, filters: int):
        super().__init__()
        self.tracks = nn.ModuleList(
            nn.Sequential(*(ResidualUnit(filters) for _ in range(UNITS))) for _ in range(tracks)
        )

    def forward(self, onset: CellValues, hold: CellValues) -> tuple[CellValues, CellValues]:
        odds = torch.logit(torch.stack([onset, hold], 3), RAREST)  # [batch track bar state ...]
        refined = [
            units(track.flatten(0, 1))
            .float()
            .unflatten(0, (onset.shape[0], -1))  # [batch bar ...]
            for units, track in zip(self.tracks, odds.unbind(1), strict=True)
        ]
        cells = torch.stack(refined, 1)
        return cells[:, :, :, 0], cells[:, :, :, 1]
