"""The key of a piece: that whose profile fits how long each pitch class sounds.

Krumhansl, Cognitive Foundations of Musical Pitch (1990), chapter 4; the profiles are those of
Krumhansl and Kessler (1982), page 30 of the book.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from musegen.roll import Grid, Notes
from musegen.tracks import Track

MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
"""How well each pitch class fits a key, from its tonic upwards, as listeners rated it."""

TONICS = {
    False: ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"),
    True: ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "Bb", "B"),
}
"""Names of the tonics of major and of minor keys, as they are usually written."""


class Key(NamedTuple):
    """A key; the tonic is a pitch class, 0 is C.

    >>> Key(9, is_minor=True).name
    'A minor'
    """

    tonic: int
    is_minor: bool

    @property
    def name(self) -> str:
        return f"{TONICS[self.is_minor][self.tonic]} {'minor' if self.is_minor else 'major'}"

    @property
    def sharps(self) -> int:
        """Return the sharps of its signature, -5 (five flats) to 6."""
        major = self.tonic + 3 * self.is_minor
        return (7 * major + 5) % 12 - 5


def key_of(notes: Notes, tracks: Sequence[Track], grid: Grid) -> Key | None:
    """Return the key whose profile correlates best with the lengths of the melodic notes.

    None where no melodic track sounds, or all pitch classes sound equally long.
    """
    is_melodic = np.array([not track.is_drum for track in tracks])[notes.track]
    pitch_class = (notes.pitch[is_melodic] + grid.lowest_pitch) % 12
    sounding = np.bincount(pitch_class, notes.length[is_melodic], minlength=12)
    if not np.ptp(sounding):
        return None
    keys = [Key(tonic, is_minor) for is_minor in (False, True) for tonic in range(12)]
    return max(keys, key=lambda key: _correlation(sounding, key))


def _correlation(sounding: np.ndarray, key: Key) -> float:
    profile = np.roll(MINOR if key.is_minor else MAJOR, key.tonic)
    return float(np.corrcoef(sounding, profile)[0, 1])
