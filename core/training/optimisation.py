"""Settings of the optimizers, and the training of a classifier in one cycle of the rate."""

from collections.abc import Callable, Iterable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from core.config import Strict

PASSES = 128
"""Times that the training of a classifier shows each sample of a small collection."""


class Optimisation(Strict):
    """Settings of the optimizer of a group of networks.

    `betas`: decay rates of AdamW's two moments; RMSProp has one of its own, 0.99. `weight_decay`:
    decoupled from the gradient for AdamW. `clip_norm`: largest norm of a network's gradient,
    0 for no bound.
    """

    optimiser: Literal["adamw", "rmsprop"] = "adamw"
    learning_rate: float = Field(default=2e-4, gt=0)
    betas: tuple[float, float] = (0.5, 0.9)
    weight_decay: float = Field(default=0.0, ge=0)
    clip_norm: float = Field(default=0.0, ge=0)

    def optimizer(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Return a fresh optimizer of these parameters."""
        rate, decay = self.learning_rate, self.weight_decay
        if self.optimiser == "rmsprop":
            return torch.optim.RMSprop(parameters, rate, weight_decay=decay)
        return torch.optim.AdamW(parameters, rate, self.betas, weight_decay=decay)


def steps_for(samples: int, batch: int, fewest: int, most: int) -> int:
    """Return the steps in batches of this size that show each sample `PASSES` times.

    >>> [steps_for(samples, 64, 150, 600) for samples in (27, 100, 5000)]
    [150, 200, 600]
    """
    return min(most, max(fewest, PASSES * samples // batch))


def train_in_one_cycle(
    network: nn.Module,
    loss: Callable[[int], Tensor],
    steps: int,
    learning_rate: float,
    weight_decay: float,
    tick: Callable[[int, int], None],
) -> None:
    """Minimise the loss of each step, at a rate that rises and falls once (Smith and Topin 2019).

    `tick` is called with the steps done and all of them.
    """
    optimizer = torch.optim.AdamW(network.parameters(), learning_rate, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, steps)
    for number in range(steps):
        optimizer.zero_grad()
        loss(number).backward()
        optimizer.step()
        schedule.step()
        tick(number + 1, steps)
