"""The notes of a file in ticks, and their places on a grid."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from musegen.reading.bars import Bars
from musegen.roll import Notes
from musegen.smf.events import Events
from musegen.tracks import Track


@dataclass(frozen=True)
class TimedNotes:
    """Notes as columns: the number of the part, start and duration in ticks, the MIDI pitch, and
    the velocity."""

    part: np.ndarray
    start: np.ndarray
    duration: np.ndarray
    pitch: np.ndarray
    velocity: np.ndarray

    @classmethod
    def of(
        cls, events: Events, part: np.ndarray, down: np.ndarray, up: np.ndarray
    ) -> "TimedNotes":
        """Return the notes of parts whose keys go down and up with these events."""
        start = events.tick[down]
        duration = events.tick[up] - start
        pitch, velocity = (
            np.minimum(data, 0x7F).astype(np.int64) for data in events.two_bytes(down)
        )
        return cls(part, start, duration, pitch, velocity)

    def __len__(self) -> int:
        return len(self.start)

    def shifted(self, semitones: np.ndarray) -> "TimedNotes":
        """Return them so much higher, at most to the ends of the keyboard."""
        if not semitones.any():
            return self
        return replace(self, pitch=np.clip(self.pitch + semitones, 0, 127))

    @property
    def end(self) -> np.ndarray:
        """Return the tick at which each ends, one after its start at least."""
        return self.start + np.maximum(self.duration, 1)

    def on_grid(
        self, bars: Bars, owners: Sequence[int], tracks: Sequence[Track]
    ) -> tuple[Notes, np.ndarray]:
        """Return the notes of a track, the pitch range and a kept bar, cut at a stretch's end.

        And their numbers among all notes. owners: the track of each part, see `assign`.
        """
        grid, per_bar = bars.grid, bars.grid.steps_per_bar
        step_ticks = bars.ticks_per_beat / grid.steps_per_quarter
        track = np.array(owners)[self.part]
        pitch = self.pitch - grid.lowest_pitch
        half = int(step_ticks / 2)  # whole, as bars are: found three times as fast
        bar, offset = bars.place(self.start + half)
        offset = offset - half
        step = np.floor(offset / step_ticks + 0.5).astype(np.int64)
        in_bar = (step >= 0) & (step < per_bar)
        kept = (track >= 0) & (pitch >= 0) & (pitch < grid.pitches) & in_bar
        start = bar * per_bar + step
        end = start - step + np.floor((offset + self.duration) / step_ticks + 0.5).astype(np.int64)
        borders = np.array([first + count for first, count in bars.stretches]) * per_bar
        border = borders[np.searchsorted(borders[:-1], start, side="right")]
        drums = np.array([t.is_drum for t in tracks])[track]
        length = np.where(drums, 1, np.maximum(np.minimum(end, border) - start, 1))
        notes, numbers = Notes(track, start, pitch, length, self.velocity), kept.nonzero()[0]
        return (notes if kept.all() else notes[numbers]), numbers
