"""Harmony: the key, and how bass and melody agree."""

import numpy as np
from jaxtyping import Bool, Int

from musegen.measures.excerpts import Excerpts, Values, ratio
from musegen.measures.metrics import MAJOR

CHORD_TONES = (0, 3, 4, 7)
"""Semitones above the bass: root, thirds and fifth."""


def in_best_key(excerpts: Excerpts, bars: int) -> Values:
    """Return the share of melodic notes in the best of the 12 major scales, [excerpt 1].

    Each stretch of `bars` bars has its own best scale; a minor key has the notes of its relative
    major.
    """
    stretches = -(-excerpts.bars // bars)
    chosen = excerpts.part("melodic")
    stretch = (excerpts.excerpt * stretches + excerpts.bar // bars)[chosen]
    cell = stretch * 12 + excerpts.notes.pitch[chosen] % 12
    counts = np.bincount(cell, minlength=len(excerpts) * stretches * 12)
    counts = counts.reshape(-1, stretches, 12)  # [excerpt stretch pitch_class]
    inside = np.stack([counts[..., (MAJOR + key) % 12].sum(2) for key in range(12)], 2)
    return ratio(inside.max(2).sum(1), counts.sum((1, 2)))[:, None]


def chord_agreement(excerpts: Excerpts) -> Values:
    """Return the share of the other tracks' notes that are chord tones over the bass, [excerpt 1].

    Chord tones are root, third (minor or major) and fifth above the last bass note within a bar.
    """
    others = excerpts.part("others")
    bass = _bass_below(excerpts)
    interval = (excerpts.notes.pitch - bass) % 12
    return excerpts.share(np.isin(interval, CHORD_TONES), others & (bass >= 0))


def _bass_below(excerpts: Excerpts) -> Int[np.ndarray, " note"]:
    """Return the last bass pitch at or before each note, at most a bar ago; -1 without one."""
    notes = excerpts.notes
    time = excerpts.excerpt * excerpts.steps + notes.start
    bass = excerpts.part("bass")
    begin, first = np.unique(time[bass], return_index=True)
    if not len(begin):
        return np.full(len(notes), -1)
    place = np.searchsorted(begin, time, side="right") - 1
    last = begin[np.maximum(place, 0)]
    known = (place >= 0) & (last // excerpts.steps == excerpts.excerpt)
    known &= time - last < excerpts.steps_per_bar
    return np.where(known, notes.pitch[bass][first][np.maximum(place, 0)], -1)


def bass_fit(excerpts: Excerpts) -> Values:
    """Return the share of bass notes whose pitch class the other tracks sound then, [excerpt 1].

    Over bass notes at whose onset another track sounds.
    """
    bass, sounding = excerpts.part("bass"), _sounding_classes(excerpts)
    at_onset = sounding[excerpts.excerpt, excerpts.notes.start]  # [note pitch_class]
    doubled = at_onset[np.arange(len(at_onset)), excerpts.notes.pitch % 12]
    return excerpts.share(doubled, bass & at_onset.any(1))


def _sounding_classes(excerpts: Excerpts) -> Bool[np.ndarray, "excerpt step pitch_class"]:
    """Return the pitch classes of the other tracks that sound in each step."""
    notes = excerpts.notes
    change = np.zeros((len(excerpts), excerpts.steps + 1, 12), np.int32)
    others = excerpts.part("others")
    excerpt, pitch_class = excerpts.excerpt[others], notes.pitch[others] % 12
    start, end = notes.start[others], (notes.start + notes.length)[others]
    np.add.at(change, (excerpt, start, pitch_class), 1)
    np.add.at(change, (excerpt, np.minimum(end, excerpts.steps), pitch_class), -1)
    return change.cumsum(1)[:, :-1] > 0
