"""Notes and bars of a file that a song does not have."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.wording import counted
from musegen.smf.foreign import COPY

LEFT_OUT_PICKUP = (
    "bars are whole here, and the first is that after the pickup. To keep the pickup, put rests "
    "before it in your sequencer until its bar is whole"
)

CUT = (
    "the end is missing, of a track or of the tracks that the header promises, and what is there "
    f"was read: {COPY}"
)


@dataclass(frozen=True)
class LeftOut:
    """The numbers of what is left out.

    notes: those that no track claims, that are out of the pitch range or in no kept bar. doubling:
    those that start with a longer one on their track and pitch. bars: those in another metre.
    pickup_beats: the quarter notes of a pickup. tempi: those of 0, or of no length. muted: notes
    whose channel is turned down to 0. is_cut: the file breaks off between events or tracks.
    """

    notes: int = 0
    doubling: int = 0
    bars: int = 0
    pickup_beats: float = 0.0
    tempi: int = 0
    muted: int = 0
    is_cut: bool = False

    def remarks(self, silent: Sequence[str]) -> list[str]:
        """Say what of a file is not in the song; nothing where all of it is.

        silent: the names of parts that no track claims.
        """
        parts = (
            (self.pickup_beats, f"a pickup of {counted(self.pickup_beats, 'quarter note')}"),
            (self.bars, f"{counted(self.bars, 'bar')} in another metre"),
            (self.tempi, counted(self.tempi, "unplayable tempo")),
            (self.muted, f"{counted(self.muted, 'note')} at volume 0"),
            (self.notes, counted(self.notes, "note")),
        )
        lost = [said for count, said in parts if count]
        because = f"; no track plays {', '.join(silent)}" if silent and lost else ""
        first = [f"left out: {', '.join(lost)}{because}"] if lost else []
        return [*first, LEFT_OUT_PICKUP] if self.pickup_beats else first

    @property
    def end(self) -> list[str]:
        """Say that the end of the file is missing, where it is."""
        return [CUT] if self.is_cut else []

    @property
    def doubled(self) -> list[str]:
        """Say how many notes double others."""
        verbs = ("doubles another", "is") if self.doubling == 1 else ("double others", "are")
        said = "{} {} on one pitch of a track, and {} left out"
        return [said.format(counted(self.doubling, "note"), *verbs)] if self.doubling else []
