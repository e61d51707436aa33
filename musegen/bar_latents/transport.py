"""The rhythms that a prior generates, carried to where those of real bars are.

A game and moments over pieces know little of a track that seldom plays: in most pieces it is
silent. Here each track counts in the bars in which it sounds. Its latents of rhythm, generated and
real ones, are seen as two Gaussians, and the map that carries one to the other with the least
movement (Dowson and Landau, Journal of Multivariate Analysis 1982) becomes part of the layer that
generates them.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from core.theory.contracts import require
from core.theory.passes import Networks
from core.theory.shapes import Latents
from musegen.bar_latents.autoencoder import BarLatents, Rows, sounds
from musegen.bar_latents.prior import LatentPrior

PIECES, BATCH = 2048, 128
"""Pieces that are generated to see where a prior's rhythms are, and how many at a time."""

ROUNDS = 2
"""Rounds of alignment: normalised latents are not quite those that the layer's map generates."""

LEAST = 1e-6
"""The least variance along any axis, of the largest: normalised latents lie in a plane."""

Matrix = Float[Tensor, "latent latent"]


class Transport(NamedTuple):
    """The map u -> matrix u + shift."""

    matrix: Matrix
    shift: Float[Tensor, " latent"]


def transport(
    generated: Float[Tensor, "generated latent"], real: Float[Tensor, "real latent"]
) -> Transport:
    """Return the optimal transport of the Gaussian of `generated` to that of `real`.

    With covariances S and R: the matrix S^-1/2 (S^1/2 R S^1/2)^1/2 S^-1/2.

    >>> generated, real = torch.tensor([[-1.0], [1.0]]), torch.tensor([[2.0], [8.0]])
    >>> [part.flatten().tolist() for part in transport(generated, real)]
    [[3.0], [5.0]]
    """
    generated, real = generated.double(), real.double()
    root, inverse = _power(_covariance(generated), 0.5), _power(_covariance(generated), -0.5)
    matrix = inverse @ _power(root @ _covariance(real) @ root, 0.5) @ inverse
    return Transport(matrix.float(), (real.mean(0) - matrix @ generated.mean(0)).float())


def _covariance(rows: Rows) -> Matrix:
    return torch.atleast_2d(rows.T.cov(correction=0))


def _power(symmetric: Matrix, exponent: float) -> Matrix:
    values, vectors = torch.linalg.eigh(symmetric)
    least = (LEAST * values.max()).clamp(min=torch.finfo(values.dtype).tiny)
    return (vectors * values.maximum(least) ** exponent) @ vectors.T


@torch.no_grad()
def align_rhythms(networks: Networks, real: Latents, pieces: int = PIECES) -> None:
    """Carry the rhythms of generated bars to those of real ones, in place.

    `real`: encoded phrases of the training songs. A track that sounds in none of them stays.
    """
    prior = require(networks["prior"], LatentPrior)
    wanted = _by_bar(prior, real)
    for _ in range(ROUNDS):
        sizes = [min(BATCH, pieces - first) for first in range(0, pieces, BATCH)]
        generated = torch.cat([_by_bar(prior, prior(size).rsample()) for size in sizes])
        deviations = prior.deviations(sizes[0])
        for track in range(prior.tracks):
            rows = [_sounding(bars[:, :, track]) for bars in (generated, wanted)]
            if all(len(one) > 1 for one in rows):
                _fold(prior, track, transport(*rows), deviations[track])


def _by_bar(prior: LatentPrior, z: Latents) -> BarLatents:
    bars = z.unflatten(1, (-1, prior.tracks, prior.config.size))  # [batch bar track latent]
    rhythms = bars[..., : prior.config.rhythm]
    return rhythms * sounds(bars)[..., None]


def _sounding(bars: Float[Tensor, "batch bar latent"]) -> Rows:
    rows = bars.flatten(0, 1)  # [batch*bar latent]
    return rows[rows.any(1)]


def _fold(prior: LatentPrior, track: int, carried: Transport, deviation: Tensor) -> None:
    """Let the last layer generate carried latents of one track.

    It generates s u + m, where u is normalised: carried are s (matrix u + shift), for the mean s.
    """
    weight, bias = prior.last_of_rhythm(track)  # [width latent], [1 latent]
    latents = len(carried.shift)
    centred = torch.eye(latents, device=weight.device) - 1 / latents
    matrix = (carried.matrix @ centred).T
    weight.copy_(weight @ matrix)
    bias.copy_(bias @ matrix + deviation * carried.shift)
