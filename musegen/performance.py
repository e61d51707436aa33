"""Performances: the notes of a song as they are played, in seconds, and its controllers."""

from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Float, Int

from musegen.controls import STILL, Controls
from musegen.roll import Roll
from musegen.tracks import Track

HATS = (42, 44, 46)
"""Closed, pedal and open hi-hat."""

Seconds = Float[np.ndarray, " note"]
Column = Int[np.ndarray, " note"]


@dataclass(frozen=True)
class Performance:
    """Notes as columns: the number of the track, the time from the beginning and that for which
    the key is down, in seconds, the MIDI pitch, and the velocity from 1 to 127.

    `controls`: those of each track; none where nobody touches any. `remarks`: what a user should
    know of how a file was read. `layers`: for each of the last tracks the number of the one whose
    notes it has, under other controls.
    """

    track: Column
    start: Seconds
    seconds: Seconds
    pitch: Column
    velocity: Column
    tracks: tuple[Track, ...]
    name: str = ""
    controls: tuple[Controls, ...] = ()
    remarks: tuple[str, ...] = ()
    layers: tuple[int, ...] = ()

    @classmethod
    def of(cls, roll: Roll) -> "Performance":
        """Return a roll as it is played, with its controls."""
        notes, grid = roll.notes, roll.grid
        start = _seconds_at(roll, notes.start)
        seconds = _seconds_at(roll, notes.start + notes.length) - start
        pitch = notes.pitch + grid.lowest_pitch
        layers, layer = tuple(one.track for one in roll.layers), roll.in_layers()
        own = roll.controls or (STILL,) * (len(roll.tracks) * bool(layers))
        every = (*own, *(one.controls for one in roll.layers))
        controls = tuple(replace(one, at=_seconds_at(roll, one.at)) for one in every)
        track = np.where(layer, len(roll.tracks) - 1 + layer, notes.track)
        columns = (track, start, seconds, pitch, notes.velocity)
        tracks = (*roll.tracks, *(one.track_in(roll.tracks) for one in roll.layers))
        return cls(*columns, tracks=tracks, name=roll.name, controls=controls, layers=layers)

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, index: np.ndarray) -> "Performance":
        columns = {f.name: getattr(self, f.name)[index] for f in fields(self)[:5]}
        return replace(self, **columns)

    def of_track(self, number: int) -> "Performance":
        """Return the notes of one track, without its layers."""
        return self[self.track == number]

    def with_layers(self, number: int) -> list[int]:
        """Return the numbers of a track and of its layers."""
        first = len(self.tracks) - len(self.layers)
        return [number, *(first + n for n, of in enumerate(self.layers) if of == number)]

    @property
    def end(self) -> float:
        """Return the time at which the last note ends."""
        return float((self.start + self.seconds).max(initial=0))

    def ringing(self, longest: float) -> "Performance":
        """Lengthen drum hits to the next one of their drum, at most to so many seconds.

        Files give them any length, since a drum rings until it is hit again. The hats are one.
        """
        is_drum = np.array([track.is_drum for track in self.tracks])[self.track]
        seconds = self.seconds.copy()
        drum = np.where(np.isin(self.pitch, HATS), min(HATS), self.pitch)
        for each in np.unique(drum[is_drum]).tolist():
            hits = np.flatnonzero(is_drum & (drum == each))
            hits = hits[np.argsort(self.start[hits], kind="stable")]
            until = np.append(np.diff(self.start[hits]), longest)
            seconds[hits] = np.clip(until, 1e-3, longest)
        return replace(self, seconds=seconds)


def _seconds_at(roll: Roll, steps: Column) -> Seconds:
    """Return the times of steps, by the tempo of each bar."""
    per_step = np.repeat(
        60 * roll.grid.metre.quarters / roll.tempo_bpm / roll.grid.steps_per_bar,
        roll.grid.steps_per_bar,
    )
    return np.concatenate([[0.0], np.cumsum(per_step)])[steps]
