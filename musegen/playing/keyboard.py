"""Keyboards: a voice sampled every few semitones, for a sampler or a sequencer to play."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from core.app.output import Output
from core.errors import ConfigError
from musegen.playing.instrument import KEYS, Instrument, Range, Region
from musegen.playing.recording import layers, record
from musegen.playing.sf2 import encode_sf2
from musegen.playing.sfz import write_sfz
from musegen.playing.voice import Voice

SEMITONES = 3
"""The distance of samples; keys between them play the nearest, up or down by one semitone."""
SECONDS = 4.0
"""The time for which a voice that can holds its notes."""
PEAK = 0.9
"""The largest amplitude of all samples."""


def keyboard(voice: Voice, name: str = "voice", semitones: int = SEMITONES) -> Instrument:
    """Sample a voice; each sample has the keys that are nearest to it, in each of its layers."""
    pitches = list(range(voice.pitches[0], voice.pitches[-1] + 1, semitones))
    keys = _nearest(pitches)
    regions = [
        replace(region, keys=near)
        for layer in layers(voice.velocities)
        for region, near in zip(
            record(voice, pitches, layer, SECONDS, voice.sample_rate_hz), keys, strict=True
        )
    ]
    return Instrument(tuple(_scaled(regions)), name)


def _nearest(pitches: list[int]) -> list[Range]:
    """Return the keys nearest to each pitch; the outermost have all beyond.

    >>> [tuple(keys) for keys in _nearest([60, 63, 66])]
    [(0, 61), (62, 64), (65, 127)]
    """
    borders = [0, *((low + high) // 2 + 1 for low, high in pairwise(pitches)), KEYS]
    return [Range(first, after - 1) for first, after in pairwise(borders)]


def _scaled(regions: list[Region]) -> Iterator[Region]:
    """Yield the regions with one gain for all, so that the loudest peak is `PEAK`."""
    largest = max(float(np.abs(region.waveform).max(initial=0)) for region in regions)
    for region in regions:
        yield replace(region, waveform=region.waveform * np.float32(PEAK / max(largest, 1e-9)))


def write_keyboard(instrument: Instrument, to: Path, overwrite: bool = False) -> Iterator[Path]:
    """Write FILE.sf2, or a folder of .wav with an .sfz; yield each path once written."""
    if to.suffix.lower() == ".sf2":
        output = Output(to.parent, overwrite=overwrite)
        output.create()
        yield output.write(to, encode_sf2(instrument))
    elif to.suffix:
        raise ConfigError(
            f"keyboards are not written as '{to.suffix}': --to FILE.sf2, or a folder for an .sfz"
        )
    else:
        output = Output(to, overwrite=overwrite)
        output.create()
        yield from write_sfz(instrument, output)
