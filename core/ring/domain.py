"""The ring of eight Gaussians: the smallest domain, on which every recipe must learn.

x is a point [batch 2]: one of eight modes at radius 2, standard deviation 0.1.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from core.densities.sequences import SequenceDensity
from core.networks.augmentation import SHARE
from core.networks.critics import JointCritic, LatentCritic
from core.networks.heads import MLP, PosteriorHead, StandardNormal
from core.recipes import Recipe
from core.theory.distributions import Categorical, Delta, Distribution, Gaussian
from core.theory.passes import Batch, Networks
from core.theory.shapes import Features, Latents, Samples, Scores
from core.theory.terms import Reconstruct

Points = Float[Tensor, "batch 2"]
OneHotSymbols = Float[Tensor, "batch part symbol"]
"""Points in symbols, one-hot."""

MODES, RADIUS, STD = 8, 2.0, 0.1
LATENT, WIDTH = 2, 128
CONDITION = 8
"""Numbers as which a label is read."""


def modes() -> Samples:
    """The eight means, [8 2]."""
    angle = torch.arange(MODES) * (2 * math.pi / MODES)
    return RADIUS * torch.stack([angle.cos(), angle.sin()], 1)


def labelled(count: int, seed: int) -> Batch:
    """Points of the ring, x [count 2], with the number of the mode as one-hot c [count 8]."""
    generator = torch.Generator().manual_seed(seed)
    mode = torch.randint(MODES, (count,), generator=generator)
    x = modes()[mode] + STD * torch.randn(count, 2, generator=generator)
    return Batch(x, F.one_hot(mode, MODES).float())


def points(count: int, seed: int) -> Samples:
    """Draw points of the ring, [count 2]."""
    return labelled(count, seed).x


def batch(draw: int, size: int = 256) -> Batch:
    """The batch of draw n, a function of n alone."""
    return Batch(points(size, seed=draw))


def labelled_batch(draw: int, size: int = 256) -> Batch:
    """The same points with their labels."""
    return labelled(size, seed=draw)


def other_points(count: int, seed: int) -> Samples:
    """Points of another ring: half as large, and turned by half of the way between two modes."""
    turn = math.pi / MODES
    turned = torch.tensor([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    return 0.5 * points(count, seed) @ turned


def two_rings(draw: int, size: int = 256) -> Batch:
    """Points of both rings; which belong together nobody knows."""
    return Batch(points(size, seed=2 * draw), other=other_points(size, seed=2 * draw + 1))


TURN, ASIDE = 0.25, 0.3
"""How the shifted ring lies: turned (of pi / 4 between two modes) and moved to the right."""


def shifted_points(count: int, seed: int) -> Samples:
    """Points of the ring after it was turned and moved."""
    turned = torch.tensor([[math.cos(TURN), math.sin(TURN)], [-math.sin(TURN), math.cos(TURN)]])
    return points(count, seed) @ turned + torch.tensor([ASIDE, 0.0])


def shifted_ring(draw: int, size: int = 256) -> Batch:
    """Points of the ring with labels, and of the shifted one without."""
    batch = labelled(size, seed=2 * draw)
    return replace(batch, other=shifted_points(size, seed=2 * draw + 1))


LEVELS, EDGE = 6, 3.0
"""Symbols of a point, each a quadrant of the one before, and half the side of the first square."""


def to_symbols(x: Points) -> OneHotSymbols:
    """Points [batch 2] as symbols [batch 6 4], one-hot: which quadrant, of that which, and so on.

    Points beyond the square count as of its edge.
    """
    cell = ((x + EDGE) / (2 * EDGE) * 2**LEVELS).long().clamp(0, 2**LEVELS - 1)
    level = torch.arange(LEVELS - 1, -1, -1)
    right, up = ((cell[:, axis, None] >> level) & 1 for axis in range(2))
    return F.one_hot(2 * right + up, 4).float()


def from_symbols(symbols: OneHotSymbols) -> Points:
    """Symbols as points, each anywhere in its square."""
    chosen, level = symbols.argmax(2), 2.0 ** torch.arange(LEVELS - 1, -1, -1)
    cell = torch.stack([((chosen // 2) * level).sum(1), ((chosen % 2) * level).sum(1)], 1)
    return (cell + torch.rand_like(cell)) / 2**LEVELS * 2 * EDGE - EDGE


def symbol_batch(draw: int, size: int = 256) -> Batch:
    """The points of a draw, told in symbols."""
    return Batch(to_symbols(points(size, seed=draw)))


def batches(recipe: Recipe) -> Callable[[int], Batch]:
    """What a recipe trains on: points, with labels or points of another ring where it asks."""
    if recipe.sequence:
        return symbol_batch
    if recipe.other:
        return shifted_ring if "classifier" in recipe.networks else two_rings
    return labelled_batch if recipe.needs & {"condition", "labels"} else batch


def networks(recipe: Recipe) -> Networks:
    """The networks of a recipe for points of the ring; with a condition they read labels."""
    read = CONDITION if "condition" in recipe.networks else 0
    builders = {
        "encoder": lambda: Encoder(recipe.posterior, read),
        "decoder": lambda: (
            Encoder(Delta) if recipe.other else Decoder(read, learned=_dreams(recipe))
        ),
        "prior": lambda: _prior(recipe, read),
        "density": lambda: _density(recipe),
        "condition": lambda: nn.Linear(MODES, CONDITION),
        "critic_x": Critic,
        "critic_xz": lambda: JointCritic(nn.Identity(), 2, LATENT, turned, WIDTH),
        "critic_xc": lambda: JointCritic(nn.Identity(), 2, MODES, turned, WIDTH),
        "critic_z": lambda: LatentCritic(LATENT, WIDTH),
        "critic_domain": lambda: LatentCritic(LATENT, WIDTH),
        "source": lambda: Encoder(recipe.posterior),
        "classifier": Classifier,
    }
    return Networks({name: builders[name]() for name in recipe.networks})


def _dreams(recipe: Recipe) -> bool:
    """Whether no statement shows data to the encoder."""
    return "encoder" in recipe.networks and not any(
        "encoder" in term.trains and not (isinstance(term, Reconstruct) and term.space == "z")
        for term in recipe.terms
    )


def _density(recipe: Recipe) -> nn.Module:
    if recipe.sequence:
        return SequenceDensity(LEVELS, 4, recipe.sequence)
    assert recipe.density
    return recipe.density(2)


def _prior(recipe: Recipe, read: int) -> nn.Module:
    if recipe.prior:
        return recipe.prior(LATENT, read)
    return LabelPrior() if read and recipe.learns_prior else StandardNormal(LATENT)


def _beside(x: Tensor, c: Tensor | None) -> Tensor:
    return x if c is None else torch.cat([x, c], 1)


class Encoder(nn.Module):
    """x [batch 2], c -> q(z given x, c)."""

    def __init__(self, kind: type[Distribution], read: int = 0):
        super().__init__()
        self.body = nn.Sequential(MLP(2 + read, WIDTH, WIDTH), nn.LeakyReLU(0.2))
        self.head = PosteriorHead(WIDTH, LATENT, kind)

    def forward(self, x: Samples, c: Tensor | None = None) -> Distribution:
        return self.head(self.body(_beside(x, c)))


class Decoder(nn.Module):
    """z [batch 2], c -> p(x given z, c), with the spread of one mode.

    `learned`: or with one that is learned from a wide one on. An encoder that sees nothing but
    dreams never finds the data unless dreams reach them from the start.
    """

    def __init__(self, read: int = 0, learned: bool = False) -> None:
        super().__init__()
        self.layers = MLP(LATENT + read, WIDTH, WIDTH, WIDTH, 2)
        self.wider = nn.Parameter(torch.tensor(-math.log(STD))) if learned else None

    def forward(self, z: Latents, c: Tensor | None = None) -> Gaussian:
        mean = self.layers(_beside(z, c))
        wider = 0.0 if self.wider is None else self.wider.clamp(min=0)
        return Gaussian(mean, torch.full_like(mean, math.log(STD)) + wider)


class Classifier(nn.Module):
    """z [batch 2] -> p(label given z)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = MLP(LATENT, WIDTH, MODES)

    def forward(self, z: Latents) -> Categorical:
        return Categorical(self.layers(z))


class LabelPrior(nn.Module):
    """p(z given c): a Gaussian for each label."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(CONDITION, 2 * LATENT)

    def forward(self, batch: int, c: Tensor) -> Gaussian:
        mean, log_std = self.linear(c).chunk(2, 1)
        return Gaussian(mean, log_std)


def turned(x: Samples) -> Samples:
    """Half of the points turned by up to half of the way between two modes."""
    chosen = torch.rand(len(x), 1) < SHARE
    angle = chosen * (2 * torch.rand(len(x), 1) - 1) * math.pi / MODES
    right, up = x.split(1, 1)
    return torch.cat(
        [right * angle.cos() - up * angle.sin(), right * angle.sin() + up * angle.cos()], 1
    )


class Critic(nn.Module):
    """x [batch 2] -> score [batch]."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(MLP(2, WIDTH, WIDTH), nn.LeakyReLU(0.2))
        self.last = nn.Linear(WIDTH, 1)
        self.width = WIDTH

    def augment(self, x: Samples) -> Samples:
        return turned(x)

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


def agreement(x: Samples, c: Tensor) -> float:
    """Share of points that lie nearest to the mode of their label."""
    nearest = torch.cdist(x, modes()).argmin(1)
    return (nearest == c.argmax(1)).float().mean().item()
