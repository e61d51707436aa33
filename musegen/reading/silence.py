"""Notes that nobody hears, since their channel is turned down to nothing while they sound."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from musegen.files.controls import EXPRESSION, RESET, VOLUME, levels_of_parts
from musegen.files.parts import CHANNELS, channels, last_at, on_channels, ports
from musegen.smf.events import Events

NEVER = np.iinfo(np.int64).max

Numbers = Int[np.ndarray, " note"]


def muted(events: Events, down: Numbers, up: Numbers) -> Bool[np.ndarray, " note"]:
    """Return which notes have no volume or no expression from their start to their end.

    `down`, `up`: the numbers of the events that start and end them. Where all notes are so, none
    is: somebody exported with the faders down.
    """
    found, levels = np.zeros(len(down), bool), events.controls(VOLUME, EXPRESSION)
    if events.value(1, levels).all() and not levels_of_parts(events):  # few are turned down so far
        return found
    for kind in (VOLUME, EXPRESSION):
        changes = _Changes.of(events, kind)
        if len(low := changes.channel[changes.is_low]):
            chosen = on_channels(channels(events, down), low)
            found[chosen] |= _without(events, changes, down[chosen], up[chosen])
    return found & (not found.all())


class _Changes(NamedTuple):
    """The changes of a controller: the numbers of their events, channels, and whether to 0."""

    number: np.ndarray
    channel: np.ndarray
    is_low: np.ndarray

    @classmethod
    def of(cls, events: Events, kind: int) -> "_Changes":
        """Find them, with those of messages to parts; resets lift expression."""
        sent = events.controls(kind)
        is_low, channel = events.value(1, sent) == 0, channels(events, sent)
        if kind == EXPRESSION:
            more = events.controls(RESET)
            of_more, are_low = channels(events, more), np.zeros(len(more), bool)
        else:
            levels = levels_of_parts(events)
            more = np.array([*levels], np.int64)
            of_more, values = np.array([*levels.values()], np.int64).reshape(-1, 2).T  # [message]
            are_low = values == 0
        return cls(np.append(sent, more), np.append(channel, of_more), np.append(is_low, are_low))


def _without(
    events: Events, changes: _Changes, down: Numbers, up: Numbers
) -> Bool[np.ndarray, " note"]:
    """Return which notes a controller leaves without sound throughout."""
    begin, end, group = _spans(events, changes)
    mine, start = channels(events, down), events.tick[down]
    span = last_at(group, begin, mine, start)
    return (span >= 0) & (start < end[span]) & (events.tick[up] <= end[span])


def _spans(events: Events, changes: _Changes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the ticks from which and until which a controller is 0, and the channels.

    Of changes at one tick the last in the file counts.
    """
    back = events.resets
    of_ports = CHANNELS * ports(events, back)[:, None] + np.arange(CHANNELS)  # [reset channel]
    numbers = np.append(changes.number, back.repeat(CHANNELS))
    group = np.append(changes.channel, of_ports)  # [change]
    is_low = np.append(changes.is_low, np.zeros(of_ports.size, bool))
    order = np.lexsort((numbers, events.tick[numbers], group))
    group, is_low, tick = group[order], is_low[order], events.tick[numbers[order]]
    goes_on = is_low[1:] & is_low[:-1] & (group[1:] == group[:-1])
    first = (is_low & ~np.append(False, goes_on)).nonzero()[0]
    after = (is_low & ~np.append(goes_on, False)).nonzero()[0] + 1
    end = np.append(tick, NEVER)[after]
    end[np.append(group, -1)[after] != group[first]] = NEVER
    return tick[first], end, group[first]
