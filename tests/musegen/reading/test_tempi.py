"""Tempi of a file: that of each bar."""

import numpy as np
import pytest
from handmade import meta, midi, note, tempo

from musegen.files.midi import read_midi, read_performance
from musegen.reading.counting import WITHOUT_BEATS


def test_the_tempo_of_a_bar_is_its_mean_over_time():
    # 2 beats of 1/2 s and 2 of 1 s: 4 beats in 3 s; the next bar 4 s; then 4 beats of 0.4 s
    conductor = tempo(500_000) + tempo(1_000_000, after=960) + tempo(400_000, after=2880)
    song = read_midi(midi(conductor, note(60, 480 * 12)))
    np.testing.assert_allclose(song.tempo_bpm, [80, 60, 150])


def test_the_tempo_is_120_until_the_first_tempo_event():
    song = read_midi(midi(note(60, 3840), tempo(250_000, after=1920)))
    np.testing.assert_allclose(song.tempo_bpm, [120, 240])


@pytest.mark.parametrize("wrong", [tempo(0, after=960), meta(0x51, b"\x07", after=960)])
def test_a_tempo_that_nobody_can_play_is_left_out_and_counted(wrong: bytes):
    """The one before goes on, to the bar and to the second."""
    data = midi(tempo(1_000_000) + wrong, note(60, 1920) + note(62, 1920))
    song = read_midi(data)
    np.testing.assert_allclose(song.tempo_bpm, [60, 60])
    assert song.remarks == ["left out: 1 unplayable tempo"]
    played = read_performance(data)
    assert played.start.tolist() == [0, 4] and played.remarks == ("left out: 1 unplayable tempo",)
    in_frames = midi(wrong + note(60, 30_000), division=256 - 25 << 8 | 40)
    np.testing.assert_allclose(read_midi(in_frames).tempo_bpm, 120)
    assert read_midi(in_frames).doubts == [WITHOUT_BEATS]
