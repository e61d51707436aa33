"""Records: the notes of one take or of one recording, as they are stored.

Like everything that preparing imports, this module does without torch.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Int16
from pydantic import Field

from core.config import Strict
from core.data.catalogue import concat_rows, lengths_of
from musegen.voice.data.limits import VoiceLimits
from musegen.voice.fundamental import Sound

LOUDNESS, PEAK = 0.1, 0.9
"""Root mean square of the loudest part of a note, and the largest peak that this may give."""
LOUDEST_SECONDS = 0.25
SILENCE = 1e-3
"""A sound that never exceeds it, -60 dB, is silence."""
ONSET = 0.02
"""A note begins where it exceeds this share of its peak."""
LEAD_SECONDS = 0.004
"""Silence that is left before the onset."""
FADE_SECONDS = 0.01

StoredNotes = Int16[np.ndarray, "note sample"]
PROGRAMS = (0, 4, 6, 11, 19, 21, 24, 33, 40, 42, 48, 56, 60, 65, 68, 71, 73, 80, 81, 88)
"""Programs of General MIDI, from each of its families that has a pitch."""


class PrepareConfig(Strict):
    """The form of notes, which notes of a soundfont are rendered, and what is held out."""

    sample_rate_hz: int = Field(default=16_000, ge=2000, le=48_000, description="samples a second")
    seconds: float = Field(default=1.0, ge=0.05, le=16, description="length of a note's sound")
    lowest: int = Field(default=24, ge=0, le=127, description="lowest pitch, as a MIDI number")
    highest: int = Field(default=84, ge=0, le=127, description="highest pitch")
    programs: tuple[int, ...] = Field(default=PROGRAMS, description="programs of a soundfont")
    velocities: tuple[int, ...] = Field(default=(60, 100), description="velocities, 1 to 127")
    lengths: tuple[float, ...] = Field(
        default=(1.0,), description="times for which the key is down, in seconds"
    )
    test_share: float = Field(
        default=0.1, ge=0, le=0.5, description="share of each instrument's pitches held out"
    )
    seed: int = Field(default=0, ge=0, description="seed of the choice of held-out pitches")
    limits: VoiceLimits = VoiceLimits()

    @property
    def samples(self) -> int:
        return round(self.seconds * self.sample_rate_hz)


@dataclass(frozen=True)
class NoteRecord:
    """Notes of one timbre: their sounds, pitches and velocities.

    `left_out`: how many more there were, by the reason.
    """

    timbre: str
    notes: StoredNotes
    pitches: Int[np.ndarray, " note"]
    velocities: Int[np.ndarray, " note"]
    left_out: dict[str, int]

    @property
    def facts(self) -> dict[str, Any]:
        """Return what the shard's index holds of the record, beside its columns."""
        content = hashlib.sha256(self.notes.tobytes() + self.pitches.tobytes()).hexdigest()
        facts = {"content": content, "timbre": self.timbre, "left_out": self.left_out}
        return {**facts, "notes": len(self.notes)}


def normalised(sound: Sound, config: PrepareConfig) -> Sound | None:
    """Return a note from its onset on, at the common loudness and length; None for silence.

    Its end is faded, where it is cut.
    """
    peak = np.abs(sound).max(initial=0)
    if peak < SILENCE:
        return None
    rate, samples = config.sample_rate_hz, config.samples
    onset = int(np.flatnonzero(np.abs(sound) > ONSET * peak)[0])
    whole = sound[max(0, onset - round(LEAD_SECONDS * rate)) :][:samples].astype(np.float64)
    note = np.pad(whole, (0, samples - len(whole)))
    fade = min(round(FADE_SECONDS * rate), samples)
    note[-fade:] *= np.linspace(1, 0, fade)
    part = max(1, min(round(LOUDEST_SECONDS * rate), samples))
    energy = np.convolve(np.square(note), np.full(part, 1 / part), "valid").max()
    loudest = np.abs(note).max()
    if not loudest:
        return None
    return note * min(LOUDNESS / np.sqrt(energy), PEAK / loudest)


def stored(notes: Sequence[Sound], samples: int) -> StoredNotes:
    """Round notes to 16 bits, as they are stored."""
    stacked = np.stack([np.zeros(samples), *notes])[1:]
    return np.rint(np.clip(stacked, -1, 1) * 32767).astype(np.int16)


def sounds_of(notes: StoredNotes) -> Float[np.ndarray, "note sample"]:
    """Return stored notes as sounds in [-1, 1]."""
    return notes.astype(np.float32) / 32767


def columns_of(records: Sequence[NoteRecord], samples: int) -> dict[str, Any]:
    """Concatenate records to the columns of a shard, with the lengths of ragged ones."""
    starts = [np.arange(len(record.notes), dtype=np.int32) for record in records]
    return {
        "notes": [np.zeros((0, samples), np.int16), *(record.notes for record in records)],
        "pitches": concat_rows([record.pitches for record in records], np.int16),
        "pitches_of_source": lengths_of(starts),
        "velocities": concat_rows([record.velocities for record in records], np.int16),
        "velocities_of_source": lengths_of(starts),
        "starts": concat_rows(starts, np.int32),
        "starts_of_source": lengths_of(starts),
    }
