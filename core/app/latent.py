"""Points in the latent space of a trained model: slerp, arithmetic, variations.

A point keeps its z as the noise u of which the prior makes it: of a Gaussian (z - mean) / std, of
a flow f(z). There the prior is N(0, I) whatever the condition, and slerp keeps to lengths that the
prior knows. Where noise does not follow from z, u is z.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from core.app.sampling import LARGEST_CHUNK, Rows, in_chunks
from core.errors import ConfigError, UserError
from core.theory.contracts import Invertible
from core.theory.distributions import Distribution
from core.theory.passes import Networks, read_condition
from core.theory.shapes import Latents, Losses, Samples

Kept = Bool[Tensor, " latent"]
"""True for the latents that variations keep."""


@dataclass(frozen=True)
class LatentPoints:
    """Points u [batch latent], with the conditions c as encoder, decoder and prior read them.

    They belong to one trained model: points of two models are unrelated.
    """

    u: Latents
    c: Tensor | None = None

    def __getitem__(self, chosen: slice | Tensor) -> "LatentPoints":
        return LatentPoints(self.u[chosen], None if self.c is None else self.c[chosen])

    def __len__(self) -> int:
        return len(self.u)


def concat(points: Sequence[LatentPoints]) -> LatentPoints:
    """Join latent points, and their conditions, into one batch in their order."""
    conditions = [one.c for one in points if one.c is not None]
    return LatentPoints(
        torch.cat([one.u for one in points]), torch.cat(conditions) if conditions else None
    )


@dataclass(frozen=True)
class LatentSpace:
    """The latent space of trained networks; `UserError` where the model has none.

    `tries`: samples of the prior of which one is taken, see `sample`; 1 where nothing can choose.
    """

    networks: Networks
    name: str = "this model"
    tries: int = 1

    def __post_init__(self) -> None:
        if "decoder" not in self.networks:
            raise UserError(f"{self.name} has no latent space: it is a density over x itself")

    def sample(self, count: int, c: Tensor | None) -> Latents:
        """Sample z from the prior, c as the networks take it; `UserError` without a prior.

        The prior may have mass where the data have none, so of several tries one is taken. By
        the ratio of densities, where one was learned: a try's chance is in proportion to it, so
        that z is distributed as encoded data are (sampling importance resampling, as by Aneja et
        al., NeurIPS 2021). Else the one whose x the model reconstructs best: what is decoded from
        elsewhere is nothing that the encoder knows.
        """
        tries = self.tries if {"ratio", "encoder"} & set(self.networks) else 1
        many = None if c is None else c.repeat_interleave(tries, 0)  # [(count try) ...]
        prior = self._prior(count * tries, many)
        if prior is None:
            raise UserError(f"{self.name} has no prior to sample from: give it files")
        z = prior.rsample()
        if tries == 1:
            return z
        parts = torch.arange(len(z), device=z.device).split(LARGEST_CHUNK)
        score = self._resampled if "ratio" in self.networks else self._faithful
        scores = [score(z[part], None if many is None else many[part]) for part in parts]
        best = torch.cat(scores).unflatten(0, (-1, tries)).argmax(1)  # [count]
        return z[torch.arange(count, device=z.device) * tries + best]

    def _resampled(self, z: Latents, c: Tensor | None) -> Losses:
        """Return log ratios with Gumbel noise: the largest is a choice in proportion to them."""
        ratio = self.networks["ratio"](z, c)
        return ratio - torch.empty_like(ratio).exponential_().log()  # [batch]

    def _faithful(self, z: Latents, c: Tensor | None) -> Losses:
        """Return the mean squared errors, negative, with which the x(z) are reconstructed."""
        encoder, decoder = self.networks["encoder"], self.networks["decoder"]
        x = decoder(z, c).representative
        reconstruction = decoder(encoder(x, c).representative, c).representative
        return -(reconstruction - x).square().flatten(1).mean(1)  # [batch]

    def draw(self, count: int, c: Tensor | None, seed: int) -> LatentPoints:
        """Sample points, see `sample`; c raw, [count *condition]."""
        condition = read_condition(self.networks, c)

        def draw(rows: Rows) -> Samples:
            of_rows = None if condition is None else condition[rows]
            z = self.sample(len(rows), of_rows)
            return _in_units(self._prior(len(rows), of_rows), z)

        parameters = self.networks.parameters()
        device = next((p.device for p in parameters), torch.device("cpu"))
        return LatentPoints(in_chunks(count, seed, device, draw), condition)

    def latents(self, points: LatentPoints) -> Latents:
        """Return the z of points, as the decoder takes it."""
        return _out_of_units(self._prior(len(points), points.c), points.u)

    def encode(self, x: Samples, c: Tensor | None) -> LatentPoints:
        """Encode samples: the means (or modes) of q(z given x, c)."""
        if "encoder" not in self.networks:
            raise UserError(
                f"{self.name} has no encoder, so no file can be encoded: train a model that "
                "reconstructs, as --model vae"
            )
        condition = read_condition(self.networks, c)

        def encode(rows: Rows) -> Samples:
            of_rows = None if condition is None else condition[rows]
            z = self.networks["encoder"](x[rows], of_rows).representative
            return _in_units(self._prior(len(rows), of_rows), z)

        return LatentPoints(in_chunks(len(x), 0, x.device, encode), condition)

    def decode(self, points: LatentPoints) -> Distribution:
        """Return p(x given z, c) at points."""
        return self.networks["decoder"](self.latents(points), points.c)

    def keeping(self, point: LatentPoints, varied: LatentPoints, kept: Kept) -> LatentPoints:
        """Return varied points with what is `kept` of the z of a point: u mixes all parts of z."""
        own = LatentPoints(point.u.expand_as(varied.u), varied.c)
        z = self.latents(own).where(kept, self.latents(varied))
        return LatentPoints(_in_units(self._prior(len(varied), varied.c), z), varied.c)

    def _prior(self, count: int, c: Tensor | None) -> Distribution | None:
        """Return p(z given c); None where the model has no prior."""
        return self.networks["prior"](count, c) if "prior" in self.networks else None


def _in_units(prior: Distribution | None, z: Latents) -> Latents:
    return prior.to_noise(z) if isinstance(prior, Invertible) else z


def _out_of_units(prior: Distribution | None, u: Latents) -> Latents:
    return prior.from_noise(u) if isinstance(prior, Invertible) else u


def slerp(start: LatentPoints, end: LatentPoints, steps: int) -> LatentPoints:
    """Interpolate between two points on the great circle, both included; [steps latent].

    Lengths stay between those of the ends (White, arXiv 1609.04468); conditions are mixed in
    proportion.
    """
    share = torch.linspace(0, 1, steps, device=start.u.device)[:, None]
    angle = torch.arccos(torch.cosine_similarity(start.u, end.u).clamp(-1, 1))[:, None]
    if math.sin(angle.item()) < 1e-4:  # the same direction or the opposite one: a straight line
        u = torch.lerp(start.u.expand(steps, -1), end.u.expand(steps, -1), share)
    else:
        u = torch.sin((1 - share) * angle) * start.u + torch.sin(share * angle) * end.u
        u = u / torch.sin(angle)
    if start.c is None or end.c is None:
        return LatentPoints(u)
    part = share.view(-1, *[1] * (start.c.ndim - 1))  # [steps *1]
    return LatentPoints(u, (1 - part) * start.c + part * end.c)


def arithmetic(a: LatentPoints, b: LatentPoints, c: LatentPoints) -> LatentPoints:
    """Return a - b + c, of conditions too (Radford, Metz and Chintala, ICLR 2016)."""
    if a.c is None or b.c is None or c.c is None:
        return LatentPoints(a.u - b.u + c.u)
    return LatentPoints(a.u - b.u + c.u, a.c - b.c + c.c)


def standard_noise(point: LatentPoints, count: int, seed: int) -> Latents:
    """Draw samples of N(0, I), of a point's size."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, point.u.shape[1], generator=generator).to(point.u)


def variations(point: LatentPoints, strength: float, noise: Latents) -> LatentPoints:
    """Return points around one: sqrt(1 - s^2) u + s noise; strength 0 is the point itself.

    Variations of a sample of the prior are samples of the prior, where that is N(0, I) in u.
    `ConfigError` for a strength that is not from 0 to 1.
    """
    if not 0 <= strength <= 1:
        raise ConfigError(f"strength is 0 to 1, not {strength:g}")
    count = len(noise)
    c = None if point.c is None else point.c.expand(count, *point.c.shape[1:])
    u = math.sqrt(1 - strength**2) * point.u + strength * noise
    return LatentPoints(u, c)
