"""Keys and chords, counted by hand."""

import numpy as np
import pytest
from excerpt_rows import BASS, DRUMS, FLUTE, PIANO, excerpts

from musegen.measures.harmony import bass_fit, chord_agreement, in_best_key

NAN = float("nan")


def values(of: np.ndarray) -> list[float]:
    return of[:, 0].tolist()


def test_the_best_key_is_of_the_whole_or_of_each_stretch():
    """C D E F in bars 0 and 1, then C#, D#, G#, A# and B: only B of them is in C major."""
    first = [(0, PIANO, 6 * n, 60 + p) for n, p in enumerate((0, 2, 4, 5))]
    second = [(0, BASS, 24 + 4 * n, 36 + p) for n, p in enumerate((1, 3, 8, 10, 11))]
    music = excerpts(*first, *second, (0, DRUMS, 0, 37), (1, DRUMS, 0, 37), bars=4)
    assert values(in_best_key(music, 4)) == pytest.approx([6 / 9, NAN], nan_ok=True), "A flat"
    assert values(in_best_key(music, 2)) == pytest.approx([9 / 9, NAN], nan_ok=True), "C, B"
    assert values(in_best_key(music, 1))[0] == 1


def test_chord_tones_stand_a_third_or_fifth_over_the_last_bass_note():
    """The bass plays D at 4 and A at 10; a bar later it is forgotten."""
    music = excerpts(
        (0, BASS, 4, 38, 2), (0, BASS, 10, 45),
        (0, PIANO, 0, 62),  # before any bass
        (0, PIANO, 4, 65), (0, PIANO, 6, 69), (0, FLUTE, 9, 79),  # F, A over D; G is no chord tone
        (0, PIANO, 10, 69), (0, PIANO, 12, 62), (0, FLUTE, 21, 73),  # A; D is none; C#
        (0, PIANO, 22, 64),  # a bar after the A
        (0, DRUMS, 5, 38), (1, PIANO, 3, 60),
    )  # fmt: skip
    assert values(chord_agreement(music)) == pytest.approx([4 / 6, NAN], nan_ok=True)


def test_a_bass_below_a_chord_is_the_lowest_of_its_notes():
    music = excerpts((0, BASS, 4, 45), (0, BASS, 4, 38), (0, PIANO, 5, 66), songs=(1,))
    assert values(chord_agreement(music)) == [1], "F# over D, not over A"


def test_the_bass_fits_where_others_sound_its_pitch_class():
    """C and E sound from 2 to 7, G from 8 to 8; the bass plays C, G, E, F and G, G alone."""
    music = excerpts(
        (0, PIANO, 2, 60, 6), (0, FLUTE, 2, 76, 6), (0, PIANO, 8, 67),
        (0, BASS, 2, 36), (0, BASS, 3, 43), (0, BASS, 7, 40), (0, BASS, 6, 41), (0, BASS, 8, 43),
        (0, BASS, 9, 43), (1, BASS, 0, 36),
    )  # fmt: skip
    assert values(bass_fit(music)) == pytest.approx([3 / 5, NAN], nan_ok=True)
