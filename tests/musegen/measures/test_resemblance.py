"""Similarity and reconstructions, counted by hand."""

import math

import numpy as np
import pytest

from musegen.measures.resemblance import onset_f1, overlapping_area, self_similarity
from musegen.roll import HOLD, ONSET

SHAPE = (2, 3, 4, 5)
"""track bar step pitch"""


def phrase(*cells: tuple[int, int, int, int]) -> np.ndarray:
    """A phrase with onsets in these cells."""
    x = np.zeros(SHAPE, np.uint8)
    for cell in cells:
        x[cell] = ONSET
    return x


A, B, C, D = (0, 0, 1, 2), (0, 2, 3, 4), (1, 1, 0, 0), (1, 2, 2, 3)


def test_self_similarity_is_intersection_over_union_of_sounding_cells():
    one, other = phrase(A, B, C), phrase(C, D)
    other[C] = HOLD
    assert self_similarity(np.stack([one, other])) == pytest.approx(1 / 4)
    assert self_similarity(np.stack([one, one])) == 1
    assert math.isnan(self_similarity(one[None]))


def test_f1_counts_onsets_in_their_cells():
    real, found = phrase(A, B, C)[None], phrase(A, C, D, (0, 0, 1, 3))[None]
    real[0, 1, 1, 1, 0] = HOLD
    assert onset_f1(real, found) == pytest.approx(2 * 2 / (3 + 4))
    assert onset_f1(real, np.zeros_like(real)) == 0
    assert onset_f1(np.zeros_like(real), np.zeros_like(real)) == 1


def test_the_overlap_of_two_histograms():
    """On two bins: 1/4 and 3/4 of one, 3/5 and 2/5 of the other."""
    one = np.array([0.0, 1, 1, 0.9, math.nan])
    other = np.array([0.1, 0, 0.4, 1, 0.7])
    assert overlapping_area(one, other, bins=2) == pytest.approx(1 / 4 + 2 / 5)
    assert overlapping_area(one, np.array([math.nan])) == 0
