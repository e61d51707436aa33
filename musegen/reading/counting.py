"""The counting of a file's beats and bars, where a user may have counted otherwise."""

from dataclasses import dataclass

from musegen.roll import Metre
from musegen.smf.events import DEFAULT_BPM

WITHOUT_BEATS = (
    f"times are in SMPTE frames, and there is no tempo: beats are taken at {DEFAULT_BPM:g} a "
    "minute. If they are not, export with times in beats"
)


@dataclass(frozen=True)
class Counting:
    """The counting of beats and bars.

    has_beats: False where beats were taken at `DEFAULT_BPM`, since the file says neither beats nor
    tempi. regrouped: metres whose bars were joined or divided into those of the grid. other_metre:
    where half of the bars or more are skipped, the metre that would keep most, or any, and why.
    """

    has_beats: bool = True
    regrouped: tuple[Metre, ...] = ()
    other_metre: tuple[str, str] | None = None

    def regroupings(self, own: Metre) -> list[str]:
        """Say how bars of other metres are counted in one's own; nothing where all are of it."""
        return [_regrouping(metre, own) for metre in self.regrouped]

    @property
    def doubts(self) -> list[str]:
        """Say where beats are a guess."""
        return [] if self.has_beats else [WITHOUT_BEATS]


def _regrouping(metre: Metre, own: Metre) -> str:
    """Say how bars of a metre are joined or divided into those of another, and counted."""
    ratio = max(own.quarters / metre.quarters, metre.quarters / own.quarters)
    if metre.quarters < own.quarters:
        read = f"{ratio:g} bars of {metre.name} are read as one of {own.name}"
    else:
        read = f"each bar of {metre.name} is read as {ratio:g} of {own.name}"
    return f"{read}, and bars are counted so"
