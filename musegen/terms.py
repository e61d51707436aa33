"""Terms of priors that generate along a form."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from core.theory.distributions import Distribution
from core.theory.passes import Passes
from core.theory.shapes import Losses


@runtime_checkable
class FormPrior(Protocol):
    """A prior that has a density of forms."""

    def form(self, batch: int) -> Distribution:
        """Return p(form)."""
        ...


@dataclass(frozen=True)
class LearnForm:
    """-log p(form of x), the form being the condition c that the batch brings."""

    trains: tuple[str, ...] = ("prior",)
    weight: float = 1.0

    @property
    def name(self) -> str:
        return "form"

    @property
    def formula(self) -> str:
        return "LearnForm"

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"form"})

    @property
    def networks(self) -> tuple[str, ...]:
        return ("prior",)

    def __call__(self, passes: Passes) -> Losses:
        if passes.condition is None:
            raise ValueError("a form is needed, and this batch has none")
        return -passes.network("prior", FormPrior).form(len(passes.x)).log_prob(passes.condition)
