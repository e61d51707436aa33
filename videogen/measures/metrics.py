"""What can be counted in clips: distances of distributions, agreement with captions, diversity.

Clips are float [clip rgb time height width] in [-1, 1]. What needs features or similarities takes
them as they are: `classifier` makes them, and the judge of moving shapes needs none.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from videogen.files.clip import Clips

Sample = Float[np.ndarray, "sample feature"]
OtherSample = Float[np.ndarray, "other feature"]
Similarity = Float[np.ndarray, "clip caption"]


def frechet(one: Sample, other: OtherSample) -> float:
    """Squared Frechet distance of the Gaussians through two samples (Dowson and Landau 1982).

    |m - m'|^2 + tr(S + S' - 2 (S S')^(1/2)); 0 for the same mean and covariance. It is biased
    upwards for small samples: only values of equal counts compare.
    """
    apart = one.mean(0) - other.mean(0)
    first, second = _covariance(one), _covariance(other)
    root = _root(first)
    shared = np.sqrt(_eigenvalues(root @ second @ root)).sum()
    return float(apart @ apart + np.trace(first) + np.trace(second) - 2 * shared)


def _covariance(sample: np.ndarray) -> Float[np.ndarray, "feature feature"]:
    return np.atleast_2d(np.cov(sample.astype(np.float64), rowvar=False))


def _root(covariance: Float[np.ndarray, "feature feature"]) -> np.ndarray:
    """The symmetric square root."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(values.clip(min=0))) @ vectors.T


def _eigenvalues(matrix: Float[np.ndarray, "feature feature"]) -> np.ndarray:
    """Of a matrix that is symmetric and not negative but for rounding."""
    return np.linalg.eigvalsh((matrix + matrix.T) / 2).clip(min=0)


def right_over_wrong(similarity: Similarity, captions: Sequence[str]) -> float:
    """How often a clip is nearer to its own caption than to another clip's other one; 0.5: chance.

    Clip k was made for caption k. Equals count half.
    """
    own = similarity.diagonal()[:, None]
    wrong = _different(captions)
    wins = (own > similarity) + 0.5 * (own == similarity)
    return float(wins[wrong].mean()) if wrong.any() else float("nan")


def first_choice(similarity: Similarity, captions: Sequence[str]) -> float:
    """How often a clip's own caption is the nearest of all; chance is 1 / different captions."""
    nearest = similarity.argmax(1)
    return float(np.mean([captions[n] == captions[k] for k, n in enumerate(nearest)]))


def _different(captions: Sequence[str]) -> np.ndarray:
    """Which two captions differ, [caption caption]."""
    names = np.unique(captions, return_inverse=True)[1]
    return names[:, None] != names[None, :]


def diversity(one: Clips, other: Clips) -> float:
    """Mean over clips of how far two clips of one caption differ, 0 to 1.

    Root mean square over pixels, in widths of the range.
    """
    apart = ((one.float() - other.float()) / 2).square().mean((1, 2, 3, 4)).sqrt()
    return float(apart.mean())


def returned(clips: Clips, again: Clips) -> float:
    """Share of the clips' variance that comes back: 1 for all of it, 0 for their mean clip."""
    error = ((clips - again) ** 2).mean()
    return float(1 - error / ((clips - clips.mean(0)) ** 2).mean())
