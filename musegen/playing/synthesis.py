"""Synthesis: the notes of an instrument, each computed once, added up at their times."""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from math import ceil, inf
from typing import NamedTuple

import numpy as np
import torch
import torchaudio

from musegen.controls import STILL, Controls
from musegen.files.audio import SAMPLE_RATE, Audio
from musegen.playing.instrument import Brightness, Envelope, Glide, Instrument, Region
from musegen.playing.loop import Waveform, repeated
from musegen.playing.resampling import at_places, interpolated
from musegen.playing.voice import gain

FALL_DB = 100.0
"""The fall in the time of a decay or a release."""
SILENT_DB = 70.0
"""So far below its level a note that was released is no longer computed."""
SHORTEST_RELEASE = 0.02
"""Seconds; shorter ones click."""
SILENCE = 1e-5
HEADROOM = 8.0
"""Samples are divided by it in filters: torchaudio's clip at 1."""
MEMORY_SAMPLES = 64 << 20
"""Samples of the notes that are kept."""


class Note(NamedTuple):
    """A note: seconds from the beginning, the time for which its key is down, pitch, velocity."""

    start: float
    seconds: float
    pitch: int
    velocity: int


class _Sounding(NamedTuple):
    """A region that a note lets sound, from sample `start` on, its key down for `held` samples."""

    region: Region
    pitch: int
    start: int
    held: int
    amplitude: float

    @property
    def key(self) -> tuple[Region, int]:
        return self.region, self.pitch


class Synthesis:
    """The notes that were computed, by their region and key; equal ones are computed once."""

    def __init__(self) -> None:
        self.tones: dict[tuple[Region, int], tuple[Waveform, int]] = {}
        self.size = 0

    def play(
        self,
        instrument: Instrument,
        notes: Sequence[Note],
        to: Audio,
        controls: Controls = STILL,
    ) -> None:
        """Add notes to stereo sound; those that ring on after its end are cut there."""
        loud = gain(np.array([note.velocity for note in notes], np.int64)).tolist()
        sounding = [
            _Sounding(region, note.pitch, *_samples(note), amplitude)
            for note, amplitude in zip(notes, loud, strict=True)
            for region in instrument.sounding(note.pitch, note.velocity)
        ]
        fastest = 2 ** (max(float(controls.semitones.max()), 0) / 12)
        longest: dict[tuple[Region, int], int] = defaultdict(int)
        for one in sounding:
            needed = ceil(fastest * _samples_of(one, to))
            longest[one.key] = max(longest[one.key], needed)
        for one in sounding:
            tone = self._tone(one.key, longest[one.key])
            samples = _samples_of(one, to)
            start = (one.start + 0.5) / SAMPLE_RATE  # what changes with the note counts from there
            moves = controls.during(start, samples / SAMPLE_RATE)
            ended = _ended(_bent(tone, moves, samples), one.held, one.region.envelope)
            _add(_turned(ended, moves), one.start, _panned(one, float(moves.pan[0])), to)

    def _tone(self, key: tuple[Region, int], samples: int) -> Waveform:
        """Return so many samples of a key that is held, or fewer where it falls silent before.

        One that was computed for fewer is computed for all: where it was cut it may have been at a
        zero, or before its attack.
        """
        known, of = self.tones.get(key, (None, 0))
        if known is None or of < min(samples, _most_samples(*key)):
            self.size -= 0 if known is None else len(known)
            known = tone(*key, samples)
            self.size += len(known)
            if self.size > MEMORY_SAMPLES:
                self.tones.clear()
                self.size = len(known)
            self.tones[key] = known, samples
        return known


def _most_samples(region: Region, key: int) -> float:
    """Return the samples after which a held key is silent, infinity where it never is."""
    if not region.loop:
        slowest = 2 ** (min(region.glide.semitones, 0) / 12) if region.glide else 1
        return len(region.waveform) / (slowest * _step(region, key))
    envelope = region.envelope.of_key(region.pressed(key))
    if envelope.sustain_db < FALL_DB:
        return inf
    return SAMPLE_RATE * (envelope.delay + envelope.attack + envelope.hold + envelope.decay)


def tone(region: Region, key: int, samples: int) -> Waveform:
    """Compute so many samples of a key that stays down, without the silence at their end."""
    pressed, step = region.pressed(key), _step(region, key)
    if region.glide:
        waveform = _gliding(region, region.glide, pressed, step, samples)
    else:
        waveform = _read(region, step, samples)
    if region.brightness:
        waveform = _filtered(waveform, region.brightness, pressed)
    waveform = waveform * level(region.envelope.of_key(pressed), len(waveform))
    audible = np.flatnonzero(np.abs(waveform) > SILENCE)
    return waveform[: audible[-1] + 2] if len(audible) else waveform[:1]


def level(envelope: Envelope, samples: int) -> Waveform:
    """Return the factor of each sample of a held key, from 0 to 1."""
    seconds = np.arange(samples, dtype=np.float32) / SAMPLE_RATE
    return 10 ** (-_fallen(envelope, seconds) / 20) * _risen(envelope, seconds)


def _risen(envelope: Envelope, seconds: Waveform) -> Waveform:
    if envelope.delay + envelope.attack == 0:
        return np.ones_like(seconds)
    since = seconds - envelope.delay
    return np.clip(since / max(envelope.attack, 1 / SAMPLE_RATE), 0, 1)


def _fallen(envelope: Envelope, seconds: Waveform) -> Waveform:
    """Return the decibels by which the level has decayed, up to the sustained one."""
    since = seconds - (envelope.delay + envelope.attack + envelope.hold)
    fall = FALL_DB * since / max(envelope.decay, 1 / SAMPLE_RATE)
    return np.clip(fall, 0, min(envelope.sustain_db, FALL_DB))


def _step(region: Region, key: int) -> float:
    """Return the samples of a region's waveform that one sample of a key takes."""
    return 2 ** (region.semitones(key) / 12) * region.sample_rate_hz / SAMPLE_RATE


def _read(region: Region, step: float, samples: int) -> Waveform:
    """Read a waveform at another speed, its loop again and again."""
    if region.loop:
        whole = repeated(region.samples, region.loop, int(step * samples) + 4)
        return interpolated(whole, step, samples)
    return interpolated(region.samples, step, min(samples, int(len(region.waveform) / step)))


def _gliding(region: Region, glide: Glide, key: int, step: float, samples: int) -> Waveform:
    """Read a waveform at a speed that follows an envelope, its loop again and again."""
    height = glide.semitones * _openness(glide.envelope.of_key(key), samples)
    speed = step * 2 ** (height.astype(np.float64) / 12)
    places = np.cumsum(speed) - speed[:1]
    whole = region.samples
    if region.loop:
        whole = repeated(whole, region.loop, int(speed.sum()) + 4)
    return at_places(whole, places[places < len(whole)])


def _openness(envelope: Envelope, samples: int) -> Waveform:
    """Return how open each sample is by an envelope that falls by percents, from 0 to 1."""
    seconds = np.arange(samples, dtype=np.float32) / SAMPLE_RATE
    fallen = _fallen(envelope, seconds) / FALL_DB
    return np.clip(1 - fallen, 0, 1) * _risen(envelope, seconds)


def _filtered(waveform: Waveform, brightness: Brightness, key: int) -> Waveform:
    """Return a waveform through a filter that moves: two that do not, faded into one another."""
    closed = _low_pass(waveform, brightness.closed_hz, brightness.resonance_db)
    if brightness.open_hz == brightness.closed_hz:
        return closed
    opened = _low_pass(waveform, brightness.open_hz, brightness.resonance_db)
    openness = _openness(brightness.envelope.of_key(key), len(waveform))
    return openness * opened + (1 - openness) * closed


def _low_pass(waveform: Waveform, hertz: float, resonance_db: float) -> Waveform:
    if hertz >= 0.45 * SAMPLE_RATE:
        return waveform
    quality = 10 ** (resonance_db / 20) / 2**0.5
    samples = torch.from_numpy(waveform / np.float32(HEADROOM))
    filtered = torchaudio.functional.lowpass_biquad(samples, SAMPLE_RATE, hertz, quality)
    return HEADROOM * filtered.numpy()


@lru_cache(maxsize=256)
def _release(envelope: Envelope) -> Waveform:
    """Return the factors after the key is up, down to `SILENT_DB`, and at last to 0."""
    seconds = max(envelope.release, SHORTEST_RELEASE)
    samples = round(SILENT_DB / FALL_DB * seconds * SAMPLE_RATE)
    after = np.arange(samples, dtype=np.float32)
    return 10 ** (-FALL_DB / 20 / seconds * after / SAMPLE_RATE) * (1 - (after + 1) / samples)


def _ended(tone: Waveform, held: int, envelope: Envelope) -> Waveform:
    """Return the tone with its release after `held` samples."""
    release = _release(envelope)
    ended = tone[: held + len(release)].copy()
    ended[held:] *= release[: len(ended) - min(held, len(ended))]
    return ended


def _samples(note: Note) -> tuple[int, int]:
    """Return at which sample a note starts, and after how many its key goes up."""
    return round(note.start * SAMPLE_RATE), round(note.seconds * SAMPLE_RATE)


def _samples_of(one: _Sounding, to: Audio) -> int:
    """Return the samples for which a note sounds, at most to the end of the audio."""
    return min(one.held + len(_release(one.region.envelope)), to.shape[1] - one.start)


def _bent(tone: Waveform, controls: Controls, samples: int) -> Waveform:
    """Return so many samples of a tone, read faster or slower as its pitch is bent."""
    if not controls.semitones.any():
        return tone[:samples]
    speed = 2 ** (controls.curve(controls.semitones, samples, SAMPLE_RATE) / 12)
    places = np.cumsum(speed) - speed[0]
    return at_places(tone, places[places < len(tone)])


def _turned(waveform: Waveform, controls: Controls) -> Waveform:
    """Return a note as loud as its track is turned while it sounds."""
    if (controls.gain == 1).all():
        return waveform
    gains = controls.curve(controls.gain, len(waveform), SAMPLE_RATE)
    return waveform * gains.astype(np.float32)


def _panned(one: _Sounding, pan: float) -> tuple[float, float]:
    """Return the amplitudes left and right, of constant power; `pan` is added to the region's."""
    angle = (min(max(one.region.pan + pan, -1), 1) + 1) * np.pi / 4
    loud = one.amplitude * one.region.gain
    return loud * float(np.cos(angle)), loud * float(np.sin(angle))


def _add(waveform: Waveform, start: int, amplitudes: tuple[float, float], to: Audio) -> None:
    for channel, amplitude in enumerate(amplitudes):
        if amplitude > SILENCE:
            to[channel, start : start + len(waveform)] += np.float32(amplitude) * waveform
