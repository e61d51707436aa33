"""Latents of InfoGAN: a code that can be read from x, beside noise that cannot.

z = [category, one-hot; continuous numbers; noise]. The code stands first, so that decoders that
give the first part of z to the whole of x let it decide about the whole.

Chen, Duan, Houthooft, Schulman, Sutskever and Abbeel, InfoGAN, NIPS 2016.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from core.theory.distributions import Categorical, Distribution, Gaussian
from core.theory.shapes import Latents, Losses

CodePart = Literal["categorical", "continuous"]


@dataclass(frozen=True)
class CodeSizes:
    """The sizes of the parts of z: one of `categories`, `continuous` numbers and `noise`.

    >>> CodeSizes.of(16)
    CodeSizes(categories=8, continuous=2, noise=6)
    >>> CodeSizes.of(74)
    CodeSizes(categories=10, continuous=2, noise=62)
    """

    categories: int
    continuous: int
    noise: int

    @classmethod
    def of(cls, latent: int) -> "CodeSizes":
        """Divide `latent` numbers, at least 4.

        From 20 on the code is that of the paper's digits (appendix C.1): ten categories and two
        continuous numbers, and the rest is noise.
        """
        categories, continuous = min(10, latent // 2), min(2, max(1, latent // 8))
        return cls(categories, continuous, latent - categories - continuous)

    @property
    def latent(self) -> int:
        """The size of z."""
        return self.categories + self.continuous + self.noise

    def split(self, z: Latents) -> tuple[Tensor, Tensor, Tensor]:
        """Return the category, one-hot, the continuous numbers and the noise."""
        category, continuous, noise = z.split((self.categories, self.continuous, self.noise), 1)
        return category, continuous, noise


class LatentCode(Distribution):
    """p(z): every category equally likely, numbers uniform in [-1, 1], noise N(0, I)."""

    def __init__(self, sizes: CodeSizes, batch: int, device: torch.device):
        self.sizes, self.batch, self.device = sizes, batch, device

    @property
    def representative(self) -> Latents:
        """Return the mean."""
        mean = torch.zeros(self.batch, self.sizes.latent, device=self.device)
        mean[:, : self.sizes.categories] = 1 / self.sizes.categories
        return mean

    def rsample(self) -> Latents:
        device, sizes = self.device, self.sizes
        category = torch.randint(sizes.categories, (self.batch,), device=device)
        one_hot = F.one_hot(category, sizes.categories).float()
        continuous = 2 * torch.rand(self.batch, sizes.continuous, device=device) - 1
        noise = torch.randn(self.batch, sizes.noise, device=device)
        return torch.cat([one_hot, continuous, noise], 1)

    def log_prob(self, value: Latents) -> Losses:
        *_, noise = self.sizes.split(value)
        code = -math.log(self.sizes.categories) - self.sizes.continuous * math.log(2)
        return code + Gaussian(torch.zeros_like(noise), torch.zeros_like(noise)).log_prob(noise)


class CodePosterior(Distribution):
    """Q(code given x); the noise is not inferred, but sampled from its prior."""

    def __init__(self, category: Categorical, continuous: Gaussian, sizes: CodeSizes):
        self.category, self.continuous, self.sizes = category, continuous, sizes

    @property
    def representative(self) -> Latents:
        """Return the mean; that of the noise is 0."""
        code = [self.category.mean, self.continuous.mean]
        return torch.cat([*code, code[0].new_zeros(len(code[0]), self.sizes.noise)], 1)

    def rsample(self) -> Latents:
        code = [self.category.rsample(), self.continuous.rsample()]
        noise = torch.randn(len(code[0]), self.sizes.noise, device=code[0].device)
        return torch.cat([*code, noise], 1)

    def log_prob(self, value: Latents) -> Losses:
        """Compute log Q of the code that is part of `value`; the noise is not read."""
        return self.log_prob_of("categorical", value) + self.log_prob_of("continuous", value)

    def log_prob_of(self, part: CodePart, value: Latents) -> Losses:
        """Compute log Q of one part of the code."""
        category, continuous, _ = self.sizes.split(value)
        if part == "categorical":
            return self.category.log_prob(category)
        return self.continuous.log_prob(continuous)
