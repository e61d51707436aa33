"""MIDI files: read as notes on a grid, and written.

A file is rejected with its reason before much memory is allocated for it. pretty_midi writes.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from io import BytesIO
from math import ceil
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from core.config import positive, whole
from core.data.preparation import counted
from core.data.sources import RejectedFile
from core.errors import ConfigError
from core.files import write_whole
from musegen.controls import STILL, Controls
from musegen.files.controls import BENDS, NO_MESSAGES, Messages, differing, send, shared
from musegen.files.keys import is_key, keys_of
from musegen.files.limits import MusicLimits
from musegen.files.parts import CHANNELS, parts_of
from musegen.files.pedal import are_used, hold
from musegen.files.smf import (
    CUE,
    DEFAULT_BPM,
    END,
    EXPORT,
    LYRIC,
    MARKER,
    NAME,
    OF_A_PROGRAM,
    TEXT,
    Events,
    check_events,
    ending_at,
    last_end,
    midi_bytes,
    scan,
    signatures,
    tempi,
    with_metas,
    with_ports,
)
from musegen.performance import Performance
from musegen.roll import (
    KEY_SIGNATURE,
    SIGNATURE,
    Cells,
    Grid,
    Layer,
    Mark,
    Metre,
    Notes,
    Roll,
    differ,
    fill,
    separated,
)
from musegen.tonality import key_of_signature, signature_of
from musegen.tracks import DRUM_KIT, LAKH, Part, Track, are_known_by_names, assign, by_names

TICKS_PER_BEAT = 480
"""The resolution of written files: a multiple of 4, 12 and 24 steps a beat."""

WITHOUT_BEATS = (
    f"times are in SMPTE frames, and there is no tempo: beats are taken at {DEFAULT_BPM:g} a "
    "minute. If they are not, export with times in beats"
)
NAMES_ALONE = (
    "parts with the names of other instruments have the program of a piano, and are taken for "
    "pianos. Give each its program, and drums channel 10, where you export, or name the parts "
    "with --tracks mine.yaml where you prepare, see docs/tracks.md"
)

READ_BY_NAMES = "parts that have the program of a piano are read by their names"
OF_WRONG_NAMES = (
    "Where that is wrong, give each its program, and drums channel 10, where you export"
)

OWN_PROJECT = "Your own project has them: put what is composed there"

LEFT_OUT_PICKUP = (
    "bars are whole here, and the first is that after the pickup. To keep the pickup, put rests "
    "before it in your sequencer until its bar is whole"
)

SLOWEST_BPM, FASTEST_BPM = 4.0, 6e7
"""The tempi that 24 bits of microseconds a beat can hold, one microsecond at least."""

Meter = Literal["kept", "any"]
"""kept: only bars in the grid's metre. any: beats are regrouped, whatever the file's metre."""

ROUNDED = 24
"""A time signature is taken to be on a bar line that is less than a beat / 24 away."""

FOUR_FOUR = Metre.of(4, 4)
"""The metre before the first time signature, by the standard."""

MARKS = (LYRIC, MARKER, CUE, KEY_SIGNATURE)
"""The kinds of meta events that stay with a user's song."""

C_MAJOR = bytes(2)
"""The key signature that programs write where nobody chose one."""

SHORTEST_BAR = 2.0
"""Shorter bars, in quarter notes, make no longer ones: two of 3/8 are not one of 3/4."""

LONGEST_PULSE = 1.0
"""Bars up to this, in quarter notes, are pulses of a program that knows no bars."""

BARS_IN_ONE = (2, 4)
"""So many bars of the same kind of beat are read as one, or one as so many: 2/4 is half of 4/4."""

GRID = Grid()
LIMITS = MusicLimits()


@dataclass(frozen=True)
class Song:
    """A file on the grid: its kept bars, concatenated.

    `stretches` are (first bar, number of bars) of successive bars; between them bars were left
    out. `skipped_bars` counts bars in another metre, `pickup_beats` the quarter notes of a pickup,
    which is left out too, `dropped_notes` the notes that no track claims, that are out of the
    pitch range or in no kept bar. `parts` are all that the file has, `owners` the numbers of the
    tracks that claim them, see `assign`, and `part_notes` the number of notes of each. `origin`:
    its first text, in which `write_midi` says where it comes from. `has_beats`: False where beats
    were taken at `DEFAULT_BPM`, since the file says neither beats nor tempi. `doubling_notes`
    counts those that start with a longer one on its track and pitch, and are not in the song.
    `find_messages` returns `messages`, and `find_marks` `marks`, which few need. `regrouped`:
    metres whose bars were joined or divided into those of the grid. `part` [note]: the number of
    the part that plays a note; empty where that is not known. `other_metre`: where half of the
    bars or more are skipped, the metre that would keep most, or any, and why.
    """

    notes: Notes
    bars: int
    tempo_bpm: Float[np.ndarray, " bar"]
    stretches: tuple[tuple[int, int], ...]
    tracks: tuple[Track, ...]
    grid: Grid
    name: str = ""
    dropped_notes: int = 0
    skipped_bars: int = 0
    parts: tuple[Part, ...] = ()
    owners: tuple[int, ...] = ()
    part_notes: tuple[int, ...] = ()
    origin: str = ""
    has_beats: bool = True
    doubling_notes: int = 0
    pickup_beats: float = 0.0
    regrouped: tuple[Metre, ...] = ()
    part: np.ndarray = field(default_factory=partial(np.zeros, 0, np.int64))
    find_messages: Callable[[], Messages] = lambda: NO_MESSAGES
    other_metre: tuple[str, str] | None = None
    find_marks: Callable[[], tuple[Mark, ...]] = tuple

    @cached_property
    def messages(self) -> Messages:
        """Return those that set controllers, `at` steps of the song."""
        return self.find_messages()

    @cached_property
    def marks(self) -> tuple[Mark, ...]:
        """Return the lyrics, markers and cue points in the song's bars, and its keys, in order.

        C major alone is left out, which programs write where nobody chose a key.
        """
        return self.find_marks()

    @property
    def unclaimed(self) -> Counter[int]:
        """Return the notes of parts that no track claims, by program; `DRUM_KIT` for drums."""
        counts = Counter[int]()
        for part, notes, owner in zip(self.parts, self.part_notes, self.owners, strict=True):
            if owner < 0:
                counts[DRUM_KIT if part.is_drum else part.program] += notes
        return counts

    @property
    def left_out(self) -> str:
        """Say what of the file is not in the song; empty where all of it is."""
        parts = (
            (self.pickup_beats, f"a pickup of {counted(self.pickup_beats, 'quarter note')}"),
            (self.skipped_bars, f"{counted(self.skipped_bars, 'bar')} in another metre"),
            (self.dropped_notes, counted(self.dropped_notes, "note")),
        )
        lost = [said for count, said in parts if count]
        owners = zip(self.parts, self.owners, strict=True)
        silent = [f"'{part.name}' (program {part.program})" for part, n in owners if n < 0]
        because = f"; no track plays {', '.join(silent)}" if silent and lost else ""
        return ", ".join(lost) + because

    @property
    def remarks(self) -> list[str]:
        """Say what a user should know of how the file was read."""
        lost = [f"left out: {self.left_out}"] if self.left_out else []
        named = read_by_names(self.parts, self.owners, self.tracks)
        pickup = [LEFT_OUT_PICKUP] if self.pickup_beats else []
        return [*lost, *pickup, *self.counted, *named, *self.doubts, *self.joined, *self.doubled]

    @property
    def counted(self) -> list[str]:
        """Say how bars of another metre are counted; nothing where all are of the grid's."""
        return [_regrouping(metre, self.grid.metre) for metre in self.regrouped]

    @cached_property
    def programs(self) -> list[list[int]]:
        """Return the different programs of each track's parts, in their order."""
        found: list[dict[int, None]] = [{} for _ in self.tracks]
        for number, part in zip(self.owners, self.parts, strict=True):
            if number >= 0:
                found[number][part.program] = None
        return [list(programs) for programs in found]

    @property
    def joined(self) -> list[str]:
        """Say of each track whose parts have several programs with which one it sounds."""
        return [
            f"{track.name} has parts of the programs {', '.join(map(str, programs))}, and sounds "
            f"with {programs[0]}"
            for track, programs in zip(self.tracks, self.programs, strict=True)
            if len(programs) > 1 and not track.is_drum
        ]

    @property
    def doubled(self) -> list[str]:
        """Say how many notes double others."""
        doubling = self.doubling_notes
        verbs = ("doubles another", "is") if doubling == 1 else ("double others", "are")
        said = "{} {} on one pitch of a track, and {} left out"
        return [said.format(counted(doubling, "note"), *verbs)] if doubling else []

    @cached_property
    def controls(self) -> tuple[Controls, ...]:
        """Return the controls of each track, in steps: of several parts those of the first.

        Drums are one channel: see `shared`.
        """
        return tuple(
            (shared(list(parts.values())) if track.is_drum else next(iter(parts.values())))
            if parts
            else STILL
            for track, parts in zip(self.tracks, self._controls_of_parts, strict=True)
        )

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Return the notes of further parts of a track that are turned otherwise than its first.

        Drums have none.
        """
        found = list[Layer]()
        for number, parts in enumerate(self._controls_of_parts):
            if not self.tracks[number].is_drum:
                found += [
                    Layer(number, self.notes.start[mine], self.notes.pitch[mine], controls)
                    for part, controls in parts.items()
                    if differing([self.controls[number], controls])
                    and (mine := self.part == part).any()
                ]
        return tuple(found)

    @property
    def lost_controls(self) -> list[str]:
        """Say which controllers a song that is composed anew does not have."""
        lost = f"not kept: {', '.join(self.messages.used)}. {OWN_PROJECT}"
        return [lost] if self.messages.used else []

    @property
    def joined_controls(self) -> list[str]:
        """Say which controls of their own the parts of the drums have, and which are kept."""
        tracks = zip(self.tracks, self._controls_of_parts, strict=True)
        unlike = {
            track.name: differing(list(parts.values()))
            for track, parts in tracks
            if parts and track.is_drum
        }
        bent = ", ".join(name for name, found in unlike.items() if BENDS in found)
        levels = {name: [one for one in found if one != BENDS] for name, found in unlike.items()}
        said = ", ".join(f"{name} in {' and '.join(of)}" for name, of in levels.items() if of)
        first = f"parts of one track differ, of {said}: those of the first part are kept"
        none = f"not kept: pitch bends of {bent}, whose parts differ in them. {OWN_PROJECT}"
        return [remark for remark, names in ((first, said), (none, bent)) if names]

    @cached_property
    def _controls_of_parts(self) -> list[dict[int, Controls]]:
        """Return the controls of the parts of each track, by their numbers."""
        found: list[dict[int, Controls]] = [{} for _ in self.tracks]
        for part, controls in enumerate(self.messages.controls(self.parts)):
            if self.owners[part] >= 0:
                found[self.owners[part]][part] = controls
        return found

    @property
    def doubts(self) -> list[str]:
        """Say what the file leaves open, how that was read, and how it would be clear."""
        names_alone = self.tracks == LAKH and are_known_by_names(self.parts)
        known = ((not self.has_beats, WITHOUT_BEATS), (names_alone, NAMES_ALONE))
        return [doubt for is_open, doubt in known if is_open]

    def cells(self) -> Cells:
        """Convert the notes to cells, without their velocities."""
        return fill(self.notes, len(self.tracks), self.bars, self.grid)

    def roll(self) -> Roll:
        """Convert the notes to a roll."""
        return Roll.of(self.notes, self.tracks, self.grid, self.tempo_bpm, self.name)


def _regrouping(metre: Metre, own: Metre) -> str:
    """Say how bars of a metre are joined or divided into those of another, and counted."""
    ratio = max(own.quarters / metre.quarters, metre.quarters / own.quarters)
    if metre.quarters < own.quarters:
        read = f"{ratio:g} bars of {metre.name} are read as one of {own.name}"
    else:
        read = f"each bar of {metre.name} is read as {ratio:g} of {own.name}"
    return f"{read}, and bars are counted so"


def read_by_names(
    parts: Sequence[Part], owners: Sequence[int], tracks: Sequence[Track]
) -> list[str]:
    """Say which parts are read as what their names say; nothing where none is.

    owners: the track of each part, see `assign`.
    """
    owned = zip(parts, owners, strict=True)
    named = {part.name: tracks[n].name.lower() for part, n in owned if part.is_by_name and n >= 0}
    read = ", ".join(f"'{name}' as {track}" for name, track in named.items())
    return [f"{READ_BY_NAMES}: {read}. {OF_WRONG_NAMES}"] if named else []


def read_midi(
    source: Path | str | bytes,
    tracks: tuple[Track, ...] = LAKH,
    grid: Grid = GRID,
    meter: Meter = "kept",
    limits: MusicLimits = LIMITS,
    name: str = "",
    pedal: bool = True,
    pickup_beats: float = 0.0,
    names: bool = False,
) -> Song:
    """Read a file, or its bytes; raise `RejectedFile` with the reason if it cannot be used.

    Onsets and ends go to the nearest step; a note is at least one step long. A file without time
    signature is in 4/4. Metres are the same as `Metre` says (2/2 is 4/4, 6/8 is not 3/4), and bars
    are regrouped where 2 or 4 of one metre are one of the other, as 2/4 and 4/2 in 4/4. `pedal`:
    notes sound until their channel's pedal goes up. `pickup_beats`: quarter notes before the first
    bar, for a file that has no signature of their own for them. `names`: parts whose names alone
    say what they are have those instruments, see `by_names`.
    """
    events = scan(midi_bytes(source, limits))
    check_events(events)
    title = "" if isinstance(source, bytes) else Path(source).stem
    return _Parsed(events, limits, pedal, names).song(
        tracks, grid, meter, pickup_beats, name or title
    )


def read_performance(
    source: Path | str | bytes,
    tracks: tuple[Track, ...] = LAKH,
    limits: MusicLimits = LIMITS,
    name: str = "",
) -> Performance:
    """Read all notes of a file, or of its bytes, as they are played; `RejectedFile` as above.

    Each part is a track of its own, with the name of that of `tracks` which claims it, else its
    own name. Nothing is quantised or left out, and the controllers of its channel are followed.
    Parts whose names alone say what they are have those instruments, see `by_names`.
    """
    events = scan(midi_bytes(source, limits))
    check_events(events)
    title = "" if isinstance(source, bytes) else Path(source).stem
    return _Parsed(events, limits, pedal=True, names=True).performance(tracks, name or title)


@dataclass(frozen=True)
class _Bars:
    """The kept bars: the ticks at which they start, stretches of successive bars, the number of
    bars in each metre, the quarter notes of a pickup, and the metres whose bars were regrouped."""

    starts: np.ndarray
    stretches: tuple[tuple[int, int], ...]
    counts: Counter[Metre]
    pickup_beats: float
    regrouped: tuple[Metre, ...]

    def until(self, bars: int) -> "_Bars":
        """Keep the first `bars` of them."""
        shorter = tuple((a, min(n, bars - a)) for a, n in self.stretches if a < bars)
        return replace(self, starts=self.starts[:bars], stretches=shorter)


def _proposed(counts: Counter[Metre]) -> tuple[str, str]:
    """Return the `--meter` that would keep a file with so many bars of each metre, and why.

    It is that of most bars; any, where there is none, where they are pulses, or where no grid
    has it.
    """
    (metre, most), *_ = counts.most_common(1)
    found, why = metre.name, f"most are in {metre.name}"
    if len(counts) > 1 and 2 * most <= counts.total():
        found, why = "any", "and several metres change about"
    elif metre.quarters <= LONGEST_PULSE:
        found, why = "any", f"most last only {metre.name}"
    return found if SIGNATURE.fullmatch(found) else "any", why


def _without_bars(bars: _Bars, grid: Grid) -> RejectedFile:
    """Return why no bar is in the grid's metre, and the metre that would keep the file."""
    if set(bars.counts) <= {grid.metre}:
        why = f"no bar is after a pickup of {bars.pickup_beats:g} quarter notes"
        return RejectedFile("no-notes", why, "a shorter --pickup")
    found, why = _proposed(bars.counts)
    why = f"no bar is in {grid.metre.name}, {why}"
    return RejectedFile("time-signature", why, f"--meter {found}")


_Span = tuple[int, int, Metre]
"""First tick and end tick of a metre."""


def _makes(metre: Metre, own: Metre) -> bool:
    """Return True where some bars of one of two metres make one bar of the other."""
    shorter, longer = sorted((metre.quarters, own.quarters))
    are_one_kind = metre.is_compound == own.is_compound and shorter >= SHORTEST_BAR
    return are_one_kind and longer / shorter in BARS_IN_ONE


def _check_count(notes: int, limits: MusicLimits) -> None:
    if notes == 0:
        raise RejectedFile("no-notes", "the file has no notes")
    if notes > limits.notes:
        raise RejectedFile("too-many-notes", f"{notes} notes, at most {limits.notes} are read")


class _Parsed:
    """The notes of a file as columns in ticks, its tempi and signatures, checked by the limits."""

    def __init__(self, events: Events, limits: MusicLimits, pedal: bool, names: bool = False):
        self.limits = limits
        _check_count((1 + int(is_key(events).sum())) // 2, limits)  # before memory is spent
        down, up = keys_of(events)
        _check_count(len(down), limits)
        self.part, parts = parts_of(events, down)
        self.parts = by_names(parts) if names else parts
        self.start, self.duration = events.tick[down], events.tick[up] - events.tick[down]
        self.pitch, self.velocity = (
            np.minimum(events.byte(number, down), 0x7F).astype(np.int64) for number in (0, 1)
        )
        self.tempo_at, microseconds = tempi(events)
        self.seconds_per_beat = microseconds / 1e6
        self.metre_at, *self.signatures = signatures(events)
        self.declared = last_end(events)
        self.ticks_per_beat = events.ticks_per_beat
        self.origin, self.has_beats = _first_text(events), events.has_beats
        self.events = events
        self.end = max(int((self.start + np.maximum(self.duration, 1)).max()), self.declared)
        self._check_times()
        if pedal and are_used(events):
            self.duration, last = hold(events, self._channels(), down, up, self.pitch)
            self.end = max(self.end, last)

    def _check_times(self) -> None:
        if self._too_long():
            raise RejectedFile("too-long", f"more than {self.limits.beats} beats")
        if (self.seconds_per_beat <= 0).any():
            raise RejectedFile("tempo", f"a tempo of 0 microseconds a beat: {EXPORT}")

    def _channels(self) -> np.ndarray:
        """Return the channel of each note, 16 * port + channel; -1 of drums, without a pedal."""
        numbers = [
            -1 if part.is_drum else part.port * CHANNELS + part.channel - 1 for part in self.parts
        ]
        return np.array(numbers)[self.part]

    def _too_long(self) -> bool:
        last = max(self.end, int(self.metre_at.max(initial=0)))
        return last > self.limits.beats * self.ticks_per_beat

    def song(
        self,
        tracks: tuple[Track, ...],
        grid: Grid,
        meter: Meter,
        pickup_beats: float,
        name: str,
    ) -> Song:
        """Quantise the notes to the grid, in the bars that are kept."""
        bars = self._bars(grid, meter, pickup_beats)
        if not len(bars.starts):
            raise _without_bars(bars, grid)
        owners = tuple(assign(self.parts, tracks))
        quantised, numbers = self._quantise(bars, owners, tracks, grid)
        if not len(quantised):
            raise RejectedFile(
                "no-notes", "no note is in a kept bar, in the pitch range and in a track's part"
            )
        notes, stays = separated(quantised, grid)
        self._check_cells(notes)
        last = int((notes.start + notes.length - 1).max()) // grid.steps_per_bar
        declared = int(np.searchsorted(bars.starts, self.declared))
        kept = bars.until(max(1 + last, declared))
        tempo = self._tempo(kept.starts, grid)
        dropped = len(self.start) - len(quantised)
        count = len(kept.starts)
        skipped = bars.counts.total() - bars.counts[grid.metre]
        proposal = _proposed(bars.counts) if 2 * skipped >= bars.counts.total() else None
        left_out = (dropped, skipped)
        part_notes = np.bincount(self.part, minlength=len(self.parts)).tolist()
        lost = (len(quantised) - len(notes), kept.pickup_beats, kept.regrouped)
        about = (tuple(self.parts), owners, tuple(part_notes), self.origin, self.has_beats, *lost)
        messages = partial(self._messages_in, kept, grid)
        marks = partial(self._marks_in, kept, grid)
        found = (self.part[numbers[stays]], messages, proposal, marks)
        whole = (notes, count, tempo, kept.stretches, tracks, grid, name)
        return Song(*whole, *left_out, *about, *found)

    def _messages_in(self, bars: _Bars, grid: Grid) -> Messages:
        """Return those that set controllers, `at` steps of the bars."""
        messages = Messages.of(self.events)
        return replace(messages, at=self._steps(messages.at, bars, grid))

    def _marks_in(self, bars: _Bars, grid: Grid) -> tuple[Mark, ...]:
        """Return the lyrics, markers, cue points and keys of the bars, `at` steps of them."""
        events = self.events
        found = events.by_time([n for kind in MARKS for n in events.metas(kind)])
        ticks, kinds = events.tick[found], events.byte(0, found)
        bar = np.searchsorted(bars.starts, ticks, side="right") - 1
        offset = ticks - bars.starts[np.maximum(bar, 0)]
        is_in = (bar >= 0) & (offset < grid.metre.quarters * self.ticks_per_beat)
        stays = is_in | (kinds == KEY_SIGNATURE)
        columns = (self._steps(ticks, bars, grid), kinds, found)
        rows = zip(*(column[stays].tolist() for column in columns), strict=True)
        marks = [Mark(at, kind, events.payload(number)) for at, kind, number in rows]
        keys = [mark for mark in marks if mark.kind == KEY_SIGNATURE]
        valid = [mark for mark in keys if key_of_signature(mark.data)]
        chosen = valid if {mark.data for mark in valid} != {C_MAJOR} else []
        return tuple(mark for mark in marks if mark.kind != KEY_SIGNATURE or mark in chosen)

    def performance(self, tracks: tuple[Track, ...], name: str) -> Performance:
        """Return the notes in seconds, with the controls of each part."""
        ends = self.start + np.maximum(self.duration, 1)
        start, end = self._elapsed(np.stack([self.start, ends]))
        owners = assign(self.parts, tracks)
        names = [
            tracks[number].name if number >= 0 else part.name
            for number, part in zip(owners, self.parts, strict=True)
        ]
        played = tuple(
            Track(name=name, program=part.program, is_drum=part.is_drum)
            for name, part in zip(names, self.parts, strict=True)
        )
        columns = (self.part, start, end - start, self.pitch, self.velocity)
        messages = Messages.of(self.events)
        messages = replace(messages, at=self._elapsed(messages.at))
        controls = messages.controls(self.parts)
        remarks = tuple(read_by_names(self.parts, owners, tracks))
        return Performance(*columns, tracks=played, name=name, controls=controls, remarks=remarks)

    def _check_cells(self, notes: Notes) -> None:
        if (cells := int(notes.length.sum())) > self.limits.cells:
            raise RejectedFile(
                "too-dense", f"notes sound in {cells} cells, at most {self.limits.cells} are read"
            )

    def _bars(self, grid: Grid, meter: Meter, pickup_beats: float) -> _Bars:
        """Divide the time of each time signature into bars; incomplete bars are left out."""
        bar_ticks = grid.metre.quarters * self.ticks_per_beat
        starts = [np.zeros(0, np.int64)]
        stretches: list[tuple[int, int]] = []
        counts = Counter[Metre]()
        count = follows = 0
        joined = self._joined(self._metres(grid, meter, pickup_beats), grid)
        spans = self._regrouped(joined, grid)
        as_before = set(spans)
        regrouped = tuple(dict.fromkeys(span[2] for span in joined if span not in as_before))
        pickup = self._pickup(spans, grid, pickup_beats)
        for begin, until, metre in spans[1:] if pickup else spans:
            if metre != grid.metre:
                counts[metre] += self._count_bars(begin, until, metre)
                continue
            bars = int((until - begin + 0.5) // bar_ticks)
            counts[metre] += bars
            if bars:
                first, before = stretches.pop() if count and begin == follows else (count, 0)
                stretches.append((first, before + bars))
                starts.append(begin + np.rint(bar_ticks * np.arange(bars)).astype(np.int64))
                count, follows = count + bars, begin + round(bars * bar_ticks)
        return _Bars(np.concatenate(starts), tuple(stretches), counts, pickup, regrouped)

    def _pickup(self, spans: Sequence[_Span], grid: Grid, given_beats: float) -> float:
        """Return the quarter notes of a pickup, 0 without one.

        It is what its user gives, or one shorter bar before those of the grid's metre.
        """
        begin, until, metre = spans[0]
        is_followed = len(spans) > 1 and spans[1][2] == grid.metre
        is_shorter = metre.quarters < grid.metre.quarters
        is_one = self._count_bars(begin, until, metre) == 1
        if given_beats and metre != grid.metre:
            return given_beats
        return metre.quarters if is_followed and is_shorter and is_one else 0.0

    def _metres(
        self, grid: Grid, meter: Meter, pickup_beats: float
    ) -> list[tuple[int, int, Metre]]:
        """Return (first tick, end tick, metre); the last one extends to a bar line after the end.

        A pickup is one bar, in no grid's metre.
        """
        at, numerator, denominator = self.metre_at, *self.signatures
        at = at[:0] if meter == "any" else at[at < self.end]
        metres = list(map(Metre.of, numerator[: len(at)].tolist(), denominator.tolist()))
        at, metres = [0, *at.tolist()], [FOUR_FOUR if meter == "kept" else grid.metre, *metres]
        first = round(pickup_beats * self.ticks_per_beat)
        before = int(np.searchsorted(at[1:], first)) if first else 0
        at[: before + 1], metres[: before + 1] = [first], [metres[before]]
        changes = self._on_bar_lines(at, metres)
        begin, metre = changes[-1]
        end = max(self.end, float(self.start.max()) + self.ticks_per_beat / grid.steps_per_quarter)
        bar = metre.quarters * self.ticks_per_beat
        last = round(begin + bar * ceil(max(end - begin, 0) / bar))
        ends = [*(tick for tick, _ in changes[1:]), last]
        pickup = [(0, first, Metre(pickup_beats, is_compound=True))] if first else []
        return pickup + [(a, b, m) for (a, m), b in zip(changes, ends, strict=True)]

    def _joined(self, spans: Sequence[_Span], grid: Grid) -> list[_Span]:
        """Return spans of metres with bars in parts joined: successive shorter ones that make one.

        Notation programs write a repeat within a bar as 3/4 and 1/4, for example.
        """
        bar, parts, kept = grid.metre.quarters * self.ticks_per_beat, list[int](), list[_Span]()
        for begin, until, metre in spans:
            kept.append((begin, until, metre))
            is_part = until - begin == round(metre.quarters * self.ticks_per_beat) < bar
            parts = [*parts, until - begin] if is_part else []
            while sum(parts) > bar + 0.5:
                parts = parts[1:]
            if len(parts) > 1 and sum(parts) > bar - 0.5:
                kept[-len(parts) :] = [(kept[-len(parts)][0], until, grid.metre)]
                parts = []
        return kept

    def _regrouped(self, spans: Sequence[_Span], grid: Grid) -> list[_Span]:
        """Return spans with those in the grid's metre whose bars make bars of it.

        Those left over at the end of a span stay as they are; the song's end is filled up.
        """
        own, bar = grid.metre, grid.metre.quarters * self.ticks_per_beat
        kept = list[_Span]()
        for begin, until, metre in spans:
            if not _makes(metre, own):
                kept.append((begin, until, metre))
                continue
            is_last, ticks = until == spans[-1][1], until - begin
            whole = ceil((ticks - 0.5) / bar) if is_last else (ticks + 0.5) // bar
            line = begin + round(whole * bar)
            kept += [(begin, line, own)] if line > begin else []
            kept += [(line, until, metre)] if line < until else []
        return kept

    def _on_bar_lines(self, at: list[int], metres: list[Metre]) -> list[tuple[int, Metre]]:
        """Return the changes of metre, with those just off a bar line moved to it.

        Programs write a signature again anywhere. In the middle of a bar it begins a new one if a
        whole bar of it follows, else bars go on.
        """
        kept = [(at[0], metres[0])]
        following_ticks = [*at[1:], float("inf")][1:]
        for tick, metre, following in zip(at[1:], metres[1:], following_ticks, strict=True):
            begin, before = kept[-1]
            bar = before.quarters * self.ticks_per_beat
            line = begin + round(round((tick - begin) / bar) * bar)
            is_on_line = abs(tick - line) <= self.ticks_per_beat // ROUNDED
            if following == tick:  # the last of those at one tick counts
                continue
            if is_on_line and line == begin:
                kept[-1] = (begin, metre)
            elif metre != before or not (is_on_line or following - tick < bar):
                kept.append((line if is_on_line else tick, metre))
        return kept

    def _count_bars(self, begin: int, until: int, metre: Metre) -> int:
        return ceil((until - begin) / (metre.quarters * self.ticks_per_beat))

    def _quantise(
        self, bars: _Bars, owners: tuple[int, ...], tracks: tuple[Track, ...], grid: Grid
    ) -> tuple[Notes, np.ndarray]:
        """Return the notes of a track, the pitch range and a kept bar, cut at a stretch's end.

        And their numbers among all notes.
        """
        step_ticks, per_bar = self.ticks_per_beat / grid.steps_per_quarter, grid.steps_per_bar
        track = np.array(owners)[self.part]
        pitch = self.pitch - grid.lowest_pitch
        nearest = self.start + int(step_ticks / 2)  # whole, as bars are: found three times as fast
        bar = np.searchsorted(bars.starts, nearest, side="right") - 1
        offset = self.start - bars.starts[np.maximum(bar, 0)]
        step = np.floor(offset / step_ticks + 0.5).astype(np.int64)
        in_bar = (step >= 0) & (step < per_bar)
        kept = (track >= 0) & (pitch >= 0) & (pitch < grid.pitches) & in_bar
        start = bar * per_bar + step
        end = start - step + np.floor((offset + self.duration) / step_ticks + 0.5).astype(np.int64)
        borders = np.array([first + count for first, count in bars.stretches]) * per_bar
        border = borders[np.searchsorted(borders[:-1], start, side="right")]
        drums = np.array([t.is_drum for t in tracks])[track]
        length = np.where(drums, 1, np.maximum(np.minimum(end, border) - start, 1))
        numbers = np.flatnonzero(kept)
        return Notes(track, start, pitch, length, self.velocity)[numbers], numbers

    def _steps(self, ticks: np.ndarray, bars: _Bars, grid: Grid) -> np.ndarray:
        """Return the steps of ticks; where no bar is kept, the first step of the next one."""
        bar = np.searchsorted(bars.starts, ticks, side="right") - 1
        offset = ticks - bars.starts[np.maximum(bar, 0)]
        step = np.floor(offset * grid.steps_per_quarter / self.ticks_per_beat + 0.5)
        within = np.minimum(step.astype(np.int64), grid.steps_per_bar)
        return np.where(bar < 0, 0, bar * grid.steps_per_bar + within)

    def _tempo(self, starts: np.ndarray, grid: Grid) -> np.ndarray:
        """Return the mean tempo of each bar in beats a minute, weighted by time."""
        begin, end = self._elapsed(
            np.add.outer([0.0, grid.metre.quarters * self.ticks_per_beat], starts)
        )
        return 60.0 * grid.metre.quarters / (end - begin)

    def _elapsed(self, ticks: np.ndarray) -> np.ndarray:
        """Return the seconds from the beginning to each tick."""
        at = np.append(0, self.tempo_at)
        per_beat = np.append(60 / DEFAULT_BPM, self.seconds_per_beat)
        last = differ(at[::-1])[::-1]  # of those at one tick
        at, per_tick = at[last], per_beat[last] / self.ticks_per_beat
        elapsed = np.append(0, np.cumsum((at[1:] - at[:-1]) * per_tick[:-1]))
        piece = np.searchsorted(at, ticks, side="right") - 1
        return elapsed[piece] + (ticks - at[piece]) * per_tick[piece]


def require_tempo(name: str, tempo_bpm: Any) -> float:
    """Return a tempo that a MIDI file can hold; `ConfigError` for any other value.

    >>> require_tempo("tempo_bpm", 1e9)
    Traceback (most recent call last):
    core.errors.ConfigError: tempo_bpm is from 4 to 60,000,000 beats a minute, not 1e+09
    """
    tempo = positive(name, tempo_bpm)
    if not SLOWEST_BPM <= tempo <= FASTEST_BPM:
        raise ConfigError(
            f"{name} is from {SLOWEST_BPM:g} to {FASTEST_BPM:,.0f} beats a minute, not {tempo:g}"
        )
    return tempo


def song_of(roll: Roll, name: str = "") -> Song:
    """Convert a roll to a song of one stretch."""
    whole = ((0, roll.bars),)
    title = name or roll.name
    return Song(roll.notes, roll.bars, roll.tempo_bpm, whole, roll.tracks, roll.grid, title)


def write_midi(
    roll: Roll, path: Path | str | BytesIO, tracks: Sequence[int] | None = None
) -> None:
    """Write a roll: named tracks with their programs, drums on channel 10, the velocity of each
    note, the controls and the tempo of each bar; its title, origin, key, marks and a marker at
    each section of its form.

    `tracks`: the numbers of those that are written; all by default. `ConfigError` for a number
    that no track has, `UserError` where the file cannot be written. Each layer of a track is a
    MIDI track of its name, with a channel of its own.

    All tracks end where the roll does, and an event that others pass over says so to `read_midi`,
    which else counts bars up to the last note. From the 16th track on, tracks have ports of their
    own (FF 21), so that each plays its own program.
    """
    import pretty_midi

    grid = roll.grid
    bar_ticks = int(TICKS_PER_BEAT * grid.metre.quarters)
    midi = pretty_midi.PrettyMIDI(resolution=TICKS_PER_BEAT, charset="utf-8")
    # pretty_midi reads changes of tempo but has no public way to make them
    midi._tick_scales = _tick_scales(roll, bar_ticks)
    midi._update_tick_to_time(roll.bars * bar_ticks)
    seconds = midi._PrettyMIDI__tick_to_time  # pyright: ignore[reportAttributeAccessIssue]
    signature = pretty_midi.TimeSignature(grid.beats_per_bar, grid.beat_unit, 0.0)
    midi.time_signature_changes.append(signature)
    layer = roll.in_layers()
    for number in range(len(roll.tracks)) if tracks is None else tracks:
        if whole("a track", number, 0) >= len(roll.tracks):
            raise ConfigError(f"a track is 0 to {len(roll.tracks) - 1}, not {number}")
        track = roll.tracks[number]
        for notes, controls in _channels_of(roll, number, layer):
            instrument = pretty_midi.Instrument(track.program, track.is_drum, track.name)
            instrument.notes = _midi_notes(notes, roll.grid, seconds)
            if controls:
                mine = replace(controls, at=_ticks_of(controls.at, grid))
                send(mine, instrument, seconds)
            midi.instruments.append(instrument)
    midi.write(stream := BytesIO())
    as_long = ending_at(stream.getvalue(), roll.bars * bar_ticks)
    described = with_metas(as_long, _metas(roll, bar_ticks))
    write_whole(path, with_ports(described, CHANNELS - 1))


def _channels_of(
    roll: Roll, number: int, layer: np.ndarray
) -> Iterator[tuple[Notes, Controls | None]]:
    """Yield the notes and controls of a track, then those of its layers that have notes.

    layer: that of each note, see `Roll.in_layers`.
    """
    own = (roll.notes.track == number) & (layer == 0)
    yield roll.notes[own], roll.controls[number] if roll.controls else None
    for other, one in enumerate(roll.layers, 1):
        if one.track == number and (layer == other).any():
            yield roll.notes[layer == other], one.controls


def _metas(roll: Roll, bar_ticks: int) -> list[tuple[int, int, bytes]]:
    """Return (tick, kind, data) of the title, origin, key, sections, marks and end of a roll.

    A roll without a form has no sections. A chosen form takes the place of its markers, and a
    chosen key that of its keys.
    """
    has_own = any(mark.at == 0 and mark.kind == KEY_SIGNATURE for mark in roll.marks)
    key = None if has_own and not roll.key else signature_of(roll)
    about = [
        (NAME, roll.name.encode()),
        (TEXT, roll.origin.encode()),
        (KEY_SIGNATURE, bytes([key.sharps % 256, key.mode == "minor"]) if key else b""),
    ]
    length = bar_ticks * (roll.bars // max(1, len(roll.form)))
    markers = [(n * length, MARKER, letter.encode()) for n, letter in enumerate(roll.form)]
    over = {KEY_SIGNATURE: roll.key, MARKER: roll.form}
    kept = [mark for mark in roll.marks if not over.get(mark.kind)]
    ticks = _ticks_of(np.array([mark.at for mark in kept]), roll.grid).tolist()
    texts = [(tick, mark.kind, mark.data) for tick, mark in zip(ticks, kept, strict=True)]
    end = (roll.bars * bar_ticks, OF_A_PROGRAM, END)
    return [*((0, kind, data) for kind, data in about if data), *markers, *texts, end]


def origin_of(path: Path) -> str:
    """Return the text in which `write_midi` says where a file comes from; empty without one."""
    try:
        events = scan(midi_bytes(path, LIMITS))
    except RejectedFile:
        return ""
    return _first_text(events)


def _first_text(events: Events) -> str:
    found = [events.payload(number) for number in events.metas(TEXT)[:1]]
    return found[0].decode(errors="replace") if found else ""


def _tick_scales(roll: Roll, bar_ticks: int) -> list[tuple[int, float]]:
    """Return (tick, seconds a tick) of the first bar and of each bar with a new tempo."""
    for tempo in np.unique(roll.tempo_bpm).tolist():
        require_tempo("a tempo", tempo)
    microseconds = np.rint(6e7 / roll.tempo_bpm)
    changes = np.flatnonzero(np.append(True, np.diff(microseconds) != 0))
    scales = (microseconds[changes] + 0.25) / 1e6 / TICKS_PER_BEAT  # pretty_midi cuts fractions
    return list(zip((changes * bar_ticks).tolist(), scales.tolist(), strict=True))


def _midi_notes(notes: Notes, grid: Grid, seconds: np.ndarray) -> list[Any]:
    """Convert the notes of one track to `pretty_midi.Note`s; `seconds` is each tick's time."""
    from pretty_midi import Note

    steps = np.stack([notes.start, notes.start + notes.length])
    begin, end = seconds[_ticks_of(steps, grid)].tolist()
    pitch = (notes.pitch + grid.lowest_pitch).tolist()
    return list(map(Note, notes.velocity.tolist(), pitch, begin, end))


def _ticks_of(steps: np.ndarray, grid: Grid) -> np.ndarray:
    """Return the ticks of steps in a written file."""
    return np.rint(steps * TICKS_PER_BEAT / grid.steps_per_quarter).astype(np.int64)
