"""The pedals that let notes sound on while they are down: sustain and sostenuto."""

import numpy as np

from musegen.files.parts import channels
from musegen.files.smf import Events

SUSTAIN, SOSTENUTO, RESET = 64, 66, 121
"""Control changes: the pedals, and the one that lifts them with all others."""

DOWN = 64
"""A pedal is down from this value on."""

LAST_BEATS = 4
"""The longest time that a pedal sustains after the last key goes up; bars end there earlier."""


def are_used(events: Events) -> bool:
    """Return whether any pedal goes down."""
    used = events.controls(SUSTAIN, SOSTENUTO)
    return bool((events.value(1, used) >= DOWN).any())


def hold(
    events: Events,
    channel: np.ndarray,
    start: np.ndarray,
    duration: np.ndarray,
    pitch: np.ndarray,
) -> np.ndarray:
    """Return the durations of notes as the pedals of their channel lengthen them.

    A note whose key goes up while the sustain pedal is down sounds until the pedal goes up or its
    pitch is struck on its channel. The sostenuto pedal holds the keys that are down when it goes
    down, and no others, until it goes up. All in ticks; `channel`: 16 * port + channel.
    """
    end = start + duration
    latest = int(end.max()) + LAST_BEATS * events.ticks_per_beat
    held = end.copy()
    for pedal, release in ((SOSTENUTO, _caught), (SUSTAIN, _released)):
        used = events.controls(pedal, RESET)
        is_down = (events.value(0, used) == pedal) & (events.value(1, used) >= DOWN)
        used_by, tick = channels(events, used), events.tick[used]
        for number in np.unique(used_by[is_down]).tolist():
            mine, of_pedal = np.flatnonzero(channel == number), np.flatnonzero(used_by == number)
            order = of_pedal[np.argsort(tick[of_pedal], kind="stable")]
            until = release(tick[order], is_down[order], start[mine], held[mine], latest)
            held[mine] = np.minimum(until, _next_strike(pitch[mine], start[mine], latest))
    return np.maximum(end, held) - start


def _released(
    tick: np.ndarray, is_down: np.ndarray, start: np.ndarray, end: np.ndarray, latest: int
) -> np.ndarray:
    """Return when the pedal goes up that is down at each key's end; the end where none is."""
    last = np.searchsorted(tick, end, side="right") - 1
    sustained = (last >= 0) & is_down[last]
    up = np.append(tick[~is_down], latest)
    return np.where(sustained, up[np.searchsorted(up[:-1], end, side="right")], end)


def _caught(
    tick: np.ndarray, is_down: np.ndarray, start: np.ndarray, end: np.ndarray, latest: int
) -> np.ndarray:
    """Return when the pedal goes up that went down last while each key was down; else the end."""
    goes_down = is_down & ~np.append(False, is_down[:-1])
    down, up = tick[goes_down], np.append(tick[~is_down], latest)
    last = np.searchsorted(down, end) - 1
    caught = (last >= 0) & (down[last] >= start)
    until = up[np.searchsorted(up[:-1], down[last], side="right")]
    return np.where(caught, np.maximum(until, end), end)


def _next_strike(pitch: np.ndarray, start: np.ndarray, latest: int) -> np.ndarray:
    """Return the next start after each note's own on its pitch."""
    line = pitch * (latest + 1)
    strikes = np.append(np.sort(line + start), np.iinfo(np.int64).max)
    following = strikes[np.searchsorted(strikes, line + start, side="right")]
    return np.minimum(following - line, latest)
