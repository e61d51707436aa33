"""The levels of a grid, and linear maps of each player between them."""

import torch

from musegen.networks.multiscale import (
    Linear,
    divisions,
    level_channels,
    merge_positions,
    split_positions,
)
from musegen.roll import Grid


def test_a_bar_is_divided_into_beats_and_steps():
    grid = Grid(steps_per_beat=24)
    assert divisions(grid) == [2, 2, 2, 2, 2, 3]  # the 96 steps of the paper
    assert level_channels(grid, 128) == [1024, 1024, 1024, 1024, 768, 384, 128]


def test_split_positions_is_the_inverse_of_merge_positions():
    x = torch.arange(24.0).view(1, 6, 4)
    assert merge_positions(x, 3)[0, 0].tolist() == list(range(12))
    assert torch.equal(split_positions(merge_positions(x, 3), 3), x)


def test_each_player_has_a_linear_map_of_its_own():
    linear = Linear(2, 3, 1)
    linear.weight.data = torch.tensor([[[1.0], [2], [3]], [[10], [20], [30]]])
    linear.bias.data = torch.tensor([[[0.5]], [[0.25]]])
    x = torch.tensor([[[1.0, 0, 2]], [[1, 1, 0]]])
    assert linear(x).flatten().tolist() == [7.5, 30.25]
