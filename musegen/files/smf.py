"""The bytes of a Standard MIDI File: repairs and checks before it is parsed, and its events.

The parser trusts its file. Each check is for something that a file of a few bytes can contain and
that would end in a crash, in gigabytes of memory, or in wrong notes. `scan` finds all events, for
what the parser does not report.
"""

import struct
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from core.data.limits import Limits
from core.data.sources import RejectedFile, read_bytes, require_size

MIDI = (".mid", ".midi", ".kar", ".rmi")
"""Suffixes of MIDI files."""

LARGEST_TICK = 2**31 - 1
HEADER_BYTES = 14
TRACK = b"MTrk"
SEARCHED_BYTES = 4096

NOTE_OFF, NOTE_ON, CONTROL, PROGRAM, PITCH_BEND = 0x80, 0x90, 0xB0, 0xC0, 0xE0
SYSEX, ESCAPE, META = 0xF0, 0xF7, 0xFF
NAME, PORT, END_OF_TRACK, SIGNATURE = 0x03, 0x21, 0x2F, 0x58
"""Kinds of meta events."""


def midi_bytes(source: Path | str | bytes, limits: Limits) -> bytes:
    """Return the file as header and tracks alone, with their true number and lengths.

    A RIFF wrapper, junk before the header or after the tracks and other chunks are left out. The
    parser would trust a wrong length or number and read beyond the end of the file. Raises
    `RejectedFile` if there is no header, or if times are not in beats.
    """
    data = source if isinstance(source, bytes) else read_bytes(Path(source), limits)
    if not data:
        raise RejectedFile("empty-file", "the file has no bytes")
    require_size(len(data), limits)
    begin = data.find(b"MThd", 0, SEARCHED_BYTES)
    if begin < 0 or len(data) < begin + HEADER_BYTES:
        raise RejectedFile("not-midi", "no MIDI header (MThd) at its beginning")
    kind, _, division = struct.unpack(">HHH", data[begin + 8 : begin + HEADER_BYTES])
    _check_header(kind, division)
    tracks = [_chunk(events) for events in _tracks(data, begin + HEADER_BYTES)]
    count = min(len(tracks), 0xFFFF)
    header = struct.pack(">4sIHHH", b"MThd", 6, kind, count, division)
    return b"".join([header, *tracks[:count]])


def _tracks(data: bytes, at: int) -> Iterator[bytes]:
    """Return the events of each track chunk; bytes between chunks are skipped."""
    while (at := data.find(TRACK, at)) >= 0:
        length = int.from_bytes(data[at + 4 : at + 8], "big")
        track = data[at + 8 : at + 8 + length]
        yield track
        at += 8 + len(track)


def _check_header(kind: int, division: int) -> None:
    if kind > 1:
        raise RejectedFile("format", f"MIDI format {kind} is not read, only 0 and 1 are")
    if division >= 0x8000:
        raise RejectedFile("smpte", "times are in SMPTE frames, not in beats")
    if division == 0:
        raise RejectedFile("division", "0 ticks a beat")


@dataclass(frozen=True)
class Events:
    """The events of all tracks of `midi` as columns, track after track.

    tick: from the beginning. status: a running status is filled in, 0 where there is none. data:
    the index of the first data byte.
    """

    midi: bytes
    track: np.ndarray
    tick: np.ndarray
    status: np.ndarray
    data: np.ndarray

    def __getitem__(self, index: np.ndarray) -> "Events":
        columns = (self.track, self.tick, self.status, self.data)
        return Events(self.midi, *(column[index] for column in columns))

    def __len__(self) -> int:
        return len(self.tick)

    @property
    def ticks_per_beat(self) -> int:
        """Return the ticks of a quarter note, as the header states them."""
        return int.from_bytes(self.midi[12:14], "big")

    @cached_property
    def kind(self) -> np.ndarray:
        """Return the status without the channel of channel messages."""
        return np.where(self.status < SYSEX, self.status & 0xF0, self.status)

    @cached_property
    def channel(self) -> np.ndarray:
        """Return the channels, from 0."""
        return (self.status & 0xF).astype(np.int64)

    def byte(self, number: int, index: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Return data byte `number`, from 0, of each event, or of those at `index`."""
        raw = np.frombuffer(self.midi, np.uint8)
        return raw[np.minimum(self.data[index] + number, len(raw) - 1)]

    def value(self, number: int) -> np.ndarray:
        """Return data byte `number` of channel messages, in which only 7 bits count."""
        return self.byte(number) & 0x7F

    @cached_property
    def _metas(self) -> tuple[np.ndarray, np.ndarray]:
        numbers = np.flatnonzero(self.status == META)
        return numbers, self.byte(0, numbers)

    def meta_numbers(self, kind: int) -> np.ndarray:
        """Return the numbers of the meta events of one kind."""
        numbers, kinds = self._metas
        return numbers[kinds == kind]

    def meta(self, kind: int) -> "Events":
        """Return the meta events of one kind."""
        return self[self.meta_numbers(kind)]

    def payload(self, number: int) -> bytes:
        """Return the bytes of a meta or sysex event, without its length."""
        at = int(self.data[number]) + int(self.status[number] == META)
        length, at = _number(self.midi, at)
        return self.midi[at : at + length]


def scan(midi: bytes) -> Events:
    """Find the events of all tracks, each up to its end-of-track event or last whole event.

    `midi` is a result of `midi_bytes`.
    """
    chunks, walk = list(_chunks(midi)), _Walk(midi)
    for begin, end in chunks:
        walk.follow(begin, end)
    at = walk.found()
    ends = np.searchsorted(at, [end for _, end in chunks])
    return _columns(midi, walk.raw, np.diff(ends, prepend=0), at)


def _chunks(midi: bytes) -> Iterator[tuple[int, int]]:
    """Return (first byte, end) of the events of each track."""
    at = HEADER_BYTES
    while at < len(midi):
        end = at + 8 + int.from_bytes(midi[at + 4 : at + 8], "big")
        yield at + 8, end
        at = end


WINDOW = 1 << 18
"""Bytes that are searched for runs at once."""

STOP = 2**31 - 1
SYSTEM_DATA = {0xF1: 1, 0xF2: 2, 0xF3: 1}
"""Data bytes of system messages; others have none."""

FOURTH, OTHER = 1, 2
"""Bits of a byte from 0x80 on: the fourth in a row; no status of two data bytes or not the first
in a row."""

STATUS_BITS = np.full(256, OTHER, np.uint8)
STATUS_BITS[NOTE_OFF:PROGRAM] = STATUS_BITS[PITCH_BEND:SYSEX] = 0


def _breaks() -> list[bytes]:
    """Return the table of the codes that break a run, for each phase in which it begins.

    A phase is the number of bytes below 0x80 before, modulo 3; a code is 4 * phase + bits.
    """
    bits = np.arange(4)
    in_delta, at_status, in_data = bits & FOURTH, bits & OTHER, np.ones(4)
    breaks = np.concatenate([in_delta, at_status, in_data]) > 0
    return [bytes(np.roll(breaks, 4 * begin).tolist()).ljust(256, b"\0") for begin in range(3)]


BREAKS = _breaks()


class _Walk:
    """The way through the events of tracks: at a bound over runs of plain ones, else singly.

    Plain are messages of two data bytes. Each has three bytes below 0x80, its data and the last of
    its delta time, so that in a run every third byte below 0x80 is the last of an event. A run
    breaks at a byte from 0x80 on that is neither one of at most three of a delta time nor the
    one status between it and the data.
    """

    def __init__(self, midi: bytes):
        self.midi = midi + bytes(16)
        self.raw = np.frombuffer(self.midi, np.uint8)
        self.begin = self.end = 0
        self.single: list[int] = []
        self.runs: list[np.ndarray] = []

    def found(self) -> np.ndarray:
        """Return the first byte of each event that was met."""
        at = np.concatenate([np.array(self.single, np.int64), *self.runs])
        at.sort(kind="stable")  # faster than others on what is sorted in parts
        return at

    def follow(self, begin: int, end: int) -> None:
        """Go through a track, up to its last event that is whole."""
        at, data_bytes, is_plain = begin, 2, False
        while at < end:
            self.single.append(at)
            run = self._run(at, end) if is_plain else None
            if run is not None:
                self.runs.append(run[:-1])
                at, is_plain = int(run[-1]), False
            else:
                at, data_bytes, is_plain = self._after(at, data_bytes)
        if end < at < STOP:
            self.single.pop()

    def _run(self, at: int, end: int) -> np.ndarray | None:
        """Return the ends of the plain events from here on, None if there are none.

        A byte of `low` or `high` is below 0x80 or not; as many are low before one of `high` as its
        index is larger than its number.
        """
        if not self.begin <= at < self.end:
            self._move(at)
        number = bisect_left(self.high, at)
        first = at - self.begin - number
        until = min(self.high[self.breaks[first % 3].find(1, number)], end)
        count = (until - self.begin - bisect_left(self.high, until, number) - first) // 3
        return self.low[first + 2 : first + 3 * count : 3] + (self.begin + 1) if count else None

    def _move(self, begin: int) -> None:
        """Find the bytes at which runs break, for each phase, in a window that begins here."""
        self.begin, self.end = begin, min(begin + WINDOW, len(self.midi))
        raw = self.raw[self.begin : self.end]
        is_high = raw >= 0x80
        self.low = np.flatnonzero(~is_high)
        high = np.flatnonzero(is_high)
        below = high - np.arange(len(high))
        code = (4 * (below - below // 3 * 3)).astype(np.uint8) | STATUS_BITS[raw[high]]
        code[1:] |= OTHER * (below[1:] == below[:-1]).astype(np.uint8)
        code[3:] |= FOURTH * (below[3:] == below[:-3]).astype(np.uint8)
        self.breaks = [code.tobytes().translate(table) for table in BREAKS]
        self.high = np.append(high + begin, self.end).data  # -1, of what is not found, is the end

    def _after(self, at: int, data_bytes: int) -> tuple[int, int, bool]:
        """Return the index after an event, STOP after an end of track, the number of data bytes
        that its successor has without a status, and whether it is plain."""
        midi = self.midi
        _, at = _number(midi, at)
        status, at = midi[at], at + 1
        if status < 0x80:
            return at - 1 + data_bytes, data_bytes, data_bytes == 2
        if status < SYSEX:
            data_bytes = 1 if PROGRAM <= status < PITCH_BEND else 2
            return at + data_bytes, data_bytes, data_bytes == 2
        if status == META and midi[at] == END_OF_TRACK:
            return STOP, data_bytes, False
        if status in (SYSEX, ESCAPE, META):
            length, at = _number(midi, at + (status == META))
            return at + length, data_bytes, False
        return at + SYSTEM_DATA.get(status, 0), data_bytes, False


def _numbers(raw: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the variable-length quantities (7 bits a byte, up to 4) here, and the indices after.

    >>> _numbers(np.array([5, 0x81, 0x48], np.uint8), np.array([0, 1]))
    (array([  5, 200]), array([1, 3]))
    """
    value, after = raw[at].astype(np.int64), at + 1
    longer = np.flatnonzero(value >= 0x80)
    value &= 0x7F
    for _ in range(3):
        byte = raw[after[longer]]
        value[longer] = value[longer] << 7 | byte & 0x7F
        after[longer] += 1
        longer = longer[byte >= 0x80]
    return value, after


def _number(midi: bytes, at: int) -> tuple[int, int]:
    """Return the variable-length quantity here, and the index after it."""
    value = 0
    for index in range(at, min(at + 4, len(midi))):
        value, at = value << 7 | midi[index] & 0x7F, index + 1
        if midi[index] < 0x80:
            break
    return value, at


def _columns(midi: bytes, raw: np.ndarray, counts: np.ndarray, at: np.ndarray) -> Events:
    delta, at = _numbers(raw, at)
    elapsed = np.append(0, np.cumsum(delta))
    first = np.cumsum(counts) - counts
    tick = elapsed[1:] - np.repeat(elapsed[first], counts)
    track = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    status = raw[at]
    has_status = status >= 0x80
    own = np.where(has_status & (status < SYSEX), status, 0)
    sets = own > 0
    sets[first[counts > 0]] = True
    setters = np.flatnonzero(sets)
    running = np.repeat(own[setters], np.diff(setters, append=len(at)))
    status = np.where(has_status, status, running)
    return Events(midi, track, tick, status, at + has_status)


def check_times(events: Events) -> None:
    """Reject a track whose delta times add up to 2^31 or more, where the parser overflows."""
    if int(events.tick.max(initial=0)) > LARGEST_TICK:
        raise RejectedFile("too-long", "its times add up to more than 2^31 ticks")


def signatures(events: Events) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return tick, numerator and denominator of each time signature, in order of time.

    Of 4 bytes the first 2 are needed, numerator and power of two: shorter ones, and denominators
    above 128, are left out.
    """
    found = events.meta(SIGNATURE)
    found = found[np.flatnonzero((found.byte(1) >= 2) & (found.byte(3) <= 7))]
    found = found[np.argsort(found.tick, kind="stable")]
    return found.tick, found.byte(2).astype(np.int64), 2 ** found.byte(3).astype(np.int64)


def with_velocities(events: Events, notes: np.ndarray, velocity: np.ndarray) -> bytes:
    """Return the file with other velocities of the note-on events `notes`.

    The parser reports of a note neither its channel nor its track; from such a file it reads as
    velocity what one wants to know.
    """
    changed = np.frombuffer(events.midi, np.uint8).copy()
    changed[events.data[notes] + 1] = velocity
    return changed.tobytes()


def with_ports(midi: bytes, of_one_port: int) -> bytes:
    """Return the file with tracks 1, 2, ... on successive ports, so many on one; the first alone
    if they are no more."""
    chunks = list(_chunks(midi))
    if len(chunks) <= 1 + of_one_port:
        return midi
    tracks = [midi[begin:end] for begin, end in chunks]
    for number in range(1, len(tracks)):
        port = (number - 1) // of_one_port
        tracks[number] = bytes([0, META, PORT, 1, port]) + tracks[number]
    return midi[:HEADER_BYTES] + b"".join(_chunk(track) for track in tracks)


def _chunk(events: bytes) -> bytes:
    return TRACK + struct.pack(">I", len(events)) + events
