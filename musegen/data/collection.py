"""A prepared collection: phrases of songs, read in batches.

On disk a song is its bars, and a bar is a list of notes cut at the bar's end, so that the notes of
any phrase are one slice. Cells are computed on request.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int, UInt8

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
    "velocity": np.uint8,
    "held": np.bool_,
}
"""The columns of a note's piece within one bar; `held` where it started in an earlier bar."""

GROUPED = 8
"""Batches of notes whose phrases are chosen together."""
TRANSPOSED = 6
"""Semitones by which phrases are transposed at most, up or down, in training."""


def cut_at_bars(notes: Notes, bars: int, grid: Grid) -> dict[str, np.ndarray]:
    """Cut notes at bar lines; return the columns of the pieces and the number in each bar."""
    per_bar = grid.steps_per_bar
    number, end = np.arange(len(notes)), notes.start + notes.length
    first = notes.start // per_bar
    further = (end - 1) // per_bar - first
    held = np.repeat(number, further)
    nth = np.arange(len(held)) - np.repeat(np.cumsum(further) - further, further)
    note, bar = np.concatenate([number, held]), np.concatenate([first, first[held] + 1 + nth])
    begin = bar * per_bar
    start = np.maximum(notes.start[note], begin)
    line = notes.track.astype(np.int64) * grid.pitches + notes.pitch
    place = start * (1 + line.max(initial=0)) + line[note]
    order = np.argsort(place, kind="stable")  # fast: the first pieces are sorted
    note, begin, start = note[order], begin[order], start[order]
    columns = {
        "track": notes.track[note],
        "step": start - begin,
        "pitch": notes.pitch[note],
        "length": np.minimum(end[note], begin + per_bar) - start,
        "velocity": notes.velocity[note],
        "held": order >= len(notes),
    }
    ordered = {name: columns[name].astype(kind) for name, kind in NOTE_COLUMNS.items()}
    return ordered | {"notes_in_bar": np.bincount(bar, minlength=bars).astype(np.uint32)}


@dataclass(frozen=True)
class Song:
    """A song of the collection: its name, file, split, cluster of near-duplicates and bars."""

    name: str
    source: str
    split: Split
    cluster: int
    bars: int


class Collection(Prepared):
    """Prepared phrases with the same tracks, grid and number of bars."""

    DOMAIN = "music"

    def __init__(self, store: Store):
        super().__init__(store)
        facts = store.facts
        self.grid = Grid.model_validate(facts["grid"])
        self.tracks = tuple(Track.model_validate(track) for track in facts["tracks"])
        self.bars = int(facts["bars"])
        self.sustained = np.array([not track.is_drum for track in self.tracks])

    def require_form_of(self, other: "Collection") -> None:
        """Raise `UserError` unless both have the same tracks, grid and number of bars."""
        if (other.grid, other.tracks, other.bars) != (self.grid, self.tracks, self.bars):
            raise UserError(
                f"{other.store.folder} was prepared with other tracks, grid or bars than "
                f"{self.store.folder}: prepare both with the same options"
            )

    def require_form(self, name: str, grid: Grid, tracks: tuple[Track, ...]) -> None:
        """Raise `UserError` unless these are the grid and the tracks of a model of that name.

        It says in which they differ, and how songs are prepared for the model.
        """
        if (grid, tracks) == (self.grid, self.tracks):
            return
        steps, metre, own = grid.steps_per_beat, grid.metre, self.grid
        known = (
            (
                steps != self.grid.steps_per_beat,
                f"{steps} steps a beat",
                f"--steps-per-beat {steps}",
            ),
            (metre != own.metre, f"bars of {metre.name}", f"--meter {metre.name}"),
            (tracks != self.tracks, "other tracks", "the --tracks of its songs"),
        )
        found = [row[1:] for row in known if row[0]] or [("other pitches", "--set of its grid")]
        words, options = (" and ".join(column) for column in zip(*found, strict=True))
        raise UserError(
            f"{name} is not for {self}: it has {words}: prepare the songs with {options}, or give "
            "the collection that it learned from"
        )

    @cached_property
    def songs(self) -> list[Song]:
        return [Song(**song) for song in self.store.facts["songs"]]

    @cached_property
    def _first_notes(self) -> list[np.ndarray]:
        """Return the index of each bar's first note, for each shard."""
        return self._sums_before("notes_in_bar")

    @cached_property
    def _held(self) -> list[np.ndarray]:
        """Return the number of held pieces before each piece, for each shard."""
        return self._sums_before("held")

    def _sums_before(self, column: str) -> list[np.ndarray]:
        """Return the sum of a column before each of its rows, and of all, for each shard."""
        return [
            np.concatenate([[0], np.cumsum(shard[column], dtype=np.int64)])
            for shard in self.store.shards
        ]

    def tempi_bpm(self, split: Split) -> Float[np.ndarray, " song"]:
        """Return the median tempo of the bars of each song of a split, in quarter notes a minute.

        Songs without a phrase are left out.
        """
        phrases, whole = self.indices(split), self.store.whole
        songs, first = np.unique(whole["song"][phrases], return_index=True)
        found = []
        for song, phrase in zip(songs, phrases[first], strict=True):
            begin = int(whole["bar"][phrase]) - int(whole["first_bar"][phrase])
            tempi = self.store.shards[whole["shard"][phrase]]["tempo_bpm"]
            found.append(np.median(tempi[begin : begin + self.songs[song].bars]))
        return np.array(found)

    def rolls(self, indices: np.ndarray, transpose: np.ndarray | None = None) -> Phrases:
        """Return the cells of phrases, each transposed by `transpose` semitones, drums excepted.

        A note that is held into a phrase gets an onset at its beginning. A transposition that
        would leave the pitch range is limited to the range.
        """
        return self.played(indices, transpose)[0]

    def played(
        self, indices: np.ndarray, transpose: np.ndarray | None = None
    ) -> tuple[Phrases, UInt8[np.ndarray, "phrase track bar step pitch"]]:
        """Return the cells of phrases, as `rolls`, and the velocity of each note at its onset."""
        steps = self.bars * self.grid.steps_per_bar
        cells = np.zeros((len(indices), len(self.tracks), steps, self.grid.pitches), np.uint8)
        phrase, notes = self._pieces(indices, self.bars)
        pitch = self._transposed(phrase, notes["track"], notes["pitch"], transpose)
        first = np.ravel_multi_index((phrase, notes["track"], notes["step"], pitch), cells.shape)
        flat = cells.reshape(-1)  # [phrase*track*step*pitch]
        length = notes["length"].astype(np.int64)
        note = np.repeat(np.arange(len(first)), length)
        within = np.arange(len(note)) - (np.cumsum(length) - length)[note]
        flat[first[note] + within * self.grid.pitches] = HOLD
        starts = ~notes["held"] | (notes["step"] == 0)
        flat[first[starts]] = ONSET
        velocity = np.zeros_like(flat)
        velocity[first[starts]] = notes["velocity"][starts]
        shape = (*cells.shape[:2], self.bars, self.grid.steps_per_bar, self.grid.pitches)
        return cells.reshape(shape), velocity.reshape(shape)  # [phrase track bar step pitch]

    def stretches(self, split: Split) -> list[tuple[int, int]]:
        """Return (first phrase, number of bars) of the stretches that phrases of a split cover.

        All bars of a stretch are of one song, and each is in a phrase.
        """
        return [(int(phrases[0]), bars) for phrases, _, bars in self._stretches(split)]

    def beginnings(self, bars: int, split: Split) -> Int[np.ndarray, " excerpt"]:
        """Return phrases at which excerpts of `bars` bars begin, end to end in each stretch."""
        found = []
        for phrases, first, length in self._stretches(split):
            free = 0
            for phrase, begin in zip(phrases, first, strict=True):
                if free <= begin <= length - bars:
                    found.append(phrase)
                    free = begin + bars
        return np.array(found, dtype=np.int64)

    def _stretches(self, split: Split) -> list[tuple[np.ndarray, np.ndarray, int]]:
        """Return the phrases of each stretch, their first bars in it, and its number of bars."""
        phrases = self.indices(split)
        song, first = (
            self.store.whole[name][phrases].astype(np.int64) for name in ("song", "first_bar")
        )
        begins = (np.diff(song) != 0) | (np.diff(first) > self.bars)
        parts = np.split(np.arange(len(phrases)), np.flatnonzero(begins) + 1)
        return [
            (phrases[part], first[part] - first[part[0]], int(np.ptp(first[part])) + self.bars)
            for part in parts
            if len(part)
        ]

    def excerpts(self, indices: np.ndarray, bars: int) -> tuple[Int[np.ndarray, " note"], Notes]:
        """Return the notes of the `bars` bars from each phrase's first, and the excerpt of each.

        A note that is held into an excerpt begins with it.
        """
        excerpt, columns = self._pieces(indices, bars)
        line = (excerpt * len(self.tracks) + columns["track"]) * self.grid.pitches
        line += columns["pitch"]
        order = np.lexsort((columns["step"], line))
        line, step, length, held = (
            column[order].astype(np.int64)
            for column in (line, columns["step"], columns["length"], columns["held"])
        )
        continues = (held > 0) & (step == np.roll(step + length, 1)) & (line == np.roll(line, 1))
        continues[:1] = False
        first = np.flatnonzero(~continues)
        order, step = order[first], step[first]
        total = np.add.reduceat(length, first) if len(first) else length
        track, pitch, velocity = (
            columns[name][order].astype(np.int64) for name in ("track", "pitch", "velocity")
        )
        return excerpt[order], Notes(track, step, pitch, total, velocity)

    def notes(self, indices: np.ndarray, transpose: np.ndarray | None = None) -> list[Notes]:
        """Return the notes of phrases with their velocities, as `rolls` returns their cells."""
        phrase, notes = self.excerpts(indices, self.bars)
        pitch = self._transposed(phrase, notes.track, notes.pitch, transpose)
        notes = replace(notes, pitch=pitch)
        borders = np.searchsorted(phrase, np.arange(len(indices) + 1))
        return [notes[first:end].ordered() for first, end in pairwise(borders.tolist())]

    def _transposed(
        self,
        phrase: np.ndarray,
        track: np.ndarray,
        pitch: np.ndarray,
        transpose: np.ndarray | None,
    ) -> np.ndarray:
        pitch = pitch.astype(np.int64)
        if transpose is not None:
            melodic = self.sustained[track]
            pitch[melodic] += self._limited(phrase[melodic], pitch[melodic], transpose)
        return pitch

    def _pieces(self, indices: np.ndarray, bars: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return the pieces of notes in the `bars` bars from each phrase's first.

        The first part is the position in `indices` of each piece's phrase; steps are counted from
        the phrase's beginning.
        """
        whole, borders = self.store.whole, np.arange(bars + 1)
        shards, begins = whole["shard"][indices], whole["bar"][indices]
        rows = [self._first_notes[s][b + borders] for s, b in zip(shards, begins, strict=True)]
        firsts = np.array(rows, dtype=np.int64).reshape(-1, bars + 1)  # [phrase bar+1]
        parts = [(self.store.shards[s], f[0], f[-1]) for s, f in zip(shards, firsts, strict=True)]
        columns = {
            name: np.concatenate([np.zeros(0, kind), *(s[name][a:b] for s, a, b in parts)])
            for name, kind in NOTE_COLUMNS.items()
        }
        in_bar = np.diff(firsts, axis=1)
        bar = np.repeat(np.tile(borders[:-1], len(indices)), in_bar.ravel())
        columns["step"] = columns["step"] + bar * self.grid.steps_per_bar
        return np.repeat(np.arange(len(indices)), in_bar.sum(1)), columns

    def _limited(self, phrase: np.ndarray, pitch: np.ndarray, transpose: np.ndarray) -> np.ndarray:
        """Return the transposition of each note, limited so that its whole phrase fits."""
        low = np.full(len(transpose), self.grid.pitches)
        high = np.full(len(transpose), 0)
        np.minimum.at(low, phrase, pitch)
        np.maximum.at(high, phrase, pitch)
        return np.clip(transpose, -low, self.grid.pitches - 1 - high)[phrase]

    def batch(
        self,
        number: int,
        size: int,
        seed: int,
        split: Split = "train",
        transpose_semitones: int = TRANSPOSED,
    ) -> Phrases:
        """Sample batch `number`; it depends on the number and the seed alone, so that runs resume.

        Phrases are sampled with replacement, each transposed by up to `transpose_semitones` up or
        down.
        """
        return self.rolls(*self.chosen(number, size, seed, split, transpose_semitones))

    def chosen(
        self,
        number: int,
        size: int,
        seed: int,
        split: Split = "train",
        transpose_semitones: int = TRANSPOSED,
    ) -> tuple[Int[np.ndarray, " phrase"], Int[np.ndarray, " phrase"]]:
        """Return the phrases of batch `number`, and by how many semitones each is transposed."""
        generator = np.random.default_rng([seed, number])
        phrases = generator.choice(self.indices(split), size)
        most = transpose_semitones
        return phrases, generator.integers(-most, most + 1, size)

    def note_batch(self, number: int, size: int, seed: int) -> list[Notes]:
        """Sample batch `number` of the training split as notes, as `batch` does.

        Phrases with about as many notes come together: those of every `GROUPED` batches are
        sorted by their number, and each batch is one part.
        """
        generator = np.random.default_rng([seed, number // GROUPED])
        chosen = generator.choice(self.indices("train"), size * GROUPED)
        transpose = generator.integers(-TRANSPOSED, TRANSPOSED + 1, len(chosen))
        part = generator.permutation(GROUPED)[number % GROUPED]
        ordered = self._note_counts(chosen).argsort(kind="stable")
        mine = ordered[part * size : (part + 1) * size]
        return self.notes(chosen[mine], transpose[mine])

    def _note_counts(self, indices: np.ndarray) -> np.ndarray:
        """Return the number of notes of each phrase; one is in as many pieces as it is in bars."""
        shards, begins = (self.store.whole[key][indices] for key in ("shard", "bar"))
        counts = []
        for shard, begin in zip(shards, begins.astype(np.int64), strict=True):
            first, second, end = self._first_notes[shard][[begin, begin + 1, begin + self.bars]]
            counts.append(end - first - np.ptp(self._held[shard][[second, end]]))
        return np.array(counts)


def spread(indices: Int[np.ndarray, " phrase"], most: int) -> Int[np.ndarray, " chosen"]:
    """Select at most `most` phrases, evenly spaced from the first to the last."""
    if len(indices) <= most:
        return indices
    return indices[np.linspace(0, len(indices) - 1, most).astype(np.int64)]
