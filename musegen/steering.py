"""Steering of a sample by its user: key, density, chance, form. A model says which it obeys."""

import re
from typing import Literal

import numpy as np
from jaxtyping import Bool
from pydantic import Field

from core.config import Strict
from core.errors import ConfigError

NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
"""Pitch classes of the natural notes."""

ACCIDENTALS = {"": 0, "#": 1, "b": -1}

SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
"""Semitones above the tonic; minor is natural minor, with the notes of its relative major."""

Mode = Literal["major", "minor"]


class Key(Strict):
    """A key: the pitch class of its tonic (0 is C), and its mode."""

    tonic: int = Field(ge=0, lt=12)
    mode: Mode = "major"

    @classmethod
    def parse(cls, text: str) -> "Key":
        """Read a key such as "A minor", "Am", "F# major" or "Bb"; `ConfigError` for another text.

        >>> Key.parse("Bb minor") == Key.parse("A#m") == Key(tonic=10, mode="minor")
        True
        """
        found = re.fullmatch(r"\s*([A-Ga-g])([#b]?)\s*(major|maj|minor|min|m|)\s*", text)
        if not found:
            raise ConfigError(f'\'{text}\' is no key: give one as "A minor", "F# major" or Bb')
        letter, accidental, mode = found.groups()
        tonic = (NATURALS[letter.upper()] + ACCIDENTALS[accidental]) % 12
        return cls(tonic=tonic, mode="minor" if mode in ("m", "min", "minor") else "major")

    @property
    def scale(self) -> Bool[np.ndarray, " pitch_class"]:
        """Return which pitch classes are in the scale."""
        return np.isin((np.arange(12) - self.tonic) % 12, SCALES[self.mode])


class Steering(Strict):
    """Settings of a sample; left as they are, the model plays as it has learned.

    `temperature`, `top_p`: of every choice, None is the run's own. `key`: the odds of a note that
    is not in its scale are multiplied by 1 - `scale_strength`. `density`: about how many times as
    many notes as usual. `form`: a letter for each section.
    """

    temperature: float | None = Field(default=None, gt=0)
    top_p: float | None = Field(default=None, gt=0, le=1)
    key: Key | None = None
    scale_strength: float = Field(default=1.0, ge=0, le=1)
    density: float = Field(default=1.0, ge=0.25, le=4)
    form: str = ""

    @property
    def used(self) -> frozenset[str]:
        """Return the names of the settings that differ from what the model does by itself."""
        usual = Steering()
        names = (name for name in type(self).model_fields if name != "scale_strength")
        return frozenset(name for name in names if getattr(self, name) != getattr(usual, name))

    def section_bars(self, bars: int) -> int:
        """Return the bars of each section of a piece; `ConfigError` for a form that has none.

        >>> Steering(form="AABA").section_bars(16)
        4
        """
        if not (self.form.isalpha() and self.form.isascii()):
            raise ConfigError(f"'{self.form}' is no form: give a letter for each section, as AABA")
        length, rest = divmod(bars, len(self.form))
        if rest or not length:
            raise ConfigError(
                f"{bars} bars do not divide into the {len(self.form)} sections of {self.form}: "
                f"--bars {max(length, 1) * len(self.form)}"
            )
        return length


UNSTEERED = Steering()
