"""Pictures and sound of rolls."""

import multiprocessing
import wave
from pathlib import Path

import numpy as np

from musegen.files.sound import SAMPLE_RATE, write_sound
from musegen.roll import HOLD, ONSET, Grid, Roll
from musegen.tracks import TRACK_LISTS

BASS = 3


def high_bass() -> Roll:
    """One bar at 120 bpm: a bass note of two beats on B7, which hangs the bare synthesizer."""
    grid = Grid(steps_per_beat=4)
    cells = np.zeros((5, 1, grid.steps_per_bar, grid.pitches), np.uint8)
    cells[BASS, 0, 4, 107 - grid.lowest_pitch] = ONSET
    cells[BASS, 0, 5:12, 107 - grid.lowest_pitch] = HOLD
    return Roll(cells, TRACK_LISTS["lakh"], grid, np.array([120.0]))


def test_a_note_above_the_soundfont_sounds_and_returns(tmp_path: Path):
    path = tmp_path / "high.wav"
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=write_sound, args=(high_bass(), path), daemon=True)
    child.start()
    child.join(60)
    assert child.exitcode == 0
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, SAMPLE_RATE)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    assert 0.5 <= np.flatnonzero(np.abs(samples).max(1) > 300)[0] / SAMPLE_RATE < 0.6
