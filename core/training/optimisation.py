"""Settings of the optimizers."""

from collections.abc import Iterable
from typing import Literal

import torch
from pydantic import Field
from torch import nn

from core.config import Strict


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
