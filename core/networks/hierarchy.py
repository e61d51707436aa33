"""Latents on two levels: p(z) = p(z_1) p(z_2 given z_1), and a posterior of the same shape.

q(z given x) = q(z_1 given x) q(z_2 given z_1, x): what the upper level leaves open the lower one
tells, top-down in both passes (Child, ICLR 2021; Sonderby et al., NIPS 2016).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from core.theory.distributions import Distribution, Gaussian, as_gaussian
from core.theory.shapes import Features, Latents, Losses

WIDTH = 128
Below = Callable[[Latents], Gaussian]
"""z_1 -> the distribution of z_2."""


class HierarchicalGaussian(Distribution):
    """A Gaussian, and one that depends on what was drawn from it; z = [z_1, z_2]."""

    def __init__(self, above: Gaussian, below: Below):
        self.above, self.below = above, below

    @property
    def mean(self) -> Latents:
        """The lower level's mean, given the upper level's."""
        upper = self.above.mean
        return torch.cat([upper, self.below(upper).mean], 1)

    def rsample(self) -> Latents:
        upper = self.above.rsample()
        return torch.cat([upper, self.below(upper).rsample()], 1)

    def log_prob(self, value: Latents) -> Losses:
        upper, lower = value.tensor_split([self.above.mean.shape[1]], dim=1)
        return self.above.log_prob(upper) + self.below(upper).log_prob(lower)


def two_layers(inputs: int, outputs: int) -> nn.Sequential:
    """A small network that begins near the standard normal distribution."""
    last = nn.Linear(WIDTH, outputs)
    nn.init.normal_(last.weight, std=0.01)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(inputs, WIDTH), nn.LeakyReLU(0.2), last)


class HierarchicalPrior(nn.Module):
    """(batch, c) -> p(z_1 given c) p(z_2 given z_1, c); half of z on each level."""

    def __init__(self, latent: int, condition: int = 0):
        super().__init__()
        self.upper = latent // 2
        self.above = two_layers(condition, 2 * self.upper) if condition else None
        self.below = two_layers(self.upper + condition, 2 * (latent - self.upper))

    def forward(self, batch: int, c: Tensor | None = None) -> HierarchicalGaussian:
        def below(upper: Latents) -> Gaussian:
            return as_gaussian(self.below(upper if c is None else torch.cat([upper, c], 1)))

        return HierarchicalGaussian(self._above(batch, c), below)

    def _above(self, batch: int, c: Tensor | None) -> Gaussian:
        if self.above is not None and c is not None:
            return as_gaussian(self.above(c))
        zeros = next(self.below.parameters()).new_zeros(batch, self.upper)
        return Gaussian(zeros, zeros)


class HierarchicalHead(nn.Module):
    """features [batch width] -> q(z_1 given x) q(z_2 given z_1, x)."""

    def __init__(self, width: int, latent: int):
        super().__init__()
        self.upper = latent // 2
        self.above = nn.Linear(width, 2 * self.upper)
        self.below = two_layers(self.upper + width, 2 * (latent - self.upper))

    def forward(self, features: Features) -> HierarchicalGaussian:
        def below(upper: Latents) -> Gaussian:
            return as_gaussian(self.below(torch.cat([upper, features], 1)))

        return HierarchicalGaussian(as_gaussian(self.above(features)), below)
