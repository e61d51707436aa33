"""A draft: a song of which some bars of some tracks are kept, and the others are to be composed.

What is kept stays note for note: the finished song has the notes of the fine reading.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from musegen.controls import STILL, Controls, usual_controls
from musegen.drafts.source import Source, fine_grid, with_programs_of
from musegen.reading.song import Song
from musegen.roll import KEY_SIGNATURE, Grid, Layer, Mark, Notes, Roll, separate
from musegen.smf.events import DEFAULT_BPM
from musegen.tracks import Track, numbers_of

Kept = Bool[np.ndarray, "track bar"]


class Placed(NamedTuple):
    """`bars` bars of a song, from its bar `first` on, that stand at bar `at` of a draft.

    silent: the numbers of the tracks whose notes are left out.
    """

    source: Source
    first: int
    bars: int
    at: int
    silent: tuple[int, ...] = ()

    def notes(self, song: Song) -> Notes:
        """Return the notes that start in these bars, at their place in the draft, cut at the end.

        `song`: one of the two readings of the source.
        """
        steps = song.grid.steps_per_bar
        begin, end = self.first * steps, (self.first + self.bars) * steps
        sounds = ~np.isin(song.notes.track, self.silent)
        notes = song.notes[sounds & (song.notes.start >= begin) & (song.notes.start < end)]
        notes = replace(notes, length=np.minimum(notes.length, end - notes.start))
        return notes.moved((self.at - self.first) * steps)

    def marks(self) -> list[Mark]:
        """Return the lyrics, markers and keys of these bars, at their place in the draft."""
        steps = self.source.fine.grid.steps_per_bar
        begin, end = self.first * steps, (self.first + self.bars) * steps
        marks, moved = self.source.fine.marks, (self.at - self.first) * steps
        earlier = [mark for mark in marks if mark.kind == KEY_SIGNATURE and mark.at <= begin]
        key = [mark._replace(at=begin) for mark in earlier[-1:]]
        within = [mark for mark in marks if begin <= mark.at < end and mark not in earlier]
        return [mark._replace(at=mark.at + moved) for mark in [*key, *within]]


class Repeat(NamedTuple):
    """`bars` bars from bar `at` on are those from bar `first` on."""

    first: int
    at: int
    bars: int


@dataclass(frozen=True)
class Draft:
    """A song in progress.

    `placed`: what the user's songs hold; `kept` [track bar]: where that stays, and nothing is
    added: a bar in which nothing was placed stays silent. `composed`: notes on the model's grid
    that stand beside what was placed. `repeats`: stretches of bars that are composed once.
    """

    tracks: tuple[Track, ...]
    grid: Grid
    bars: int
    placed: tuple[Placed, ...]
    kept: Kept
    composed: Notes = field(default_factory=lambda: _concat(()))
    repeats: tuple["Repeat", ...] = ()

    def composing(self, sounding: Sequence[str]) -> "Draft":
        """Return the draft with only these tracks composed, in its open bars; none are all."""
        if not sounding:
            return self
        kept = self.kept.copy()
        others = np.setdiff1d(np.arange(len(kept)), numbers_of(sounding, self.tracks, "--tracks"))
        kept[others] = True
        return replace(self, kept=kept)

    def with_notes(self, notes: Notes, kept: Kept) -> "Draft":
        """Return a draft of the same length that holds these notes instead."""
        return replace(self, placed=(), composed=notes, kept=kept)

    @cached_property
    def notes(self) -> Notes:
        """Return all notes that stand in it, on the grid of the model."""
        placed = [one.notes(one.source.song) for one in self.placed]
        return _concat([*placed, self.composed]).ordered()

    @property
    def kept_notes(self) -> Notes:
        """Return the notes that stay, on the grid of the model."""
        return self.notes[self._in_kept(self.notes, self.grid)]

    def merged(self, composed: Notes) -> Notes:
        """Return the kept notes with the composed ones, on the grid of the model."""
        kept = self.kept_notes
        return _concat([kept, self._fitting(composed, kept, self.grid)]).ordered()

    def finished(self, composed: Notes, name: str = "") -> Roll:
        """Return the song: what is kept exactly as it was read, with the composed notes."""
        fine = fine_grid(self.grid)
        factor = fine.steps_per_beat // self.grid.steps_per_beat
        placed = _concat([one.notes(one.source.fine) for one in self.placed]).ordered()
        kept = self._with_drum_lengths(placed[self._in_kept(placed, fine)], factor)
        finely = replace(
            composed,
            start=composed.start * factor,
            length=composed.length * factor,
            pitch=composed.pitch + self.grid.lowest_pitch - fine.lowest_pitch,
        )
        notes = _concat([kept, self._fitting(finely, kept, fine)]).ordered()
        songs = [one.source.song for one in self.placed]
        tracks = with_programs_of(songs) if songs else self.tracks
        roll = Roll.of(notes, tracks, fine, self.tempo_bpm, name)
        controls, layers = self._controls(placed, kept, fine), self._layers(fine)
        placed_marks = (one.marks() for one in self.placed)
        marks = tuple(sorted(chain.from_iterable(placed_marks), key=lambda mark: mark.at))
        return replace(roll, composed=~self.kept, controls=controls, layers=layers, marks=marks)

    def _controls(self, placed: Notes, kept: Notes, grid: Grid) -> tuple[Controls, ...]:
        """Return the controls of each track: those of what is kept, `usual_controls` elsewhere.

        A kept note that sounds on into a composed bar keeps its own. None where all are still.
        """
        steps, numbers = grid.steps_per_bar, range(len(self.tracks))
        found = [self._placed_controls(number, steps) for number in numbers]
        if all(controls.is_still for controls in found):
            return ()
        known = [found[number].counting(placed.of(number).start) for number in numbers]
        for number, usual in enumerate(usual_controls(known)):
            mine = kept.of(number)
            for first, last in _open_stretches(self.kept[number] & bool(len(mine))):
                begin, end = first * steps, last * steps
                before = mine[mine.start < begin]
                rings = int((before.start + before.length).max(initial=begin))
                found[number] = found[number].with_part(min(rings, end), end, usual)
        return tuple(controls.during(0, self.bars * steps) for controls in found)

    def _placed_controls(self, number: int, steps: int) -> Controls:
        """Return the controls of a track of what was placed, with bars of so many steps."""
        controls = STILL
        for source, first, bars, at, _ in self.placed:
            part = source.fine.controls[number].during(first * steps, bars * steps)
            controls = controls.with_part(at * steps, (at + bars) * steps, part)
        return controls

    def _layers(self, grid: Grid) -> tuple[Layer, ...]:
        """Return the layers of what is kept; the n-th ones of a track and a program in several
        songs are one."""
        steps, found = grid.steps_per_bar, dict[tuple[tuple[int, int | None], int], Layer]()
        for source, first, bars, at, _ in self.placed:
            counts = Counter[tuple[int, int | None]]()
            for layer in source.fine.layers:
                track, moved = layer.track, (at - first) * steps
                within = (layer.start >= first * steps) & (layer.start < (first + bars) * steps)
                within[within] = self.kept[track, (layer.start[within] + moved) // steps]
                of = track, layer.program
                key, counts[of] = (of, counts[of]), counts[of] + 1
                none = replace(layer, start=layer.start[:0], pitch=layer.pitch[:0], controls=STILL)
                before = found.get(key) or none
                part = layer.controls.during(first * steps, bars * steps)
                found[key] = replace(
                    before,
                    start=np.concatenate([before.start, layer.start[within] + moved]),
                    pitch=np.concatenate([before.pitch, layer.pitch[within]]),
                    controls=before.controls.with_part(at * steps, (at + bars) * steps, part),
                )
        end = self.bars * steps
        return tuple(
            replace(one, controls=one.controls.during(0, end))
            for one in found.values()
            if len(one.start)
        )

    @property
    def tempo_bpm(self) -> Float[np.ndarray, " bar"]:
        """Return the tempo of each bar: an empty one goes on as the one before it."""
        tempo = np.full(self.bars, np.nan)
        for source, first, bars, at, _ in self.placed:
            tempo[at : at + bars] = source.song.tempo_bpm[first : first + bars]
        known = np.flatnonzero(~np.isnan(tempo))
        if not len(known):
            return np.full(self.bars, DEFAULT_BPM)
        before = np.searchsorted(known, np.arange(self.bars), side="right") - 1
        return tempo[known[np.maximum(before, 0)]]

    def _with_drum_lengths(self, notes: Notes, length: int) -> Notes:
        """Give drums, which are read without one, a length that a player of files can sound."""
        is_drum = np.array([track.is_drum for track in self.tracks])[notes.track]
        return replace(notes, length=np.where(is_drum, length, notes.length))

    def _in_kept(self, notes: Notes, grid: Grid) -> Bool[np.ndarray, " note"]:
        """Return which notes start in kept bars."""
        return self.kept[notes.track, notes.start // grid.steps_per_bar]

    def _fitting(self, composed: Notes, kept: Notes, grid: Grid) -> Notes:
        """Return the composed notes in open bars, cut where a kept bar of their track begins.

        Those that start while a kept note sounds on their track and pitch are left out.
        """
        composed = self._repeated(composed, grid)
        open_notes = composed[~self._in_kept(composed, grid)]
        steps = grid.steps_per_bar
        ends = _next_kept(self.kept)[open_notes.track, open_notes.start // steps] * steps
        length = np.minimum(open_notes.length, ends - open_notes.start)
        fitting = separate(replace(open_notes, length=length), grid)
        return fitting[~_covered(fitting, kept, grid)]

    def _repeated(self, composed: Notes, grid: Grid) -> Notes:
        """Return composed notes with those of each repetition as they were the first time."""
        steps = grid.steps_per_bar
        for first, at, bars in self.repeats:
            ends = first * steps, (first + bars) * steps
            once = composed[(composed.start >= ends[0]) & (composed.start < ends[1])]
            once = replace(once, length=np.minimum(once.length, ends[1] - once.start))
            there = composed.start - at * steps
            others = composed[(there < 0) | (there >= bars * steps)]
            composed = _concat([others, once.moved((at - first) * steps)])
        return composed.ordered()


def _next_kept(kept: Kept) -> np.ndarray:
    """Return for each track and bar the next kept bar after it; the last one has the end.

    >>> _next_kept(np.array([[False, True, False, False]])).tolist()
    [[1, 4, 4, 4]]
    """
    bars = kept.shape[1]
    at = np.where(kept, np.arange(bars), bars)
    at = np.concatenate([at[:, 1:], np.full((len(kept), 1), bars)], 1)  # [track bar]
    return np.minimum.accumulate(at[:, ::-1], axis=1)[:, ::-1]


def _open_stretches(kept: Bool[np.ndarray, " bar"]) -> list[tuple[int, int]]:
    """Return the first bar of each stretch that is composed, and the bar after it.

    >>> _open_stretches(np.array([False, True, False, False]))
    [(0, 1), (2, 4)]
    """
    changes = np.flatnonzero(np.diff(np.concatenate([[True], kept, [True]]))).tolist()
    return list(zip(changes[::2], changes[1::2], strict=True))


def _covered(notes: Notes, kept: Notes, grid: Grid) -> Bool[np.ndarray, " note"]:
    """Return which notes start while a kept note sounds on their track and pitch."""
    if not len(kept) or not len(notes):
        return np.zeros(len(notes), bool)
    horizon = 1 + max(notes.start.max(), (kept.start + kept.length).max())

    def place(which: Notes) -> np.ndarray:
        return (which.track * grid.pitches + which.pitch) * horizon + which.start

    order = np.argsort(place(kept))
    at, end = place(kept)[order], (place(kept) + kept.length)[order]
    before = np.searchsorted(at, place(notes), side="right") - 1
    return (before >= 0) & (place(notes) < end[np.maximum(before, 0)])


def _concat(parts: Sequence[Notes]) -> Notes:
    return Notes.concat(parts) if parts else Notes(*(np.zeros(0, np.int64) for _ in range(5)))
