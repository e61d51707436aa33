"""The sustain pedal: notes sound on while it is down."""

import numpy as np

from musegen.files.parts import channels
from musegen.files.smf import Events

SUSTAIN, RESET = 64, 121
"""Control changes: the pedal, and the one that lifts it with all others."""

DOWN = 64
"""The pedal is down from this value on."""

LAST_BEATS = 4
"""The longest time that a pedal sustains after the last key goes up; bars end there earlier."""


def hold(
    events: Events,
    channel: np.ndarray,
    start: np.ndarray,
    duration: np.ndarray,
    pitch: np.ndarray,
) -> np.ndarray:
    """Return the durations of notes as their channel's pedal lengthens them.

    A note whose key goes up while the pedal is down sounds until the pedal goes up or its pitch is
    struck on its channel. All in ticks; `channel`: 16 * port + channel.
    """
    used = events.controls(SUSTAIN, RESET)
    is_down = (events.value(0, used) == SUSTAIN) & (events.value(1, used) >= DOWN)
    if not is_down.any():
        return duration
    pedal_channel, tick = channels(events, used), events.tick[used]
    end = start + duration
    latest = int(end.max()) + LAST_BEATS * events.ticks_per_beat
    held = end.copy()
    for number in np.unique(pedal_channel[is_down]).tolist():
        mine, of_pedal = np.flatnonzero(channel == number), np.flatnonzero(pedal_channel == number)
        order = of_pedal[np.argsort(tick[of_pedal], kind="stable")]
        until = _released(tick[order], is_down[order], end[mine], latest)
        held[mine] = np.minimum(until, _next_strike(pitch[mine], start[mine], latest))
    return np.maximum(end, held) - start


def _released(tick: np.ndarray, is_down: np.ndarray, end: np.ndarray, latest: int) -> np.ndarray:
    """Return when the pedal goes up that is down at each key's end; the end where none is."""
    last = np.searchsorted(tick, end, side="right") - 1
    sustained = (last >= 0) & is_down[last]
    up = np.append(tick[~is_down], latest)
    return np.where(sustained, up[np.searchsorted(up[:-1], end, side="right")], end)


def _next_strike(pitch: np.ndarray, start: np.ndarray, latest: int) -> np.ndarray:
    """Return the next start after each note's own on its pitch."""
    line = pitch * (latest + 1)
    strikes = np.append(np.sort(line + start), np.iinfo(np.int64).max)
    following = strikes[np.searchsorted(strikes, line + start, side="right")]
    return np.minimum(following - line, latest)
