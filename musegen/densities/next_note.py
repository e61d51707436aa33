"""The next note of each of n pieces, and what is known about its place while it is chosen."""

from collections.abc import Callable
from copy import copy
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int

from core.densities.arrays import (
    Array,
    Indices,
    at_least,
    at_most,
    joined,
    largest,
    number_below,
    numbers_to,
    where,
    whole,
)
from musegen.densities.lookback import (
    NEVER,
    History,
    Note,
    Patterns,
    lengths_and_velocities,
)

Attribute = Literal["advance", "track", "pitch", "length", "velocity"]

AGES = 4
"""Ages of a track's last note: within a bar, within four, older, none yet."""

PROFILES = 4
"""Profiles of pitch classes: sounding now, in the bass, over the bar before, over all before."""

Latest = Int[Array, "n track 4"]
"""Pitch, length, velocity and step of the last note of each track; see `NO_NOTE`."""

NO_NOTE = torch.tensor([-1, 0, 0, -NEVER])
"""The last note of a track that has none: it was never."""

Profiles = Float[Array, "n profile pitch_class"]

Sums = Callable[[Indices], Profiles]
"""advance -> notes that sound there before the next one, those of the bass alone, and the steps
that each pitch class sounded, over the bar before and over all before."""

Loudness = Callable[[Indices], Indices]
"""place -> the velocity of the last note there, on a pitch of a track; 0 where none is."""


class NextNote:
    """The notes after the `last` ones, with facts that follow as each attribute is chosen.

    `of_last`: the patterns of the pitches of the last note's track, at its step.

    step:  there (the patterns of each track), ages, profiles, class_patterns
    track: own_pitch, own_length, own_velocity of the track's last note; patterns of each pitch;
           used_pitches and used_velocities at earlier steps
    pitch: pattern, interval to the track's last note, lagged_lengths and lagged_velocities,
           pitch_velocity of the track's last note on that pitch

    `kept`: step, track -> what the kept notes of a piece that is completed add to the logits of
    the pitch; `of_kept`: the same at the notes' own.
    """

    advance: Indices
    own_advance: Indices
    same_step: Bool[Array, " n"]
    at_lags: Int[Array, "n lag"]
    there: Patterns
    ages: Int[Array, "n track"]
    profiles: Profiles
    class_patterns: Patterns
    kept: Callable[[Indices, Indices], Float[Array, "n pitch"]] | None = None
    of_kept: Float[Array, "n pitch"] | None = None
    own_pitch: Indices
    own_length: Indices
    own_velocity: Indices
    same_track: Bool[Array, " n"]
    track_pattern: Indices
    is_melodic: Bool[Array, "n 1"]
    some_melodic: bool
    patterns: Patterns
    used_pitches: Bool[Array, "n pitch"]
    used_velocities: Bool[Array, "n velocity"]
    place: Indices
    pattern: Indices
    interval: Indices
    lagged_lengths: Int[Array, "n lag"]
    lagged_velocities: Int[Array, "n lag"]
    pitch_velocity: Indices
    step: Indices
    track: Indices
    pitch: Indices
    length: Indices
    velocity: Indices

    def __init__(
        self,
        history: History,
        row: Indices,
        last: Note,
        of_last: Patterns,
        latest: Latest,
        sums: Sums,
        loudness: Loudness,
    ):
        self.history, self.row, self.last, self.latest = history, row, last, latest
        self._sums, self._loudness = sums, loudness
        here = history.track_patterns(row, last.step)
        self.remaining = history.remaining_patterns(here, last, of_last)

    @property
    def note(self) -> Note:
        """Return the chosen notes."""
        return Note(self.step, self.track, self.pitch, self.length, self.velocity)

    def choose(self, attribute: Attribute, value: Indices) -> None:
        """Set an attribute, and find what follows from it; in the order of `Attribute`."""
        getattr(self, f"_choose_{attribute}")(value)

    def ahead(self, advance: Int[Array, "n ahead"]) -> "NextNote":
        """Return the notes at several advances, of which no track is chosen yet."""
        count, ahead = advance.shape
        number = numbers_to(count * ahead, advance) // ahead
        other = copy(self)
        other.row, other.last = self.row[number], self.last[number]
        other.latest, other.remaining = self.latest[number], self.remaining[number]
        other._choose_step(advance.reshape(-1))  # [n*ahead]
        return other

    def _choose_advance(self, advance: Indices) -> None:
        self._choose_step(advance)
        self.at_lags = self.history.at_lags(self.step)
        self.profiles = profiles(self._sums(advance))
        self.class_patterns = self.history.class_patterns(self.row, self.at_lags)

    def _choose_step(self, advance: Indices) -> None:
        history = self.history
        self.advance, self.same_step = advance, advance == 0
        self.own_advance = at_most(advance, history.layout.advances)
        self.step = self.last.step + advance
        there = history.track_patterns(self.row, self.step)
        self.there = where(self.same_step[:, None], self.remaining, there)
        self.ages = ages(self.step, self.latest[:, :, 3], history.ages)

    def _choose_track(self, track: Indices) -> None:
        self.track = track
        self.same_track = self.same_step & (track == self.last.track)
        number = numbers_to(track.shape[0], track)
        own = self.latest[number, track]
        self.own_pitch, self.own_length, self.own_velocity = own[:, 0], own[:, 1], own[:, 2]
        self.is_melodic = self.history.melodic[track][:, None]
        self.some_melodic = self._has_melodic()
        self.track_pattern = self.there[number, track]
        self.patterns = self.history.pitch_patterns(self.row, self.step, track)
        used = self.history.used(self.row, self.step, track)
        self.used_pitches, self.used_velocities = used

    def _has_melodic(self) -> bool:
        """Return whether any of the tracks is melodic."""
        return True in self.is_melodic

    def _choose_pitch(self, pitch: Indices) -> None:
        self.pitch, self.place = pitch, self.track * self.history.layout.pitches + pitch
        self.pattern = whole(self.patterns[numbers_to(pitch.shape[0], pitch), pitch])
        self.interval = self.history.intervals[self.own_pitch, pitch]
        cells = self.history.lagged_cells(self.row, self.at_lags, self.track, pitch)
        self.lagged_lengths, self.lagged_velocities = lengths_and_velocities(cells)
        self.pitch_velocity = self._loudness(self.place)

    def _choose_length(self, length: Indices) -> None:
        self.length = length + 1

    def _choose_velocity(self, velocity: Indices) -> None:
        self.velocity = velocity + 1


def ages(
    step: Indices, latest: Int[Array, "n track"], longest: Int[Array, " age"]
) -> Int[Array, "n track"]:
    """Return the age of each track's last note, which started at step `latest`.

    `longest`: the most steps of each age but the last.
    """
    return number_below(step[:, None] - latest, longest)


def profiles(sums: Profiles) -> Profiles:
    """Bound what sounds by 2, and by 1 in the bass; turn sums into shares of their maximum.

    >>> profiles(torch.tensor([[[3.0, 1], [2, 0], [4, 1], [6, 8]]])).tolist()
    [[[2.0, 1.0], [1.0, 0.0], [1.0, 0.25], [0.75, 1.0]]]
    """
    now, bass, totals = sums[:, :1], sums[:, 1:2], sums[:, 2:]
    shares = totals / at_least(largest(totals), 1)
    return joined([at_most(now, 2), at_most(bass, 1), shares])
