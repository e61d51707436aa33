"""Form, counted by hand in bars of three beats: 12 sixteenths."""

import zlib

import numpy as np
import pytest
from excerpt_rows import BASS, DRUMS, FLUTE, PIANO, excerpts

from musegen.measures.form import (
    bar_similarities,
    compressed_size,
    density_drift,
    groove_consistency,
    inter_onset_intervals,
    repetition,
    returning_bars,
    rhythm_repetition,
    similarity_by_lag,
)

NAN = float("nan")


def values(of: np.ndarray) -> list[float]:
    assert of.ndim == 2
    return [round(value, 9) for value in of[:, 0].tolist()]


def test_repetition_is_the_share_of_onsets_that_return_a_lag_later():
    """The piano of excerpt 0 plays C, E, G in bar 0, C and E in bar 1, F at E's place in bar 3."""
    music = excerpts(
        (0, PIANO, 0, 60), (0, PIANO, 4, 64), (0, PIANO, 7, 67),
        (0, PIANO, 12, 60), (0, PIANO, 16, 64, 3), (0, PIANO, 40, 65),
        (0, FLUTE, 24, 60),  # the same pitch on another track is no return
        (0, DRUMS, 0, 36), (1, BASS, 0, 40), (1, BASS, 48, 40),
    )  # fmt: skip
    one_later = values(repetition(music, "others", 1))
    assert one_later == pytest.approx([2 / 7, NAN], nan_ok=True), "all have a bar one later"
    assert values(repetition(music, "others", 2)) == pytest.approx([0 / 6, NAN], nan_ok=True)
    assert values(repetition(music, "bass", 4)) == pytest.approx([NAN, 1 / 1], nan_ok=True)
    assert values(repetition(music, "drums", 3)) == pytest.approx([0, NAN], nan_ok=True)
    assert values(rhythm_repetition(music, "others", 2)) == pytest.approx(
        [1 / 6, NAN], nan_ok=True
    ), "step 16 returns as step 40 with another pitch"
    assert values(rhythm_repetition(music, "others", 3)) == pytest.approx(
        [1 / 5, NAN], nan_ok=True
    ), "step 4 as step 40; the flute's bar 2 has none three later"


def test_a_lag_beyond_the_end_has_no_value():
    music = excerpts((0, PIANO, 0, 60), (1, PIANO, 3, 60), bars=2)
    assert np.isnan(repetition(music, "others", 2)).all()
    assert np.isnan(rhythm_repetition(music, "others", 8)).all()


def test_a_chord_is_one_onset_of_rhythm_and_several_of_repetition():
    music = excerpts(
        (0, PIANO, 0, 60), (0, PIANO, 0, 64), (0, PIANO, 0, 67), (0, PIANO, 5, 50),
        (0, PIANO, 12, 67), songs=(1,),
    )  # fmt: skip
    assert values(repetition(music, "others", 1)) == pytest.approx([1 / 5])
    assert values(rhythm_repetition(music, "others", 1)) == pytest.approx([1 / 3])


SIMILAR = excerpts(
    (0, PIANO, 0, 60, 2), (0, PIANO, 4, 64, 2), (0, DRUMS, 4, 36),  # bar 0
    (0, PIANO, 12, 60, 2), (0, PIANO, 16, 64, 3),  # bar 1: one note of two is as in bar 0
    (0, DRUMS, 40, 36),  # bar 3: one of the three of bar 0; bars 2 and 4 are empty
)  # fmt: skip


def test_the_similarity_of_bars_is_intersection_over_union():
    similarity = bar_similarities(SIMILAR)[0]
    assert similarity.shape == (4, 5)
    by_pair = {(0, 0): 1 / 4, (0, 1): 0, (0, 2): 0, (0, 3): 0}
    by_pair |= {(1, 0): 0, (1, 1): 0, (2, 0): 1 / 3, (2, 1): 0, (3, 0): 0}
    for (lag, bar), value in by_pair.items():
        assert similarity[lag, bar] == pytest.approx(value), (lag + 1, bar)
    assert np.isnan(similarity[1, 2]), "bars 2 and 4 are empty"
    assert np.isnan(similarity[0, 4]), "there is no bar 5"
    assert similarity_by_lag(SIMILAR)[0].tolist() == pytest.approx([1 / 16, 0, 1 / 6, 0])


def test_a_bar_returns_as_the_most_similar_one_before_it():
    """Bar 1: 1/4, bar 2: empty, nothing in common with 0 and 1, bar 3: 1/3, bar 4: 0."""
    assert values(returning_bars(SIMILAR)) == pytest.approx(
        [(1 / 4 + 1 / 3) / 4, NAN], nan_ok=True
    )


def test_groove_is_the_share_of_steps_that_stay():
    """Drums at steps 0, 6 and 0, 3, 6 and nothing and nothing and 2."""
    drums = [(0, DRUMS, step, 36) for step in (0, 6, 12, 15, 18, 50)]
    music = excerpts(*drums, (0, PIANO, 3, 60), (0, DRUMS, 0, 42))
    distance = (1 + 3 + 1) / 12 / 3
    assert values(groove_consistency(music, "drums")) == pytest.approx(
        [1 - distance, NAN], nan_ok=True
    )
    with_piano = (0 + 3 + 1) / 12 / 3
    assert values(groove_consistency(music, "all"))[0] == pytest.approx(1 - with_piano)


def test_the_compressed_size_is_that_of_the_notes_of_each_bar():
    pattern = [(0, 60, 2), (3, 64, 1), (7, 41, 4)]
    notes = [(0, PIANO, 12 * bar + s, p, n) for bar in range(5) for s, p, n in pattern]
    rows = bytes(x for _ in range(5) for s, p, n in pattern for x in (s, PIANO, p, n))
    expected = len(zlib.compress(rows, 9)) / len(rows)
    assert len(rows) == 60
    assert values(compressed_size(excerpts(*notes))) == pytest.approx([expected, NAN], nan_ok=True)
    chance = np.random.default_rng(1)
    free = [(0, PIANO, int(chance.integers(60)), int(chance.integers(40, 90))) for _ in range(15)]
    assert compressed_size(excerpts(*free))[0, 0] > 1.5 * expected


def test_drift_is_log2_of_the_last_four_bars_over_the_first_four():
    """Three notes in bars 0 to 3 and twelve in bars 5 to 8; four and one in the other."""
    steps = [0, 10, 47, 48, 59] + [60 + 4 * n for n in range(12)]
    music = excerpts(
        *((0, PIANO, step, 60) for step in steps),
        *((1, FLUTE, step, 70) for step in (0, 1, 2, 3, 100)), bars=9,
    )  # fmt: skip
    assert density_drift(music).tolist() == [[2.0, 2.0], [-2.0, 2.0]]
    assert np.isnan(density_drift(excerpts((0, PIANO, 0, 60), bars=7))).all()


def test_intervals_are_between_successive_steps_of_a_track():
    """Piano: 0, 0, 3, 5, 30; flute: 4, 6. Intervals 3, 2, 25 and 2."""
    music = excerpts(
        (0, PIANO, 0, 60), (0, PIANO, 0, 64), (0, PIANO, 3, 60), (0, PIANO, 5, 60),
        (0, PIANO, 30, 60),
        (0, FLUTE, 4, 72), (0, FLUTE, 6, 72), (0, BASS, 1, 40), (1, PIANO, 2, 60),
    )  # fmt: skip
    expected = np.zeros(16)
    expected[[1, 2, 15]] = 2 / 4, 1 / 4, 1 / 4
    found = inter_onset_intervals(music, "others")
    assert found[0].tolist() == expected.tolist()
    assert np.isnan(found[1]).all()
    assert np.isnan(inter_onset_intervals(music, "bass")).all()
