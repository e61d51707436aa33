"""Deformations of excerpts: each breaks one thing that a listener hears at once."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from musegen.measures.excerpts import PITCHES, Excerpts


def _with(excerpts: Excerpts, **columns: np.ndarray) -> Excerpts:
    notes = replace(excerpts.notes, **columns)
    order = np.lexsort((notes.pitch, notes.track, notes.start, excerpts.excerpt))
    return replace(excerpts, excerpt=excerpts.excerpt[order], notes=notes[order])


def scrambled_octaves(excerpts: Excerpts) -> Excerpts:
    """Give each melodic note a random octave."""
    octave = np.random.default_rng(1).integers(2, 8, len(excerpts.notes))
    pitch = excerpts.notes.pitch
    return _with(
        excerpts, pitch=np.where(excerpts.is_drum, pitch, pitch % 12 + 12 * octave)
    )  # fmt: skip


def shuffled_bars(excerpts: Excerpts) -> Excerpts:
    """Take each bar from any excerpt: real bars, no form."""
    notes, per_bar = excerpts.notes, excerpts.steps_per_bar
    place = np.random.default_rng(1).permutation(len(excerpts) * excerpts.bars)
    bar = place[excerpts.excerpt * excerpts.bars + excerpts.bar]
    step = notes.start % per_bar
    moved = replace(excerpts, excerpt=bar // excerpts.bars)
    start = bar % excerpts.bars * per_bar + step
    return _with(moved, start=start, length=np.minimum(notes.length, per_bar - step))


def transposed_bass(excerpts: Excerpts, semitones: int) -> Excerpts:
    return _with(excerpts, pitch=excerpts.notes.pitch + semitones * excerpts.is_bass)


def dropped_repeats(excerpts: Excerpts) -> Excerpts:
    """Leave out most notes that stood at the same place 1, 2, 4 or 8 bars before."""
    notes, steps = excerpts.notes, excerpts.steps
    line = (excerpts.excerpt * len(excerpts.tracks) + notes.track) * PITCHES + notes.pitch
    repeats = np.zeros(len(notes), bool)
    for lag in (1, 2, 4, 8):
        before = notes.start - lag * excerpts.steps_per_bar
        key = line * steps + np.where(before >= 0, before, 0)
        repeats |= (before >= 0) & np.isin(key, line * steps + notes.start)
    kept = ~repeats | (np.random.default_rng(1).random(len(notes)) < 0.3)
    return replace(excerpts, excerpt=excerpts.excerpt[kept], notes=notes[kept])


def constant_velocity(excerpts: Excerpts) -> Excerpts:
    return _with(excerpts, velocity=np.full(len(excerpts.notes), 90))


DEFORMATIONS: dict[str, Callable[[Excerpts], Excerpts]] = {
    "scrambled octaves": scrambled_octaves,
    "shuffled bars": shuffled_bars,
    "bass an octave up": partial(transposed_bass, semitones=12),
    "bass three semitones up": partial(transposed_bass, semitones=3),
    "dropped repeats": dropped_repeats,
    "constant velocity": constant_velocity,
}
