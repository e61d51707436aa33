"""The events of a Standard MIDI File as columns, and those that say when and in which metre."""

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from core.data.sources import RejectedFile
from musegen.smf.chunks import (
    FRAME_RATES_HZ,
    IN_FRAMES,
    chunks_of,
    frame_number,
    tracks_are_missing,
)
from musegen.smf.foreign import COPY
from musegen.smf.kinds import (
    CONTROL,
    END,
    ESCAPE,
    META,
    OF_A_PROGRAM,
    PARAMETER_LOW,
    SIGNATURE,
    SYSEX,
    TEMPO,
)
from musegen.smf.quantities import quantities, quantity
from musegen.smf.sysex import FOLLOWED, LONGEST, RESETS
from musegen.smf.walk import Walk

Numbers = np.ndarray | list[int]
"""The numbers of some events of a file."""

BEAT_TICKS = 9600
"""Ticks of a quarter note into which times in frames are converted, finer than any frame's."""

LAST_TICK = 2**53
"""Times beyond it, which the limits refuse, are not converted."""

DEFAULT_BPM = 120.0
"""The tempo of a file without tempo events, by the standard."""

DELTAS = 2**28
"""The delta times of four bytes: one below 0 comes out as so much more where it is written."""

EARLIEST = 2**16
"""The most ticks by which a track may begin before the song does."""


@dataclass(frozen=True)
class Events:
    """The events of all tracks of a file as columns, track after track.

    midi: the bytes of the file, and zeros after it, so that an event can be asked for bytes that
    it does not have. tick: from the beginning. status: a running status is filled in, 0 where
    there is none. data: the index of the first data byte. is_whole: no track breaks off within an
    event. is_cut: the file breaks off between events, or between tracks.
    """

    midi: bytes
    track: np.ndarray
    tick: np.ndarray
    status: np.ndarray
    data: np.ndarray
    is_whole: bool = True
    is_cut: bool = False

    def __len__(self) -> int:
        return len(self.tick)

    @property
    def ticks_per_beat(self) -> int:
        """Return the ticks of a quarter note, as the header states them; see `BEAT_TICKS`."""
        return BEAT_TICKS if self.division >= IN_FRAMES else self.division

    @property
    def division(self) -> int:
        """Return the word of the header that says what a tick is."""
        return int.from_bytes(self.midi[12:14], "big")

    @property
    def has_beats(self) -> bool:
        """False for times in frames without a tempo: no one says where the beats are."""
        return self.division < IN_FRAMES or len(tempi(self)[0]) > 0

    @cached_property
    def kind(self) -> np.ndarray:
        """Return the status of channel messages without the channel, 0xF0 of all others."""
        return self.status & 0xF0

    @cached_property
    def _raw(self) -> np.ndarray:
        return np.frombuffer(self.midi, np.uint8)

    def byte(self, number: int, index: Numbers) -> np.ndarray:
        """Return data byte `number`, from 0, of each event at `index`."""
        return self._raw[number:][self.data[index]]

    def two_bytes(self, index: Numbers) -> tuple[np.ndarray, np.ndarray]:
        """Return the first two data bytes of each event at `index`."""
        at = self.data[index]
        return self._raw[at], self._raw[1:][at]

    def value(self, number: int, index: Numbers) -> np.ndarray:
        """Return data byte `number` of channel messages, in which only 7 bits count."""
        return self.byte(number, index) & 0x7F

    @cached_property
    def _metas(self) -> dict[int, list[int]]:
        numbers, found = (self.status == META).nonzero()[0], defaultdict[int, list[int]](list)
        for number, kind in zip(numbers.tolist(), self.byte(0, numbers).tolist(), strict=True):
            found[kind].append(number)
        return found

    def metas(self, kind: int) -> list[int]:
        """Return the numbers of the meta events of one kind."""
        return self._metas.get(kind, [])

    @cached_property
    def _controls(self) -> tuple[np.ndarray, np.ndarray]:
        numbers = (self.kind == CONTROL).nonzero()[0]
        return numbers, self.value(0, numbers)

    def controls(self, *kinds: int) -> np.ndarray:
        """Return the numbers of the control changes of some kinds."""
        numbers, found = self._controls
        is_asked = np.zeros(128, bool)
        is_asked[list(kinds)] = True
        return numbers[is_asked[found]]

    @cached_property
    def parameters(self) -> frozenset[int]:
        """Return the low numbers of the registered parameters that are chosen anywhere."""
        return frozenset(self.value(1, self.controls(PARAMETER_LOW)).tolist())

    @cached_property
    def messages(self) -> dict[int, bytes]:
        """Return the sysex messages that are followed, by the numbers of their events.

        One may come in packets: the first as such, the others as escapes.
        """
        found, unfinished, last = dict[int, bytes](), b"", -1
        packets = ((self.status == SYSEX) | (self.status == ESCAPE)).nonzero()[0]
        columns = packets, self.track[packets], self.status[packets]
        for number, track, status in zip(*(column.tolist() for column in columns), strict=True):
            packet = self.payload(number)
            is_first = status == SYSEX or packet.startswith(bytes([SYSEX])) or track != last
            message = (b"" if is_first else unfinished) + packet.removeprefix(bytes([SYSEX]))
            if FOLLOWED.match(message):
                found[number] = message
            has_ended = number in found or message.endswith(bytes([ESCAPE]))
            unfinished, last = b"" if has_ended else message[:LONGEST], track
        return found

    @cached_property
    def resets(self) -> np.ndarray:
        """Return the numbers of the messages that set all channels of a port back."""
        found = [number for number, message in self.messages.items() if RESETS.match(message)]
        return np.array(found, np.int64)

    def first(self, track: int, tick: int) -> int:
        """Return the number of a track's first event at or after a tick; after its last, where
        none is."""
        begin, end = np.searchsorted(self.track, [track, track + 1])
        return int(begin + np.searchsorted(self.tick[begin:end], tick))

    def by_time(self, numbers: Numbers) -> np.ndarray:
        """Return the numbers of events in the order of their times, then of the file."""
        numbers = np.sort(np.asarray(numbers, np.int64))
        return numbers[np.argsort(self.tick[numbers], kind="stable")]

    def payload(self, number: int) -> bytes:
        """Return the bytes of a meta or sysex event, without its length."""
        at = int(self.data[number]) + (int(self.status[number]) == META)
        length, after = quantity(self.midi, at)
        return self.midi[after : after + length]


def scan(midi: bytes) -> Events:
    """Find the events of all tracks, each up to its last whole event; see `Walk.follow`.

    `midi` is a result of `midi_bytes`.
    """
    chunks, walk = list(chunks_of(midi)), Walk(midi)
    for begin, end in chunks:
        walk.follow(begin, end)
    at = walk.found()
    first, last = np.searchsorted(at, np.array(chunks, np.int64).reshape(-1, 2)).T  # [track]
    delta, at = quantities(walk.raw, at)
    status, has_status = _statuses(walk.raw[at], first[last > first])
    track = np.repeat(np.arange(len(chunks), dtype=np.int32), last - first)
    if delta.max(initial=0) >= DELTAS - EARLIEST:  # hardly a file has one
        delta[_early(delta, status, first, last)] -= DELTAS
        tick = np.maximum(_ticks(delta, first, last), 0)
    else:
        tick = _ticks(delta, first, last)
    is_cut = tracks_are_missing(midi)
    events = Events(walk.midi, track, tick, status, at + has_status, walk.is_whole, is_cut)
    return _in_beats(events) if events.division >= IN_FRAMES else events


def _in_beats(events: Events) -> Events:
    """Return events whose times are in frames with those in beats, by their tempi."""
    frames, ticks = FRAME_RATES_HZ[frame_number(events.division)], events.division & 0xFF
    seconds = events.tick / (frames * ticks)
    at, microseconds = tempi(events)
    begins = np.append(0, at / (frames * ticks))
    pace = np.append(DEFAULT_BPM / 60, 1e6 / microseconds)
    beats = np.append(0, np.cumsum(np.diff(begins) * pace[:-1]))
    piece = np.searchsorted(begins, seconds, side="right") - 1
    at_beats = beats[piece] + (seconds - begins[piece]) * pace[piece]
    tick = np.rint(np.minimum(BEAT_TICKS * at_beats, LAST_TICK)).astype(np.int64)
    return replace(events, tick=tick)


def _ticks(delta: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return the times of events from those since the event before; a track begins at 0."""
    elapsed = np.zeros(1 + len(delta), np.int64)
    delta.cumsum(out=elapsed[1:])
    return elapsed[1:] - elapsed[first].repeat(last - first)


def _early(
    delta: np.ndarray, status: np.ndarray, first: np.ndarray, last: np.ndarray
) -> np.ndarray:
    """Return the events with which tracks begin a little before 0, as sequencers write it.

    They are the first ones, or follow names and the like at 0.
    """
    begins = (status != META) | (delta > 0)
    found = [a + int(begins[a:b].argmax()) for a, b in zip(first, last, strict=True) if a < b]
    early = np.array(found, np.int64)
    return early[delta[early] >= DELTAS - EARLIEST]


def _statuses(found: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the status of each event, and whether it has one of its own.

    `found`: the byte after its delta time. Else it has that of the last channel message in its
    track, 0 before there is one. `first`: the numbers of the tracks' first events.
    """
    has_status = found >= 0x80
    if has_status.all():
        return found, has_status
    sets = has_status & (found < SYSEX)
    running = np.where(sets, found, 0)
    sets[first] = True
    edges = np.concatenate([np.flatnonzero(sets), [len(found)]])
    lasting = np.repeat(running[edges[:-1]], edges[1:] - edges[:-1])
    return np.where(has_status, found, lasting), has_status


def check_events(events: Events) -> None:
    """Reject a file with a track that breaks off within an event, or an event without status."""
    if not events.is_whole:
        raise RejectedFile("unreadable", f"a track breaks off in the middle of an event: {COPY}")
    if not events.status.all():
        raise RejectedFile("unreadable", f"an event has no status, and none is before it: {COPY}")


def tempi(events: Events) -> tuple[np.ndarray, np.ndarray]:
    """Return tick and microseconds a beat of each tempo, in order of time.

    3 bytes are needed; 0 microseconds, which nobody can play, are left out, as in other readers.
    """
    found = events.by_time(events.metas(TEMPO))
    found = found[events.byte(1, found) >= 3]
    high, middle, low = (events.byte(number, found).astype(np.int64) for number in (2, 3, 4))
    microseconds = high << 16 | middle << 8 | low
    return events.tick[found][microseconds > 0], microseconds[microseconds > 0]


def signatures(events: Events) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return tick, numerator and denominator of each time signature, in order of time.

    Those at one tick come from the last track to the first, whose signatures count by the
    standard. Of 4 bytes the first 2 are needed, numerator and power of two: shorter ones, those of
    0 beats and denominators above 128 are left out.
    """
    found = np.array(events.metas(SIGNATURE), np.int64)
    is_whole = (events.byte(1, found) >= 2) & (events.byte(3, found) <= 7)
    found = found[is_whole & (events.byte(2, found) > 0)]
    found = found[np.lexsort((found, -events.track[found], events.tick[found]))]
    numerator, power = (events.byte(number, found).astype(np.int64) for number in (2, 3))
    return events.tick[found], numerator, 2**power


def last_end(events: Events) -> int:
    """Return the tick of the last `END`, 0 where there is none."""
    found = [n for n in events.metas(OF_A_PROGRAM) if events.payload(n) == END]
    return max(events.tick[found].tolist(), default=0)
