"""Metrics of notes: statistically different bins, diversity, constancy."""

import math

import numpy as np
from jaxtyping import Float, Int

Features = Float[np.ndarray, "note feature"]
Numbers = Int[np.ndarray, " note"]

SIGNIFICANT = 1.96
"""Standard errors beyond which two shares differ, at the level of 5 %."""
ROUNDS = 20
"""Rounds of k-means."""


def clusters(features: Features, k: int, seed: int) -> Float[np.ndarray, "bin feature"]:
    """Return the centres of k bins of real notes, by k-means.

    It begins with notes that are drawn by their squared distance from those before (k-means++;
    Arthur and Vassilvitskii, SODA 2007).
    """
    generator = np.random.default_rng(seed)
    chosen = [int(generator.integers(len(features)))]
    for _ in range(k - 1):
        apart = np.square(features[:, None] - features[chosen]).sum(2).min(1) + 1e-12
        chosen.append(int(generator.choice(len(features), p=apart / apart.sum())))
    centres = features[chosen].astype(np.float64)
    for _ in range(ROUNDS):
        nearest = assigned(features, centres)
        for number in np.unique(nearest):
            centres[number] = features[nearest == number].mean(0)
    return centres


def assigned(features: Features, centres: Float[np.ndarray, "bin feature"]) -> Numbers:
    """Return the nearest bin of each note."""
    distance = np.square(centres).sum(1) - 2 * features @ centres.T
    return distance.argmin(1)


def different_bins(one: Numbers, other: Int[np.ndarray, " other"], k: int) -> float:
    """Return NDB / k: of k bins, those in which two samples have different shares.

    A bin differs where z = (p - p') / sqrt(q (1 - q) (1 / n + 1 / n')) is beyond 1.96, q the share
    of both together (Richardson and Weiss, NIPS 2018, section 3).
    """
    first, second = (np.bincount(numbers, minlength=k) for numbers in (one, other))
    pooled = (first + second) / (len(one) + len(other))
    error = np.sqrt(pooled * (1 - pooled) * (1 / len(one) + 1 / len(other)))
    gap = np.abs(first / len(one) - second / len(other))
    return float((gap > SIGNIFICANT * error).mean())


def diversity(features: Features, pitches: Numbers) -> float:
    """Return the mean distance of two different notes of one pitch; NaN without two of any."""
    distances = []
    for pitch in np.unique(pitches):
        own = features[pitches == pitch].astype(np.float64)
        apart = np.sqrt(np.square(own[:, None] - own[None]).sum(2))
        distances += apart[np.triu_indices(len(own), 1)].tolist()
    return float(np.mean(distances)) if distances else math.nan


def constancy(instruments: Int[np.ndarray, "timbre pitch"]) -> float:
    """Return how often the notes of a timbre are of its most frequent instrument.

    >>> constancy(np.array([[3, 3, 3, 3], [1, 2, 1, 5]]))
    0.75
    """
    shares = [np.bincount(row).max() / len(row) for row in instruments]
    return float(np.mean(shares))
