"""Notes by way of their rhythm: p(x) = p(struck steps) p(notes of each struck step) p(holds).

x has a third state beside (sounding, onset): the velocity of a note where it starts, of 127.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from core.theory.distributions import Distribution, straight_through, sum_events
from core.theory.shapes import Losses
from musegen.bar_latents.outline import PARTS, Outline, Outlined
from musegen.bar_latents.plan import Places, nonzero
from musegen.networks.states import (
    LOUDEST,
    CellValues,
    States,
    binary_losses,
    by_octave,
    previous_step,
    sustain,
)

MOST_VOICES = 8
"""Most notes of a track that start in one step; more count as this many."""

HALVES = 2
"""Parts of a bar whose pitch classes latents must tell."""

SHARPNESS = 40.0
"""Power of a velocity's probability, by which it is weighted in the mean that is played."""


class NoteLogits(NamedTuple):
    """The logits of a batch of phrases.

    `rhythm`: of steps in which a note starts, `chroma`: of the pitch classes of each half bar,
    `onset`: of notes that start in a struck step, `hold`: of notes that are held into a step,
    `voices`: of the number of notes that start in a struck step, from 1. `touch`: of velocities.
    """

    rhythm: Float[Tensor, "batch bar track step"]
    chroma: Float[Tensor, "batch bar track chroma"]
    onset: Float[Tensor, "batch bar track step pitch"]
    hold: Float[Tensor, "batch bar track step pitch"]
    voices: Float[Tensor, "batch bar track step voice"]
    touch: "TouchLogits"

    @property
    def expected_voices(self) -> Float[Tensor, "batch bar track step"]:
        """Return the expected number of notes that start in a struck step."""
        count = torch.arange(1, MOST_VOICES + 1, device=self.voices.device)
        return (self.voices.softmax(-1) * count).sum(-1)


class TouchLogits(NamedTuple):
    """The logits of velocities, as factors: (of its step + of its pitch) times `loudness`."""

    steps: Float[Tensor, "batch bar track step factor"]
    pitches: Float[Tensor, "batch bar track pitch factor"]
    loudness: Float[Tensor, "factor velocity"]

    def of(self, notes: Places) -> Float[Tensor, "note velocity"]:
        """Return the logits of the velocity, from 1, of notes that start at these places.

        These are their sample, bar, track, step and pitch.
        """
        sample, bar, track, step, pitch = notes
        factors = self.steps[sample, bar, track, step] + self.pitches[sample, bar, track, pitch]
        return factors @ self.loudness

    def likeliest(self, notes: Places) -> Float[Tensor, " note"]:
        """Return the velocity of each note that starts: the mean of those about as likely as any.

        The likeliest alone would be one of few: half as many as real songs have.
        """
        chances = (SHARPNESS * self.of(notes)).softmax(1)
        velocity = torch.arange(1, LOUDEST + 1, device=chances.device)
        return (chances * velocity).sum(1).round()


class StruckNotes(Distribution):
    """Notes that start in struck steps only, and there as many as are likely.

    `plays` [batch bar track]: the bars that sound. `sustained` [track]: whether notes are held.
    `count`: the number of notes of the x whose probability is asked for, where it is known.
    Without chance: a step is struck if that is likelier than not, and strikes the likeliest
    pitches, as many as are to be expected. So no struck step is silent, whatever is unsure.
    """

    def __init__(
        self,
        plays: Bool[Tensor, "batch bar track"],
        logits: NoteLogits,
        sustained: Bool[Tensor, " track"],
        count: int | None = None,
    ):
        self.plays, self.logits, self.sustained, self.count = plays, logits, sustained, count

    def with_logits(self, logits: NoteLogits) -> "StruckNotes":
        """Return notes of the same bars with other logits."""
        return StruckNotes(self.plays, logits, self.sustained, self.count)

    def within(self, bars: Bool[Tensor, "bar track"]) -> "StruckNotes":
        """Return the same notes in these bars alone."""
        return StruckNotes(self.plays & bars, self.logits, self.sustained, self.count)

    @property
    def representative(self) -> States:
        """Return the likeliest rhythm with the likeliest pitches."""
        onset = self._likeliest()
        velocity, notes = torch.zeros_like(onset), nonzero(onset > 0)
        velocity[notes] = self.logits.touch.likeliest(notes) / LOUDEST
        sounding = self._sounding(onset, (self.logits.hold > 0).float())
        states = torch.stack([sounding, onset, velocity], 3)  # [batch bar track state step pitch]
        return states.movedim(1, 3)  # [batch track state bar step pitch]

    def outline(self) -> Outline:
        """Return the probabilities of struck steps, and the pitches of each part of a bar.

        The pitches are those of `representative`, with the gradient of their probabilities: so a
        critic judges the notes that will sound, however unsure the logits are.
        """
        logits = self.logits
        rhythm = logits.rhythm.sigmoid() * self.plays[..., None]
        uses = _uses(self._sounding(self._likeliest(), (logits.hold > 0).float()), PARTS)
        if torch.is_grad_enabled():
            onset = rhythm[..., None] * logits.onset.sigmoid()
            likely = _uses(self._sounding(onset, logits.hold.sigmoid()), PARTS)
            uses = straight_through(uses, likely)
        return Outlined(rhythm, uses).joined

    @torch.no_grad()
    def _likeliest(self) -> Float[Tensor, "batch bar track step pitch"]:
        """Return the likeliest notes of the likeliest struck steps."""
        logits, most = self.logits, min(MOST_VOICES, self.logits.onset.shape[-1])
        is_struck = (logits.rhythm > 0) & self.plays[..., None]  # [batch bar track step]
        voices = logits.expected_voices.round().long().clamp(1, most)
        least = logits.onset.topk(most).values.gather(-1, voices[..., None] - 1)
        least = torch.where(is_struck[..., None], least, torch.inf)
        return ((logits.onset >= least) & (logits.onset > -torch.inf)).to(least.dtype)

    def _sounding(
        self,
        onset: Float[Tensor, "batch bar track step pitch"],
        hold: Float[Tensor, "batch bar track step pitch"],
    ) -> Float[Tensor, "batch bar track step pitch"]:
        """Return what sounds, over all bars; a silent bar and drums hold nothing."""
        hold = hold * (self.plays[..., None] & self.sustained[:, None])[..., None]
        onset, hold = (part.transpose(1, 2) for part in (onset, hold))  # [batch track bar ...]
        return sustain(onset, hold).transpose(1, 2)  # [batch bar track step pitch]

    def rsample(self) -> States:
        return self.representative

    def log_prob(self, value: States) -> Losses:
        """Return log p(x) in nats, with that of the outlined pitch classes, over sounding bars.

        A legal x is assumed: a cell that sounds without onset sounded a step earlier.
        """
        by_bar = value.movedim(2, 0).transpose(2, 3)  # [state batch bar track step pitch]
        sounding, onset, velocity = by_bar
        struck = onset.amax(-1)  # [batch bar track step]
        logits, count = self.logits, onset.sum(-1).clamp(1, MOST_VOICES).long()
        losses = binary_losses(logits.rhythm, struck)
        losses = losses + struck * binary_losses(logits.onset, onset).sum(-1)
        voices = logits.voices.log_softmax(-1).gather(-1, count[..., None] - 1)[..., 0]
        losses = losses - struck * voices
        could_hold = self._could_hold(value)
        losses = losses + (could_hold * binary_losses(logits.hold, sounding)).sum(-1)
        losses = losses + self._touch_losses(onset > 0, velocity).sum(-1)
        per_bar = losses.sum(-1) + self._chroma_losses(sounding)
        return -sum_events(per_bar * self.plays)

    def _touch_losses(
        self,
        onset: Bool[Tensor, "batch bar track step pitch"],
        velocity: Float[Tensor, "batch bar track step pitch"],
    ) -> Float[Tensor, "batch bar track step pitch"]:
        """Return -log p(velocity) of each note where it starts; 0 elsewhere."""
        notes = nonzero(onset, self.count)
        played = (velocity[notes] * LOUDEST).round().long().clamp(min=1)
        losses = torch.zeros_like(velocity)
        losses[notes] = F.cross_entropy(self.logits.touch.of(notes), played - 1, reduction="none")
        return losses

    def _could_hold(self, value: States) -> Float[Tensor, "batch bar track step pitch"]:
        sounding, onset = value[:, :, :2].unbind(2)
        could: CellValues = previous_step(sounding) * (1 - onset)
        could = could.transpose(1, 2)  # [batch bar track step pitch]
        return could * self.sustained[:, None, None]

    def _chroma_losses(
        self, sounding: Float[Tensor, "batch bar track step pitch"]
    ) -> Float[Tensor, "batch bar track"]:
        chroma = by_octave(_uses(sounding, HALVES)).amax(-2)  # [batch bar track part pitch_class]
        losses = binary_losses(self.logits.chroma, chroma.flatten(3))  # [batch bar track chroma]
        return losses.sum(-1) * self.sustained


def _uses(
    sounding: Float[Tensor, "batch bar track step pitch"], parts: int
) -> Float[Tensor, "batch bar track part pitch"]:
    """Return the largest value of each pitch in each part of a bar; 0 in a part of no steps."""
    steps = F.pad(sounding, (0, 0, 0, max(0, parts - sounding.shape[3])))
    return torch.stack([part.amax(3) for part in steps.tensor_split(parts, 3)], 3)
