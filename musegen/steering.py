"""Steering of a sample by its user: key, density, chance, form. A model says which it obeys."""

from typing import Any

from pydantic import Field, field_validator

from core.config import Strict
from core.errors import ConfigError
from core.theory.distributions import Binarisation
from core.wording import nearest
from musegen.tonality import Key

LEAST_DENSITY, MOST_DENSITY = 0.25, 4.0
DENSITIES = {"low": 0.6, "normal": 1.0, "high": 1.6}
"""Densities by name."""


class Steering(Strict):
    """Settings of a sample; left as they are, the model plays as it has learned.

    `temperature`, `top_p`: of every choice, None is the run's own. `key`, such as "A minor": the
    odds of a note that is not in its scale are multiplied by 1 - `scale_strength`. `density`:
    about how many times as many notes as usual. `form`: a letter for each section.
    `binarisation`: of binary neurons.
    """

    temperature: float | None = Field(default=None, gt=0)
    top_p: float | None = Field(default=None, gt=0, le=1)
    key: Key | None = None
    scale_strength: float = Field(default=1.0, ge=0, le=1)
    density: float = Field(default=1.0, ge=LEAST_DENSITY, le=MOST_DENSITY)
    form: str = ""
    binarisation: Binarisation | None = None

    @field_validator("key", mode="before")
    @classmethod
    def _parsed(cls, key: Any) -> Any:
        return Key.parse(key) if isinstance(key, str) else key

    @property
    def used(self) -> frozenset[str]:
        """Return the names of the settings that differ from what the model does by itself."""
        usual = Steering()
        names = (name for name in type(self).model_fields if name != "scale_strength")
        return frozenset(name for name in names if getattr(self, name) != getattr(usual, name))

    @property
    def named(self) -> dict[str, object]:
        """Return the settings of `used` with their values as a user writes them."""
        values = {name: getattr(self, name) for name in sorted(self.used)}
        if self.key:
            values |= {"key": self.key.name, "scale_strength": self.scale_strength}
        return values


def section_bars(form: str, bars: int) -> int:
    """Return the bars of each section of a piece; `ConfigError` where a form has no such sections.

    >>> section_bars("AABA", 16)
    4
    """
    if not (form.isalpha() and form.isascii()):
        raise ConfigError(f"'{form}' is no form: give a letter for each section, as AABA")
    length = max(round(bars / len(form)), 1)
    if bars != length * len(form):
        raise ConfigError(
            f"{bars} bars do not divide into the {len(form)} sections of {form}: "
            f"--bars {length * len(form)}"
        )
    return length


def density_of(text: str) -> float:
    """Read a density, low, normal, high or a number; `ConfigError` for another text.

    >>> density_of("low"), density_of("1.25")
    (0.6, 1.25)
    """
    if text in DENSITIES:
        return DENSITIES[text]
    try:
        density = float(text)
    except ValueError:
        known = nearest(text, list(DENSITIES))
        raise ConfigError(f"no density is called '{text}': {known}, or a number") from None
    if not LEAST_DENSITY <= density <= MOST_DENSITY:
        raise ConfigError(f"density is {LEAST_DENSITY:g} to {MOST_DENSITY:g}, not {text}")
    return density


UNSTEERED = Steering()
