"""Densities of data with finitely many levels, such as 8-bit numbers, by a flow over reals.

Dequantised(glow_maps((3, 8, 8)), Levels(256, -1, 1))     network (batch, c) -> p(x given c)

Uniform noise u fills the levels k = 0 ... L - 1 up to v = (k + u) / L in [0, 1), and the flow is a
density over y = logit(a + (1 - 2 a) v): Dinh, Sohl-Dickstein and Bengio, ICLR 2017 (RealNVP,
section 4.1, with both margins of their code). By Jensen's inequality

    log P(x) = log E p(v) - D log L  >=  E log p(v) - D log L

over D numbers (Theis, van den Oord and Bethge, ICLR 2016, section 3.1), so that its negative
bounds the nats of a lossless code (Ho et al., ICML 2019, section 3.1).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.densities.flow import Flow
from core.theory.distributions import Distribution, straight_through, sum_events
from core.theory.shapes import Losses, Samples

MARGIN = 0.05
"""a: how far the logit's argument stays away from 0 and 1."""


@dataclass(frozen=True)
class Levels:
    """`count` equally spaced values from `least` to `most`, both included."""

    count: int
    least: float
    most: float

    def fill(self, x: Samples) -> Samples:
        """Return v in [0, 1): uniform in the cell of each level of x."""
        level = ((x - self.least) / (self.most - self.least) * (self.count - 1)).round()
        return (level + torch.rand_like(level)) / self.count

    def nearest(self, v: Samples) -> Samples:
        """Return the values x of the levels of v, with the gradient of v (straight-through)."""
        step = (self.most - self.least) / (self.count - 1)
        level = (self.count * v).floor().clamp(0, self.count - 1)
        return straight_through(self.least + step * level, self.least + step * self.count * v)


def to_logits(v: Samples) -> tuple[Samples, Losses]:
    """Return y = logit(s), s = a + (1 - 2 a) v, and log |det dy/dv|."""
    y = torch.logit(MARGIN + (1 - 2 * MARGIN) * v)
    log_slope = math.log(1 - 2 * MARGIN) + F.softplus(y) + F.softplus(-y)  # -log s - log(1 - s)
    return y, sum_events(log_slope)


def from_logits(y: Samples) -> Samples:
    """Return v, the inverse of `to_logits`; beyond [0, 1] where s is in a margin."""
    return (torch.sigmoid(y) - MARGIN) / (1 - 2 * MARGIN)


class Dequantised(nn.Module):
    """(batch, c) -> p(x given c) over x of these levels."""

    nats: Tensor

    def __init__(self, flow: Flow, levels: Levels):
        super().__init__()
        self.flow, self.levels = flow, levels
        self.register_buffer("nats", torch.tensor(math.nan), persistent=False)

    def forward(self, batch: int, c: Tensor | None = None) -> "DequantisedDistribution":
        return DequantisedDistribution(self, self.flow(batch, c))

    def facts(self) -> dict[str, Tensor]:
        """Return -log p of the last batch in bits per number of x (Theis et al., section 3.1)."""
        return {"bits_per_dimension": self.nats / (self.flow.size * math.log(2))}


class DequantisedDistribution(Distribution):
    """p(x) of a flow p(y) over dequantised x.

    What the flow samples in a margin is the outermost level; `log_prob` does not count it.
    """

    def __init__(self, density: Dequantised, flow: Distribution):
        self.density, self.flow = density, flow

    @property
    def representative(self) -> Samples:
        """Return the nearest levels of the flow's representative."""
        return self._quantised(self.flow.representative)

    def rsample(self) -> Samples:
        return self._quantised(self.flow.rsample())

    def log_prob(self, value: Samples) -> Losses:
        """Return a lower bound of log P(x) in nats, from one draw of the noise."""
        levels = self.density.levels
        y, log_slope = to_logits(levels.fill(value))
        log_prob = self.flow.log_prob(y) + log_slope - y[0].numel() * math.log(levels.count)
        self.density.nats = -log_prob.detach().mean()
        return log_prob

    def _quantised(self, y: Samples) -> Samples:
        return self.density.levels.nearest(from_logits(y))
