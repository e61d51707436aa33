"""The bytes of a Standard MIDI File: checks and repairs before it is parsed.

The parser trusts its file. Each check is for something that a file of a few bytes can contain and
that would end in a crash, in gigabytes of memory, or in wrong notes.
"""

import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.data.limits import Limits
from core.data.sources import RejectedFile, read_bytes, require_size

MIDI = (".mid", ".midi", ".kar", ".rmi")
"""Suffixes of MIDI files."""

LARGEST_TICK = 2**31 - 1
HEADER_BYTES = 14
TRACK = b"MTrk"
SEARCHED_BYTES = 4096


def midi_bytes(source: Path | bytes, limits: Limits) -> bytes:
    """Return the file as header and tracks alone, with their true number and lengths.

    A RIFF wrapper, junk before the header or after the tracks and other chunks are left out. The
    parser would trust a wrong length or number and read beyond the end of the file. Raises
    `RejectedFile` if there is no header, or if times are not in beats.
    """
    data = source if isinstance(source, bytes) else read_bytes(source, limits)
    if not data:
        raise RejectedFile("empty-file", "the file has no bytes")
    require_size(len(data), limits)
    begin = data.find(b"MThd", 0, SEARCHED_BYTES)
    if begin < 0 or len(data) < begin + HEADER_BYTES:
        raise RejectedFile("not-midi", "no MIDI header (MThd) at its beginning")
    kind, _, division = struct.unpack(">HHH", data[begin + 8 : begin + HEADER_BYTES])
    _check_header(kind, division)
    tracks = [TRACK + struct.pack(">I", len(t)) + t for t in _tracks(data, begin + HEADER_BYTES)]
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


class Event(NamedTuple):
    """One event: its track, ticks since the previous event, status, index of its data bytes."""

    track: int
    delta: int
    status: int
    data: int


def events(midi: bytes) -> Iterator[Event]:
    """Iterate over the events of all tracks, each up to its end-of-track event.

    Slow: for the few files that need it. `midi` is a result of `midi_bytes`.
    """
    track, at = 0, HEADER_BYTES
    while at < len(midi):
        begin, length = at + 8, int.from_bytes(midi[at + 4 : at + 8], "big")
        yield from _track_events(midi, track, begin, begin + length)
        track, at = track + 1, begin + length


def _track_events(midi: bytes, track: int, at: int, end: int) -> Iterator[Event]:
    status = 0
    while at < end:
        delta, at = _variable_length(midi, at)
        if at < end and midi[at] >= 0x80:
            status, at = midi[at], at + 1
        data, at = at, _after(midi, status, at)
        if status < 0x80 or at > end:  # no event, or not a whole one
            return
        yield Event(track, delta, status, data)
        if status == 0xFF and midi[data] == 0x2F:
            return


def _after(midi: bytes, status: int, at: int) -> int:
    """Return the index after an event's data bytes, which begin at `at`."""
    if status >= 0xF0:
        length, at = _variable_length(midi, at + (status == 0xFF))
        return at + length
    return at + (1 if status >> 4 in (0xC, 0xD) else 2)


def _variable_length(midi: bytes, at: int) -> tuple[int, int]:
    """Read a variable-length quantity (7 bits a byte); return it and the index after it.

    Beyond the end of the file bytes count as 0.
    """
    value = 0
    while at < len(midi) and midi[at] & 0x80:
        value, at = value << 7 | midi[at] & 0x7F, at + 1
    return value << 7 | (midi[at] if at < len(midi) else 0), at + 1


def check_times(midi: bytes) -> None:
    """Reject a track whose delta times add up to 2^31 or more, where the parser overflows."""
    if _may_overflow(midi) and _last_tick(midi) > LARGEST_TICK:
        raise RejectedFile("too-long", "its times add up to more than 2^31 ticks")


def _may_overflow(midi: bytes) -> bool:
    """Return whether the delta times could add up to 2^31: a quick bound that may err upwards.

    All bytes of a delta time but its last are 128 or more, and so is of other bytes of an event
    only the first: two successive ones are mostly a delta time of three bytes.
    """
    high = np.frombuffer(midi, np.uint8) >= 0x80
    two = high[1:] & high[:-1]
    three = two[1:] & two[:-1]
    four = three[1:] & three[:-1]
    most = len(midi) // 3 * 2**14 + int(two.sum()) * 2**21 + int(three.sum()) * 2**28
    return bool(four.any()) or most > LARGEST_TICK


def _last_tick(midi: bytes) -> int:
    ticks: Counter[int] = Counter()
    for event in events(midi):
        ticks[event.track] += event.delta
    return max(ticks.values(), default=0)


def mark_channels(midi: bytes) -> bytes:
    """Return the file with each note's velocity replaced by its channel, 1 to 16.

    The parser does not report the channel of a part; from this file it reads it as velocity.
    """
    marked = bytearray(midi)
    for event in events(midi):
        if event.status >> 4 == 0x9 and marked[event.data + 1]:
            marked[event.data + 1] = 1 + (event.status & 0xF)
    return bytes(marked)
