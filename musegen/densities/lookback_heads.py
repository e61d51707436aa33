"""The conditionals of the next note, with gates on what stood at its place some bars ago.

    p(advance) p(track given advance) p(pitch given .. track) p(length given .. pitch)
    p(velocity given .. length)

To the logits of each candidate, gates are added: numbers computed from the hidden state, one for
each set of lags at which the candidate stood, from which that of the candidate's set is gathered.
A gate is relative to "at no lag". So what recurs is weighed as such, whatever it is: transposed
music has transposed gates. After the lookback of Waite (Magenta, 2016), with the lags in bars of
Yu et al. (Museformer, NeurIPS 2022).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from core.theory.shapes import Losses
from musegen.densities.kept_notes import KeptGates
from musegen.densities.lookback import VELOCITIES, Layout
from musegen.densities.next_note import AGES, INTERVAL, PROFILES, Attribute, NextNote
from musegen.densities.note_sequences import Indices
from musegen.networks.states import OCTAVE

Hidden = Float[Tensor, "n width"]
Logits = Float[Tensor, "n choice"]

IMPOSSIBLE = -1e9
"""The logit of an illegal choice."""

KEY_SHARES = 4
"""Degrees of a pitch class's share of all before."""


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
        return Tables(torch.cat(parts), torch.tensor(firsts, device=step.device))

    def _of_place(self) -> Float[Tensor, "place width"]:
        """Return the sum of the embeddings of track, pitch and pitch class of each cell."""
        layout = self.layout
        place = torch.arange(layout.tracks * layout.pitches, device=self.start.device)
        track = place // layout.pitches
        is_drum = torch.tensor(layout.is_drum, device=place.device)[track]
        pitch_class = torch.where(is_drum, OCTAVE, place % layout.pitches % OCTAVE)
        return self.track(track) + self.pitch(place) + self.pitch_class(pitch_class)

    def forward(self, chosen: NextNote, tables: "Tables") -> Hidden:
        columns = (chosen.place, chosen.step, chosen.length, chosen.velocity)
        columns += (chosen.own_advance, chosen.interval, chosen.pattern)
        index = torch.stack(columns, 1)
        if self.profiles is None:
            return F.embedding_bag(index + tables.firsts, tables.rows, mode="sum")
        index = torch.cat([index, chosen.ages], 1)
        embedded = F.embedding_bag(index + tables.firsts, tables.rows, mode="sum")
        return embedded + self.profiles(chosen.profiles.flatten(1))  # [n profile*class]

    def bar_number(self, step: Indices) -> Indices:
        """Return the bar of each step; bars after the trained window repeat its second half."""
        bar, half = step // self.layout.bar, self.bars // 2
        return torch.where(bar < self.bars, bar, half + (bar - half) % (self.bars - half))


@dataclass
class Tables:
    """Embeddings of all attributes, one below the other, and the first row of each."""

    rows: Float[Tensor, "row width"]
    firsts: Int[Tensor, " attribute"]


class LookbackHeads(nn.Module):
    """The five conditionals, each computed from the hidden state and the attributes before it.

    `gate`, `age`, `interval`, `turned`, `pitch_class`: fixed places, by which gates are gathered.
    """

    gate: Tensor
    age: Tensor
    interval: Tensor
    turned: Tensor
    pitch_class: Tensor

    def __init__(self, width: int, layout: Layout, harmony: bool, listens: bool = False):
        super().__init__()
        self.layout, self.harmony = layout, harmony
        self.kept = KeptGates(layout) if listens else None
        tracks, patterns = layout.tracks, layout.patterns
        gates = tracks * patterns
        self.advance = _Head(width, (layout.advances + 1, layout.bar, 2 * gates))
        self.patience = nn.Parameter(torch.zeros(()))
        self.track = _Head(width, (tracks, gates, tracks * AGES if harmony else 0))
        of_harmony = (3 * KEY_SHARES, patterns, PROFILES * OCTAVE) if harmony else (0, 0, 0)
        self.pitch = _Head(width, (layout.pitches, 2 * INTERVAL + 1, patterns, 1, *of_harmony))
        self.length = _Head(width, (layout.longest, len(layout.lags) + 2))
        self.velocity = _Head(width, (VELOCITIES - 1, len(layout.lags) + 3, 1))
        self.embed_advance = _embedding(layout.advances + 1, width)
        self.embed_in_bar = _embedding(layout.bar, width)
        self.embed_track = _embedding(gates, width)
        self.embed_pitch = _embedding(tracks * layout.pitches, width)
        self.embed_pattern = _embedding(patterns, width)
        self.embed_length = _embedding(layout.longest + 1, width)
        self.embed_profiles = nn.Linear(PROFILES * OCTAVE, width) if harmony else None
        self.register_buffer("gate", _gates(layout), persistent=False)
        self.register_buffer("age", AGES * torch.arange(layout.tracks), persistent=False)
        self.register_buffer("interval", _intervals(layout.pitches), persistent=False)
        self.register_buffer("turned", _turned(), persistent=False)
        self.register_buffer(
            "pitch_class", torch.arange(layout.pitches) % OCTAVE, persistent=False
        )

    def conditionals(self, hidden: Hidden, note: NextNote) -> Iterator[tuple[Attribute, Logits]]:
        """Yield the logits of each attribute; it must be chosen before the next is asked for.

        The length of drums alone is no choice. What kept notes add to the logits of the pitch
        lies beside, in `note.of_kept`.
        """
        yield "advance", self.advance_logits(hidden, note)
        hidden = self._at_step(hidden, note)
        yield "track", self.track_logits(hidden, note)
        hidden = hidden + self.embed_track(note.track * self.layout.patterns + note.track_pattern)
        if self.embed_profiles:
            profiles = note.profiles.flatten(1)  # [n profile*pitch_class]
            hidden = hidden + self.embed_profiles(profiles)
        if self.kept and note.kept:
            note.of_kept = self.kept(note.kept, note.step, note.track)
        yield "pitch", self.pitch_logits(hidden, note)
        hidden = hidden + self.embed_pitch(note.place)
        hidden = hidden + self.embed_pattern(note.pattern)
        if note.some_melodic:
            yield "length", self.length_logits(hidden, note)
        else:
            note.choose("length", torch.zeros_like(note.pitch))
        hidden = hidden + self.embed_length(note.length)
        yield "velocity", self.velocity_logits(hidden, note)

    def _at_step(self, hidden: Hidden, note: NextNote) -> Hidden:
        """Add what is known when the advance is."""
        hidden = hidden + self.embed_advance(note.own_advance)
        return hidden + self.embed_in_bar(note.step % self.layout.bar)

    def tracks_ahead(
        self, hidden: Hidden, note: NextNote, advance: Int[Tensor, "n ahead"]
    ) -> Float[Tensor, "n ahead track"]:
        """Return the logits of the track at several advances."""
        there = note.ahead(advance)
        hidden = self._at_step(hidden.repeat_interleave(advance.shape[1], 0), there)
        return self.track_logits(hidden, there).unflatten(0, advance.shape)  # [n ahead track]

    def advance_logits(self, hidden: Hidden, note: NextNote) -> Logits:
        """Return the logits of advances of 0, 1 .. steps, the last one of any that is longer."""
        layout, last = self.layout, note.last
        base, of_beat, gates = self.advance(hidden)
        found = note.history.patterns_ahead(note.row, last)
        found[:, 0] = note.remaining
        in_bar = (last.step[:, None] + note.history.numbers(layout.advances)) % layout.bar
        added = of_beat.gather(1, in_bar) + self._of_tracks(gates, found)
        logits = base + F.pad(added, (0, 1))
        is_last = (last.track == layout.tracks - 1) & (last.pitch == layout.pitches - 1)
        logits[:, 0].masked_fill_(is_last, IMPOSSIBLE)
        return logits

    def _of_tracks(
        self, gates: Float[Tensor, "n gate"], found: Int[Tensor, "n advance track"]
    ) -> Float[Tensor, "n advance"]:
        """Sum the gates of all tracks' patterns; an advance of 0 has gates of its own."""
        relative = _relative(gates.unflatten(1, (-1, self.layout.patterns)))  # [n group pattern]
        relative = relative.flatten(1)  # [n gate]
        index = (found + self.gate).flatten(1)  # [n advance*track]
        return relative.gather(1, index).view(found.shape).sum(2)  # [n advance]

    def track_logits(self, hidden: Hidden, note: NextNote) -> Logits:
        """Return the logits of the track; in the same step none comes before the last."""
        base, gates, of_age = self.track(hidden)
        gate = gates.gather(1, note.there + self.gate[-1])
        logits = base + (gate - gates[:, :: self.layout.patterns])
        if self.harmony:
            logits = logits + of_age.gather(1, note.ages + self.age)
        first = note.last.track + (note.last.pitch == self.layout.pitches - 1)
        first = note.same_step * first
        choice = note.history.numbers(self.layout.tracks)
        return logits.masked_fill(choice < first[:, None], IMPOSSIBLE)

    def pitch_logits(self, hidden: Hidden, note: NextNote) -> Logits:
        """Return the logits of the pitch; in the same step and track they ascend."""
        base, of_interval, gates, of_used, *of_harmony = self.pitch(hidden)
        logits = base + F.pad(of_interval, (0, 1)).gather(1, self.interval[note.own_pitch])
        logits = logits + _relative(gates).gather(1, note.patterns) + of_used * note.used_pitches
        if self.harmony and note.some_melodic:
            of_class = note.is_melodic * self._class_logits(of_harmony, note)
            logits = logits + of_class.index_select(1, self.pitch_class)
        lowest = torch.where(note.same_track, note.last.pitch, -1)[:, None]
        return logits.masked_fill(note.history.numbers(self.layout.pitches) <= lowest, IMPOSSIBLE)

    def _class_logits(self, gates: list[Tensor], note: NextNote) -> Float[Tensor, "n pitch_class"]:
        """Return a logit of each pitch class from what sounds, here and at the lags.

        Weights of `circular`: of what sounds 0 to 11 semitones above the candidate, in each
        profile.
        """
        of_state, of_pattern, circular = gates
        sounding, patterns = note.profiles, note.class_patterns
        share = (sounding[:, 3] * (KEY_SHARES - 0.01)).long()
        state = sounding[:, 0].long() * KEY_SHARES + share
        logits = of_state.gather(1, state) + _relative(of_pattern).gather(1, patterns)
        turned = circular.index_select(1, self.turned)
        turned = turned.unflatten(1, (-1, OCTAVE))  # [n profile*semitone pitch_class]
        return logits + (sounding.flatten(1)[:, None] @ turned)[:, 0]  # [n pitch_class]

    def length_logits(self, hidden: Hidden, note: NextNote) -> Logits:
        """Return the logits of lengths 1, 2 ..; drums have length 1.

        Gates point at the lengths at the lags, and at that of the track's last note, as one of
        the same chord or as an earlier one.
        """
        base, gates = self.length(hidden)
        last = _of_last(note, note.own_length)
        logits = _pointed(base, gates, torch.cat([note.lagged_lengths, *last], 1))
        logits[:, 1:].masked_fill_(~note.is_melodic, IMPOSSIBLE)
        return logits

    def velocity_logits(self, hidden: Hidden, note: NextNote) -> Logits:
        """Return the logits of velocities 1, 2 .., with gates as those of the length.

        A further one points at the last velocity on this pitch; a song has few velocities, and
        those that the track has used have a logit of their own.
        """
        base, gates, of_used = self.velocity(hidden)
        base = base + of_used * note.used_velocities[:, 1:]
        last = (*_of_last(note, note.own_velocity), note.pitch_velocity[:, None])
        return _pointed(base, gates, torch.cat([note.lagged_velocities, *last], 1))

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


class _Head(nn.Module):
    """A network of two layers whose output is split into parts of these sizes."""

    def __init__(self, width: int, sizes: tuple[int, ...]):
        super().__init__()
        self.sizes = list(sizes)
        self.layers = nn.Sequential(
            nn.Linear(width, width), nn.GELU(), nn.Linear(width, sum(sizes))
        )

    def forward(self, hidden: Hidden) -> tuple[Tensor, ...]:
        first, _, last = self.layers
        return last(_gelu(first(hidden))).split(self.sizes, 1)


def _gelu(x: Tensor) -> Tensor:
    """x Phi(x) (Hendrycks and Gimpel, 2016).

    Without a gradient written out: on CPUs, torch's own costs much for each call.
    """
    if x.requires_grad:
        return F.gelu(x)
    half = x * 0.5
    return torch.addcmul(half, half, torch.erf(x * math.sqrt(0.5)))


def _relative(gates: Tensor) -> Tensor:
    """Gates less that of the pattern 0, at no lag; [.. pattern]"""
    return gates - gates[..., :1]


def _gates(layout: Layout) -> Int[Tensor, "advance track"]:
    """Return where the gates of each advance and track are; an advance of 0 has its own."""
    gates = layout.patterns * torch.arange(layout.tracks).repeat(layout.advances, 1)
    gates[0] += layout.patterns * layout.tracks
    return gates


def _intervals(pitches: int) -> Int[Tensor, "own pitch"]:
    """Return the number of the interval from the track's last pitch, one further if it is too far.

    The last entry, -1, is that of a track without a note.
    """
    pitch = torch.arange(pitches)
    interval = pitch - pitch[:, None]
    far = 2 * INTERVAL + 1
    interval = torch.where(interval.abs() > INTERVAL, far, interval + INTERVAL)
    return F.pad(interval, (0, 0, 0, 1), value=far)


def _turned() -> Int[Tensor, " profile_semitone_class"]:
    """Return the weight of each profile's pitch class k for candidates c: that of k - c."""
    semitone = torch.arange(OCTAVE)
    above = (semitone[:, None] - semitone) % OCTAVE
    turned = [above + OCTAVE * profile for profile in range(PROFILES)]
    return torch.cat(turned).flatten()  # [profile*semitone*class]


def _of_last(note: NextNote, value: Indices) -> tuple[Tensor, Tensor]:
    """Return a value of the track's last note, where it is of the same chord, and where not."""
    chord = note.same_track * value
    return chord[:, None], (value - chord)[:, None]


def _pointed(
    base: Logits, gates: Float[Tensor, "n pointer"], pointers: Int[Tensor, "n pointer"]
) -> Logits:
    """Add each gate to the choice that its pointer names, from 1; 0 names none."""
    return F.pad(base, (1, 0)).scatter_add(1, pointers, gates)[:, 1:]


def _embedding(entries: int, width: int) -> nn.Embedding:
    table = nn.Embedding(entries, width)
    nn.init.normal_(table.weight, std=0.05)
    return table
