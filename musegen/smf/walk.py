"""The way through the bytes of tracks, from event to event."""

from bisect import bisect_left

import numpy as np

from musegen.smf.kinds import END_OF_TRACK, ESCAPE, META, NOTE_OFF, PITCH_BEND, PROGRAM, SYSEX
from musegen.smf.quantities import quantity

WINDOW = 1 << 16
"""Bytes that are searched for runs at once; their numbers fit in 16 bits."""

NUMBERS = np.arange(WINDOW, dtype=np.uint16)
"""From 0 on, one for each byte of a window."""

SPARE_BYTES = 16
"""Zeros after the file, more than an event has bytes before its payload."""

STOP = 2**31 - 1

SYSTEM_DATA = {0xF1: 1, 0xF2: 2, 0xF3: 1}
"""Data bytes of system messages; others have none."""

LONGEST_END = 7
"""The bytes of an end of track whose delta time is as long as can be."""

NO_DELTA, OTHER = 1, 2
"""Bits of a byte from 0x80 on: no byte of a delta time, as the fourth in a row; no status of a
plain event, or not the first in a row."""


def _tables() -> list[bytes]:
    """Return the table of the codes that break a run, for each phase in which it begins.

    A phase is the number of bytes below 0x80 before, modulo 3; a code is 4 * phase + bits.
    """
    bits = np.arange(4)
    in_delta, at_status, in_data = bits & NO_DELTA, bits & OTHER, np.ones(4)
    breaks = np.concatenate([in_delta, at_status, in_data]) > 0
    return [bytes(np.roll(breaks, 4 * begin).tolist()).ljust(256, b"\0") for begin in range(3)]


BREAKS = _tables()


def _short(high: np.ndarray, status: np.ndarray) -> np.ndarray:
    """Return the numbers of the bytes of `high` that are plain messages of one data byte.

    Two bytes below 0x80, the data and a delta time, are between them and the status of another
    channel message. See `Walk`, whose window ends with the last one.
    """
    is_one = (status[:-2] & 0xE0 == PROGRAM) & (status[1:-1] < SYSEX)
    return (is_one & (high[1:-1] - high[:-2] == 3)).nonzero()[0]


def _breaks_of(status: np.ndarray, below: np.ndarray, short: np.ndarray) -> list[bytes]:
    """Return which bytes from 0x80 on break a run, for each phase in which it begins.

    status: those bytes; the last one breaks all runs. below: the bytes that count as low before
    each. short: the numbers of those that count as low, see `Walk`.
    """
    is_other = (status >= PROGRAM) & (status & 0xF0 != PITCH_BEND)
    is_other[short] = False
    is_other[1:] |= below[1:] == below[:-1]
    is_no_delta = np.zeros(len(status), bool)
    is_no_delta[short] = is_no_delta[-1] = is_other[-1] = True
    is_no_delta[3:] |= below[3:] == below[:-3]
    bits = OTHER * is_other.astype(np.uint8) | NO_DELTA * is_no_delta.astype(np.uint8)
    phase = (below - below // 3 * 3).astype(np.uint8)
    code = (4 * phase | bits).tobytes()
    return [code.translate(table) for table in BREAKS]


class Walk:
    """The way through the events of tracks: at a bound over runs of plain ones, else singly.

    Plain are messages of two data bytes. Each has three bytes below 0x80, its data and the last of
    its delta time, so that in a run every third byte below 0x80 is the last of an event. A run
    breaks at a byte from 0x80 on that is neither one of at most three of a delta time nor the
    one status between it and the data. A message of one data byte is plain too where another one
    to a channel, with a status, follows within 127 ticks: its own status is the third byte then.
    """

    def __init__(self, midi: bytes):
        self.midi = midi + bytes(SPARE_BYTES)
        self.raw = np.frombuffer(self.midi, np.uint8)
        self.begin = self.end = 0
        self.is_whole = True
        self.single: list[int] = []
        self.runs: list[np.ndarray] = []
        self.of_runs: list[np.ndarray] = []

    def found(self) -> np.ndarray:
        """Return the first byte of each event that was met."""
        self._leave()
        at = np.concatenate([np.array(self.single, np.int64), *self.of_runs])
        at.sort(kind="stable")  # faster than others on what is sorted in parts
        return at

    def follow(self, begin: int, end: int) -> None:
        """Go through a track, up to its last event that is whole.

        Programs that add to tracks, or join them, leave an end of track before that of the chunk:
        what follows counts where all of it is events. Else it is padding.
        """
        after = self._after_track(begin, end)
        if after < end and self._are_events(after, end):
            while after < end:
                after = self._after_track(after, end)

    def _after_track(self, at: int, end: int) -> int:
        """Return the index after the next end of track, or the end, and keep the events up to
        it."""
        data_bytes = 2
        while at < end:
            self.single.append(at)
            after, data_bytes, is_plain = self._after(at, data_bytes)
            at = max(after, self._after_run(at, end)) if is_plain else after
        if at == STOP:
            last = self.single[-1]
            return self._after_end(last) if end - last > LONGEST_END else end
        if at > end:
            self.single.pop()
            self.is_whole = False
        return end

    def _after_end(self, at: int) -> int:
        """Return the index after an end of track."""
        _, status = quantity(self.midi, at)
        length, after = quantity(self.midi, status + 2)
        return after + length

    def _are_events(self, at: int, end: int) -> bool:
        """Return whether all up to an end is whole events, whose first one has a status."""
        data_bytes, is_first = 2, True
        while at < end:
            _, status = quantity(self.midi, at)
            if is_first and self.midi[status] < NOTE_OFF:
                return False
            after, data_bytes, _ = self._after(at, data_bytes)
            is_first = after == STOP
            at = self._after_end(at) if is_first else after
        return at == end

    def _after_run(self, at: int, end: int) -> int:
        """Return the index after the plain events from here on, and keep all but the first."""
        if not self.begin <= at < self.end:
            self._move(at)
        at, end = at - self.begin, end - self.begin
        number = bisect_left(self.high, at)
        first = self._low_before(at, number)
        last = self.breaks[first % 3].find(1, number)
        if self.high[last] > end:
            last = bisect_left(self.high, end, number)
        count = (self._low_before(min(self.high[last], end), last) - first) // 3
        if not count:
            return self.begin + at
        ends = self.low[first + 2 : first + 3 * count : 3]
        self.runs.append(ends[:-1])
        return self.begin + 1 + int(ends[-1])

    def _low_before(self, at: int, number: int) -> int:
        """Return how many bytes of a window count as low before one.

        number: that of the first byte of `high` from there on.
        """
        return self.below[number] - (self.high[number] - at)

    def _leave(self) -> None:
        """Find the events within the runs of a window: each begins where the one before ends."""
        if self.runs:
            self.of_runs.append(np.concatenate(self.runs) + (self.begin + 1))
            self.runs = []

    def _move(self, begin: int) -> None:
        """Find the bytes at which runs break, for each phase, in a window that begins here.

        Bytes of `high` are from 0x80 on, and the last of the window, at which all runs break;
        those of `low` are below it, or count as such. `below`: how many of these are before each
        of `high`.
        """
        self._leave()
        self.begin, self.end = begin, min(begin + WINDOW, len(self.midi)) - 1
        raw = self.raw[self.begin : self.end + 1]
        is_high = raw >= 0x80
        is_low = ~is_high
        is_high[-1] = True
        high = is_high.nonzero()[0]
        status, place = raw[high], high.astype(np.uint16)
        below, short = place - NUMBERS[: len(high)], _short(place, status)
        if len(short):
            is_low[high[short]] = True
            edges = np.concatenate([[0], short + 1, [len(high)]])
            below += NUMBERS[: len(short) + 1].repeat(edges[1:] - edges[:-1])
        self.low = is_low.nonzero()[0]
        self.breaks = _breaks_of(status, below, short)
        self.high, self.below = high.data, below.data

    def _after(self, at: int, data_bytes: int) -> tuple[int, int, bool]:
        """Return the index after an event, STOP after an end of track, the number of data bytes
        that its successor has without a status, and whether it is plain."""
        midi = self.midi
        last = at + 3
        while midi[at] >= 0x80 and at < last:  # a delta time has at most four bytes
            at += 1
        status, at = midi[at + 1], at + 2
        if status < 0x80:
            return at - 1 + data_bytes, data_bytes, data_bytes == 2
        if status < SYSEX:
            data_bytes = 1 if PROGRAM <= status < PITCH_BEND else 2
            return at + data_bytes, data_bytes, data_bytes == 2
        if status == META and midi[at] == END_OF_TRACK:
            return STOP, data_bytes, False
        if status in (SYSEX, ESCAPE, META):
            length, at = quantity(midi, at + (status == META))
            return at + length, data_bytes, False
        return at + SYSTEM_DATA.get(status, 0), data_bytes, False
