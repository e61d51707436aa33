"""A draft: a song of which some bars of some tracks are kept, and the others are to be composed.

Every wish of a user who brings songs is a draft: accompany (some tracks are kept), fill (all but
some bars), continue (all that is there, and empty bars after it), bridge (two songs with empty
bars between them), remix (sections in another order).

What is kept stays note for note: songs are read twice, on the grid of a model, which composes the
rest, and as finely as files are written, and the finished song has the notes of the fine reading.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from core.data.sources import RejectedFile, stem_of_file
from core.errors import ConfigError, UserError
from core.wording import counted
from musegen.controls import STILL, Controls, usual_controls
from musegen.files.limits import MusicLimits
from musegen.files.midi import read_midi
from musegen.files.smf import DEFAULT_BPM, midi_bytes
from musegen.reading.song import Song
from musegen.roll import KEY_SIGNATURE, Grid, Layer, Mark, Notes, Roll, separate
from musegen.tracks import Track, numbers_of

LOG = logging.getLogger("pianoreel")

FINEST = 240
"""The most steps of a beat in which a song is read and written."""

FINE_LIMITS = MusicLimits(cells=FINEST * MusicLimits().cells)
"""Limits of the second reading: what the first has read is not too dense on a finer grid."""

Kept = Bool[np.ndarray, "track bar"]


@dataclass(frozen=True)
class Source:
    """A user's song, on the grid of a model and on one that keeps its timing."""

    song: Song
    fine: Song

    @classmethod
    def read(
        cls, path: Path | str, tracks: tuple[Track, ...], grid: Grid, pickup_beats: float = 0.0
    ) -> "Source":
        """Read a MIDI file, and log what of it is left out; `UserError` if it cannot be read.

        `pickup_beats`: see `read_midi`.
        """
        try:
            data, name = midi_bytes(path, FINE_LIMITS), stem_of_file(Path(path))
            read = partial(
                read_midi, data, tracks, name=name, pickup_beats=pickup_beats, names=True
            )
            song, fine = read(grid), read(fine_grid(grid), limits=FINE_LIMITS)
        except RejectedFile as error:
            raise refusal(path, error) from error
        source = cls(song, fine)
        log_remarks(path, source.remarks)
        return source

    @property
    def remarks(self) -> list[str]:
        """Say what a user should know of how the song was read."""
        return [*self.fine.remarks, *self.fine.joined_controls, *self.fine.lost_pedal]

    @property
    def bars(self) -> int:
        return min(self.song.bars, self.fine.bars)

    @property
    def tracks(self) -> tuple[Track, ...]:
        """Return the tracks, each with the program of the first part that it has claimed."""
        return with_programs_of([self.song])


def read_song(
    path: Path, tracks: tuple[Track, ...], grid: Grid, pickup_beats: float = 0.0
) -> Song:
    """Read a MIDI file on the grid of a model, and log what of it is left out.

    `pickup_beats`: see `read_midi`. `UserError` if it cannot be read.
    """
    try:
        song = read_midi(path, tracks, grid, pickup_beats=pickup_beats, names=True)
    except RejectedFile as error:
        raise refusal(path, error) from error
    log_remarks(path, [*song.remarks, *song.lost_controls])
    return song


def log_remarks(path: Path | str, remarks: Sequence[str]) -> None:
    """Log what a user should know of how a song was read."""
    for remark in remarks:
        LOG.warning("%s: %s", path, remark)


def with_programs_of(songs: Sequence[Song]) -> tuple[Track, ...]:
    """Return the tracks of songs, each with the program of the first part that it has claimed."""
    found = zip(*(song.claims.programs for song in songs), strict=True)  # by track
    return tuple(
        track.replace(program=next(chain.from_iterable(programs), track.program))
        for track, programs in zip(songs[0].tracks, found, strict=True)
    )


def compare_programs(first: Song, last: Song) -> None:
    """Log which tracks have different programs in two songs."""
    programs = (first.claims.programs, last.claims.programs)
    for track, ours, theirs in zip(first.tracks, *programs, strict=True):
        if ours and theirs and ours[0] != theirs[0] and not track.is_drum:
            LOG.warning(
                "%s has the program %d in %s and %d in %s, and sounds with %d throughout: "
                "--programs %s=%d for the other",
                *(track.name, ours[0], first.name, theirs[0], last.name, ours[0]),
                *(track.name.lower(), theirs[0]),
            )


def refusal(path: Path | str, error: RejectedFile) -> UserError:
    """Return why a song is not one for a model, with the cure."""
    if not error.option.startswith("--meter"):
        return UserError(f"{path}: {error.why}")
    cure = "change its time signature in your sequencer where its beats allow it"
    if not error.option.endswith("any"):  # models of any metre read songs in 4/4, too
        cure += f", or train a model on songs that `music prepare {error.option}` keeps"
    return UserError(f"{path}: {error.why}: {cure}")


def fine_grid(grid: Grid) -> Grid:
    """Return a grid of the same bars with all of MIDI's pitches and many more steps."""
    steps = FINEST // grid.steps_per_beat * grid.steps_per_beat
    return grid.replace(steps_per_beat=steps, lowest_pitch=0, pitches=128)


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


def blank(tracks: tuple[Track, ...], grid: Grid, bars: int, sounding: Sequence[str] = ()) -> Draft:
    """Return a draft without notes, in which all tracks are composed, or only the `sounding`."""
    kept = np.zeros((len(tracks), bars), bool)
    return Draft(tracks, grid, bars, (), kept).composing(sounding)


def accompaniment(source: Source, keep: Sequence[str], sounding: Sequence[str] = ()) -> Draft:
    """Return a draft that keeps some tracks of a song over its whole length.

    `sounding`: those to compose, without which all others are; what is neither is left out.
    """
    kept = np.zeros((len(source.song.tracks), source.bars), bool)
    kept[numbers_of(keep, source.song.tracks, "--keep")] = True
    draft = _of(source, source.bars, kept).composing(sounding)
    silent = tuple(np.flatnonzero(draft.kept.all(1) & ~kept.all(1)).tolist())
    return replace(draft, placed=tuple(one._replace(silent=silent) for one in draft.placed))


def infill(source: Source, first: int, last: int, tracks: Sequence[str] = ()) -> Draft:
    """Return a draft that keeps all but bars `first` to `last`, counted from 1, of some tracks.

    `tracks`: those to compose; none named are all. `ConfigError` for bars that the song lacks.
    """
    if not 1 <= first <= last <= source.bars:
        why = "the first comes first, as in 5-8" if last < first else ""
        why = why or f"the song has bars 1-{source.bars}"
        raise ConfigError(f"bars {first}-{last} cannot be filled: {why}")
    kept = np.ones((len(source.song.tracks), source.bars), bool)
    every = [track.name for track in source.song.tracks]
    chosen = numbers_of(tracks or every, source.song.tracks, "--tracks")
    kept[chosen, first - 1 : last] = False
    return _of(source, source.bars, kept)


def continuation(source: Source, bars: int) -> Draft:
    """Return a draft that goes on for `bars` bars after a song."""
    if bars < 1:
        raise ConfigError(f"a song is continued by at least 1 bar, not {bars}")
    total = source.bars + bars
    kept = np.broadcast_to(np.arange(total) < source.bars, (len(source.song.tracks), total))
    return _of(source, total, kept.copy())


def bridge(first: Source, last: Source, bars: int) -> Draft:
    """Return a draft of two songs with `bars` bars to compose between them."""
    if bars < 1:
        raise ConfigError(f"a bridge has at least 1 bar, not {bars}")
    compare_programs(first.song, last.song)
    at = first.bars + bars
    total = at + last.bars
    bar = np.arange(total)
    kept = np.broadcast_to((bar < first.bars) | (bar >= at), (len(first.song.tracks), total))
    placed = (Placed(first, 0, first.bars, 0), Placed(last, 0, last.bars, at))
    return Draft(first.song.tracks, first.song.grid, total, placed, kept.copy())


def remix(source: Source, form: str, section_bars: int) -> Draft:
    """Return a draft of a song's sections in the order of `form`; letters it lacks are composed.

    A is the first `section_bars` bars of the song, B the next ones, and so on. Only whole sections
    count. `ConfigError` for a form that is no row of letters, or a song shorter than a section.
    """
    if not (form.isalpha() and form.isascii()):
        raise ConfigError(f"'{form}' is no form: give a letter for each section, as ABAC")
    sections = source.bars // section_bars if section_bars > 0 else 0
    if not sections:
        raise ConfigError(
            f"the song has {counted(source.bars, 'bar')}, too few for sections of {section_bars}: "
            f"--section-bars {max(1, source.bars // 4)}"
        )
    numbers = [ord(letter) - ord("A") for letter in form.upper()]
    placed = tuple(
        Placed(source, number * section_bars, section_bars, place * section_bars)
        for place, number in enumerate(numbers)
        if number < sections
    )
    kept = np.repeat([number < sections for number in numbers], section_bars)
    kept = np.broadcast_to(kept, (len(source.song.tracks), len(kept)))  # [track bar]
    draft = Draft(source.song.tracks, source.song.grid, kept.shape[1], placed, kept.copy())
    repeats = tuple(
        Repeat(numbers.index(number) * section_bars, place * section_bars, section_bars)
        for place, number in enumerate(numbers)
        if number >= sections and number in numbers[:place]
    )
    return replace(draft, repeats=repeats)


def _of(source: Source, bars: int, kept: Kept) -> Draft:
    placed = (Placed(source, 0, source.bars, 0),)
    return Draft(source.song.tracks, source.song.grid, bars, placed, kept)


def random_kept(
    count: int, tracks: int, bars: int, seed: Sequence[int]
) -> Bool[np.ndarray, "draft track bar"]:
    """Return what drafts keep: some tracks, all but a few bars of all tracks, or both, by chance.

    At least one track is composed somewhere.
    """
    chance = np.random.default_rng(seed)
    is_open = chance.random((count, tracks, 1)) < chance.choice([0.25, 0.5, 0.75], (count, 1, 1))
    is_open[np.arange(count), chance.integers(tracks, size=count)] = True
    first, length = chance.integers(bars, size=(2, count, 1, 1))
    bar = np.arange(bars)
    hole = (bar >= first) & (bar < first + np.maximum(1, length // 2))
    kind = chance.choice(3, (count, 1, 1), p=(0.6, 0.2, 0.2))  # tracks, bars, bars of tracks
    return ~np.where(kind == 0, is_open, np.where(kind == 1, hole, is_open & hole))
