"""Clusters of near-duplicate songs."""

from dataclasses import fields

import numpy as np
import pytest

from musegen.data.similarity import COMPARED, NEIGHBOURS, clusters, sampled, shapes
from musegen.roll import Notes

NO_DRUMS = np.zeros(2, bool)


def notes(start: np.ndarray, pitch: np.ndarray, track: int = 0) -> Notes:
    whole = np.ones(len(start), np.int64)
    return Notes(track * whole, start, pitch, 3 * whole, 100 * whole)


def melody(seed: int, count: int = 200) -> Notes:
    generator = np.random.default_rng(seed)
    start = np.cumsum(generator.choice([3, 6, 12, 24], count))
    return notes(start, generator.integers(20, 60, count))


def concat(*songs: Notes) -> Notes:
    """Concatenate the notes of songs."""
    return Notes(*(np.concatenate([getattr(s, f.name) for s in songs]) for f in fields(Notes)))


def clusters_of(*songs: Notes, drums: np.ndarray = NO_DRUMS) -> list[int]:
    rows = [shapes(song, drums) for song in songs]
    return clusters(np.concatenate(rows), np.array([len(row) for row in rows])).tolist()


def test_a_shape_is_two_steps_in_time_and_pitch():
    rising = notes(np.array([0, 12, 24, 36]), np.array([40, 42, 44, 46]))
    assert len(shapes(rising, NO_DRUMS)) == 1, "both shapes are the same"
    assert len(shapes(notes(rising.start, np.array([40, 42, 44, 45])), NO_DRUMS)) == 2
    assert len(shapes(notes(np.array([0, 12, 24, 37]), rising.pitch), NO_DRUMS)) == 2
    assert len(shapes(rising[:2], NO_DRUMS)) == 0


def test_key_and_place_do_not_matter_but_direction_does():
    song = melody(1)
    moved = notes(song.start + 1000, song.pitch + 7)
    assert shapes(moved, NO_DRUMS).tolist() == shapes(song, NO_DRUMS).tolist()
    upside_down = notes(song.start, 100 - song.pitch)
    assert len(np.intersect1d(shapes(upside_down, NO_DRUMS), shapes(song, NO_DRUMS))) < 10


def test_drums_have_no_shape_and_tracks_their_own():
    song = melody(1)
    assert len(shapes(song, np.array([True, False]))) == 0
    both = concat(song, notes(song.start, song.pitch, 1))
    assert shapes(both, NO_DRUMS).tolist() == shapes(song, NO_DRUMS).tolist()


def test_half_of_the_shapes_make_a_near_duplicate():
    song, other = melody(1), melody(2)
    mostly, barely = concat(song[:130], other[130:]), concat(song[:70], other[70:])
    assert clusters_of(song, other, mostly) == [0, 1, 0]
    assert clusters_of(song, barely) == [0, 1]


def test_a_part_of_a_longer_song_is_near_it():
    assert clusters_of(melody(3)[:60], melody(4), melody(3)) == [0, 1, 0]


def test_few_shapes_in_common_may_be_chance():
    assert clusters_of(melody(3)[:6], melody(3)) == [0, 1]


def test_near_duplicates_of_near_duplicates_are_in_one_cluster():
    a, c = melody(1, 80), melody(2, 80)
    assert clusters_of(a, c) == [0, 1]
    assert clusters_of(a, melody(9), c, concat(a, c)) == [0, 1, 0, 0]


def test_shapes_that_very_many_songs_have_do_not_join_them():
    """80 songs share 60 % of their shapes: all of one style, none a copy."""
    style, own = melody(0, 122), [melody(seed, 82) for seed in range(1, 81)]
    rows = [np.union1d(shapes(style, NO_DRUMS), shapes(song, NO_DRUMS)) for song in own]
    count = np.array([len(row) for row in rows])
    assert np.all(120 / count > 0.59)
    assert len(set(clusters(np.concatenate(rows), count).tolist())) == 80
    few = slice(0, 40)
    assert len(set(clusters(np.concatenate(rows[few]), count[few]).tolist())) == 1


def test_very_many_copies_are_one_song():
    song = shapes(melody(0), NO_DRUMS)
    count = NEIGHBOURS + 50
    assert set(clusters(np.tile(song, count), np.full(count, len(song))).tolist()) == {0}


def test_songs_without_shapes_are_each_their_own():
    assert clusters(np.zeros(0, np.uint32), np.zeros(3, np.int64)).tolist() == [0, 1, 2]
    assert clusters(np.zeros(0, np.uint32), np.zeros(0, np.int64)).tolist() == []


@pytest.mark.parametrize("times", [4, 100])
def test_of_too_many_shapes_a_sample_is_compared_the_same_of_each_song(times: int):
    generator = np.random.default_rng(0)
    row = np.unique(generator.integers(0, 2**32, 50_000, dtype=np.uint32))
    other = np.concatenate([row[::2], np.unique(generator.integers(0, 2**32, 25_000, np.uint32))])
    assert sampled(row, COMPARED).tolist() == row.tolist()
    few, of_other = (sampled(hashes, COMPARED * times) for hashes in (row, other))
    assert len(few) == pytest.approx(len(row) / times, rel=0.1)
    assert len(np.intersect1d(few, of_other)) == pytest.approx(len(few) / 2, rel=0.1)
