"""The ring of eight Gaussians: the smallest domain, on which every recipe must learn.

x is a point [batch 2]: one of eight modes at radius 2, standard deviation 0.1.
"""

import math

import torch
from torch import Tensor, nn

from core.distributions import Distribution, Gaussian
from core.networks import MLP, LatentCritic, PosteriorHead, Standard
from core.passes import Batch, Networks
from core.recipes import Recipe
from core.shapes import Features, Latents, Samples, Scores

MODES, RADIUS, STD = 8, 2.0, 0.1
LATENT, WIDTH = 2, 128


def modes() -> Samples:
    """The eight means, [8 2]."""
    angle = torch.arange(MODES) * (2 * math.pi / MODES)
    return RADIUS * torch.stack([angle.cos(), angle.sin()], 1)


def points(count: int, seed: int) -> Samples:
    """Draw points of the ring, [count 2]."""
    generator = torch.Generator().manual_seed(seed)
    mode = torch.randint(MODES, (count,), generator=generator)
    return modes()[mode] + STD * torch.randn(count, 2, generator=generator)


def batch(draw: int, size: int = 256) -> Batch:
    """The batch of draw n, a function of n alone."""
    return Batch(points(size, seed=draw))


def networks(recipe: Recipe) -> Networks:
    """The networks of a recipe for points of the ring."""
    builders = {
        "encoder": lambda: Encoder(recipe.posterior),
        "decoder": Decoder,
        "prior": lambda: Standard(LATENT),
        "critic_x": Critic,
        "critic_z": lambda: LatentCritic(LATENT, WIDTH),
    }
    return Networks({name: builders[name]() for name in recipe.networks})


class Encoder(nn.Module):
    """x [batch 2] -> q(z given x)."""

    def __init__(self, kind: type[Distribution]):
        super().__init__()
        self.body = nn.Sequential(MLP(2, WIDTH, WIDTH), nn.LeakyReLU(0.2))
        self.head = PosteriorHead(WIDTH, LATENT, kind)

    def forward(self, x: Samples, c: Tensor | None = None) -> Distribution:
        return self.head(self.body(x))


class Decoder(nn.Module):
    """z [batch 2] -> p(x given z), with the spread of one mode."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = MLP(LATENT, WIDTH, WIDTH, WIDTH, 2)

    def forward(self, z: Latents, c: Tensor | None = None) -> Gaussian:
        mean = self.layers(z)
        return Gaussian(mean, torch.full_like(mean, math.log(STD)))


class Critic(nn.Module):
    """x [batch 2] -> score [batch]."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(MLP(2, WIDTH, WIDTH), nn.LeakyReLU(0.2))
        self.last = nn.Linear(WIDTH, 1)

    def features(self, x: Samples) -> Features:
        return self.body(x)

    def statistics(self, x: Samples) -> tuple[Features, ...]:
        """First and second moments."""
        return (x, x**2)

    def forward(self, x: Samples) -> Scores:
        return self.last(self.features(x)).squeeze(-1)


def coverage(x: Samples) -> tuple[int, float]:
    """(modes that hold at least a quarter of their share, share of points within 5 std of a mode).

    The real ring gives (8, 1.0).
    """
    distance, nearest = torch.cdist(x, modes()).min(1)
    good = distance < 5 * STD
    counts = torch.bincount(nearest[good], minlength=MODES)
    covered = (counts >= 0.25 * len(x) / MODES).sum().item()
    return int(covered), good.float().mean().item()
