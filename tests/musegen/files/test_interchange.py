"""Files that we write, as other libraries read them: mido, pretty_midi, symusic, pypianoroll,
muspy, MidiTok and music21."""

from pathlib import Path
from typing import Any

import mido
import numpy as np
import pretty_midi
import pypianoroll
import pytest
import symusic

from musegen.files.midi import write_midi
from musegen.roll import Grid, Notes, Roll
from musegen.tracks import Track

GRID = Grid(steps_per_beat=4, beats_per_bar=3, lowest_pitch=21)
BARS, PARTS = 4, 17
TRACKS = (
    Track(name="Drums", is_drum=True),
    *(Track(name=f"Part {n}", program=3 * n + 1) for n in range(PARTS)),
)
SCALE = np.array([0, 2, 4, 5, 7, 9, 11])  # of C major
TEMPO = np.array([96.0, 96.0, 140.0, 140.0])


def song() -> Roll:
    """Seventeen parts and drums in C major, 3/4, of which the third bar is faster."""
    number = np.arange(PARTS * BARS)
    part, bar = number % PARTS, number // PARTS
    pitch = 39 + SCALE[number % 7]
    melodic = (part + 1, bar * 12 + part % 9, pitch, 1 + part % 3, 40 + part)
    drums = (0 * np.arange(BARS), 12 * np.arange(BARS), 0 * np.arange(BARS) + 15)
    drums = (*drums, 0 * np.arange(BARS) + 1, 0 * np.arange(BARS) + 99)
    columns = [np.concatenate(pair) for pair in zip(drums, melodic, strict=True)]
    order = np.lexsort((columns[2], columns[0], columns[1]))
    notes = Notes(*(column[order] for column in columns))
    return Roll(notes, TRACKS, GRID, TEMPO, "Three in the morning")


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("interchange") / "song.mid"
    write_midi(song(), path)
    return path


def test_mido_reads_names_programs_channels_ports_and_the_title(path):
    file = mido.MidiFile(path)
    title, *parts = (track.name for track in file.tracks)
    assert title == "Three in the morning"
    assert sorted(parts) == sorted(track.name for track in TRACKS)
    used, seen = set(), {}
    for track in file.tracks[1:]:
        ports = [message.port for message in track if message.type == "midi_port"]
        programs = {m.program for m in track if m.type == "program_change"}
        channels = {m.channel for m in track if m.type == "note_on"}
        assert len(channels) == len(programs) == 1, track.name
        place = (ports or [0])[0], channels.pop()
        assert place not in used
        used.add(place)
        seen[track.name] = programs.pop()
        assert (place[1] == 9) == (track.name == "Drums")
    assert {port for port, _ in used} == {0, 1}
    assert all(seen[track.name] == track.program for track in TRACKS)


def test_no_signature_and_no_tempo_comes_late(path):
    """A program that draws bars would begin a new section there."""
    file = mido.MidiFile(path)
    found = {"time_signature": [], "key_signature": [], "set_tempo": []}
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type in found:
                found[message.type].append((tick, message))
    bar = 3 * file.ticks_per_beat
    ((at, metre),) = found["time_signature"]
    assert (at, metre.numerator, metre.denominator) == (0, 3, 4)
    ((at, key),) = found["key_signature"]
    assert (at, key.key) == (0, "C")
    tempi = [(at, round(mido.tempo2bpm(one.tempo), 3)) for at, one in found["set_tempo"]]
    assert tempi == [(0, 96.0), (2 * bar, 140.0)]


def test_pretty_midi_and_symusic_read_the_same_notes(path):
    """Their seconds and beats are those of the roll."""
    pretty = pretty_midi.PrettyMIDI(str(path))
    other: Any = symusic.Score(str(path))
    named = {one.name: one for one in pretty.instruments}
    also = {one.name: one for one in other.tracks}
    assert named.keys() == also.keys() == {track.name for track in TRACKS}
    notes, step = song().notes, other.ticks_per_quarter // 4
    for number, track in enumerate(TRACKS):
        own = notes[notes.track == number]
        first = own.start.clip(max=24) / 4 * 60 / 96
        seconds = first + (own.start - 24).clip(min=0) / 4 * 60 / 140
        read = sorted(named[track.name].notes, key=lambda note: note.start)
        assert named[track.name].is_drum == also[track.name].is_drum == track.is_drum
        assert named[track.name].program == also[track.name].program == track.program
        np.testing.assert_allclose([note.start for note in read], seconds, atol=1e-3)
        assert [note.velocity for note in read] == own.velocity.tolist()
        ticks = sorted((note.start, note.pitch, note.velocity) for note in also[track.name].notes)
        own_ticks = zip(own.start * step, own.pitch + 21, own.velocity, strict=True)
        assert ticks == [tuple(map(int, note)) for note in own_ticks]


def test_pypianoroll_reads_the_rolls(path):
    multitrack = pypianoroll.read(path, resolution=4)
    assert {track.name for track in multitrack.tracks} == {track.name for track in TRACKS}
    notes = song().notes
    for track in multitrack.tracks:
        number = next(n for n, one in enumerate(TRACKS) if one.name == track.name)
        own = notes[notes.track == number]
        np.testing.assert_array_equal(
            track.pianoroll[own.start, own.pitch + 21], own.velocity, track.name
        )


def in_ticks(number: int, resolution: int) -> list[tuple[int, int, int, int]]:
    """Start, length, pitch and velocity of a track's notes, sorted."""
    own, step = song().notes, resolution // 4
    own = own[own.track == number]
    columns = (own.start * step, own.length * step, own.pitch + 21, own.velocity)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.slow
def test_muspy_reads_title_metre_key_tempi_programs_and_notes(path):
    muspy = pytest.importorskip("muspy")
    music = muspy.read_midi(path)
    assert music.metadata.title == "Three in the morning"
    bar = 3 * music.resolution
    tempi = [(one.time, round(one.qpm, 3)) for one in music.tempos]
    assert tempi == [(0, 96.0), (2 * bar, 140.0)]
    metres = [(one.time, one.numerator, one.denominator) for one in music.time_signatures]
    assert metres == [(0, 3, 4)]
    assert [(one.time, one.root, one.mode) for one in music.key_signatures] == [(0, 0, "major")]
    parts = {one.name: one for one in music.tracks}
    assert parts.keys() == {track.name for track in TRACKS}
    for number, track in enumerate(TRACKS):
        part = parts[track.name]
        assert (part.program, part.is_drum) == (track.program, track.is_drum)
        read = sorted((n.time, n.duration, n.pitch, n.velocity) for n in part.notes)
        assert read == in_ticks(number, music.resolution), track.name


@pytest.mark.slow
def test_miditok_s_tokens_hold_the_notes(path):
    """In four steps a beat and with every velocity, tokens say what the file says."""
    miditok = pytest.importorskip("miditok")
    config = miditok.TokenizerConfig(
        beat_res={(0, 4): 4}, num_velocities=127, use_programs=True, use_time_signatures=True
    )
    tokenizer = miditok.REMI(config)
    back = tokenizer.decode(tokenizer.encode(symusic.Score(str(path))))
    metres = [(one.time, one.numerator, one.denominator) for one in back.time_signatures]
    assert metres == [(0, 3, 4)]
    parts = {(one.program, one.is_drum): one for one in back.tracks}
    assert len(parts) == len(TRACKS)
    for number, track in enumerate(TRACKS):
        notes = parts[track.program, track.is_drum].notes
        read = sorted((n.time, n.duration, n.pitch, n.velocity) for n in notes)
        assert read == in_ticks(number, back.ticks_per_quarter), track.name


@pytest.mark.slow
def test_music21_makes_a_score_of_it(path):
    """Names, programs, metre, key and tempi are those of the song, and come at their places."""
    pytest.importorskip("music21")
    from music21 import converter

    score: Any = converter.parse(path, format="midi", forceSource=True)
    assert [part.partName for part in score.parts] == [track.name for track in TRACKS]
    for number, (part, track) in enumerate(zip(score.parts, TRACKS, strict=True)):
        flat = part.flatten()
        if not track.is_drum:
            (player,) = flat.getElementsByClass("Instrument")
            assert player.midiProgram == track.program
            read = [(float(n.offset), n.pitch.midi, n.volume.velocity) for n in flat.notes]
            own = [(start / 480, pitch, loud) for start, _, pitch, loud in in_ticks(number, 480)]
            assert read == own, track.name
        (metre,) = flat.getElementsByClass("TimeSignature")
        assert (metre.offset, metre.ratioString) == (0, "3/4")
        (key,) = flat.getElementsByClass("KeySignature")
        assert (key.offset, key.sharps) == (0, 0)
        tempi = [(m.offset, m.number) for m in flat.getElementsByClass("MetronomeMark")]
        assert tempi == [(0, 96), (6, 140)]
