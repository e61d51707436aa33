"""The programs of soundfonts as voices."""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import symusic

from musegen.files.audio import SAMPLE_RATE
from musegen.files.sound import HIGHEST_SOUND, SOUNDFONT
from musegen.playing.voice import LOUDEST, Pitches, Waveforms


class Program:
    """One program of a soundfont, by its number from 0: a voice that needs no training."""

    sample_rate_hz = SAMPLE_RATE
    velocities = (42, 84, LOUDEST)

    def __init__(self, number: int = 0, soundfont: Path = SOUNDFONT):
        self.number, self.soundfont = number, soundfont

    @cached_property
    def _synthesizer(self) -> Any:
        return symusic.Synthesizer(str(self.soundfont), SAMPLE_RATE)

    def notes(self, pitches: Pitches, velocities: Pitches, seconds: float) -> Waveforms:
        """Synthesise each note; see `Voice.notes`."""
        rows = [
            self._note(*note, seconds)
            for note in zip(pitches.tolist(), velocities.tolist(), strict=True)
        ]
        samples = round(seconds * SAMPLE_RATE)
        waveforms = np.zeros((len(rows), samples), np.float32)
        for waveform, row in zip(waveforms, rows, strict=True):
            waveform[: len(row)] = row[:samples]
        return waveforms

    def _note(self, pitch: int, velocity: int, seconds: float) -> np.ndarray:
        pitch -= 12 * max(0, -(-(pitch - HIGHEST_SOUND) // 12))
        score = symusic.core.ScoreSecond(480)
        track = symusic.core.TrackSecond("", self.number, False)
        track.notes.append(symusic.core.NoteSecond(0.0, seconds, pitch, velocity))
        score.tracks.append(track)
        return np.asarray(self._synthesizer.render(score, stereo=True)).mean(0)
