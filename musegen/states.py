"""The tensor side of a roll: cells <-> states, and the distribution of notes over them.

x [batch track state bar step pitch] has two binary states, (sounding, onset). An onset starts a
note, a note sounds for as long as it is held: sounding(t) = onset(t) or sounding(t-1) and hold(t).
"""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from core.distributions import Bernoulli, Distribution, sum_events
from core.shapes import Losses

States = Float[Tensor, "batch track state bar step pitch"]
Given = Float[Tensor, "batch given state bar step pitch"]
"""The states of tracks that are given as a condition."""

Cells = UInt8[Tensor, "batch track bar step pitch"]
Notes = Float[Tensor, "batch track bar step pitch"]
"""One quantity of each cell: a neuron's output, a probability or a logit."""

SILENT, HOLD, ONSET = 0, 1, 2


def to_states(cells: Cells) -> States:
    """Cells (0 silent, 1 hold, 2 onset) -> x with (sounding, onset) in {0, 1}."""
    return torch.stack([cells > SILENT, cells == ONSET], dim=2).float()


def to_cells(x: States) -> Cells:
    """x -> cells; onset without sounding counts as sounding, sounding after silence as onset."""
    sounding, onset = (x > 0.5).unbind(2)
    sounding = sounding | onset
    starts = onset | (sounding & ~_earlier(sounding))
    return sounding.to(torch.uint8) * HOLD + starts.to(torch.uint8)


def sustain(onset: Notes, hold: Notes) -> Notes:
    """Solve sounding(t) = onset(t) + (1 - onset(t)) hold(t) sounding(t-1) over the whole phrase.

    Exact for binary states; for probabilities of independent neurons it is the probability of
    sounding. A scan in log2(steps) passes (Hillis and Steele, CACM 1986). Silent before the start.
    """
    shape = onset.shape
    sounding = onset.flatten(2, 3)
    carry = ((1 - onset) * hold).flatten(2, 3)
    distance = 1
    while distance < sounding.shape[2]:
        sounding = sounding + carry * _delay(sounding, distance)
        carry = carry * _delay(carry, distance)
        distance *= 2
    return sounding.unflatten(2, shape[2:4])


class HeldNotes(Distribution):
    """Notes of independent onset and hold neurons: every sample is a legal roll.

    `sustained` [track] is 1 where notes can be held and 0 for drums, whose hits have no length.
    """

    def __init__(self, onset: Bernoulli, hold: Bernoulli, sustained: Float[Tensor, " track"]):
        self.onset, self.hold = onset, hold
        self.sustained = sustained[:, None, None, None]

    @property
    def mean(self) -> States:
        """The probability of (sounding, onset) in each cell."""
        onset = self.onset.mean
        return torch.stack([sustain(onset, self.hold.mean * self.sustained), onset], dim=2)

    def rsample(self) -> States:
        onset = self.onset.rsample()
        return torch.stack([sustain(onset, self.hold.rsample() * self.sustained), onset], dim=2)

    def log_prob(self, value: States) -> Losses:
        """log p(x) = sum log p(onset) + sum of log p(hold) where a note could be held.

        A legal x is assumed: a cell that sounds without onset sounded a step earlier.
        """
        return sum_events(self.cell_log_prob(value))

    def cell_log_prob(self, value: States) -> Notes:
        """The same for each cell."""
        sounding, onset = value.unbind(2)
        could_hold = _earlier(sounding) * (1 - onset) * self.sustained
        hold = cell_losses(self.hold.logits, sounding)
        return -cell_losses(self.onset.logits, onset) - could_hold * hold


class GatedNotes(Distribution):
    """Notes behind gates: `plays` [batch track bar] and `uses` [batch track bar pitch].

    A track sounds in a bar only where it plays, and only the pitches that it uses there. So an
    empty bar is one decision and not a thousand, and a bar keeps to its pitch classes.
    """

    def __init__(self, plays: Bernoulli, uses: Bernoulli, notes: HeldNotes):
        self.plays, self.uses, self.notes = plays, uses, notes

    @property
    def mean(self) -> States:
        """The probability of (sounding, onset) in each cell, as if held notes could not be cut."""
        gate = self.plays.mean[..., None] * self.uses.mean
        return self.notes.mean * gate[:, :, None, :, None]

    def rsample(self) -> States:
        gate = (self.plays.rsample()[..., None] * self.uses.rsample())[:, :, :, None]
        onset = self.notes.onset.rsample() * gate
        hold = self.notes.hold.rsample() * gate * self.notes.sustained
        return torch.stack([sustain(onset, hold), onset], dim=2)

    def log_prob(self, value: States) -> Losses:
        """log p of x together with the gates that it shows: a lower bound of log p(x)."""
        used = value[:, :, 0].amax(3)
        played = used.amax(3)
        uses = -cell_losses(self.uses.logits, used) * played[..., None]
        notes = self.notes.cell_log_prob(value) * used[:, :, :, None]
        return self.plays.log_prob(played) + sum_events(uses) + sum_events(notes)


def cell_losses(logits: Tensor, value: Tensor) -> Tensor:
    """-log of the probability of each binary event, in nats."""
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, value, reduction="none")


def _earlier(value: Tensor) -> Tensor:
    """The same quantity one step before, over bar lines; 0 before the phrase."""
    return _delay(value.flatten(2, 3), 1).unflatten(2, value.shape[2:4])


def _delay(value: Tensor, steps: int) -> Tensor:
    """Shift axis 2 later by `steps`, filled with zeros."""
    kept = value[:, :, : value.shape[2] - steps]
    return torch.cat([torch.zeros_like(value[:, :, :steps]), kept], dim=2)
