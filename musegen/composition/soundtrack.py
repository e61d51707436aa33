"""Soundtracks: songs composed to lie under pictures, with the times of their bars.

track = compose_bars(None, bars=8, seed=1)          the shipped weights
track.sound, track.bar_seconds
"""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float

from musegen.files.audio import SAMPLE_RATE, Audio
from musegen.files.sound import Session
from musegen.model import Model
from musegen.roll import Roll

LEAST_BARS = 4
"""Bars of the shortest song that is composed, of which fewer may be used."""
BAR_SECONDS = 2.0
"""Length of a bar at 120 beats a minute, from which the number of bars is estimated."""
LATE_BARS = 2
"""Bars in which a song may begin with a rest, which is left out."""


@dataclass(frozen=True)
class Soundtrack:
    """The sound of a song from its first bar with a note, and `bars` bars of it.

    `origin`: which model made it, by which settings.
    """

    roll: Roll
    bars: int

    @property
    def origin(self) -> str:
        return self.roll.origin

    @property
    def first_bar(self) -> int:
        """Return the number of the first bar with a note, 0 of a song without notes."""
        sounding = self.roll.cells.any((0, 2, 3))  # [bar]
        return int(sounding.argmax())

    @property
    def bar_seconds(self) -> Float[np.ndarray, " time"]:
        """Return the times at which bars begin, and the end of the last one."""
        step = self.roll.grid.steps_per_bar
        bars = range(self.first_bar, min(self.first_bar + self.bars, self.roll.bars) + 1)
        times = np.array([self.roll.seconds_at(bar * step) for bar in bars])
        return times - times[0]

    @cached_property
    def sound(self) -> Audio:
        """Return stereo at 44.1 kHz, to the end of the last bar."""
        step = self.roll.grid.steps_per_bar
        begin = round(SAMPLE_RATE * self.roll.seconds_at(self.first_bar * step))
        samples = round(SAMPLE_RATE * float(self.bar_seconds[-1]))
        part = Session(self.roll).mix[:, begin : begin + samples]
        return np.pad(part, ((0, 0), (0, samples - part.shape[1])))


def compose_bars(
    run: str | Path | None,
    bars: int,
    seed: int = 0,
    device: str = "auto",
    tempo_bpm: float | None = None,
) -> Soundtrack:
    """Compose a song of some bars with a run, or with the weights that ship.

    `tempo_bpm`: in quarter notes a minute; None leaves the song's own.
    """
    model = Model.load(run, device)
    length = max(LEAST_BARS, bars + LATE_BARS)
    (roll,) = model.sample(count=1, bars=length, seed=seed, tempo_bpm=tempo_bpm)
    return Soundtrack(roll, bars)


def compose_seconds(
    run: str | Path | None, seconds: float, seed: int = 0, device: str = "auto"
) -> Soundtrack:
    """Compose a song of as many bars as last some seconds, whatever its tempo."""
    bars = math.ceil(seconds / BAR_SECONDS)
    track = compose_bars(run, bars, seed, device)
    while track.bar_seconds[-1] < seconds:
        bars = math.ceil(bars * seconds / track.bar_seconds[-1])
        track = compose_bars(run, bars, seed, device)
    return track
