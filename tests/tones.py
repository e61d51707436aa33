"""Sounds for tests: a voice of plain tones, and the pitch that a sound has."""

import numpy as np

RATE = 16_000


def pitch_of(sound: np.ndarray, rate_hz: int, lowest_hz: float = 50, highest_hz: float = 2000):
    """The MIDI pitch of the first peak of the autocorrelation that is nearly as high as any."""
    centred = sound.astype(np.float64) - sound.mean()
    spectrum = np.fft.rfft(centred, 2 * len(centred))
    products = np.fft.irfft(np.abs(spectrum) ** 2)[: len(centred)]
    likeness = products / np.arange(len(centred), 0, -1)
    first, last = round(rate_hz / highest_hz), round(rate_hz / lowest_hz)
    lags = np.arange(first, min(last, len(centred) // 2))
    before, at, after = (likeness[lags + n] for n in (-1, 0, 1))
    peaks = (at >= before) & (at >= after) & (at > 0.9 * at.max())
    n = int(peaks.argmax())
    off = (before[n] - after[n]) / (2 * (before[n] - 2 * at[n] + after[n]))
    return 69 + 12 * np.log2(rate_hz / (lags[n] + off) / 440)


class Reeds:
    """A voice of three harmonics, a second long; it counts the notes that it is asked for."""

    sample_rate_hz = RATE
    pitches = range(48, 73)
    velocities = (127,)

    def __init__(self, seconds: float = 1.0):
        self.samples = round(seconds * RATE)
        self.asked: list[tuple[int, float]] = []

    def notes(self, pitches: np.ndarray, velocities: np.ndarray, seconds: float) -> np.ndarray:
        self.asked += [(pitch, seconds) for pitch in pitches.tolist()]
        time = np.arange(self.samples) / RATE
        hertz = 440 * 2 ** ((pitches[:, None] - 69) / 12)
        tones = sum(np.sin(2 * np.pi * k * hertz * time) / k for k in (1, 2, 3))
        return (0.3 * np.asarray(tones)).astype(np.float32)
