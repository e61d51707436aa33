"""Little songs drawn from a seed, as MIDI files."""

from pathlib import Path

import numpy as np
from handmade import midi, name, note, program, signature

from musegen.data.records import PrepareConfig

FOUR_BARS = PrepareConfig(bars=4)
"""The songs are shorter than phrases are by default."""

PROGRAMS = (0, 24, 33)
"""Piano, guitar and bass."""


def part(seed: int, channel: int, bars: int, up: int = 0) -> bytes:
    """Eighths to halves at random pitches, `up` semitones higher."""
    chance = np.random.default_rng([seed, channel])
    left, notes = bars * 4 * 480, b""
    while left:
        length = min(left, int(chance.choice([240, 480, 960])))
        notes += note(int(chance.integers(48, 72)) + up, length, channel=channel)
        left -= length
    return program(PROGRAMS[channel - 1], channel) + notes


def tune(seed: int, bars: int = 6, parts: int = 3, up: int = 0) -> bytes:
    """A song in 4/4 of up to three parts, that never rest."""
    tracks = [part(seed, channel, bars, up) for channel in range(1, parts + 1)]
    return midi(name("tune") + signature(4, 2), *tracks)


def write_tunes(folder: Path, count: int, bars: int = 6) -> Path:
    """Songs 0, 1, ... as 000.mid, 001.mid, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        (folder / f"{seed:03}.mid").write_bytes(tune(seed, bars))
    return folder
