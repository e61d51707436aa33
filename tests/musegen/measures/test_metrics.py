"""Each metric against numbers counted by hand."""

import math

import numpy as np
import pytest

from musegen.measures.metrics import (
    METRICS,
    TrackPhrases,
    drum_pattern,
    empty_bars,
    groove_consistency,
    measure,
    note_length,
    notes_at_once,
    notes_per_bar,
    pitch_class_entropy,
    pitch_range,
    polyphony_rate,
    qualified_notes,
    scale_consistency,
    tonal_centroid,
    tonal_distance,
    used_pitch_classes,
    used_pitch_groups,
)
from musegen.roll import HOLD, ONSET, Grid
from musegen.tracks import Track

GRID = Grid(steps_per_beat=3, beats_per_bar=2, lowest_pitch=22, pitches=15)
"""Bars of 6 steps; pitch 2 is C1, pitch 6 E, pitch 9 G and pitch 14 C2."""

BARS = 3


def phrases(
    *notes: tuple[int, int, int, int], count: int = 2, grid: Grid = GRID, bars: int = BARS
) -> TrackPhrases:
    """One track of phrases that hold these notes: (phrase, first step, pitch, length)."""
    steps = bars * grid.steps_per_bar
    line = np.zeros((count, steps, grid.pitches), np.uint8)
    for phrase, start, pitch, length in notes:
        line[phrase, start + 1 : start + length, pitch] = HOLD
        line[phrase, start, pitch] = ONSET
    return TrackPhrases(line.reshape(count, bars, -1, grid.pitches), grid)


TRACK = phrases(
    (0, 4, 2, 5),  # C from the end of bar 0 into bar 1
    (0, 5, 9, 1),  # G over it
    (0, 8, 14, 1),  # C an octave higher, in bar 1
    (1, 0, 6, 3),  # E at the beginning of bar 0
    (1, 13, 6, 2),  # E in bar 2
    (1, 16, 2, 2),  # C in bar 2
)
SILENCE = phrases()


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        (empty_bars, 100 * 2 / 6),  # bar 2 of the first phrase, bar 1 of the second
        (used_pitch_classes, (2 + 1 + 1 + 2) / 4),
        (used_pitch_groups, (2 + 2 + 1 + 2) / 4),  # [0 1] [2 3] [4 5] [6] [7] ... [14]
        (qualified_notes, 4 / 6),  # lengths 5 1 1 3 2 2, and 2 steps are enough
        (polyphony_rate, 2 / 12),  # steps 5 and 8 of the first phrase
        (notes_at_once, 14 / 12),
        (notes_per_bar, 6 / 6),
        (note_length, 14 / 6 / 3),
        (pitch_range, (12 + 4) / 2),
        (groove_consistency, 1 - (3 + 1 + 1 + 2) / (4 * 6)),
    ],
)
def test_a_metric_by_hand(metric, value: float):
    assert metric(TRACK) == pytest.approx(value)


def test_of_twelve_pitches_each_is_a_group():
    grid = Grid(steps_per_beat=3, beats_per_bar=2, lowest_pitch=24, pitches=12)
    track = phrases((0, 0, 0, 1), (0, 1, 1, 1), (1, 6, 11, 1), grid=grid)
    assert used_pitch_groups(track) == used_pitch_classes(track) == (2 + 1) / 2


def test_chroma_adds_octaves_and_the_steps_of_a_beat():
    chroma = np.zeros((2, 6, 12))
    chroma[0, 1, [0, 7]] = 2, 1
    chroma[0, 2, 0] = 3 + 1
    chroma[1, 0, 4], chroma[1, 4, 4], chroma[1, 5, 0] = 3, 2, 2
    assert TRACK.chroma.tolist() == chroma.tolist()


def test_entropy_is_in_bits_and_of_each_phrase():
    """Phrase 0 has 6 cells of C and 1 of G, phrase 1 has 5 of E and 2 of C."""
    first = -(6 / 7 * math.log2(6 / 7) + 1 / 7 * math.log2(1 / 7))
    second = -(5 / 7 * math.log2(5 / 7) + 2 / 7 * math.log2(2 / 7))
    assert pitch_class_entropy(TRACK) == pytest.approx((first + second) / 2)


def test_the_best_scale_is_any_of_the_twelve_and_of_each_phrase():
    """3 C, 1 C# and 2 D: C major has all but C#. In G flat major: all of the other phrase."""
    track = phrases(
        (0, 0, 2, 3), (0, 3, 3, 1), (0, 4, 4, 2),
        (1, 0, 8, 2), (1, 2, 10, 1), (1, 3, 12, 1), (1, 7, 13, 1),
    )  # fmt: skip
    assert scale_consistency(track) == pytest.approx((5 / 6 + 1) / 2)


@pytest.mark.parametrize(("steps_per_beat", "share"), [(12, 3 / 4), (24, 2 / 4), (4, 3 / 4)])
def test_a_note_is_qualified_from_a_32nd_note_on_and_from_two_steps(steps_per_beat, share):
    """An eighth of a beat is 1.5 of 12 steps and 3 of 24; with 4 steps a beat two steps count."""
    grid = Grid(steps_per_beat=steps_per_beat, beats_per_bar=4, pitches=5)
    track = phrases((0, 0, 0, 1), (0, 1, 1, 2), (0, 3, 2, 3), (0, 7, 3, 7), count=1, grid=grid)
    assert qualified_notes(track) == pytest.approx(share)


@pytest.mark.parametrize(("steps_per_beat", "share"), [(12, 3 / 5), (24, 1 / 5), (8, 2 / 5)])
def test_drum_hits_on_16th_notes(steps_per_beat: int, share: float):
    """Hits at steps 0, 3, 4, 9 and 14; a 16th note is 3, 6 or 2 steps."""
    grid = Grid(steps_per_beat=steps_per_beat, beats_per_bar=2, pitches=4)
    hits = [(0, step, 1, 1) for step in (0, 3, 4, 9, 14)]
    if steps_per_beat == 8:
        hits[2] = (0, 5, 1, 1)
    assert drum_pattern(phrases(*hits, count=1, grid=grid, bars=2)) == pytest.approx(share)


def test_the_tonal_centroid_of_harte():
    """C is at angle 0 of each circle; G turns by 7 fifths, minor thirds and major thirds."""
    chroma = np.zeros((2, 12))
    chroma[0, 0], chroma[1, 7] = 5, 2
    c, g = tonal_centroid(chroma)
    assert c == pytest.approx([0, 1, 0, 1, 0, 0.5])
    assert g == pytest.approx([0.5, 3**0.5 / 2, 1, 0, 0.5 * 3**0.5 / 2, -0.25])
    both = tonal_centroid(np.eye(12)[[0]] * 3 + np.eye(12)[[7]])[0]
    assert both == pytest.approx((3 * c + g) / 4)


def test_tonal_distance_is_over_beats_where_both_tracks_sound():
    """C against G in beat 1, C against C an octave higher in beats 2 and 4, C alone in beat 5."""
    first = phrases((0, 3, 2, 12), count=1)
    second = phrases((0, 4, 9, 1), (0, 6, 14, 1), (0, 12, 14, 3), count=1)
    fifth = math.sqrt(0.25 + (1 - 3**0.5 / 2) ** 2 + 2 + 0.25 * 3)
    assert tonal_distance(first, second) == pytest.approx(fifth / 3)


def test_silence_has_no_value_but_empty_bars_and_no_notes():
    values = {metric.name: metric.compute(SILENCE) for metric in METRICS}
    known = {name: value for name, value in values.items() if not math.isnan(value)}
    assert known == {"empty bars": 100.0, "notes a bar": 0.0, "groove consistency": 1.0}
    assert math.isnan(tonal_distance(SILENCE, TRACK))


def test_drums_have_their_own_metrics_and_melodic_tracks_are_paired():
    tracks = (
        Track(name="Piano"),
        Track(name="Drums", is_drum=True),
        Track(name="Bass", program=33),
        Track(name="Strings", program=48),
    )
    cells = np.stack([TRACK.cells, TRACK.cells, SILENCE.cells, TRACK.cells], 1)
    table = measure(cells, GRID, tracks)
    assert table["hits on 16ths"].keys() == {"Drums"}
    assert list(table["polyphony"]) == ["Piano", "Bass", "Strings"]
    assert list(table["empty bars"]) == ["Piano", "Drums", "Bass", "Strings"]
    assert table["empty bars"]["Bass"] == 100
    assert list(table["tonal distance"]) == ["Piano-Bass", "Piano-Strings", "Bass-Strings"]
    assert table["tonal distance"]["Piano-Strings"] == 0


def test_a_grid_of_fewer_than_twelve_pitches_has_a_group_for_each():
    """Two pitches in the first bar, one in the second."""
    grid = Grid(steps_per_beat=3, beats_per_bar=2, pitches=5)
    track = phrases((0, 0, 0, 1), (0, 2, 4, 1), (0, 6, 4, 1), count=1, grid=grid)
    assert used_pitch_groups(track) == 1.5


def test_lengths_are_right_in_phrases_of_more_steps_than_16_bits_count():
    grid = Grid(steps_per_beat=240, beats_per_bar=4, pitches=1)
    track = phrases((0, 3, 0, 5), (0, 34_000, 0, 560), count=1, grid=grid, bars=36)
    assert track.lengths.tolist() == [5, 560]
