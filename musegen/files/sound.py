"""Sound: a roll synthesised with a soundfont, at a common loudness, as a .wav."""

import tempfile
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
FADE_SECONDS = 0.05
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
    """Synthesise stereo at 44.1 kHz: -16 LUFS, peaks below -1 dBFS, faded out at its end."""
    import torch
    import torchaudio

    soundfont = soundfont or SOUNDFONT
    if not soundfont.is_file():
        raise UserError(f"there is no soundfont {soundfont}: give an .sf2 file")
    audio = np.asarray(
        symusic.Synthesizer(str(soundfont), SAMPLE_RATE).render(_score(roll), stereo=True),
        dtype=np.float32,
    )
    audio = _without_silent_end(audio)
    samples = torch.from_numpy(audio.copy())
    if samples.abs().max() == 0 or samples.shape[1] < SAMPLE_RATE // 2:
        return audio
    gain = LOUDNESS_LUFS - torchaudio.functional.loudness(samples, SAMPLE_RATE).item()
    peak = 20 * torch.log10(samples.abs().max()).item()
    samples = torchaudio.functional.gain(samples, min(gain, PEAK_DBFS - peak))
    fade = torchaudio.transforms.Fade(0, int(FADE_SECONDS * SAMPLE_RATE), "linear")
    return fade(samples).numpy()


def _score(roll: Roll) -> Any:
    """Convert a roll for the synthesiser; notes above `HIGHEST_SOUND` go down by octaves."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "roll.mid"
        write_midi(roll, path)
        score = symusic.core.ScoreTick.from_midi(path.read_bytes())
    for track in score.tracks:
        for note in track.notes:
            if not track.is_drum and note.pitch > HIGHEST_SOUND:
                note.pitch -= 12 * -(-(note.pitch - HIGHEST_SOUND) // 12)
    return score


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
