"""Bytes of Standard MIDI Files that are written: ends, ports and meta events."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from musegen.smf.chunks import CHUNK_BYTES, HEADER_BYTES, LAST_EVENT, chunk_of, chunks_of
from musegen.smf.events import Events, scan
from musegen.smf.kinds import META, NOTE_ON, PITCH_BEND, PORT, PROGRAM, SYSEX
from musegen.smf.quantities import encoded, quantity

A_TICK_LATER = b"\x01" + LAST_EVENT
"""The end of a track as pretty_midi writes it."""


def ending_at(midi: bytes, tick: int) -> bytes:
    """Return a file of pretty_midi's with all tracks as long as the song, whose end is given.

    Each ended a tick after its own last event, so that a sequencer would show clips of all
    lengths, and one of eight bars as one of nine. Of the notes at one tick those that end come
    first: pretty_midi has them in the order of their pitches.
    """
    events, tracks = scan(midi), list[bytes]()
    is_start = (events.kind == NOTE_ON) & (events.value(1, np.arange(len(events))) > 0)
    for number, (begin, end) in enumerate(chunks_of(midi)):
        mine = (events.track == number).nonzero()[0][:-1]  # the last is the end of the track
        if is_start[mine].any():
            mine = mine[np.lexsort((is_start[mine], events.tick[mine]))]
            track = b"".join(_in_order(events, mine))
        else:
            track = midi[begin:end].removesuffix(A_TICK_LATER)
        rest = encoded(max(0, tick - int(events.tick[mine].max(initial=0))))
        tracks.append(chunk_of(track + rest + LAST_EVENT))
    return midi[:HEADER_BYTES] + b"".join(tracks)


def _in_order(events: Events, numbers: np.ndarray) -> Iterator[bytes]:
    """Yield the bytes of some events of a track, in an order of their times."""
    deltas = np.diff(events.tick[numbers], prepend=0).tolist()
    columns = (numbers, events.status[numbers], events.data[numbers])
    running = 0
    for delta, number, status, at in zip(deltas, *(c.tolist() for c in columns), strict=True):
        if status >= SYSEX:
            kind = events.midi[at : at + (status == META)]
            payload = events.payload(number)
            data, running = kind + encoded(len(payload)) + payload, 0
        else:
            data = events.midi[at : at + 2 - (PROGRAM <= status < PITCH_BEND)]
        yield encoded(delta) + (b"" if status == running else bytes([status])) + data
        running = 0 if status >= SYSEX else status


def with_ports(midi: bytes, ports: Sequence[int]) -> bytes:
    """Return the file with tracks 1, 2, ... on these ports; the same file where all are 0."""
    if not any(ports):
        return midi
    first, *others = [midi[begin:end] for begin, end in chunks_of(midi)]
    at_ports = [
        bytes([0, META, PORT, 1, port]) + track for port, track in zip(ports, others, strict=True)
    ]
    return midi[:HEADER_BYTES] + b"".join(map(chunk_of, [first, *at_ports]))


def with_metas(midi: bytes, metas: Iterable[tuple[int, int, bytes]]) -> bytes:
    """Return the file with more meta events in its first track, which has no others.

    `metas`: tick, kind and data of each, in order; those of one tick come before what is there.
    """
    (begin, end), *_ = chunks_of(midi)
    events = [(tick, _meta(kind, data)) for tick, kind, data in metas]
    at, tick = begin, 0
    while at < end:
        delta, first = quantity(midi, at)
        length, data = quantity(midi, first + 2)
        at, tick = data + length, tick + delta
        events.append((tick, midi[first:at]))
    *others, (_, end_of_track) = events
    events = [*others, (max(tick for tick, _ in events), end_of_track)]
    events.sort(key=lambda event: event[0])
    ticks = [0, *(tick for tick, _ in events)]
    deltas = (encoded(after - before) for before, after in pairwise(ticks))
    track = b"".join(d + event for d, (_, event) in zip(deltas, events, strict=True))
    return midi[: begin - CHUNK_BYTES] + chunk_of(track) + midi[end:]


def _meta(kind: int, data: bytes) -> bytes:
    return bytes([META, kind]) + encoded(len(data)) + data
