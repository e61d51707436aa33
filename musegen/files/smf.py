"""The bytes of a Standard MIDI File: repairs and checks before it is parsed, and its events.

The parser trusts its file. Each check is for something that a file of a few bytes can contain and
that would end in a crash, in gigabytes of memory, or in wrong notes. `scan` finds all events, for
what the parser does not report.
"""

import struct
from array import array
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

PROGRAM, CONTROL, SYSEX, META = 0xC0, 0xB0, 0xF0, 0xFF
NOTE_ON = 0x90
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

    def byte(self, number: int) -> np.ndarray:
        """Return data byte `number`, from 0, of each event."""
        raw = np.frombuffer(self.midi, np.uint8)
        return raw[np.minimum(self.data + number, len(raw) - 1)]

    def value(self, number: int) -> np.ndarray:
        """Return data byte `number` of channel messages, in which only 7 bits count."""
        return self.byte(number) & 0x7F

    def meta(self, kind: int) -> "Events":
        """Return the meta events of one kind."""
        found = self[np.flatnonzero(self.status == META)]
        return found[np.flatnonzero(found.byte(0) == kind)]

    def payload(self, number: int) -> bytes:
        """Return the bytes of a meta or sysex event, without its length."""
        at = int(self.data[number]) + int(self.status[number] == META)
        length, at = _variable_length(self.midi, at)
        return self.midi[at : at + length]


def scan(midi: bytes) -> Events:
    """Find the events of all tracks, each up to its end-of-track event or last whole event.

    `midi` is a result of `midi_bytes`.
    """
    states, counts = array("i"), array("i")
    successors = _Successors(midi)
    for begin, end in _chunks(midi):
        before = len(states)
        successors.walk(begin, end, states)
        counts.append(len(states) - before)
    track = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    return _columns(midi, track, np.array(states, np.int32) >> 1)


def _chunks(midi: bytes) -> Iterator[tuple[int, int]]:
    """Return (first byte, end) of the events of each track."""
    at = HEADER_BYTES
    while at < len(midi):
        end = at + 8 + int.from_bytes(midi[at + 4 : at + 8], "big")
        yield at + 8, end
        at = end


WINDOW = 1 << 18
"""Bytes whose successors are in memory at once."""

STOP = 2**31 - 1
TWO, ONE = 0, 1
"""The number of data bytes of a message by running status, as the lowest bit of a state."""


def _steps() -> np.ndarray:
    """Return the moves of both states beyond each status as pairs; long events aside."""
    steps = np.zeros((256, 2), np.int32)
    steps[0x80:0xF0] = 2 * 2 + TWO
    steps[0xC0:0xE0] = 2 * 1 + ONE
    steps[:0x80] = 2 * 1 + TWO, 2 * 0 + ONE  # no status, but the first byte of the data
    steps[0xF0:] = TWO, ONE
    steps[[0xF1, 0xF2, 0xF3]] += np.array([[2], [4], [2]], np.int32)
    return steps.view(np.int64)[:, 0]  # [status]


STEPS, BOTH = _steps(), 1 + (1 << 32)
"""Two 32-bit numbers in one of 64 bits: a look-up and an addition serve both states."""


class _Successors:
    """The next event of an event at every byte, whether or not one begins there.

    A state is twice the index of an event's first byte, plus ONE where a message by running status
    would have one data byte. Computed for all bytes at once, so that following events is a
    look-up.
    """

    def __init__(self, midi: bytes):
        self.midi = midi
        self.raw = np.frombuffer(midi + bytes(16), np.uint8)
        self.begin = self.end = 0
        self.next = array("i")

    def walk(self, begin: int, end: int, found: array) -> None:
        """Append the state at each event, from `begin` to the last one that is whole."""
        state, limit = 2 * begin + TWO, 2 * end
        while state < limit:
            if not self.begin <= state >> 1 < self.end:
                self._move(state >> 1)
            base, states = 2 * self.begin, list[int]()
            inside, until = state - base, min(limit, 2 * self.end) - base
            following, append = self.next, states.append
            while inside < until:  # most of a scan's time is here
                append(inside)
                inside = following[inside]
            found.frombytes((np.array(states, np.int32) + np.int32(base)).tobytes())
            state = inside + base
        if limit + ONE < state < STOP:
            found.pop()

    def _move(self, begin: int) -> None:
        """Compute the successors of a window that begins here."""
        self.begin, self.end = begin, min(begin + WINDOW, len(self.midi))
        high = self.raw[self.begin : self.end + 2] >= 0x80
        two = high[:-2] & high[1:-1]
        status_at = np.arange(self.begin + 1, self.end + 1, dtype=np.int32)
        status_at += high[:-2]
        status_at += two
        status_at += two & high[2:]
        status = self.raw[status_at]
        after_status = (status_at.astype(np.int64) + 1 - self.begin) * 2 * BOTH
        state = (STEPS[status] + after_status).view(np.int32).reshape(-1, 2)  # [byte kind]
        is_long = np.flatnonzero((status == SYSEX) | (status == 0xF7) | (status == META))
        after = self._after_long(status[is_long], status_at[is_long] + 1)
        state[is_long] = np.minimum(2 * after[:, None] + [TWO, ONE], STOP) - 2 * self.begin
        self.next = array("i", state.tobytes())

    def _after_long(self, status: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Return the index after sysex and meta events; STOP after an end of track."""
        is_end = (status == META) & (self.raw[at] == END_OF_TRACK)
        at = at + (status == META)
        length, at = _numbers(self.raw, np.minimum(at, len(self.midi)))
        return np.where(is_end, STOP, np.minimum(at + length, len(self.midi) + 1))


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


def _columns(midi: bytes, track: np.ndarray, at: np.ndarray) -> Events:
    raw = np.frombuffer(midi + bytes(16), np.uint8)
    delta, at = _numbers(raw, at)
    tick = np.cumsum(delta)
    first = np.flatnonzero(np.diff(track, prepend=-1))
    before = np.append(0, tick)[first]
    tick -= np.repeat(before, np.diff(np.append(first, len(track))))
    status = raw[at]
    explicit = status >= 0x80
    last = np.where(explicit & (status < SYSEX), np.arange(len(at), dtype=np.int32), -1)
    last = np.maximum.accumulate(last) if len(at) else last
    known = (last >= 0) & (track[last] == track)
    status = np.where(explicit, status, np.where(known, status[last], 0)).astype(np.uint8)
    return Events(midi, track, tick, status, at + explicit)


def _variable_length(midi: bytes, at: int) -> tuple[int, int]:
    """Read a variable-length quantity (7 bits a byte); return it and the index after it.

    Beyond the end of the file bytes count as 0.
    """
    value = 0
    while at < len(midi) and midi[at] & 0x80:
        value, at = value << 7 | midi[at] & 0x7F, at + 1
    return value << 7 | (midi[at] if at < len(midi) else 0), at + 1


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
