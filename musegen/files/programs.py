"""The sounds of tracks, by General MIDI's numbers from 0 or by their names."""

import difflib
import re
from collections.abc import Mapping, Sequence

from pretty_midi.constants import INSTRUMENT_MAP

from core.config import comma_separated
from core.errors import ConfigError
from musegen.tracks import Track, numbers_of

INSTRUMENTS = {name: number for number, name in enumerate(INSTRUMENT_MAP)}

DRUM_KITS = {
    "Standard": 0, "Room": 8, "Power": 16, "Electronic": 24, "TR-808": 25, "Jazz": 32, "Brush": 40,
    "Orchestra": 48,
}  # fmt: skip
"""The kits of General MIDI 2, as programs of channel 10."""


def with_programs(tracks: Sequence[Track], programs: Mapping[str, str]) -> tuple[Track, ...]:
    """Return the tracks with other sounds: a number from 0 to 127 or a name for each track.

    Upper and lower case are the same. Some words of an instrument's name are enough: of several
    names that have them the first is taken. `ConfigError` for a track or a sound that is unknown.
    """
    chosen = dict(
        zip(numbers_of([*programs], tracks, "--programs"), programs.values(), strict=True)
    )
    return tuple(
        track.replace(program=program_of(chosen[number], track.is_drum))
        if number in chosen
        else track
        for number, track in enumerate(tracks)
    )


def read_programs(text: str) -> dict[str, str]:
    """Return the sound of each track that a text such as bass=38,piano=electric piano names."""
    parts = [part.partition("=") for part in comma_separated(text)]
    if wrong := [track for track, equals, sound in parts if not (equals and sound.strip())]:
        raise ConfigError(f"'{wrong[0]}' names no sound: --programs bass=38,piano=4, for example")
    return {track.strip(): sound.strip() for track, _, sound in parts}


def program_of(text: str, is_drum: bool = False) -> int:
    """Return the program of a number's text or of words of a name; `ConfigError` for others."""
    if text.isdecimal():
        if int(text) > 127:
            raise ConfigError(f"programs are 0 to 127, not {text}")
        return int(text)
    known = DRUM_KITS if is_drum else INSTRUMENTS
    asked = " ".join(_words(text))
    names = {f" {' '.join(_words(name))} ": number for name, number in known.items()}
    found = [number for name, number in names.items() if asked and f" {asked} " in name]
    if not found:
        kind = "drum kit" if is_drum else "instrument"
        raise ConfigError(f"no {kind} is called '{text}': {_similar(text, [*known])}, or a number")
    return found[0]


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", name.lower())


def _similar(text: str, known: list[str]) -> str:
    """Return those of many names that share a word with a text, else the nearest, else all."""
    shared = [name for name in known if set(_words(text)) & set(_words(name))]
    near = difflib.get_close_matches(text, known, n=8, cutoff=0.4)
    some = shared or near
    return f"names like it are {', '.join(some)}" if some else f"there are {', '.join(known)}"
