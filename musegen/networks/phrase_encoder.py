"""The phrase encoder: the trunk of the encoder and the critics.

Dong, Hsiao, Yang and Yang, MuseGAN, AAAI 2018, table 6, with the chroma and onset streams of Dong
and Yang, arXiv 1804.09399.
"""

from collections import Counter

import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.networks.heads import PosteriorHead
from core.theory.distributions import Distribution
from musegen.networks.bar_generators import STATES
from musegen.networks.critic_inputs import (
    COUNTS,
    TrackGroups,
    bar_counts,
    harmony,
    harmony_values,
    onset_counts,
    split_tracks,
)
from musegen.networks.multiscale import (
    Mapped,
    Merge,
    divisions,
    level_channels,
    octaves,
    prime_factors,
)
from musegen.networks.states import OCTAVE, Given, States
from musegen.roll import Grid


class PhraseEncoder(nn.Module):
    """x (and given tracks c) -> features of each group of tracks: all in one, or one for each.

    Cells are merged octave by octave, then step by step up to the bar, then over the phrase. Onset
    counts, harmony and bar counts (`musegen.networks.critic_inputs`) join at the level of their
    size. LeakyReLU 0.2, no normalisation.
    """

    def __init__(self, groups: int, tracks: int, grid: Grid, bars: int, channels: int):
        super().__init__()
        self.groups, self.grid, self.bars = groups, grid, bars
        self.width = 8 * channels
        widths = level_channels(grid, channels)[::-1]
        factors = divisions(grid)[::-1]
        self.beat_level = len(prime_factors(grid.steps_per_beat))
        joining = Counter({0: tracks * STATES})
        joining[self.beat_level] += harmony_values(tracks)
        joining[len(factors)] += tracks * COUNTS
        inputs = [width + joining[level] for level, width in enumerate(widths)]
        self.cells = Merge(groups, tracks * STATES * OCTAVE, channels, 1)
        self.octaves = Merge(groups, channels, channels, octaves(grid))
        self.levels = nn.ModuleList(
            Merge(groups, a, b, factor)
            for a, b, factor in zip(inputs, widths[1:], factors, strict=False)
        )
        self.phrase = Merge(groups, inputs[-1], self.width, bars)
        self.last = Merge(groups, self.width, self.width, 1)

    def forward(self, x: States, c: Given | None = None) -> Float[Tensor, "group batch feature"]:
        tracks = split_tracks(x, self.groups, c)
        beats = harmony(tracks, self.grid.steps_per_beat)
        streams = [
            (0, onset_counts(tracks).flatten(1, 3)),  # [group batch*bar*step value]
            (self.beat_level, beats.flatten(1, 3)),  # [group batch*bar*beat value]
            (len(self.levels), bar_counts(tracks).flatten(1, 2)),  # [group batch*bar value]
        ]
        h = self.octaves(self.cells(_cells(tracks)))
        for number, merge in enumerate([*self.levels, self.phrase]):
            h = merge(torch.cat([h, *(stream for at, stream in streams if at == number)], 2))
        return self.last(h)


def _cells(tracks: TrackGroups) -> Mapped:
    """Flatten the cells to a vector for each octave."""
    x = tracks.permute(0, 1, 4, 5, 6, 2, 3, 7)  # [group batch bar step octave member state pc]
    return x.flatten(5).flatten(1, 4)  # [group batch*bar*step*octave member*state*pc]


class Encoder(nn.Module):
    """x (and c) -> q(z given x, c) over the flat z."""

    def __init__(self, trunk: PhraseEncoder, latent: int, kind: type[Distribution]):
        super().__init__()
        self.trunk = trunk
        self.head = PosteriorHead(trunk.width, latent, kind)

    def forward(self, x: States, c: Given | None = None) -> Distribution:
        return self.head(self.trunk(x, c)[0].float())
