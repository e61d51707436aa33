"""The notes of a MIDI file: each key that goes down, with the event at which it falls silent."""

import numpy as np
from jaxtyping import Bool, Int

from musegen.files.parts import CHANNELS, channels
from musegen.smf.events import Events
from musegen.smf.kinds import NOTE_OFF, NOTE_ON

NUMBER_BITS = 32
"""An event is sorted as one number, its key in front of its own number in these bits."""

SOUNDS_OFF, NOTES_OFF = (120,), (123, 124, 125, 126, 127)
"""Control changes that silence a channel: the first at once, the others let go of its keys: all
notes off, and the modes that say so too (omni off and on, mono, poly)."""

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
    numbers = is_key(events).nonzero()[0]
    status, (pitch, velocity) = events.status[numbers], events.two_bytes(numbers)
    channel = (status & 0xF).astype(np.uint16)
    key = events.track[numbers] << 11 | channel << 7 | np.minimum(pitch, 0x7F)  # of 32 bits
    is_down = (status >= NOTE_ON) & (velocity > 0)
    sorted_by = key.astype(np.int64) << NUMBER_BITS | numbers
    down, up = (sorted_by[kind.nonzero()[0]] for kind in (is_down, ~is_down))
    down.sort()
    up.sort()
    ends, hanging = up, down[:0]
    if len(down) != len(up) or _keys(down ^ up).any() or (down > up).any():
        down, ends, hanging = _paired(down, up)
    end = np.full(len(events), -1)
    end[_numbers(down)] = _numbers(ends)
    if len(hanging):
        track = events.track[_numbers(hanging)]
        last = np.searchsorted(events.track, track, side="right") - 1
        own = np.minimum(last, _next(hanging, up))
        end[_numbers(hanging)] = _sooner(events, own, _released(events, hanging, up))
    down = (end >= 0).nonzero()[0]
    silent = silenced(events, down, SOUNDS_OFF + NOTES_OFF)
    return down, _sooner(events, end[down], silent)


def _sooner(events: Events, ends: Numbers, others: Numbers) -> Numbers:
    """Return those of other events, where there are, that come before the ends, else the ends."""
    is_other = others >= 0
    if not is_other.any():
        return ends
    return np.where(is_other & (events.tick[others] < events.tick[ends]), others, ends)


def _released(
    events: Events, hanging: Int[np.ndarray, " down"], up: Int[np.ndarray, " up"]
) -> Numbers:
    """Return at which event of any track the key of each note goes up on its channel, else -1."""
    numbers, ends = _numbers(hanging), _numbers(up)
    mine, theirs = (
        channels(events, of) << 7 | np.minimum(events.byte(0, of), 0x7F) for of in (numbers, ends)
    )
    return _following(events, ends, theirs, numbers, mine)


def silenced(events: Events, notes: Numbers, kinds: tuple[int, ...]) -> Numbers:
    """Return the number of the event that first silences the channel of each note after its start,
    else -1: a control change of these kinds, or a reset of its port."""
    found = np.full(len(notes), -1)
    off, back = events.controls(*kinds), events.resets
    if len(off) or len(back):  # most set up what follows
        first = events.tick[notes].min(initial=np.iinfo(np.int64).max)
        off, back = (of[events.tick[of] > first] for of in (off, back))
    if not (len(off) or len(back)):
        return found
    channel = channels(events, notes)
    for others, group, mine in (
        (off, channels(events, off), channel),
        (back, channels(events, back) // CHANNELS, channel // CHANNELS),
    ):
        one = _following(events, others, group, notes, mine)
        is_first = (one >= 0) & ((found < 0) | (events.tick[one] < events.tick[found]))
        found = np.where(is_first, one, found)
    return found


def _following(
    events: Events,
    others: Int[np.ndarray, " other"],
    group: Int[np.ndarray, " other"],
    notes: Numbers,
    mine: Numbers,
) -> Numbers:
    """Return the first of other events after the tick at which each note of its group starts, else
    -1."""
    if not len(others):
        return np.full(len(notes), -1)
    ticks = np.concatenate([events.tick[others], events.tick[notes]])
    _, rank = np.unique(ticks, return_inverse=True)
    order = np.lexsort((others, rank[: len(others)], group))
    keys = (group << NUMBER_BITS | rank[: len(others)])[order]
    asked = mine << NUMBER_BITS | rank[len(others) :]
    place = np.minimum(np.searchsorted(keys, asked, side="right"), len(keys) - 1)
    is_found = (keys[place] > asked) & (keys[place] >> NUMBER_BITS == mine)
    return np.where(is_found, others[order][place], -1)


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
