"""Small networks that end in a distribution: multilayer perceptrons, priors, posterior heads."""

import itertools

import torch
from torch import Tensor, nn

from core.networks.codes import CodeHead
from core.networks.hierarchy import (
    Fine,
    HierarchicalDelta,
    HierarchicalGaussian,
    HierarchicalHead,
    coarse_size,
)
from core.theory.codes import CodePosterior
from core.theory.distributions import Delta, Distribution, Gaussian, as_gaussian
from core.theory.shapes import Features, Latents


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
        """Return the last hidden layer, the input of the last linear map."""
        for layer in list(self)[:-1]:
            x = layer(x)
        return x

    def hidden_and_output(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the last hidden layer and the output."""
        hidden = self.hidden(x)
        return hidden, self[-1](hidden)


class StandardNormal(nn.Module):
    """(batch, c) -> the prior N(0, I) over z [batch latent], independent of the condition."""

    mean: Tensor

    def __init__(self, latent: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(latent))

    def forward(self, batch: int, c: Tensor | None = None) -> Gaussian:
        mean = self.mean.expand(batch, -1)
        return Gaussian(mean, torch.zeros_like(mean))


class ConditionalGaussian(nn.Module):
    """(batch, c) -> the prior p(z given c), a diagonal Gaussian of the condition."""

    def __init__(self, condition: int, latent: int, width: int):
        super().__init__()
        self.layers = MLP(condition, width, 2 * latent)

    def forward(self, batch: int, c: Features) -> Gaussian:
        return as_gaussian(self.layers(c))


class GaussianHead(nn.Linear):
    """features [batch width] -> q(z given x) = N(mean, diag(std^2))."""

    def __init__(self, width: int, latent: int):
        super().__init__(width, 2 * latent)

    def forward(self, features: Features) -> Gaussian:  # type: ignore[override]  # a distribution
        return as_gaussian(super().forward(features))


class DeltaHead(nn.Linear):
    """features [batch width] -> a deterministic z [batch latent]."""

    def forward(self, features: Features) -> Delta:  # type: ignore[override]  # a distribution
        return Delta(super().forward(features))


class HierarchicalDeltaHead(nn.Module):
    """features [batch width] -> a coarse z_1 and, given z_1 and the features, a fine z_2.

    The encoder of VQ-VAE-2 (Razavi et al., NIPS 2019, algorithm 1): e_top = quantise(E(x)),
    e_bottom = quantise(E(x, e_top)).
    """

    def __init__(self, width: int, latent: int):
        super().__init__()
        coarse = coarse_size(latent)
        self.top = nn.Linear(width, coarse)
        self.bottom = MLP(coarse + width, width, latent - coarse)

    def forward(self, features: Features) -> HierarchicalDelta:
        def bottom(top: Latents) -> Fine:
            return self.bottom(torch.cat([top, features], 1))

        return HierarchicalDelta(self.top(features), bottom)


HEADS: dict[type[Distribution], type[nn.Module]] = {
    Gaussian: GaussianHead,
    Delta: DeltaHead,
    HierarchicalGaussian: HierarchicalHead,
    HierarchicalDelta: HierarchicalDeltaHead,
    CodePosterior: CodeHead,
}


class PosteriorHead(nn.Module):
    """features [batch width] -> q(z given x), a distribution of the chosen kind (of `HEADS`)."""

    def __init__(self, width: int, latent: int, kind: type[Distribution]):
        super().__init__()
        self.linear = HEADS[kind](width, latent)

    def forward(self, features: Features) -> Distribution:
        return self.linear(features)
