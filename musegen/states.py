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
        sounding, onset = value.unbind(2)
        could_hold = _earlier(sounding) * (1 - onset) * self.sustained
        hold = -torch.nn.functional.binary_cross_entropy_with_logits(
            self.hold.logits, sounding, reduction="none"
        )
        return self.onset.log_prob(onset) + sum_events(could_hold * hold)


def _earlier(value: Tensor) -> Tensor:
    """The same quantity one step before, over bar lines; 0 before the phrase."""
    return _delay(value.flatten(2, 3), 1).unflatten(2, value.shape[2:4])


def _delay(value: Tensor, steps: int) -> Tensor:
    """Shift axis 2 later by `steps`, filled with zeros."""
    kept = value[:, :, : value.shape[2] - steps]
    return torch.cat([torch.zeros_like(value[:, :, :steps]), kept], dim=2)
