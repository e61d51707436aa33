"""Loops: notes that are held for longer than their waveforms last."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

Waveform = Float[np.ndarray, "_"]
"""A mono sound [sample]."""

FRAME_SECONDS = 0.02
SEAM_SECONDS = 0.03
"""The length over which the end of a loop is faded into what is before its beginning."""
SHORTEST_SECONDS = 0.1
"""The shortest loop; one that is shorter has a pitch of its own and no life."""
DYING_DB = -30.0
"""A note that falls by more while it is held dies away: of its end a loop would be noise."""
ATTACK_DB = 10.0
"""A note has been struck once it comes so near to its loudest frame."""
STEADY_DB = -3.0
"""A note that falls by less in a second is steady, if it swells and trembles."""
AFTER = 8
"""Samples after a loop, from which players interpolate: copies of its first ones."""
RELEASE_DB = 6.0
"""So far below its line of decay a note is no longer held."""
SILENT_DB, FAINTEST = -100.0, 1e-5


class Loop(NamedTuple):
    """The samples from `begin` to before `end` repeat for as long as the key is down."""

    begin: int
    end: int


class Held(NamedTuple):
    """A waveform without its decay, the loop of it, and the decay in dB a second (0 or less)."""

    level: Waveform
    loop: Loop
    decay_db: float


def hold(waveform: Waveform, rate_hz: int) -> Held | None:
    """Find a loop; None for a note that dies away, or of which less is held than a loop needs.

    The decay is the line through the levels in dB, without the eighths after the attack and before
    the end. The loop begins at the place that correlates best with the end of what is held.
    """
    frame = round(FRAME_SECONDS * rate_hz)
    levels = _levels(waveform, frame)
    if not len(levels) or levels.max() <= SILENT_DB:
        return None
    first = int((levels > levels.max() - ATTACK_DB).argmax())
    after = levels[first:]
    if len(after) * FRAME_SECONDS < 2 * SHORTEST_SECONDS:
        return None
    frames = np.arange(len(after))
    middle = slice(len(after) // 8, len(after) - len(after) // 8)
    slope, start = np.polyfit(frames[middle], after[middle], 1)
    held = np.flatnonzero(after > start + slope * frames - RELEASE_DB)
    decay_db = float(slope) / FRAME_SECONDS
    decay_db *= decay_db < STEADY_DB
    if decay_db * len(held) * FRAME_SECONDS < DYING_DB:
        return None
    level = (waveform / _decay(decay_db, len(waveform), rate_hz)).astype(np.float32)
    ends = first * frame, (first + int(held[-1]) + 1) * frame
    loop = _loop(level, *ends, rate_hz)
    if loop is None:
        return None
    joined = _seamless(level, loop, rate_hz)
    after = joined[loop.begin : loop.begin + AFTER]
    return Held(np.concatenate([joined[: loop.end], after]), loop, decay_db)


def repeated(waveform: Waveform, loop: Loop, samples: int) -> Waveform:
    """Return so many samples of a waveform whose loop repeats.

    >>> repeated(np.array([9.0, 1.0, 2.0, 5.0]), Loop(1, 3), 6).tolist()
    [9.0, 1.0, 2.0, 1.0, 2.0, 1.0]
    """
    part = waveform[loop.begin : loop.end]
    times = max(0, -(-(samples - loop.end) // len(part)))
    return np.concatenate([waveform[: loop.end], *[part] * times])[:samples]


def _levels(waveform: Waveform, frame: int) -> Float[np.ndarray, " frame"]:
    """Return the level of each frame in dB."""
    frames = waveform[: len(waveform) // frame * frame].reshape(-1, frame)  # [frame sample]
    energy = np.square(frames, dtype=np.float64).mean(1)
    return 10 * np.log10(np.maximum(energy, 10 ** (SILENT_DB / 10)))


def _decay(decay_db: float, samples: int, rate_hz: int) -> Waveform:
    return 10 ** (decay_db / 20 * np.arange(samples) / rate_hz)


def _loop(level: Waveform, first: int, end: int, rate_hz: int) -> Loop | None:
    """Return the loop that ends where the note is held no longer, with the best match before."""
    seam, shortest = (round(s * rate_hz) for s in (SEAM_SECONDS, SHORTEST_SECONDS))
    before = level[first : end - shortest].astype(np.float64)
    if len(before) < 2 * seam:
        return None
    last = level[end - seam : end].astype(np.float64)
    products = _correlation(before, last)
    energies = np.convolve(before**2, np.ones(seam), "valid")
    match = products / np.sqrt(np.maximum(energies * (last**2).sum(), FAINTEST**2))
    return Loop(first + int(match.argmax()) + seam, end)


def _correlation(long: np.ndarray, short: np.ndarray) -> np.ndarray:
    """Return the inner product of `short` with each part of `long`, by Fourier transforms."""
    size = 1 << (len(long) + len(short)).bit_length()
    product = np.fft.rfft(long, size) * np.fft.rfft(short, size).conj()
    return np.fft.irfft(product, size)[: len(long) - len(short) + 1]


def _seamless(level: Waveform, loop: Loop, rate_hz: int) -> Waveform:
    """Return the waveform with the end of its loop faded into what leads to its beginning."""
    seam = round(SEAM_SECONDS * rate_hz)
    fade = (np.arange(seam) + 1) / seam
    joined = level.copy()
    leading = level[loop.begin - seam : loop.begin]
    joined[loop.end - seam : loop.end] = (1 - fade) * level[loop.end - seam : loop.end] + (
        fade * leading
    )
    return joined
