"""The controllers of a track: volume, expression, place in stereo, pitch bend."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Float, Int

USUAL_VOLUME, LOUDEST = 100, 127
MIDDLE = 64

Changes = Float[np.ndarray, " change"]
Values = Int[np.ndarray, " change"]

GLIDE_SECONDS = 0.01
"""The time in which a controller reaches a new value; a jump would click."""


@dataclass(frozen=True)
class Controls:
    """The controllers of a track: what counts from each time on, the first being 0.

    at: seconds in a performance, steps in a roll. volume, expression, panning: from 0 to 127, as
    they are sent. semitones: the bend.
    """

    at: np.ndarray
    volume: Values
    expression: Values
    panning: Values
    semitones: Changes

    @classmethod
    def concat(cls, parts: "Sequence[Controls]") -> "Controls":
        """Return the changes of all parts, one part after the other; at least one part."""
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))

    def __len__(self) -> int:
        return len(self.at)

    def __getitem__(self, index: slice | np.ndarray) -> "Controls":
        return Controls(*(getattr(self, f.name)[index] for f in fields(self)))

    @property
    def gain(self) -> Changes:
        """Return the factor of the amplitude: General MIDI's levels are squares of what is sent.

        >>> STILL.gain.tolist()
        [1.0]
        """
        return (self.volume / USUAL_VOLUME * self.expression / LOUDEST) ** 2

    @property
    def pan(self) -> Changes:
        """Return the place in stereo, from -1 (left) to 1 (right)."""
        return np.clip((self.panning - MIDDLE) / (MIDDLE - 1), -1, 1)

    @property
    def is_still(self) -> bool:
        """True where all is as General MIDI begins, throughout."""
        return all((getattr(self, name) == getattr(STILL, name)).all() for name in COLUMNS)

    def during(self, start: float, length: float = np.inf) -> "Controls":
        """Return the changes of a part of the time, counted from its start."""
        first = max(int(np.searchsorted(self.at, start, side="right")) - 1, 0)
        last = max(int(np.searchsorted(self.at, start + length)), first + 1)
        part = self[first:last]
        return replace(part, at=np.maximum(part.at - start, 0))

    def counting(self, times: np.ndarray) -> "Controls":
        """Return what counts at each of some times."""
        places = np.searchsorted(self.at, times, side="right") - 1
        return replace(self[places], at=times)

    def with_part(self, begin: int, end: int, part: "Controls") -> "Controls":
        """Return the controls with those of `part` from `begin` on, as they were from `end` on.

        >>> low = replace(STILL, volume=np.array([50]))
        >>> turned = STILL.with_part(4, 8, low)
        >>> turned.at.tolist(), turned.volume.tolist()
        ([0, 4, 8], [100, 50, 100])
        """
        within, after = part.during(0, end - begin), self.during(end)
        moved = replace(within, at=within.at + begin), replace(after, at=after.at + end)
        before = self.during(0, begin)
        return Controls.concat([before, *moved]).simplified()

    def simplified(self) -> "Controls":
        """Return the changes that change something: the last of those at one time."""
        last = self[np.append(self.at[1:] != self.at[:-1], True)]
        columns = np.stack([getattr(last, name) for name in COLUMNS])  # [column change]
        is_new = (columns[:, 1:] != columns[:, :-1]).any(0)
        return last[np.append(True, is_new)]

    def typical(self) -> "Controls":
        """Return the medians of all rows, without a bend, as what counts throughout."""
        levels = np.stack([self.volume, self.expression, self.panning])  # [column row]
        middle = np.rint(np.median(levels, axis=1, keepdims=True)).astype(np.int64)
        return Controls(STILL.at, middle[0], middle[1], middle[2], STILL.semitones)

    def curve(self, values: Changes, samples: int, rate_hz: int) -> Float[np.ndarray, " sample"]:
        """Return a value at each sample: one that changes glides, at most `GLIDE_SECONDS` long.

        `at` is in seconds.

        >>> low = replace(STILL, volume=np.array([50]))
        >>> swell = low.with_part(1, 2, STILL)
        >>> swell.curve(swell.gain, 4, 2).tolist()
        [0.25, 0.25, 0.25, 1.0]
        """
        until = np.minimum(self.at + GLIDE_SECONDS, np.append(self.at[1:], np.inf))
        places = np.stack([self.at, until], 1).ravel()  # [change*2]
        before = np.concatenate([values[:1], values[:-1]])
        reached = np.stack([before, values], 1).ravel()  # [change*2]
        return np.interp(np.arange(samples) / rate_hz, places, reached)


COLUMNS = tuple(field.name for field in fields(Controls)[1:])
"""The names of what is controlled."""

STILL = Controls(
    np.zeros(1, np.int64),
    np.array([USUAL_VOLUME]),
    np.array([LOUDEST]),
    np.array([MIDDLE]),
    np.zeros(1),
)
"""The controllers of a track that nobody touches."""


def usual_controls(tracks: Sequence[Controls]) -> tuple[Controls, ...]:
    """Return for each track the controls of what is new beside notes.

    tracks: what counts at each note of a track. They are the medians of the track's own notes that
    are not silent; where it has none, volume and expression are those of all notes.
    """
    sounding = [notes[notes.gain > 0] for notes in tracks]
    every = Controls.concat(sounding)
    beside = replace(every.typical(), panning=STILL.panning) if len(every) else STILL
    return tuple(notes.typical() if len(notes) else beside for notes in sounding)
