"""Excerpts: windows of songs as notes, on which form, harmony, register and dynamics are measured.

Songs of every grid are measured in sixteenth notes, so that collections of any resolution are
compared on one ground.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from musegen.data.collection import Collection
from musegen.roll import Grid, Metre, Notes, Phrases, notes_of
from musegen.tracks import Track, bass_track

STEPS_PER_QUARTER = 4
PITCHES = 128
NO_VELOCITY = 0
"""The velocity of notes whose velocity is not known."""

Values = Float[np.ndarray, "excerpt value"]
"""Measurements of each excerpt; NaN where nothing that they measure sounds."""

PARTS = ("drums", "bass", "others")


@dataclass(frozen=True, eq=False)
class Excerpts:
    """Excerpts of equal length.

    excerpt: the number of each note's excerpt; notes: start and length in sixteenths from the
    excerpt's beginning, pitch as MIDI number, sorted by (excerpt, start, track, pitch), each cell
    at most once; song: the song of each excerpt.
    """

    excerpt: Int[np.ndarray, " note"]
    notes: Notes
    song: Int[np.ndarray, " excerpt"]
    bars: int
    metre: Metre
    tracks: tuple[Track, ...]

    @classmethod
    def of(
        cls,
        excerpt: np.ndarray,
        notes: Notes,
        song: np.ndarray,
        bars: int,
        grid: Grid,
        tracks: tuple[Track, ...],
    ) -> "Excerpts":
        """Convert notes on any grid: onsets and ends go to the nearest sixteenth note."""
        steps = bars * round(STEPS_PER_QUARTER * grid.metre.quarters)
        begin, end = (
            np.floor(step * STEPS_PER_QUARTER / grid.steps_per_quarter + 0.5).astype(np.int64)
            for step in (notes.start, notes.start + notes.length)
        )
        start = np.minimum(begin, steps - 1)
        length = np.clip(end - start, 1, steps - start)
        pitch = notes.pitch + grid.lowest_pitch
        key = ((excerpt * steps + start) * len(tracks) + notes.track) * PITCHES + pitch
        order = np.lexsort((-length, key))
        first = order[np.append(True, np.diff(key[order]) != 0)[: len(order)]]
        columns = (notes.track, start, pitch, length, notes.velocity)
        kept = Notes(*(column[first].astype(np.int64) for column in columns))
        return cls(excerpt[first], kept, song, bars, grid.metre, tracks)

    @classmethod
    def of_notes(
        cls, songs: Sequence[Notes], bars: int, grid: Grid, tracks: tuple[Track, ...]
    ) -> "Excerpts":
        """Convert songs of `bars` bars, each an excerpt."""
        excerpt = np.repeat(np.arange(len(songs)), [len(notes) for notes in songs])
        return cls.of(excerpt, Notes.concat(songs), np.arange(len(songs)), bars, grid, tracks)

    @classmethod
    def of_cells(cls, cells: Phrases, grid: Grid, tracks: tuple[Track, ...]) -> "Excerpts":
        """Convert songs that are given as cells, each an excerpt; their velocity is constant."""
        return cls.of_notes([notes_of(one) for one in cells], cells.shape[2], grid, tracks)

    @classmethod
    def of_songs(cls, data: Collection, begin: np.ndarray, bars: int) -> "Excerpts":
        """Take the excerpts of a collection that begin with these phrases."""
        excerpt, notes = data.excerpts(begin, bars)
        song = data.store.whole["song"][begin].astype(np.int64)
        return cls.of(excerpt, notes, song, bars, data.grid, data.tracks)

    def __len__(self) -> int:
        return len(self.song)

    @property
    def steps_per_bar(self) -> int:
        return round(STEPS_PER_QUARTER * self.metre.quarters)

    @property
    def steps(self) -> int:
        return self.bars * self.steps_per_bar

    def take(self, chosen: np.ndarray) -> "Excerpts":
        """Return the excerpts of these numbers, each at most once, in their order."""
        number = np.full(len(self), -1)
        number[chosen] = np.arange(len(chosen))
        inside = number[self.excerpt] >= 0
        order = np.flatnonzero(inside)[np.argsort(number[self.excerpt[inside]], kind="stable")]
        excerpt, notes = number[self.excerpt[order]], self.notes[order]
        song = self.song[chosen]
        return Excerpts(excerpt, notes, song, self.bars, self.metre, self.tracks)

    def cut(self, bars: int) -> "Excerpts":
        """Cut each into excerpts of `bars` bars, end to end; a shorter rest is left out.

        A note that sounds over a border ends there.
        """
        steps, each = bars * self.steps_per_bar, self.bars // bars
        piece, start = np.divmod(self.notes.start, steps)
        inside = piece < each
        notes = self.notes
        length = np.minimum(notes.length, steps - start)
        cut = Notes(notes.track, start, notes.pitch, length, notes.velocity)[inside]
        excerpt = (self.excerpt * each + piece)[inside]
        song = np.repeat(self.song, each)
        return Excerpts(excerpt, cut, song, bars, self.metre, self.tracks)

    @cached_property
    def bar(self) -> Int[np.ndarray, " note"]:
        """Return the bar of each note in its excerpt."""
        return self.notes.start // self.steps_per_bar

    @cached_property
    def is_drum(self) -> Bool[np.ndarray, " note"]:
        return np.array([track.is_drum for track in self.tracks])[self.notes.track]

    @cached_property
    def is_bass(self) -> Bool[np.ndarray, " note"]:
        return self.notes.track == bass_track(self.tracks)

    def part(self, name: str) -> Bool[np.ndarray, " note"]:
        """Return which notes are of a part: drums, bass, others, melodic or all."""
        return {
            "drums": self.is_drum,
            "bass": self.is_bass,
            "others": ~self.is_drum & ~self.is_bass,
            "melodic": ~self.is_drum,
            "all": np.ones(len(self.notes), bool),
        }[name]

    def count(self, chosen: Bool[np.ndarray, " note"]) -> Int[np.ndarray, " excerpt"]:
        """Return the number of chosen notes of each excerpt."""
        return np.bincount(self.excerpt[chosen], minlength=len(self))

    def share(
        self, positive: Bool[np.ndarray, " note"], among: Bool[np.ndarray, " note"]
    ) -> Values:
        """Return the share of notes of each excerpt, [excerpt 1]; NaN where it has none."""
        return ratio(self.count(positive & among), self.count(among))[:, None]


def ratio(count: np.ndarray, total: np.ndarray) -> Float[np.ndarray, "..."]:
    """Return count / total; NaN where the total is 0."""
    return np.where(total > 0, count / np.maximum(total, 1), np.nan)


def mean_over_excerpts(values: Values) -> Float[np.ndarray, " value"]:
    """Return the mean over the excerpts that have a value; NaN where none has."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0).sum(0), known.sum(0))
