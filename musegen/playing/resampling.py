"""Resampling: waveforms at other rates, and at other pitches, which is the same."""

from fractions import Fraction

import numpy as np
import torch
import torchaudio
from jaxtyping import Float

from musegen.playing.loop import Waveform

FINEST = 441
"""The largest denominator of a ratio of rates: exact between 44.1 kHz and multiples of 100 Hz; a
semitone is right to 0.05 cents."""

BLOCK = 8192
"""Samples that are interpolated at once, which fit in a cache."""

Rows = Float[np.ndarray, "*rows _"]


def resampled(waveforms: Rows, ratio: float) -> Rows:
    """Return waveforms of which `ratio` samples become one, band-limited.

    From rate a to rate b it is a / b; for s semitones up it is 2^(s / 12).
    """
    exact = Fraction(ratio).limit_denominator(FINEST)
    if exact == 1:
        return waveforms
    rows = torch.from_numpy(np.ascontiguousarray(waveforms))
    rates = exact.numerator, exact.denominator
    return torchaudio.functional.resample(rows, *rates, lowpass_filter_width=16).numpy()


def interpolated(waveform: Waveform, step: float, samples: int) -> Waveform:
    """Return a waveform at the places 0, step, 2 step ..., by Catmull and Rom's cubic spline.

    Beyond its ends there is silence. Faster than `resampled`, and without its low-pass filter.
    """
    if step == 1:
        return np.pad(waveform[:samples], (0, max(0, samples - len(waveform))))
    found = np.zeros(samples, np.float32)
    until = min(samples, int(len(waveform) / step))
    found[:until] = at_places(waveform, np.arange(until) * step)
    return found


def at_places(waveform: Waveform, places: Float[np.ndarray, " sample"]) -> Waveform:
    """Return a waveform at places from 0 to before its end, by the same spline."""
    padded = np.concatenate([waveform[:1], waveform, np.zeros(3, np.float32)])
    found = np.zeros(len(places), np.float32)
    for begin in range(0, len(places), BLOCK):
        at = places[begin : begin + BLOCK]
        whole = at.astype(np.int64)
        t = (at - whole).astype(np.float32)
        a, b, c, d = (padded[whole + n] for n in range(4))
        cubic = 2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)
        found[begin : begin + len(at)] = b + t / 2 * (c - a + t * cubic)
    return found
