"""The levels of a grid (bar, beats, steps, octaves), and the learned maps from one to the next."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from musegen.networks.states import OCTAVE
from musegen.roll import Grid

LEAK = 0.2

Positions = Float[Tensor, "player place channel"]
"""What each player holds at each place of a flattened grid (batch, bar, ...)."""

Moved = Float[Tensor, "player _ _"]
"""The same at other places or with other channels."""

Map = Float[Tensor, "1 _ _"]
"""What all players hear of a given track at each place."""


def prime_factors(number: int) -> list[int]:
    """Ascending.

    >>> prime_factors(24)
    [2, 2, 2, 3]
    """
    for factor in range(2, math.isqrt(number) + 1):
        if number % factor == 0:
            return [factor, *prime_factors(number // factor)]
    return [number] if number > 1 else []


def divisions(grid: Grid) -> list[int]:
    """How a bar is divided, coarse to fine: first into beats, then into steps.

    >>> divisions(Grid(beats_per_bar=3, steps_per_beat=4))
    [3, 2, 2]
    """
    return prime_factors(grid.beats_per_bar) + prime_factors(grid.steps_per_beat)


def level_channels(grid: Grid, channels: int) -> list[int]:
    """Channels of each level, from the bar to the step: doubled for each halving, 8-fold."""
    lengths = [1]
    for factor in divisions(grid):
        lengths.append(lengths[-1] * factor)
    return [channels * min(8, max(1, lengths[-1] // length)) for length in lengths]


def octaves(grid: Grid) -> int:
    """Octaves that hold all pitches; the last may be cut."""
    return math.ceil(grid.pitches / OCTAVE)


class Linear(nn.Module):
    """One linear map for each player, all in one product."""

    def __init__(self, players: int, inputs: int, outputs: int):
        super().__init__()
        bound = inputs**-0.5
        self.weight = nn.Parameter(torch.empty(players, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(players, 1, outputs))

    def forward(self, x: Positions) -> Moved:
        return torch.baddbmm(self.bias, x, self.weight)


class Expand(nn.Module):
    """A transposed convolution whose kernel is its stride: each place becomes `factor` places."""

    def __init__(self, players: int, inputs: int, outputs: int, factor: int):
        super().__init__()
        self.linear = Linear(players, inputs, factor * outputs)
        self.norm = nn.LayerNorm(outputs)
        self.factor = factor

    def forward(self, x: Positions) -> Moved:
        return F.relu(self.norm(split_places(self.linear(x), self.factor)))


class Merge(nn.Module):
    """A convolution whose kernel is its stride: each `factor` places become one."""

    def __init__(self, players: int, inputs: int, outputs: int, factor: int):
        super().__init__()
        self.linear = Linear(players, factor * inputs, outputs)
        self.factor = factor

    def forward(self, x: Positions) -> Moved:
        return F.leaky_relu(self.linear(join_places(x, self.factor)), LEAK)


def split_places(x: Positions, factor: int) -> Moved:
    """[player place factor*channel] -> [player place*factor channel]."""
    return x.unflatten(2, (factor, -1)).flatten(1, 2)


def join_places(x: Positions, factor: int) -> Moved:
    """The inverse of `split_places`."""
    return x.unflatten(1, (-1, factor)).flatten(2)
