"""The conditionals of the next note, with gates on what stood at its place some bars ago.

    p(advance) p(track given advance) p(pitch given .. track) p(length given .. pitch)
    p(velocity given .. length)

To the logits of each candidate, gates are added: numbers computed from the hidden state, one for
each set of lags at which the candidate stood, from which that of the candidate's set is gathered.
A gate is relative to "at no lag". So what recurs is weighed as such, whatever it is: transposed
music has transposed gates. After the lookback of Waite (Magenta, 2016), with the lags in bars of
Yu et al. (Museformer, NeurIPS 2022).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from core.densities.arrays import (
    Array,
    Indices,
    added_at,
    columns_at,
    flat,
    joined,
    take,
    where,
    whole,
)
from musegen.densities.lookback import INTERVAL, Layout
from musegen.densities.next_note import AGES, PROFILES, Attribute, NextNote
from musegen.networks.states import OCTAVE

Logits = Float[Array, "n choice"]

IMPOSSIBLE = -1e9
"""The logit of an illegal choice."""

KEY_SHARES = 4
"""Degrees of a pitch class's share of all before."""


@runtime_checkable
class Outputs(Protocol):
    """The outputs of the heads for n next notes, as their attributes become known one by one."""

    def of(self, attribute: Attribute) -> list[Array]:
        """Return the parts of a head's output."""
        ...

    def know(self, fact: str, value: Array) -> None:
        """Let the heads that follow know a fact."""
        ...


@runtime_checkable
class OutputsAhead(Outputs, Protocol):
    """Outputs that are asked for several advances at once."""

    def tracks_ahead(
        self, advance: Int[Array, "n ahead"], in_bar: Int[Array, " each"]
    ) -> list[Array]:
        """Return the parts of the track's head at each advance, [n*ahead ..]."""
        ...


class Places(NamedTuple):
    """Fixed places, by which gates are taken, and what is added to logits: 0 or IMPOSSIBLE.

    `passed`: for the tracks in the step of a last note, by its track and pitch; where the last
    track is passed, the step is full. `not_above`: for the pitches, by one that they must exceed;
    `held`: for the lengths of each track. Before the first note, track and pitch are -1.
    """

    in_bar: Int[Array, "in_bar choice"]
    gate: Int[Array, "choice track"]
    age: Int[Array, " track"]
    interval: Int[Array, "own pitch"]
    turned: Int[Array, " profile_semitone_class"]
    pitch_class: Int[Array, " pitch"]
    passed: Float[Array, "track_or_none pitch_or_none track"]
    not_above: Float[Array, "pitch_or_none pitch"]
    held: Float[Array, "track length"]

    @classmethod
    def of(cls, layout: Layout) -> "Places":
        track, pitch = torch.arange(layout.tracks), torch.arange(layout.pitches)
        first = track[:, None] + (pitch == layout.pitches - 1)  # of the next note
        is_long = torch.arange(layout.longest) > 0
        return cls(
            in_bars(layout),
            track_gates(layout),
            AGES * track,
            intervals(layout.pitches),
            turned_classes(),
            pitch % OCTAVE,
            IMPOSSIBLE * F.pad(track < first[:, :, None], (0, 0, 0, 1, 0, 1)),
            IMPOSSIBLE * F.pad(pitch <= pitch[:, None], (0, 0, 0, 1)),
            IMPOSSIBLE * (torch.tensor(layout.is_drum)[:, None] & is_long),
        )


@dataclass
class Gates:
    """Additions to the outputs of the heads, from the facts about the next notes."""

    layout: Layout
    harmony: bool
    places: Places

    def conditionals(self, outputs: Outputs, note: NextNote) -> Iterator[tuple[Attribute, Logits]]:
        """Yield the logits of each attribute; it must be chosen before the next is asked for.

        The length of drums alone is no choice. What kept notes add to the logits of the pitch
        lies beside, in `note.of_kept`.
        """
        yield "advance", self.advance_logits(outputs.of("advance"), note)
        outputs.know("advance", note.own_advance)
        outputs.know("in_bar", note.step % self.layout.bar)
        yield "track", self.track_logits(outputs.of("track"), note)
        yield from self.of_track(outputs, note)

    def of_slot(self, outputs: Outputs, note: NextNote) -> Iterator[tuple[Attribute, Logits]]:
        """Yield the logits of what comes after the advance and the track, which are chosen."""
        outputs.know("advance", note.own_advance)
        outputs.know("in_bar", note.step % self.layout.bar)
        yield from self.of_track(outputs, note)

    def of_track(self, outputs: Outputs, note: NextNote) -> Iterator[tuple[Attribute, Logits]]:
        """Yield the logits of what comes after the track."""
        outputs.know("track", note.track * self.layout.patterns + note.track_pattern)
        if self.harmony:
            sounding = note.profiles.reshape(-1, PROFILES * OCTAVE)  # [n profile*class]
            outputs.know("profiles", sounding)
        if note.kept:
            note.of_kept = note.kept(note.step, note.track)
        yield "pitch", self.pitch_logits(outputs.of("pitch"), note)
        outputs.know("pitch", note.place)
        outputs.know("pattern", note.pattern)
        if note.some_melodic:
            yield "length", self.length_logits(outputs.of("length"), note)
        else:
            note.choose("length", 0 * note.pitch)
        outputs.know("length", note.length)
        yield "velocity", self.velocity_logits(outputs.of("velocity"), note)

    def tracks_ahead(
        self, outputs: OutputsAhead, note: NextNote, advance: Int[Array, "n ahead"]
    ) -> Float[Array, "n ahead track"]:
        """Return the logits of the track at several advances."""
        there = note.ahead(advance)
        own_advance = there.own_advance.reshape(advance.shape)  # [n ahead]
        of = outputs.tracks_ahead(own_advance, there.step % self.layout.bar)
        logits = self.track_logits(of, there)
        return logits.reshape(*advance.shape, -1)  # [n ahead track]

    def advance_logits(self, of: list[Array], note: NextNote) -> Logits:
        """Return the logits of advances of 0, 1 .. steps, the last one of any that is longer."""
        layout, last = self.layout, note.last
        base, of_beat, gates = of
        found = note.history.patterns_ahead(note.row, last)
        found[:, 0] = note.remaining
        in_bar = self.places.in_bar[last.step % layout.bar]
        logits = base + take(of_beat, in_bar) + self._of_tracks(gates, found)
        logits[:, 0] += self.places.passed[last.track, last.pitch, -1]
        return logits

    def _of_tracks(
        self, gates: Float[Array, "n gate"], found: Int[Array, "n advance track"]
    ) -> Float[Array, "n advance"]:
        """Sum the gates of all tracks' patterns; an advance of 0 has gates of its own."""
        index = flat(found + self.places.gate)  # [n advance*track]
        return take(gates, index).reshape(found.shape).sum(2)  # [n advance]

    def track_logits(self, of: list[Array], note: NextNote) -> Logits:
        """Return the logits of the track; in the same step none comes before the last."""
        base, gates, of_age = of
        logits = base + take(gates, note.there + self.places.gate[-1])
        if self.harmony:
            logits = logits + take(of_age, note.ages + self.places.age)
        passed = self.places.passed[note.last.track, note.last.pitch]
        return logits + note.same_step[:, None] * passed

    def pitch_logits(self, of: list[Array], note: NextNote) -> Logits:
        """Return the logits of the pitch; in the same step and track they ascend."""
        base, of_interval, gates, of_used, *of_harmony = of
        logits = base + take(of_interval, self.places.interval[note.own_pitch])
        logits = logits + take(gates, note.patterns) + of_used * note.used_pitches
        if self.harmony and note.some_melodic:
            of_class = note.is_melodic * self._class_logits(of_harmony, note)
            logits = logits + of_class[:, self.places.pitch_class]
        return logits + self.places.not_above[where(note.same_track, note.last.pitch, -1)]

    def _class_logits(self, gates: list[Array], note: NextNote) -> Float[Array, "n pitch_class"]:
        """Return a logit of each pitch class from what sounds, here and at the lags.

        Weights of `circular`: of what sounds 0 to 11 semitones above the candidate, in each
        profile.
        """
        of_state, of_pattern, circular = gates
        sounding, patterns = note.profiles, note.class_patterns
        share = whole(sounding[:, 3] * (KEY_SHARES - 0.01))
        state = whole(sounding[:, 0]) * KEY_SHARES + share
        logits = take(of_state, state) + take(of_pattern, patterns)
        turned = columns_at(circular, self.places.turned)
        count = PROFILES * OCTAVE
        turned = turned.reshape(-1, count, OCTAVE)  # [n profile*semitone pitch_class]
        sounding = flat(sounding)[:, None]  # [n 1 profile*semitone]
        return logits + (sounding @ turned)[:, 0]  # [n pitch_class]

    def length_logits(self, of: list[Array], note: NextNote) -> Logits:
        """Return the logits of lengths 1, 2 ..; drums have length 1.

        Gates point at the lengths at the lags, and at that of the track's last note, as one of
        the same chord or as an earlier one.
        """
        base, gates = of
        last = _of_last(note, note.own_length)
        logits = _pointed(base, gates, joined([note.lagged_lengths, *last]))
        return logits + self.places.held[note.track]

    def velocity_logits(self, of: list[Array], note: NextNote) -> Logits:
        """Return the logits of velocities 1, 2 .., with gates as those of the length.

        A further one points at the last velocity on this pitch; a song has few velocities, and
        those that the track has used have a logit of their own.
        """
        base, gates, of_used = of
        base = base + of_used * note.used_velocities
        last = (*_of_last(note, note.own_velocity), note.pitch_velocity[:, None])
        return _pointed(base, gates, joined([note.lagged_velocities, *last]))


def _of_last(note: NextNote, value: Indices) -> tuple[Array, Array]:
    """Return a value of the track's last note, where it is of the same chord, and where not."""
    chord = note.same_track * value
    return chord[:, None], (value - chord)[:, None]


def _pointed(
    base: Float[Array, "n none_or_choice"],
    gates: Float[Array, "n pointer"],
    pointers: Int[Array, "n pointer"],
) -> Logits:
    """Add each gate to the choice that its pointer names, from 1; 0 names none."""
    return added_at(base, pointers, gates)[:, 1:]


def in_bars(layout: Layout) -> Int[Tensor, "in_bar choice"]:
    """Return at which step of its bar each advance arrives, from each step of a bar; a longer one
    at no step."""
    step = (torch.arange(layout.bar)[:, None] + torch.arange(layout.advances)) % layout.bar
    return F.pad(step, (0, 1), value=layout.bar)


def track_gates(layout: Layout) -> Int[Tensor, "choice track"]:
    """Return where the gates of each advance and track are; an advance of 0 has its own."""
    gates = layout.patterns * torch.arange(layout.tracks).repeat(layout.advances + 1, 1)
    gates[0] += layout.patterns * layout.tracks
    return gates


def intervals(pitches: int) -> Int[Tensor, "own pitch"]:
    """Return the number of the interval from the track's last pitch, one further if it is too far.

    The last entry, -1, is that of a track without a note.
    """
    pitch = torch.arange(pitches)
    interval = pitch - pitch[:, None]
    far = 2 * INTERVAL + 1
    interval = torch.where(interval.abs() > INTERVAL, far, interval + INTERVAL)
    return F.pad(interval, (0, 0, 0, 1), value=far)


def turned_classes() -> Int[Tensor, " profile_semitone_class"]:
    """Return the weight of each profile's pitch class k for candidates c: that of k - c."""
    semitone = torch.arange(OCTAVE)
    above = (semitone[:, None] - semitone) % OCTAVE
    turned = [above + OCTAVE * profile for profile in range(PROFILES)]
    return torch.cat(turned).flatten()  # [profile*semitone*class]
