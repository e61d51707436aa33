"""A prepared collection: phrases of songs, ready to be drawn in batches.

On disk a song is its bars, and a bar is a list of notes cut at the bar's end, so that the notes of
any phrase are one slice. Cells are made when they are asked for.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Int, UInt8

from core.config import UserError
from core.store import Columns, Store
from musegen.roll import HOLD, ONSET, Grid, Notes
from musegen.tracks import Track

Split = Literal["train", "test"]
Phrases = UInt8[np.ndarray, "batch track bar step pitch"]

NOTE_COLUMNS = {
    "track": np.uint8,
    "step": np.uint16,
    "pitch": np.uint8,
    "length": np.uint16,
    "held": np.bool_,
}
"""Of a piece of a note within one bar; `held` where it began in an earlier bar."""


def cut_at_bars(notes: Notes, bars: int, grid: Grid) -> dict[str, np.ndarray]:
    """Notes as the columns of a song: pieces that end with their bar, and where each bar begins."""
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


class Collection:
    """Prepared phrases of one form."""

    def __init__(self, store: Store):
        self.store = store
        facts = store.facts
        if facts.get("domain") != "music":
            raise UserError(f"{store.folder} holds no prepared music")
        self.grid = Grid.model_validate(facts["grid"])
        self.tracks = tuple(Track.model_validate(track) for track in facts["tracks"])
        self.bars = int(facts["bars"])
        self.sustained = np.array([not track.is_drum for track in self.tracks])

    @classmethod
    def open(cls, folder: str | Path) -> "Collection":
        """Open a folder that `prepare` has written; its digests are checked."""
        return cls(Store(Path(folder)))

    @cached_property
    def songs(self) -> list[Song]:
        return [Song(**song) for song in self.store.facts["songs"]]

    @cached_property
    def _indices(self) -> dict[str, np.ndarray]:
        split = self.store.whole["is_test"]
        return {"train": np.flatnonzero(~split), "test": np.flatnonzero(split)}

    def indices(self, split: Split) -> Int[np.ndarray, " phrase"]:
        """The numbers of the phrases of a split."""
        return self._indices[split]

    @cached_property
    def _first_notes(self) -> list[np.ndarray]:
        """For each shard, where each bar's notes begin."""
        return [
            np.concatenate([[0], np.cumsum(shard["notes_in_bar"], dtype=np.int64)])
            for shard in self.store.shards
        ]

    def song_of(self, phrase: int) -> Song:
        """The song that a phrase comes from."""
        return self.songs[int(self.store.whole["song"][phrase])]

    def rolls(self, indices: np.ndarray, transpose: np.ndarray | None = None) -> Phrases:
        """The cells of phrases, each moved by `transpose` semitones (drums are not).

        A note that was held into a phrase is struck at its beginning. A move that would lead out of
        the pitch range is made as far as the range allows.
        """
        steps = self.bars * self.grid.steps_per_bar
        cells = np.zeros((len(indices), len(self.tracks), steps, self.grid.pitches), np.uint8)
        for place, phrase in enumerate(indices):
            columns = self._notes(int(phrase))
            shift = int(transpose[place]) if transpose is not None else 0
            self._draw(cells[place], columns, shift)
        shape = (len(indices), len(self.tracks), self.bars, self.grid.steps_per_bar, -1)
        return cells.reshape(shape)

    def _notes(self, phrase: int) -> dict[str, np.ndarray]:
        """The notes of a phrase, their steps counted from its beginning."""
        whole = self.store.whole
        shard, bar = int(whole["shard"][phrase]), int(whole["bar"][phrase])
        first = self._first_notes[shard][bar : bar + self.bars + 1]
        columns = {n: self.store.shards[shard][n][first[0] : first[-1]] for n in NOTE_COLUMNS}
        of_bar = np.repeat(np.arange(self.bars), np.diff(first))
        return columns | {"step": columns["step"] + of_bar * self.grid.steps_per_bar}

    def _draw(self, cells: np.ndarray, notes: Columns, shift: int) -> None:
        track, length = notes["track"], notes["length"].astype(np.int64)
        melodic = self.sustained[track]
        pitch = notes["pitch"].astype(np.int64)
        if shift and melodic.any():
            low, high = pitch[melodic].min(), pitch[melodic].max()
            pitch = pitch + melodic * int(np.clip(shift, -low, self.grid.pitches - 1 - high))
        note = np.repeat(np.arange(len(track)), length)
        within = np.arange(len(note)) - np.repeat(np.cumsum(length) - length, length)
        cells[track[note], notes["step"][note] + within, pitch[note]] = HOLD
        struck = ~notes["held"] | (notes["step"] == 0)
        cells[track[struck], notes["step"][struck], pitch[struck]] = ONSET

    def batch(
        self,
        number: int,
        size: int,
        seed: int,
        split: Split = "train",
        transpose_semitones: int = 6,
    ) -> Phrases:
        """Batch `number`: a function of the number and the seed alone, so that runs resume.

        Phrases are drawn with replacement, each transposed by up to `transpose_semitones` either way.
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
