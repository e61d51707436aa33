"""Looking back: what stood at a place some bars ago, and which pitch classes sound there.

Notes are laid on grids, from which each question about a place is answered by a few look-ups. The
same look-ups serve phrases whose notes are all known, in torch, and those that are being sampled,
in numpy: what comes after the place is masked out.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int, Int8
from torch import Tensor
from torch.nn import functional as F

from core.densities.arrays import Array, Indices, any_bits, filled
from musegen.networks.states import OCTAVE
from musegen.roll import Grid
from musegen.tracks import Track, lowest_track

ADVANCE_BARS = 3
"""Bars over which an advance has a choice for each step; beyond there is one for all."""

LENGTH_BARS = 4
"""Bars of the longest note; longer ones are cut."""

INTERVAL = 24
"""Semitones up and down within which the interval to the track's last note is seen."""

VELOCITIES = 128
"""MIDI's velocities; that of a note is 1 to 127."""

NEVER = torch.iinfo(torch.int32).max
"""The step of what has not been played."""

Patterns = Int[Array, "n choice"]
"""For each candidate the lags at which it stood: the bit of each lag."""


@dataclass
class Note:
    """Attributes of n notes, or of padded sequences of them.

    `track`: in the order of playing; `length`: 1 to the longest; `velocity`: 1 to 127. Before the
    first note stands the start: step 0, track and pitch -1.
    """

    step: Array
    track: Array
    pitch: Array
    length: Array
    velocity: Array

    def __getitem__(self, index: Array | slice | tuple) -> "Note":
        return Note(*(column[index] for column in self.columns))

    @property
    def columns(self) -> list[Array]:
        return [self.step, self.track, self.pitch, self.length, self.velocity]

    def to(self, device: torch.device) -> "Note":
        """Copy tensors to a device."""
        return Note(*(column.to(device) for column in self.columns))

    @classmethod
    def start(cls, count: int, device: torch.device) -> "Note":
        """Return what stands before the first note of `count` pieces: no track and no pitch."""
        zero = torch.zeros(count, dtype=torch.long, device=device)
        return cls(zero, zero - 1, zero - 1, zero, zero)


@dataclass(frozen=True)
class Layout:
    """Sizes of what is looked at; tracks are in the order of playing: drums, bass, the others.

    `order`: the track of the roll at each place of that order; `lags`: in bars.
    """

    grid: Grid
    order: tuple[int, ...]
    is_drum: tuple[bool, ...]
    bass: int | None
    lags: tuple[int, ...]

    @classmethod
    def of(cls, grid: Grid, tracks: tuple[Track, ...], lags: tuple[int, ...]) -> "Layout":
        drums = [n for n, track in enumerate(tracks) if track.is_drum]
        lowest = lowest_track(tracks)
        bass = [lowest] if lowest >= 0 else []
        rest = [n for n in range(len(tracks)) if n not in (*drums, *bass)]
        order = (*drums, *bass, *rest)
        is_drum = tuple(tracks[n].is_drum for n in order)
        return cls(grid, order, is_drum, len(drums) if bass else None, lags)

    @cached_property
    def tracks(self) -> int:
        return len(self.order)

    @cached_property
    def pitches(self) -> int:
        return self.grid.pitches

    @cached_property
    def bar(self) -> int:
        """Return the number of steps in a bar."""
        return self.grid.steps_per_bar

    @cached_property
    def lag_steps(self) -> tuple[int, ...]:
        return tuple(lag * self.bar for lag in self.lags)

    @cached_property
    def reach(self) -> int:
        """Return the steps of the longest lag."""
        return max(self.lag_steps, default=0)

    @cached_property
    def advances(self) -> int:
        """Return the number of advances with a choice of their own."""
        return ADVANCE_BARS * self.bar

    @cached_property
    def longest(self) -> int:
        """Return the length of the longest note, in steps."""
        return LENGTH_BARS * self.bar

    @cached_property
    def patterns(self) -> int:
        """Return the number of sets of lags."""
        return 2 ** len(self.lags)


def coded(note: Note) -> Indices:
    """Return what is in the cells of notes: their length and velocity."""
    return note.length * VELOCITIES + note.velocity


def lengths_and_velocities(cells: Array) -> tuple[Array, Array]:
    """Return the length and velocity of the notes in cells; 0 where there is none."""
    return cells // VELOCITIES, cells % VELOCITIES


class History:
    """Notes so far, of a batch of pieces of `steps` steps, on grids of rows and steps.

    Their numbers are of the type and on the device of `like`.

    `cells` [row step track pitch]: 0, or the length and velocity of the note that starts there;
    `pitches` [row step track pitch] and `tracks` [row step track]: the lags at which a note of the
    pitch, and at which any note of the track starts; `starts` and `sounding` [row classes step]:
    how many notes start and sound, drums excepted, by pitch class, then those of the bass alone.
    `ages`: the most steps for which a track's last note has each age but that of none;
    `intervals`: from each pitch of a track's last note to each one, see `_intervals`; `first`
    [row track value]: the step at which a track first plays each pitch, then each velocity.
    """

    row: Indices
    cells: Int[Array, "row step track pitch"]
    tracks: Int8[Array, "row step track"]
    pitches: Int8[Array, "row step track pitch"]
    starts: Float[Array, "row classes step"]
    sounding: Float[Array, "row classes step"]
    first: Int[Array, "row track value"]

    def __init__(self, layout: Layout, batch: int, steps: int, like: Tensor):
        device = like.device
        self.layout, self.before = layout, max(layout.reach, layout.bar)
        self.row = torch.arange(batch, device=device)
        self.cells = torch.zeros(
            (batch, self.before + steps, layout.tracks, layout.pitches),
            dtype=torch.int32,
            device=device,
        )
        shape = (batch, steps + max(layout.reach, layout.advances + 1), layout.tracks)
        self.tracks = torch.zeros(shape, dtype=torch.int8, device=device)
        self.pitches = self.tracks.new_zeros(*shape, layout.pitches)
        padded = self.before + steps + layout.longest
        self.starts = like.new_zeros(batch, 2 * OCTAVE, padded)
        self.sounding = torch.zeros_like(self.starts)
        values = layout.pitches + VELOCITIES
        self.first = like.new_full((batch, layout.tracks, values), NEVER, dtype=torch.long)
        bar = layout.bar
        self.ages = filled((bar, 4 * bar, NEVER - 1), device)
        self.melodic = ~filled(layout.is_drum, device, torch.bool)
        self.lags = filled(layout.lag_steps, device)
        self.bits = 2 ** torch.arange(len(layout.lags), dtype=torch.int8, device=device)
        most = max(2 * layout.longest + layout.bar + 1, layout.pitches, layout.tracks, OCTAVE)
        self._numbers = torch.arange(most, device=device)
        self._back = self.before - self.lags
        self._bits = self.bits[:, None]
        pitch, track = self.numbers(layout.pitches), self.numbers(layout.tracks)
        self.intervals = _intervals(pitch)
        # before the first note -1: all are above it and after it
        self._above = F.pad(pitch > pitch[:, None], (0, 0, 0, 1), value=True)
        self._after = F.pad(track > track[:, None], (0, 0, 0, 1), value=True)
        self._same = F.pad(track == track[:, None], (0, 0, 0, 1))
        self._counted = self._counts().to(like)
        self._valid = self._valid_bits().to(self.tracks)

    def numbers(self, count: int) -> Int[Array, " number"]:
        """Return 0, 1 .. count - 1."""
        return self._numbers[:count]

    def _counts(self) -> Bool[Tensor, "track length kind step"]:
        """Return if a note of a track and length sounds, from its start on, and as the bass."""
        is_bass = self.is_bass(self.numbers(self.layout.tracks))
        kinds = torch.stack([self.melodic, self.melodic & is_bass], 1)
        step, length = self.numbers(self.layout.longest), self.numbers(self.layout.longest + 1)
        is_on = step < length[:, None]
        return is_on[:, None] & kinds[:, None, :, None]

    def _valid_bits(self) -> Int[Tensor, "last choice track"]:
        """Return the bits of the lags that reach back, from each advance, to known notes; none
        from further on.

        For each track of the last note, up to which they are known; before the first note -1.
        """
        advance = self.numbers(self.layout.advances)[:, None]
        relations = (advance < self.lags, advance == self.lags)
        before, present = (self.as_bits(relation[..., None]) for relation in relations)
        track = self.numbers(self.layout.tracks)
        so_far = track <= F.pad(track, (0, 1), value=-1)[:, None, None]  # [last 1 track]
        return F.pad(before | present * so_far, (0, 0, 0, 1))

    def is_bass(self, track: Array) -> Array:
        """Return where a track is the bass."""
        return track == (-1 if self.layout.bass is None else self.layout.bass)

    def add(self, row: Indices, note: Note) -> None:
        """Lay notes on the grids."""
        at = note.step + self.before
        self.cells[row, at, note.track, note.pitch] = coded(note).to(self.cells.dtype)
        for bit, lag in enumerate(self.layout.lag_steps):
            self.tracks[row, note.step + lag, note.track] |= 1 << bit
            self.pitches[row, note.step + lag, note.track, note.pitch] |= 1 << bit
        line = (row * self.layout.tracks + note.track) * self.first.shape[2]
        places = torch.cat([line + note.pitch, line + (note.velocity + self.layout.pitches)])
        self.first.view(-1).scatter_reduce_(0, places, note.step.repeat(2), "amin")  # [line*value]
        for kind in (0, OCTAVE):
            classes = note.pitch % OCTAVE + kind
            counts = self._counted[note.track, note.length, kind // OCTAVE]  # [n step]
            self.starts.index_put_((row, classes, at), counts[:, 0], accumulate=True)
            first = (row * self.sounding.shape[1] + classes) * self.sounding.shape[2] + at
            cells = first[:, None] + self.numbers(self.layout.longest)
            sounding = self.sounding.view(-1)  # [row*classes*step]
            sounding.index_add_(0, cells.view(-1), counts.reshape(-1))  # [n*step]

    def as_bits(self, present: Bool[Array, "n lag choice"]) -> Patterns:
        """Convert the lags to the bit of each."""
        return (present * self._bits).sum(1)

    def at_lags(self, step: Indices) -> Int[Array, "n lag"]:
        """Return where each lag before a step is on the grids."""
        return step[:, None] + self._back

    def lagged_cells(
        self, row: Indices, at: Int[Array, "n lag"], track: Indices, pitch: Indices
    ) -> Int[Array, "n lag"]:
        """Return the cells of a pitch of a track at the lags."""
        return self.cells[row[:, None], at, track[:, None], pitch[:, None]]

    def pitch_patterns(self, row: Indices, step: Indices, track: Indices) -> Patterns:
        """Return the lags at which a note of the track starts on each pitch, [n pitch]."""
        return self.pitches[row, step, track]

    def used(
        self, row: Indices, step: Indices, track: Indices
    ) -> tuple[Bool[Array, "n pitch"], Bool[Array, "n velocity"]]:
        """Return the pitches and the velocities that a track has played before a step."""
        used = self.first[row, track] < step[:, None]
        return used[:, : self.layout.pitches], used[:, self.layout.pitches :]

    def track_patterns(self, row: Indices, step: Indices) -> Patterns:
        """Return the lags at which any note of each track starts, [n track]."""
        return self.tracks[row, step]

    def patterns_ahead(self, row: Indices, last: Note) -> Int8[Array, "n choice track"]:
        """Return the same for each advance from the last note: only of notes up to it."""
        return self._tracks_ahead(row, last.step) & self._valid[last.track]

    def _tracks_ahead(self, row: Indices, step: Indices) -> Int8[Array, "n choice track"]:
        tracks, choices = self.layout.tracks, self.layout.advances + 1
        windows = self.tracks.flatten(1).unfold(1, choices * tracks, tracks)  # [row step ahead]
        return windows[row, step].unflatten(1, (choices, tracks))  # [n choice track]

    def remaining_patterns(
        self, here: Patterns, last: Note, of_last: Int8[Array, "n pitch"]
    ) -> Patterns:
        """Return, of the patterns at the last note's step, what comes after it, [n track].

        `of_last`: those of each pitch of its track.
        """
        bits = any_bits(self._above[last.pitch] * of_last, self.bits)
        return self._same[last.track] * bits[:, None] + self._after[last.track] * here

    def classes_at(
        self, row: Indices, step: Indices, started: Float[Tensor, "n classes"]
    ) -> Float[Tensor, "n classes"]:
        """Return what sounds at steps before the next note, of which `started` starts there."""
        at = step + self.before
        return self.sounding[row, :, at] - self.starts[row, :, at] + started

    def class_patterns(self, row: Indices, at: Int[Array, "n lag"]) -> Patterns:
        """Return the lags at which each pitch class sounds, [n pitch_class]."""
        return self.as_bits(self.sounding[row[:, None], :OCTAVE, at] > 0)

    def totals(self) -> tuple[Tensor, Tensor]:
        """Return the steps that each pitch class sounded, before each step of known pieces.

        Over the bar before, and over all before; [row step pitch_class].
        """
        sounding = self.sounding[:, :OCTAVE, self.before :]
        sounding = sounding.transpose(1, 2)  # [row step pitch_class]
        bar, earlier = self.layout.bar, F.pad(sounding, (0, 0, 1, 0)).cumsum(1)
        until_bar = F.pad(earlier, (0, 0, bar, 0))[:, : earlier.shape[1]]
        return earlier - until_bar, earlier


def _intervals(pitch: Indices) -> Int[Tensor, "own pitch"]:
    """Return the number of each interval, of which the widest are one.

    The last row, -1, is that of a track without a note.
    """
    interval = (pitch - pitch[:, None]).clamp(-INTERVAL, INTERVAL) + INTERVAL
    return F.pad(interval, (0, 0, 0, 1), value=2 * INTERVAL + 1)
