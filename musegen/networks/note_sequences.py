"""Notes of phrases as sequences: x [batch track state bar step pitch] <-> padded columns.

The order is (step, track, pitch), so that every phrase is one sequence only.
"""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.nn import functional as F

from musegen.networks.states import States
from musegen.roll import Grid

Padded = Int[Tensor, "batch note"]
Chosen = Int[Tensor, " n"]


@dataclass
class NoteColumns:
    """Notes without an order: one for each of n phrases, or of any places in them."""

    step: Tensor
    track: Tensor
    pitch: Tensor
    length: Tensor

    def rows(self, rows: Tensor) -> "NoteColumns":
        return NoteColumns(*(getattr(self, name)[rows] for name in COLUMNS))


COLUMNS = tuple(f.name for f in fields(NoteColumns))


@dataclass
class PaddedNotes:
    """Notes of a batch of phrases, filled up with zeros; `count` [batch] of each are real."""

    step: Padded
    track: Padded
    pitch: Padded
    length: Padded
    count: Chosen

    def rows(self, rows: Tensor) -> "PaddedNotes":
        """Some of the phrases, no longer than the longest of them."""
        longest = int(self.count[rows].max())
        return PaddedNotes(*(c[rows][:, :longest] for c in self.columns), count=self.count[rows])

    @property
    def columns(self) -> list[Padded]:
        return [getattr(self, name) for name in COLUMNS]

    @property
    def real(self) -> Bool[Tensor, "batch note"]:
        place = torch.arange(self.step.shape[1], device=self.step.device)
        return place < self.count[:, None]

    def at(self, places: Tensor) -> NoteColumns:
        """The notes at some places, [batch place] bool; past the last there are none."""
        places = places[:, : self.step.shape[1]]
        return NoteColumns(*(column[places] for column in self.columns))


def pad_notes(notes: NoteColumns, phrase: Chosen, place: Chosen, batch: int) -> PaddedNotes:
    """Notes put at their places in their phrases."""
    count = torch.bincount(phrase, minlength=batch)
    longest = int(count.max()) if batch else 0
    padded = []
    for name in COLUMNS:
        column = count.new_zeros(batch, longest)
        column[phrase, place] = getattr(notes, name)
        padded.append(column)
    return PaddedNotes(*padded, count=count)


def to_notes(x: States) -> PaddedNotes:
    """Phrases as notes. What sounds without an onset after silence starts a note.

    >>> x = torch.zeros(1, 1, 2, 1, 4, 3)
    >>> x[0, 0, 0, 0, 1:3, 2] = 1
    >>> x[0, 0, 1, 0, 1, 2] = 1
    >>> notes = to_notes(x)
    >>> notes.step.tolist(), notes.pitch.tolist(), notes.length.tolist()
    ([[1]], [[2]], [[2]])
    """
    sounding, onset = (x > 0.5).flatten(3, 4).transpose(3, 4).unbind(2)
    sounding = sounding | onset
    starts = onset | (sounding & ~F.pad(sounding[..., :-1], (1, 0)))
    lasts = sounding & (F.pad(starts[..., 1:], (0, 1)) | ~F.pad(sounding[..., 1:], (0, 1)))
    batch, track, pitch, step = torch.nonzero(starts, as_tuple=True)
    length = torch.nonzero(lasts)[:, 3] - step + 1  # the n-th start is of the n-th last
    _, tracks, pitches, steps = starts.shape
    order = (((batch * steps + step) * tracks + track) * pitches + pitch).argsort()
    batch, notes = batch[order], NoteColumns(step, track, pitch, length).rows(order)
    count = torch.bincount(batch, minlength=len(x))
    place = torch.arange(len(batch), device=x.device) - (count.cumsum(0) - count)[batch]
    return pad_notes(notes, batch, place, len(x))


def to_x(notes: PaddedNotes, tracks: int, bars: int, grid: Grid) -> States:
    """The inverse of `to_notes`; of two notes on one pitch the later cuts the earlier."""
    steps, device = bars * grid.steps_per_bar, notes.step.device
    shape = (len(notes.count), tracks, steps, grid.pitches)
    batch, told = torch.nonzero(notes.real)[:, 0], notes.at(notes.real)
    place = (batch, told.track, told.step, told.pitch)
    onset = torch.zeros(shape, dtype=torch.bool, device=device)
    onset[place] = True
    end = torch.zeros(shape, dtype=torch.int64, device=device)
    end[place] = told.step + told.length
    here = torch.arange(steps, device=device)[:, None]
    latest = torch.where(onset, here, 0).cummax(2).values
    x = torch.stack([here < end.gather(2, latest), onset], 2).float()
    return x.unflatten(3, (bars, grid.steps_per_bar))


def notes_before(notes: PaddedNotes, steps: int, tracks: int) -> PaddedNotes:
    """At each place the note before it; first a beginning (step `steps`, track `tracks`)."""
    first = {"step": steps, "track": tracks, "pitch": 0, "length": 0}
    shifted = [F.pad(getattr(notes, name), (1, 0), value=first[name]) for name in COLUMNS]
    return PaddedNotes(*shifted, count=notes.count + 1)
