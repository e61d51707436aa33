"""The notes of a MIDI file: each key that goes down, with the event at which it falls silent."""

import numpy as np
from jaxtyping import Bool, Int

from musegen.files.smf import NOTE_OFF, NOTE_ON, Events

NUMBER_BITS = 32
"""An event is sorted as one number, its key in front of its own number in these bits."""

ALL_OFF = (120, 123)
"""Control changes that silence a channel: all sounds off, all notes off."""

Numbers = Int[np.ndarray, " note"]


def is_key(events: Events) -> Bool[np.ndarray, " event"]:
    """Return which events start or end a note."""
    return events.status & 0xE0 == NOTE_OFF  # the bits that NOTE_ON has too


def keys_of(events: Events) -> tuple[Numbers, Numbers]:
    """Return the numbers of the events that start a note, and of those that end it.

    A key has a track, a channel and a pitch. Of the notes that it sounds at once the first to
    start is the first to end. A note for which no end is left falls silent, as in a player, at the
    next end of its key, when its track silences the channel, or where its track ends. In the order
    of the events that start them.
    """
    numbers = np.flatnonzero(is_key(events))
    status, pitch = events.status[numbers], np.minimum(events.byte(0, numbers), 0x7F)
    key = (events.track[numbers].astype(np.int64) << 4 | status & 0xF) << 7 | pitch
    is_down = (status >= NOTE_ON) & (events.byte(1, numbers) > 0)
    sorted_by = key << NUMBER_BITS | numbers
    down, up = (np.sort(sorted_by[np.flatnonzero(kind)]) for kind in (is_down, ~is_down))
    ends, hanging = up, down[:0]
    if len(down) != len(up) or _keys(down ^ up).any() or (down > up).any():
        down, ends, hanging = _paired(down, up)
    end = np.full(len(events), -1)
    end[_numbers(down)] = _numbers(ends)
    if len(hanging):
        end[_numbers(hanging)] = _silenced(events, hanging, up)
    down = np.flatnonzero(end >= 0)
    return down, end[down]


def _silenced(
    events: Events, hanging: Int[np.ndarray, " down"], up: Int[np.ndarray, " up"]
) -> Int[np.ndarray, " down"]:
    """Return at which event each note without an end of its own falls silent."""
    numbers = _numbers(hanging)
    track = events.track[numbers]
    last = np.searchsorted(events.track, track, side="right") - 1
    off = events.controls(*ALL_OFF)
    channel = (events.track << 4 | events.status & 0xF).astype(np.int64) << NUMBER_BITS
    of_channel = _next(channel[numbers] | numbers, np.sort(channel[off] | off))
    return np.minimum.reduce([last, of_channel, _next(hanging, up)])


def _next(
    events: Int[np.ndarray, " event"], others: Int[np.ndarray, " other"]
) -> Int[np.ndarray, " event"]:
    """Return the number of the first of others after each event with its key; else a huge one."""
    padded = np.append(others, -1)
    found = padded[np.searchsorted(others, events)]
    return np.where(_keys(found) == _keys(events), _numbers(found), np.iinfo(np.int64).max)


def _keys(events: Int[np.ndarray, " event"]) -> Int[np.ndarray, " event"]:
    return events >> NUMBER_BITS


def _numbers(events: Int[np.ndarray, " event"]) -> Int[np.ndarray, " event"]:
    return events & (1 << NUMBER_BITS) - 1


def _paired(
    down: Int[np.ndarray, " down"], up: Int[np.ndarray, " up"]
) -> tuple[Numbers, Numbers, Int[np.ndarray, " hanging"]]:
    """Return notes, their ends, and the notes for which no end is left, of sorted events.

    An end has no note where the ends of its key are more ahead of the notes than ever before.
    """
    events = np.concatenate([down, up])
    order = np.argsort(events)
    events, is_down = events[order], order < len(down)
    begins = np.append(True, np.diff(_keys(events)) > 0)
    line, first = np.cumsum(begins) - 1, np.flatnonzero(begins)
    ahead = np.cumsum(np.where(is_down, -1, 1))
    ahead -= np.append(0, ahead)[first][line]
    most = np.maximum.accumulate(np.maximum(ahead, 0) + line * len(events))
    ends = np.flatnonzero(~is_down & (np.append(0, most[:-1]) == most))
    starts, count = np.flatnonzero(is_down), np.bincount(line[ends], minlength=len(first))
    nth = np.arange(len(starts)) - np.searchsorted(starts, first)[line[starts]]
    is_ended = nth < count[line[starts]]
    return events[starts[is_ended]], events[ends], events[starts[~is_ended]]
