"""The ring of eight Gaussians: the smallest domain, on which every recipe must learn.

x is a point [batch 2]: one of eight modes at radius 2, standard deviation 0.1.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from core.densities.sequences import SequenceDensity
from core.networks.augmentation import SHARE
from core.networks.codes import LatentCodePrior
from core.networks.critics import LatentCritic
from core.networks.heads import MLP, PosteriorHead, StandardNormal
from core.recipe import Recipe
from core.theory.distributions import Categorical, Delta, Distribution, Gaussian, as_gaussian
from core.theory.passes import Batch, Networks
from core.theory.shapes import Features, Latents, Samples, Scores
from core.theory.terms import CriticWeighted, Reconstruct

Points = Float[Tensor, "batch 2"]
OneHotSymbols = Float[Tensor, "batch part symbol"]
"""Points in symbols, one-hot."""

OFFERS = frozenset({"condition", "vectors", "maps", "other", "statistics", "symbols"})
"""Properties of the ring that a recipe can need; a point is a map without positions."""

MODES, RADIUS, STD = 8, 2.0, 0.1
LATENT, WIDTH = 2, 128
CODED_LATENT = 16
"""Size of z with a code that has a category for each mode."""
GAIN = 2.0
"""Factor of z before a decoder and of x before a critic: the first layer bends more often."""
CONDITION = 8
"""Size of a label's embedding."""


def modes() -> Samples:
    """Return the eight means, [8 2]."""
    angle = torch.arange(MODES) * (2 * math.pi / MODES)
    return RADIUS * torch.stack([angle.cos(), angle.sin()], 1)


def labelled(count: int, seed: int) -> Batch:
    """Draw points of the ring, x [count 2], with the number of the mode as one-hot c [count 8]."""
    generator = torch.Generator().manual_seed(seed)
    mode = torch.randint(MODES, (count,), generator=generator)
    x = modes()[mode] + STD * torch.randn(count, 2, generator=generator)
    return Batch(x, F.one_hot(mode, MODES).float())


def points(count: int, seed: int) -> Samples:
    """Draw points of the ring, [count 2]."""
    return labelled(count, seed).x


def batch(draw: int, size: int = 256) -> Batch:
    """Return the batch of draw n, a function of n alone."""
    return Batch(points(size, seed=draw))


def labelled_batch(draw: int, size: int = 256) -> Batch:
    """Return the same points with their labels."""
    return labelled(size, seed=draw)


def rotation(angle: float) -> Float[Tensor, "2 2"]:
    """Return the matrix that rotates points by an angle: x @ rotation."""
    cosine, sine = math.cos(angle), math.sin(angle)
    return torch.tensor([[cosine, sine], [-sine, cosine]])


def other_points(count: int, seed: int) -> Samples:
    """Draw points of another ring: half as large, rotated by half of the way between two modes."""
    return 0.5 * points(count, seed) @ rotation(math.pi / MODES)


def two_rings(draw: int, size: int = 256) -> Batch:
    """Draw unpaired points of both rings."""
    return Batch(points(size, seed=2 * draw), other=other_points(size, seed=2 * draw + 1))


TURN, ASIDE = 0.25, 0.3
"""Rotation of the shifted ring, in radians (between two modes: pi / 4), and its shift in x."""


def shifted_points(count: int, seed: int) -> Samples:
    """Draw points of the ring after it was rotated and shifted."""
    return points(count, seed) @ rotation(TURN) + torch.tensor([ASIDE, 0.0])


def shifted_ring(draw: int, size: int = 256) -> Batch:
    """Return points of the ring with labels, and of the shifted one without."""
    batch = labelled(size, seed=2 * draw)
    return replace(batch, other=shifted_points(size, seed=2 * draw + 1))


LEVELS, EDGE = 6, 3.0
"""Symbols of a point, each a quadrant of the square before, and half the first square's side."""


def to_symbols(x: Points) -> OneHotSymbols:
    """Return points [batch 2] as symbols [batch 6 4], one-hot: quadrants of quadrants.

    Points beyond the first square are counted at its edge.
    """
    cell = ((x + EDGE) / (2 * EDGE) * 2**LEVELS).long().clamp(0, 2**LEVELS - 1)
    level = torch.arange(LEVELS - 1, -1, -1, device=x.device)
    right, up = ((cell[:, axis, None] >> level) & 1 for axis in range(2))
    return F.one_hot(2 * right + up, 4).float()


def from_symbols(symbols: OneHotSymbols) -> Points:
    """Draw a point uniformly from the smallest square of each row of symbols."""
    chosen = symbols.argmax(2)
    level = 2.0 ** torch.arange(LEVELS - 1, -1, -1, device=symbols.device)
    cell = torch.stack([((chosen // 2) * level).sum(1), ((chosen % 2) * level).sum(1)], 1)
    return (cell + torch.rand_like(cell)) / 2**LEVELS * 2 * EDGE - EDGE


def symbol_batch(draw: int, size: int = 256) -> Batch:
    """Return the points of a draw as symbols."""
    return Batch(to_symbols(points(size, seed=draw)))


def batches(recipe: Recipe, size: int = 256) -> Callable[[int], Batch]:
    """Return a recipe's batches: points, with labels or points of another ring as it needs."""
    if recipe.sequence:
        draw = symbol_batch
    elif recipe.other:
        draw = shifted_ring if "classifier" in recipe.networks else two_rings
    else:
        draw = labelled_batch if recipe.needs & {"condition", "labels"} else batch
    return partial(draw, size=size)


def networks(recipe: Recipe, latent: int = LATENT, frequencies: int = 0) -> Networks:
    """Build the networks of a recipe for points of the ring; with a condition they read labels.

    `latent`: size of z. `frequencies`: those of the encoder's Fourier features.
    """
    read = CONDITION if "condition" in recipe.networks else 0
    latent = CODED_LATENT if recipe.prior is LatentCodePrior else latent
    builders = {
        "encoder": lambda: Encoder(recipe.posterior, read, latent, frequencies),
        "decoder": lambda: Encoder(Delta) if recipe.other else _decoder(recipe, read, latent),
        "prior": lambda: _prior(recipe, read, latent),
        "density": lambda: _density(recipe),
        "condition": lambda: nn.Linear(MODES, CONDITION),
        "critic_x": lambda: Critic(2, scaled),
        "critic_xz": lambda: Critic(2 + latent, scaled),
        "critic_xc": lambda: Critic(2 + MODES, scaled),
        "critic_z": lambda: CriticOfLatents(latent),
        "critic_domain": lambda: LatentCritic(latent, WIDTH),
        "source": lambda: Encoder(recipe.posterior, 0, latent, frequencies),
        "classifier": lambda: Classifier(latent),
    }
    return Networks({name: builders[name]() for name in recipe.networks})


def _decoder(recipe: Recipe, read: int, latent: int) -> nn.Module:
    if is_point_decoder(recipe):
        return PointDecoder(read, latent)
    return Decoder(read, latent, learned=_trains_encoder_on_samples_alone(recipe))


def is_point_decoder(recipe: Recipe) -> bool:
    """Return whether p(x given z) is a point, as in the papers of games and autoencoders.

    Noise of the decoder is for bounds of a likelihood: around exact reconstructions of the modes'
    points it would widen a mode's standard deviation from 0.1 to 0.14.
    """
    bounds_likelihood = any(
        (term.inner if isinstance(term, CriticWeighted) else term).name == "reconstruct_x"
        for term in recipe.terms
    )
    return issubclass(recipe.posterior, Delta) or not bounds_likelihood


def _trains_encoder_on_samples_alone(recipe: Recipe) -> bool:
    """Return whether no term shows data to the encoder."""
    return "encoder" in recipe.networks and not any(
        "encoder" in term.trains and not (isinstance(term, Reconstruct) and term.space == "z")
        for term in recipe.terms
    )


def _density(recipe: Recipe) -> nn.Module:
    if recipe.sequence:
        return SequenceDensity(LEVELS, 4, recipe.sequence)
    assert recipe.density
    return recipe.density(2)


def _prior(recipe: Recipe, read: int, latent: int) -> nn.Module:
    if recipe.prior:
        return recipe.prior(latent, read)
    return LabelPrior(latent) if read and recipe.learns_prior else StandardNormal(latent)


def _concat(x: Tensor, c: Tensor | None) -> Tensor:
    return x if c is None else torch.cat([x, c], 1)


def fourier_features(x: Tensor, frequencies: int) -> Tensor:
    """x [batch n] with sine and cosine of 1, 2, 4 ... times x, [batch n * (1 + 2 frequencies)].

    Tancik et al., NeurIPS 2020, with doubling frequencies. Without them an encoder maps a mode to
    a small blob of z, as its slope is small against the ring's radius, and z drawn between blobs
    is decoded to points between modes.
    """
    multiples = [2.0**k * x for k in range(frequencies)]
    waves = [wave for at in multiples for wave in (at.sin(), at.cos())]
    return torch.cat([x, *waves], 1)


class Encoder(nn.Module):
    """x [batch 2], c -> q(z given x, c)."""

    def __init__(
        self,
        kind: type[Distribution],
        read: int = 0,
        latent: int = LATENT,
        frequencies: int = 0,
    ):
        super().__init__()
        self.frequencies = frequencies
        inputs = 2 * (1 + 2 * frequencies) + read
        self.body = nn.Sequential(MLP(inputs, WIDTH, WIDTH), nn.LeakyReLU(0.2))
        self.head = PosteriorHead(WIDTH, latent, kind)

    def forward(self, x: Samples, c: Tensor | None = None) -> Distribution:
        return self.head(self.body(_concat(fourier_features(x, self.frequencies), c)))


def decoder_layers(read: int, latent: int) -> MLP:
    """Build the map from z, with c, to x. It must tear the plane between modes: four layers."""
    return MLP(latent + read, WIDTH, WIDTH, WIDTH, WIDTH, 2)


class Decoder(nn.Module):
    """z [batch latent], c -> p(x given z, c), with the standard deviation of one mode.

    `learned`: the standard deviation is learned, from a wide one down to that of a mode. An
    encoder that sees nothing but samples never finds the data unless samples reach them from the
    start.
    """

    def __init__(self, read: int = 0, latent: int = LATENT, learned: bool = False) -> None:
        super().__init__()
        self.layers = decoder_layers(read, latent)
        self.wider = nn.Parameter(torch.tensor(-math.log(STD))) if learned else None

    def forward(self, z: Latents, c: Tensor | None = None) -> Gaussian:
        mean = self.layers(_concat(GAIN * z, c))
        wider = 0.0 if self.wider is None else self.wider.clamp(min=0)
        return Gaussian(mean, torch.full_like(mean, math.log(STD)) + wider)


class PointDecoder(nn.Module):
    """z [batch latent], c -> a point x; errors are counted in standard deviations of a mode."""

    def __init__(self, read: int = 0, latent: int = LATENT) -> None:
        super().__init__()
        self.layers = decoder_layers(read, latent)

    def forward(self, z: Latents, c: Tensor | None = None) -> Delta:
        return Delta(self.layers(_concat(GAIN * z, c)), STD)


class Classifier(nn.Module):
    """z [batch latent] -> p(label given z)."""

    def __init__(self, latent: int = LATENT) -> None:
        super().__init__()
        self.layers = MLP(latent, WIDTH, MODES)

    def forward(self, z: Latents) -> Categorical:
        return Categorical(self.layers(z))


class LabelPrior(nn.Module):
    """p(z given c): a Gaussian for each label."""

    def __init__(self, latent: int = LATENT) -> None:
        super().__init__()
        self.linear = nn.Linear(CONDITION, 2 * latent)

    def forward(self, batch: int, c: Tensor) -> Gaussian:
        return as_gaussian(self.linear(c))


def rotated(x: Samples) -> Samples:
    """Rotate half of the points by up to half of the way between two modes."""
    chosen, turn = torch.rand(2, len(x), 1, device=x.device)
    angle = (chosen < SHARE) * (2 * turn - 1) * math.pi / MODES
    right, up = x.split(1, 1)
    return torch.cat(
        [right * angle.cos() - up * angle.sin(), right * angle.sin() + up * angle.cos()], 1
    )


def scaled(x: Samples, *beside: Tensor) -> Tensor:
    """Concatenate x, scaled so that modes are far apart for a critic, with z or c beside it."""
    return torch.cat([GAIN * x, *beside], 1)


class Critic(nn.Module):
    """A point (x,), (x, z) or (x, c), of x [batch 2] -> score [batch].

    `read`: concatenates the point to [batch inputs].
    """

    def __init__(self, inputs: int, read: Callable[..., Tensor]) -> None:
        super().__init__()
        self.layers, self.width = MLP(inputs, WIDTH, WIDTH, WIDTH, 1), WIDTH
        self.read = read

    def augment(self, x: Samples) -> Samples:
        return rotated(x)

    def features(self, *point: Tensor) -> Features:
        return self.layers.hidden(self.read(*point))

    def features_and_scores(self, *point: Tensor) -> tuple[Features, Scores]:
        features, scores = self.layers.hidden_and_output(self.read(*point))
        return features, scores.squeeze(-1)

    def statistics(self, x: Samples) -> tuple[Features, ...]:
        """Return first and second moments."""
        return (x, x**2)

    def forward(self, *point: Tensor) -> Scores:
        return self.features_and_scores(*point)[1]


class CriticOfLatents(Critic):
    """z [batch latent] -> score [batch], by Fourier features of z, in which small blobs show."""

    FREQUENCIES = 2

    def __init__(self, latent: int = LATENT) -> None:
        inputs = latent * (1 + 2 * self.FREQUENCIES)
        super().__init__(inputs, partial(fourier_features, frequencies=self.FREQUENCIES))

    def augment(self, x: Latents) -> Latents:
        """Return z as it is: no transformation leaves N(0, I) plausible for each sample."""
        return x


GOOD = 3 * STD
"""Largest distance of a good sample from a mode: three standard deviations."""


def coverage(x: Samples) -> tuple[int, float]:
    """Return (covered modes, share of good samples).

    A good sample lies within three standard deviations of a mode; a mode is covered by a quarter
    of its fair share of good samples (Srivastava et al., NIPS 2017, section 4.1, count a mode as
    covered by one). The real ring gives (8, 0.989): 1 - exp(-9 / 2).
    """
    distance, nearest = torch.cdist(x, modes()).min(1)
    good = distance < GOOD
    counts = torch.bincount(nearest[good], minlength=MODES)
    covered = (counts >= 0.25 * len(x) / MODES).sum().item()
    return int(covered), good.float().mean().item()
