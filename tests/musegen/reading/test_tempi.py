"""Tempi of a file: that of each bar."""

import numpy as np
from handmade import midi, note, tempo

from musegen.files.midi import read_midi


def test_the_tempo_of_a_bar_is_its_mean_over_time():
    # 2 beats of 1/2 s and 2 of 1 s: 4 beats in 3 s; the next bar 4 s; then 4 beats of 0.4 s
    conductor = tempo(500_000) + tempo(1_000_000, after=960) + tempo(400_000, after=2880)
    song = read_midi(midi(conductor, note(60, 480 * 12)))
    np.testing.assert_allclose(song.tempo_bpm, [80, 60, 150])


def test_the_tempo_is_120_until_the_first_tempo_event():
    song = read_midi(midi(note(60, 3840), tempo(250_000, after=1920)))
    np.testing.assert_allclose(song.tempo_bpm, [120, 240])
