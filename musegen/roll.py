"""The roll: a piece as notes on a grid, and as cells [track bar step pitch].

A roll holds notes; networks see cells, which are computed on request: they cost memory by the
resolution of the grid, notes by their number.

A cell is SILENT, HOLD or ONSET: an onset starts a note, holds continue it, and a repeated note has
an onset of its own, so that two notes never become one. A drum hit is one onset; it has no length.
Velocities, where they are known, lie beside the cells in an array of the same shape.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from pydantic import Field

from core.config import Strict
from musegen.controls import Controls
from musegen.tracks import Track

SILENT, HOLD, ONSET = 0, 1, 2

DEFAULT_VELOCITY = 100
"""The velocity of notes of which none is known."""

NEAR = 8
"""The number of a source's notes from which a new note takes the median velocity."""

Cells = UInt8[np.ndarray, "track bar step pitch"]
Phrases = UInt8[np.ndarray, "phrase track bar step pitch"]
"""The cells of several pieces of equal length."""

Velocities = UInt8[np.ndarray, "track bar step pitch"]
"""The velocity of the note that sounds in each cell, 1 to 127; 0 where none is known."""

Column = Int[np.ndarray, " note"]

SIGNATURE = re.compile(r"([1-9]\d?)/(1|2|4|8|16)", re.ASCII)
"""A time signature that a grid can have, such as 6/8."""


class Metre(NamedTuple):
    """The metre of a bar: 2/2 is 4/4, but 6/8 is compound and not 3/4."""

    quarters: float
    is_compound: bool

    @classmethod
    @cache
    def of(cls, numerator: int, denominator: int) -> "Metre":
        """Return the metre of a time signature."""
        is_compound = denominator >= 8 and numerator % 3 == 0 and numerator > 3
        return cls(4.0 * numerator / denominator, is_compound)

    @property
    def name(self) -> str:
        """Return its time signature, of those that mean the same the one with the largest unit
        from a quarter note down.

        >>> Metre.of(2, 2).name, Metre.of(6, 8).name, Metre.of(7, 8).name
        ('4/4', '6/8', '7/8')
        """
        units = (8, 16, 32, 64, 128) if self.is_compound else (4, 8, 16, 32, 64, 128)
        beats = {unit: self.quarters * unit / 4 for unit in units}
        fewest = 4 if self.is_compound else 1
        whole = (u for u in units if beats[u].is_integer() and beats[u] >= fewest)
        unit = next(whole, units[-1])
        return f"{beats[unit]:g}/{unit}"


class Grid(Strict):
    """The resolution of time and the range of pitch; `lowest_pitch` is a MIDI number: 24 is C1.

    A bar has the time signature beats_per_bar/beat_unit: a beat is a quarter note (4), an eighth
    (8), ...
    """

    steps_per_beat: int = Field(default=12, gt=0, le=240)
    beats_per_bar: int = Field(default=4, gt=0)
    beat_unit: Literal[1, 2, 4, 8, 16] = 4
    lowest_pitch: int = Field(default=24, ge=0, le=127)
    pitches: int = Field(default=84, gt=0, le=128)

    @property
    def steps_per_bar(self) -> int:
        return self.steps_per_beat * self.beats_per_bar

    @property
    def steps_per_quarter(self) -> float:
        """Return the steps of a quarter note, whatever the beat."""
        return self.steps_per_beat * self.beat_unit / 4

    @property
    def metre(self) -> Metre:
        return Metre.of(self.beats_per_bar, self.beat_unit)


@dataclass(frozen=True)
class Notes:
    """Notes as columns, sorted by (start, track, pitch).

    start: steps from the beginning; pitch: semitones above the grid's lowest; length: steps, at
    least 1; velocity: 1 to 127.
    """

    track: Column
    start: Column
    pitch: Column
    length: Column
    velocity: Column

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, index: slice | np.ndarray) -> "Notes":
        track, start, pitch = self.track[index], self.start[index], self.pitch[index]
        return Notes(track, start, pitch, self.length[index], self.velocity[index])

    @classmethod
    def concat(cls, parts: "Sequence[Notes]") -> "Notes":
        """Return the notes of all parts, one part after the other; at least one part."""
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))

    def moved(self, steps: int) -> "Notes":
        """Return the notes some steps later."""
        return replace(self, start=self.start + steps)

    def of(self, track: int) -> "Notes":
        """Return the notes of one track."""
        return self[self.track == track]

    def between(self, begin: int, end: int) -> "Notes":
        """Return what sounds from step `begin` to before `end`, cut at both, counted from `begin`.

        >>> note = Notes(*(np.array([number]) for number in (0, 3, 60, 6, 90)))
        >>> cut = note.between(4, 8)
        >>> cut.start.tolist(), cut.length.tolist(), len(note.between(9, 20))
        ([0], [4], 0)
        """
        start, stop = np.maximum(self.start, begin), np.minimum(self.start + self.length, end)
        return replace(self, start=start - begin, length=stop - start)[start < stop]

    def key(self) -> Column:
        """Return numbers that sort as (start, track, pitch) do."""
        tracks, pitches = self.track.max(initial=0) + 1, self.pitch.max(initial=0) + 1
        track = self.start.astype(np.int64) * tracks + self.track
        return track * pitches + self.pitch

    def ordered(self) -> "Notes":
        """Sort by (start, track, pitch)."""
        return self[np.argsort(self.key(), kind="stable")]


@dataclass(frozen=True)
class PlayedPhrases:
    """Phrases with the velocity of each note in its first cell; 0 where none is known."""

    cells: Phrases
    velocity: UInt8[np.ndarray, "phrase track bar step pitch"]

    @classmethod
    def of(cls, items: "Phrases | PlayedPhrases") -> "PlayedPhrases":
        """Return phrases as they are played: of cells alone no velocity is known."""
        if isinstance(items, PlayedPhrases):
            return items
        return cls(items, np.zeros_like(items))

    @classmethod
    def concat(cls, parts: "Sequence[Phrases | PlayedPhrases]") -> "PlayedPhrases":
        """Return the phrases of all parts; at least one part."""
        played = [cls.of(part) for part in parts]
        velocity = np.concatenate([part.velocity for part in played])
        return cls(np.concatenate([part.cells for part in played]), velocity)

    def __len__(self) -> int:
        return len(self.cells)

    def __getitem__(self, chosen: slice) -> "PlayedPhrases":
        return PlayedPhrases(self.cells[chosen], self.velocity[chosen])

    @property
    def notes(self) -> list[Notes]:
        """Convert each phrase to notes."""
        return [notes_of(*one) for one in zip(self.cells, self.velocity, strict=True)]


@dataclass(frozen=True)
class Layer:
    """Notes of a track with controls or a program of their own: those of one of several parts that
    it joins.

    start, pitch: by which the roll's notes are known as its own; some may be in no roll. program:
    None where it is the track's. name: that of the part in its file; empty where it has none.
    """

    track: int
    start: Column
    pitch: Column
    controls: Controls
    program: int | None = None
    name: str = ""

    def track_in(self, tracks: Sequence[Track]) -> Track:
        """Return its track as it sounds."""
        track = tracks[self.track]
        return track if self.program is None else track.replace(program=self.program)

    def part_in(self, tracks: Sequence[Track]) -> Track:
        """Return its track as it sounds, under the part's own name.

        A track that claims parts by their order or channel keeps its name, by which a file that
        has further parts is read as it was written.
        """
        track = self.track_in(tracks)
        return track.replace(name=self.name) if self.name and not track.is_by_position else track

    def holds(self, notes: Notes) -> Bool[np.ndarray, " note"]:
        """Return which notes are of the layer."""
        pitches = 1 + max(self.pitch.max(initial=0), notes.pitch.max(initial=0))
        own = self.start.astype(np.int64) * pitches + self.pitch
        keys = notes.start.astype(np.int64) * pitches + notes.pitch
        return (notes.track == self.track) & np.isin(keys, own)


KEY_SIGNATURE = 0x59
"""The kind of a mark that says a key."""


class Mark(NamedTuple):
    """A lyric, marker, cue point or key at a step: a meta event of MIDI, by its kind and bytes."""

    at: int
    kind: int
    data: bytes


@dataclass(frozen=True)
class Roll:
    """A piece: its notes, its tracks, and the tempo of each bar in quarter notes a minute.

    `notes`: no two share a cell, and none is beyond the piece: see `Roll.of`. `form`: a letter for
    each of its sections, which are equally long, and `key`: such as "A minor"; both empty where
    nobody chose one. `composed`: the bars of tracks that a model composed, where the others are a
    user's own. `origin`: which model made it, by which settings. `controls`: those of each track,
    in steps; none where nobody touches any. `layers`: notes that have others than their track.
    `marks`: the lyrics, markers and keys of the user's songs in it, in order.
    """

    notes: Notes
    tracks: tuple[Track, ...]
    grid: Grid
    tempo_bpm: Float[np.ndarray, " bar"]
    name: str = ""
    form: str = ""
    key: str = ""
    composed: Bool[np.ndarray, "track bar"] | None = None
    origin: str = ""
    controls: tuple[Controls, ...] = ()
    layers: tuple[Layer, ...] = ()
    marks: tuple[Mark, ...] = ()

    @classmethod
    def of(
        cls,
        notes: Notes,
        tracks: tuple[Track, ...],
        grid: Grid,
        tempo_bpm: Float[np.ndarray, " bar"],
        name: str = "",
    ) -> "Roll":
        """Return the roll of any notes: cut at its ends, and where they overlap (`separate`).

        The tempo of each bar gives the length.
        """
        within = notes.between(0, len(tempo_bpm) * grid.steps_per_bar)
        return cls(separate(within, grid), tracks, grid, tempo_bpm, name)

    @classmethod
    def of_cells(
        cls,
        cells: Cells,
        tracks: tuple[Track, ...],
        grid: Grid,
        tempo_bpm: Float[np.ndarray, " bar"],
        name: str = "",
        velocity: Velocities | None = None,
    ) -> "Roll":
        """Convert cells; without velocities all notes have velocity 100."""
        return cls(notes_of(cells, velocity), tracks, grid, tempo_bpm, name)

    @property
    def cells(self) -> Cells:
        """Compute the cells, all of them at once."""
        return fill(self.notes, len(self.tracks), self.bars, self.grid)

    @property
    def velocity(self) -> Velocities:
        """Compute the velocity of the note that sounds in each cell."""
        return fill_velocities(self.notes, len(self.tracks), self.bars, self.grid)

    def played_like(self, source: Notes) -> "Roll":
        """Return the roll with the velocities that `velocities_from` takes from a source."""
        velocity = velocities_from(source, self.notes)
        return replace(self, notes=replace(self.notes, velocity=velocity))

    def first(self, bars: int) -> "Roll":
        """Return the first bars of a roll of which nobody chose the form."""
        end = bars * self.grid.steps_per_bar
        controls = tuple(track.during(0, end) for track in self.controls)
        layers = tuple(replace(one, controls=one.controls.during(0, end)) for one in self.layers)
        composed = None if self.composed is None else self.composed[:, :bars]
        marks = tuple(mark for mark in self.marks if mark.at < end)
        shorter = replace(self, tempo_bpm=self.tempo_bpm[:bars], composed=composed, marks=marks)
        notes = self.notes.between(0, end)
        return replace(shorter, notes=notes, controls=controls, layers=layers)

    def in_layers(self) -> Column:
        """Return for each note the number of its layer, counted from 1; 0 for none."""
        numbers = np.zeros(len(self.notes), np.int64)
        for number, layer in enumerate(self.layers, 1):
            numbers[layer.holds(self.notes)] = number
        return numbers

    @property
    def bars(self) -> int:
        return len(self.tempo_bpm)

    @property
    def sounding_bars(self) -> int:
        """Return the number of bars up to the last one in which a note sounds."""
        end = (self.notes.start + self.notes.length).max(initial=0)
        return -(-int(end) // self.grid.steps_per_bar)

    @property
    def seconds(self) -> float:
        """Return the duration of all bars at their tempi, in seconds."""
        return self.seconds_at(self.bars * self.grid.steps_per_bar)

    def seconds_at(self, step: int) -> float:
        """Return the time of a step from the beginning."""
        bar_seconds = np.append(60.0 * self.grid.metre.quarters / self.tempo_bpm, 0.0)
        bar, within = divmod(step, self.grid.steps_per_bar)
        in_bar = bar_seconds[bar] * within / self.grid.steps_per_bar
        return float(bar_seconds[:bar].sum() + in_bar)


def differ(values: np.ndarray) -> np.ndarray:
    """Return which of some values are unlike the one before; the first is.

    >>> differ(np.array([5, 5, 7])).tolist()
    [True, False, True]
    """
    found = np.ones(len(values), bool)
    np.not_equal(values[1:], values[:-1], out=found[1:])
    return found


def separate(notes: Notes, grid: Grid) -> Notes:
    """Resolve overlaps so that no two notes share a cell: a later note cuts an earlier one.

    Of notes that start together on one pitch the longest stays.
    """
    return separated(notes, grid)[0]


def separated(notes: Notes, grid: Grid) -> tuple[Notes, Column]:
    """Return what `separate` does, and the number that each of the notes had."""
    line = notes.track.astype(np.int64) * grid.pitches + notes.pitch
    place, longest = notes.start * (line.max(initial=0) + 1) + line, notes.length.max(initial=0)
    order = np.argsort(place * (longest + 1) + longest - notes.length, kind="stable")
    stays = order[differ(place[order])]
    notes, line = notes[stays], line[stays]
    by_line = np.argsort(line.astype(np.uint16), kind="stable")  # and by start
    line, start = line[by_line], notes.start[by_line]
    length, gap = notes.length.copy(), start[1:] - start[:-1]
    cut = ((line[1:] == line[:-1]) & (gap < length[by_line[:-1]])).nonzero()[0]
    length[by_line[cut]] = gap[cut]
    return replace(notes, length=length), stays


def fill(notes: Notes, tracks: int, bars: int, grid: Grid) -> Cells:
    """Convert notes to cells; a note that starts before step 0 gets its onset there."""
    return _Sounding(notes, tracks, bars, grid).cells()


def fill_velocities(notes: Notes, tracks: int, bars: int, grid: Grid) -> Velocities:
    """Return the velocity of the note that sounds in each cell of `fill`, 0 in silence."""
    return _Sounding(notes, tracks, bars, grid).velocities()


def joined(rolls: Sequence[Roll]) -> Roll:
    """Return rolls of the same tracks and grid one after the other, named as the first."""
    first = np.cumsum([0, *(roll.bars for roll in rolls[:-1])]) * rolls[0].grid.steps_per_bar
    moved = [roll.notes.moved(at) for roll, at in zip(rolls, first.tolist(), strict=True)]
    tempo_bpm = np.concatenate([roll.tempo_bpm for roll in rolls])
    return replace(rolls[0], notes=Notes.concat(moved), tempo_bpm=tempo_bpm)


def velocities_from(source: Notes, notes: Notes) -> Column:
    """Return velocities for notes from those of a source, which has the same tracks and time.

    A note that starts where one of the source does, on its track and pitch, has its velocity.
    Another has the median of the `NEAR` notes of its track in the source that are the nearest in
    order, of all notes where its track is silent in the source, 100 where all tracks are.
    """
    if not len(source):
        return np.full(len(notes), DEFAULT_VELOCITY)
    velocity = np.full(len(notes), np.median(source.velocity))
    for track in np.unique(source.track):
        mine, theirs = notes.track == track, np.flatnonzero(source.track == track)
        count = min(NEAR, len(theirs))
        place = np.searchsorted(source.start[theirs], notes.start[mine])
        first = np.clip(place - count // 2, 0, len(theirs) - count)
        near = theirs[first[:, None] + np.arange(count)]  # [note near]
        velocity[mine] = np.median(source.velocity[near], axis=1)
    known, asked = np.split(Notes.concat([source, notes]).key(), [len(source)])
    at = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    velocity = np.where(known[at] == asked, source.velocity[at], velocity)
    return np.rint(velocity).astype(np.int64)


def cut_phrases(songs: UInt8[np.ndarray, "song track song_bar step pitch"], bars: int) -> Phrases:
    """Cut songs into phrases, end to end, song after song; a shorter rest is left out."""
    count, tracks, song_bars, *cell = songs.shape
    each = song_bars // bars
    whole = songs[:, :, : each * bars]
    parts = whole.reshape(count, tracks, each, bars, *cell)  # [song track part bar step pitch]
    phrases = parts.swapaxes(1, 2)  # [song part track bar step pitch]
    return phrases.reshape(count * each, tracks, bars, *cell)  # [phrase track bar step pitch]


class _Sounding:
    """The cells of a roll in which notes sound, as indices into its flat array, note by note."""

    def __init__(self, notes: Notes, tracks: int, bars: int, grid: Grid):
        self.shape = (tracks, bars, grid.steps_per_bar, grid.pitches)
        steps = bars * grid.steps_per_bar
        self.count = tracks * steps * grid.pitches
        start, end = np.maximum(notes.start, 0), np.minimum(notes.start + notes.length, steps)
        self.length = np.maximum(end - start, 0)
        place = (notes.track, np.minimum(start, steps - 1), notes.pitch)
        self.onset = np.ravel_multi_index(place, (tracks, steps, grid.pitches))
        ends = np.cumsum(self.length)
        begin = self.onset - (ends - self.length) * grid.pitches
        within = np.arange(int(self.length.sum())) * grid.pitches
        self.index = np.repeat(begin, self.length) + within
        self.velocity = notes.velocity

    def cells(self) -> Cells:
        """Return the cells; where notes overlap, an onset stays."""
        flat = np.zeros(self.count, np.uint8)
        flat[self.index] = HOLD
        flat[self.onset[self.length > 0]] = ONSET
        return flat.reshape(self.shape)  # [track bar step pitch]

    def velocities(self) -> Velocities:
        """Return the velocity of the note that sounds in each cell, 0 in silence."""
        flat = np.zeros(self.count, np.uint8)
        flat[self.index] = np.repeat(self.velocity, self.length)
        return flat.reshape(self.shape)  # [track bar step pitch]


def notes_of(cells: Cells, velocity: Velocities | None = None) -> Notes:
    """Convert cells to notes, the inverse of `fill`; a hold that follows silence starts a note.

    A note has the velocity of its first cell, 100 where none is known.
    """
    tracks, bars, steps, pitches = cells.shape
    rows = np.zeros((tracks, pitches, bars * steps + 1), np.uint8)  # a silent step ends each row
    by_step = cells.reshape(tracks, bars * steps, pitches)  # [track bar*step pitch]
    rows[..., :-1] = by_step.transpose(0, 2, 1)  # [track pitch bar*step]
    line = rows.ravel()  # [track*pitch*step]
    sounding = line > SILENT
    was_sounding = np.concatenate([[False], sounding[:-1]])
    onset = np.flatnonzero((line == ONSET) | (sounding & ~was_sounding))
    end = np.flatnonzero((line != HOLD) & was_sounding)  # the first step after each note
    length = end[np.searchsorted(end, onset, side="right")] - onset
    track, pitch, start = np.unravel_index(onset, rows.shape)
    loud = np.full(len(onset), DEFAULT_VELOCITY)
    if velocity is not None:
        known = velocity[track, start // steps, start % steps, pitch].astype(np.int64)
        loud = np.where(known > 0, known, DEFAULT_VELOCITY)
    return Notes(track, start, pitch, length, loud).ordered()
