"""Voices: whatever has a sound for each note by itself.

A player makes songs of these sounds: it adds them up at their times, ends them with their keys and
scales them by their velocities. So a voice needs to know neither songs nor loudness.
"""

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

Pitches = Int[np.ndarray, " note"]
"""MIDI numbers: 60 is middle C."""

Waveforms = Float[np.ndarray, "note sample"]
"""The mono sounds of notes by themselves, float32 in [-1, 1], from their onsets on."""

LOUDEST = 127
"""The largest velocity, at which a note is as loud as its waveform."""


@runtime_checkable
class Voice(Protocol):
    """An instrument: the sound of each pitch, held for as long as it can."""

    @property
    def sample_rate_hz(self) -> int:
        """Return the samples of a second."""
        ...

    @property
    def pitches(self) -> range:
        """Return the pitches that it knows; others are made of the nearest."""
        ...

    @property
    def velocities(self) -> tuple[int, ...]:
        """Return the largest velocity of each layer of timbre, in order; the last one is 127.

        A voice that sounds the same however hard it is struck has (127,).
        """
        ...

    def notes(self, pitches: Pitches, velocities: Pitches, seconds: float) -> Waveforms:
        """Return the sounds of notes, a row each, whose keys are down for so many seconds.

        velocities: 1 to 127, which choose the timbre and not the loudness: rows sound as at the
        largest velocity. Rows of fewer seconds are of a voice that knows no longer notes: a player
        goes on with their last part. What sounds after `seconds` is not used. The same arguments
        give the same rows; a row does not depend on the others.
        """
        ...


def gain(velocity: Int[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
    """Return the amplitude of notes of velocity v, (v / 127)^2: 40 lg (127 / v) dB below the top.

    The curve that General MIDI 2 recommends, and the default of SoundFont 2 and SFZ.

    >>> gain(np.array([127, 64])).round(3).tolist()
    [1.0, 0.254]
    """
    return (velocity / LOUDEST) ** 2
