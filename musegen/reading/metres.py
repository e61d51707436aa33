"""The metres of a file as spans of time, and as many of them as can be in the metre of a grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal, NamedTuple

import numpy as np

from musegen.roll import Grid, Metre

Meter = Literal["kept", "any"]
"""kept: only bars in the grid's metre. any: beats are regrouped, whatever the file's metre."""

ROUNDED = 24
"""A time signature is taken to be on a bar line that is less than a beat / 24 away."""

FOUR_FOUR = Metre.of(4, 4)
"""The metre before the first time signature, by the standard."""

SHORTEST_BAR = 2.0
"""Shorter bars, in quarter notes, make no longer ones: two of 3/8 are not one of 3/4."""

BARS_IN_ONE = (2, 4)
"""So many bars of the same kind of beat are read as one, or one as so many: 2/4 is half of 4/4."""


class Span(NamedTuple):
    """The time of one metre, from its first tick to its end."""

    begin: int
    until: int
    metre: Metre

    def bars(self, ticks_per_beat: int) -> int:
        """Return how many bars begin in it."""
        return ceil((self.until - self.begin) / (self.metre.quarters * ticks_per_beat))


@dataclass(frozen=True)
class Metres:
    """The time signatures of a file: the tick, numerator and denominator of each, in order.

    end: the tick at which the file ends. last_start: that at which its last note starts.
    """

    at: np.ndarray
    numerator: np.ndarray
    denominator: np.ndarray
    ticks_per_beat: int
    end: int
    last_start: int

    def spans(self, grid: Grid, meter: Meter, pickup_beats: float) -> list[Span]:
        """Return the spans of the metres; the last one extends to a bar line after the end.

        A pickup is one bar, in no grid's metre.
        """
        at = self.at[:0] if meter == "any" else self.at[self.at < self.end]
        count, columns = len(at), (self.numerator, self.denominator)
        metres = list(map(Metre.of, *(column[:count].tolist() for column in columns)))
        at, metres = [0, *at.tolist()], [FOUR_FOUR if meter == "kept" else grid.metre, *metres]
        first = round(pickup_beats * self.ticks_per_beat)
        before = int(np.searchsorted(at[1:], first)) if first else 0
        at[: before + 1], metres[: before + 1] = [first], [metres[before]]
        changes = self._on_bar_lines(at, metres)
        begin, metre = changes[-1]
        end = max(self.end, float(self.last_start) + self.ticks_per_beat / grid.steps_per_quarter)
        bar = metre.quarters * self.ticks_per_beat
        last = round(begin + bar * ceil(max(end - begin, 0) / bar))
        ends = [*(tick for tick, _ in changes[1:]), last]
        pickup = [Span(0, first, Metre(pickup_beats, is_compound=True))] if first else []
        return pickup + [Span(a, b, m) for (a, m), b in zip(changes, ends, strict=True)]

    def joined(self, spans: Sequence[Span], own: Metre) -> list[Span]:
        """Return spans of metres with bars in parts joined: successive shorter ones that make one.

        Notation programs write a repeat within a bar as 3/4 and 1/4, for example.
        """
        bar, parts, kept = own.quarters * self.ticks_per_beat, list[int](), list[Span]()
        for span in spans:
            begin, until, metre = span
            kept.append(span)
            is_part = until - begin == round(metre.quarters * self.ticks_per_beat) < bar
            parts = [*parts, until - begin] if is_part else []
            while sum(parts) > bar + 0.5:
                parts = parts[1:]
            if len(parts) > 1 and sum(parts) > bar - 0.5:
                kept[-len(parts) :] = [Span(kept[-len(parts)].begin, until, own)]
                parts = []
        return kept

    def regrouped(self, spans: Sequence[Span], own: Metre) -> list[Span]:
        """Return spans with those in one's own metre whose bars make bars of it.

        Those left over at the end of a span stay as they are; the song's end is filled up.
        """
        bar, kept = own.quarters * self.ticks_per_beat, list[Span]()
        for span in spans:
            begin, until, metre = span
            if not _makes(metre, own):
                kept.append(span)
                continue
            is_last, ticks = until == spans[-1].until, until - begin
            whole = ceil((ticks - 0.5) / bar) if is_last else (ticks + 0.5) // bar
            line = begin + round(whole * bar)
            kept += [Span(begin, line, own)] if line > begin else []
            kept += [Span(line, until, metre)] if line < until else []
        return kept

    def pickup(self, spans: Sequence[Span], own: Metre, given_beats: float) -> float:
        """Return the quarter notes of a pickup, 0 without one.

        It is what its user gives, or one shorter bar before those of one's own metre.
        """
        first = spans[0]
        is_followed = len(spans) > 1 and spans[1].metre == own
        is_shorter = first.metre.quarters < own.quarters
        if given_beats and first.metre != own:
            return given_beats
        is_one = first.bars(self.ticks_per_beat) == 1
        return first.metre.quarters if is_followed and is_shorter and is_one else 0.0

    def _on_bar_lines(self, at: list[int], metres: list[Metre]) -> list[tuple[int, Metre]]:
        """Return the changes of metre, with those just off a bar line moved to it.

        Programs write a signature again anywhere. In the middle of a bar it begins a new one if a
        whole bar of it follows, else bars go on.
        """
        kept = [(at[0], metres[0])]
        following_ticks = [*at[1:], self.end][1:]
        for tick, metre, following in zip(at[1:], metres[1:], following_ticks, strict=True):
            begin, before = kept[-1]
            bar = before.quarters * self.ticks_per_beat
            line = begin + round(round((tick - begin) / bar) * bar)
            is_on_line = abs(tick - line) <= self.ticks_per_beat // ROUNDED
            if following == tick:  # the last of those at one tick counts
                continue
            if is_on_line and line == begin:
                kept[-1] = (begin, metre)
            elif metre != before or not (is_on_line or following - tick < bar):
                kept.append((line if is_on_line else tick, metre))
        return kept


def _makes(metre: Metre, own: Metre) -> bool:
    """Return True where some bars of one of two metres make one bar of the other."""
    shorter, longer = sorted((metre.quarters, own.quarters))
    are_one_kind = metre.is_compound == own.is_compound and shorter >= SHORTEST_BAR
    return are_one_kind and longer / shorter in BARS_IN_ONE
