"""Register: how high each track plays."""

import numpy as np
from jaxtyping import Float

from musegen.measures.excerpts import PITCHES, Excerpts, Values, ratio

OCTAVE = 12
QUANTILES = (0.05, 0.5, 0.95)


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
