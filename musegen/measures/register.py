"""Register and dynamics: how high, and how loud, notes are played.

Values of velocities are NaN where these are not known.
"""

import numpy as np
from jaxtyping import Float

from musegen.measures.excerpts import NO_VELOCITY, PITCHES, Excerpts, Values, ratio

OCTAVE = 12
QUANTILES = (0.05, 0.5, 0.95)
VELOCITIES = 128


def pitch_shares(excerpts: Excerpts, track: int) -> Values:
    """Return the share of each MIDI pitch among a track's notes, [excerpt pitch]."""
    chosen = excerpts.notes.track == track
    cell = excerpts.excerpt[chosen] * PITCHES + excerpts.notes.pitch[chosen]
    counts = np.bincount(cell, minlength=len(excerpts) * PITCHES)
    counts = counts.reshape(-1, PITCHES)  # [excerpt pitch]
    return ratio(counts, counts.sum(1, keepdims=True))


def quantiles(shares: Float[np.ndarray, " pitch"]) -> list[float]:
    """Return the pitches below or at which 5, 50 and 95 % of the notes lie; NaN without notes."""
    if np.isnan(shares).any():
        return [float("nan")] * len(QUANTILES)
    return [float(np.argmax(np.cumsum(shares) > share - 1e-9)) for share in QUANTILES]


def octaves_apart(
    generated: Float[np.ndarray, " pitch"], real: Float[np.ndarray, " pitch"]
) -> float:
    """Return the earth mover's distance of two histograms of pitch, in octaves.

    It is the mean distance by which notes must move, the area between the cumulative shares.
    """
    return float(np.abs(np.cumsum(generated - real)).sum()) / OCTAVE


def distinct_velocities(excerpts: Excerpts) -> Values:
    """Return the number of different velocities of an excerpt, [excerpt 1]."""
    known = excerpts.notes.velocity != NO_VELOCITY
    cell = np.unique((excerpts.excerpt * VELOCITIES + excerpts.notes.velocity)[known])
    distinct = np.bincount(cell // VELOCITIES, minlength=len(excerpts))
    return np.where(distinct > 0, distinct, np.nan)[:, None]


def velocity_spread(excerpts: Excerpts) -> Values:
    """Return the standard deviation of an excerpt's velocities, [excerpt 1]."""
    known = excerpts.notes.velocity != NO_VELOCITY
    count = excerpts.count(known)
    excerpt, velocity = excerpts.excerpt[known], excerpts.notes.velocity[known]
    mean = ratio(np.bincount(excerpt, velocity, len(excerpts)), count)
    squares = np.bincount(excerpt, (velocity - mean[excerpt]) ** 2, len(excerpts))
    return np.sqrt(ratio(squares, count))[:, None]
