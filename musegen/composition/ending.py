"""An ending: the last bar is a chord on the tonic, and the bars before it thin out towards it."""

import numpy as np

from musegen.drafts.draft import Draft
from musegen.roll import Grid, Notes
from musegen.tonality import Key

TRIADS = {"major": (0, 4, 7), "minor": (0, 3, 7)}
"""Semitones above the tonic of the last chord."""

THINNING_BARS = 2
"""Bars before the last one that are composed anew, with fewer notes."""

THIN = 0.6
"""Their density, relative to the piece's."""

RECENT_BARS = 4
"""Bars in which a track must sound to play the last chord."""

MOST_VOICES = 4

KICKS, CRASHES = (36, 35), (49, 57)
"""MIDI pitches of the drums that end a piece, those that are used first."""


def last_chord(draft: Draft, notes: Notes, key: Key) -> Notes:
    """Return the notes of the last bar of a piece, one bar long.

    Each melodic track that sounds shortly before plays the pitches of the tonic's triad that are
    nearest to its last ones, a single voice the tonic itself; the drums play kick and crash.
    """
    grid = draft.grid
    begin = (draft.bars - 1) * grid.steps_per_bar
    since = begin - RECENT_BARS * grid.steps_per_bar
    recent = notes[(notes.start < begin) & (notes.start >= since)]
    rows: list[tuple[int, ...]] = []
    for number, track in enumerate(draft.tracks):
        own = recent[recent.track == number]
        if not len(own):
            continue
        loudness = int(np.median(own.velocity))
        pitches = _hits(notes, number, grid) if track.is_drum else _voicing(own, key, grid)
        length = 1 if track.is_drum else grid.steps_per_bar
        rows += [(number, begin, pitch, length, loudness) for pitch in pitches]
    columns = np.array(rows, np.int64).reshape(-1, 5).T  # [attribute note]
    return Notes(*columns).ordered()


def _voicing(own: Notes, key: Key, grid: Grid) -> list[int]:
    """Return the pitches of a track's last chord: as many voices as its last onset had."""
    last = np.sort(own.pitch[own.start == own.start.max()])
    voices = min(len(last), MOST_VOICES)
    degrees = TRIADS[key.mode] if voices > 1 else TRIADS[key.mode][:1]
    classes = (key.tonic + np.array(degrees)) % 12
    chord = np.flatnonzero(np.isin((np.arange(grid.pitches) + grid.lowest_pitch) % 12, classes))
    middle = last.mean()
    nearest = chord[np.argsort(np.abs(chord - middle), kind="stable")[:voices]]
    return sorted(nearest.tolist())


def _hits(notes: Notes, drums: int, grid: Grid) -> list[int]:
    """Return kick and crash, of each kind the one that the piece uses, else the usual one.

    One that is beyond the grid is left out.
    """
    used = set((notes.pitch[notes.track == drums] + grid.lowest_pitch).tolist())
    chosen = [next((p for p in kind if p in used), kind[0]) for kind in (KICKS, CRASHES)]
    pitches = (pitch - grid.lowest_pitch for pitch in chosen)
    return [pitch for pitch in pitches if 0 <= pitch < grid.pitches]


def ending_of(draft: Draft, notes: Notes, key: Key) -> Draft:
    """Return a draft of the whole piece in which the bars before its last chord are open.

    They are open only where the draft itself is: what the user keeps stays to the end.
    """
    chord = last_chord(draft, notes, key)
    last, first_open = draft.bars - 1, max(0, draft.bars - 1 - THINNING_BARS)
    body = notes[notes.start < last * draft.grid.steps_per_bar]
    kept = draft.kept.copy()
    kept[:, :first_open] = kept[:, last] = True
    whole = Notes.concat([body, chord]).ordered()
    return draft.with_notes(whole, kept)
