"""The sections of a piece, as letters: equal letters for stretches of four bars that repeat."""

from string import ascii_uppercase

import numpy as np
from jaxtyping import Bool

from musegen.roll import ONSET, Cells, Roll

BARS = 4
"""Bars of a section: a phrase of most songs."""

SAME = 0.5
"""Sections are equal where more than this share of their notes is in both."""

Onsets = Bool[np.ndarray, "track cell"]
"""The cells in which the notes of a section begin."""


def sections(roll: Roll) -> list[tuple[int, str]]:
    """Return the first bar and the letter of each section: of the form that was chosen for the
    piece, else of what repeats in it."""
    if roll.form:
        length = roll.bars // len(roll.form)
        return [(number * length, letter) for number, letter in enumerate(roll.form)]
    return [(number * BARS, letter) for number, letter in enumerate(repeating(roll.cells))]


def repeating(cells: Cells) -> list[str]:
    """Return a letter for each four bars: that of the section they repeat most, else a new one.

    Up to three bars that are left over belong to the last section.
    """
    tracks, bars = cells.shape[:2]
    first: dict[str, Onsets] = {}
    letters: list[str] = []
    for begin in range(0, max(bars - BARS + 1, 1), BARS):
        onsets = (cells[:, begin : begin + BARS] == ONSET).reshape(tracks, -1)  # [track cell]
        nearest = max(first, key=lambda letter: similarity(first[letter], onsets), default="")
        if not nearest or similarity(first[nearest], onsets) <= SAME:
            nearest = _letter(len(first))
            first[nearest] = onsets
        letters.append(nearest)
    return letters


def similarity(one: Onsets, other: Onsets) -> float:
    """Return the share of the onsets of both that are in each of them, a mean over tracks.

    Tracks that are silent in both are left out; silence is equal to silence.
    """
    common, all_onsets = (one & other).sum(1), (one | other).sum(1)
    sounds = all_onsets > 0
    return float((common[sounds] / all_onsets[sounds]).mean()) if sounds.any() else 1.0


def _letter(number: int) -> str:
    """Return A to Z, then A1 to Z1, A2 ...

    >>> _letter(1), _letter(27)
    ('B', 'B1')
    """
    rounds, place = divmod(number, len(ascii_uppercase))
    return ascii_uppercase[place] + (str(rounds) if rounds else "")
