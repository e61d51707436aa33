"""Looking back: what stood at a place some bars ago, and which pitch classes sound there.

Notes are laid on grids, from which each question about a place is answered by a few look-ups. The
same look-ups serve a phrase whose notes are all known and one that is being sampled: what comes
after the place is masked out.
"""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int, Int32
from torch import Tensor
from torch.nn import functional as F

from musegen.densities.note_sequences import Indices
from musegen.networks.states import OCTAVE
from musegen.roll import Grid
from musegen.tracks import Track

ADVANCE_BARS = 3
"""Bars over which an advance has a choice for each step; beyond there is one for all."""

LENGTH_BARS = 4
"""Bars of the longest note; longer ones are cut."""

VELOCITIES = 128
"""MIDI's velocities; that of a note is 1 to 127."""

NEVER = torch.iinfo(torch.int32).max
"""The step of what has not been played."""

Cells = Int32[Tensor, "n lag pitch"]
"""Notes of a track that start at the lags before a step."""

Patterns = Int[Tensor, "n choice"]
"""For each candidate the lags at which it stood: the bit of each lag."""

PitchClasses = Float[Tensor, "n pitch_class"]


@dataclass
class Note:
    """Attributes of n notes, or of padded sequences of them.

    `track`: in the order of playing; `length`: 1 to the longest; `velocity`: 1 to 127. Before the
    first note stands the start: step 0, track and pitch -1.
    """

    step: Tensor
    track: Tensor
    pitch: Tensor
    length: Tensor
    velocity: Tensor

    def __getitem__(self, index: Tensor | slice | tuple) -> "Note":
        return Note(*(column[index] for column in self.columns))

    @property
    def columns(self) -> list[Tensor]:
        return [getattr(self, f.name) for f in fields(self)]

    @classmethod
    def start(cls, count: int, device: torch.device) -> "Note":
        """Return `count` starts."""
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
        bass = bass_of(tracks)
        rest = [n for n in range(len(tracks)) if n not in drums and n != bass]
        order = (*drums, *([] if bass is None else [bass]), *rest)
        is_drum = tuple(tracks[n].is_drum for n in order)
        return cls(grid, order, is_drum, None if bass is None else len(drums), lags)

    @property
    def tracks(self) -> int:
        return len(self.order)

    @property
    def pitches(self) -> int:
        return self.grid.pitches

    @property
    def bar(self) -> int:
        """Return the steps of a bar."""
        return self.grid.steps_per_bar

    @property
    def lag_steps(self) -> tuple[int, ...]:
        return tuple(lag * self.bar for lag in self.lags)

    @property
    def reach(self) -> int:
        """Return the steps of the longest lag."""
        return max(self.lag_steps, default=0)

    @property
    def advances(self) -> int:
        """Return the number of advances with a choice of their own."""
        return ADVANCE_BARS * self.bar

    @property
    def longest(self) -> int:
        """Return the length of the longest note, in steps."""
        return LENGTH_BARS * self.bar

    @property
    def patterns(self) -> int:
        """Return the number of sets of lags."""
        return 2 ** len(self.lags)


def bass_of(tracks: tuple[Track, ...]) -> int | None:
    """Return the bass: the track of its family or name, else the last that is no drum.

    Scores are written from the highest part down.
    """
    melodic = [n for n, track in enumerate(tracks) if not track.is_drum]
    named = [n for n in melodic if tracks[n].family == "bass" or tracks[n].name.lower() == "bass"]
    return next(iter(named or melodic[::-1]), None)


def lengths_and_velocities(cells: Tensor) -> tuple[Tensor, Tensor]:
    """Return the length and velocity of the notes in cells; 0 where there is none."""
    code = cells.long()
    return code // VELOCITIES, code % VELOCITIES


GRIDS = ("cells", "patterns", "starts", "sounding", "first")
"""Grids of a history, with a row for each piece."""


class History:
    """Notes so far, of a batch of pieces of `steps` steps, on grids of rows and steps.

    Their numbers are of the type and on the device of `like`.

    `cells` [row step track pitch]: 0, or the length and velocity of the note that starts there;
    `patterns` [row step track]: the lags at which any note of the track starts; `starts` and
    `sounding` [row step classes]: how many notes start and sound, drums excepted, by pitch class,
    then those of the bass alone. Where notes are appended one by one, there are no `starts`.
    `ages`: the most steps for which a track's last note has each age but that of none; `first`
    [row track value]: the step at which a track first plays each pitch, then each velocity.
    """

    def __init__(self, layout: Layout, batch: int, steps: int, like: Tensor):
        device = like.device
        self.layout, self.before = layout, max(layout.reach, layout.bar)
        self.row = torch.arange(batch, device=device)
        padded = self.before + steps + layout.longest
        self.cells = torch.zeros(
            (batch, self.before + steps, layout.tracks, layout.pitches),
            dtype=torch.int32,
            device=device,
        )
        self.patterns = torch.zeros(
            (batch, steps + max(layout.reach, layout.advances), layout.tracks),
            dtype=torch.long,
            device=device,
        )
        self.starts = like.new_zeros(batch, padded, 2 * OCTAVE)
        self.sounding = torch.zeros_like(self.starts)
        values = layout.pitches + VELOCITIES
        self.first = like.new_full((batch, layout.tracks, values), NEVER, dtype=torch.long)
        bar = layout.bar
        self.ages = torch.tensor((bar, 4 * bar, NEVER - 1), device=device)
        self.melodic = ~torch.tensor(layout.is_drum, device=device)
        self.lags = torch.tensor(layout.lag_steps, dtype=torch.long, device=device)
        self.bits = 2 ** torch.arange(len(layout.lags), device=device)
        self._bits = self.bits[:, None]
        most = max(2 * layout.longest + layout.bar + 1, layout.pitches, layout.tracks, OCTAVE)
        self._numbers = torch.arange(most, device=device)
        self._back = self.before - self.lags
        self._offsets = OCTAVE * self.numbers(2 * layout.longest)
        self._counted = self._counts().to(like)
        self._valid = self._valid_bits()
        self._summed = self._windows().to(like)

    def numbers(self, count: int) -> Int[Tensor, " number"]:
        """Return 0, 1 .. count - 1."""
        return self._numbers[:count]

    def _counts(self) -> Bool[Tensor, "track length step_kind"]:
        """Return if a note of a track and length sounds, from its start on, and as the bass."""
        is_bass = self.is_bass(self.numbers(self.layout.tracks))
        kinds = torch.stack([self.melodic, self.melodic & is_bass], 1)
        step, length = self.numbers(self.layout.longest), self.numbers(self.layout.longest + 1)
        is_on = step < length[:, None]
        return (is_on[:, :, None] & kinds[:, None, None]).flatten(2)  # [track length step*kind]

    def _valid_bits(self) -> Int[Tensor, "last advance track"]:
        """Return the bits of the lags that reach back, from each advance, to known notes.

        For each track of the last note, up to which they are known; before the first note -1.
        """
        advance = self.numbers(self.layout.advances)[:, None]
        relations = (advance < self.lags, advance == self.lags)
        before, present = (self.as_bits(relation[..., None]) for relation in relations)
        track = self.numbers(self.layout.tracks)
        so_far = track <= F.pad(track, (0, 1), value=-1)[:, None, None]  # [last 1 track]
        return before | present * so_far

    def _windows(self) -> Bool[Tensor, "advance sum within"]:
        """Return what is summed for each advance, of the steps from a bar before the last note.

        The step itself, the bar before it, and what has passed since the last note.
        """
        bar, within = self.layout.bar, self.numbers(self._within)
        here = self.numbers(self._within + 1)[:, None] + bar
        passed = within < here
        sums = (within == here, (here - bar <= within) & passed, (bar <= within) & passed)
        return torch.stack(sums, 1)

    @property
    def _within(self) -> int:
        """Return the steps from a bar before a note to its longest end: nothing sounds beyond."""
        return self.layout.bar + self.layout.longest

    def is_bass(self, track: Tensor) -> Tensor:
        """Return where a track is the bass."""
        return track == (-1 if self.layout.bass is None else self.layout.bass)

    def keep(self, rows: Indices) -> None:
        """Take these pieces of the batch, one perhaps several times."""
        self.row = torch.arange(len(rows), device=rows.device)
        for name in GRIDS:
            setattr(self, name, getattr(self, name)[rows])

    def replace(self, rows: Indices, others: Indices) -> None:
        """Put other pieces of the batch in the places of these."""
        for name in GRIDS:
            grid = getattr(self, name)
            grid[rows] = grid[others]

    def add(self, row: Indices, note: Note) -> None:
        """Lay notes on the grids."""
        self._lay(row, note)
        for bit, lag in enumerate(self.layout.lag_steps):
            self.patterns[row, note.step + lag, note.track] |= 1 << bit
        places, counts = (row, note.step + self.before), self._counted[note.track, 1]
        for kind in (0, 1):
            pitch_class = note.pitch % OCTAVE + OCTAVE * kind
            self.starts.index_put_((*places, pitch_class), counts[:, kind], accumulate=True)

    def append(self, row: Indices, note: Note) -> None:
        """Lay one note of each of these rows on the grids, which is not among the `starts`."""
        self._lay(row, note)
        at = note.step[:, None] + self.lags
        self.patterns[row[:, None], at, note.track[:, None]] |= self.bits

    def _lay(self, row: Indices, note: Note) -> None:
        at = note.step + self.before
        code = note.length * VELOCITIES + note.velocity
        self.cells[row, at, note.track, note.pitch] = code.to(self.cells.dtype)
        line = (row * self.layout.tracks + note.track) * self.first.shape[2]
        places = torch.cat([line + note.pitch, line + (note.velocity + self.layout.pitches)])
        step = note.step.repeat(2)
        self.first.view(-1).scatter_reduce_(0, places, step, "amin")  # [row*track*value]
        first = (row * self.sounding.shape[1] + at) * (2 * OCTAVE) + note.pitch % OCTAVE
        cells = first[:, None] + self._offsets  # [n step*2]
        counts = self._counted[note.track, note.length]  # [n step*2]
        sounding = self.sounding.view(-1)  # [row*step*classes]
        sounding.index_add_(0, cells.view(-1), counts.view(-1))  # [n*step*2]

    def as_bits(self, present: Bool[Tensor, "n lag choice"]) -> Patterns:
        """Convert the lags to the bit of each."""
        return (present * self._bits).sum(1)

    def at_lags(self, step: Indices) -> Int[Tensor, "n lag"]:
        """Return where each lag before a step is on the grids."""
        return step[:, None] + self._back

    def lagged_cells(self, row: Indices, at: Int[Tensor, "n lag"], track: Indices) -> Cells:
        """Return the cells of all pitches of a track at the lags."""
        return self.cells[row[:, None], at, track[:, None]]

    def cell_patterns(self, row: Indices, step: Indices, track: Indices) -> Patterns:
        """Return the lags at which a note of the track starts on each pitch, [n pitch]."""
        return self.as_bits(self.lagged_cells(row, self.at_lags(step), track).bool())

    def used(
        self, row: Indices, step: Indices, track: Indices
    ) -> tuple[Bool[Tensor, "n pitch"], Bool[Tensor, "n velocity"]]:
        """Return the pitches and the velocities that a track has played before a step."""
        used = self.first[row, track] < step[:, None]
        return used[:, : self.layout.pitches], used[:, self.layout.pitches :]

    def track_patterns(self, row: Indices, step: Indices) -> Patterns:
        """Return the lags at which any note of each track starts, [n track]."""
        return self.patterns[row, step]

    def patterns_ahead(self, row: Indices, last: Note) -> Int[Tensor, "n advance track"]:
        """Return the same for each advance from the last note: only of notes up to it."""
        tracks, advances = self.layout.tracks, self.layout.advances
        windows = self.patterns.flatten(1).unfold(1, advances * tracks, tracks)  # [row step ahead]
        ahead = windows[row, last.step].unflatten(1, (advances, tracks))  # [n advance track]
        return ahead & self._valid[last.track]

    def remaining_patterns(
        self, here: Patterns, last: Note, of_last: Int[Tensor, "n pitch"]
    ) -> Patterns:
        """Return, of the patterns at the last note's step, what comes after it, [n track].

        `of_last`: those of each pitch of its track.
        """
        is_above = self.numbers(self.layout.pitches) > last.pitch[:, None]
        above = is_above * of_last
        bits = (above[:, :, None] & self.bits).amax(1).sum(1)
        track, last_track = self.numbers(self.layout.tracks), last.track[:, None]
        return (track == last_track) * bits[:, None] + (track > last_track) * here

    def classes_at(
        self, row: Indices, step: Indices, started: Float[Tensor, "n classes"]
    ) -> Float[Tensor, "n classes"]:
        """Return what sounds at steps before the next note, of which `started` starts there."""
        at = step + self.before
        return self.sounding[row, at] - self.starts[row, at] + started

    def class_patterns(self, row: Indices, at: Int[Tensor, "n lag"]) -> Patterns:
        """Return the lags at which each pitch class sounds, [n pitch_class]."""
        return self.as_bits(self.sounding[row[:, None], at, :OCTAVE].bool())

    def sums(self, last: Indices, advance: Indices) -> Float[Tensor, "row sum classes"]:
        """Return what sounds in each row where one is, `advance` steps after the step `last`.

        First there, then summed over the bar before, and over the steps from `last` on.
        """
        classes = self.sounding.shape[2]
        rows = self.sounding.flatten(1)  # [row step*classes]
        windows = rows.unfold(1, self._within * classes, classes)  # [row step within*classes]
        window = windows[self.row, last + (self.before - self.layout.bar)]
        window = window.view(-1, self._within, classes)  # [row within classes]
        return self._summed.index_select(0, advance.clamp(max=self._within)) @ window

    def totals(self) -> tuple[Tensor, Tensor]:
        """Return the steps that each pitch class sounded, before each step of known pieces.

        Over the bar before, and over all before; [row step pitch_class].
        """
        sounding, bar = self.sounding[:, self.before :, :OCTAVE], self.layout.bar
        earlier = F.pad(sounding, (0, 0, 1, 0)).cumsum(1)
        until_bar = F.pad(earlier, (0, 0, bar, 0))[:, : earlier.shape[1]]
        return earlier - until_bar, earlier
