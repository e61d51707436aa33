"""The messages of a MIDI file that set the controllers of its channels: received, and sent."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from math import ceil
from typing import Any

import numpy as np

from musegen.controls import LOUDEST, MIDDLE, STILL, USUAL_VOLUME, Controls
from musegen.files.parts import (
    CHANNELS,
    DATA,
    GS_CHANNELS,
    ZONE,
    channel_of_part,
    channels,
    members,
    ports,
)
from musegen.roll import differ
from musegen.smf.events import Events
from musegen.smf.kinds import CONTROL, ESCAPE, PARAMETER_LOW, PITCH_BEND, SYSEX
from musegen.smf.sysex import GS_LEVEL, GS_RANGE, XG_LEVEL, XG_RANGE
from musegen.tracks import Part

VOLUME, PAN, EXPRESSION, DATA_LOW = 7, 10, 11, 38
OTHER_PARAMETERS, PARAMETER_HIGH, RESET = (98, 99), 101, 121
"""Control changes."""

PARAMETERS = (DATA, DATA_LOW, *OTHER_PARAMETERS, PARAMETER_LOW, PARAMETER_HIGH, RESET)
"""Those that choose and set parameters."""

NO_PARAMETER = (127, 127)

BEND_RANGE, FINE_TUNING = (0, 0), (0, 1)
"""The registered parameters (high, low) whose values are the range of bends, in semitones and
cents, and how far above its keys a channel sounds: a semitone at most, as bends are sent."""

BEND_MIDDLE, USUAL_RANGE, RANGE_OF_MEMBERS = 8192, 2, 48

NO_RANGE = 64
"""The value in a message to a part that is a range of 0 semitones."""

NONE_LOWERED: Mapping[int, int] = {}


def ranges_of_parts(events: Events) -> dict[int, tuple[int, int]]:
    """Return the channels and the ranges of bends that messages to parts set, in semitones, by the
    numbers of their events."""
    found = _of_parts(events, GS_RANGE, XG_RANGE)
    return {one: (channel, max(value - NO_RANGE, 0)) for one, (channel, value) in found.items()}


def levels_of_parts(events: Events) -> dict[int, tuple[int, int]]:
    """Return the channels and the volumes that messages to parts set, by the numbers of their
    events."""
    return _of_parts(events, GS_LEVEL, XG_LEVEL)


def _of_parts(
    events: Events, of_gs: re.Pattern[bytes], of_xg: re.Pattern[bytes]
) -> dict[int, tuple[int, int]]:
    """Return the channels and the values of messages to parts, by the numbers of their events."""
    found = dict[int, tuple[int, int]]()
    for number, message in events.messages.items():
        for pattern, of in ((of_gs, GS_CHANNELS), (of_xg, range(CHANNELS))):
            if part := pattern.match(message):
                port = int(ports(events, np.array([number]))[0])
                found[number] = channel_of_part(part, of, port), part[3][0] & 0x7F
    return found


@dataclass
class Parameter:
    """The registered parameter (high, low) of a channel that data sets; none at first."""

    number: tuple[int, int] = NO_PARAMETER

    def receive(self, kind: int, value: int) -> None:
        """Follow a control change: it may choose another one."""
        high, low = self.number
        if kind == PARAMETER_HIGH:
            self.number = value, low
        elif kind == PARAMETER_LOW:
            self.number = high, value
        elif kind in OTHER_PARAMETERS or kind == RESET:
            self.number = NO_PARAMETER


@dataclass
class _Channel:
    """The state of a channel, first as General MIDI says."""

    volume: int = USUAL_VOLUME
    expression: int = LOUDEST
    pan: int = MIDDLE
    bend: int = BEND_MIDDLE
    bend_range: tuple[int, int] = USUAL_RANGE, 0
    fine: tuple[int, int] = BEND_MIDDLE >> 7, 0
    parameter: Parameter = field(default_factory=Parameter)

    @property
    def values(self) -> tuple[float, ...]:
        """Return volume, expression, place and semitones."""
        high, low = self.fine
        fine = ((high << 7 | low) - BEND_MIDDLE) / BEND_MIDDLE
        bent = self.semitones * (self.bend - BEND_MIDDLE) / BEND_MIDDLE
        return self.volume, self.expression, self.pan, bent + fine

    @property
    def semitones(self) -> float:
        """Return the range of bends."""
        whole, cents = self.bend_range
        return whole + cents / 100

    def receive(self, kind: int, value: int) -> None:
        """Follow a control change."""
        self.parameter.receive(kind, value)
        if kind == VOLUME:
            self.volume = value
        elif kind == EXPRESSION:
            self.expression = value
        elif kind == PAN:
            self.pan = value
        elif kind in (DATA, DATA_LOW) and self.parameter.number == BEND_RANGE:
            self.bend_range = self._entered(self.bend_range, kind, value)
        elif kind in (DATA, DATA_LOW) and self.parameter.number == FINE_TUNING:
            self.fine = self._entered(self.fine, kind, value)
        elif kind == RESET:
            self.expression, self.bend = LOUDEST, BEND_MIDDLE

    @staticmethod
    def _entered(before: tuple[int, int], kind: int, value: int) -> tuple[int, int]:
        """Return the value of a parameter, high and low, of which one is entered."""
        high, low = before
        return (value, low) if kind == DATA else (high, value)


@dataclass(frozen=True)
class Messages:
    """The messages of a file that set controllers, as columns, in the order of their times.

    at: ticks, or steps of a song. channel: 16 * port + channel. status: without its channel;
    `SYSEX` of a reset, which sets all channels of its port back, and `ESCAPE` of a range of bends
    that a message sets, in semitones as its first byte. first, second: the data bytes.
    """

    at: np.ndarray
    channel: np.ndarray
    status: np.ndarray
    first: np.ndarray
    second: np.ndarray

    @classmethod
    def of(cls, events: Events, lowered: Mapping[int, int] = NONE_LOWERED) -> "Messages":
        """Find the messages of a file.

        `lowered`: other values, from 0 to 16383, of some bends, by the numbers of their events.
        """
        turned = events.controls(VOLUME, PAN, EXPRESSION, *PARAMETERS)
        bends, ranges = np.flatnonzero(events.kind == PITCH_BEND), ranges_of_parts(events)
        levels = levels_of_parts(events)
        others = np.array([*ranges, *levels], np.int64)
        numbers = events.by_time(np.concatenate([turned, bends, events.resets, others]))
        data = events.value(0, numbers), events.value(1, numbers)
        channel, status = channels(events, numbers), events.kind[numbers]
        for place in np.isin(numbers, others).nonzero()[0].tolist() if len(others) else []:
            if (number := int(numbers[place])) in ranges:
                channel[place], data[0][place] = ranges[number]
                status[place] = ESCAPE
            else:
                channel[place], data[1][place] = levels[number]
                status[place], data[0][place] = CONTROL, VOLUME
        for place in np.isin(numbers, [*lowered]).nonzero()[0].tolist():
            value = lowered[int(numbers[place])]
            data[0][place], data[1][place] = value & 0x7F, value >> 7
        return cls(events.tick[numbers], channel, status, *data)

    def controls(self, parts: Sequence[Part]) -> tuple[Controls, ...]:
        """Return the controls of each part: those of its channel."""
        state: dict[int, _Channel] = defaultdict(_Channel)
        rows: dict[int, list[tuple[float, ...]]] = defaultdict(lambda: [(0, *_Channel().values)])
        columns = (getattr(self, column.name).tolist() for column in fields(self))
        for at, channel, status, first, second in zip(*columns, strict=True):
            if status == SYSEX:
                first_of_port = channel - channel % CHANNELS
                for one in range(first_of_port, first_of_port + CHANNELS):
                    if state.pop(one, None):
                        rows[one].append((at, *_Channel().values))
                continue
            if status == ESCAPE:
                state[channel].bend_range = first, 0
            elif status == PITCH_BEND:
                state[channel].bend = first | second << 7
            else:
                state[channel].receive(first, second)
                if first == DATA and state[channel].parameter.number == ZONE:
                    for one in members(channel, second):
                        state[one].bend_range = RANGE_OF_MEMBERS, 0
            rows[channel].append((at, *state[channel].values))
        found = {channel: _controls(changes) for channel, changes in rows.items()}
        return tuple(found.get(CHANNELS * part.port + part.channel - 1, STILL) for part in parts)

    @property
    def used(self) -> tuple[str, ...]:
        """Return the names of what a file sets otherwise than General MIDI does."""
        bends = self.status == PITCH_BEND
        values = self.first[bends].astype(np.int64) | self.second[bends].astype(np.int64) << 7
        found = {
            VOLUMES: self._differs(VOLUME, USUAL_VOLUME) or self._differs(EXPRESSION, LOUDEST),
            PANNING: self._differs(PAN, MIDDLE),
            BENDS: bool((values != BEND_MIDDLE).any()),
        }
        return tuple(name for name, is_used in found.items() if is_used)

    def _differs(self, kind: int, usual: int) -> bool:
        mine = (self.status == CONTROL) & (self.first == kind)
        return bool((self.second[mine] != usual).any())


def _controls(rows: Sequence[tuple[float, ...]]) -> Controls:
    at, volume, expression, panning, semitones = map(np.array, zip(*rows, strict=True))
    return Controls(at, volume, expression, panning, semitones.astype(np.float64)).simplified()


NO_MESSAGES = Messages(*(np.zeros(0, np.int64) for _ in fields(Messages)))
"""Those of a file that has none."""

VOLUMES, PANNING, BENDS = "volume", "panning", "pitch bends"
NAMES = {VOLUMES: ("volume", "expression"), PANNING: ("panning",), BENDS: ("semitones",)}
"""The columns of controls by the names that users know."""


def shared(parts: Sequence[Controls]) -> Controls:
    """Return the controls of a track from those of its parts: the first one's; bends if all agree.

    What counts in one part alone would bend the notes of the others.
    """
    first = parts[0]
    if BENDS not in differing(parts):
        return first
    return replace(first, semitones=np.zeros(len(first))).simplified()


def differing(parts: Sequence[Controls]) -> list[str]:
    """Return the names of what the parts of a track are turned to differently."""
    times = np.unique(np.concatenate([part.at for part in parts]))
    rows = [part.counting(times) for part in parts]
    return [
        name
        for name, columns in NAMES.items()
        if any(
            (getattr(row, column) != getattr(rows[0], column)).any()
            for column in columns
            for row in rows[1:]
        )
    ]


def send(controls: Controls, instrument: Any, seconds: np.ndarray) -> None:
    """Add control changes and pitch bends to a `pretty_midi.Instrument`.

    controls: in ticks. seconds: the time of each tick. The first levels are sent whatever they
    are. Bends of more than 2 semitones have their range set before.
    """
    from pretty_midi import ControlChange, PitchBend

    times = seconds[controls.at]
    levels = (
        (VOLUME, controls.volume),
        (EXPRESSION, controls.expression),
        (PAN, controls.panning),
    )
    for kind, values in levels:
        changes = differ(values)
        rows = zip(values[changes].tolist(), times[changes].tolist(), strict=True)
        instrument.control_changes += [ControlChange(kind, value, time) for value, time in rows]
    most = max(USUAL_RANGE, ceil(np.abs(controls.semitones).max()))
    if most > USUAL_RANGE:  # its value a tick later: pretty_midi sorts those of a tick by number
        parameter = zip((PARAMETER_HIGH, PARAMETER_LOW), BEND_RANGE, strict=True)
        chosen = [*((kind, value, 0) for kind, value in parameter), (DATA, most, 1)]
        instrument.control_changes += [
            ControlChange(kind, value, seconds[tick]) for kind, value, tick in chosen
        ]
    bends = np.rint(controls.semitones * BEND_MIDDLE / most).astype(np.int64)
    bends = np.minimum(bends, BEND_MIDDLE - 1)
    changes = np.append(bends[0] != 0, bends[1:] != bends[:-1])
    sent = zip(bends[changes].tolist(), times[changes].tolist(), strict=True)
    instrument.pitch_bends += [PitchBend(value, time) for value, time in sent]
