"""Accompaniment: which tracks of a roll are given, and which a model makes beside them.

Track-conditional generation: Dong, Hsiao, Yang and Yang, MuseGAN, AAAI 2018, section 3.3.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from core.errors import ConfigError
from musegen.networks.states import Given, States
from musegen.tracks import Track, numbers_of

Others = Float[Tensor, "batch other state bar step pitch"]
"""The states of the tracks that are not given."""


@dataclass(frozen=True)
class Accompaniment:
    """The numbers of the given tracks and of the others, in the order of the collection."""

    given: tuple[int, ...]
    others: tuple[int, ...]

    @classmethod
    def of(cls, names: Sequence[str], tracks: Sequence[Track]) -> "Accompaniment":
        """Divide the tracks by the names of the given ones.

        `ConfigError` for a name that no track has, and where no track would be left to make.
        """
        given = tuple(sorted({*numbers_of(names, tracks, "model.musegan.given")}))
        others = tuple(number for number in range(len(tracks)) if number not in given)
        if not others:
            raise ConfigError(f"all tracks are given ({', '.join(names)}): leave one to be made")
        return cls(given, others)

    def divide(self, x: States) -> tuple[Others, Given | None]:
        """Return the other tracks, and the given ones as the condition c; None without any."""
        if not self.given:
            return x, None
        return x[:, list(self.others)], x[:, list(self.given)]
