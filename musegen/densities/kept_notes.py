"""Kept notes of a piece that is completed, and gates on them: later ones are known as well."""

from copy import copy

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from core.densities.arrays import filled
from musegen.densities.lookback import Layout, Note
from musegen.densities.note_sequences import Indices
from musegen.networks.states import OCTAVE

KEPT_PROFILES = 5
"""Profiles of what is kept: sounding now, in the bass, until a beat later, in this bar, in the
next one."""

NOW = 2.0
"""The most notes of a pitch class that are counted where they sound."""


class KeptNotes:
    """Kept notes on grids of rows and steps, that can be asked for any step.

    `cells` [row step track pitch]: where notes start; `sums` [row step classes]: how many steps
    have sounded before each step, drums excepted, by pitch class, then those of the bass alone.
    The notes are on the processor, which counts them; the grids are on `device`.
    """

    def __init__(
        self,
        layout: Layout,
        is_kept: Bool[Tensor, "row note"],
        note: Note,
        steps: int,
        device: torch.device,
    ):
        row, number = torch.nonzero(is_kept, as_tuple=True)
        self.layout, batch = layout, len(is_kept)
        kept, row = note[row, number].to(device), row.to(device)
        shape = (batch, steps + layout.reach, layout.tracks, layout.pitches)
        self.cells = torch.zeros(shape, dtype=torch.bool, device=device)
        self.cells[row, kept.step, kept.track, kept.pitch] = True
        is_drum = filled(layout.is_drum, device, torch.bool)[kept.track]
        is_bass = kept.track == (-1 if layout.bass is None else layout.bass)
        shape = (batch, steps + 2 * layout.bar + layout.longest, 2 * OCTAVE)
        counts = torch.zeros(shape, device=device)
        for first, counted in ((0, ~is_drum), (OCTAVE, ~is_drum & is_bass)):
            classes, change = kept.pitch % OCTAVE + first, counted.float()
            counts.index_put_((row, kept.step, classes), change, accumulate=True)
            counts.index_put_((row, kept.step + kept.length, classes), -change, accumulate=True)
        self.sums = F.pad(counts.cumsum(1).cumsum(1), (0, 0, 1, 0))
        self.lags = filled(layout.lag_steps, device)
        self.bits = 2 ** torch.arange(len(layout.lags), device=device)[:, None]
        self.rows = torch.arange(batch, device=device)

    def seen_by(self, rows: Indices) -> "KeptNotes":
        """Return the same notes, asked by n notes of these rows."""
        other = copy(self)
        other.rows = rows
        return other

    def patterns(self, step: Indices, track: Indices) -> Int[Tensor, "n pitch"]:
        """Return the lags ahead of each step at which a kept note of the track starts."""
        ahead = self.cells[self.rows[:, None], step[:, None] + self.lags, track[:, None]]
        return (ahead * self.bits).sum(1)

    def profiles(self, step: Indices) -> Float[Tensor, "n profile pitch_class"]:
        """Return what sounds at each step and around it, see `KEPT_PROFILES`; sums as shares."""
        bar, beat = self.layout.bar, self.layout.grid.steps_per_beat
        begin = step // bar * bar
        now = self._between(step, step + 1)
        bass = now[:, OCTAVE:].clamp(max=1)
        spans = ((step, step + beat), (begin, begin + bar), (begin + bar, begin + 2 * bar))
        totals = torch.stack([self._between(*span)[:, :OCTAVE] for span in spans], 1)
        shares = totals / totals.amax(2, keepdim=True).clamp(min=1)
        present = torch.stack([now[:, :OCTAVE].clamp(max=NOW), bass], 1)
        return torch.cat([present, shares], 1)

    def _between(self, first: Indices, end: Indices) -> Float[Tensor, "n classes"]:
        """Return the steps that each pitch class sounds, from a step to before another."""
        return self.sums[self.rows, end] - self.sums[self.rows, first]


class KeptGates(nn.Module):
    """Logits of pitches from what is kept: what starts there at the lags ahead, and what sounds.

    Weights of pitch classes are of those 0 to 11 semitones above the candidate. Each track has its
    own, and they begin at 0. They do not depend on the hidden state, which knows the songs of its
    training too well to need what is kept.
    """

    above: Tensor
    is_melodic: Tensor

    def __init__(self, layout: Layout):
        super().__init__()
        self.circular = nn.Parameter(torch.zeros(layout.tracks, KEPT_PROFILES, OCTAVE))
        self.lags = nn.Parameter(torch.zeros(layout.tracks, layout.patterns))
        semitone = torch.arange(OCTAVE)
        above = (semitone[:, None] - semitone) % OCTAVE  # of a pitch class over a candidate
        self.register_buffer("above", above, persistent=False)
        is_melodic = ~torch.tensor(layout.is_drum)
        self.register_buffer("is_melodic", is_melodic, persistent=False)

    def forward(self, kept: KeptNotes, step: Indices, track: Indices) -> Float[Tensor, "n pitch"]:
        """Return what is added to the logits of the pitches of notes at these steps and tracks."""
        turned = self.circular[:, :, self.above] * self.is_melodic[:, None, None, None]
        profiles = kept.profiles(step).to(turned)
        of_class = torch.einsum("npk,npkc->nc", profiles, turned[track])
        patterns = kept.patterns(step, track)
        candidate = torch.arange(patterns.shape[1], device=step.device) % OCTAVE
        gates = self.lags - self.lags[:, :1]
        return of_class[:, candidate] + gates[track].gather(1, patterns)
