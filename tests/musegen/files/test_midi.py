"""Rolls to MIDI files and back: what is written, and what survives the way."""

import io
import os
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest
import symusic
from handmade import midi, name, note, number, program
from hypothesis import example, given, settings
from hypothesis import strategies as st
from note_rows import notes, rows

from core.data.sources import RejectedFile
from core.errors import ConfigError
from musegen.controls import STILL
from musegen.files.keys import keys_of
from musegen.files.midi import origin_of, read_midi, read_performance, write_midi
from musegen.files.parts import parts_of
from musegen.reading.song import Song
from musegen.roll import Grid, Roll, fill, separate
from musegen.smf.events import scan
from musegen.tracks import LAKH, Track


def written(roll: Roll, folder: Path) -> Path:
    path = folder / "roll.mid"
    write_midi(roll, path)
    return path


parsed = symusic.core.ScoreTick.from_midi


def test_a_path_is_given_as_a_text_too(tmp_path: Path):
    (tmp_path / "one.mid").write_bytes(midi(note(60, 480)))
    assert read_midi(str(tmp_path / "one.mid")).name == "one"


@pytest.mark.parametrize(("beats", "unit"), [(6, 8), (7, 8), (3, 4), (2, 2), (5, 16), (12, 8)])
def test_a_metre_is_written_as_it_is_called_and_read_back(beats: int, unit: int):
    grid = Grid(steps_per_beat=6, beats_per_bar=beats, beat_unit=unit)  # type: ignore[arg-type]
    per_bar = grid.steps_per_bar
    played = notes((1, 0, 40, 5, 90), (1, per_bar - 1, 41, 3, 70), (3, 2 * per_bar, 12, 6, 33))
    roll = Roll.of(played, LAKH, grid, np.array([90.0, 60.0, 120.0]))
    stream = io.BytesIO()
    write_midi(roll, stream)
    written_signatures = parsed(stream.getvalue()).time_signatures
    assert {(s.numerator, s.denominator) for s in written_signatures} == {(beats, unit)}
    reread = read_midi(stream.getvalue(), grid=grid)
    assert rows(reread.notes) == rows(played)
    assert reread.bars == 3
    np.testing.assert_allclose(reread.tempo_bpm, roll.tempo_bpm, rtol=3e-6)
    quarters = 4 * beats / unit
    assert roll.seconds == pytest.approx(quarters * (60 / 90 + 60 / 60 + 60 / 120))


def test_a_written_file_has_names_programs_channels_tempi_and_its_metre(tmp_path: Path):
    grid = Grid(steps_per_beat=4, beats_per_bar=3)
    played_notes = notes((0, 1, 12, 1), (1, 0, 36, 2), (1, 11, 40, 4), (4, 23, 60, 1))
    cells = fill(played_notes, tracks=5, bars=2, grid=grid)
    path = written(Roll.of_cells(cells, LAKH, grid, np.array([60.0, 90.0])), tmp_path)
    read = pretty_midi.PrettyMIDI(str(path))
    assert [(i.name, i.program, i.is_drum) for i in read.instruments if i.notes] == [
        ("Drums", 0, True),
        ("Piano", 0, False),
        ("Strings", 48, False),
    ]
    times, bpm = read.get_tempo_changes()
    np.testing.assert_allclose(times, [0, 3], atol=1e-5)
    np.testing.assert_allclose(bpm, [60, 90], rtol=2e-6)
    first = read.time_signature_changes[0]
    assert (first.numerator, first.denominator, first.time) == (3, 4, 0)
    # the second piano note: steps 11 to 12 at 1/4 s, 12 to 15 at 1/6 s
    piano = [(n.start, n.end, n.pitch) for n in read.instruments[1].notes]
    np.testing.assert_allclose(piano, [(0, 0.5, 60), (2.75, 3.5, 64)], atol=1e-5)
    assert b"\x99" in path.read_bytes()


def test_a_written_file_says_its_title_origin_key_and_sections_to_other_readers(tmp_path: Path):
    """Six bars of F# minor at two tempi, in a form of three sections of two bars."""
    chord = [(1, 0, pitch, 288) for pitch in (66 - 24, 69 - 24, 73 - 24)]
    tempo = np.array([90.0, 90.0, 90.0, 120.0, 120.0, 120.0])
    roll = Roll.of(notes(*chord), LAKH, Grid(), tempo, "Übung 1")
    roll = replace(roll, form="ABA", origin="made by hand: ♯")
    path = written(roll, tmp_path)
    read = pretty_midi.PrettyMIDI(str(path), charset="utf-8")
    assert [(k.key_number, k.time) for k in read.key_signature_changes] == [(12 + 6, 0.0)]
    assert [(t.text, t.time) for t in read.text_events] == [("made by hand: ♯", 0.0)]
    assert [part.name for part in read.instruments] == ["Piano"]
    conductor = mido.MidiFile(path, charset="utf-8").tracks[0]
    at = np.cumsum([event.time for event in conductor]).tolist()
    events = [(tick, event) for tick, event in zip(at, conductor, strict=True)]
    assert [(t, e.name) for t, e in events if e.type == "track_name"] == [(0, "Übung 1")]
    assert [(t, e.key) for t, e in events if e.type == "key_signature"] == [(0, "F#m")]
    markers = [(t, e.text) for t, e in events if e.type == "marker"]
    assert markers == [(0, "A"), (2 * 1920, "B"), (4 * 1920, "A")]
    tempi = [(t, e.tempo) for t, e in events if e.type == "set_tempo"]
    assert tempi == [(0, 666_667), (3 * 1920, 500_000)]
    assert [t for t, e in events if e.type == "time_signature"] == [0]
    assert [t for t, e in events if e.type == "end_of_track"] == [6 * 1920]
    assert (read_midi(path).roll().cells == roll.cells).all()
    assert origin_of(path) == "made by hand: ♯"
    chosen = pretty_midi.PrettyMIDI(str(written(replace(roll, key="C# minor"), tmp_path)))
    assert [key.key_number for key in chosen.key_signature_changes] == [12 + 1]


def test_a_roll_without_a_form_has_no_markers(tmp_path: Path):
    """A bass line of four bars, another, and the first again: whoever repeats names no form."""
    first = [(3, 48 * bar + 12 * beat, 4 + beat, 6) for bar in range(4) for beat in range(4)]
    line = [(t, s + 48 * 8 * repeat, p, n) for t, s, p, n in first for repeat in (0, 1)]
    line += [(3, 48 * 4 + 24 * half, 30 + half, 6) for half in range(8)]
    path = written(Roll.of(notes(*line), LAKH, Grid(), np.full(12, 100.0)), tmp_path)
    conductor = mido.MidiFile(path).tracks[0]
    said = {event.type for event in conductor}
    own = {"sequencer_specific", "end_of_track"}  # where it ends
    assert said == {"set_tempo", "time_signature", "key_signature", *own}


def test_all_tracks_end_on_the_bar_line_where_the_roll_does(tmp_path: Path):
    """A note up to the end, one before it, and three tracks without any."""
    played = notes((1, 0, 12, 96), (3, 0, 12, 12))
    path = written(Roll.of(played, LAKH, Grid(), np.array([100.0, 100.0])), tmp_path)
    ends = [sum(event.time for event in track) for track in mido.MidiFile(path).tracks]
    assert ends == 6 * [2 * 1920]


def test_notes_end_before_others_begin(tmp_path: Path):
    """In a line that falls too: pretty_midi sorts the messages of a tick by pitch."""
    line = [(3, 6 * n, 12 + pitch, 6) for n, pitch in enumerate((7, 0, 7, 7, 3))]
    path = written(Roll.of(notes(*line), LAKH, Grid(), np.array([100.0])), tmp_path)
    bass = [m for m in mido.MidiFile(path).tracks[4] if m.type == "note_on"]
    assert [bool(message.velocity) for message in bass] == 5 * [True, False]
    assert [m.time for m in bass[2::2]] == 4 * [0]


def test_chosen_tracks_are_written_with_what_is_said_of_all(tmp_path: Path):
    """The bass alone is in C major too; the piano says that it is C minor."""
    played = notes(
        (1, 0, 63 - 24, 48), (1, 0, 60 - 24, 48), (3, 0, 36 - 24, 48), (3, 0, 43 - 24, 9)
    )
    roll = Roll.of(played, LAKH, Grid(), np.array([100.0]), "song")
    stream = io.BytesIO()
    write_midi(roll, stream, [3])
    read = pretty_midi.PrettyMIDI(io.BytesIO(stream.getvalue()))
    assert [part.name for part in read.instruments] == ["Bass"]
    assert sorted(note.pitch for note in read.instruments[0].notes) == [36, 43]
    assert [k.key_number for k in read.key_signature_changes] == [12]
    assert read.get_end_time() == pytest.approx(4 * 60 / 100)


@pytest.mark.parametrize("number", [-1, 5])
def test_a_track_that_there_is_not_is_not_written(number: int):
    roll = Roll.of(notes((4, 0, 39, 4)), LAKH, Grid(), np.array([100.0]))
    with pytest.raises(ConfigError, match=r"a track (is 0 to 4|must be at least 0), not"):
        write_midi(roll, io.BytesIO(), [number])


def test_long_texts_are_written_whole(tmp_path: Path):
    """Lengths of 1, 2 and 3 bytes: 127, 128 and 16,384 letters."""
    for letters in (127, 128, 16_384):
        roll = Roll.of(notes((1, 0, 9, 4)), LAKH, Grid(), np.array([100.0]), "n" * letters)
        path = written(replace(roll, origin="o" * letters), tmp_path)
        conductor = mido.MidiFile(path).tracks[0]
        assert [e.name for e in conductor if e.type == "track_name"] == ["n" * letters]
        assert origin_of(path) == "o" * letters
        assert rows(read_midi(path).notes) == [(1, 0, 9, 4)]


def test_a_file_that_says_nothing_of_its_origin(tmp_path: Path):
    (tmp_path / "other.mid").write_bytes(midi(name("tune"), note(60, 480)))
    (tmp_path / "broken.mid").write_bytes(b"MThd")
    assert origin_of(tmp_path / "other.mid") == origin_of(tmp_path / "broken.mid") == ""


def test_names_of_all_alphabets_are_written(tmp_path: Path):
    tracks = (Track(name="ピアノ", name_pattern="ピアノ"), Track(name="Geige ä", rest=True))
    cells = fill(notes((0, 0, 3, 1), (1, 5, 4, 1)), 2, 1, Grid())
    path = written(Roll.of_cells(cells, tracks, Grid(), np.array([100.0])), tmp_path)
    assert [t.name for t in parsed(path.read_bytes()).tracks] == ["ピアノ", "Geige ä"]
    assert (read_midi(path, tracks).roll().cells == cells).all()


def test_a_roll_of_a_model_whose_name_is_no_utf8_is_written(tmp_path: Path):
    """The folder of a run can have such a name, and names the model."""
    cells = fill(notes((0, 0, 3, 1)), 5, 1, Grid())
    roll = Roll.of_cells(cells, LAKH, Grid(), np.array([100.0]))
    path = written(replace(roll, name=os.fsdecode(b"caf\xe9")), tmp_path)
    assert b"caf?" in path.read_bytes()


@pytest.mark.parametrize("tempo", [3.0, 0.0, -9.0, 1e9, np.inf, np.nan])
def test_a_tempo_that_midi_cannot_hold_is_refused(tmp_path: Path, tempo: float):
    cells = fill(notes((0, 0, 0, 1)), 5, 1, Grid())
    roll = Roll.of_cells(cells, LAKH, Grid(), np.array([tempo]))
    with pytest.raises(ConfigError, match=r"a tempo (is from 4 to|must be)"):
        write_midi(roll, tmp_path / "wrong.mid")
    assert not list(tmp_path.iterdir())


def test_a_silent_roll_is_written_and_has_no_notes_to_read(tmp_path: Path):
    cells = np.zeros((5, 2, 48, 84), np.uint8)
    path = written(Roll.of_cells(cells, LAKH, Grid(), np.full(2, 99.0)), tmp_path)
    with pytest.raises(RejectedFile, match="no-notes"):
        read_midi(path)
    assert path.read_bytes().count(b"Bass") == 1


PLAYERS = tuple(
    Track(name=f"Part {n}", program=9 * n, name_pattern=f"^Part {n}$") for n in range(6)
)


BAND = (Track(name="Drums", is_drum=True), *PLAYERS)


Example = tuple[Grid, int, list[tuple[int, ...]], list[float]]


beat_units = st.sampled_from([2, 4, 8])


@st.composite
def rolls(draw: st.DrawFn) -> Example:
    """Grid, number of tracks, notes and the tempo of each bar.

    All of odd sizes, with repeated notes that touch and notes held over bar lines.
    """
    steps = draw(st.sampled_from([1, 4, 5, 7, 12, 24]))
    beats, tracks, bars = draw(st.integers(1, 5)), draw(st.integers(1, 7)), draw(st.integers(1, 4))
    low = draw(st.integers(0, 100))
    pitches = draw(st.integers(1, 128 - low))
    sizes = {"steps_per_beat": steps, "beats_per_bar": beats, "beat_unit": draw(beat_units)}
    grid = Grid.model_validate({**sizes, "lowest_pitch": low, "pitches": pitches})
    last = bars * grid.steps_per_bar - 1
    row = st.tuples(
        st.integers(0, tracks - 1),
        st.integers(0, last),
        st.integers(0, min(pitches, 3) - 1),
        st.integers(1, last + 1),
    )
    row_list = draw(st.lists(row, min_size=1, max_size=30))
    cut = [(t, s, p, 1 if BAND[t].is_drum else min(n, last + 1 - s)) for t, s, p, n in row_list]
    tempi = draw(st.lists(st.floats(20, 300), min_size=bars, max_size=bars))
    return grid, tracks, cut, tempi


ODD = Grid(steps_per_beat=12, beats_per_bar=3, lowest_pitch=0, pitches=128)


@given(rolls())
@example((ODD, 1, [(0, 40, 0, 1)], [97.3] * 5))
@settings(max_examples=150)
def test_a_roll_survives_the_way_to_a_file_and_back(example: Example):
    grid, tracks, played, tempi = example
    cells = fill(separate(notes(*played), grid), tracks, len(tempi), grid)
    roll = Roll.of_cells(cells, BAND[:tracks], grid, np.array(tempi))
    stream = io.BytesIO()
    write_midi(roll, stream)
    song = read_midi(stream.getvalue(), roll.tracks, roll.grid)
    reread = song.roll()
    assert reread.cells.shape == roll.cells.shape
    assert (reread.cells == roll.cells).all()
    np.testing.assert_allclose(reread.tempo_bpm, roll.tempo_bpm, rtol=3e-6)
    assert song.stretches == ((0, roll.bars),)
    second = io.BytesIO()
    write_midi(reread, second)
    assert second.getvalue() == stream.getvalue()


def test_a_written_file_holds_the_velocity_of_each_note():
    played = notes((1, 0, 3, 2, 9), (1, 2, 3, 2, 127), (0, 1, 12, 1, 64), (3, 0, 5, 4, 1))
    stream = io.BytesIO()
    write_midi(Roll.of(played, LAKH, Grid(), np.array([90.0])), stream)
    loud = {
        (track.name, note.pitch, note.time // 40): note.velocity
        for track in parsed(stream.getvalue()).tracks
        for note in track.notes
    }
    assert loud == {
        ("Piano", 27, 0): 9,
        ("Piano", 27, 2): 127,
        ("Drums", 36, 1): 64,
        ("Bass", 29, 0): 1,
    }
    reread = read_midi(stream.getvalue())
    assert reread.notes.velocity.tolist() == [9, 1, 64, 127]
    assert reread.roll().notes.velocity.tolist() == [9, 1, 64, 127]
    assert Song.of(reread.roll()).notes.velocity.tolist() == [9, 1, 64, 127]


@pytest.mark.parametrize(
    "drums", [{0}, {19}, {0, 7}, {0, 5, 9}], ids=lambda numbers: f"drums {sorted(numbers)}"
)
def test_twenty_programs_are_written_on_ports_and_read_back(drums: set[int]):
    tracks = tuple(
        Track(name=f"T{n}", program=4 * n, is_drum=n in drums, name_pattern=f"^T{n}$")
        for n in range(20)
    )
    played = notes(*((n, n % 7, 20 + n, 1, 30 + n) for n in range(20)))
    stream = io.BytesIO()
    write_midi(Roll.of(played.ordered(), tracks, Grid(), np.array([90.0])), stream)
    song = read_midi(stream.getvalue(), tracks)
    assert rows(song.notes) == rows(played.ordered())
    events = scan(stream.getvalue())
    _, parts = parts_of(events, keys_of(events)[0])
    assert [(p.name, p.program) for p in parts if not p.is_drum] == [
        (t.name, t.program) for t in tracks if not t.is_drum
    ]
    assert len({(p.port, p.channel) for p in parts if not p.is_drum}) == 20 - len(drums)


def test_two_drum_kits_are_written_on_ports_and_read_back():
    """Channel 10 of one port has one kit, one volume and one bend."""
    tracks = tuple(
        Track(name=f"T{n}", program=program, is_drum=n < 3, name_pattern=f"^T{n}$")
        for n, program in enumerate((0, 25, 0, 33))
    )
    played = notes(*((n, 0, 20 + n, 1, 30 + n) for n in range(4)))
    roll, stream = Roll.of(played, tracks, Grid(), np.array([90.0])), io.BytesIO()
    write_midi(roll, stream)
    assert rows(read_midi(stream.getvalue(), tracks).notes) == rows(played)
    events = scan(stream.getvalue())
    _, parts = parts_of(events, keys_of(events)[0])
    assert [(p.program, p.port) for p in parts] == [(0, 0), (25, 1), (0, 0), (33, 0)]
    quiet = replace(STILL, volume=np.array([40]))
    write_midi(replace(roll, controls=(STILL, STILL, quiet, STILL)), stream := io.BytesIO())
    found = read_performance(stream.getvalue(), tracks).controls
    assert [one.volume.tolist() for one in found] == [[100], [100], [40], [100]]


def test_fifteen_tracks_need_no_port():
    tracks = tuple(Track(name=str(n), rest=True) for n in range(15))
    stream = io.BytesIO()
    write_midi(Roll.of(notes((14, 0, 3, 1)), tracks, Grid(), np.array([90.0])), stream)
    assert not len(scan(stream.getvalue()).metas(0x21))


def on_grid(score: symusic.core.ScoreTick) -> set[tuple[str, int, int, int]]:
    """(track, start, pitch, length) of each note in ticks of 480 a beat; drums have no length."""
    unit = 480 // score.ticks_per_quarter
    return {
        (t.name, n.time * unit, n.pitch, 0 if t.is_drum else n.duration * unit)
        for t in score.tracks
        for n in t.notes
    }


@given(
    st.sampled_from([4, 12, 24]),
    st.sampled_from([24, 48, 96, 120, 240, 480]),
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 95), st.integers(0, 83), st.integers(1, 40)),
        min_size=1,
        max_size=30,
    ),
)
@settings(max_examples=100)
def test_a_file_keeps_every_note_that_is_on_the_grid(
    steps_per_beat: int, division: int, given_notes: list[tuple[int, int, int, int]]
):
    grid = Grid(steps_per_beat=steps_per_beat)
    apart = separate(notes(*given_notes), grid)
    step = division // steps_per_beat
    tracks = [b""] * 7
    for number_of, track in enumerate(BAND):
        channel = 10 if track.is_drum else 1 + number_of
        mine = [row for row in rows(apart) if row[0] == number_of]
        on = [(s * step, 1, p) for _, s, p, _ in mine]
        off = [((s + n) * step, 0, p) for _, s, p, n in mine]
        at, body = 0, name(track.name) + program(track.program, channel)
        for tick, is_on, pitch in sorted(on + off):
            status = (0x90 if is_on else 0x80) + channel - 1
            body += number(tick - at) + bytes([status, 24 + pitch, 77])
            at = tick
        tracks[number_of] = body
    source = midi(*tracks, division=division)
    stream = io.BytesIO()
    write_midi(read_midi(source, BAND, grid).roll(), stream)
    assert on_grid(parsed(stream.getvalue())) == on_grid(parsed(source))


@pytest.mark.parametrize("folder", ["easyrpg", "blasphemer"])
def test_real_songs_survive_the_way_to_files_and_back(
    shared_data: Path, folder: str, tmp_path: Path
):
    count = 0
    for path in sorted((shared_data / "music" / folder / "midi").glob("*.mid"))[:12]:
        try:
            roll = read_midi(path).roll()
        except RejectedFile:
            continue
        reread = read_midi(written(roll, tmp_path)).roll()
        assert reread.cells.shape == roll.cells.shape, path.name
        assert (reread.cells == roll.cells).all(), path.name
        loud, reread_loud = (r.notes.velocity.tolist() for r in (roll, reread))
        assert reread_loud == loud, path.name
        np.testing.assert_allclose(reread.tempo_bpm, roll.tempo_bpm, rtol=3e-6)
        count += 1
    assert count >= 8
