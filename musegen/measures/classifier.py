"""The classifier: a two-sample test by a small model that tells real excerpts from generated ones.

Logistic regression on fixed features, cross-validated over songs: 0.5 means that it cannot tell
(Lopez-Paz and Oquab, Revisiting classifier two-sample tests, ICLR 2017).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

FOLDS = 5
PENALTY = 10.0
"""Weight of half the squared norm of the coefficients, against the sum over examples."""

NEWTON_STEPS = 12
LIMIT = 3.0
"""Features are limited to so many standard deviations."""

Features = Float[np.ndarray, "excerpt feature"]


def accuracy(
    real: Features,
    generated: Float[np.ndarray, "other_excerpt feature"],
    real_song: Int[np.ndarray, " excerpt"],
    generated_song: Int[np.ndarray, " other_excerpt"],
    seed: int = 0,
) -> float:
    """Return the cross-validated accuracy, each kind counting for half; NaN of too few songs.

    All excerpts of a song are in one fold. A NaN among the features is a value of its own.
    """
    songs = (np.unique(real_song, return_inverse=True)[1],
             np.unique(generated_song, return_inverse=True)[1])  # fmt: skip
    if min(one.max(initial=-1) for one in songs) < 1:
        return float("nan")
    folds = np.concatenate([_folds(one, seed) for one in songs])
    is_real = np.arange(len(folds)) < len(real)
    features = np.concatenate([real, generated])
    predicted = np.zeros(len(folds), bool)
    for fold in np.unique(folds):
        test = folds == fold
        classifier = Classifier.of(features[~test], is_real[~test])
        predicted[test] = classifier.log_odds(features[test]) > 0
    right = predicted == is_real
    return float(right[is_real].mean() + right[~is_real].mean()) / 2


def _folds(song: Int[np.ndarray, " excerpt"], seed: int) -> Int[np.ndarray, " excerpt"]:
    """Return the fold of each excerpt: that of its song."""
    songs = int(song.max()) + 1
    return (np.random.default_rng(seed).permutation(songs) % FOLDS)[song]


class Classifier(NamedTuple):
    """A classifier of excerpts: the weight of each feature, and of its being unknown.

    `mean`, `scale`: by which a feature is standardised, `scale` 0 where it is not used; an unknown
    one has its mean.
    """

    mean: Float[np.ndarray, " feature"]
    scale: Float[np.ndarray, " feature"]
    weights: Float[np.ndarray, " feature"]
    unknown: Float[np.ndarray, " feature"]
    bias: float

    @classmethod
    def of(cls, features: Features, is_real: Bool[np.ndarray, " excerpt"]) -> "Classifier":
        """Fit a classifier to excerpts of which both kinds count the same.

        To be unknown (NaN) is a feature too, and standardised as the others.
        """
        gaps = np.isnan(features)
        mean = np.where(gaps, 0, features).sum(0) / np.maximum((~gaps).sum(0), 1)
        scale, share = _scale(np.where(gaps, mean, features)), gaps.mean(0)
        absent, present = (_standardised(gap, share, _scale(gaps)) for gap in (0.0, 1.0))
        values = _standardised(np.where(gaps, mean, features), mean, scale)
        one = np.ones((len(features), 1))
        columns = np.concatenate([values, np.where(gaps, present, absent), one], 1)
        coefficients = fit(columns, is_real, balanced(is_real))
        weights, of_gap, bias = np.split(coefficients, [len(mean), 2 * len(mean)])
        # a gap's column has two values: its weight is their difference, the bias has the lower
        return cls(
            mean, scale, weights, of_gap * (present - absent), float(bias[0] + of_gap @ absent)
        )

    def log_odds(self, features: Features) -> Float[np.ndarray, " excerpt"]:
        """Return the log odds that each excerpt is real; of equal numbers of both kinds."""
        gaps = np.isnan(features)
        values = _standardised(np.where(gaps, self.mean, features), self.mean, self.scale)
        return values @ self.weights + gaps @ self.unknown + self.bias


def _scale(features: np.ndarray) -> Float[np.ndarray, " feature"]:
    """Return the standard deviation of each feature; 0 of one that does not vary."""
    deviation = features.std(0)
    return np.where(deviation > 1e-9, deviation, 0.0)


def _standardised(values: np.ndarray | float, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return values in standard deviations from their mean, up to `LIMIT`; 0 where scale is."""
    used = scale > 0
    deviations = np.where(used, (values - mean) / np.where(used, scale, 1.0), 0.0)
    return np.clip(deviations, -LIMIT, LIMIT)


def balanced(is_real: Bool[np.ndarray, " excerpt"]) -> Float[np.ndarray, " excerpt"]:
    """Return weights by which both kinds count for half, whatever their numbers."""
    share = is_real.mean()
    return np.where(is_real, 0.5 / max(share, 1e-9), 0.5 / max(1 - share, 1e-9))


def fit(
    features: Features,
    is_real: Bool[np.ndarray, " excerpt"],
    weight: Float[np.ndarray, " excerpt"],
) -> Float[np.ndarray, " feature"]:
    """Return the coefficients of penalised logistic regression, by Newton's method.

    They minimise sum of weight * log(1 + exp(-y x·c)) + PENALTY / 2 |c|², with y = ±1.
    """
    coefficients = np.zeros(features.shape[1])
    penalty = PENALTY * np.eye(len(coefficients))
    for _ in range(NEWTON_STEPS):
        probability = 1 / (1 + np.exp(-np.clip(features @ coefficients, -30, 30)))
        gradient = features.T @ (weight * (probability - is_real)) + PENALTY * coefficients
        curvature = weight * probability * (1 - probability)
        hessian = (features * curvature[:, None]).T @ features + penalty
        coefficients = coefficients - np.linalg.solve(hessian, gradient)
    return coefficients
