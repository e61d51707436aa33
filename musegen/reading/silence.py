"""Notes that nobody hears, since their channel is turned down to nothing while they sound."""

import numpy as np
from jaxtyping import Bool, Int

from musegen.files.controls import EXPRESSION, RESET, VOLUME
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
    low = levels[events.value(1, levels) == 0]
    if not len(low):  # few are turned down so far
        return found
    chosen = on_channels(channels(events, down), channels(events, low))
    for kind in set(events.value(0, low).tolist()):
        found[chosen] |= _without(events, kind, down[chosen], up[chosen])
    return found & (not found.all())


def _without(events: Events, kind: int, down: Numbers, up: Numbers) -> Bool[np.ndarray, " note"]:
    """Return which notes a controller leaves without sound throughout."""
    begin, end, group = _spans(events, kind)
    mine, start = channels(events, down), events.tick[down]
    span = last_at(group, begin, mine, start)
    return (span >= 0) & (start < end[span]) & (events.tick[up] <= end[span])


def _spans(events: Events, kind: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the ticks from which and until which a controller is 0, and the channels.

    Of changes at one tick the last in the file counts.
    """
    sent, back = events.controls(kind), events.resets
    lifted = events.controls(RESET) if kind == EXPRESSION else sent[:0]
    of_ports = CHANNELS * ports(events, back)[:, None] + np.arange(CHANNELS)  # [reset channel]
    numbers = np.concatenate([sent, lifted, back.repeat(CHANNELS)])
    own = np.concatenate([sent, lifted])
    group = np.concatenate([channels(events, own), of_ports.ravel()])  # [change]
    is_low = np.zeros(len(numbers), bool)
    is_low[: len(sent)] = events.value(1, sent) == 0
    order = np.lexsort((numbers, events.tick[numbers], group))
    group, is_low, tick = group[order], is_low[order], events.tick[numbers[order]]
    goes_on = is_low[1:] & is_low[:-1] & (group[1:] == group[:-1])
    first = (is_low & ~np.append(False, goes_on)).nonzero()[0]
    after = (is_low & ~np.append(goes_on, False)).nonzero()[0] + 1
    end = np.append(tick, NEVER)[after]
    end[np.append(group, -1)[after] != group[first]] = NEVER
    return tick[first], end, group[first]
