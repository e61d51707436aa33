"""Sound: a roll synthesised with a soundfont, at a common loudness, and its tracks alone."""

import io
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import symusic

from core.errors import UserError
from musegen.files.audio import SAMPLE_RATE, Audio, encode
from musegen.files.midi import write_midi
from musegen.roll import Roll

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


def sound(roll: Roll, soundfont: Path | None = None) -> Audio:
    """Synthesise stereo at 44.1 kHz: -16 LUFS, peaks below -1 dBFS, the last notes fading out."""
    return Session(roll, soundfont).mix


class Session:
    """A roll at the synthesiser: its mix, and its tracks by themselves at the mix's gain."""

    def __init__(self, roll: Roll, soundfont: Path | None = None):
        soundfont = soundfont or SOUNDFONT
        if not soundfont.is_file():
            raise UserError(f"there is no soundfont {soundfont}: give an .sf2 file")
        self.roll = roll
        self.synthesizer = symusic.Synthesizer(str(soundfont), SAMPLE_RATE)

    @cached_property
    def mix(self) -> Audio:
        """Return all tracks together: -16 LUFS, or less where peaks would exceed -1 dBFS."""
        return self._gain * self._ungained

    def stem(self, number: int) -> Audio:
        """Return one track, as long as the mix and at its gain: all stems add up to the mix."""
        alone, samples = self._render([number]), self._ungained.shape[1]
        alone = np.pad(alone[:, :samples], ((0, 0), (0, max(samples - alone.shape[1], 0))))
        return self._gain * _faded(alone, self._end)

    @cached_property
    def _ungained(self) -> Audio:
        audio = self._render(list(range(len(self.roll.tracks))))
        audio = _without_silent_end(audio[:, : self._end + int(RING_SECONDS * SAMPLE_RATE)])
        return _faded(audio, self._end)

    @cached_property
    def _gain(self) -> np.float32:
        """Return the factor from what is synthesised to the mix, at each sample the same."""
        from musegen.files.loudness import loudness

        samples = self._ungained
        largest = max(samples.max(initial=0), -samples.min(initial=0))
        if samples.shape[1] < SAMPLE_RATE // 2 or not largest:
            return np.float32(1)
        gain, peak = LOUDNESS_LUFS - loudness(samples), 20 * np.log10(largest)
        return np.float32(10 ** (min(gain, PEAK_DBFS - peak) / 20))

    @cached_property
    def _end(self) -> int:
        """Return the sample at which the last note of all ends."""
        return round(SAMPLE_RATE * self.roll.seconds_at(_last_step(self.roll)))

    def _render(self, tracks: list[int]) -> Audio:
        if not np.isin(self.roll.notes.track, tracks).any():  # which the synthesiser refuses
            return np.zeros((2, self._end + int(RING_SECONDS * SAMPLE_RATE)), np.float32)
        score = _score(self.roll, tracks)
        return np.asarray(self.synthesizer.render(score, stereo=True), dtype=np.float32)


def _last_step(roll: Roll) -> int:
    """Return the step at which the last note ends."""
    return int((roll.notes.start + roll.notes.length).max(initial=0))


def _score(roll: Roll, tracks: list[int]) -> Any:
    """Convert tracks for the synthesiser; notes above `HIGHEST_SOUND` go down by octaves.

    The synthesiser ends each note with its key, without the soundfont's release: so the notes that
    end the song are held, and drums sound until they are hit again.
    """
    stream = io.BytesIO()
    write_midi(roll, stream, tracks)
    score = symusic.core.ScoreTick.from_midi(stream.getvalue())
    end = round(_last_step(roll) * score.ticks_per_quarter / roll.grid.steps_per_quarter)
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


def _faded(audio: Audio, end: int) -> Audio:
    """Return sound that falls by 60 dB, and at last to 0, within `RING_SECONDS` of the end."""
    faded = audio.copy()
    begin = max(0, min(end, audio.shape[1] - 1))
    after = np.arange(audio.shape[1] - begin)
    late = np.minimum(after / (RING_SECONDS * SAMPLE_RATE), 1)
    reaches_zero = 1 - (after + 1) / max(len(after), 1)
    faded[:, begin:] *= (10.0 ** (-3 * late) * reaches_zero).astype(np.float32)
    return faded


def _let_ring(hits: Any, ring_ticks: int) -> None:
    """Lengthen drum hits to the next one of their drum; the hats are one drum."""
    following: dict[int, int] = {}
    for hit in sorted(hits, key=lambda hit: hit.time, reverse=True):
        drum = min(HATS) if hit.pitch in HATS else hit.pitch
        until = following.get(drum, hit.time + ring_ticks)
        hit.duration = max(min(until - hit.time, ring_ticks), 1)
        following[drum] = hit.time


def _without_silent_end(audio: np.ndarray) -> np.ndarray:
    audible = np.flatnonzero(((audio > 1e-4) | (audio < -1e-4)).any(0))
    return audio[:, : audible[-1] + 1] if len(audible) else audio


def write_sound(roll: Roll, path: Path | str, soundfont: Path | None = None) -> None:
    """Write 16-bit stereo WAV."""
    Path(path).write_bytes(encode(sound(roll, soundfont), "wav"))
