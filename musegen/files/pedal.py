"""The pedals that let notes sound on while they are down: sustain and sostenuto."""

import numpy as np

from musegen.files.keys import NUMBER_BITS, SOUNDS_OFF, silenced
from musegen.files.parts import CHANNELS, channels
from musegen.smf.events import Events
from musegen.smf.kinds import CONTROL

SUSTAIN, SOSTENUTO, RESET = 64, 66, 121
"""Control changes: the pedals, and the one that lifts them with all others."""

DOWN = 64
"""A pedal is down from this value on."""

LAST_BEATS = 8
"""The longest time that a pedal sustains after the last key goes up."""


def are_used(events: Events) -> bool:
    """Return whether any pedal goes down."""
    used = events.controls(SUSTAIN, SOSTENUTO)
    return bool((events.value(1, used) >= DOWN).any())


def hold(
    events: Events, channel: np.ndarray, down: np.ndarray, up: np.ndarray, pitch: np.ndarray
) -> tuple[np.ndarray, int]:
    """Return the durations of notes as the pedals of their channel lengthen them, and the tick at
    which the last one ends that a key or a pedal ends: one that stays down ends no song.

    A note whose key goes up while the sustain pedal is down sounds until the pedal goes up or its
    pitch is struck on its channel. A pedal that goes up and down at one tick lets go of the keys
    that go up at it. A reset lets go of all pedals, and what silences all sounds ends held notes.
    The sostenuto pedal holds the keys that are down when it goes down, and no
    others, until it goes up. All in ticks; `down`, `up`: the numbers of the events that start and
    end the notes; `channel`: 16 * port + channel, others for notes that no pedal lengthens.
    """
    start, end = events.tick[down], events.tick[up]
    latest = int(end.max()) + LAST_BEATS * events.ticks_per_beat
    held, number = end.copy(), up
    back = events.resets
    silent = silenced(events, down, SOUNDS_OFF)
    silent_at = np.where(silent >= 0, events.tick[silent], latest)
    for pedal, release in ((SOSTENUTO, _caught), (SUSTAIN, _released)):
        used = np.concatenate([events.controls(pedal, RESET), back])
        is_pedal = (events.kind[used] == CONTROL) & (events.value(0, used) == pedal)
        is_down = is_pedal & (events.value(1, used) >= DOWN)
        tick = np.minimum(events.tick[used], latest + 1)
        used_by, place = channels(events, used), _place(tick, used)
        for one in np.unique(used_by[is_down]).tolist():
            mine = np.flatnonzero(channel == one)
            is_back = (events.kind[used] != CONTROL) & (used_by // CHANNELS == one // CHANNELS)
            of_pedal = np.flatnonzero((used_by == one) | is_back)
            order = of_pedal[np.argsort(place[of_pedal])]
            key_up = _place(held[mine], number[mine])
            until = release(place[order], is_down[order], start[mine], key_up, latest)
            until = np.minimum(until, silent_at[mine])
            held[mine] = np.minimum(until, _next_strike(pitch[mine], start[mine], latest))
        number = np.where(held > end, len(events), up)  # at a tick, what a pedal ends comes last
    ends = np.maximum(end, held)
    return ends - start, int(ends[ends < latest].max(initial=0))


def _place(tick: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Return numbers that sort as events do in time, those of a tick as in the file."""
    return tick << NUMBER_BITS | number


def _released(
    place: np.ndarray, is_down: np.ndarray, start: np.ndarray, key_up: np.ndarray, latest: int
) -> np.ndarray:
    """Return when the pedal goes up that is down as each key goes up; the key's tick where none
    is."""
    last = np.searchsorted(place, key_up) - 1
    sustained = (last >= 0) & is_down[last]
    end, up = key_up >> NUMBER_BITS, np.append(place[~is_down] >> NUMBER_BITS, latest)
    return np.where(sustained, up[np.searchsorted(up[:-1], end)], end)


def _caught(
    place: np.ndarray, is_down: np.ndarray, start: np.ndarray, key_up: np.ndarray, latest: int
) -> np.ndarray:
    """Return when the pedal goes up that went down last while each key was down; else the end."""
    tick, end = place >> NUMBER_BITS, key_up >> NUMBER_BITS
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
