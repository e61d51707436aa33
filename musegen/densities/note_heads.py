"""The embedding of a note, and the heads that predict the next one.

    p(advance) p(track given advance) p(pitch given .. track) p(length given .. pitch)

where `advance` is the number of steps from the previous note's start to its own, and one further
value ends the phrase. Only legal notes have any probability: they go forwards in (step, track,
pitch), a note ends within the phrase, and drums have length 1.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from core.densities.transformer import log_prob_of, sample_logits
from core.theory.shapes import Losses
from musegen.densities.note_sequences import Indices, NoteColumns, PaddedNotes
from musegen.networks.states import OCTAVE
from musegen.roll import Grid

Hidden = Float[Tensor, "n width"]
Logits = Float[Tensor, "n choice"]


class NoteEmbedding(nn.Module):
    """A note, or the start token, as a vector: the sum of embeddings of its attributes."""

    def __init__(self, width: int, steps: int, tracks: int, grid: Grid):
        super().__init__()
        self.steps_per_bar, self.pitches = grid.steps_per_bar, grid.pitches
        self.step, self.in_bar = (
            _embedding(steps + 1, width),
            _embedding(self.steps_per_bar, width),
        )
        self.track, self.pitch_class = _embedding(tracks + 1, width), _embedding(OCTAVE, width)
        self.pitch = _embedding((tracks + 1) * grid.pitches, width)
        self.length = _embedding(steps + 1, width)

    def forward(self, note: PaddedNotes | NoteColumns) -> Tensor:
        return (
            self.step(note.step)
            + self.in_bar(note.step % self.steps_per_bar)
            + self.track(note.track)
            + self.pitch(note.track * self.pitches + note.pitch)
            + self.pitch_class(note.pitch % OCTAVE)
            + self.length(note.length)
        )


class NoteHeads(nn.Module):
    """The four conditionals of the next note, computed from the hidden state of the previous one.

    Each head sees the attributes before it through embeddings that are added to the hidden state.
    """

    sustained: Tensor

    def __init__(self, width: int, steps: int, sustained: Tensor, pitches: int):
        super().__init__()
        self.steps, self.pitches = steps, pitches
        self.register_buffer("sustained", sustained, persistent=False)
        tracks = len(sustained)
        self.advance = nn.Linear(width, steps + 1)  # the last choice ends the phrase
        self.track, self.pitch = _head(width, tracks), _head(width, pitches)
        self.length = _head(width, steps)
        self.embed_advance, self.embed_step = _embedding(steps, width), _embedding(steps, width)
        self.embed_track = _embedding(tracks, width)
        self.embed_pitch = _embedding(tracks * pitches, width)

    def log_prob(self, hidden: Hidden, previous: NoteColumns, note: NoteColumns) -> Losses:
        """Return log p of each note given all notes before it, in nats."""
        advance = note.step - self._now(previous)
        total = log_prob_of(self.advance_logits(hidden, previous), advance)
        hidden = self._with_step(hidden, previous, note.step)
        total = total + log_prob_of(self.track_logits(hidden, previous, note.step), note.track)
        hidden = hidden + self.embed_track(note.track)
        total = total + log_prob_of(self.pitch_logits(hidden, previous, note), note.pitch)
        hidden = hidden + self._pitch_embedding(note)
        return total + log_prob_of(self.length_logits(hidden, note), note.length - 1)

    def log_prob_of_end(self, hidden: Hidden, previous: NoteColumns) -> Losses:
        """Return log p that no further note follows, in nats."""
        end = torch.full_like(previous.step, self.steps)
        return log_prob_of(self.advance_logits(hidden, previous), end)

    def sample(
        self, hidden: Hidden, previous: NoteColumns, earliest: int, temperature: float
    ) -> NoteColumns:
        """Sample the next note of each row; step `steps` means the end.

        Neither a note nor the end comes before step `earliest`, so that a continuation has a note.
        """
        step = self._sample_step(hidden, previous, earliest, temperature)
        ended = step < 0  # such a row gets a note too, which is discarded
        hidden = self._with_step(hidden, previous, torch.where(ended, self._now(previous), step))
        track = sample_logits(self.track_logits(hidden, previous, step), temperature)
        hidden = hidden + self.embed_track(track)
        note = NoteColumns(step, track, track, track)  # pitch and length are placeholders
        note.pitch = sample_logits(self.pitch_logits(hidden, previous, note), temperature)
        hidden = hidden + self._pitch_embedding(note)
        note.length = sample_logits(self.length_logits(hidden, note), temperature) + 1
        note.step = torch.where(ended, self.steps, step)
        return note

    def sample_longer(
        self, hidden: Hidden, previous: NoteColumns, note: NoteColumns, temperature: float
    ) -> Indices:
        """Sample the lengths of notes, given that they are at least as long as they are now."""
        hidden = self._with_step(hidden, previous, note.step)
        hidden = hidden + self.embed_track(note.track) + self._pitch_embedding(note)
        length = 1 + torch.arange(self.steps, device=hidden.device)
        shorter = length < note.length[:, None]
        return sample_logits(_mask(self.length_logits(hidden, note), shorter), temperature) + 1

    def _sample_step(
        self, hidden: Hidden, previous: NoteColumns, earliest: int, temperature: float
    ) -> Indices:
        """Sample the step of the next note, -1 for the end."""
        now, choice = self._now(previous), torch.arange(self.steps + 1, device=hidden.device)
        early = torch.where(choice < self.steps, now[:, None] + choice, now[:, None]) < earliest
        advance = sample_logits(_mask(self.advance_logits(hidden, previous), early), temperature)
        return torch.where(advance == self.steps, -1, now + advance)

    def advance_logits(self, hidden: Hidden, previous: NoteColumns) -> Logits:
        """Return the logits of the advance, the last one the end; [n steps+1]."""
        choice = torch.arange(self.steps + 1, device=hidden.device)
        too_far = self._now(previous)[:, None] + choice >= self.steps
        last = (previous.track == len(self.sustained) - 1) & (previous.pitch == self.pitches - 1)
        step_is_full = last[:, None] & (choice == 0)
        return _mask(self.advance(hidden), (too_far & (choice < self.steps)) | step_is_full)

    def track_logits(self, hidden: Hidden, previous: NoteColumns, step: Indices) -> Logits:
        """Return the logits of the track, [n track]."""
        choice = torch.arange(len(self.sustained), device=hidden.device)
        first = previous.track + (previous.pitch == self.pitches - 1).long()
        passed = (step == previous.step)[:, None] & (choice < first[:, None])
        return _mask(self.track(hidden), passed)

    def pitch_logits(self, hidden: Hidden, previous: NoteColumns, note: NoteColumns) -> Logits:
        """Return the logits of the pitch, [n pitch]."""
        choice = torch.arange(self.pitches, device=hidden.device)
        same = (note.step == previous.step) & (note.track == previous.track)
        return _mask(self.pitch(hidden), same[:, None] & (choice <= previous.pitch[:, None]))

    def length_logits(self, hidden: Hidden, note: NoteColumns) -> Logits:
        """Return the logits of lengths 1, 2 ... steps, [n step]."""
        length = 1 + torch.arange(self.steps, device=hidden.device)
        is_drum = ~self.sustained[note.track][:, None]
        too_long = length > (self.steps - note.step)[:, None]
        return _mask(self.length(hidden), (length > 1) & (is_drum | too_long))

    def _now(self, previous: NoteColumns) -> Indices:
        """Return the step from which one advances: 0 at the start token."""
        return previous.step % self.steps

    def _with_step(self, hidden: Hidden, previous: NoteColumns, step: Indices) -> Hidden:
        return hidden + self.embed_advance(step - self._now(previous)) + self.embed_step(step)

    def _pitch_embedding(self, note: NoteColumns) -> Hidden:
        return self.embed_pitch(note.track * self.pitches + note.pitch)


def _embedding(entries: int, width: int) -> nn.Embedding:
    table = nn.Embedding(entries, width)
    nn.init.normal_(table.weight, std=0.02)
    return table


def _head(width: int, choices: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, choices))


def _mask(logits: Logits, illegal: Bool[Tensor, "n choice"]) -> Logits:
    """Give illegal choices probability 0."""
    return logits.float().masked_fill(illegal, float("-inf"))
