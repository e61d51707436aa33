"""Notes that nobody hears, since their channel is turned down to nothing while they sound."""

import numpy as np
from jaxtyping import Bool, Int

from musegen.files.controls import EXPRESSION, RESET, VOLUME
from musegen.files.keys import following
from musegen.files.parts import CHANNELS, channels, last_at, ports
from musegen.files.smf import Events

Numbers = Int[np.ndarray, " note"]


def muted(events: Events, down: Numbers, up: Numbers) -> Bool[np.ndarray, " note"]:
    """Return which notes have no volume or no expression from their start to their end.

    `down`, `up`: the numbers of the events that start and end them. Where all notes are so, none
    is: somebody exported with the faders down.
    """
    found = np.zeros(len(down), bool)
    for kind in (VOLUME, EXPRESSION):
        if not events.value(1, events.controls(kind)).all():  # few are turned down so far
            found |= _without(events, kind, down, up)
    return found & (not found.all())


def _without(events: Events, kind: int, down: Numbers, up: Numbers) -> Bool[np.ndarray, " note"]:
    """Return which notes a controller leaves without sound throughout."""
    sent, back = events.controls(kind), events.resets
    up_again = events.controls(RESET) if kind == EXPRESSION else sent[:0]
    raised = np.concatenate([sent[events.value(1, sent) > 0], up_again, back.repeat(CHANNELS)])
    low = sent[events.value(1, sent) == 0]
    of_ports = CHANNELS * ports(events, back)[:, None] + np.arange(CHANNELS)  # [reset channel]
    own = channels(events, raised[: len(raised) - of_ports.size])
    of_raised = np.concatenate([own, of_ports.ravel()])  # [raised]
    numbers = np.concatenate([low, raised])
    group = np.concatenate([channels(events, low), of_raised])
    order = np.argsort(numbers, kind="stable")  # of those at one tick the last in the file counts
    mine, start = channels(events, down), events.tick[down]
    last = last_at(group[order], events.tick[numbers[order]], mine, start)
    is_low = (last >= 0) & (order[last] < len(low))
    after = following(events, raised, of_raised, down, mine)
    return is_low & ((after < 0) | (events.tick[after] >= events.tick[up]))
