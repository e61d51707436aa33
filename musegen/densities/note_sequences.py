"""Phrases as sequences of notes: x [batch track state bar step pitch] <-> padded columns.

The order is (step, track, pitch), so that every phrase is exactly one sequence.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.nn import functional as F

from musegen.networks.states import States
from musegen.roll import DEFAULT_VELOCITY, Grid, Notes

NoteRows = Int[Tensor, "batch note attribute"]
"""x of a density over notes: (step, track, pitch, length, velocity) of each, padded with -1."""

Piece = Int[Tensor, "_ attribute"]
"""x of one piece: its notes, without padding."""

Kept = Bool[Tensor, "batch track bar"]
"""True for the bars of the tracks of the roll that are kept while the others are composed."""

Padded = Int[Tensor, "batch note"]
Indices = Int[Tensor, " n"]
Places = tuple[Indices, Indices]
"""The phrase of each note, and its position there."""


@dataclass
class NoteColumns:
    """Notes as columns of equal shape: one for each of n phrases, or of any positions in them."""

    step: Tensor
    track: Tensor
    pitch: Tensor
    length: Tensor

    def rows(self, rows: Tensor) -> "NoteColumns":
        """Select rows of all columns."""
        return NoteColumns(*(getattr(self, name)[rows] for name in COLUMNS))


COLUMNS = tuple(f.name for f in fields(NoteColumns))


@dataclass
class PaddedNotes:
    """The notes of a batch of phrases, padded with zeros; `count` [batch] of each are notes."""

    step: Padded
    track: Padded
    pitch: Padded
    length: Padded
    count: Indices

    def rows(self, rows: Tensor) -> "PaddedNotes":
        """Select phrases, padded to the longest of them."""
        longest = int(self.count[rows].max())
        return PaddedNotes(*(c[rows][:, :longest] for c in self.columns), count=self.count[rows])

    @property
    def columns(self) -> list[Padded]:
        """Return the columns without the count."""
        return [getattr(self, name) for name in COLUMNS]

    @property
    def is_note(self) -> Bool[Tensor, "batch note"]:
        """Return which entries are notes, not padding."""
        position = torch.arange(self.step.shape[1], device=self.step.device)
        return position < self.count[:, None]

    @cached_property
    def places(self) -> Places:
        """Return the places of all notes; a device that is asked makes the processor wait."""
        phrase, position = self.is_note.nonzero(as_tuple=True)
        return phrase, position

    def to(self, device: torch.device) -> "PaddedNotes":
        """Copy to a device, with the places, which are found here."""
        columns, places = (torch.stack(parts) for parts in (self.columns, self.places))
        copied = PaddedNotes(*columns.to(device), count=self.count.to(device))
        phrase, position = places.to(device)
        copied.places = phrase, position
        return copied

    def at(self, phrase: Indices, position: Indices) -> NoteColumns:
        """Select the entries at positions in phrases."""
        return NoteColumns(*(column[phrase, position] for column in self.columns))


def pad_notes(
    notes: NoteColumns, phrase: Indices, position: Indices, phrase_count: int
) -> PaddedNotes:
    """Put notes at their positions in their phrases."""
    count = torch.bincount(phrase, minlength=phrase_count)
    longest = int(count.max()) if phrase_count else 0
    padded = []
    for name in COLUMNS:
        column = count.new_zeros(phrase_count, longest)
        column[phrase, position] = getattr(notes, name)
        padded.append(column)
    return PaddedNotes(*padded, count=count)


def to_notes(x: States) -> PaddedNotes:
    """Convert phrases to notes; what sounds without an onset after silence starts a note.

    >>> x = torch.zeros(1, 1, 2, 1, 4, 3)
    >>> x[0, 0, 0, 0, 1:3, 2] = 1
    >>> x[0, 0, 1, 0, 1, 2] = 1
    >>> notes = to_notes(x)
    >>> notes.step.tolist(), notes.pitch.tolist(), notes.length.tolist()
    ([[1]], [[2]], [[2]])
    """
    lines = (x > 0.5).flatten(3, 4).transpose(3, 4)  # [batch track state pitch bar*step]
    sounding, onset = lines.unbind(2)
    sounding = sounding | onset
    starts = onset | (sounding & ~F.pad(sounding[..., :-1], (1, 0)))
    lasts = sounding & (F.pad(starts[..., 1:], (0, 1)) | ~F.pad(sounding[..., 1:], (0, 1)))
    phrase, track, pitch, step = torch.nonzero(starts, as_tuple=True)
    length = torch.nonzero(lasts)[:, 3] - step + 1  # the n-th start belongs to the n-th last step
    _, tracks, pitches, steps = starts.shape
    order = (((phrase * steps + step) * tracks + track) * pitches + pitch).argsort()
    phrase, notes = phrase[order], NoteColumns(step, track, pitch, length).rows(order)
    count = torch.bincount(phrase, minlength=len(x))
    position = torch.arange(len(phrase), device=x.device) - (count.cumsum(0) - count)[phrase]
    return pad_notes(notes, phrase, position, len(x))


def to_x(notes: PaddedNotes, tracks: int, bars: int, grid: Grid) -> States:
    """Invert `to_notes`; of two notes on one pitch the later cuts the earlier."""
    steps, device = bars * grid.steps_per_bar, notes.step.device
    shape = (len(notes.count), tracks, steps, grid.pitches)
    phrase, position = notes.places
    note = notes.at(phrase, position)
    cell = (phrase, note.track, note.step, note.pitch)
    onset = torch.zeros(shape, dtype=torch.bool, device=device)
    onset[cell] = True
    end = torch.zeros(shape, dtype=torch.int64, device=device)
    end[cell] = note.step + note.length
    step = torch.arange(steps, device=device)[:, None]
    latest_onset = torch.where(onset, step, 0).cummax(2).values
    x = torch.stack([step < end.gather(2, latest_onset), onset], 2).float()
    return x.unflatten(3, (bars, grid.steps_per_bar))  # [batch track state bar step pitch]


def previous_notes(notes: PaddedNotes, steps: int, tracks: int) -> PaddedNotes:
    """Shift by one: at each position the note before it, at the first a start token.

    The start token has step `steps` and track `tracks`, which no note has.
    """
    start = {"step": steps, "track": tracks, "pitch": 0, "length": 0}
    shifted = [F.pad(getattr(notes, name), (1, 0), value=start[name]) for name in COLUMNS]
    return PaddedNotes(*shifted, count=notes.count + 1)


def to_rows(phrases: Sequence[Notes]) -> NoteRows:
    """Convert the notes of phrases to x of a density.

    >>> one = Notes(*(np.array([number]) for number in (4, 0, 2, 1, 90)))
    >>> to_rows([one, one[:0]]).tolist()
    [[[0, 4, 2, 1, 90]], [[-1, -1, -1, -1, -1]]]
    """
    return pad_pieces([torch.from_numpy(_columns(notes)) for notes in phrases])


def pad_pieces(pieces: Sequence[Piece]) -> NoteRows:
    """Lay the notes of pieces side by side, padded with -1."""
    return torch.nn.utils.rnn.pad_sequence([*pieces], batch_first=True, padding_value=-1)


def _columns(notes: Notes) -> np.ndarray:
    columns = (notes.start, notes.track, notes.pitch, notes.length, notes.velocity)
    return np.stack(columns, 1).astype(np.int64)


def from_rows(x: NoteRows) -> list[Notes]:
    """Return the notes of each piece, in order, from rows as `to_rows` returns them."""
    columns = [rows[rows[:, 0] >= 0].T for rows in x.cpu().numpy()]
    return [Notes(c[1], c[0], c[2], c[3], c[4]).ordered() for c in columns]


def rows_of(notes: PaddedNotes) -> NoteRows:
    """Return notes as x of a density, with one velocity."""
    velocity = torch.full_like(notes.step, DEFAULT_VELOCITY)
    rows = torch.stack([*notes.columns, velocity], 2)
    return rows.masked_fill(~notes.is_note[:, :, None], -1)


def without_velocity(rows: NoteRows) -> PaddedNotes:
    """Return the notes of rows, padded and without their velocities: `rows_of` inverted."""
    columns = rows[..., : len(COLUMNS)].clamp(min=0).unbind(2)
    return PaddedNotes(*columns, count=(rows[..., 0] >= 0).sum(1))


def pad_rows(notes: Int[Tensor, "n attribute"], phrase: Indices, batch: int) -> NoteRows:
    """Collect the notes of each phrase in their order, padded with -1.

    >>> pad_rows(torch.tensor([[7], [8], [9]]), torch.tensor([1, 0, 1]), 2)[..., 0].tolist()
    [[8, -1], [7, 9]]
    """
    order = phrase.argsort(stable=True)
    phrase, count = phrase[order], torch.bincount(phrase, minlength=batch)
    position = torch.arange(len(phrase), device=phrase.device)
    position = position - (count.cumsum(0) - count)[phrase]
    longest = int(count.max()) if len(count) else 0
    padded = notes.new_full((batch, longest, notes.shape[1]), -1)
    padded[phrase, position] = notes[order]
    return padded


def moved(x: NoteRows, steps: int) -> NoteRows:
    """Return notes some steps later."""
    later = x.clone()
    later[..., 0] = torch.where(x[..., 0] < 0, -1, x[..., 0] + steps)
    return later


def between(x: NoteRows, first: int, end: int) -> NoteRows:
    """Return the notes that start from step `first` to before `end`, which is counted from there.

    >>> between(torch.tensor([[[3, 0, 60, 2, 90], [5, 0, 64, 2, 90]]]), 4, 8)[0, :, 0].tolist()
    [-1, 1]
    """
    inside = (x[..., :1] >= first) & (x[..., :1] < end)
    return moved(torch.where(inside, x, -1), -first)


def join_rows(
    kept: NoteRows, composed: Int[Tensor, "batch composed attribute"], grid: Grid, steps: int
) -> Int[Tensor, "batch both attribute"]:
    """Return the kept notes, as they are, and the composed ones, cut as in `cut_overlaps`.

    Those that start while a kept note sounds on their track and pitch are left out.
    """
    both = torch.cat([kept, composed], 1)
    is_kept = torch.arange(both.shape[1], device=both.device) < kept.shape[1]
    is_kept = is_kept & (both[..., 0] >= 0)
    step, track, pitch, length, _ = both.unbind(2)
    line = torch.where(step < 0, -1, track * grid.pitches + pitch) * 2 * steps
    order = (line + step).argsort(dim=1, stable=True)
    until = torch.where(is_kept, line + step + length, -2 * steps).gather(1, order)
    sounds = until.cummax(1).values > (line + step).gather(1, order)
    sounds = torch.empty_like(sounds).scatter(1, order, sounds)
    stays = (step >= 0) & (is_kept | ~sounds)
    cut = torch.where(is_kept[..., None], both, cut_overlaps(both, grid, steps))
    return pad_rows(cut[stays], torch.nonzero(stays)[:, 0], len(both))


def cut_overlaps(x: NoteRows, grid: Grid, steps: int) -> NoteRows:
    """Cut each note where a later one starts on its track and pitch, and at the end."""
    step, track, pitch, length, _ = x.unbind(2)
    line = torch.where(step < 0, -1, track * grid.pitches + pitch)
    order = (line * steps + step).argsort(dim=1, stable=True)
    ordered_line, ordered_step = line.gather(1, order), step.gather(1, order)
    follows = F.pad(ordered_line[:, 1:] == ordered_line[:, :-1], (0, 1))
    until = torch.where(follows, F.pad(ordered_step[:, 1:], (0, 1)), steps) - ordered_step
    until = torch.empty_like(until).scatter(1, order, until)
    cut = x.clone()
    cut[..., 3] = torch.where(step < 0, -1, torch.minimum(length, until))
    return cut
