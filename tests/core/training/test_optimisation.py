"""Optimizers by hand: one weight of 2 against the gradients 3 and then 1."""

import itertools
import math

import pytest
import torch
from torch import nn

from core.training.optimisation import Optimisation, train_in_one_cycle


def after(*gradients: float, **settings: object) -> float:
    weight = nn.Parameter(torch.tensor([2.0]))
    optimizer = Optimisation.model_validate(settings).optimizer([weight])
    for gradient in gradients:
        weight.grad = torch.tensor([float(gradient)])
        optimizer.step()
    return weight.item()


def test_adamw_decays_beside_the_gradient():
    """Loshchilov and Hutter 2019, algorithm 2: w - rate decay w - rate sign at first."""
    assert after(3, learning_rate=0.1) == pytest.approx(2 - 0.1)
    decayed = after(3, learning_rate=0.1, weight_decay=0.5)
    assert decayed == pytest.approx(2 - 0.1 * 0.5 * 2 - 0.1)


def test_adamw_takes_both_betas():
    mean = (0.3 * 0.7 * 3 + 0.7 * 1) / (1 - 0.3**2)
    square = (0.6 * 0.4 * 9 + 0.4 * 1) / (1 - 0.6**2)
    expected = 2 - 0.1 - 0.1 * mean / math.sqrt(square)
    assert after(3, 1, learning_rate=0.1, betas=[0.3, 0.6]) == pytest.approx(expected)


def test_rmsprop_divides_by_the_root_of_the_mean_square():
    """Tieleman and Hinton 2012, with 0.99 and no momentum: 0.1 |g| at first."""
    settings = {"optimiser": "rmsprop", "learning_rate": 0.01}
    assert after(3, **settings) == pytest.approx(2 - 0.01 * 10)
    square = 0.99 * 0.01 * 9 + 0.01 * 1
    expected = 2 - 0.01 * 10 - 0.01 / math.sqrt(square)
    assert after(3, 1, **settings) == pytest.approx(expected)


def test_rmsprop_decays_through_the_gradient():
    """3 + 0.5 * 2 keeps its sign, so that the first step is the same; one against it turns."""
    settings = {"optimiser": "rmsprop", "learning_rate": 0.01, "weight_decay": 0.5}
    assert after(-0.5, **settings) == pytest.approx(2 - 0.1)
    assert after(-0.5, **settings | {"weight_decay": 0.0}) == pytest.approx(2 + 0.1)


def test_a_rate_rises_from_a_25th_to_its_top_and_falls():
    """Against a constant gradient AdamW moves by about the rate, at first exactly."""
    weight = nn.Linear(1, 1, bias=False)
    places, ticks = [], []

    def loss(step: int) -> torch.Tensor:
        places.append(weight.weight.item())
        return 3 * weight.weight.sum()

    train_in_one_cycle(weight, loss, 20, 0.1, 0, lambda *counts: ticks.append(counts))
    moves = [a - b for a, b in itertools.pairwise([*places, weight.weight.item()])]
    assert moves[0] == pytest.approx(0.1 / 25, rel=1e-3)
    assert 0.07 < max(moves) < 0.1
    assert moves[-1] < 1e-4
    assert ticks == [(number, 20) for number in range(1, 21)]
