"""The orchestra: who plays each track of a song, a soundfont's instrument or a voice."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from musegen.controls import STILL
from musegen.files.audio import SAMPLE_RATE, Audio
from musegen.performance import Performance
from musegen.playing.instrument import Instrument, Region
from musegen.playing.recording import layers, record
from musegen.playing.sf2 import Soundfont
from musegen.playing.synthesis import Note, Synthesis
from musegen.playing.voice import LOUDEST, Voice
from musegen.tracks import Track, numbers_of


def _default_soundfont() -> Path:
    import importlib.util

    package = importlib.util.find_spec("pretty_midi")
    assert package is not None and package.origin is not None
    return Path(package.origin).parent / "TimGM6mb.sf2"


SOUNDFONT = _default_soundfont()
"""The General MIDI soundfont that comes with pretty_midi."""

ALL = ""
"""The name under which a voice is for all melodic tracks that have none of their own."""

CLASSES = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Lengths of notes in seconds that a voice is asked for; longer ones repeat the last part."""

TEST_PITCHES, TEST_SECONDS = (48, 60, 72), 0.5
"""Notes by which the loudness of a voice is compared with that of an instrument."""


class Orchestra:
    """A soundfont, and voices that take the place of its instruments.

    `voices`: by the names of tracks, or under `ALL`. Drums are always the soundfont's. A voice is
    as loud as the instrument whose place it takes.
    """

    def __init__(self, soundfont: Path | None = None, voices: Mapping[str, Voice] | None = None):
        self.soundfont = _opened(soundfont or SOUNDFONT)
        self.voices = {name: Recorded(voice) for name, voice in (voices or {}).items()}
        self.synthesis = Synthesis()

    def require(self, tracks: Sequence[Track]) -> None:
        """Raise `ConfigError` where a voice is for a track that there is not."""
        different = list({track.name.lower(): track for track in tracks}.values())
        numbers_of([name for name in self.voices if name != ALL], different, "--voice")

    def play(self, performance: Performance, to: Audio) -> None:
        """Add the notes of all tracks to stereo sound."""
        for number, track in enumerate(performance.tracks):
            notes = _notes(performance.of_track(number))
            controls = performance.controls[number] if performance.controls else STILL
            if notes:
                self.synthesis.play(self._instrument(track, notes), notes, to, controls)

    def _instrument(self, track: Track, notes: list[Note]) -> Instrument:
        own = self._of_soundfont(track)
        voice = self.voices.get(track.name.lower(), self.voices.get(ALL))
        return own if track.is_drum or voice is None else voice.instrument(notes, own)

    def _of_soundfont(self, track: Track) -> Instrument:
        """Return the soundfont's instrument, or the default's where it has none of the kind."""
        kind = (track.program, track.is_drum)
        found = self.soundfont.instrument(*kind) or _opened(SOUNDFONT).instrument(*kind)
        assert found is not None
        return found


class Recorded:
    """A voice and those of its notes that were asked for, by pitch and length, each once."""

    def __init__(self, voice: Voice):
        self.voice = voice
        self.regions: dict[tuple[int, float], list[Region]] = {}
        self.gains: dict[Instrument, float] = {}

    def instrument(self, notes: list[Note], place: Instrument) -> Instrument:
        """Return an instrument of what these notes need, as loud as that whose place it takes."""
        longest: dict[int, float] = defaultdict(float)
        for note in notes:
            longest[note.pitch] = max(longest[note.pitch], note.seconds)
        needed = {pitch: _class_of(seconds) for pitch, seconds in longest.items()}
        self._record(needed)
        if place not in self.gains:
            self.gains[place] = _loudness(place) / max(self._loudness, 1e-9)
        regions = [r for pitch, length in needed.items() for r in self.regions[pitch, length]]
        gain = self.gains[place]
        return Instrument(tuple(replace(region, gain=gain) for region in regions))

    def _record(self, needed: Mapping[int, float]) -> None:
        missing = {key for key in needed.items() if key not in self.regions}
        for length in sorted({length for _, length in missing}):
            pitches = sorted(pitch for pitch, of in missing if of == length)
            recorded = [
                record(self.voice, pitches, layer, length, SAMPLE_RATE)
                for layer in layers(self.voice.velocities)
            ]
            for pitch, *regions in zip(pitches, *recorded, strict=True):
                self.regions[pitch, length] = regions

    @cached_property
    def _loudness(self) -> float:
        self._record(dict.fromkeys(TEST_PITCHES, _class_of(TEST_SECONDS)))
        length = _class_of(TEST_SECONDS)
        regions = [r for pitch in TEST_PITCHES for r in self.regions[pitch, length]]
        return _loudness(Instrument(tuple(regions)))


def _class_of(seconds: float) -> float:
    return next((length for length in CLASSES if length >= seconds), CLASSES[-1])


@cache
def _opened(path: Path) -> Soundfont:
    return Soundfont(path)


def _loudness(instrument: Instrument) -> float:
    """Return the root mean square of the first half second of a few notes."""
    sound = np.zeros((2, round(TEST_SECONDS * SAMPLE_RATE)), np.float32)
    energy = 0.0
    for pitch in TEST_PITCHES:
        sound[:] = 0
        Synthesis().play(instrument, [Note(0.0, TEST_SECONDS, pitch, LOUDEST)], sound)
        energy += float(np.square(sound).mean())
    return (energy / len(TEST_PITCHES)) ** 0.5


def _notes(performance: Performance) -> list[Note]:
    columns = (performance.start, performance.seconds, performance.pitch, performance.velocity)
    return list(map(Note, *(column.tolist() for column in columns)))
