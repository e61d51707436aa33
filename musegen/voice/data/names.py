"""The pitch and the instrument that the name of a sound file tells.

NSynth (Engel et al., ICML 2017) names files instrument-pitch-velocity, such as
bass_synthetic_068-049-025.wav, and describes them in examples.json.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from core.files import read_json
from musegen.tonality import ACCIDENTALS, NATURALS, SHARPS

NSYNTH = re.compile(r"(?P<timbre>.+)-(?P<pitch>\d{3})-(?P<velocity>\d{3})")
NOTE = re.compile(r"(?<![A-Za-z])(?P<letter>[A-Ga-g])(?P<sign>#|b|s)?(?P<octave>-?\d)(?!\d)")
NUMBER = re.compile(r"(?i)(?:midi|note|pitch)[ _-]?(?P<pitch>\d{1,3})(?!\d)")
SIGNS = {**ACCIDENTALS, "s": 1, None: 0}
VELOCITY = 100
"""The velocity of a note whose file names none."""


class Named(NamedTuple):
    """Facts known of a file before it is read; without a pitch, it is found in the sound."""

    timbre: str
    pitch: int | None = None
    velocity: int = VELOCITY


def name_of_pitch(pitch: int) -> str:
    """Return the name of a pitch; middle C is C4.

    >>> name_of_pitch(60), name_of_pitch(70)
    ('C4', 'A#4')
    """
    return f"{SHARPS[pitch % 12]}{pitch // 12 - 1}"


def pitch_in(text: str) -> int | None:
    """Return the MIDI number of the last pitch that a text names, None where it names none.

    >>> pitch_in("violin Bb3 pp"), pitch_in("kick 2"), pitch_in("note60")
    (58, None, 60)
    """
    if found := NUMBER.search(text):
        pitch = int(found["pitch"])
    elif found := list(NOTE.finditer(text)):
        last = found[-1]
        key = NATURALS[last["letter"].upper()] + SIGNS[last["sign"]]
        pitch = key + 12 * (int(last["octave"]) + 1)
    else:
        return None
    return pitch if 0 <= pitch <= 127 else None


def pitch_of_text(text: str) -> int | None:
    """Return the pitch of a text such as C4 or 60; None for any other text."""
    if text.isdecimal():
        return int(text) if int(text) <= 127 else None
    return pitch_in(text)


def named(path: str, described: Mapping[str, Named]) -> Named:
    """Return what a file's name tells, or what examples.json says of it."""
    inner = Path(path.rpartition("!")[2])
    if inner.stem in described:
        return described[inner.stem]
    if found := NSYNTH.fullmatch(inner.stem):
        return Named(found["timbre"], int(found["pitch"]), int(found["velocity"]))
    rest = re.sub(r"[\W_\d]+", " ", NUMBER.sub(" ", NOTE.sub(" ", inner.stem))).strip()
    return Named(rest or inner.parent.name or "notes", pitch_in(inner.stem))


def descriptions(folders: list[Path]) -> dict[str, Named]:
    """Read the examples.json of NSynth in some folders; a broken one is passed over."""
    found: dict[str, Named] = {}
    for path in (path for folder in folders for path in folder.rglob("examples.json")):
        try:
            for name, facts in read_json(path).items():
                timbre, pitch = str(facts["instrument_str"]), int(facts["pitch"])
                found[name] = Named(timbre, pitch, int(facts.get("velocity", VELOCITY)))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return found
