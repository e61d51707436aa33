"""What a note means to a network, and the four conditionals of the next one.

    p(advance) p(track given advance) p(pitch given .. track) p(length given .. pitch)

where `advance` is how many steps it starts after the note before, and one more advance ends the
phrase. Only legal notes have any probability: they go forwards in (step, track, pitch), a note
ends within the phrase, and drums have length 1.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.densities.transformer import log_prob_of, sample_logits
from core.theory.shapes import Losses
from musegen.networks.note_sequences import Chosen, NoteColumns, PaddedNotes
from musegen.roll import Grid

Hidden = Float[Tensor, "n width"]
Choices = Float[Tensor, "n choice"]


class NoteEmbedding(nn.Module):
    """A note, or the beginning, as a vector: the sum of what its parts mean."""

    def __init__(self, width: int, steps: int, tracks: int, grid: Grid):
        super().__init__()
        self.steps_per_bar, self.pitches = grid.steps_per_bar, grid.pitches
        self.step, self.in_bar = _table(steps + 1, width), _table(grid.steps_per_bar, width)
        self.track, self.pitch_class = _table(tracks + 1, width), _table(12, width)
        self.pitch = _table((tracks + 1) * grid.pitches, width)
        self.length = _table(steps + 1, width)

    def forward(self, note: PaddedNotes | NoteColumns) -> Tensor:
        return (
            self.step(note.step)
            + self.in_bar(note.step % self.steps_per_bar)
            + self.track(note.track)
            + self.pitch(note.track * self.pitches + note.pitch)
            + self.pitch_class(note.pitch % 12)
            + self.length(note.length)
        )


class NoteParts(nn.Module):
    """The four conditionals of a note, read from the hidden state of the note before it."""

    def __init__(self, width: int, steps: int, sustained: Tensor, pitches: int):
        super().__init__()
        self.steps, self.sustained, self.pitches = steps, sustained, pitches
        tracks = len(sustained)
        self.advance = nn.Linear(width, steps + 1)  # the last choice ends the phrase
        self.track, self.pitch = _reader(width, tracks), _reader(width, pitches)
        self.length = _reader(width, steps)
        self.of_advance, self.of_step = _table(steps, width), _table(steps, width)
        self.of_track, self.of_pitch = _table(tracks, width), _table(tracks * pitches, width)

    def told(self, hidden: Hidden, before: NoteColumns, note: NoteColumns) -> Losses:
        """log p of each note given what was before it, in nats."""
        total = log_prob_of(self.advances(hidden, before), note.step - self._now(before))
        hidden = self._after_step(hidden, before, note.step)
        total = total + log_prob_of(self.tracks(hidden, before, note.step), note.track)
        hidden = hidden + self.of_track(note.track)
        total = total + log_prob_of(self.pitch_choices(hidden, before, note), note.pitch)
        hidden = hidden + self._of_pitch(note)
        return total + log_prob_of(self.lengths(hidden, note), note.length - 1)

    def ended(self, hidden: Hidden, before: NoteColumns) -> Losses:
        """log p that no further note follows, in nats."""
        end = torch.full_like(before.step, self.steps)
        return log_prob_of(self.advances(hidden, before), end)

    def draw(
        self, hidden: Hidden, before: NoteColumns, earliest: int, temperature: float
    ) -> NoteColumns:
        """A next note for each row; step `steps` means the end.

        Neither a note nor the end comes before step `earliest`, so that a continuation has a note.
        """
        step = self._draw_step(hidden, before, earliest, temperature)
        ended = step < 0  # such a row draws a note too, which is forgotten
        hidden = self._after_step(hidden, before, torch.where(ended, self._now(before), step))
        track = sample_logits(self.tracks(hidden, before, step), temperature)
        hidden = hidden + self.of_track(track)
        note = NoteColumns(step, track, track, track)  # what is not drawn yet is not looked at
        note.pitch = sample_logits(self.pitch_choices(hidden, before, note), temperature)
        hidden = hidden + self._of_pitch(note)
        note.length = sample_logits(self.lengths(hidden, note), temperature) + 1
        note.step = torch.where(ended, self.steps, step)
        return note

    def lengthen(
        self, hidden: Hidden, before: NoteColumns, note: NoteColumns, temperature: float
    ) -> Chosen:
        """Draw lengths anew for notes of which it is known that they are at least as long."""
        hidden = self._after_step(hidden, before, note.step)
        hidden = hidden + self.of_track(note.track) + self._of_pitch(note)
        length = 1 + torch.arange(self.steps, device=hidden.device)
        shorter = length < note.length[:, None]
        return sample_logits(_forbid(self.lengths(hidden, note), shorter), temperature) + 1

    def _draw_step(
        self, hidden: Hidden, before: NoteColumns, earliest: int, temperature: float
    ) -> Chosen:
        """The step of the next note, -1 if there is none."""
        now, choice = self._now(before), torch.arange(self.steps + 1, device=hidden.device)
        early = torch.where(choice < self.steps, now[:, None] + choice, now[:, None]) < earliest
        advance = sample_logits(_forbid(self.advances(hidden, before), early), temperature)
        return torch.where(advance == self.steps, -1, now + advance)

    def advances(self, hidden: Hidden, before: NoteColumns) -> Choices:
        """Logits of the advance, the last one the end; [n steps+1]."""
        choice = torch.arange(self.steps + 1, device=hidden.device)
        too_far = self._now(before)[:, None] + choice >= self.steps
        last = (before.track == len(self.sustained) - 1) & (before.pitch == self.pitches - 1)
        spent = last[:, None] & (choice == 0)
        return _forbid(self.advance(hidden), (too_far & (choice < self.steps)) | spent)

    def tracks(self, hidden: Hidden, before: NoteColumns, step: Chosen) -> Choices:
        """Logits of the track, [n track]."""
        choice = torch.arange(len(self.sustained), device=hidden.device)
        first = before.track + (before.pitch == self.pitches - 1).long()
        passed = (step == before.step)[:, None] & (choice < first[:, None])
        return _forbid(self.track(hidden), passed)

    def pitch_choices(self, hidden: Hidden, before: NoteColumns, note: NoteColumns) -> Choices:
        """Logits of the pitch, [n pitch]."""
        choice = torch.arange(self.pitches, device=hidden.device)
        same = (note.step == before.step) & (note.track == before.track)
        return _forbid(self.pitch(hidden), same[:, None] & (choice <= before.pitch[:, None]))

    def lengths(self, hidden: Hidden, note: NoteColumns) -> Choices:
        """Logits of length 1, 2 ... steps, [n step]."""
        length = 1 + torch.arange(self.steps, device=hidden.device)
        struck = ~self.sustained.to(hidden.device)[note.track][:, None]
        too_long = length > (self.steps - note.step)[:, None]
        return _forbid(self.length(hidden), (length > 1) & (struck | too_long))

    def _now(self, before: NoteColumns) -> Chosen:
        """The step from which one advances: 0 at the beginning."""
        return before.step % self.steps

    def _after_step(self, hidden: Hidden, before: NoteColumns, step: Chosen) -> Hidden:
        return hidden + self.of_advance(step - self._now(before)) + self.of_step(step)

    def _of_pitch(self, note: NoteColumns) -> Hidden:
        return self.of_pitch(note.track * self.pitches + note.pitch)


def _table(entries: int, width: int) -> nn.Embedding:
    table = nn.Embedding(entries, width)
    nn.init.normal_(table.weight, std=0.02)
    return table


def _reader(width: int, choices: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, choices))


def _forbid(logits: Choices, illegal: Tensor) -> Choices:
    return logits.float().masked_fill(illegal, float("-inf"))
