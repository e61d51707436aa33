"""The classifier: a two-sample test by a small model that tells real excerpts from generated ones.

Logistic regression on fixed features, cross-validated over songs: 0.5 means that it cannot tell
(Lopez-Paz and Oquab, Revisiting classifier two-sample tests, ICLR 2017).
"""

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
    features = _with_gaps(np.concatenate([real, generated]))
    predicted = np.zeros(len(folds), bool)
    for fold in np.unique(folds):
        test = folds == fold
        predicted[test] = _predict(features[~test], is_real[~test], features[test])
    right = predicted == is_real
    return float(right[is_real].mean() + right[~is_real].mean()) / 2


def _folds(song: Int[np.ndarray, " excerpt"], seed: int) -> Int[np.ndarray, " excerpt"]:
    """Return the fold of each excerpt: that of its song."""
    songs = int(song.max()) + 1
    return (np.random.default_rng(seed).permutation(songs) % FOLDS)[song]


def _with_gaps(features: Features) -> Float[np.ndarray, "excerpt more_features"]:
    """Append to the features which of them are NaN, and replace NaN by the mean."""
    gaps = np.isnan(features)
    known = np.maximum((~gaps).sum(0), 1)
    mean = np.where(gaps, 0, features).sum(0) / known
    some = gaps.any(0) & ~gaps.all(0)
    return np.concatenate([np.where(gaps, mean, features), gaps[:, some]], 1)


def _predict(
    features: Features,
    is_real: Bool[np.ndarray, " excerpt"],
    unseen: Float[np.ndarray, "unseen feature"],
) -> Bool[np.ndarray, " unseen"]:
    """Fit on one set and return which excerpts of the other look real."""
    mean, deviation = features.mean(0), features.std(0)
    scale = np.where(deviation > 1e-9, deviation, np.inf)

    def standardised(rows: np.ndarray) -> np.ndarray:
        columns = np.clip((rows - mean) / scale, -LIMIT, LIMIT)
        return np.concatenate([columns, np.ones((len(rows), 1))], 1)

    coefficients = fit(standardised(features), is_real, balanced(is_real))
    return standardised(unseen) @ coefficients > 0


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
