"""Labels of generated songs: their names, and the line that says how to make them again."""

import re
from dataclasses import replace
from typing import Any, NamedTuple

from core.app.label import name_of, origin
from musegen.roll import Roll


class Label(NamedTuple):
    """The name of a song, and where it comes from: all that is needed to make it again."""

    name: str
    origin: str

    @classmethod
    def of(cls, model: str, seed: int, number: int, kind: str = "", **settings: Any) -> "Label":
        """Name song `number` of a seed, from 1; settings that are None or empty are left out.

        `kind`: what was composed, where it is no new song.

        >>> Label.of("lookback_rnn", 7, 1, bars=16, form="").name
        'lookback_rnn-seed7-1'
        """
        name = name_of(model, seed, *([kind] if kind else []), number)
        return cls(name, origin(model, seed=seed, song=number, **settings))

    def on(self, roll: Roll) -> Roll:
        """Return the roll with this label."""
        return replace(roll, name=self.name, origin=self.origin)


PLAYED = "; played with "
"""Before the sounds of a song in its origin, where they are not those of its tracks."""


def played(origin: str, sounds: str) -> str:
    """Return the origin of a song that is played with other sounds, which change no note.

    >>> played("made with pianoreel: mine", "bass=38"), played("", "bass=38")
    ('made with pianoreel: mine; played with bass=38', '')
    """
    return f"{origin}{PLAYED}{sounds}" if origin and sounds else origin


def unplayed(origin: str) -> str:
    """Return the origin without its sounds, see `played`.

    >>> unplayed("made with pianoreel: mine; played with bass=38"), unplayed("mine")
    ('made with pianoreel: mine', 'mine')
    """
    return origin.rpartition(PLAYED)[0] or origin


STEM = re.compile(r"(.+) alone, a stem of (.+)")
"""The text of the file of one track: the track, and the song with its origin."""


def stem_of(roll: Roll, track: int) -> Roll:
    """Return the roll with an origin that says that it is written for one of its tracks alone."""
    text = f"{roll.tracks[track].name} alone, a stem of {roll.name}"
    return replace(roll, origin=f"{text}, {roll.origin}" if roll.origin else text)


def is_stem(text: str) -> bool:
    """Return True for the origin of a stem.

    >>> is_stem("Bass alone, a stem of song-1, made with pianoreel"), is_stem("A stem of roses")
    (True, False)
    """
    return STEM.fullmatch(text) is not None
