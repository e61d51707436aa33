"""The controllers of a MIDI file's channels: volume, expression, place in stereo, pitch bend."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from musegen.files.parts import CHANNELS, channels
from musegen.files.smf import PITCH_BEND, Events
from musegen.performance import STILL, Controls
from musegen.tracks import Part

DATA, VOLUME, PAN, EXPRESSION = 6, 7, 10, 11
OTHER_PARAMETERS, PARAMETER_LOW, PARAMETER_HIGH, RESET = (98, 99), 100, 101, 121
"""Control changes."""

BEND_RANGE = (0, 0)
"""The registered parameter (high, low) whose value is the range of the pitch bend."""

USUAL_VOLUME, LOUDEST = 100, 127
MIDDLE, BEND_MIDDLE = 64, 8192


@dataclass
class _Channel:
    """The state of a channel, first as General MIDI says."""

    volume: int = USUAL_VOLUME
    expression: int = LOUDEST
    pan: int = MIDDLE
    bend: int = BEND_MIDDLE
    bend_range: int = 2
    parameter: tuple[int, int] = (LOUDEST, LOUDEST)

    @property
    def values(self) -> tuple[float, float, float]:
        """Return gain, pan and semitones; General MIDI's levels are squares of what is sent."""
        gain = (self.volume / USUAL_VOLUME * self.expression / LOUDEST) ** 2
        pan = min(max((self.pan - MIDDLE) / (MIDDLE - 1), -1), 1)
        return gain, pan, self.bend_range * (self.bend - BEND_MIDDLE) / BEND_MIDDLE

    def receive(self, kind: int, value: int) -> None:
        """Follow a control change."""
        high, low = self.parameter
        if kind == VOLUME:
            self.volume = value
        elif kind == EXPRESSION:
            self.expression = value
        elif kind == PAN:
            self.pan = value
        elif kind == PARAMETER_HIGH:
            self.parameter = value, low
        elif kind == PARAMETER_LOW:
            self.parameter = high, value
        elif kind in OTHER_PARAMETERS:
            self.parameter = LOUDEST, LOUDEST
        elif kind == DATA and self.parameter == BEND_RANGE:
            self.bend_range = value
        elif kind == RESET:
            self.expression, self.bend = LOUDEST, BEND_MIDDLE


def controls_of(
    events: Events, parts: Sequence[Part], seconds: Callable[[np.ndarray], np.ndarray]
) -> tuple[Controls, ...]:
    """Return the controls of each part: those of its channel. `seconds`: the times of ticks."""
    kinds = (DATA, VOLUME, PAN, EXPRESSION, *OTHER_PARAMETERS, PARAMETER_LOW, PARAMETER_HIGH)
    bends = np.flatnonzero(events.kind == PITCH_BEND)
    numbers = np.sort(np.concatenate([events.controls(*kinds, RESET), bends]))
    numbers = numbers[np.argsort(events.tick[numbers], kind="stable")]
    columns = (events.kind[numbers], events.value(0, numbers), events.value(1, numbers))
    at, of_channel = seconds(events.tick[numbers]), channels(events, numbers)
    state: dict[int, _Channel] = defaultdict(_Channel)
    rows: dict[int, list[tuple[float, ...]]] = defaultdict(lambda: [(0.0, 1.0, 0.0, 0.0)])
    for time, channel, kind, first, second in zip(
        *(column.tolist() for column in (at, of_channel, *columns)), strict=True
    ):
        if kind == PITCH_BEND:
            state[channel].bend = first | second << 7
        else:
            state[channel].receive(first, second)
        rows[channel].append((time, *state[channel].values))
    found = {channel: Controls(*np.array(changes).T) for channel, changes in rows.items()}
    return tuple(found.get(CHANNELS * part.port + part.channel - 1, STILL) for part in parts)


def used(events: Events) -> tuple[str, ...]:
    """Return the names of what a file sets otherwise than General MIDI does."""
    bends = np.flatnonzero(events.kind == PITCH_BEND)
    values = events.value(0, bends).astype(np.int64) | events.value(1, bends).astype(np.int64) << 7
    found = {
        "volume": _differ(events, VOLUME, USUAL_VOLUME) or _differ(events, EXPRESSION, LOUDEST),
        "panning": _differ(events, PAN, MIDDLE),
        "pitch bends": bool((values != BEND_MIDDLE).any()),
    }
    return tuple(name for name, is_used in found.items() if is_used)


def _differ(events: Events, kind: int, usual: int) -> bool:
    return bool((events.value(1, events.controls(kind)) != usual).any())
