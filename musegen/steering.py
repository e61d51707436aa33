"""Steering of a sample by its user: key, density, chance, form. A model says which it obeys."""

from pydantic import Field

from core.config import Strict
from musegen.files.tonality import Key


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


UNSTEERED = Steering()
