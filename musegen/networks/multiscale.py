"""Strided convolutions over a grid's levels (bar, beats, steps, octaves), for several players.

Where a kernel is as long as its stride, a convolution is one linear map of each position, and is
computed as one product for all players.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from musegen.networks.states import OCTAVE
from musegen.roll import Grid

NEGATIVE_SLOPE = 0.2

PlayerFeatures = Float[Tensor, "player position channel"]
"""PlayerFeatures of each player at each position of a flattened grid (batch, bar, ...)."""

Mapped = Float[Tensor, "player _ _"]
"""PlayerFeatures at other positions or with other channels."""

TrackMap = Float[Tensor, "1 _ _"]
"""PlayerFeatures of given tracks at each position, the same for all players."""


def prime_factors(number: int) -> list[int]:
    """Return the prime factors in ascending order.

    >>> prime_factors(24)
    [2, 2, 2, 3]
    """
    for factor in range(2, math.isqrt(number) + 1):
        if number % factor == 0:
            return [factor, *prime_factors(number // factor)]
    return [number] if number > 1 else []


def divisions(grid: Grid) -> list[int]:
    """Return the factors by which a bar is divided, coarse to fine: into beats, then into steps.

    >>> divisions(Grid(beats_per_bar=3, steps_per_beat=4))
    [3, 2, 2]
    """
    return prime_factors(grid.beats_per_bar) + prime_factors(grid.steps_per_beat)


def level_channels(grid: Grid, channels: int) -> list[int]:
    """Return the channels of each level from the bar to the step.

    `channels` at the step, more in inverse proportion to the resolution, at most 8 times as many.
    """
    lengths = [1]
    for factor in divisions(grid):
        lengths.append(lengths[-1] * factor)
    return [channels * min(8, max(1, lengths[-1] // length)) for length in lengths]


def octaves(grid: Grid) -> int:
    """Return the number of octaves that hold all pitches; the last may be incomplete."""
    return math.ceil(grid.pitches / OCTAVE)


class Linear(nn.Module):
    """One linear map for each player, computed in one product."""

    def __init__(self, players: int, inputs: int, outputs: int):
        super().__init__()
        bound = inputs**-0.5
        self.weight = nn.Parameter(torch.empty(players, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(players, 1, outputs))

    def forward(self, x: PlayerFeatures) -> Mapped:
        return torch.baddbmm(self.bias, x, self.weight)


class Expand(nn.Module):
    """A transposed convolution whose kernel is its stride: one position becomes `factor`."""

    def __init__(self, players: int, inputs: int, outputs: int, factor: int):
        super().__init__()
        self.linear = Linear(players, inputs, factor * outputs)
        self.norm = nn.LayerNorm(outputs)
        self.factor = factor

    def forward(self, x: PlayerFeatures) -> Mapped:
        return F.relu(self.norm(split_positions(self.linear(x), self.factor)))


class Merge(nn.Module):
    """A convolution whose kernel is its stride: `factor` positions become one."""

    def __init__(self, players: int, inputs: int, outputs: int, factor: int):
        super().__init__()
        self.linear = Linear(players, factor * inputs, outputs)
        self.factor = factor

    def forward(self, x: PlayerFeatures) -> Mapped:
        return F.leaky_relu(self.linear(merge_positions(x, self.factor)), NEGATIVE_SLOPE)


def split_positions(x: PlayerFeatures, factor: int) -> Mapped:
    """Split the channels of each position over `factor` positions."""
    return x.unflatten(2, (factor, -1)).flatten(1, 2)  # [player position*factor channel/factor]


def merge_positions(x: PlayerFeatures, factor: int) -> Mapped:
    """Concatenate the channels of `factor` positions: the inverse of `split_positions`."""
    return x.unflatten(1, (-1, factor)).flatten(2)  # [player position/factor channel*factor]
