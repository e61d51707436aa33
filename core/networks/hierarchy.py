"""Latents on two levels: p(z) = p(z_1) p(z_2 given z_1), and a posterior of the same factors.

q(z given x) = q(z_1 given x) q(z_2 given z_1, x): both passes sample top-down, so that the bottom
level only encodes what the top level leaves open (Child, ICLR 2021; Sonderby et al., NIPS 2016).
Child has more than 70 levels, of maps, and a prior that shares its layers with the decoder.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.theory.distributions import Delta, Distribution, Gaussian, as_gaussian
from core.theory.shapes import Features, Latents, Losses

WIDTH = 128

Fine = Float[Tensor, "batch fine"]
"""z_2, the numbers of the bottom level."""


class HierarchicalGaussian(Distribution):
    """p(z_1) p(z_2 given z_1), both Gaussian, over z = [z_1, z_2].

    `bottom`: z_1 -> p(z_2 given z_1).
    """

    def __init__(self, top: Gaussian, bottom: Callable[[Latents], Gaussian]):
        self.top, self.bottom = top, bottom

    @property
    def representative(self) -> Latents:
        """Return the mean of z_1 and, given it, the mean of z_2."""
        top = self.top.mean
        return torch.cat([top, self.bottom(top).mean], 1)

    def rsample(self) -> Latents:
        top = self.top.rsample()
        return torch.cat([top, self.bottom(top).rsample()], 1)

    def log_prob(self, value: Latents) -> Losses:
        top, bottom = value.tensor_split([self.top.mean.shape[1]], dim=1)
        return self.top.log_prob(top) + self.bottom(top).log_prob(bottom)


class HierarchicalDelta(Delta):
    """A deterministic posterior on two levels: z_1 = top, z_2 = bottom(z_1).

    A prior over codes evaluates `bottom` at the quantised z_1 (`TwoLevelCodePrior`).
    """

    def __init__(self, top: Latents, bottom: Callable[[Latents], Fine]):
        super().__init__(torch.cat([top, bottom(top)], 1))
        self.top, self.bottom = top, bottom


class NearZero(nn.Sequential):
    """Two layers whose outputs are near 0 at initialisation: a standard normal."""

    def __init__(self, inputs: int, outputs: int):
        last = nn.Linear(WIDTH, outputs)
        nn.init.normal_(last.weight, std=0.01)
        nn.init.zeros_(last.bias)
        super().__init__(nn.Linear(inputs, WIDTH), nn.LeakyReLU(0.2), last)


class HierarchicalPrior(nn.Module):
    """(batch, c) -> p(z_1 given c) p(z_2 given z_1, c); half of z on each level."""

    def __init__(self, latent: int, condition: int = 0):
        super().__init__()
        self.split = latent // 2
        self.top = NearZero(condition, 2 * self.split) if condition else None
        self.bottom = NearZero(self.split + condition, 2 * (latent - self.split))

    def forward(self, batch: int, c: Tensor | None = None) -> HierarchicalGaussian:
        def bottom(top: Latents) -> Gaussian:
            return as_gaussian(self.bottom(top if c is None else torch.cat([top, c], 1)))

        return HierarchicalGaussian(self._top(batch, c), bottom)

    def _top(self, batch: int, c: Tensor | None) -> Gaussian:
        if self.top is not None and c is not None:
            return as_gaussian(self.top(c))
        zeros = next(self.bottom.parameters()).new_zeros(batch, self.split)
        return Gaussian(zeros, zeros)


class HierarchicalHead(nn.Module):
    """features [batch width] -> q(z_1 given x) q(z_2 given z_1, x)."""

    def __init__(self, width: int, latent: int):
        super().__init__()
        self.split = latent // 2
        self.top = nn.Linear(width, 2 * self.split)
        self.bottom = NearZero(self.split + width, 2 * (latent - self.split))

    def forward(self, features: Features) -> HierarchicalGaussian:
        def bottom(top: Latents) -> Gaussian:
            return as_gaussian(self.bottom(torch.cat([top, features], 1)))

        return HierarchicalGaussian(as_gaussian(self.top(features)), bottom)


COARSE = 4
"""Ratio of the latent vector's length to that of the top level of codes (VQ-VAE-2: 32 x 32 of
32 x 32 + 64 x 64 codes, one in five)."""


def coarse_size(latent: int) -> int:
    """Return the numbers of z on the coarse (top) level of a two-level code.

    >>> coarse_size(16), coarse_size(2)
    (4, 1)
    """
    return max(1, latent // COARSE)
