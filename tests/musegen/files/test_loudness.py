"""Loudness: a sine of the standard, another implementation, and memory that does not grow."""

import tracemalloc

import numpy as np
import pytest
import torch
import torchaudio

from musegen.files.audio import SAMPLE_RATE, Audio
from musegen.files.loudness import HOP, PIECE, loudness


def sine(hertz: float, seconds: float, dbfs: float) -> Audio:
    """Return a sine in both channels."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    wave = 10 ** (dbfs / 20) * np.sin(2 * np.pi * hertz * time)
    return np.stack([wave, wave]).astype(np.float32)


def test_a_sine_of_1_khz_in_both_channels_is_as_loud_as_its_peak():
    """The recommendation: one channel at 0 dBFS is -3.01 LUFS, two are 0; beyond 1 it goes on."""
    assert loudness(sine(997, 5, -20)) == pytest.approx(-20, abs=0.05)
    left = sine(997, 5, 0) * np.array([[1], [0]], np.float32)
    assert loudness(left) == pytest.approx(-3.01, abs=0.05)
    assert loudness(4 * left) == pytest.approx(-3.01 + 20 * np.log10(4), abs=0.05)


def test_quiet_parts_do_not_count():
    """Ten seconds at -20 beside as much at -36, which the relative gate leaves out."""
    loud, quiet = sine(997, 10, -20), sine(997, 10, -36)
    assert loudness(np.concatenate([loud, quiet], 1)) == pytest.approx(-20, abs=0.15)
    near = sine(997, 10, -24)  # counts: the mean of 10^-2 and 10^-2.4 is -21.55 dB
    assert loudness(np.concatenate([loud, near], 1)) == pytest.approx(-21.55, abs=0.15)
    assert loudness(np.zeros((2, SAMPLE_RATE), np.float32)) == -np.inf
    assert loudness(loud[:, : 4 * HOP - 1]) == -np.inf, "no block"


@pytest.mark.parametrize("samples", [4 * HOP, 5 * HOP - 1, PIECE + 3 * HOP, 2 * PIECE + 77])
def test_loudness_is_that_of_torchaudio(samples: int):
    """Noise that swells and pauses, across the borders of pieces."""
    time = np.arange(samples) / SAMPLE_RATE
    swell = 0.02 + np.abs(np.sin(time / 3)) ** 3
    audio = (0.05 * np.random.default_rng(0).normal(size=(2, samples)) * swell).astype(np.float32)
    audio[:, samples // 2 : samples // 2 + samples // 10] = 0
    other = torchaudio.functional.loudness(torch.from_numpy(audio), SAMPLE_RATE).item()
    assert loudness(audio) == pytest.approx(other, abs=1e-4)


def peak_of(audio: np.ndarray) -> int:
    tracemalloc.start()
    loudness(audio)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_the_length():
    """The arrays of numpy, of two and of nine pieces: the same.

    The least of three runs, since what Python allocates meanwhile counts as well.
    """
    few, many = (np.full((2, pieces * PIECE), 0.1, np.float32) for pieces in (2, 9))
    assert min(peak_of(many) for _ in range(3)) < 1.05 * min(peak_of(few) for _ in range(3))
