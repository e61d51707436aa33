"""The bars of a file that are in the metre of a grid, and the steps of its ticks in them."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from core.data.sources import RejectedFile
from musegen.reading.metres import Meter, Metres
from musegen.roll import SIGNATURE, Grid, Metre

LONGEST_PULSE = 1.0
"""Bars up to this, in quarter notes, are pulses of a program that knows no bars."""


@dataclass(frozen=True)
class Bars:
    """The kept bars of a file on a grid.

    starts: the tick of each. stretches: (first bar, number of bars) of successive ones. counts:
    the number of bars of the file in each metre. pickup_beats: the quarter notes of a pickup.
    regrouped: the metres whose bars were joined or divided.
    """

    grid: Grid
    ticks_per_beat: int
    starts: np.ndarray
    stretches: tuple[tuple[int, int], ...]
    counts: Counter[Metre]
    pickup_beats: float
    regrouped: tuple[Metre, ...]

    @classmethod
    def of(cls, metres: Metres, grid: Grid, meter: Meter, pickup_beats: float) -> "Bars":
        """Divide the time of each time signature into bars; incomplete bars are left out."""
        own, ticks_per_beat = grid.metre, metres.ticks_per_beat
        bar_ticks = own.quarters * ticks_per_beat
        starts = [np.zeros(0, np.int64)]
        stretches: list[tuple[int, int]] = []
        counts = Counter[Metre]()
        count = follows = 0
        joined = metres.joined(metres.spans(grid, meter, pickup_beats), own)
        spans = metres.regrouped(joined, own)
        as_before = set(spans)
        regrouped = tuple(dict.fromkeys(span.metre for span in joined if span not in as_before))
        pickup = metres.pickup(spans, own, pickup_beats)
        for span in spans[1:] if pickup else spans:
            begin, until, metre = span
            if metre != own:
                counts[metre] += span.bars(ticks_per_beat)
                continue
            bars = int((until - begin + 0.5) // bar_ticks)
            counts[metre] += bars
            if bars:
                first, before = stretches.pop() if count and begin == follows else (count, 0)
                stretches.append((first, before + bars))
                starts.append(begin + np.rint(bar_ticks * np.arange(bars)).astype(np.int64))
                count, follows = count + bars, begin + round(bars * bar_ticks)
        found = np.concatenate(starts), tuple(stretches)
        return cls(grid, ticks_per_beat, *found, counts, pickup, regrouped)

    def until(self, bars: int) -> "Bars":
        """Keep the first `bars` of them."""
        shorter = tuple((a, min(n, bars - a)) for a, n in self.stretches if a < bars)
        return replace(self, starts=self.starts[:bars], stretches=shorter)

    @property
    def skipped(self) -> int:
        """Return the number of bars of the file in other metres."""
        return self.counts.total() - self.counts[self.grid.metre]

    @property
    def other_metre(self) -> tuple[str, str] | None:
        """Return the `--meter` that would keep most bars, and why, where half or more are not."""
        return self._proposed if 2 * self.skipped >= self.counts.total() else None

    @property
    def refusal(self) -> RejectedFile:
        """Return why no bar is in the grid's metre, and the metre that would keep the file."""
        if set(self.counts) <= {self.grid.metre}:
            why = f"no bar is after a pickup of {self.pickup_beats:g} quarter notes"
            return RejectedFile("no-notes", why, "a shorter --pickup")
        found, why = self._proposed
        why = f"no bar is in {self.grid.metre.name}, {why}"
        return RejectedFile("time-signature", why, f"--meter {found}")

    @property
    def _proposed(self) -> tuple[str, str]:
        """Return the `--meter` of most bars, and why.

        It is any where there is none, where they are pulses, or where no grid has it.
        """
        counts = self.counts
        (metre, most), *_ = counts.most_common(1)
        found, why = metre.name, f"most are in {metre.name}"
        if len(counts) > 1 and 2 * most <= counts.total():
            found, why = "any", "and several metres change about"
        elif metre.quarters <= LONGEST_PULSE:
            found, why = "any", f"most last only {metre.name}"
        return found if SIGNATURE.fullmatch(found) else "any", why

    def place(self, ticks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the last bar that starts before or at each tick, and the ticks since then.

        The bar is -1, and the ticks negative, before the first one.
        """
        length = self.grid.metre.quarters * self.ticks_per_beat
        if len(self.stretches) == 1 and length.is_integer():  # most songs: a third of the time
            first, last = int(self.starts[0]), len(self.starts) - 1
            bar = np.minimum(np.maximum((ticks - first) // int(length), -1), last)
        else:
            bar = self.starts.searchsorted(ticks, side="right") - 1
        return bar, ticks - self.starts[np.maximum(bar, 0)]

    def steps(self, ticks: np.ndarray) -> np.ndarray:
        """Return the steps of ticks; where no bar is kept, the first step of the next one."""
        (bar, offset), grid = self.place(ticks), self.grid
        step = np.floor(offset * grid.steps_per_quarter / self.ticks_per_beat + 0.5)
        within = np.minimum(step.astype(np.int64), grid.steps_per_bar)
        return np.where(bar < 0, 0, bar * grid.steps_per_bar + within)

    def have(self, ticks: np.ndarray) -> np.ndarray:
        """Return which ticks are in a kept bar."""
        bar, offset = self.place(ticks)
        return (bar >= 0) & (offset < self.grid.metre.quarters * self.ticks_per_beat)
