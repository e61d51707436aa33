"""Recording: the notes of a voice as regions of an instrument, each with its loop."""

import numpy as np

from musegen.playing.instrument import Envelope, Range, Region
from musegen.playing.loop import Waveform, hold
from musegen.playing.resampling import resampled
from musegen.playing.synthesis import FALL_DB
from musegen.playing.voice import Voice

RELEASE_SECONDS = 0.4
"""The release of a voice, which does not state one: by 100 dB."""
FADE_SECONDS = 0.02
ONSET_DB = -40.0
"""A waveform begins where it comes so near to its largest amplitude."""


def record(
    voice: Voice, pitches: list[int], layer: Range, seconds: float, sample_rate_hz: int
) -> list[Region]:
    """Return the regions of some pitches, each for its own key, in one layer of velocities.

    A pitch that the voice does not know is made of the nearest that it knows.
    """
    roots = [min(max(pitch, voice.pitches[0]), voice.pitches[-1]) for pitch in pitches]
    known = sorted(set(roots))
    velocities = np.full(len(known), layer.last)
    rows = voice.notes(np.array(known), velocities, seconds)
    rows = resampled(rows, voice.sample_rate_hz / sample_rate_hz)
    waveforms = {root: _from_onset(row) for root, row in zip(known, rows, strict=True)}
    return [
        _region(waveforms[root], sample_rate_hz, root, Range(pitch, pitch), layer)
        for root, pitch in zip(roots, pitches, strict=True)
    ]


def layers(lasts: tuple[int, ...]) -> list[Range]:
    """Return the velocities of each layer, of which the last are given.

    >>> [tuple(layer) for layer in layers((63, 127))]
    [(1, 63), (64, 127)]
    """
    return [Range(*pair) for pair in zip([1, *(n + 1 for n in lasts)], lasts, strict=False)]


def _from_onset(waveform: Waveform) -> Waveform:
    """Return a waveform without the silence before it."""
    amplitude = np.abs(waveform)
    return waveform[(amplitude > 10 ** (ONSET_DB / 20) * amplitude.max(initial=0)).argmax() :]


def _faded(waveform: Waveform, rate_hz: int) -> Waveform:
    """Return a waveform that ends in silence, and not with a click."""
    fade = min(len(waveform), round(FADE_SECONDS * rate_hz))
    after = np.arange(len(waveform), dtype=np.float32) - (len(waveform) - fade)
    return waveform * np.clip(1 - (after + 1) / max(fade, 1), 0, 1)


def _region(waveform: Waveform, rate_hz: int, root: int, keys: Range, layer: Range) -> Region:
    """Return a region: with a loop and its decay, or as it is where it dies away."""
    held = hold(waveform, rate_hz)
    envelope = Envelope(release=RELEASE_SECONDS)
    if held is None:
        return Region(_faded(waveform, rate_hz), rate_hz, root, keys, layer, None, envelope)
    if held.decay_db:
        envelope = envelope._replace(decay=-FALL_DB / held.decay_db, sustain_db=FALL_DB)
    return Region(held.level, rate_hz, root, keys, layer, held.loop, envelope)
