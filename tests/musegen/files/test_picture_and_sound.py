"""Pictures and sound of rolls."""

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO

import numpy as np
import pretty_midi
import pytest
import torch
import torchaudio
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from note_rows import notes

from musegen.files.picture import DRUMS, draw_phrases, draw_roll
from musegen.files.sound import LOUDNESS_LUFS, PEAK_DBFS, SAMPLE_RATE, sound
from musegen.roll import HOLD, ONSET, Grid, Notes, Roll
from musegen.tracks import TRACK_LISTS

BASS = 3


def test_a_note_above_the_instrument_sounds_at_its_time():
    """One bar at 120 bpm: a bass note of two beats on B7, from half a second on."""
    grid = Grid(steps_per_beat=4)
    high = notes((BASS, 4, 107 - grid.lowest_pitch, 8))
    left_and_right = sound(Roll.of(high, TRACK_LISTS["lakh"], grid, np.array([120.0])))
    assert len(left_and_right) == 2
    assert 0.5 <= np.flatnonzero(np.abs(left_and_right).max(0) > 0.01)[0] / SAMPLE_RATE < 0.6


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved, instead of files."""
    figures: list[Figure] = []
    keep = "musegen.files.picture.write_figure"
    monkeypatch.setattr(keep, lambda figure, path: figures.append(figure))
    return figures


def two_notes() -> Roll:
    """Middle C of the piano for three steps from step 5, a snare at step 9; 22 is the lowest."""
    grid = Grid(steps_per_beat=4, lowest_pitch=22)
    cells = np.zeros((5, 1, grid.steps_per_bar, grid.pitches), np.uint8)
    cells[1, 0, 5, 60 - 22] = cells[0, 0, 9, 38 - 22] = ONSET
    cells[1, 0, 6:8, 60 - 22] = HOLD
    return Roll.of_cells(cells, TRACK_LISTS["lakh"], grid, np.array([120.0]))


def test_a_note_is_drawn_at_its_beat_and_pitch(drawn: list[Figure]):
    draw_roll(two_notes(), "song.png")
    (axes,) = drawn[0].axes
    rows = {text.get_text(): text.get_position()[1] for text in axes.texts}
    notes = [one for one in axes.collections if isinstance(one, PolyCollection)]
    for lane, start, end, row in zip(notes, (9, 5), (10, 8), ("snare", "C4"), strict=True):
        (path,) = lane.get_paths()
        (left, bottom), (right, top) = path.get_extents().get_points()
        assert (left, (bottom + top) / 2) == pytest.approx((start / 4, rows[row]))
        assert right == pytest.approx(end / 4, abs=0.05)


@pytest.mark.parametrize(("highest", "rows"), [(84, 53), (36, 12)])
def test_a_lane_has_two_free_rows_on_each_side_of_its_notes_and_an_octave_at_least(
    highest: int, rows: int, drawn: list[Figure]
):
    """From C2 to C6 there are 49 pitches."""
    grid = Grid(steps_per_beat=4, lowest_pitch=22)
    piano = notes(*((1, 4 * at, pitch - 22, 4) for at, pitch in enumerate((36, highest))))
    draw_roll(Roll.of(piano, TRACK_LISTS["lakh"], grid, np.array([120.0])), "song.png")
    (axes,) = drawn[0].axes
    lines = [one for one in axes.collections if isinstance(one, LineCollection)]
    (edges,) = lines[-1].get_segments()
    (top, floor), (left, right) = edges[:2, 1], edges[1:, 0]
    assert (top - floor, left, right) == (rows, 0, 4)
    (boxes,) = [one for one in axes.collections if isinstance(one, PolyCollection)]
    middles = [np.asarray(path.vertices)[:4, 1].mean() for path in boxes.get_paths()]
    assert middles == pytest.approx([floor + 2, floor + 2 + highest - 36])


def test_drums_are_named_as_general_midi_names_them():
    """Those of General MIDI, and beside them the other ones of General MIDI 2."""
    assert sorted(DRUMS) == [*range(27, 88)]
    assert len({*DRUMS.values()}) == len(DRUMS)
    words = {"kick": "bass drum", "rim": "side stick", "hat": "hi hat", "china": "chinese"}
    words |= {"block": "wood block"}
    for pitch in range(35, 82):
        kind = DRUMS[pitch].removesuffix(" 2").split()[-1]
        found = pretty_midi.note_number_to_drum_name(pitch).lower()
        assert words.get(kind, kind) in found, (pitch, found)


@pytest.mark.parametrize(("bars", "across"), [(16, 8), (1000, 64)])
def test_the_picture_of_a_long_song_is_no_higher_and_says_how_many_bars_a_line_has(
    bars: int, across: int, drawn: list[Figure]
):
    grid = Grid(steps_per_beat=4)
    every = notes(*[(n, 16 * bar + n, 20 + 9 * n, 3) for n in range(1, 5) for bar in range(bars)])
    roll = Roll.of(every, TRACK_LISTS["lakh"], grid, np.full(bars, 120.0), name="long")
    draw_roll(roll, "long.png")
    (figure,) = drawn
    assert 100 < figure.get_size_inches()[1] * figure.dpi <= 10_000
    title = figure.texts[0].get_text()
    assert (f"{across} bars a line" in title) == (across > 8)
    numbers = [t for t in figure.axes[0].texts if t.get_text().startswith("bar ")]
    bars_from_0 = range(0, bars, across // 8)
    assert [number.get_text() for number in numbers] == [f"bar {bar + 1}" for bar in bars_from_0]
    assert [n.get_position()[0] for n in numbers] == [4 * (bar % across) for bar in bars_from_0]
    boxes = [c for c in figure.axes[0].collections if isinstance(c, PolyCollection)]
    assert sum(len(c.get_paths()) for c in boxes) == 4 * bars


def test_the_name_of_a_song_may_have_any_letters(recwarn):
    stream = BytesIO()
    draw_roll(replace(two_notes(), name="\U0001f3b9 $\\no $mathematics"), stream)
    assert stream.getvalue().startswith(b"\x89PNG")
    assert not list(recwarn)


def test_phrases_are_drawn_at_their_steps_and_pitches(drawn: list[Figure]):
    """The second of two panels is as far from the first as its frame and its octaves are."""
    draw_phrases([two_notes()] * 2, "phrases.png")
    panel = drawn[0].axes[0]
    first, second = (frame for frame in panel.patches if isinstance(frame, Rectangle))
    right = second.get_x() - first.get_x()
    assert right > 16
    notes = {(5, 38), (9, 16)}
    assert set(lefts(panel)) == notes | {(round(x + right), pitch) for x, pitch in notes}
    octaves = [text.get_position() for text in panel.texts if text.get_text() == "C4 "]
    assert octaves == [(0, 60 - 22), (right, 60 - 22)]


def test_a_phrase_is_drawn_up_to_its_last_sound(drawn: list[Figure]):
    """Four bars with notes in the first, beside four with notes in two: none is empty."""
    one = replace(two_notes(), tempo_bpm=np.full(4, 120.0))
    two = replace(one, notes=Notes.concat([one.notes, one.notes.moved(16)]))
    silent = replace(one, notes=one.notes[:0])
    draw_phrases([two, one, silent], "phrases.png")
    panel = drawn[0].axes[0]
    frames = [frame for frame in panel.patches if isinstance(frame, Rectangle)]
    assert [frame.get_width() for frame in frames] == [32, 16, 16]
    assert len({frame.get_x() for frame in frames}) == 3
    numbers = [text.get_text() for text in panel.texts if text.get_text().isdigit()]
    assert numbers == ["1", "2", "1", "1"]


def lefts(axes: Axes) -> Iterator[tuple[int, float]]:
    """The left and the middle height of each note."""
    for collection in axes.collections:
        for path in collection.get_paths() if isinstance(collection, PolyCollection) else ():
            (left, bottom), (_, top) = path.get_extents().get_points()
            yield round(left), round((bottom + top) / 2, 6)


def hits(every_steps: int) -> Roll:
    """Four bars of kick and crash together on every so many steps."""
    grid = Grid(steps_per_beat=4)
    cells = np.zeros((5, 4, grid.steps_per_bar, grid.pitches), np.uint8)
    for pitch in (36, 38, 49, 57):
        cells[0, :, ::every_steps, pitch - grid.lowest_pitch] = ONSET
    return Roll.of_cells(cells, TRACK_LISTS["lakh"], grid, np.full(4, 120.0))


def test_sound_has_a_common_loudness_unless_its_peaks_forbid_it():
    """Sparse hits are all peak: at -1 dBFS they are below -16 LUFS, which a chord reaches."""
    sparse = sound(hits(16))
    peak = 20 * np.log10(np.abs(sparse).max())
    assert peak == pytest.approx(PEAK_DBFS, abs=0.01)
    assert loudness(sparse) < LOUDNESS_LUFS - 0.5
    chord = notes(*((4, 0, pitch, 16) for pitch in (30, 34, 37)))
    held = sound(replace(two_notes(), notes=Notes.concat([two_notes().notes, chord]).ordered()))
    assert np.abs(held).max() <= 10 ** (PEAK_DBFS / 20) + 1e-4
    assert loudness(held) == pytest.approx(LOUDNESS_LUFS, abs=0.3)


def loudness(samples: np.ndarray) -> float:
    return torchaudio.functional.loudness(torch.from_numpy(samples), SAMPLE_RATE).item()


def loudest(audio: np.ndarray, begin: float, end: float) -> float:
    """The largest amplitude between two times in seconds."""
    part = audio[:, int(begin * SAMPLE_RATE) : int(end * SAMPLE_RATE)]
    return float(np.abs(part).max(initial=0))


def test_the_last_notes_ring_out_after_the_bar_line_and_fade():
    """A string chord to the end of a bar of 2 s, a piano note that ends with its first beat."""
    played = notes((1, 0, 36, 12), (4, 24, 40, 24), (4, 24, 44, 24))
    audio = sound(Roll.of(played, TRACK_LISTS["lakh"], Grid(), np.array([120.0])))
    assert 2.1 * SAMPLE_RATE < audio.shape[1] <= 4 * SAMPLE_RATE
    assert loudest(audio, 2.0, 2.1) > 0.3 * loudest(audio, 1.8, 1.9)
    assert loudest(audio, 2.2, 2.3) < loudest(audio, 2.0, 2.1)
    end = audio.shape[1] / SAMPLE_RATE
    assert loudest(audio, end - 0.01, end) < 0.01 * loudest(audio, 1.8, 2.0)
    assert np.abs(np.diff(audio[0, int(1.99 * SAMPLE_RATE) :])).max() < 0.2, "no click"


def test_a_song_of_two_tempi_rings_from_the_end_of_its_last_note():
    """A bar of 1 s and one of 4 s; the last note ends half-way, at 3 s."""
    roll = Roll.of(notes((4, 0, 40, 72)), TRACK_LISTS["lakh"], Grid(), np.array([240.0, 60.0]))
    assert roll.seconds == 5
    assert roll.seconds_at(72) == 3
    assert 3.05 * SAMPLE_RATE < sound(roll).shape[1] <= 5 * SAMPLE_RATE
