"""The fundamental frequency of a sound, by YIN, and how periodic the sound is.

De Cheveigne and Kawahara, YIN, a fundamental frequency estimator for speech and music, JASA 2002.
This is an exact judge: it knows neither instruments nor models. It does without torch, so that it
also hears the pitch of files while they are prepared.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

Sound = Float[np.ndarray, " _"]
"""A mono sound in [-1, 1]."""

LOWEST_HZ, HIGHEST_HZ = 25.0, 4500.0
"""The fundamentals of a piano: 27.5 to 4186 Hz."""
PERIODS = 2
"""The difference of a window is taken over so many of the longest periods."""
CLEAR = 0.15
"""A dip of the normalised difference below it is a period: the first one is the fundamental's."""
PERIODIC = 0.35
"""Above it a window has no pitch."""
ENOUGH = 0.3
"""A sound with a pitch has one in this share of its audible windows."""
AUDIBLE_DB, SILENT_DB = -30.0, -60.0
"""Windows this far below the loudest one do not count, nor windows below the second level."""
CENTS = 50.0
"""A pitch is right within a quarter tone, as the fundamental is then nearest to it."""


class Tone(NamedTuple):
    """A sound with a pitch: its fundamental in Hz, and the share of its energy that repeats with
    that period, 0 to 1."""

    hz: float
    harmonicity: float

    @property
    def pitch(self) -> float:
        """Return the pitch as a MIDI number, with a fraction."""
        return pitch_of(self.hz)


def pitch_of(hz: float) -> float:
    """Return the pitch of a frequency as a MIDI number.

    >>> pitch_of(440.0), pitch_of(880.0)
    (69.0, 81.0)
    """
    return 69 + 12 * math.log2(hz / 440)


def hz_of(pitch: float) -> float:
    """Return the frequency of a MIDI number, tuned to A4 = 440 Hz."""
    return 440 * 2 ** ((pitch - 69) / 12)


def hear(sound: Sound, sample_rate_hz: int) -> Tone | None:
    """Return the fundamental of a sound; None for silence, noise, and what has no pitch.

    It is the median over the windows that have one, weighted by their energy.
    """
    longest = math.ceil(sample_rate_hz / LOWEST_HZ)
    windows = _windows(sound, (1 + PERIODS) * longest)
    energy = np.square(windows).mean(1)
    loudest = energy.max(initial=0)
    if loudest <= 10 ** (SILENT_DB / 10):
        return None
    audible = energy > loudest * 10 ** (AUDIBLE_DB / 10)
    found = [_period(one, sample_rate_hz) for one in _differences(windows[audible], longest)]
    weight = energy[audible]
    pitched = np.array([dip < PERIODIC for _, dip in found])
    if weight[pitched].sum() < ENOUGH * weight.sum():
        return None
    period, dip = np.array(found)[pitched].T
    weight = weight[pitched]
    middle = _weighted_median(period, weight)
    return Tone(sample_rate_hz / middle, 1 - float(np.average(dip, weights=weight)) / 2)


def is_right(tone: Tone | None, pitch: float) -> bool:
    """Return True for a tone within `CENTS` of the wanted pitch."""
    return tone is not None and abs(tone.pitch - pitch) * 100 <= CENTS


def harmonicity(sound: Sound, sample_rate_hz: int, pitch: float) -> float:
    """Return the share of a sound's energy that repeats with the period of a pitch, 0 to 1.

    It is 1 - d' / 2, where d' is YIN's normalised difference, least within a quarter tone of the
    pitch: 1 for any sum of harmonics, a half for noise. The mean over windows by their energy; NaN
    for silence, and for a pitch below `LOWEST_HZ`.
    """
    longest = math.ceil(sample_rate_hz / LOWEST_HZ)
    windows = _windows(sound, (1 + PERIODS) * longest)
    energy = np.square(windows).mean(1)
    if energy.max(initial=0) <= 10 ** (SILENT_DB / 10):
        return math.nan
    edges = [sample_rate_hz / hz_of(pitch + side * CENTS / 100) for side in (1, -1)]
    first, last = math.floor(edges[0]), min(math.ceil(edges[1]), longest)
    if first > last:
        return math.nan
    dips = []
    for difference in _differences(windows, longest):
        index = first + int(difference[first : last + 1].argmin())
        dips.append(min(max(_vertex(difference, index)[1], 0), 2))
    return 1 - float(np.average(dips, weights=energy)) / 2


def _windows(sound: Sound, size: int) -> Float[np.ndarray, "window within"]:
    """Cut a sound into windows that overlap by half; a shorter one is one window."""
    padded = np.pad(sound.astype(np.float64), (0, max(0, size - len(sound))))
    return np.lib.stride_tricks.sliding_window_view(padded, size)[:: size // 2]


def _differences(
    windows: Float[np.ndarray, "window within"], longest: int
) -> Float[np.ndarray, "window lag"]:
    """Return d'(lag) of each window for lags up to `longest`: equations 6 and 8.

    d(lag) = sum over j of (x_j - x_(j+lag))^2, d'(lag) = d(lag) / mean of d(1) to d(lag).
    """
    size = windows.shape[1] - longest
    padded = 2 ** math.ceil(math.log2(windows.shape[1] + size))
    first = np.fft.rfft(windows[:, :size], padded)
    product = np.fft.irfft(first.conj() * np.fft.rfft(windows, padded))[:, : longest + 1]
    sums = np.pad(np.cumsum(np.square(windows), 1), ((0, 0), (1, 0)))
    energies = sums[:, size : size + longest + 1] - sums[:, : longest + 1]
    difference = np.maximum(energies[:, :1] + energies - 2 * product, 0)
    totals = np.cumsum(difference[:, 1:], 1)
    lags = np.arange(1, longest + 1)
    normalised = difference[:, 1:] * lags / np.maximum(totals, 1e-12)
    return np.pad(normalised, ((0, 0), (1, 0)), constant_values=1.0)


def _period(difference: Float[np.ndarray, " lag"], sample_rate_hz: int) -> tuple[float, float]:
    """Return the period in samples and the value of its dip: the first one that is clear, else the
    deepest."""
    shortest = max(2, math.floor(sample_rate_hz / HIGHEST_HZ))
    inner = difference[1:-1]
    dips = np.flatnonzero((inner < difference[:-2]) & (inner <= difference[2:])) + 1
    dips = dips[dips >= shortest]
    if not len(dips):
        return float(len(difference)), 1.0
    clear = dips[difference[dips] < CLEAR]
    best = clear[0] if len(clear) else dips[difference[dips].argmin()]
    return _vertex(difference, int(best))


def _vertex(values: Float[np.ndarray, " lag"], index: int) -> tuple[float, float]:
    """Return the place and the value of the vertex of the parabola through three values."""
    if not 0 < index < len(values) - 1:
        return float(index), float(values[index])
    before, at, after = values[index - 1 : index + 2]
    curvature = before - 2 * at + after
    if curvature <= 0:
        return float(index), float(at)
    moved = 0.5 * (before - after) / curvature
    return index + moved, float(at - 0.25 * (before - after) * moved)


def _weighted_median(values: Float[np.ndarray, " value"], weights: np.ndarray) -> float:
    order = np.argsort(values)
    sums = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(sums, sums[-1] / 2)])
