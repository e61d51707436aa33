"""Sound: a song as its orchestra plays it, at a common loudness, and its tracks alone."""

from functools import cache, cached_property

import numpy as np

from core.errors import UserError
from musegen.files.audio import SAMPLE_RATE, Audio
from musegen.performance import Performance
from musegen.playing.orchestra import SOUNDFONT, Orchestra
from musegen.roll import Roll

LOUDNESS_LUFS = -16.0
PEAK_DBFS = -1.0
LONGEST_SECONDS = 2 * 3600.0
"""The longest song that is played: a second of it takes a megabyte or two of memory."""
RING_SECONDS = 2.0
"""The longest time for which the last notes ring out."""


def sound(song: Roll | Performance, orchestra: Orchestra | None = None) -> Audio:
    """Synthesise stereo at 44.1 kHz: -16 LUFS, peaks below -1 dBFS, the last notes fading out."""
    return Session(song, orchestra).mix


@cache
def default_orchestra() -> Orchestra:
    """Return the orchestra of `SOUNDFONT`, which keeps the notes that it has computed."""
    return Orchestra(SOUNDFONT)


class Session:
    """A song and its orchestra: the mix, and the tracks by themselves at the mix's gain."""

    def __init__(self, song: Roll | Performance, orchestra: Orchestra | None = None):
        performance = song if isinstance(song, Performance) else Performance.of(song)
        if performance.end > LONGEST_SECONDS:
            raise UserError(
                f"the song lasts {performance.end / 3600:,.1f} hours, and at most "
                f"{LONGEST_SECONDS / 3600:g} are played: cut it, or give it a faster tempo"
            )
        self.performance = performance.ringing(RING_SECONDS)
        self.orchestra = orchestra or default_orchestra()
        self._end = round(SAMPLE_RATE * performance.end)

    @cached_property
    def mix(self) -> Audio:
        """Return all tracks together: -16 LUFS, or less where peaks would exceed -1 dBFS."""
        return self._gain * self._ungained

    def stem(self, *numbers: int) -> Audio:
        """Return tracks alone, as long as the mix and at its gain: all stems add up to the mix."""
        alone = self._played(self.performance[np.isin(self.performance.track, numbers)])
        return self._gain * _faded(alone[:, : self._ungained.shape[1]], self._end)

    @cached_property
    def _ungained(self) -> Audio:
        return _faded(_without_silent_end(self._played(self.performance)), self._end)

    @cached_property
    def _gain(self) -> np.float32:
        """Return the factor from what is synthesised to the mix, at each sample the same."""
        from musegen.files.loudness import loudness

        samples = self._ungained
        largest = np.abs(samples).max(initial=0)
        if samples.shape[1] < SAMPLE_RATE // 2 or not largest:
            return np.float32(1)
        gain, peak = LOUDNESS_LUFS - loudness(samples), 20 * np.log10(largest)
        return np.float32(10 ** (min(gain, PEAK_DBFS - peak) / 20))

    def _played(self, performance: Performance) -> Audio:
        audio = np.zeros((2, self._end + round(RING_SECONDS * SAMPLE_RATE)), np.float32)
        self.orchestra.play(performance, audio)
        return audio


def _faded(audio: Audio, end: int) -> Audio:
    """Return sound that falls by 60 dB, and at last to 0, within `RING_SECONDS` of the end."""
    faded = audio.copy()
    begin = max(0, min(end, audio.shape[1] - 1))
    after = np.arange(audio.shape[1] - begin)
    late = np.minimum(after / (RING_SECONDS * SAMPLE_RATE), 1)
    reaches_zero = 1 - (after + 1) / max(len(after), 1)
    faded[:, begin:] *= (10.0 ** (-3 * late) * reaches_zero).astype(np.float32)
    return faded


def _without_silent_end(audio: np.ndarray) -> np.ndarray:
    audible = np.flatnonzero(((audio > 1e-4) | (audio < -1e-4)).any(0))
    return audio[:, : audible[-1] + 1] if len(audible) else audio
