"""The likelihood of known phrases under the lookback network, all notes at once.

Shapes depend on how many notes there are. The processor counts them, before they are copied to the
device: what is counted there makes the processor wait for it.
"""

from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from core.densities.arrays import filled
from core.densities.transformer import Hidden
from core.theory.shapes import Losses
from musegen.densities.kept_notes import KeptNotes
from musegen.densities.lookback import VELOCITIES, History, Layout, Note
from musegen.densities.lookback_gates import Logits
from musegen.densities.lookback_network import LookbackNetwork
from musegen.densities.next_note import NO_NOTE, PROFILES, Attribute, NextNote
from musegen.densities.note_sequences import Indices, Kept, NoteRows
from musegen.networks.states import OCTAVE


class Played(NamedTuple):
    """Phrases in the order of playing, and the places of their notes.

    `row`, `position`: those of each note; `cut`: the numbers of the notes that sound to the end;
    `some_melodic`: whether any note is on a melodic track.
    """

    note: Note
    is_note: Bool[Tensor, "batch note"]
    row: Indices
    position: Indices
    cut: Indices
    some_melodic: bool

    @classmethod
    def of(cls, x: NoteRows, layout: Layout, steps: int) -> "Played":
        """Return phrases of `steps` steps that are on the processor."""
        note, is_note = to_playing_order(x, layout)
        row, position = torch.nonzero(is_note, as_tuple=True)
        each = note[row, position]
        cut = torch.nonzero(each.step + each.length == steps)[:, 0]
        is_drum = torch.tensor(layout.is_drum)[each.track]
        return cls(note, is_note, row, position, cut, not is_drum.all())

    def to(self, device: torch.device) -> "Played":
        """Copy the phrases to a device."""
        tensors = (self.is_note, self.row, self.position, self.cut)
        copies = (one.to(device) for one in tensors)
        return Played(self.note.to(device), *copies, some_melodic=self.some_melodic)

    def are_kept(self, kept: Kept, layout: Layout) -> Bool[Tensor, "batch note"]:
        """Return which notes start in kept bars."""
        bar, row = self.note.step // layout.bar, torch.arange(len(kept))[:, None]
        return self.is_note & kept[:, list(layout.order)][row, self.note.track, bar]


class KnownNotes(NextNote):
    """The next notes of known phrases, whose tracks are counted before they are chosen."""

    has_melodic = True

    def _has_melodic(self) -> bool:
        return self.has_melodic


class Likelihood:
    """The conditionals of all notes of known phrases at once.

    The features of a note are those of sampling: notes at and after it are masked out. `x` and
    `kept` are best on the processor: they are read there, and are all that is copied.
    """

    def __init__(
        self,
        density: LookbackNetwork,
        x: NoteRows,
        bars: int | None = None,
        kept: Kept | None = None,
    ):
        self.density, layout = density, density.layout
        self.steps, self.batch = (bars or density.bars) * layout.bar, len(x)
        counted = Played.of(x.cpu(), layout, self.steps)
        note, is_note, self.row, self.position, self.cut, self.some_melodic = counted.to(
            density.device
        )
        self.of_kept = None
        if kept is not None:
            self._listen(counted, kept.cpu())
        self.history = History(layout, self.batch, self.steps, density.embedding.start)
        self.count, self.positions = is_note.sum(1), is_note.shape[1] + 1
        self.note = note[self.row, self.position]
        self.history.add(self.row, self.note)
        self.totals = self.history.totals()
        self.latest = _latest(note, is_note, layout.tracks)
        self.started = _started(note, self.history)
        self.last = _shifted(note)
        self.loudness = _loudness(self.row, self.note, layout)

    def _listen(self, counted: Played, kept: Kept) -> None:
        """Set what the notes of kept bars add to the logits of pitches, and which are open."""
        layout, device, gates = self.density.layout, self.density.device, self.density.heads.kept
        is_kept = counted.are_kept(kept, layout)
        notes = KeptNotes(layout, is_kept, counted.note, self.steps, device).seen_by(self.row)
        self.of_kept = gates and partial(gates, notes)
        self.is_open = ~is_kept[counted.row, counted.position].to(device)

    def log_prob(self) -> Losses:
        """Return log p of each phrase in nats."""
        known = self.known_notes()
        hidden = self._hidden(known)
        before = hidden[self.row, self.position]
        conditionals = self.density.heads.conditionals(before, known)
        of_each = [self._of(attribute, known, logits) for attribute, logits in conditionals]
        of_end = self._of_end(hidden[self.history.row, self.count])
        return of_end.index_add(0, self.row, torch.stack(of_each).sum(0))

    def known_notes(self) -> NextNote:
        """Return the notes with all facts about their places."""
        known = self._next(self.row, self.position)
        known.kept, known.has_melodic = self.of_kept, self.some_melodic
        known.choose("advance", self.note.step - known.last.step)
        known.choose("track", self.note.track)
        known.choose("pitch", self.note.pitch)
        known.choose("length", self.note.length - 1)
        known.choose("velocity", self.note.velocity - 1)
        return known

    def _next(self, row: Indices, position: Indices) -> KnownNotes:
        """Return what is known at positions of the phrases, where notes are chosen."""
        last, started = self.last[row, position], self.started[row, position]
        of_last = self.history.pitch_patterns(row, last.step, last.track.clamp(min=0))
        return KnownNotes(
            self.history,
            row,
            last,
            of_last,
            self.latest[row, position],
            lambda advance: self._sums(row, last.step + advance, started),
            lambda place: self.loudness,
        )

    def _sums(self, row: Indices, step: Indices, started: Tensor) -> Tensor:
        """Return what sounds at steps before the next note, and what has sounded before."""
        sounding = self.history.classes_at(row, step, started)
        sums = torch.cat([sounding, *(total[row, step] for total in self.totals)], 1)
        return sums.unflatten(1, (PROFILES, OCTAVE))  # [n profile pitch_class]

    def embedded(self, known: NextNote) -> Hidden:
        """Return the start and each note as the body reads them."""
        embedding = self.density.embedding
        embedded = embedding.tables(self.steps).embedded(known)
        x = embedding.start.expand(self.batch, self.positions, -1).to(embedded.dtype)
        return x.index_put((self.row, self.position + 1), embedded)

    def loudness_of_places(self) -> Int[Tensor, "row place"]:
        """Return the velocity of the last note on each pitch of each track; 0 where none is."""
        layout, note = self.density.layout, self.note
        latest = note.step.new_zeros(self.batch, layout.tracks * layout.pitches)
        place = self.row * latest.shape[1] + note.track * layout.pitches + note.pitch
        numbered = self.position * VELOCITIES + note.velocity
        latest.view(-1).scatter_reduce_(0, place, numbered, "amax")  # [row*place]
        return latest % VELOCITIES

    def _hidden(self, known: NextNote) -> Hidden:
        """Return the hidden state at the start and after each note."""
        density = self.density
        return density.dropout(density.body(density.dropout(self.embedded(known))))

    def _of(self, attribute: Attribute, known: NextNote, logits: Logits) -> Losses:
        """Return log p of a chosen attribute given those before it."""
        if attribute == "pitch" and known.of_kept is not None:
            logits = logits + known.of_kept * self.is_open[:, None]
        log_probs = logits.log_softmax(1)
        if attribute == "advance":
            return self.density.heads.log_prob_of_advance(log_probs, known.advance)
        if attribute == "length":
            return _of_length(log_probs, self.note.length, self.cut)
        velocity = self.note.velocity - 1
        value = {"track": known.track, "pitch": known.pitch, "velocity": velocity}[attribute]
        return log_probs.gather(1, value[:, None])[:, 0]

    def _of_end(self, hidden: Tensor) -> Losses:
        """Return log p that the next note starts after the phrase."""
        end = self._next(self.history.row, self.count)
        log_probs = self.density.heads.advance_logits(hidden, end).log_softmax(1)
        left = self.steps - end.last.step
        return self.density.heads.log_prob_of_later(log_probs, left)


def to_playing_order(x: NoteRows, layout: Layout) -> tuple[Note, Bool[Tensor, "batch note"]]:
    """Return the notes of phrases in the order of playing, and which of them are notes."""
    step, track, pitch, length, velocity = x.long().unbind(2)
    place = torch.tensor(layout.order, device=x.device).argsort()
    track = place[track.clamp(min=0)]
    key = (step * layout.tracks + track) * layout.pitches + pitch
    is_note = step >= 0
    order = key.masked_fill(~is_note, torch.iinfo(key.dtype).max).argsort(1)
    columns = (step, track, pitch, length.clamp(max=layout.longest), velocity)
    return Note(*(c.clamp(min=0).gather(1, order) for c in columns)), is_note.gather(1, order)


def _shifted(note: Note) -> Note:
    """Return the last note before each position and after all, first the start."""
    start = Note.start(len(note.step), note.step.device)[:, None]
    return Note(*(torch.cat(pair, 1) for pair in zip(start.columns, note.columns, strict=True)))


def _latest(note: Note, is_note: Tensor, tracks: int) -> Int[Tensor, "batch position track 4"]:
    """Return the last note of each track before each position and after all."""
    padded = nn.functional.pad(is_note, (1, 0))
    track = nn.functional.pad(note.track, (1, 0))
    position = torch.arange(padded.shape[1], device=track.device)
    of_track = padded[:, :, None] & (
        track[:, :, None] == torch.arange(tracks, device=track.device)
    )
    at = torch.where(of_track, position[:, None], 0).cummax(1).values  # 0: none
    columns = torch.stack([note.pitch, note.length, note.velocity, note.step], 2)
    none = filled(NO_NOTE.tolist(), track.device).expand(len(columns), 1, -1)
    rows = torch.arange(len(columns), device=track.device)[:, None, None]
    return torch.cat([none, columns], 1)[rows, at]


def _loudness(row: Indices, note: Note, layout: Layout) -> Indices:
    """Return the velocity of the note before each on its pitch and track; 0 where none is."""
    line = (row * layout.tracks + note.track) * layout.pitches + note.pitch
    order = line.argsort(stable=True)
    line, velocity = line[order], note.velocity[order]
    same = line == nn.functional.pad(line[:-1], (1, 0), value=-1)
    before = torch.where(same, nn.functional.pad(velocity[:-1], (1, 0)), 0)
    return torch.empty_like(before).scatter(0, order, before)


def _started(note: Note, history: History) -> Tensor:
    """Return the pitch classes that start at a note's step before it, then those of the bass."""
    of_class = nn.functional.one_hot(note.pitch % OCTAVE, OCTAVE)
    of_class = of_class * history.melodic[note.track][..., None]
    of_bass = of_class * history.is_bass(note.track)[..., None]
    before = nn.functional.pad(torch.cat([of_class, of_bass], 2).cumsum(1), (0, 0, 1, 0))
    step = nn.functional.pad(note.step, (0, 1), value=-1)
    is_first = step != nn.functional.pad(step[:, :-1], (1, 0), value=-1)
    position = torch.arange(step.shape[1], device=step.device)
    first = torch.where(is_first, position, 0).cummax(1).values
    rows = torch.arange(len(step), device=step.device)[:, None]
    return (before - before[rows, first]).to(history.starts)


def _of_length(log_probs: Logits, length: Indices, cut: Int[Tensor, " cut"]) -> Losses:
    """Return log p of lengths; of the notes that are cut, that they are at least so long."""
    exact = log_probs.gather(1, (length - 1)[:, None])[:, 0]
    choice = 1 + torch.arange(log_probs.shape[1], device=length.device)
    shorter = choice < length[cut][:, None]
    at_least = log_probs[cut].masked_fill(shorter, float("-inf")).logsumexp(1)
    return exact.index_put((cut,), at_least)
