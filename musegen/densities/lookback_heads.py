"""The embedding of notes, and the heads whose outputs are the conditionals of the next one.

See `lookback_gates` for what is known of the candidates beside the hidden state.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from core.densities.arrays import (
    Array,
    Blocks,
    columns_of,
    filled,
    flat,
    joined,
    product,
    sum_of_rows,
    view,
)
from core.theory.shapes import Losses
from musegen.densities.kept_notes import KeptGates
from musegen.densities.lookback import INTERVAL, VELOCITIES, Layout
from musegen.densities.lookback_gates import (
    KEY_SHARES,
    Gates,
    Logits,
    Places,
)
from musegen.densities.next_note import AGES, PROFILES, Attribute, NextNote
from musegen.densities.note_sequences import Indices
from musegen.networks.states import OCTAVE

Hidden = Float[Tensor, "n width"]

FIRST, LAST = (1, 0), (0, 1)
"""Choices of 0 before and behind a part, by number."""


class NoteEmbedding(nn.Module):
    """Chosen notes as vectors: the sum of embeddings of their attributes and of their context."""

    def __init__(self, width: int, layout: Layout, bars: int, harmony: bool):
        super().__init__()
        self.layout, self.bars = layout, bars
        self.track = _embedding(layout.tracks, width)
        self.pitch = _embedding(layout.tracks * layout.pitches, width)
        self.pitch_class = _embedding(OCTAVE + 1, width)
        self.length = _embedding(layout.longest + 1, width)
        self.velocity = _embedding(VELOCITIES, width)
        self.in_bar = _embedding(layout.bar, width)
        self.bar = _embedding(bars, width)
        self.advance = _embedding(layout.advances + 1, width)
        self.interval = _embedding(2 * INTERVAL + 2, width)
        self.pattern = _embedding(layout.patterns, width)
        self.ages = _embedding(layout.tracks * AGES, width) if harmony else None
        self.profiles = nn.Linear(PROFILES * OCTAVE, width) if harmony else None
        self.start = nn.Parameter(0.05 * torch.randn(width))

    def tables(self, steps: int) -> "Tables":
        """Return the tables for pieces of `steps` steps, one below the other."""
        step = torch.arange(steps, device=self.start.device)
        of_step = self.in_bar(step % self.layout.bar) + self.bar(self.bar_number(step))
        parts = [self._of_place(), of_step]
        parts += [t.weight for t in (self.length, self.velocity, self.advance, self.interval)]
        parts += [self.pattern.weight, *([self.ages.weight] if self.ages else [])]
        firsts = list(accumulate((len(part) for part in parts), initial=0))[:-1]
        if self.ages:
            firsts[-1:] = [firsts[-1] + AGES * n for n in range(self.layout.tracks)]
        profiles = None
        if self.profiles:
            parts[0] = parts[0] + self.profiles.bias
            profiles = self.profiles.weight.T
        return Tables(torch.cat(parts), filled(firsts, step.device), profiles)

    def _of_place(self) -> Float[Tensor, "place width"]:
        """Return the sum of the embeddings of track, pitch and pitch class of each cell."""
        layout = self.layout
        place = torch.arange(layout.tracks * layout.pitches, device=self.start.device)
        track = place // layout.pitches
        is_drum = filled(layout.is_drum, place.device, torch.bool)[track]
        pitch_class = torch.where(is_drum, OCTAVE, place % layout.pitches % OCTAVE)
        return self.track(track) + self.pitch(place) + self.pitch_class(pitch_class)

    def bar_number(self, step: Indices) -> Indices:
        """Return the bar of each step; bars after the trained window repeat its second half."""
        bar, half = step // self.layout.bar, self.bars // 2
        return torch.where(bar < self.bars, bar, half + (bar - half) % (self.bars - half))


@dataclass
class Tables:
    """Embeddings of all attributes, one below the other, and the first row of each.

    `profiles`: the weights of what sounds.
    """

    rows: Float[Array, "row width"]
    firsts: Int[Array, " attribute"]
    profiles: Float[Array, "profile_class width"] | Blocks | None

    def mapped(self, linear: Callable[[Array], Array], bias: np.ndarray) -> "Tables":
        """Return tables for notes in numpy: their sums are what `linear` makes of these tables'
        sums, and a bias.

        The bias lies in the first table, of which each note has a row.
        """
        rows, first = linear(view(self.rows)), self.firsts[1]
        rows[:first] += bias
        profiles = self.profiles
        if isinstance(profiles, Tensor):
            profiles = Blocks.of(linear(view(profiles)))
        return Tables(rows, view(self.firsts), profiles)

    def embedded(self, chosen: NextNote) -> Float[Array, "n width"]:
        """Return chosen notes as vectors."""
        columns = (chosen.place, chosen.step, chosen.length, chosen.velocity)
        columns += (chosen.own_advance, chosen.interval, chosen.pattern)
        index = columns_of(columns)
        if self.profiles is None:
            return sum_of_rows(self.rows, index + self.firsts)
        embedded = sum_of_rows(self.rows, joined((index, chosen.ages)) + self.firsts)
        sounding = flat(chosen.profiles)  # [n profile*class]
        return embedded + product(sounding, self.profiles)


class LookbackHeads(nn.Module):
    """The five heads, each computed from the hidden state and the attributes before it."""

    def __init__(self, width: int, layout: Layout, harmony: bool, listens: bool = False):
        super().__init__()
        self.layout, self.harmony = layout, harmony
        self.kept = KeptGates(layout) if listens else None
        tracks, patterns = layout.tracks, layout.patterns
        gates = tracks * patterns
        sizes = (layout.advances + 1, layout.bar, 2 * gates)
        self.advance = Head(width, sizes, {2: patterns}, {1: LAST})
        self.patience = nn.Parameter(torch.zeros(()))
        sizes = (tracks, gates, tracks * AGES if harmony else 0)
        self.track = Head(width, sizes, {1: patterns})
        of_harmony = (3 * KEY_SHARES, patterns, PROFILES * OCTAVE) if harmony else (0, 0, 0)
        sizes = (layout.pitches, 2 * INTERVAL + 1, patterns, 1, *of_harmony)
        gated = {2: patterns, 5: patterns} if harmony else {2: patterns}
        self.pitch = Head(width, sizes, gated, {1: LAST})
        self.length = Head(width, (layout.longest, len(layout.lags) + 2), None, {0: FIRST})
        self.velocity = Head(width, (VELOCITIES - 1, len(layout.lags) + 3, 1), None, {0: FIRST})
        self.embed_advance = _embedding(layout.advances + 1, width)
        self.embed_in_bar = _embedding(layout.bar, width)
        self.embed_track = _embedding(gates, width)
        self.embed_pitch = _embedding(tracks * layout.pitches, width)
        self.embed_pattern = _embedding(patterns, width)
        self.embed_length = _embedding(layout.longest + 1, width)
        self.embed_profiles = nn.Linear(PROFILES * OCTAVE, width) if harmony else None
        for name, place in Places.of(layout)._asdict().items():
            self.register_buffer(name, place, persistent=False)

    @property
    def gates(self) -> Gates:
        return Gates(self.layout, self.harmony, Places(*map(self.get_buffer, Places._fields)))

    def conditionals(self, hidden: Hidden, note: NextNote) -> Iterator[tuple[Attribute, Logits]]:
        """Yield the logits of each attribute; see `Gates.conditionals`."""
        return self.gates.conditionals(HiddenOutputs(self, hidden), note)

    def advance_logits(self, hidden: Hidden, note: NextNote) -> Logits:
        """Return the logits of advances; see `Gates.advance_logits`."""
        return self.gates.advance_logits(self.advance(hidden), note)

    def log_prob_of_advance(self, log_probs: Logits, advance: Indices) -> Losses:
        """Return log p of advances; beyond the choices by a geometric distribution."""
        most = self.layout.advances
        chosen = log_probs.gather(1, advance.clamp(max=most)[:, None])[:, 0]
        excess = (advance - most).clamp(min=0)
        stay, stop = F.logsigmoid(self.patience), F.logsigmoid(-self.patience)
        return chosen + torch.where(advance < most, 0, excess * stay + stop)

    def log_prob_of_later(self, log_probs: Logits, least: Indices) -> Losses:
        """Return log p of an advance by at least `least` steps."""
        most = self.layout.advances
        choice = torch.arange(most + 1, device=least.device)
        excess = (least - most).clamp(min=0)[:, None] * (choice == most)
        later = log_probs + excess * F.logsigmoid(self.patience)
        return later.masked_fill(choice < least[:, None].clamp(max=most), -math.inf).logsumexp(1)

    def beyond(self, uniform: Float[Tensor, " n"]) -> Indices:
        """Return by how many steps advances beyond the choices go further, for uniform numbers."""
        return (uniform.clamp(min=1e-30).log() / F.logsigmoid(self.patience)).long()


@dataclass
class HiddenOutputs:
    """Outputs of the heads: what is known is embedded, and added to the hidden state."""

    heads: LookbackHeads
    hidden: Hidden

    def of(self, attribute: Attribute) -> list[Array]:
        """Return the parts of a head's output."""
        return getattr(self.heads, attribute)(self.hidden)

    def know(self, fact: str, value: Array) -> None:
        """Let the heads that follow know a fact."""
        self.hidden = self.hidden + getattr(self.heads, f"embed_{fact}")(value)


class Head(nn.Module):
    """A network of two layers whose output is split into parts of these sizes.

    `gates`: which parts are gates, of how many patterns. They are relative to the pattern 0.
    `padded`: which parts have a further choice of 0, the `FIRST` or the `LAST`.
    """

    def __init__(
        self,
        width: int,
        sizes: tuple[int, ...],
        gates: dict[int, int] | None = None,
        padded: dict[int, tuple[int, int]] | None = None,
    ):
        super().__init__()
        self.sizes, self.gates, self.padded = list(sizes), gates or {}, padded or {}
        self.layers = nn.Sequential(
            nn.Linear(width, width), nn.GELU(), nn.Linear(width, sum(sizes))
        )

    def forward(self, hidden: Hidden) -> list[Tensor]:
        return self.parts(self.layers(hidden))

    def parts(self, output: Float[Tensor, "n outputs"]) -> list[Tensor]:
        """Return the parts of an output, or of all rows of a linear map to it."""
        parts = list(output.split(self.sizes, 1))
        for number, patterns in self.gates.items():
            gates = parts[number].unflatten(1, (-1, patterns))  # [n group pattern]
            parts[number] = (gates - gates[:, :, :1]).flatten(1)  # [n gate]
        for number, zeros in self.padded.items():
            parts[number] = F.pad(parts[number], zeros)
        return parts


def _embedding(entries: int, width: int) -> nn.Embedding:
    table = nn.Embedding(entries, width)
    nn.init.normal_(table.weight, std=0.05)
    return table
