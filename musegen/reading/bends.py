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
)
from musegen.files.parts import DATA, ZONE, Timeline, channels, last_at, members
from musegen.files.smf import PITCH_BEND, Events

CLOSE = 0.06
"""A bend is held at a semitone from which it is less than this away."""

TAIL = 12
"""A note may sound on into the next bend for a beat / 12, as played ones do; a bend that is left
sooner is on its way to another one."""

Numbers = Int[np.ndarray, " note"]


@dataclass(frozen=True)
class HeldBends:
    """What held bends make of notes.

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
        values = events.value(0, bends) | events.value(1, bends).astype(np.int64) << 7
        none = np.zeros(len(down), np.int64)
        if (values == BEND_MIDDLE).all():
            return cls(none)
        sent, group, semitones, ranges = _sent(events, bends)
        begins = np.append(True, (np.diff(group) != 0) | (np.diff(semitones) != 0))
        segment, first = np.cumsum(begins) - 1, np.flatnonzero(begins)  # of each message; starts
        nearest = np.rint(semitones[first]).astype(np.int64)
        is_held = (nearest != 0) & (np.abs(semitones[first] - nearest) < CLOSE)
        tick, tail = events.tick[sent], events.ticks_per_beat // TAIL
        passes = (np.diff(group[first]) == 0) & (np.diff(tick[first]) < tail)
        is_held[:-1] &= ~passes
        if not is_held.any():  # most bends lead from note to note
            return cls(none)
        mine, start = channels(events, down), events.tick[down]
        last = np.maximum(events.tick[up] - 1 - tail, start)
        found = last_at(group, tick, mine, np.stack([start, last]))
        begin, end = np.where(found >= 0, segment[found], -1)
        is_held &= ~_passed(begin, end, group[first])
        shift = np.where((begin >= 0) & is_melodic, (is_held * nearest)[begin], 0)
        is_left = np.isin(segment, begin[shift != 0]) & (events.kind[sent] == PITCH_BEND)
        rest = (semitones - nearest[segment])[is_left]
        rest = np.where(np.abs(rest) < CLOSE / 10, 0, rest / ranges[is_left])
        lowered = BEND_MIDDLE + np.rint(rest * BEND_MIDDLE).astype(np.int64)
        return cls(shift, dict(zip(sent[is_left].tolist(), lowered.tolist(), strict=True)))


def _passed(begin: Numbers, end: Numbers, group: np.ndarray) -> Bool[np.ndarray, " segment"]:
    """Return the segments in which a note sounds that begins or ends in another one.

    That note is heard to bend. `group`: the channel of each segment; -1 is before its first.
    """
    moves = (begin != end).nonzero()[0]
    first = np.maximum(begin[moves], group.searchsorted(group[end[moves]]))
    marks = np.zeros(len(group) + 1, np.int64)
    np.add.at(marks, first, 1)
    np.add.at(marks, end[moves] + 1, -1)
    return marks.cumsum()[:-1] > 0


def _sent(
    events: Events, bends: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the numbers of bends and resets by channel and time, their channels, the semitones
    that they bend by, and the ranges of these."""
    sent = np.concatenate([bends, events.controls(RESET)])
    group = channels(events, sent)
    order = np.lexsort((sent, events.tick[sent], group))
    sent, group = sent[order], group[order]
    ranges = _ranges(events).at(group, events.tick[sent])
    ranges = np.where(ranges < 0, USUAL_RANGE, np.maximum(ranges, 1))
    value = events.value(0, sent) | events.value(1, sent).astype(np.int64) << 7
    is_bend = events.kind[sent] == PITCH_BEND
    semitones = np.where(is_bend, ranges * (value - BEND_MIDDLE) / BEND_MIDDLE, 0.0)
    return sent, group, semitones, ranges


def _ranges(events: Events) -> Timeline:
    """Return the ranges of bends that are set, by channel and tick."""
    found, parameters = Timeline(), defaultdict[int, Parameter](Parameter)
    numbers = events.by_time(events.controls(*PARAMETERS))
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
