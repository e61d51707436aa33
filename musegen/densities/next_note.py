"""The next note of each of n pieces, and what is known about its place while it is chosen."""

from collections.abc import Callable
from copy import copy
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from musegen.densities.kept_notes import KeptNotes
from musegen.densities.lookback import (
    NEVER,
    Cells,
    History,
    Note,
    Patterns,
    lengths_and_velocities,
)
from musegen.densities.note_sequences import Indices

Attribute = Literal["advance", "track", "pitch", "length", "velocity"]

INTERVAL = 24
"""Semitones up and down within which the interval to the track's last note is seen."""

AGES = 4
"""Ages of a track's last note: within a bar, within four, older, none yet."""

PROFILES = 4
"""Profiles of pitch classes: sounding now, in the bass, over the bar before, over all before."""

Latest = Int[Tensor, "n track 4"]
"""Pitch, length, velocity and step of the last note of each track; see `NO_NOTE`."""

NO_NOTE = torch.tensor([-1, 0, 0, -NEVER])
"""The last note of a track that has none: it was never."""

Profiles = Float[Tensor, "n profile pitch_class"]

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

    `kept`: the kept notes of a piece that is completed; `of_kept`: what they add to the logits of
    the pitch.
    """

    advance: Indices
    own_advance: Indices
    same_step: Bool[Tensor, " n"]
    at_lags: Int[Tensor, "n lag"]
    there: Patterns
    ages: Int[Tensor, "n track"]
    profiles: Profiles
    class_patterns: Patterns
    kept: KeptNotes | None = None
    of_kept: Float[Tensor, "n pitch"] | None = None
    own_pitch: Indices
    own_length: Indices
    own_velocity: Indices
    same_track: Bool[Tensor, " n"]
    track_pattern: Indices
    is_melodic: Bool[Tensor, "n 1"]
    some_melodic: bool
    lagged: Cells
    patterns: Patterns
    used_pitches: Bool[Tensor, "n pitch"]
    used_velocities: Bool[Tensor, "n velocity"]
    place: Indices
    pattern: Indices
    interval: Indices
    lagged_lengths: Int[Tensor, "n lag"]
    lagged_velocities: Int[Tensor, "n lag"]
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
        {
            "advance": self._choose_advance,
            "track": self._choose_track,
            "pitch": self._choose_pitch,
            "length": lambda length: setattr(self, "length", length + 1),
            "velocity": lambda velocity: setattr(self, "velocity", velocity + 1),
        }[attribute](value)

    def ahead(self, advance: Int[Tensor, "n ahead"]) -> "NextNote":
        """Return the notes at several advances, of which no track is chosen yet."""
        number = torch.arange(len(advance), device=advance.device)
        number = number.repeat_interleave(advance.shape[1])
        other = copy(self)
        other.row, other.last = self.row[number], self.last[number]
        other.latest, other.remaining = self.latest[number], self.remaining[number]
        other._choose_step(advance.flatten())  # [n*ahead]
        return other

    def _choose_advance(self, advance: Indices) -> None:
        self._choose_step(advance)
        self.at_lags = self.history.at_lags(self.step)
        self.profiles = profiles(self._sums(advance))
        self.class_patterns = self.history.class_patterns(self.row, self.at_lags)

    def _choose_step(self, advance: Indices) -> None:
        history = self.history
        self.advance, self.same_step = advance, advance == 0
        self.own_advance = advance.clamp(max=history.layout.advances)
        self.step = self.last.step + advance
        there = history.track_patterns(self.row, self.step)
        self.there = torch.where(self.same_step[:, None], self.remaining, there)
        self.ages = ages(self.step, self.latest[:, :, 3], history.ages)

    def _choose_track(self, track: Indices) -> None:
        self.track = track
        self.same_track = self.same_step & (track == self.last.track)
        index = track[:, None, None].expand(-1, 1, 4)
        own = self.latest.gather(1, index)[:, 0]
        self.own_pitch, self.own_length, self.own_velocity, _ = own.unbind(1)
        self.is_melodic = self.history.melodic[track][:, None]
        self.some_melodic = bool(self.is_melodic.any())
        self.track_pattern = self.there.gather(1, track[:, None])[:, 0]
        self.lagged = self.history.lagged_cells(self.row, self.at_lags, track)
        self.patterns = self.history.as_bits(self.lagged.bool())
        used = self.history.used(self.row, self.step, track)
        self.used_pitches, self.used_velocities = used

    def _choose_pitch(self, pitch: Indices) -> None:
        self.pitch, self.place = pitch, self.track * self.history.layout.pitches + pitch
        self.pattern = self.patterns.gather(1, pitch[:, None])[:, 0]
        interval = (pitch - self.own_pitch).clamp(-INTERVAL, INTERVAL) + INTERVAL
        self.interval = torch.where(self.own_pitch < 0, 2 * INTERVAL + 1, interval)
        index = pitch[:, None, None].expand(-1, self.lagged.shape[1], 1)
        cells = self.lagged.gather(2, index)[:, :, 0]
        self.lagged_lengths, self.lagged_velocities = lengths_and_velocities(cells)
        self.pitch_velocity = self._loudness(self.place)


def ages(
    step: Indices, latest: Int[Tensor, "n track"], longest: Int[Tensor, " age"]
) -> Int[Tensor, "n track"]:
    """Return the age of each track's last note, which started at step `latest`.

    `longest`: the most steps of each age but the last.
    """
    return torch.bucketize(step[:, None] - latest, longest)


def profiles(sums: Profiles) -> Profiles:
    """Bound what sounds by 2, and by 1 in the bass; turn sums into shares of their maximum.

    >>> profiles(torch.tensor([[[3.0, 1], [2, 0], [4, 1], [6, 8]]])).tolist()
    [[[2.0, 1.0], [1.0, 0.0], [1.0, 0.25], [0.75, 1.0]]]
    """
    now, bass, totals = sums.split([1, 1, 2], 1)
    shares = totals / totals.amax(2, keepdim=True).clamp(min=1)
    return torch.cat([now.clamp(max=2), bass.clamp(max=1), shares], 1)
