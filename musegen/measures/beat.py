"""Beat: the drum kit, the backbeat, and the bass on the downbeat."""

import numpy as np

from musegen.measures.excerpts import PITCHES, STEPS_PER_QUARTER, Excerpts, Values, ratio
from musegen.roll import Metre

GENERAL_MIDI_DRUMS = (35, 81)
SNARES = (38, 40)
BACKBEATS = (1, 3)
"""Beats of a bar of four, from 0."""


def drum_kinds(excerpts: Excerpts) -> Values:
    """Return the number of different drums of an excerpt, [excerpt 1]; NaN without drums."""
    drums = excerpts.part("drums")
    cell = np.unique(excerpts.excerpt[drums] * PITCHES + excerpts.notes.pitch[drums])
    kinds = np.bincount(cell // PITCHES, minlength=len(excerpts))
    return np.where(kinds > 0, kinds, np.nan)[:, None]


def drums_outside(excerpts: Excerpts) -> Values:
    """Return the share of drum notes outside General MIDI's 35 to 81, [excerpt 1]."""
    low, high = GENERAL_MIDI_DRUMS
    pitch = excerpts.notes.pitch
    return excerpts.share((pitch < low) | (pitch > high), excerpts.part("drums"))


def backbeat(excerpts: Excerpts) -> Values:
    """Return the share of beats 2 and 4 with a snare, over bars with drums, [excerpt 1].

    NaN where a bar has other than four beats.
    """
    notes, drums = excerpts.notes, excerpts.part("drums")
    if excerpts.metre != Metre.of(4, 4):
        return np.full((len(excerpts), 1), np.nan)
    snare = drums & np.isin(notes.pitch, SNARES)
    snare &= np.isin(
        notes.start % excerpts.steps_per_bar, np.multiply(BACKBEATS, STEPS_PER_QUARTER)
    )
    hit = np.unique((excerpts.excerpt * excerpts.steps + notes.start)[snare]) // excerpts.steps
    bars = _bars_of(excerpts, drums)
    return ratio(np.bincount(hit, minlength=len(excerpts)), len(BACKBEATS) * bars)[:, None]


def bass_on_downbeat(excerpts: Excerpts) -> Values:
    """Return the share of bars with bass notes in which one starts on beat 1, [excerpt 1]."""
    bass = excerpts.part("bass")
    on_one = bass & (excerpts.notes.start % excerpts.steps_per_bar == 0)
    return ratio(_bars_of(excerpts, on_one), _bars_of(excerpts, bass))[:, None]


def _bars_of(excerpts: Excerpts, chosen: np.ndarray) -> np.ndarray:
    """Return the number of bars of each excerpt that have a chosen note."""
    bar = np.unique((excerpts.excerpt * excerpts.bars + excerpts.bar)[chosen])
    return np.bincount(bar // excerpts.bars, minlength=len(excerpts))
