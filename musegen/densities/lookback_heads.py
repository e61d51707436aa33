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

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from core.theory.shapes import Losses
from musegen.densities.lookback import LEVELS, Layout
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
        self.level = _embedding(LEVELS, width)
        self.in_bar = _embedding(layout.bar, width)
        self.bar = _embedding(bars, width)
        self.advance = _embedding(layout.advances + 1, width)
        self.interval = _embedding(2 * INTERVAL + 2, width)
        self.pattern = _embedding(layout.patterns, width)
        self.ages = _embedding(layout.tracks * AGES, width) if harmony else None
        self.profiles = nn.Linear(PROFILES * OCTAVE, width) if harmony else None
        self.start = nn.Parameter(0.05 * torch.randn(width))

    def forward(self, chosen: NextNote) -> Hidden:
        layout, note = self.layout, chosen.note
        is_drum = ~chosen.history.melodic[note.track]
        pitch_class = torch.where(is_drum, OCTAVE, note.pitch % OCTAVE)
        embedded = (
            self.track(note.track)
            + self.pitch(note.track * layout.pitches + note.pitch)
            + self.pitch_class(pitch_class)
            + self.length(note.length)
            + self.level(note.level)
            + self.in_bar(note.step % layout.bar)
            + self.bar(self.bar_number(note.step))
            + self.advance(chosen.advance.clamp(max=layout.advances))
            + self.interval(chosen.interval)
            + self.pattern(chosen.pattern)
        )
        if self.ages and self.profiles:
            age = chosen.ages + AGES * torch.arange(layout.tracks, device=chosen.ages.device)
            embedded = embedded + self.ages(age).sum(1)
            embedded = embedded + self.profiles(chosen.profiles.flatten(1))  # [n profile*class]
        return embedded

    def bar_number(self, step: Indices) -> Indices:
        """Return the bar of each step; bars after the trained window repeat its second half."""
        bar, half = step // self.layout.bar, self.bars // 2
        return torch.where(bar < self.bars, bar, half + (bar - half) % (self.bars - half))


class LookbackHeads(nn.Module):
    """The five conditionals, each computed from the hidden state and the attributes before it."""

    def __init__(self, width: int, layout: Layout, harmony: bool):
        super().__init__()
        self.layout, self.harmony = layout, harmony
        tracks, patterns = layout.tracks, layout.patterns
        gates = tracks * patterns
        self.advance = _Head(width, (layout.advances + 1, layout.bar, gates, gates))
        self.patience = nn.Parameter(torch.zeros(()))
        self.track = _Head(width, (tracks, gates, tracks * AGES if harmony else 0))
        of_harmony = (3 * KEY_SHARES, patterns, PROFILES * OCTAVE) if harmony else (0, 0, 0)
        self.pitch = _Head(width, (layout.pitches, 2 * INTERVAL + 1, patterns, *of_harmony))
        self.length = _Head(width, (layout.longest, len(layout.lags) + 2))
        self.velocity = _Head(width, (LEVELS, len(layout.lags) + 1))
        self.embed_advance = _embedding(layout.advances + 1, width)
        self.embed_in_bar = _embedding(layout.bar, width)
        self.embed_track = _embedding(gates, width)
        self.embed_pitch = _embedding(tracks * layout.pitches, width)
        self.embed_pattern = _embedding(patterns, width)
        self.embed_length = _embedding(layout.longest + 1, width)
        self.embed_profiles = nn.Linear(PROFILES * OCTAVE, width) if harmony else None

    def conditionals(self, hidden: Hidden, note: NextNote) -> Iterator[tuple[Attribute, Logits]]:
        """Yield the logits of each attribute; it must be chosen before the next is asked for."""
        yield "advance", self.advance_logits(hidden, note)
        hidden = hidden + self.embed_advance(note.advance.clamp(max=self.layout.advances))
        hidden = hidden + self.embed_in_bar(note.step % self.layout.bar)
        yield "track", self.track_logits(hidden, note)
        hidden = hidden + self.embed_track(note.track * self.layout.patterns + note.track_pattern)
        if self.embed_profiles:
            profiles = note.profiles.flatten(1)  # [n profile*pitch_class]
            hidden = hidden + self.embed_profiles(profiles)
        yield "pitch", self.pitch_logits(hidden, note)
        hidden = hidden + self.embed_pitch(note.track * self.layout.pitches + note.pitch)
        hidden = hidden + self.embed_pattern(note.pattern)
        yield "length", self.length_logits(hidden, note)
        hidden = hidden + self.embed_length(note.length)
        yield "velocity", self.velocity_logits(hidden, note)

    def advance_logits(self, hidden: Hidden, note: NextNote) -> Logits:
        """Return the logits of advances of 0, 1 .. steps, the last one of any that is longer."""
        layout, last = self.layout, note.last
        base, of_beat, gates, of_rest = self.advance(hidden)
        choice = note.history.numbers(layout.advances + 1)
        ahead = note.history.patterns_ahead(note.row, last)
        added = of_beat.gather(1, (last.step[:, None] + choice[:-1]) % layout.bar)
        of_now = self._of_tracks(of_rest, note.remaining[:, None])
        added = added + torch.cat([of_now, self._of_tracks(gates, ahead[:, 1:])], 1)
        logits = base + F.pad(added, (0, 1))
        is_last = (last.track == layout.tracks - 1) & (last.pitch == layout.pitches - 1)
        return logits.masked_fill(is_last[:, None] & (choice == 0), IMPOSSIBLE)

    def _of_tracks(
        self, gates: Float[Tensor, "n gate"], found: UInt8[Tensor, "n advance track"]
    ) -> Float[Tensor, "n advance"]:
        """Sum the gates of all tracks' patterns."""
        layout = self.layout
        relative = _relative(gates.unflatten(1, (layout.tracks, -1))).flatten(1)  # [n gate]
        offset = layout.patterns * torch.arange(layout.tracks, device=gates.device)
        index = (found.long() + offset).flatten(1)  # [n advance*track]
        return relative.gather(1, index).view(found.shape).sum(2)  # [n advance]

    def track_logits(self, hidden: Hidden, note: NextNote) -> Logits:
        """Return the logits of the track; in the same step none comes before the last."""
        base, gates, of_age = self.track(hidden)
        gates = _relative(gates.unflatten(1, (self.layout.tracks, -1)))  # [n track pattern]
        logits = base + gates.gather(2, note.there.long()[:, :, None])[..., 0]
        if self.harmony:
            of_age = of_age.unflatten(1, (self.layout.tracks, AGES))  # [n track age]
            logits = logits + of_age.gather(2, note.ages[:, :, None])[..., 0]
        choice = note.history.numbers(self.layout.tracks)
        first = note.last.track + (note.last.pitch == self.layout.pitches - 1).long()
        passed = note.same_step[:, None] & (choice < first[:, None])
        return logits.masked_fill(passed, IMPOSSIBLE)

    def pitch_logits(self, hidden: Hidden, note: NextNote) -> Logits:
        """Return the logits of the pitch; in the same step and track they ascend."""
        base, of_interval, gates, *of_harmony = self.pitch(hidden)
        choice = note.history.numbers(self.layout.pitches)
        interval = choice - note.own_pitch[:, None]
        near = (interval.abs() <= INTERVAL) & (note.own_pitch >= 0)[:, None]
        interval = interval.clamp(-INTERVAL, INTERVAL) + INTERVAL
        logits = base + of_interval.gather(1, interval) * near
        logits = logits + _relative(gates).gather(1, note.patterns.long())
        if self.harmony:
            of_class = self._class_logits(of_harmony, note)
            melodic = note.history.melodic[note.track][:, None]
            logits = logits + (of_class * melodic)[:, choice % OCTAVE]
        passed = note.same_track[:, None] & (choice <= note.last.pitch[:, None])
        return logits.masked_fill(passed, IMPOSSIBLE)

    def _class_logits(self, gates: list[Tensor], note: NextNote) -> Float[Tensor, "n pitch_class"]:
        """Return a logit of each pitch class from what sounds, here and at the lags.

        Weights of `circular`: of what sounds 0 to 11 semitones above the candidate, in each
        profile.
        """
        of_state, of_pattern, circular = gates
        sounding, patterns = note.profiles, note.class_patterns
        share = (sounding[:, 3] * (KEY_SHARES - 0.01)).long()
        state = sounding[:, 0].long() * KEY_SHARES + share
        logits = of_state.gather(1, state) + _relative(of_pattern).gather(1, patterns.long())
        semitone = note.history.numbers(OCTAVE)
        above = sounding[:, :, (semitone[:, None] + semitone) % OCTAVE]
        above = above.transpose(1, 2).flatten(2)  # [n pitch_class profile*semitone]
        return logits + (above @ circular[:, :, None])[..., 0]

    def length_logits(self, hidden: Hidden, note: NextNote) -> Logits:
        """Return the logits of lengths 1, 2 ..; drums have length 1.

        Gates point at the lengths at the lags, and at that of the track's last note, as one of
        the same chord or as an earlier one.
        """
        base, gates = self.length(hidden)
        chord = note.own_length * note.same_track
        pointers = [note.lagged_lengths, chord[:, None], (note.own_length - chord)[:, None]]
        logits = _pointed(base, gates, torch.cat(pointers, 1))
        longer = note.history.numbers(self.layout.longest) > 0
        is_drum = ~note.history.melodic[note.track][:, None]
        return logits.masked_fill(is_drum & longer, IMPOSSIBLE)

    def velocity_logits(self, hidden: Hidden, note: NextNote) -> Logits:
        """Return the logits of the level of velocity, with gates as those of the length."""
        base, gates = self.velocity(hidden)
        return _pointed(
            base, gates, 1 + torch.cat([note.lagged_levels, note.own_level[:, None]], 1)
        )

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

    def sample_beyond(self, count: int) -> Indices:
        """Sample by how many steps advances beyond the choices go further."""
        stay = F.logsigmoid(self.patience)
        uniform = torch.rand(count, device=stay.device).clamp(min=1e-30)
        return (uniform.log() / stay).long()


class _Head(nn.Module):
    """A network of two layers whose output is split into parts of these sizes."""

    def __init__(self, width: int, sizes: tuple[int, ...]):
        super().__init__()
        self.sizes = list(sizes)
        self.layers = nn.Sequential(
            nn.Linear(width, width), nn.GELU(), nn.Linear(width, sum(sizes))
        )

    def forward(self, hidden: Hidden) -> tuple[Tensor, ...]:
        return self.layers(hidden).split(self.sizes, 1)


def _relative(gates: Tensor) -> Tensor:
    """Gates less that of the pattern 0, at no lag; [.. pattern]"""
    return gates - gates[..., :1]


def _pointed(
    base: Logits, gates: Float[Tensor, "n pointer"], pointers: Int[Tensor, "n pointer"]
) -> Logits:
    """Add each gate to the choice that its pointer names, from 1; 0 names none."""
    return base + torch.zeros_like(F.pad(base, (1, 0))).scatter_add(1, pointers, gates)[:, 1:]


def _embedding(entries: int, width: int) -> nn.Embedding:
    table = nn.Embedding(entries, width)
    nn.init.normal_(table.weight, std=0.05)
    return table
