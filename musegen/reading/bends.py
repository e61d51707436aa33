"""Bends that are held: whole notes that sound some semitones from their keys.

Sequencers of games and guitars play a melody so. In notes alone it would be another one.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Int

from musegen.files.controls import (
    BEND_MIDDLE,
    BEND_RANGE,
    PARAMETERS,
    RANGE_OF_MEMBERS,
    RESET,
    USUAL_RANGE,
    Parameter,
    ranges_of_parts,
)
from musegen.files.parts import (
    CHANNELS,
    DATA,
    ZONE,
    Timeline,
    channels,
    last_at,
    members,
    on_channels,
    ports,
)
from musegen.roll import differ
from musegen.smf.events import Events
from musegen.smf.kinds import PITCH_BEND

CLOSE = 0.06
"""A bend is held at a semitone from which it is less than this away."""

TAIL = 12
"""A note may sound on into the next bend for a beat / 12, as played ones do."""

WIDEST = 96
"""The widest range of bends that instruments have, in semitones."""

Numbers = Int[np.ndarray, " note"]


@dataclass(frozen=True)
class HeldBends:
    """The notes that held bends raise or lower, and what is left of the bends.

    semitones: how far above its key each note sounds. lowered: the bends, from 0 to 16383, that
    are left of these messages, by the numbers of their events.
    """

    semitones: Numbers
    lowered: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls, events: Events, down: Numbers, up: Numbers, is_melodic: Bool[np.ndarray, " note"]
    ) -> "HeldBends":
        """Find the bends that are held from the start to the end of all notes that they touch.

        `down`, `up`: the numbers of the events that start and end the notes.
        """
        bends = (events.kind == PITCH_BEND).nonzero()[0]
        held, shift = _may_hold(events, bends), np.zeros(len(down), np.int64)
        if not len(held):
            return cls(shift)
        bent = channels(events, held)
        sent, group, semitones, ranges = _sent(events, bends, bent)
        begins = np.append(True, (np.diff(group) != 0) | (np.diff(semitones) != 0))
        segment, first = np.cumsum(begins) - 1, np.flatnonzero(begins)  # of each message; starts
        played = channels(events, down)
        chosen = on_channels(played, bent)
        mine, start = played[chosen], events.tick[down[chosen]]
        last = events.tick[up[chosen]] - 1 - events.ticks_per_beat // TAIL
        last, tick = np.maximum(last, start), events.tick[sent]
        found = last_at(group, tick, mine, np.stack([start, last]))
        begin, end = np.where(found >= 0, segment[found], -1)
        nearest = np.rint(semitones[first]).astype(np.int64)
        is_held = (nearest != 0) & (np.abs(semitones[first] - nearest) < CLOSE)
        is_held &= ~_passed(begin, end, group[first])
        is_bent = (begin >= 0) & is_melodic[chosen]
        shift[chosen] = np.where(is_bent, (is_held * nearest)[begin], 0)
        if not shift.any():
            return cls(shift)
        is_sung = np.zeros(len(first), bool)
        is_sung[begin[shift[chosen] != 0]] = True
        is_left = is_sung[segment] & (events.kind[sent] == PITCH_BEND)
        rest = (semitones - nearest[segment])[is_left]
        rest = np.where(np.abs(rest) < CLOSE / 10, 0, rest / ranges[is_left])
        lowered = BEND_MIDDLE + np.rint(rest * BEND_MIDDLE).astype(np.int64)
        return cls(shift, dict(zip(sent[is_left].tolist(), lowered.tolist(), strict=True)))


def _may_hold(events: Events, bends: np.ndarray) -> np.ndarray:
    """Return the bends of a semitone or more after which no other one of their track and channel
    comes for a beat / 12.

    Others are steps of a glide: to know so is ten times as fast as to follow them.
    """
    if not len(bends):
        return bends
    value = events.value(0, bends) | events.value(1, bends).astype(np.int64) << 7
    widest = WIDEST if _has_ranges(events) else USUAL_RANGE
    least = (1 - CLOSE) * BEND_MIDDLE / widest
    wait = np.append(np.diff(events.tick[bends]), events.ticks_per_beat)
    stays = (wait < 0) | (wait > events.ticks_per_beat // TAIL)
    stays |= differ(events.track[bends[::-1]])[::-1] | differ(events.status[bends[::-1]])[::-1]
    return bends[stays & (np.abs(value - BEND_MIDDLE) >= least)]


def _passed(begin: Numbers, end: Numbers, group: np.ndarray) -> Bool[np.ndarray, " segment"]:
    """Return the segments in which a note sounds that begins or ends in another one.

    That note bends while it sounds. `group`: the channel of each segment; -1 is before its first.
    """
    moves = (begin != end).nonzero()[0]
    first = np.maximum(begin[moves], group.searchsorted(group[end[moves]]))
    marks = np.zeros(len(group) + 1, np.int64)
    np.add.at(marks, first, 1)
    np.add.at(marks, end[moves] + 1, -1)
    return marks.cumsum()[:-1] > 0


def _sent(
    events: Events, bends: np.ndarray, bent: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the numbers of bends and resets of some channels by channel and time, the channels,
    the semitones that they bend by, and the ranges of these."""
    numbers = np.concatenate([bends, events.controls(RESET)])
    of = channels(events, numbers)
    mine = on_channels(of, bent)
    numbers, of = numbers[mine], of[mine]
    order = np.lexsort((numbers, events.tick[numbers], of))
    sent, group = numbers[order], of[order]
    value = events.value(0, sent) | events.value(1, sent).astype(np.int64) << 7
    ranges = np.full(len(sent), USUAL_RANGE)
    if _has_ranges(events):
        found = _ranges(events, bent).at(group, events.tick[sent])
        ranges = np.where(found < 0, ranges, np.maximum(found, 1))
    is_bend = events.kind[sent] == PITCH_BEND
    semitones = np.where(is_bend, ranges * (value - BEND_MIDDLE) / BEND_MIDDLE, 0.0)
    return sent, group, semitones, ranges


def _has_ranges(events: Events) -> bool:
    is_chosen = not {BEND_RANGE[1], ZONE[1]}.isdisjoint(events.parameters)
    return is_chosen or bool(ranges_of_parts(events))


def _ranges(events: Events, bent: np.ndarray) -> Timeline:
    """Return the ranges of bends that are set, by channel and tick.

    `bent`: the channels that matter; the masters of zones count too. Of those at one tick resets
    are first, then messages to parts.
    """
    found, parameters = Timeline(), defaultdict[int, Parameter](Parameter)
    resets = zip(events.tick[events.resets].tolist(), ports(events, events.resets), strict=True)
    for tick, port in resets:
        for one in range(CHANNELS):
            found.add(int(port) * CHANNELS + one, tick, USUAL_RANGE)
    for number, (channel, semitones) in ranges_of_parts(events).items():
        found.add(channel, int(events.tick[number]), semitones)
    numbers = events.controls(*PARAMETERS)
    if ZONE[1] not in events.parameters:
        numbers = numbers[on_channels(channels(events, numbers), bent)]
    numbers = events.by_time(numbers)
    columns = channels(events, numbers), events.tick[numbers]
    data = events.value(0, numbers), events.value(1, numbers)
    for channel, tick, kind, value in zip(*(c.tolist() for c in (*columns, *data)), strict=True):
        parameters[channel].receive(kind, value)
        if kind == DATA and parameters[channel].number == BEND_RANGE:
            found.add(channel, tick, value)
        elif kind == DATA and parameters[channel].number == ZONE:
            for one in members(channel, value):
                found.add(one, tick, RANGE_OF_MEMBERS)
    return found
