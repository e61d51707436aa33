"""Small networks that end in a distribution: multilayer perceptrons, priors, posterior heads."""

import itertools

import torch
from torch import Tensor, nn

from core.networks.hierarchy import HierarchicalGaussian, HierarchicalHead
from core.theory.distributions import Delta, Distribution, Gaussian, as_gaussian
from core.theory.shapes import Features


class MLP(nn.Sequential):
    """Linear layers with LeakyReLU 0.2 between them.

    >>> MLP(3, 16, 2)(torch.zeros(5, 3)).shape
    torch.Size([5, 2])
    """

    def __init__(self, *widths: int):
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(widths):
            layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(0.2)]
        super().__init__(*layers[:-1])

    def hidden(self, x: Tensor) -> Tensor:
        """What the last map reads."""
        for layer in list(self)[:-1]:
            x = layer(x)
        return x


class StandardNormal(nn.Module):
    """The prior N(0, I) over a flat z; the condition does not move it."""

    mean: Tensor

    def __init__(self, latent: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(latent))

    def forward(self, batch: int, c: Tensor | None = None) -> Gaussian:
        mean = self.mean.expand(batch, -1)
        return Gaussian(mean, torch.zeros_like(mean))


class PosteriorHead(nn.Module):
    """features [batch width] -> q(z given x): a Gaussian, a point, or levels of Gaussians."""

    def __init__(self, width: int, latent: int, kind: type[Distribution]):
        super().__init__()
        self.kind = kind
        if kind is HierarchicalGaussian:
            self.linear: nn.Module = HierarchicalHead(width, latent)
        else:
            self.linear = nn.Linear(width, latent if kind is Delta else 2 * latent)

    def forward(self, features: Features) -> Distribution:
        made = self.linear(features)
        if self.kind is HierarchicalGaussian:
            return made
        return Delta(made) if self.kind is Delta else as_gaussian(made)
