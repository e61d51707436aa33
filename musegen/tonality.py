"""The key of a piece: the scale whose profile fits how long each pitch class sounds.

Krumhansl, Cognitive Foundations of Musical Pitch (1990), chapter 4; the profiles are those of
Krumhansl and Kessler (1982), page 30 of the book.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic import Field

from core.config import Strict
from core.errors import ConfigError
from musegen.roll import KEY_SIGNATURE, Grid, Notes, Roll, separate
from musegen.tracks import Track

PROFILES = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}
"""The ratings of how well each pitch class fits a key, from its tonic upwards, by listeners."""

NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
"""Pitch classes of the natural notes."""


def spelled(*flats: str) -> tuple[str, ...]:
    """Return the names of the pitch classes: with sharps, but for those that are given as flats.

    >>> spelled("Bb")
    ('C', 'C#', 'D', 'D#', 'E', 'F', 'F#', 'G', 'G#', 'A', 'Bb', 'B')
    """
    names = {number + 1: f"{letter}#" for letter, number in NATURALS.items()}
    names |= {number: letter for letter, number in NATURALS.items()}
    names |= {NATURALS[name[0]] - 1: name for name in flats}
    return tuple(names[number] for number in range(12))


SHARPS = spelled()
"""Names of the pitch classes, with sharps alone."""

TONICS = {"major": spelled("Db", "Eb", "Ab", "Bb"), "minor": spelled("Bb")}
"""Names of the tonics of major and of minor keys, as they are usually written."""

ACCIDENTALS = {"": 0, "#": 1, "\N{MUSIC SHARP SIGN}": 1, "b": -1, "\N{MUSIC FLAT SIGN}": -1}

SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
"""Semitones above the tonic; minor is natural minor, with the notes of its relative major."""

TURNS = (0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6)
"""Semitones by which music is transposed, the shortest way first."""

Mode = Literal["major", "minor"]
MODES: tuple[Mode, ...] = ("major", "minor")


class Key(Strict):
    """A key: the pitch class of its tonic (0 is C), and its mode.

    >>> Key(tonic=9, mode="minor").name
    'A minor'
    """

    tonic: int = Field(ge=0, lt=12)
    mode: Mode = "major"

    @classmethod
    def parse(cls, text: str) -> "Key":
        """Read a key such as "A minor", "Am", "F# major" or "Bb"; `ConfigError` for another text.

        >>> Key.parse("Bb minor") == Key.parse("A#m") == Key(tonic=10, mode="minor")
        True
        """
        signs, modes = "".join(ACCIDENTALS), "major|maj|minor|min|m|"
        found = re.fullmatch(rf"\s*([A-Ga-g])([{signs}]?)\s*({modes})\s*", text)
        if not found:
            raise ConfigError(f'\'{text}\' is no key: give one as "A minor", "F# major" or Bb')
        letter, accidental, mode = found.groups()
        tonic = (NATURALS[letter.upper()] + ACCIDENTALS[accidental]) % 12
        return cls(tonic=tonic, mode="minor" if mode in ("m", "min", "minor") else "major")

    @property
    def name(self) -> str:
        return f"{TONICS[self.mode][self.tonic]} {self.mode}"

    @property
    def sharps(self) -> int:
        """Return the sharps of its signature, -5 (five flats) to 6."""
        major = self.tonic + 3 * (self.mode == "minor")
        return (7 * major + 5) % 12 - 5

    @property
    def scale(self) -> Bool[np.ndarray, " pitch_class"]:
        """Return which pitch classes are in the scale."""
        return np.isin((np.arange(12) - self.tonic) % 12, SCALES[self.mode])

    def has(self, pitch: Int[np.ndarray, " note"]) -> Bool[np.ndarray, " note"]:
        """Return which MIDI pitches are in the scale."""
        return self.scale[pitch % 12]

    def log_odds(self, grid: Grid, strength: float) -> Float[np.ndarray, " pitch"]:
        """Return what a key adds to the logit of each pitch: log(1 - strength) outside the scale.

        So the odds of those pitches are multiplied by 1 - strength.
        """
        pitch = np.arange(grid.pitches) + grid.lowest_pitch
        with np.errstate(divide="ignore"):  # at strength 1 there are no others
            return np.where(self.has(pitch), 0.0, np.log1p(-strength))

    def turns(
        self, sounding: Float[np.ndarray, "piece pitch"], grid: Grid
    ) -> Int[np.ndarray, " piece"]:
        """Return by how many semitones pieces are transposed into the key.

        Their pitches, weighed by how long each sounds, are then in the scale as far as they can
        be; of several ways the shortest is taken.
        """
        pitch = np.arange(grid.pitches) + grid.lowest_pitch
        fits = np.stack([sounding @ self.has(pitch + turn) for turn in TURNS], 1)  # [piece turn]
        return np.array(TURNS)[fits.argmax(1)]

    def moved(self, semitones: int) -> "Key":
        """Return the key so many semitones higher."""
        return self.replace(tonic=(self.tonic + semitones) % 12)


def key_of(notes: Notes, tracks: Sequence[Track], grid: Grid) -> Key | None:
    """Return the key whose profile correlates best with the lengths of the melodic notes.

    None where no melodic track sounds, or all pitch classes sound equally long.
    """
    is_melodic = np.array([not track.is_drum for track in tracks])[notes.track]
    pitch_class = (notes.pitch[is_melodic] + grid.lowest_pitch) % 12
    sounding = np.bincount(pitch_class, notes.length[is_melodic], minlength=12)
    if not np.ptp(sounding):
        return None
    keys = [Key(tonic=tonic, mode=mode) for mode in MODES for tonic in range(12)]
    return max(keys, key=lambda key: _correlation(sounding, key))


def key_of_signature(data: bytes) -> Key | None:
    """Return the key of a MIDI key signature, sharps (-7 to 7) and mode; None for no valid one.

    >>> key_of_signature(bytes([256 - 3, 1])).name
    'C minor'
    """
    if len(data) != 2 or data[1] > 1 or 7 < data[0] < 249:
        return None
    sharps, is_minor = (data[0] + 128) % 256 - 128, bool(data[1])
    return Key(tonic=(7 * sharps - 3 * is_minor) % 12, mode=MODES[is_minor])


def signature_of(roll: Roll) -> Key | None:
    """Return the key of a roll: the chosen one, else the user's, else that of `key_of`."""
    if roll.key:
        return Key.parse(roll.key)
    own = [mark.data for mark in roll.marks if mark.kind == KEY_SIGNATURE and mark.at == 0]
    return key_of_signature(own[-1]) if own else key_of(roll.notes, roll.tracks, roll.grid)


def in_key(
    notes: Notes,
    tracks: Sequence[Track],
    grid: Grid,
    key: Key,
    strength: float,
    chance: np.random.Generator,
) -> Notes:
    """Transpose the melodic notes of a piece into a key, the shorter way.

    Those that are outside the scale then move by a semitone into it, each with the probability
    `strength`: down where that is in the scale, else up. So harmony is not torn.
    """
    melodic = np.array([not track.is_drum for track in tracks])[notes.track]
    lowest, lengths = grid.lowest_pitch, notes.length[melodic]
    sounding = np.bincount(notes.pitch[melodic], lengths, minlength=grid.pitches)
    pitch = _within(notes.pitch + key.turns(sounding[None], grid), grid)
    strays = ~key.has(pitch + lowest) & (chance.random(len(notes)) < strength)
    moved = np.where(key.has(pitch + lowest - 1), pitch - 1, pitch + 1)
    pitch = _within(np.where(strays, moved, pitch), grid)
    return separate(replace(notes, pitch=np.where(melodic, pitch, notes.pitch)), grid).ordered()


def _within(pitch: np.ndarray, grid: Grid) -> np.ndarray:
    """Move pitches beyond the grid by an octave."""
    return pitch + 12 * (pitch < 0) - 12 * (pitch >= grid.pitches)


def _correlation(sounding: np.ndarray, key: Key) -> float:
    profile = np.roll(PROFILES[key.mode], key.tonic)
    return float(np.corrcoef(sounding, profile)[0, 1])
