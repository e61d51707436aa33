"""The prior of InfoGAN's latents, and the head of a network that reads their code from x."""

import torch
from torch import Tensor, nn

from core.theory.codes import CodePosterior, CodeSizes, LatentCode
from core.theory.distributions import Categorical, as_gaussian
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
    """features [batch width] -> Q(code given x): a category and independent Gaussians."""

    def __init__(self, width: int, latent: int):
        self.sizes = CodeSizes.of(latent)
        super().__init__(width, self.sizes.categories + 2 * self.sizes.continuous)

    def forward(self, features: Features) -> CodePosterior:  # type: ignore[override]  # a distribution
        outputs = super().forward(features).float()
        logits, gaussian = outputs.split((self.sizes.categories, 2 * self.sizes.continuous), 1)
        return CodePosterior(Categorical(logits), as_gaussian(gaussian), self.sizes)
