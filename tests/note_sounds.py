"""Notes made by hand: sums of harmonics with known levels."""

import io
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from musegen.voice.data.collection import Collection
from musegen.voice.data.preparation import prepare
from musegen.voice.data.records import PrepareConfig
from musegen.voice.fundamental import hz_of

RATE, SECONDS = 4000, 0.25
CONFIG = PrepareConfig(sample_rate_hz=RATE, seconds=SECONDS, lowest=48, highest=72)
ORGAN, REED = (1.0, 0.5, 0.25), (1.0, 0.0, 0.7)
"""Amplitudes of harmonics."""


def note(
    pitch: float, amplitudes: Sequence[float] = ORGAN, seconds: float = SECONDS, rate: int = RATE
) -> np.ndarray:
    """A decaying note with these harmonics."""
    time = np.arange(round(seconds * rate)) / rate
    sound = sum(
        amplitude * np.sin(2 * np.pi * number * hz_of(pitch) * time)
        for number, amplitude in enumerate(amplitudes, 1)
    )
    return 0.3 * sound * np.exp(-time)


def wav(sound: np.ndarray, rate: int = RATE, width: int = 2) -> bytes:
    """A .wav of 16 or 8 bits."""
    stream = io.BytesIO()
    scaled = np.clip(sound, -1, 1)
    kind = (scaled * 32767).astype("<i2") if width == 2 else (128 + scaled * 127).astype(np.uint8)
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(kind.tobytes())
    return stream.getvalue()


def write_notes(folder: Path, pitches: Sequence[int] = range(48, 73, 2)) -> Path:
    """A folder of notes of two instruments, as NSynth names them."""
    folder.mkdir(parents=True)
    for name, amplitudes in (("organ", ORGAN), ("reed", REED)):
        for pitch in pitches:
            path = folder / f"{name}-{pitch:03d}-100.wav"
            path.write_bytes(wav(note(pitch, amplitudes)))
    return folder


def collection(folder: Path) -> Collection:
    """Those notes, prepared."""
    prepare([str(write_notes(folder / "wavs"))], folder / "data", CONFIG, jobs=0)
    return Collection.open(folder / "data")
