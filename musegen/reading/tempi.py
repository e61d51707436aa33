"""The tempi of a file: the time of each tick, and the tempo of each bar."""

from dataclasses import dataclass

import numpy as np

from musegen.roll import differ
from musegen.smf.events import DEFAULT_BPM, Events, tempi
from musegen.smf.kinds import TEMPO


@dataclass(frozen=True)
class Tempi:
    """The tempi of a file: the ticks `at` which one begins, and the seconds of its beats.

    Before the first one it is `DEFAULT_BPM`, by the standard. left_out: how many nobody can play.
    """

    at: np.ndarray
    seconds_per_beat: np.ndarray
    ticks_per_beat: int
    left_out: int = 0

    @classmethod
    def of(cls, events: Events) -> "Tempi":
        """Find the tempi of a file."""
        at, microseconds = tempi(events)
        left_out = len(events.metas(TEMPO)) - len(at)
        return cls(at, microseconds / 1e6, events.ticks_per_beat, left_out)

    def of_bars(self, starts: np.ndarray, quarters: float) -> np.ndarray:
        """Return the mean tempo of each bar in beats a minute, weighted by time.

        starts: the first ticks of bars that last so many quarter notes.
        """
        first_and_end = np.array([[0.0], [quarters * self.ticks_per_beat]])
        begin, end = self.seconds(first_and_end + starts)
        return 60.0 * quarters / (end - begin)

    def seconds(self, ticks: np.ndarray) -> np.ndarray:
        """Return the seconds from the beginning to each tick."""
        at = np.concatenate([[0], self.at])
        per_beat = np.concatenate([[60 / DEFAULT_BPM], self.seconds_per_beat])
        last = differ(at[::-1])[::-1]  # of those at one tick
        at, per_tick = at[last], per_beat[last] / self.ticks_per_beat
        elapsed = np.concatenate([[0.0], ((at[1:] - at[:-1]) * per_tick[:-1]).cumsum()])
        piece = at.searchsorted(ticks, side="right") - 1
        return elapsed[piece] + (ticks - at[piece]) * per_tick[piece]
