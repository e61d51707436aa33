"""Rolls as tensors: cells <-> binary states, and distributions over them.

x [batch track state bar step pitch] has two binary states, (sounding, onset). An onset starts a
note, and a note sounds for as long as it is held: sounding(t) = onset(t) or sounding(t-1) hold(t).
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F

from core.theory.distributions import Bernoulli, Distribution, straight_through, sum_events
from core.theory.shapes import Losses

States = Float[Tensor, "batch track state bar step pitch"]
Given = Float[Tensor, "batch given state bar step pitch"]
"""The states of tracks that are given as a condition."""

Cells = UInt8[Tensor, "batch track bar step pitch"]
CellValues = Float[Tensor, "batch track bar step pitch"]
"""One quantity of each cell: a neuron's output, a probability or a logit."""

PitchClasses = Float[Tensor, "batch bar pitch_class"]
"""One quantity of each pitch class, counted from the grid's lowest pitch."""

SILENT, HOLD, ONSET = 0, 1, 2
LOUDEST = 127
OCTAVE = 12


def to_states(cells: Cells) -> States:
    """Convert cells (0 silent, 1 hold, 2 onset) to x with (sounding, onset) in {0, 1}."""
    return torch.stack([cells > SILENT, cells == ONSET], dim=2).float()


def to_played(cells: Cells, velocity: Cells) -> Float[Tensor, "batch track 3 bar step pitch"]:
    """Convert cells and the velocities of their notes to x with a third state: the velocity of a
    note where it starts, of 127."""
    states = to_states(cells)
    loud = velocity.float() / LOUDEST * states[:, :, 1]
    return torch.cat([states, loud[:, :, None]], dim=2)  # [batch track 3 bar step pitch]


def velocities_of(x: States) -> UInt8[np.ndarray, "batch track bar step pitch"]:
    """Return the velocities of notes where they start, 1 to 127, 0 elsewhere; x as `to_played`."""
    return (x[:, :, 2] * LOUDEST).round().to(torch.uint8).cpu().numpy()


def to_cells(x: States) -> Cells:
    """Convert x to cells; an onset always sounds, and sounding after silence is an onset."""
    sounding, onset = (x[:, :, :2] > 0.5).unbind(2)
    sounding = sounding | onset
    starts = onset | (sounding & ~previous_step(sounding))
    return sounding.to(torch.uint8) * HOLD + starts.to(torch.uint8)


def sustain(onset: CellValues, hold: CellValues) -> CellValues:
    """Solve sounding(t) = onset(t) + (1 - onset(t)) hold(t) sounding(t-1) over the whole phrase.

    Exact for binary states; for probabilities of independent neurons it is the probability of
    sounding. Silent before the start. A loop over steps is five times faster than a parallel scan,
    since a step's cells stay in the cache.
    """
    carried = ((1 - onset) * hold).flatten(2, 3).unbind(2)  # [batch track pitch] for each step
    starts = onset.flatten(2, 3).unbind(2)  # [batch track pitch] for each step
    sounding = [starts[0]]
    for start, carry in zip(starts[1:], carried[1:], strict=True):
        sounding.append(torch.addcmul(start, carry, sounding[-1]))
    line = torch.stack(sounding, 2)  # [batch track bar*step pitch]
    return line.unflatten(2, onset.shape[2:4])  # [batch track bar step pitch]


class HeldNotes(Distribution):
    """Notes of independent onset and hold neurons: every sample is a legal roll.

    `sustained` [track] is 1 where notes can be held and 0 for drums, whose hits have no length.
    """

    def __init__(self, onset: Bernoulli, hold: Bernoulli, sustained: Float[Tensor, " track"]):
        self.onset, self.hold = onset, hold
        self.sustained = sustained[:, None, None, None]  # [track 1 1 1]

    @property
    def mean(self) -> States:
        """Return the probability of (sounding, onset) in each cell."""
        onset = self.onset.mean
        return torch.stack([sustain(onset, self.hold.mean * self.sustained), onset], dim=2)

    @property
    def representative(self) -> States:
        """Return the roll of the cells whose probability exceeds one half, straight-through."""
        return likely_notes(self.mean)

    def rsample(self) -> States:
        onset = self.onset.rsample()
        return torch.stack([sustain(onset, self.hold.rsample() * self.sustained), onset], dim=2)

    def log_prob(self, value: States) -> Losses:
        """Return log p(x) = sum log p(onset) + sum of log p(hold) where a note could be held.

        A legal x is assumed: a cell that sounds without onset sounded a step earlier.
        """
        return sum_events(self.cell_log_prob(value))

    def cell_log_prob(self, value: States) -> CellValues:
        """Return the summands of `log_prob`, one for each cell."""
        sounding, onset = value.unbind(2)
        could_hold = previous_step(sounding) * (1 - onset) * self.sustained
        hold_loss = binary_losses(self.hold.logits, sounding)
        return -binary_losses(self.onset.logits, onset) - could_hold * hold_loss


class GatedNotes(Distribution):
    """Notes behind binary gates, each one decision for a whole bar.

    `plays` [batch track bar]: whether the track plays; `uses` [batch track bar pitch]: the pitches
    that it may use; `harmony` [batch bar pitch_class], if any: the pitch classes that all melodic
    tracks may use. So an empty bar is one decision and not a thousand, a bar keeps to few pitches,
    and the tracks to one chord.
    """

    def __init__(
        self, plays: Bernoulli, uses: Bernoulli, notes: HeldNotes, harmony: Bernoulli | None = None
    ):
        self.plays, self.uses, self.notes, self.harmony = plays, uses, notes, harmony

    @property
    def mean(self) -> States:
        """Return the probability of (sounding, onset) in each cell.

        Gates of different bars are independent, so that a note is held over a bar line with the
        probability of the gate before it.
        """
        harmony = self.harmony.mean if self.harmony else None
        gate = self._gate(self.plays.mean, self.uses.mean, harmony)
        onset, hold = self.notes.onset.mean, self.notes.hold.mean * self.notes.sustained
        earlier_gate = torch.cat([torch.ones_like(gate[:, :, :1]), gate[:, :, :-1]], 2)
        hold = torch.cat([hold[:, :, :, :1] * earlier_gate, hold[:, :, :, 1:]], 3)
        return torch.stack([sustain(onset, hold), onset], dim=2) * gate[:, :, None]

    @property
    def representative(self) -> States:
        """Return the roll of the cells whose probability exceeds one half, straight-through."""
        return likely_notes(self.mean)

    def rsample(self) -> States:
        onset, hold = self.gated()
        return torch.stack([sustain(onset, hold), onset], dim=2)

    def gated(self) -> tuple[CellValues, CellValues]:
        """Draw (onset, hold) of each cell, 0 where a gate is closed."""
        harmony = self.harmony.rsample() if self.harmony else None
        gate = self._gate(self.plays.rsample(), self.uses.rsample(), harmony)
        onset = self.notes.onset.rsample() * gate
        return onset, self.notes.hold.rsample() * gate * self.notes.sustained

    def _gate(
        self, plays: Tensor, uses: Tensor, harmony: Tensor | None
    ) -> Float[Tensor, "batch track bar 1 pitch"]:
        """Multiply the gates of each pitch."""
        gate = plays[..., None] * uses
        if harmony is not None:
            gate = gate * self._harmony_gate(harmony)
        return gate[:, :, :, None]  # [batch track bar 1 pitch]

    def _harmony_gate(self, harmony: PitchClasses) -> Float[Tensor, "batch track bar pitch"]:
        """Repeat the harmony over the octaves of each melodic track; 1 for drums."""
        pitches = self.uses.logits.shape[-1]
        classes = torch.arange(pitches, device=harmony.device) % OCTAVE
        melodic = self.notes.sustained[:, :, 0]  # [track 1 1]
        return 1 - melodic + melodic * harmony[:, None, :, classes]

    def log_prob(self, value: States) -> Losses:
        """Return log p of x with the gates that its notes imply: a lower bound of log p(x).

        A gate is taken as open where a note sounds behind it, and as closed elsewhere.
        """
        used = value[:, :, 0].amax(3)  # [batch track bar pitch]
        played = used.amax(3)  # [batch track bar]
        total = self.plays.log_prob(played)
        possible = played[..., None]
        if self.harmony:
            classes = self._used_pitch_classes(used)
            total = total + self.harmony.log_prob(classes)
            possible = possible * self._harmony_gate(classes)
        uses = -binary_losses(self.uses.logits, used) * possible
        notes = self.notes.cell_log_prob(value) * used[:, :, :, None]
        return total + sum_events(uses) + sum_events(notes)

    def _used_pitch_classes(self, used: Float[Tensor, "batch track bar pitch"]) -> PitchClasses:
        """Return 1 for the pitch classes of each bar that any melodic track uses."""
        melodic = (used * self.notes.sustained[:, :, 0]).amax(1)  # [batch bar pitch]
        return by_octave(melodic).amax(2)


def by_octave(values: Float[Tensor, "*shape pitch"]) -> Float[Tensor, "*shape octave class"]:
    """Divide the pitches into octaves of twelve pitch classes; the last is filled up with 0."""
    padded = F.pad(values, (0, -values.shape[-1] % OCTAVE))
    return padded.unflatten(-1, (-1, OCTAVE))  # [*shape octave class]


def transposed(
    x: States, semitones: Int[Tensor, " batch"], melodic: Bool[Tensor, " track"]
) -> States:
    """Transpose the melodic tracks of each piece; a note beyond the range moves by an octave."""
    last = x.shape[-1] - 1
    pitch = torch.arange(last + 1, device=x.device) + semitones[:, None]  # [batch pitch]
    pitch = pitch + OCTAVE * ((pitch < 0).long() - (pitch > last).long())
    pitch = pitch.clamp(0, last)[:, None, None, None, None].expand_as(x)
    moved = torch.zeros_like(x).scatter_reduce(5, pitch, x, "amax")
    return torch.where(melodic[:, None, None, None, None], moved, x)


def binary_losses(logits: Tensor, value: Tensor) -> Tensor:
    """Return -log p of each binary event, in nats."""
    return F.binary_cross_entropy_with_logits(logits, value, reduction="none")


def previous_step(value: Tensor) -> Tensor:
    """Return the same quantity one step earlier, across bar lines; 0 before the phrase."""
    line = value.flatten(2, 3)  # [batch track bar*step pitch]
    previous = torch.cat([torch.zeros_like(line[:, :, :1]), line[:, :, :-1]], dim=2)
    return previous.unflatten(2, value.shape[2:4])  # [batch track bar step pitch]


def likely_notes(probability: States) -> States:
    """Return the legal roll of probabilities above one half, with the gradient of these."""
    return straight_through(to_states(to_cells(probability)), probability)
