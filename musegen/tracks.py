"""The tracks of a roll, and which parts of a MIDI file play in each.

The five families follow the Lakh Pianoroll Dataset (Dong et al., AAAI 2018): drums; piano 0-7;
guitar 24-31; bass 32-39; strings are the other melodic programs below 96 and the folk instruments
104-111; percussive and effect programs are left out.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from core.config import ConfigError, Strict, nearest, read_yaml, resolve


class Track(Strict):
    """One track. A part belongs to the first track of the list that claims it.

    A track claims parts by General MIDI program ranges (0-127, both ends included), by a pattern in
    the part's name, by the part's order in the file (0 is the first), or as the rest.
    """

    name: str
    program: int = Field(
        default=0, ge=0, le=127, description="General MIDI program that plays it, from 0"
    )
    is_drum: bool = False
    programs: tuple[tuple[int, int], ...] = ()
    name_pattern: str = ""
    order: int | None = Field(default=None, ge=0)
    rest: bool = False

    def claims(self, part: "Part") -> bool:
        if self.rest or (self.order is not None and self.order == part.order):
            return True
        if self.name_pattern and re.search(self.name_pattern, part.name, re.IGNORECASE):
            return True
        if part.is_drum:
            return self.is_drum and not (self.name_pattern or self.order is not None)
        return any(first <= part.program <= last for first, last in self.programs)


@dataclass(frozen=True)
class Part:
    """One instrument of a MIDI file."""

    order: int
    name: str
    program: int
    is_drum: bool


STRINGS = ((8, 23), (40, 95), (104, 111))

TRACK_LISTS: dict[str, tuple[Track, ...]] = {
    "lakh": (
        Track(name="Drums", is_drum=True),
        Track(name="Piano", program=0, programs=((0, 7),)),
        Track(name="Guitar", program=24, programs=((24, 31),)),
        Track(name="Bass", program=33, programs=((32, 39),)),
        Track(name="Strings", program=48, programs=STRINGS),
    ),
    "voices": (
        Track(name="Soprano", program=52, order=0),
        Track(name="Alto", program=52, order=1),
        Track(name="Tenor", program=52, order=2),
        Track(name="Bass", program=52, order=3),
    ),
    "quartet": (
        Track(name="Violin 1", program=40, order=0),
        Track(name="Violin 2", program=40, order=1),
        Track(name="Viola", program=41, order=2),
        Track(name="Cello", program=42, order=3),
    ),
}


class TrackFile(Strict):
    """A track list in a YAML file: `tracks:` and a list of `Track`."""

    tracks: tuple[Track, ...] = Field(min_length=1)


def track_list(name: str) -> tuple[Track, ...]:
    """A list by its name, or from a YAML file."""
    if name in TRACK_LISTS:
        return TRACK_LISTS[name]
    if Path(name).is_file():
        return resolve(TrackFile, read_yaml(Path(name)), name).tracks
    raise ConfigError(f"no track list is called '{name}': {nearest(name, list(TRACK_LISTS))}")


def assign(parts: Sequence[Part], tracks: Sequence[Track]) -> list[int]:
    """The track of each part, -1 for a part that no track claims.

    >>> guitar = Part(order=3, name="solo", program=30, is_drum=False)
    >>> assign([guitar], TRACK_LISTS["lakh"])
    [2]
    """
    return [
        next((n for n, track in enumerate(tracks) if track.claims(part)), -1) for part in parts
    ]
