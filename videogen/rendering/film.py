"""Films: clips one after the other, cut at given times, with sound."""

import math

import numpy as np
from jaxtyping import Float, UInt8

from videogen.files.clip import SAMPLE_RATE_HZ, Frames, Sound

Stretched = UInt8[np.ndarray, "stretched height width 3"]

CutSound = Float[np.ndarray, "channel cut"]

FADE_SECONDS = 1.0
"""Longest time in which sound fades out; a quarter of a shorter film."""


def cut_frames(cut_seconds: Float[np.ndarray, " cut"], frames_per_second: float) -> list[int]:
    """Return the number of frames between cuts: each cut is at the frame nearest to its time.

    >>> cut_frames(np.array([0.0, 1.6, 3.2]), 8)
    [13, 13]
    """
    cuts = np.floor(cut_seconds * frames_per_second + 0.5).astype(int)
    return np.diff(cuts).tolist()


def stretched(frames: Frames, count: int) -> Stretched:
    """Show a clip in `count` frames: number k is the one on display at its middle, (k + 1/2).

    >>> stretched(np.arange(3, dtype=np.uint8)[:, None, None, None].repeat(3, 3), 6)[:, 0, 0, 0]
    array([0, 0, 1, 1, 2, 2], dtype=uint8)
    """
    shown = (np.arange(count) + 0.5) * len(frames) / count
    return frames[shown.astype(int)]


def cut_sound(sound: Sound, seconds: float) -> CutSound:
    """Cut sound to a length, or fill it with silence, and fade it out.

    The gain falls as cos^2 within `FADE_SECONDS`.
    """
    samples = round(seconds * SAMPLE_RATE_HZ)
    cut = sound[:, :samples]
    cut = np.pad(cut, ((0, 0), (0, samples - cut.shape[1])))
    fade = round(min(FADE_SECONDS, seconds / 4) * SAMPLE_RATE_HZ)
    late = np.clip((np.arange(samples) - (samples - fade)) / max(fade, 1), 0, 1)
    return (cut * np.cos(math.pi / 2 * late) ** 2).astype(np.float32)
