"""Metrics of clips: Frechet distance, caption accuracy, diversity, reconstruction.

Features and similarities come from `videogen.measures.classifier`.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from videogen.files.clip import Clips

Sample = Float[np.ndarray, "sample feature"]
OtherSample = Float[np.ndarray, "other feature"]
Similarity = Float[np.ndarray, "clip caption"]
Covariance = Float[np.ndarray, "feature feature"]


def frechet_distance(one: Sample, other: OtherSample) -> float:
    """Return the squared Frechet distance of the Gaussians fitted to two samples.

    |m - m'|^2 + tr(S + S' - 2 (S S')^(1/2)) (Dowson and Landau, 1982); 0 for equal mean and
    covariance. Small samples bias it upwards: compare values of equally many samples only.
    """
    difference = one.mean(0) - other.mean(0)
    first, second = _covariance(one), _covariance(other)
    root = _square_root(first)
    overlap = np.sqrt(_eigenvalues(root @ second @ root)).sum()
    return float(difference @ difference + np.trace(first) + np.trace(second) - 2 * overlap)


def _covariance(sample: np.ndarray) -> Covariance:
    return np.atleast_2d(np.cov(sample.astype(np.float64), rowvar=False))


def _square_root(covariance: Covariance) -> Covariance:
    """Return the symmetric square root."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(values.clip(min=0))) @ vectors.T


def _eigenvalues(matrix: Covariance) -> np.ndarray:
    """Return the eigenvalues of a matrix that rounding alone keeps from being positive."""
    return np.linalg.eigvalsh((matrix + matrix.T) / 2).clip(min=0)


def caption_accuracy(similarity: Similarity, captions: Sequence[str]) -> float:
    """Return how often a clip is more similar to its caption than to a different one, 0 to 1.

    The mean over all pairs of clip k, generated for caption k, and a different caption; ties count
    half. Chance is 0.5; NaN if all captions are equal.
    """
    own = similarity.diagonal()[:, None]  # [clip 1]
    different = _different(captions)
    wins = (own > similarity) + 0.5 * (own == similarity)
    return float(wins[different].mean()) if different.any() else float("nan")


def top1_accuracy(similarity: Similarity, captions: Sequence[str]) -> float:
    """Return how often a clip's own caption is the most similar of all, 0 to 1.

    Chance is 1 / number of different captions.
    """
    nearest = similarity.argmax(1)
    return float(np.mean([captions[n] == captions[k] for k, n in enumerate(nearest)]))


def _different(captions: Sequence[str]) -> np.ndarray:
    """Return which pairs of captions differ, [caption caption]."""
    indices = np.unique(captions, return_inverse=True)[1]
    return indices[:, None] != indices[None, :]


def diversity(one: Clips, other: Clips) -> float:
    """Return the mean difference between two clips of one caption, 0 to 1.

    `one[k]` and `other[k]` are of caption k. The difference of two clips is the root mean square
    over pixels, as a share of the range of 2.
    """
    differences = ((one.float() - other.float()) / 2).square().mean((1, 2, 3, 4)).sqrt()
    return float(differences.mean())


def sharpness(clips: Clips) -> float:
    """Return the mean squared difference of neighbouring pixels, along rows and columns."""
    rows = (clips[..., 1:, :] - clips[..., :-1, :]).square().mean()
    columns = (clips[..., 1:] - clips[..., :-1]).square().mean()
    return float(rows + columns)


def motion(clips: Clips) -> float:
    """Return the mean squared difference of a pixel from one frame to the next."""
    return float((clips[:, :, 1:] - clips[:, :, :-1]).square().mean())


def explained_variance(clips: Clips, reconstructions: Clips) -> float:
    """Return the share of the clips' variance that reconstructions explain (R squared).

    1 for perfect reconstructions, 0 for the mean clip, negative for worse.
    """
    error = ((clips - reconstructions) ** 2).mean()
    return float(1 - error / ((clips - clips.mean(0)) ** 2).mean())
