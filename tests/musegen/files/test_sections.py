"""Sections that repeat, by hand."""

import numpy as np
import pytest

from musegen.files.sections import repeating, sections, similarity
from musegen.roll import ONSET, Grid, Roll
from musegen.tracks import LAKH

GRID = Grid(steps_per_beat=4)


def bars(*pitches: tuple[int, ...]) -> np.ndarray:
    """A bar for each argument: one note of each pitch on the piano, a quarter apart."""
    cells = np.zeros((5, len(pitches), 16, 84), np.uint8)
    for bar, played in enumerate(pitches):
        for beat, pitch in enumerate(played):
            cells[1, bar, 4 * beat, pitch] = ONSET
    return cells


VERSE = ((1, 2, 3, 4), (5, 6, 7, 8), (9, 10, 11, 12), (13, 14, 15, 16))
CHORUS = ((41, 42, 43), (44, 45, 46), (47, 48, 49), (50, 51, 52))
LAST_VERSE = (*VERSE[:3], (60, 61, 62, 63))


def test_sections_of_four_bars_are_called_by_letters_in_their_order():
    assert repeating(bars(*VERSE, *CHORUS, *VERSE, *VERSE)) == ["A", "B", "A", "A"]
    assert repeating(bars(*VERSE)) == ["A"]


def test_a_section_with_more_than_half_of_its_notes_returns():
    """12 notes in both, 4 in each alone: 12 / 20; two bars of four: 8 / 24."""
    other = (*VERSE[:2], (60, 61, 62, 63), (64, 65, 66, 67))
    assert repeating(bars(*VERSE, *LAST_VERSE, *other)) == ["A", "A", "B"]


def test_a_section_has_the_letter_of_the_one_it_repeats_most():
    """Three bars are the verse's, and of a variation of it all four."""
    varied = (VERSE[0], (21, 22, 23, 24), (25, 26, 27, 28), (29, 30, 31, 32))
    closer = (*varied[:3], (33, 34, 35, 36))
    assert repeating(bars(*VERSE, *varied, *closer)) == ["A", "B", "B"]


def test_bars_that_are_left_over_belong_to_the_last_section():
    assert repeating(bars(*VERSE, *CHORUS, *VERSE[:3])) == ["A", "B"]
    assert repeating(bars(*VERSE[:2])) == ["A"]


def test_each_track_counts_equally_and_silence_equals_silence():
    """The piano has 1 of 3 notes in both, the drums all 9: (1/3 + 1) / 2; other tracks rest."""
    one, other = np.zeros((5, 12), bool), np.zeros((5, 12), bool)
    one[0, :9] = other[0, :9] = True
    one[1, [0, 1]] = other[1, [1, 2]] = True
    assert similarity(one, other) == pytest.approx(2 / 3)
    nothing = np.zeros((5, 12), bool)
    assert similarity(nothing, nothing) == 1
    assert similarity(one, nothing) == 0


def roll(cells: np.ndarray, form: str = "") -> Roll:
    return Roll(cells, LAKH, GRID, np.full(cells.shape[1], 120.0), form=form)


def test_sections_of_a_form_are_those_that_were_asked_for():
    """Eight bars of one loop: a form of four sections has them every two bars."""
    loop = bars(*VERSE, *VERSE)
    assert sections(roll(loop)) == [(0, "A"), (4, "A")]
    assert sections(roll(loop, "ABAC")) == [(0, "A"), (2, "B"), (4, "A"), (6, "C")]
