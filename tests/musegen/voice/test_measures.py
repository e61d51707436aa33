"""Metrics of notes, by hand."""

import numpy as np
import pytest

from musegen.voice.measures.metrics import (
    assigned,
    clusters,
    constancy,
    different_bins,
    diversity,
)


def test_bins_with_different_shares_are_counted():
    """With 100 and 100 notes, 50 against 30 differ (z = 2.89), 20 against 30 do not (z = 1.63)."""
    one = np.repeat([0, 1, 2], [50, 30, 20])
    other = np.repeat([0, 1, 2], [30, 40, 30])
    assert different_bins(one, other, 3) == pytest.approx(1 / 3)
    assert different_bins(one, one, 3) == 0


def test_clusters_find_separate_notes():
    generator = np.random.default_rng(0)
    features = np.concatenate([generator.normal(m, 0.1, (20, 2)) for m in (0, 5, -5)])
    numbers = assigned(features, clusters(features, 3, seed=4))
    assert [len(set(part)) for part in np.split(numbers, 3)] == [1, 1, 1]
    assert len(set(numbers)) == 3


def test_diversity_is_the_distance_within_a_pitch():
    features = np.array([[0, 0], [3, 4], [100, 0], [0, 0], [0, 1.0]])
    assert diversity(features, np.array([60, 60, 61, 62, 62])) == pytest.approx((5 + 1) / 2)
    assert np.isnan(diversity(features[:2], np.array([60, 61])))


def test_constancy_is_the_share_of_the_most_frequent_instrument():
    assert constancy(np.array([[1, 1, 1, 2], [3, 3, 0, 0]])) == pytest.approx(0.625)
