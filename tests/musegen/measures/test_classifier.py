"""The classifier: chance for the same, certainty for the different, folds over songs."""

import numpy as np
import pytest

from musegen.measures.classifier import LIMIT, PENALTY, Classifier, accuracy, balanced, fit


def normal(seed: int, rows: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (rows, 6))


def test_samples_of_one_distribution_look_the_same():
    songs = np.arange(2000) // 2
    assert 0.47 < accuracy(normal(0, 2000), normal(1, 2000), songs, songs) < 0.53


def test_a_shift_is_found_as_often_as_by_the_best_rule():
    """Six shifts by 0.4: the best accuracy is Phi(0.4 sqrt(6) / 2) = 0.688."""
    found = accuracy(normal(0, 2000), normal(1, 2000, 0.4), np.arange(2000), np.arange(2000))
    assert found == pytest.approx(0.688, abs=0.02)


def test_each_kind_counts_for_half():
    """Twenty generated excerpts among five hundred real ones are as likely as these."""
    found = accuracy(normal(0, 500), normal(1, 20), np.arange(500), np.arange(20))
    assert 0.3 < found < 0.7
    assert accuracy(normal(0, 500), normal(1, 20, 3), np.arange(500), np.arange(20)) > 0.95


def test_excerpts_of_a_song_are_in_one_fold():
    """Songs differ from each other and are of one kind: who knows a song knows nothing."""
    centre = np.random.default_rng(3).normal(0, 1, (40, 30))
    song = np.arange(400) // 10
    rows = centre[song] + np.random.default_rng(4).normal(0, 0.01, (400, 30))
    half = song < 20
    by_song = accuracy(rows[half], rows[~half], song[half], song[~half])
    by_excerpt = accuracy(rows[half], rows[~half], np.arange(200), np.arange(200))
    assert by_excerpt > 0.9
    assert by_song < 0.75


def test_a_missing_value_is_a_value():
    real, generated = normal(0, 100), normal(1, 100)
    generated[:90, 2] = np.nan
    assert accuracy(real, generated, np.arange(100), np.arange(100)) > 0.9


def test_an_unknown_value_has_a_weight_of_its_own_and_far_ones_are_limited():
    """A feature of mean 1, scale 2, weight 3: 3 is one deviation, 100 counts as 3; 5 if NaN."""
    one, unused = np.array([1.0, 9.0]), np.array([2.0, 0.0])
    known = Classifier(one, unused, np.array([3.0, 8.0]), np.array([5.0, 0.0]), 0.5)
    rows = np.array([[3.0, 1.0], [np.nan, 7.0], [100.0, np.nan], [1.0, -4.0]])
    assert known.log_odds(rows).tolist() == [3.5, 5.5, 9.5, 0.5]


def test_to_be_unknown_is_a_feature_that_is_standardised_as_the_others():
    """By hand: the feature is known in 3 of 4 rows, which is 1/4 of gaps with deviation √3/4."""
    rows = np.tile([[1.0], [3.0], [5.0], [np.nan]], (5, 1))
    is_real = np.arange(20) < 8
    value = np.tile([-2.0, 0.0, 2.0, 0.0], 5) / np.sqrt(2)
    gap = (np.tile([0.0, 0.0, 0.0, 1.0], 5) - 1 / 4) / (np.sqrt(3) / 4)
    columns = np.stack([value, gap, np.ones(20)], 1)
    expected = columns @ fit(columns, is_real, balanced(is_real))
    found = Classifier.of(rows, is_real)
    assert (found.mean.tolist(), found.scale.tolist()) == ([3.0], [np.sqrt(2)])
    np.testing.assert_allclose(found.log_odds(rows), expected, atol=1e-12)
    rare = np.where(np.arange(200) == 7, np.nan, 1.0)[:, None]  # √199 deviations: limited to 3
    weight = Classifier.of(rare, np.arange(200) < 100).unknown[0]
    gap = np.where(np.arange(200) == 7, LIMIT, -1 / np.sqrt(199))
    columns = np.stack([gap, np.ones(200)], 1)
    slope = fit(columns, np.arange(200) < 100, np.ones(200))[0]
    assert weight == pytest.approx(slope * (LIMIT + 1 / np.sqrt(199)))


def test_too_few_songs_have_no_accuracy():
    assert np.isnan(accuracy(normal(0, 9), normal(1, 9), np.zeros(9, int), np.arange(9)))
    assert np.isnan(accuracy(normal(0, 9), normal(1, 0), np.arange(9), np.arange(0)))


def test_the_fit_is_where_the_gradient_vanishes():
    rows, is_real = normal(5, 60), np.arange(60) < 25
    weight = np.where(is_real, 1.2, 0.7)
    coefficients = fit(rows, is_real, weight)
    probability = 1 / (1 + np.exp(-rows @ coefficients))
    gradient = rows.T @ (weight * (probability - is_real)) + PENALTY * coefficients
    assert np.abs(gradient).max() < 1e-9
    assert np.abs(coefficients).max() > 0.01
