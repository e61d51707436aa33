"""Instruments: samples, with the keys and velocities for which each sounds."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from musegen.playing.loop import Loop

MIDDLE_C = 60
KEYS = 128


class Range(NamedTuple):
    """Keys or velocities from `first` to `last`."""

    first: int = 0
    last: int = KEYS - 1

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and self.first <= value <= self.last

    def within(self, other: "Range") -> "Range":
        """Return what both have, which can be nothing."""
        return Range(max(self.first, other.first), min(self.last, other.last))


WHOLE = Range()


class Envelope(NamedTuple):
    """The level of a note over time, in seconds, as SoundFont 2.04 states it (section 8.1.2).

    It rises to the top, is held there, falls as decibels do towards `sustain_db` below it, at
    100 dB in `decay`, and by as much in `release` once the key is up. `hold` and `decay` are those
    of middle C: for each key above it they are so many octaves shorter.
    """

    delay: float = 0.0
    attack: float = 0.0
    hold: float = 0.0
    decay: float = 0.0
    sustain_db: float = 0.0
    release: float = 0.0
    hold_octaves_per_key: float = 0.0
    decay_octaves_per_key: float = 0.0

    def of_key(self, key: int) -> "Envelope":
        """Return the envelope with which a key sounds.

        >>> Envelope(hold=1.0, decay=8.0, decay_octaves_per_key=1 / 12).of_key(72).decay
        4.0
        """
        below = MIDDLE_C - key
        return self._replace(
            hold=self.hold * 2 ** (below * self.hold_octaves_per_key),
            decay=self.decay * 2 ** (below * self.decay_octaves_per_key),
        )


ORGAN = Envelope()
"""The envelope of a pipe: all or nothing."""


class Brightness(NamedTuple):
    """A low-pass filter that opens to `open_hz` as `envelope` rises, and closes to `closed_hz`."""

    closed_hz: float
    open_hz: float
    resonance_db: float = 0.0
    envelope: Envelope = ORGAN


class Glide(NamedTuple):
    """A pitch that is so many semitones higher where `envelope` is at its top."""

    semitones: float
    envelope: Envelope


@dataclass(frozen=True, eq=False)
class Region:
    """A sample and where it sounds.

    `waveform`: as floats in [-1, 1] or as 16-bit integers. `root`: the MIDI pitch, a fraction
    allowed, at which it plays as recorded; `tuned`: semitones by which it is then higher, whatever
    the key. `pan`: -1 is left, 1 is right.
    """

    waveform: np.ndarray
    sample_rate_hz: int
    root: float
    keys: Range = WHOLE
    velocities: Range = WHOLE
    loop: Loop | None = None
    envelope: Envelope = ORGAN
    brightness: Brightness | None = None
    gain: float = 1.0
    pan: float = 0.0
    semitones_per_key: float = 1.0
    fixed_key: int | None = None
    tuned: float = 0.0
    glide: Glide | None = None

    def pressed(self, key: int) -> int:
        """Return the key that counts as pressed for a key."""
        return key if self.fixed_key is None else self.fixed_key

    def semitones(self, key: int) -> float:
        """Return how much higher than it was recorded the sample plays for a key."""
        return (self.pressed(key) - self.root) * self.semitones_per_key + self.tuned

    @property
    def samples(self) -> Float[np.ndarray, " sample"]:
        """Return the waveform as floats in [-1, 1]."""
        if self.waveform.dtype == np.int16:
            return self.waveform.astype(np.float32) / np.float32(32768)
        return self.waveform


@dataclass(frozen=True, eq=False)
class Instrument:
    """Regions that sound together where they share keys and velocities."""

    regions: tuple[Region, ...]
    name: str = ""
    _sounding: dict[tuple[int, int], list[Region]] = field(default_factory=dict, repr=False)

    def sounding(self, key: int, velocity: int) -> list[Region]:
        """Return the regions of a key and a velocity, which is few or none."""
        if (key, velocity) not in self._sounding:
            self._sounding[key, velocity] = [
                region
                for region in self.regions
                if key in region.keys and velocity in region.velocities
            ]
        return self._sounding[key, velocity]

    @cached_property
    def keys(self) -> Range:
        """Return the range of all keys that have a sound."""
        firsts, lasts = zip(*(region.keys for region in self.regions), strict=True)
        return Range(min(firsts), max(lasts))
