"""Networks that any domain can use: each ends in a distribution or in a score."""

import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn

from core.distributions import Delta, Distribution, Gaussian, as_gaussian
from core.hierarchy import LevelHead, Levels
from core.shapes import Features, Latents, Samples, Scores


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


class Standard(nn.Module):
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
        if kind is Levels:
            self.linear: nn.Module = LevelHead(width, latent)
        else:
            self.linear = nn.Linear(width, latent if kind is Delta else 2 * latent)

    def forward(self, features: Features) -> Distribution:
        made = self.linear(features)
        if self.kind is Levels:
            return made
        return Delta(made) if self.kind is Delta else as_gaussian(made)


class LatentCritic(nn.Module):
    """Scores points of a flat latent space."""

    def __init__(self, latent: int, width: int = 256):
        super().__init__()
        self.layers, self.width = MLP(latent, width, width, 1), width

    def augment(self, z: Latents) -> Latents:
        """As it is: nothing moves z and leaves it a z."""
        return z

    def features(self, z: Latents) -> Features:
        """The last hidden layer."""
        return self.layers.hidden(z)

    def forward(self, z: Latents) -> Scores:
        return self.layers(z).squeeze(-1)


class JointCritic(nn.Module):
    """Scores x with what goes with it, z or c: `reader` makes features [batch n] of x.

    `augment` moves x, where that is wanted.
    """

    def __init__(
        self,
        reader: nn.Module,
        features: int,
        beside: int,
        augment: Callable[[Tensor], Tensor],
        width: int = 256,
    ):
        super().__init__()
        self.reader, self.augment = reader, augment
        self.layers, self.width = MLP(features + beside, width, width, 1), width

    def features(self, x: Samples, beside: Latents) -> Features:
        """The last hidden layer."""
        return self.layers.hidden(torch.cat([self.reader(x).float(), beside], 1))

    def forward(self, x: Samples, beside: Latents) -> Scores:
        return self.layers(torch.cat([self.reader(x).float(), beside], 1)).squeeze(-1)
