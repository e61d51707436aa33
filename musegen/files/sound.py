"""Sound: a roll synthesised with a soundfont, at a common loudness, as a .wav."""

import io
import wave
from pathlib import Path
from typing import Any

import numpy as np
import symusic
from jaxtyping import Float

from core.errors import UserError
from musegen.files.midi import write_midi
from musegen.roll import Roll

SAMPLE_RATE = 44_100
LOUDNESS_LUFS = -16.0
PEAK_DBFS = -1.0
RING_SECONDS = 2.0
"""The longest time for which the last notes ring out."""

HATS = (42, 44, 46)
"""Closed, pedal and open hi-hat."""

HIGHEST_SOUND = 100
"""Above this MIDI pitch symusic 0.5.9 hangs with some instruments of the soundfont."""


def _soundfont() -> Path:
    import importlib.util

    package = importlib.util.find_spec("pretty_midi")
    assert package is not None and package.origin is not None
    return Path(package.origin).parent / "TimGM6mb.sf2"


SOUNDFONT = _soundfont()
"""The General MIDI soundfont that comes with pretty_midi."""


def sound(roll: Roll, soundfont: Path | None = None) -> Float[np.ndarray, "channel sample"]:
    """Synthesise stereo at 44.1 kHz: -16 LUFS, peaks below -1 dBFS, the last notes fading out."""
    import torch
    import torchaudio

    soundfont = soundfont or SOUNDFONT
    if not soundfont.is_file():
        raise UserError(f"there is no soundfont {soundfont}: give an .sf2 file")
    audio = np.asarray(
        symusic.Synthesizer(str(soundfont), SAMPLE_RATE).render(_score(roll), stereo=True),
        dtype=np.float32,
    )
    notes = roll.notes()
    end = round(SAMPLE_RATE * roll.seconds_at(int((notes.start + notes.length).max(initial=0))))
    audio = _without_silent_end(audio[:, : end + int(RING_SECONDS * SAMPLE_RATE)])
    audio = audio * _decay(audio.shape[1], end)
    samples = torch.from_numpy(audio)
    if samples.abs().max() == 0 or samples.shape[1] < SAMPLE_RATE // 2:
        return audio
    gain = LOUDNESS_LUFS - torchaudio.functional.loudness(samples, SAMPLE_RATE).item()
    peak = 20 * torch.log10(samples.abs().max()).item()
    return torchaudio.functional.gain(samples, min(gain, PEAK_DBFS - peak)).numpy()


def _score(roll: Roll) -> Any:
    """Convert a roll for the synthesiser; notes above `HIGHEST_SOUND` go down by octaves.

    The synthesiser ends each note with its key, without the soundfont's release: so the notes that
    end the song are held, and drums sound until they are hit again.
    """
    stream = io.BytesIO()
    write_midi(roll, stream)
    score = symusic.core.ScoreTick.from_midi(stream.getvalue())
    end = max((note.end for track in score.tracks for note in track.notes), default=0)
    ring_ticks = int(RING_SECONDS * roll.tempo_bpm[-1] / 60 * score.ticks_per_quarter)
    for track in score.tracks:
        if track.is_drum:
            _let_ring(track.notes, ring_ticks)
            continue
        for note in track.notes:
            note.duration += ring_ticks * (note.end >= end)
            if note.pitch > HIGHEST_SOUND:
                note.pitch -= 12 * -(-(note.pitch - HIGHEST_SOUND) // 12)
    return score


def _decay(samples: int, end: int) -> Float[np.ndarray, " sample"]:
    """Return the gain that falls by 60 dB, and at last to 0, within `RING_SECONDS` of the end."""
    late = np.clip((np.arange(samples) - end) / (RING_SECONDS * SAMPLE_RATE), 0, 1)
    reaches_zero = np.clip((samples - 1 - np.arange(samples)) / max(samples - end, 1), 0, 1)
    return (10.0 ** (-3 * late) * reaches_zero).astype(np.float32)


def _let_ring(hits: Any, ring_ticks: int) -> None:
    """Lengthen drum hits to the next one of their drum; the hats are one drum."""
    following: dict[int, int] = {}
    for hit in sorted(hits, key=lambda hit: hit.time, reverse=True):
        drum = min(HATS) if hit.pitch in HATS else hit.pitch
        until = following.get(drum, hit.time + ring_ticks)
        hit.duration = max(min(until - hit.time, ring_ticks), 1)
        following[drum] = hit.time


def _without_silent_end(audio: np.ndarray) -> np.ndarray:
    audible = np.flatnonzero(np.abs(audio).max(0) > 1e-4)
    return audio[:, : audible[-1] + 1] if len(audible) else audio


def write_sound(roll: Roll, path: Path | str, soundfont: Path | None = None) -> None:
    """Write 16-bit stereo WAV."""
    samples = sound(roll, soundfont)
    pcm = (np.clip(samples, -1, 1) * 32767).round().astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(pcm.shape[0])
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(pcm.T.tobytes())
