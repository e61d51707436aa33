"""Kept notes of a piece that is completed, and gates on them: later ones are known as well."""

from copy import copy
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from musegen.densities.arrays import (
    Array,
    Indices,
    at_least,
    at_most,
    joined,
    largest,
    of_type,
    take,
    view,
)
from musegen.densities.lookback import Layout, Note
from musegen.networks.states import OCTAVE

KEPT_PROFILES = 5
"""Profiles of what is kept: sounding now, in the bass, until a beat later, in this bar, in the
next one."""

NOW = 2
"""The most notes of a pitch class that are counted where they sound."""


class KeptNotes:
    """Kept notes on grids of rows and steps, that can be asked for any step.

    `cells` [row step track pitch]: where notes start; `sums` [row step classes]: how many steps
    have sounded before each step, drums excepted, by pitch class, then those of the bass alone.
    """

    def __init__(self, layout: Layout, is_kept: Bool[Tensor, "row note"], note: Note, steps: int):
        self.layout, (row, number) = layout, torch.nonzero(is_kept, as_tuple=True)
        kept, batch, device = note[row, number], len(is_kept), is_kept.device
        shape = (batch, steps + layout.reach, layout.tracks, layout.pitches)
        self.cells = torch.zeros(shape, dtype=torch.bool, device=device)
        self.cells[row, kept.step, kept.track, kept.pitch] = True
        is_drum = torch.tensor(layout.is_drum, device=device)[kept.track]
        is_bass = kept.track == (-1 if layout.bass is None else layout.bass)
        counts = torch.zeros(batch, steps + 2 * layout.bar + layout.longest, 2 * OCTAVE)
        counts = counts.to(device)
        for first, counted in ((0, ~is_drum), (OCTAVE, ~is_drum & is_bass)):
            classes, change = kept.pitch % OCTAVE + first, counted.float()
            counts.index_put_((row, kept.step, classes), change, accumulate=True)
            counts.index_put_((row, kept.step + kept.length, classes), -change, accumulate=True)
        self.sums = F.pad(counts.cumsum(1).cumsum(1), (0, 0, 1, 0))
        self.lags = torch.tensor(layout.lag_steps, dtype=torch.long, device=device)
        self.bits = 2 ** torch.arange(len(layout.lags), device=device)[:, None]
        self.rows = torch.arange(batch, device=device)

    def seen_by(self, rows: Indices) -> "KeptNotes":
        """Return the same notes, asked by n notes of these rows."""
        other = copy(self)
        other.rows = rows
        return other

    def in_numpy(self) -> "KeptNotes":
        """Return the same notes, which are asked in numpy."""
        other = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(other, name, view(value.cpu()))
        return other

    def patterns(self, step: Indices, track: Indices) -> Int[Array, "n pitch"]:
        """Return the lags ahead of each step at which a kept note of the track starts."""
        ahead = self.cells[self.rows[:, None], step[:, None] + self.lags, track[:, None]]
        return (ahead * self.bits).sum(1)

    def profiles(self, step: Indices) -> Float[Array, "n profile pitch_class"]:
        """Return what sounds at each step and around it, see `KEPT_PROFILES`; sums as shares."""
        bar, beat = self.layout.bar, self.layout.grid.steps_per_beat
        begin = step // bar * bar
        now = self._between(step, step + 1)
        spans = ((step, step + beat), (begin, begin + bar), (begin + bar, begin + 2 * bar))
        totals = joined([self._between(*span)[:, None, :OCTAVE] for span in spans])
        shares = totals / at_least(largest(totals)[:, :, None], 1)
        sounding, bass = at_most(now[:, None, :OCTAVE], NOW), at_most(now[:, None, OCTAVE:], 1)
        return joined([sounding, bass, shares])

    def _between(self, first: Indices, end: Indices) -> Float[Array, "n classes"]:
        """Return the steps that each pitch class sounds, from a step to before another."""
        return self.sums[self.rows, end] - self.sums[self.rows, first]


@dataclass
class KeptWeights:
    """Weights of what sounds above each candidate, and of the lags at which it comes.

    `turned`: of each track; none of drums. `gates`: relative to "at no lag".
    """

    turned: Float[Array, "track profile_semitone pitch_class"]
    gates: Float[Array, "track pattern"]
    pitch_class: Int[Array, " pitch"]

    def __call__(
        self, kept: KeptNotes, step: Indices, track: Indices
    ) -> Float[Array, "n pitch"]:
        """Return what is added to the logits of the pitches of notes at these steps and tracks."""
        turned = self.turned[track]
        profiles = of_type(kept.profiles(step), turned)
        profiles = profiles.reshape(len(step), 1, -1)  # [n 1 profile*semitone]
        of_class = (profiles @ turned)[:, 0]  # [n pitch_class]
        return of_class[:, self.pitch_class] + take(self.gates[track], kept.patterns(step, track))

    def in_numpy(self) -> "KeptWeights":
        """Return the same weights for notes that are sampled."""
        return KeptWeights(view(self.turned), view(self.gates), view(self.pitch_class))


class KeptGates(nn.Module):
    """Logits of pitches from what is kept: what starts there at the lags ahead, and what sounds.

    Weights of pitch classes are of those 0 to 11 semitones above the candidate. Each track has its
    own, and they begin at 0. They do not depend on the hidden state, which knows the songs of its
    training too well to need what is kept.
    """

    above: Tensor
    is_melodic: Tensor
    pitch_class: Tensor

    def __init__(self, layout: Layout):
        super().__init__()
        self.circular = nn.Parameter(torch.zeros(layout.tracks, KEPT_PROFILES, OCTAVE))
        self.lags = nn.Parameter(torch.zeros(layout.tracks, layout.patterns))
        semitone = torch.arange(OCTAVE)
        above = (semitone[:, None] - semitone) % OCTAVE  # of a pitch class over a candidate
        self.register_buffer("above", above, persistent=False)
        is_melodic = ~torch.tensor(layout.is_drum)
        self.register_buffer("is_melodic", is_melodic, persistent=False)
        pitch_class = torch.arange(layout.pitches) % OCTAVE
        self.register_buffer("pitch_class", pitch_class, persistent=False)

    def weights(self) -> KeptWeights:
        """Return the weights of each candidate."""
        turned = self.circular[:, :, self.above] * self.is_melodic[:, None, None, None]
        gates = self.lags - self.lags[:, :1]
        turned = turned.flatten(1, 2)  # [track profile*semitone pitch_class]
        return KeptWeights(turned, gates, self.pitch_class)
