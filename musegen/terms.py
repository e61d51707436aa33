"""Terms of priors that generate pieces along a form."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from core.theory.distributions import Distribution
from core.theory.divergences import Moments, OtherStatistics, Statistics
from core.theory.passes import Passes
from core.theory.shapes import Loss, Losses


@runtime_checkable
class FormPrior(Protocol):
    """A prior that has a density of forms."""

    def form(self, batch: int) -> Distribution:
        """Return p(form)."""
        ...


@dataclass(frozen=True)
class LearnForm:
    """-log p(form of x), the form being in the condition c that the batch brings."""

    name = "form"
    formula = "LearnForm"
    needs = frozenset({"form"})
    networks = ("prior",)

    trains: tuple[str, ...] = ("prior",)
    weight: float = 1.0

    def __call__(self, passes: Passes) -> Losses:
        if passes.condition is None:
            raise ValueError("a form is needed, and this batch has none")
        return -passes.network("prior", FormPrior).form(len(passes.x)).log_prob(passes.condition)


@dataclass(frozen=True)
class MomentsOfPieces(Moments):
    """Moments of statistics of whole pieces, unbiased: their mean at equality is 0.

    Sum over groups of the mean over statistics of ((mean produced - mean real)^2 - variance
    produced / number of pieces - variance real / number) / (variance real + 0.001). Without the
    subtraction the loss of a small batch is least where all pieces are the same.
    """

    def gap(self, produced: Statistics, real: OtherStatistics) -> Loss:
        """Return the unbiased gap of two samples of pieces."""
        chance = produced.var(0) / len(produced) + real.var(0) / len(real)
        gap = (produced.mean(0) - real.mean(0)) ** 2 - chance
        return (gap / (real.var(0) + 1e-3)).mean()
