"""A prepared collection: phrases of songs, ready to be drawn in batches.

On disk a song is its bars, and a bar is a list of notes cut at the bar's end, so that the notes of
any phrase are one slice. Cells are made when they are asked for.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int

from core.data.collection import Prepared, Split
from core.data.store import Store
from core.errors import UserError
from musegen.roll import HOLD, ONSET, Grid, Notes, Phrases
from musegen.tracks import Track

NOTE_COLUMNS = {
    "track": np.uint8,
    "step": np.uint16,
    "pitch": np.uint8,
    "length": np.uint16,
    "held": np.bool_,
}
"""Of a piece of a note within one bar; `held` where it began in an earlier bar."""


def cut_at_bars(notes: Notes, bars: int, grid: Grid) -> dict[str, np.ndarray]:
    """Notes as the columns of a song: pieces that end with their bar, and how many a bar has."""
    per_bar = grid.steps_per_bar
    first, last = notes.start // per_bar, (notes.start + notes.length - 1) // per_bar
    pieces = last - first + 1
    note = np.repeat(np.arange(len(notes)), pieces)
    nth = np.arange(len(note)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    bar = first[note] + nth
    begin = np.maximum(notes.start[note], bar * per_bar)
    end = np.minimum((notes.start + notes.length)[note], (bar + 1) * per_bar)
    order = np.lexsort((notes.pitch[note], notes.track[note], begin, bar))
    columns = {
        "track": notes.track[note],
        "step": begin - bar * per_bar,
        "pitch": notes.pitch[note],
        "length": end - begin,
        "held": nth > 0,
    }
    made = {name: columns[name][order].astype(kind) for name, kind in NOTE_COLUMNS.items()}
    return made | {"notes_in_bar": np.bincount(bar, minlength=bars).astype(np.uint32)}


@dataclass(frozen=True)
class Song:
    """What is known of a song of the collection."""

    name: str
    source: str
    split: Split
    cluster: int
    bars: int


class Collection(Prepared):
    """Prepared phrases of one form."""

    DOMAIN = "music"

    def __init__(self, store: Store):
        super().__init__(store)
        facts = store.facts
        self.grid = Grid.model_validate(facts["grid"])
        self.tracks = tuple(Track.model_validate(track) for track in facts["tracks"])
        self.bars = int(facts["bars"])
        self.sustained = np.array([not track.is_drum for track in self.tracks])

    @classmethod
    def open(cls, folder: str | Path) -> "Collection":
        """Open a folder that `prepare` has written; its digests are checked."""
        return cls(Store(Path(folder)))

    def require_form_of(self, other: "Collection") -> None:
        """`UserError` unless the phrases of both are of one form."""
        if (other.grid, other.tracks, other.bars) != (self.grid, self.tracks, self.bars):
            raise UserError(f"{other.store.folder} was prepared with other tracks, grid or bars")

    @cached_property
    def songs(self) -> list[Song]:
        return [Song(**song) for song in self.store.facts["songs"]]

    @cached_property
    def _first_notes(self) -> list[np.ndarray]:
        """For each shard, where each bar's notes begin."""
        return [
            np.concatenate([[0], np.cumsum(shard["notes_in_bar"], dtype=np.int64)])
            for shard in self.store.shards
        ]

    def song_of(self, phrase: int | np.integer) -> Song:
        """The song that a phrase comes from."""
        return self.songs[int(self.store.whole["song"][phrase])]

    def first_bar_of(self, phrase: int | np.integer) -> int:
        """The bar of its song, among those that were kept, at which a phrase begins; from 0."""
        return int(self.store.whole["first_bar"][phrase])

    def rolls(self, indices: np.ndarray, transpose: np.ndarray | None = None) -> Phrases:
        """The cells of phrases, each moved by `transpose` semitones (drums are not).

        A note that was held into a phrase is struck at its beginning. A move that would lead out
        of the pitch range is made as far as the range allows.
        """
        steps = self.bars * self.grid.steps_per_bar
        cells = np.zeros((len(indices), len(self.tracks), steps, self.grid.pitches), np.uint8)
        phrase, notes = self._notes(indices)
        pitch = notes["pitch"].astype(np.int64)
        if transpose is not None:
            melodic = self.sustained[notes["track"]]
            pitch[melodic] += self._moves(phrase[melodic], pitch[melodic], transpose)
        first = np.ravel_multi_index((phrase, notes["track"], notes["step"], pitch), cells.shape)
        flat, length = cells.reshape(-1), notes["length"].astype(np.int64)
        note = np.repeat(np.arange(len(first)), length)
        within = np.arange(len(note)) - (np.cumsum(length) - length)[note]
        flat[first[note] + within * self.grid.pitches] = HOLD
        flat[first[~notes["held"] | (notes["step"] == 0)]] = ONSET
        bars = (self.bars, self.grid.steps_per_bar, self.grid.pitches)
        return cells.reshape(len(indices), len(self.tracks), *bars)

    def _notes(self, indices: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The notes of phrases: of each its place in `indices`, and its columns, the steps counted
        from the phrase's beginning."""
        whole, bars = self.store.whole, np.arange(self.bars + 1)
        shards, begins = whole["shard"][indices], whole["bar"][indices]
        rows = [self._first_notes[s][b + bars] for s, b in zip(shards, begins, strict=True)]
        firsts = np.array(rows, dtype=np.int64).reshape(-1, self.bars + 1)
        parts = [(self.store.shards[s], f[0], f[-1]) for s, f in zip(shards, firsts, strict=True)]
        columns = {
            name: np.concatenate([np.zeros(0, kind), *(s[name][a:b] for s, a, b in parts)])
            for name, kind in NOTE_COLUMNS.items()
        }
        in_bar = np.diff(firsts, axis=1)
        bar = np.repeat(np.tile(bars[:-1], len(indices)), in_bar.ravel())
        columns["step"] = columns["step"] + bar * self.grid.steps_per_bar
        return np.repeat(np.arange(len(indices)), in_bar.sum(1)), columns

    def _moves(self, phrase: np.ndarray, pitch: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """How far each note is moved: as wanted of its phrase, as far as all its notes allow."""
        low = np.full(len(wanted), self.grid.pitches)
        high = np.full(len(wanted), 0)
        np.minimum.at(low, phrase, pitch)
        np.maximum.at(high, phrase, pitch)
        return np.clip(wanted, -low, self.grid.pitches - 1 - high)[phrase]

    def batch(
        self,
        number: int,
        size: int,
        seed: int,
        split: Split = "train",
        transpose_semitones: int = 6,
    ) -> Phrases:
        """Batch `number`: a function of the number and the seed alone, so that runs resume.

        Phrases are drawn with replacement, each moved by up to `transpose_semitones` either way.
        """
        generator = np.random.default_rng([seed, number])
        chosen = generator.choice(self.indices(split), size)
        most = transpose_semitones
        return self.rolls(chosen, generator.integers(-most, most + 1, size))


def spread(indices: Int[np.ndarray, " phrase"], most: int) -> Int[np.ndarray, " chosen"]:
    """At most `most` of the phrases, evenly from the first to the last."""
    if len(indices) <= most:
        return indices
    return indices[np.linspace(0, len(indices) - 1, most).astype(np.int64)]
