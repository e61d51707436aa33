"""Takes: notes of all pitches, played by one program of a soundfont at one velocity."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float
from pretty_midi.constants import INSTRUMENT_MAP

from core.data.workers import Failure
from core.wording import counted
from musegen.playing.program import Program
from musegen.playing.resampling import resampled
from musegen.playing.sf2 import Soundfont
from musegen.voice.data.records import NoteRecord, PrepareConfig, normalised, stored
from musegen.voice.fundamental import Sound, hear, is_right


@dataclass(frozen=True)
class Take:
    """A program of a soundfont from 0, a velocity, and for how many seconds keys are down."""

    program: int
    velocity: int
    seconds: float

    @property
    def name(self) -> str:
        return f"{INSTRUMENT_MAP[self.program]} {self.velocity} {self.seconds:g}"


def takes_of(config: PrepareConfig) -> Iterator[Take]:
    """Yield the takes that a configuration asks for."""
    for program in config.programs:
        for velocity in config.velocities:
            yield from (Take(program, velocity, seconds) for seconds in config.lengths)


def render(take: Take, soundfont: str, config: PrepareConfig) -> NoteRecord | Failure:
    """Play the notes of a take, each of which must sound at its pitch."""
    instrument = _soundfont(soundfont).instrument(take.program)
    if instrument is None:
        return Failure("no-program", f"the soundfont has no program {take.program}")
    keys = np.arange(config.lowest, config.highest + 1)
    notes, pitches, left_out = list[Sound](), list[int](), Counter[str]()
    for pitch, sound in zip(
        keys.tolist(), _sounds(Program(instrument), keys, take, config), strict=True
    ):
        note = normalised(sound, config)
        tone = None if note is None else hear(note, config.sample_rate_hz)
        if note is None or tone is None:
            left_out["silent" if note is None else "without a pitch"] += 1
        elif not is_right(tone, pitch):
            left_out["at another pitch"] += 1
        else:
            notes.append(note)
            pitches.append(pitch)
    if not notes:
        played = counted(left_out.total(), "note")
        return Failure("no-pitch", f"of {played} none sounds at its pitch")
    velocities = np.full(len(notes), take.velocity)
    kept = stored(notes, config.samples)
    return NoteRecord(
        INSTRUMENT_MAP[take.program], kept, np.array(pitches), velocities, dict(left_out)
    )


def _sounds(
    program: Program, keys: np.ndarray, take: Take, config: PrepareConfig
) -> Float[np.ndarray, "note sample"]:
    velocities = np.full(len(keys), take.velocity)
    held = min(take.seconds, config.seconds)
    sounds = program.released(keys, velocities, held, config.seconds)
    return resampled(sounds, program.sample_rate_hz / config.sample_rate_hz)


@lru_cache(maxsize=1)
def _soundfont(path: str) -> Soundfont:
    return Soundfont(Path(path))
