"""Looking back: what stood at a place some bars ago, and which pitch classes sound there.

Notes are laid on grids, from which each question about a place is answered by a few look-ups. The
same look-ups serve a phrase whose notes are all known and one that is being sampled: what comes
after the place is masked out.
"""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Float, Int, UInt8
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

LEVELS = 8
"""Levels of velocity."""

LEVEL_VELOCITIES = 128 // LEVELS
"""Velocities of one level."""

Patterns = UInt8[Tensor, "n choice"]
"""For each candidate the lags at which it stood: the bit of each lag."""

PitchClasses = Float[Tensor, "n pitch_class"]


@dataclass
class Note:
    """Attributes of n notes, or of padded sequences of them.

    `track`: in the order of playing; `length`: 1 to the longest; `level`: of velocity, from 0.
    Before the first note stands the start: step 0, track and pitch -1.
    """

    step: Tensor
    track: Tensor
    pitch: Tensor
    length: Tensor
    level: Tensor

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


class History:
    """Notes so far, of a batch of pieces of `steps` steps, on grids of rows and steps.

    Their numbers are of the type and on the device of `like`.

    `cells` [row step track pitch]: 0, or 1 + a code of length and level of the note that starts
    there; `patterns` [row step track]: the lags at which any note of the track starts; `starts`
    and `sounding` [row step classes]: how many notes start and sound, drums excepted, by pitch
    class, then those of the bass alone.
    """

    def __init__(self, layout: Layout, batch: int, steps: int, like: Tensor):
        device = like.device
        self.layout, self.before = layout, max(layout.reach, layout.bar)
        padded = self.before + steps + layout.longest
        self.cells = torch.zeros(
            (batch, self.before + steps, layout.tracks, layout.pitches),
            dtype=torch.int16,
            device=device,
        )
        self.patterns = torch.zeros(
            (batch, steps + max(layout.reach, layout.advances), layout.tracks),
            dtype=torch.uint8,
            device=device,
        )
        self.starts = like.new_zeros(batch, padded, 2 * OCTAVE)
        self.sounding = torch.zeros_like(self.starts)
        self.melodic = ~torch.tensor(layout.is_drum, device=device)
        self.lags = torch.tensor(layout.lag_steps, dtype=torch.long, device=device)
        self.bits = (2 ** torch.arange(len(layout.lags), device=device)).to(torch.uint8)
        most = max(layout.longest, layout.pitches, layout.tracks, OCTAVE)
        self._numbers = torch.arange(most, device=device)
        self._valid = self._valid_bits()

    def numbers(self, count: int) -> Int[Tensor, " number"]:
        """Return 0, 1 .. count - 1."""
        return self._numbers[:count]

    def _valid_bits(self) -> tuple[Tensor, Tensor]:
        """Bits of the lags that lie, from each advance, before the present step, and at it."""
        advance = self.numbers(self.layout.advances)[:, None]
        relations = (advance < self.lags, advance == self.lags)
        before, present = (self.as_bits(relation) for relation in relations)
        return before[:, None], present[:, None]  # [advance 1]

    def is_bass(self, track: Tensor) -> Tensor:
        """Return where a track is the bass."""
        return track == (-1 if self.layout.bass is None else self.layout.bass)

    def keep(self, rows: Tensor) -> None:
        """Drop all pieces of the batch but these."""
        for name in ("cells", "patterns", "starts", "sounding"):
            setattr(self, name, getattr(self, name)[rows])

    def add(self, row: Indices, note: Note) -> None:
        """Lay notes on the grids."""
        at = note.step + self.before
        code = 1 + (note.length - 1) * LEVELS + note.level
        self.cells[row, at, note.track, note.pitch] = code.to(torch.int16)
        for bit, lag in enumerate(self.layout.lag_steps):
            self.patterns[row, note.step + lag, note.track] |= 1 << bit
        self._sound(row, at, note)

    def _sound(self, row: Indices, at: Indices, note: Note) -> None:
        melodic, pitch_class = self.melodic[note.track].to(self.starts), note.pitch % OCTAVE
        of_bass = melodic * self.is_bass(note.track)
        within = self.numbers(self.layout.longest)
        is_on = within < note.length[:, None]  # [n step]
        first = (row * self.starts.shape[1] + at) * 2 * OCTAVE + pitch_class
        cells = first[:, None] + 2 * OCTAVE * within
        for offset, counts in ((0, melodic), (OCTAVE, of_bass)):
            starts, sounding = self.starts.view(-1), self.sounding.view(-1)  # [row*step*classes]
            starts.index_add_(0, first + offset, counts)
            sounds = is_on * counts[:, None]
            sounding.index_add_(0, (cells + offset).flatten(), sounds.flatten())  # [n*step]

    def as_bits(self, present: Tensor) -> Tensor:
        """Convert [n lag ..] to the bit of each lag, [n ..]."""
        bits = self.bits.view(-1, *[1] * (present.dim() - 2))  # [lag 1 ..]
        return (present * bits).sum(1, dtype=torch.uint8)

    def cell_patterns(self, row: Indices, step: Indices, track: Indices) -> Patterns:
        """Return the lags at which a note of the track starts on each pitch, [n pitch]."""
        at = step[:, None] + self.before - self.lags
        return self.as_bits(self.cells[row[:, None], at, track[:, None]] > 0)

    def track_patterns(self, row: Indices, step: Indices) -> Patterns:
        """Return the lags at which any note of each track starts, [n track]."""
        return self.patterns[row, step]

    def patterns_ahead(self, row: Indices, last: Note) -> UInt8[Tensor, "n advance track"]:
        """Return the same for each advance from the last note: only of notes up to it."""
        advance = self.numbers(self.layout.advances)
        found = self.patterns[row[:, None], last.step[:, None] + advance]
        before, present = self._valid
        track = self.numbers(self.layout.tracks)
        so_far = (track <= last.track[:, None])[:, None]  # [n 1 track]
        return found & (before | present * so_far)

    def remaining_patterns(
        self, here: Patterns, last: Note, of_last: UInt8[Tensor, "n pitch"]
    ) -> Patterns:
        """Return, of the patterns at the last note's step, what comes after it, [n track].

        `of_last`: those of each pitch of its track.
        """
        above = of_last * (self.numbers(self.layout.pitches) > last.pitch[:, None])
        bits = (above[:, :, None] & self.bits).amax(1).sum(1, dtype=torch.uint8)
        track, last_track = self.numbers(self.layout.tracks), last.track[:, None]
        own = (track == last_track) * bits[:, None]
        return torch.where(track > last_track, here, own)

    def lagged_notes(
        self, row: Indices, step: Indices, track: Indices, pitch: Indices
    ) -> tuple[Tensor, Tensor]:
        """Return length and level of the notes on the same cell at the lags, [n lag].

        Where there is none the length is 0 and the level -1.
        """
        at = step[:, None] + self.before - self.lags
        cells = self.cells[row[:, None], at, track[:, None], pitch[:, None]].long()
        code = cells - 1
        return code.div(LEVELS, rounding_mode="floor") + 1, torch.where(
            cells > 0, code % LEVELS, -1
        )

    def classes_at(
        self, row: Indices, step: Indices, started: Float[Tensor, "n classes"]
    ) -> Float[Tensor, "n classes"]:
        """Return what sounds at steps before the next note, of which `started` starts there."""
        at = step + self.before
        return self.sounding[row, at] - self.starts[row, at] + started

    def class_patterns(self, row: Indices, step: Indices) -> Patterns:
        """Return the lags at which each pitch class sounds, [n pitch_class]."""
        at = step[:, None] + self.before - self.lags
        return self.as_bits(self.sounding[row[:, None], at, :OCTAVE] > 0)

    def sounding_from(
        self, step: Indices, steps: Int[Tensor, " within"]
    ) -> Float[Tensor, "row within pitch_class"]:
        """Return what sounds in each row, in these steps from `step` on."""
        row, at = torch.arange(len(step), device=step.device), step + self.before
        return self.sounding[row[:, None], at[:, None] + steps, :OCTAVE]

    def totals(self) -> tuple[Tensor, Tensor]:
        """Return the steps that each pitch class sounded, before each step of known pieces.

        Over the bar before, and over all before; [row step pitch_class].
        """
        sounding, bar = self.sounding[:, self.before :, :OCTAVE], self.layout.bar
        earlier = F.pad(sounding, (0, 0, 1, 0)).cumsum(1)
        until_bar = F.pad(earlier, (0, 0, bar, 0))[:, : earlier.shape[1]]
        return earlier - until_bar, earlier
