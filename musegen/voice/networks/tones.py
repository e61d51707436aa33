"""p(x given z, c) of spectrograms: levels are Gaussian, frequencies are von Mises."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from core.theory.distributions import Distribution, sum_events
from core.theory.shapes import Losses
from musegen.voice.spectrogram import Maps, wrap

PerCell = Float[Tensor, "batch frame row"]

STEADY = 1.0
"""Cells of a lower concentration are noise: their phases are drawn, not predicted."""


class Tones(Distribution):
    """Levels N(level, std^2) and frequencies of von Mises distributions around `advance`.

    A phase is an angle, and means something only where something sounds: how much, in each cell,
    is its concentration, exp(`log_concentration`). Levels below -1 are silence, whatever they are.
    A sample has the mean levels, as a `Delta` has: levels that were drawn would crackle.
    """

    def __init__(
        self, level: PerCell, advance: PerCell, log_concentration: PerCell, std: float = 0.1
    ):
        self.level, self.advance = level.clamp(min=-1), advance
        self.log_concentration, self.std = log_concentration, std

    @property
    def representative(self) -> Maps:
        """Return mean levels and frequencies."""
        return torch.stack([self.level, wrap(self.advance)], 1)

    def rsample(self) -> Maps:
        """Return mean levels, and frequencies drawn where they are noise."""
        noise = self.log_concentration.exp() < STEADY
        drawn = 2 * torch.rand_like(self.advance) - 1
        return torch.stack([self.level, wrap(torch.where(noise, drawn, self.advance))], 1)

    def log_prob(self, value: Maps) -> Losses:
        """log N(level) + k cos(angle - mean) - log I0(k), up to constants of both."""
        level, advance = value.unbind(1)
        error = -0.5 * ((level - self.level) / self.std) ** 2
        concentration = self.log_concentration.exp()
        cosine = torch.cos(math.pi * (advance - self.advance))
        angle = concentration * (cosine - 1) - torch.special.i0e(concentration).log()
        return sum_events(error + angle)
