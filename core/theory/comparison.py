"""The contract of whatever compares two distributions: divergences and games.

A comparison is called with the passes, the space and the name of the critic of that space, which
only some of them read: `comparison(passes, space, critic)`.
"""

from abc import ABC, abstractmethod

from core.theory.passes import Passes, Space
from core.theory.shapes import Loss, Losses


class Comparison(ABC):
    """A way to compare the produced samples of a space with its reference samples."""

    verb = "match"
    """The first word of the name of a term that compares in this way."""

    @property
    def formula(self) -> str:
        """Return the name that is shown to users."""
        return type(self).__name__

    @property
    def needs(self) -> frozenset[str]:
        """Return what a domain must offer beyond x."""
        return frozenset()

    @abstractmethod
    def networks(self, space: Space, critic: str) -> tuple[str, ...]:
        """Return the networks that are evaluated in this space."""

    @abstractmethod
    def __call__(self, passes: Passes, space: Space, critic: str) -> Losses | Loss:
        """Return a loss per sample, or one for the batch, of the space's produced samples."""
