"""The encoder of given tracks: a map for each level of the bar generators.

Dong, Hsiao, Yang and Yang, MuseGAN, AAAI 2018, section 3.3 and table 5.
"""

from torch import nn

from musegen.networks.bar_generators import GIVEN_CHANNELS, STATES
from musegen.networks.multiscale import Merge, TrackMap, divisions
from musegen.networks.states import Given
from musegen.roll import Grid


class TrackEncoder(nn.Module):
    """Given tracks c -> their features at each level from bar to step."""

    def __init__(self, grid: Grid, given: int, channels: int = GIVEN_CHANNELS):
        super().__init__()
        self.step = Merge(1, given * STATES * grid.pitches, channels, 1)
        self.coarser = nn.ModuleList(
            Merge(1, channels, channels, factor) for factor in divisions(grid)[::-1]
        )

    def forward(self, c: Given) -> list[TrackMap]:
        steps = c.permute(0, 3, 4, 1, 2, 5).flatten(3)  # [batch bar step given*state*pitch]
        maps = [self.step(steps.flatten(0, 2)[None])]  # [1 batch*bar*step channel]
        for merge in self.coarser:
            maps.append(merge(maps[-1]))
        return maps[::-1]
