"""The prior of InfoGAN's latents, and the head of a network that reads their code from x."""

import torch
from torch import Tensor, nn

from core.theory.codes import CodePosterior, CodeSizes, LatentCode
from core.theory.distributions import Categorical, Gaussian
from core.theory.shapes import Features


class LatentCodePrior(nn.Module):
    """(batch, c) -> p(z) of a code beside noise, independent of the condition."""

    device: Tensor

    def __init__(self, latent: int, condition: int = 0):
        super().__init__()
        self.sizes = CodeSizes.of(latent)
        self.register_buffer("device", torch.zeros(()), persistent=False)

    def forward(self, batch: int, c: Tensor | None = None) -> LatentCode:
        return LatentCode(self.sizes, batch, self.device.device)


class CodeHead(nn.Linear):
    """features [batch width] -> Q(code given x): a category and Gaussians of standard deviation 1.

    A deviation of its own would let the bound grow without end where x is a function of z, as
    numbers that are read ever more exactly outweigh the game; the authors' programs fix it too.
    """

    def __init__(self, width: int, latent: int):
        self.sizes = CodeSizes.of(latent)
        super().__init__(width, self.sizes.categories + self.sizes.continuous)

    def forward(self, features: Features) -> CodePosterior:  # type: ignore[override]  # a distribution
        outputs = super().forward(features).float()
        logits, mean = outputs.split((self.sizes.categories, self.sizes.continuous), 1)
        numbers = Gaussian(mean, torch.zeros_like(mean))
        return CodePosterior(Categorical(logits), numbers, self.sizes)
