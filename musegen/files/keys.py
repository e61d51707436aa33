"""The notes of a MIDI file: each key that goes down, with the event that lifts it."""

import numpy as np
from jaxtyping import Bool, Int

from musegen.files.smf import NOTE_OFF, NOTE_ON, Events

NUMBER_BITS = 32
"""An event is sorted as one number, its key in front of its own number in these bits."""

Numbers = Int[np.ndarray, " note"]


def is_key(events: Events) -> Bool[np.ndarray, " event"]:
    """Return which events start or end a note."""
    return events.status & 0xE0 == NOTE_OFF  # the bits that NOTE_ON has too


def keys_of(events: Events) -> tuple[Numbers, Numbers]:
    """Return the numbers of the events that start a note, and of those that end it.

    A key has a track, a channel and a pitch. Of the notes that it sounds at once the first to
    start is the first to end; notes without an end are left out. In the order of the events that
    start them.
    """
    key = (events.track << 4 | events.status & 0xF) << 7 | np.minimum(events.first, 0x7F)
    is_down = is_key(events) & (events.status >= NOTE_ON) & (events.second > 0)
    is_up = is_key(events) & ~is_down
    sorted_by = key.astype(np.int64) << NUMBER_BITS | np.arange(len(events))
    down, up = (np.sort(sorted_by[np.flatnonzero(kind)]) for kind in (is_down, is_up))
    if len(down) != len(up) or _keys(down ^ up).any() or (down > up).any():
        down, up = _paired(down, up)
    key = _keys(down) << NUMBER_BITS
    end = np.zeros(len(events), np.int64)
    end[down - key] = up - key
    down = np.flatnonzero(end)
    return down, end[down]


def _keys(events: Int[np.ndarray, " event"]) -> Int[np.ndarray, " event"]:
    return events >> NUMBER_BITS


def _paired(down: Int[np.ndarray, " down"], up: Int[np.ndarray, " up"]) -> tuple[Numbers, Numbers]:
    """Leave out the notes without an end and the ends without a note, of sorted events.

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
    return events[starts[nth < count[line[starts]]]], events[ends]
