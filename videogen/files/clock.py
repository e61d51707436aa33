"""The times of frames: which frame is on display when.

A decoder yields frames in the order in which they are shown. The times that come with them may be
those of the order in which they are stored (AVI has no others): then the earliest time that is not
yet given belongs to the next frame.
"""

import heapq
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

Timed = tuple[float, float, Any]
"""Time and duration of a frame in seconds (0: unknown), and the frame."""


class InFrames(NamedTuple):
    """The first frame of a part of a film, whose first is 0, and the first one after it."""

    begin: float
    end: float


Excerpt = tuple[float, float] | InFrames
"""Seconds from the first frame to the begin and to the end of a part, infinite for that of the
film; or frames."""

TRUE = 0.1
"""Share of the gap to the next frame by which a duration may differ from it."""
TICK = 0.05
"""Share of the usual gap below which the duration of the last frame is none."""


class OutOfOrder(Exception):
    """Raised where the time of a frame is earlier than that of the one before it."""


class Waiting:
    """The times of stored frames that are not yet shown, in seconds.

    Where a time is earlier than the one before it by more than `restart`, a new recording begins.
    """

    def __init__(self, restart: float):
        self.restart, self.recording, self.last = restart, 0, -np.inf
        self.times: list[tuple[int, float]] = []

    def add(self, time: float) -> None:
        """Add the time of a frame, in the order of the file."""
        self.recording += time < self.last - self.restart
        self.last = time
        heapq.heappush(self.times, (self.recording, time))

    def earliest(self) -> float | None:
        """Remove the earliest time and return it; None where there is no more."""
        return heapq.heappop(self.times)[1] if self.times else None


def require_order(frames: Iterable[Timed], restart: float) -> Iterator[Timed]:
    """Raise `OutOfOrder` where times decrease, unless a new recording begins there."""
    last = -np.inf
    for timed in frames:
        if last - restart <= timed[0] < last:
            raise OutOfOrder
        last = timed[0]
        yield timed


def join(frames: Iterable[Timed], restart: float) -> Iterator[Timed]:
    """Let times that begin anew follow those before them; others that decrease are replaced."""
    last, gap, offset = -np.inf, 0.0, 0.0
    for time, duration, frame in frames:
        if time + offset < last - restart:
            offset = last + gap - time
        now = max(last, time + offset)
        gap = now - last if now > last > -np.inf else gap
        last = now
        yield now, duration, frame


def resample(frames: Iterable[Timed], rate: float) -> Iterator[Any]:
    """Yield the frame on display at (k + 1/2) / rate seconds after the first, for each k; one at
    least.

    A frame is on display until the time of the next one, which is not earlier.
    """
    count, start, current = 0, 0.0, None
    gaps: list[float] = []
    durations: list[float] = []
    for time, duration, frame in frames:
        if current is None:
            start = time
        else:
            gaps.append(time - start - current[0])
        while current and (count + 0.5) / rate < time - start:
            yield current[1]
            count += 1
        current = (time - start, frame)
        durations.append(duration)
    end = current[0] + _last(gaps, durations, 1 / rate) if current else 0
    while current and ((count + 0.5) / rate < end or not count):
        yield current[1]
        count += 1


def _last(gaps: Sequence[float], durations: Sequence[float], default: float) -> float:
    """Return for how long the last frame is on display.

    For its duration, if at least half of the others were true; for the usual gap, if they were
    not, or if it is a tick, as encoders write that do not know it; if none is stated, for as long
    as the frame before it.
    """
    *others, last = durations
    true = [abs(stated - gap) <= TRUE * gap for stated, gap in zip(others, gaps, strict=True)]
    is_tick = bool(gaps) and last < TICK * float(np.median(gaps))
    if last and 2 * sum(true) >= len(true) and not is_tick:
        return last
    if last:
        return float(np.median(gaps))
    return next((gap for gap in reversed(gaps) if gap), default)


def first_frame(seconds: float, rate: float) -> int:
    """Return the number of the first frame of `resample` that is of this time or later.

    >>> first_frame(0, 8), first_frame(1, 8), first_frame(1.1, 8)
    (0, 8, 9)
    """
    if math.isinf(seconds):
        return sys.maxsize
    return math.ceil(seconds * rate - 0.5)


CUT_SECONDS, CUT_FRAMES, CUT_SHARE = 1.0, 30, 0.25
"""Largest difference in length between an excerpt and a film that was cut to it."""
LEAST_SHARE = 0.5
"""Least share of an excerpt that a film has: otherwise another film, or another unit, is meant."""


class Window:
    """An excerpt of resampled frames.

    `seconds` and `count`: how much of the film was seen. `begin`, `end`: the excerpt's seconds,
    infinite for a frame that was not seen.
    """

    def __init__(self, excerpt: Excerpt):
        self.excerpt, self.seconds, self.count = excerpt, 0.0, 0
        self.begin, self.end = excerpt
        if isinstance(excerpt, InFrames):
            self.begin = self.end = math.inf

    def watch(self, frames: Iterable[Timed]) -> Iterator[Timed]:
        """Yield the frames of a film, and note when those come that the excerpt names."""
        start = 0.0
        for time, duration, frame in frames:
            start = start if self.count else time
            if isinstance(self.excerpt, InFrames):
                first, last = self.excerpt
                self.begin = min(self.begin, time - start if self.count >= first else math.inf)
                self.end = min(self.end, time - start if self.count >= last else math.inf)
            self.count += 1
            yield time, duration, frame

    def __call__(self, frames: Iterable[Any], rate: float) -> Iterator[Any]:
        """Yield the frames of `resample` within the excerpt, one at least if it is reached."""
        shown = False
        for number, frame in enumerate(frames):
            self.seconds = (number + 1) / rate
            if number < first_frame(self.begin, rate):
                continue
            last = first_frame(self.end, rate)  # which may only be known by now
            if number < last or not shown:
                yield frame
                shown = True
            if number + 1 >= last:
                return

    @property
    def is_of_a_cut(self) -> bool:
        """Return whether the film is as long as the excerpt, and too short to contain it."""
        length, seen, most = self._lengths
        near = min(most, CUT_SHARE * length)
        return seen < self.excerpt[1] - near and abs(seen - length) <= near

    @property
    def is_there(self) -> bool:
        """Return whether enough of the excerpt is in the film."""
        (begin, end), (length, seen, _) = self.excerpt, self._lengths
        return end == math.inf or min(seen, end) - begin >= LEAST_SHARE * length

    @property
    def _lengths(self) -> tuple[float, float, float]:
        """Return the lengths of the excerpt and of the film, and `CUT_SECONDS`, in its unit."""
        length = self.excerpt[1] - self.excerpt[0]
        if isinstance(self.excerpt, InFrames):
            return length, self.count, CUT_FRAMES
        return length, self.seconds, CUT_SECONDS
