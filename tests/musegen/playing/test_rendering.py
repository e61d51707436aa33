"""Rendering: a MIDI file as it is played, note for note, to a sound file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command import run
from handmade import midi, name, note, program, tempo
from tones import pitch_of

from core.errors import UserError
from musegen.commands.group import MusicCommands
from musegen.files.audio import SAMPLE_RATE, decode
from musegen.files.midi import read_midi, read_performance
from musegen.files.song import SongOutput, write_song
from musegen.performance import Performance
from musegen.playing.orchestra import SOUNDFONT

SONG = midi(
    name("two tempi") + tempo(500_000) + tempo(1_000_000, after=960),
    program(73) + note(69, 480, after=480) + note(76, 240, after=480, velocity=50),
    note(36, 10, channel=10) + note(42, 10, after=230, channel=10) + note(46, 10, channel=10),
)
"""A flute's A4 from 0.5 s to 1 s, where the tempo changes from 120 to 60, and E5 from 2 to 2.5 s.

A kick at 0, hats at 0.25 s and just after it."""


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.mid"
    path.write_bytes(SONG)
    return path


def test_notes_are_read_in_seconds():
    played = read_performance(SONG)
    order = np.lexsort((played.start, played.track))
    assert played.start[order].tolist() == pytest.approx([0.5, 2.0, 0.0, 0.25, 0.260417], abs=1e-5)
    assert played.seconds[order][:2].tolist() == pytest.approx([0.5, 0.5])
    assert played.pitch[order].tolist() == [69, 76, 36, 42, 46]
    assert [track.name for track in played.tracks] == ["Strings", "Drums"]
    assert [track.program for track in played.tracks] == [73, 0]
    assert played.end == pytest.approx(2.5)


def test_a_roll_is_played_at_the_times_of_its_steps():
    roll = read_midi(SONG).roll()
    played = Performance.of(roll)
    steps = roll.notes.start.tolist()
    assert played.start.tolist() == pytest.approx([roll.seconds_at(step) for step in steps])
    ends = [roll.seconds_at(s) for s in (roll.notes.start + roll.notes.length).tolist()]
    assert (played.start + played.seconds).tolist() == pytest.approx(ends)
    assert set(played.pitch.tolist()) == {69, 76, 36, 42, 46}


def test_drums_ring_until_their_next_hit_and_the_hats_are_one():
    played = read_performance(SONG).ringing(2.0)
    length = dict(zip(played.pitch.tolist(), played.seconds.tolist(), strict=True))
    assert length[36] == 2.0 and length[46] == 2.0
    assert length[42] == pytest.approx(0.0104167, abs=1e-5)
    assert length[69] == pytest.approx(0.5), "others stay"


def test_a_song_is_rendered_with_each_note_at_its_time_and_pitch(song: Path, tmp_path: Path):
    to = tmp_path / "song.flac"
    assert run("music", "render", song, "--to", to) == (0, f"{to}\n", "")
    sound, rate = decode(to)
    assert rate == SAMPLE_RATE and sound.shape[0] == 2
    for begin, pitch in ((0.6, 69), (2.1, 76)):
        at = round(begin * rate)
        assert pitch_of(sound[:, at : at + rate // 5].mean(0), rate) == pytest.approx(
            pitch, abs=0.2
        )
    level = np.abs(sound).max(0)
    assert level[: round(0.1 * rate)].max() > 0.05, "the kick"
    rest = level[round(1.8 * rate) : round(1.995 * rate)].max()
    assert level[round(2.0 * rate) : round(2.1 * rate)].max() > 10 * rest


def test_drums_that_only_their_name_says_are_played_as_drums(tmp_path: Path):
    named = tmp_path / "named.mid"
    named.write_bytes(midi(name("Drum Kit") + 4 * note(38, 480), name("Keys") + note(60, 480)))
    code, _, error = run("music", "render", named, "--to", tmp_path / "named.wav")
    assert code == 0 and "are read by their names: 'Drum Kit' as drums" in error
    played = read_performance(named)
    assert [(track.name, track.is_drum) for track in played.tracks] == [
        ("Drums", True),
        ("Piano", False),
    ]


def test_a_voice_is_played_and_written_in_the_format_of_the_ending(song: Path, tmp_path: Path):
    plain, voiced = tmp_path / "plain.wav", tmp_path / "voiced.wav"
    assert run("music", "render", song, "--to", plain)[0] == 0
    voice = f"{SOUNDFONT}:trumpet"
    assert run("music", "render", song, "--to", voiced, "--voice", voice)[0] == 0
    one, other = (decode(path)[0] for path in (plain, voiced))
    assert not np.allclose(one[:, :100_000], other[:, :100_000], atol=0.01)
    before = voiced.read_bytes()
    assert run("music", "render", song, "--to", voiced, "--voice", voice)[0] == 0
    assert voiced.read_bytes() == before, "the same bytes are not another song"
    code, _, error = run("music", "render", song, "--to", voiced)
    assert code == 1 and "--overwrite" in error


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("--to", "sounds/"),
            "'sounds' names no file: a sound is written to one, as --to song.mp3",
        ),
        (("--to", "song.aac"), "sounds are not written as '.aac': there are wav, flac, mp3, ogg"),
        (("--soundfont", "none.sf2"), "there is no soundfont none.sf2: give an .sf2 file"),
        (("--voice", "none"), "none is no folder: give a run"),
        (("--voice", f"basso={SOUNDFONT}"), "no track is called 'basso'"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: tuple[str, ...], sentence: str, song: Path):
    code, out, error = run("music", "render", song, *arguments)
    assert code > 0 and out == ""
    assert sentence in error and error.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"no MIDI", SONG[:60], midi(name("no notes"))])
def test_a_broken_song_is_one_sentence(content: bytes, tmp_path: Path):
    path = tmp_path / "broken.mid"
    path.write_bytes(content)
    code, _, error = run("music", "render", path, "--to", tmp_path / "song.wav")
    assert code == 1 and error.startswith(f"error: {path}: ") and error.count("\n") == 1
    assert not (tmp_path / "song.wav").exists()


@pytest.mark.parametrize("command", [("sample",), ("vary", "1"), ("render", "song.mid")])
def test_a_voice_is_on_the_device_that_is_asked_for(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Its run is opened before anything is composed or played."""
    asked: list[tuple[object, ...]] = []

    def load(run: str, device: str = "auto") -> None:
        asked.append((run, device))
        raise UserError("enough")

    monkeypatch.setattr("musegen.voice.model.Model.load", load)
    options = ("--device", "cpu", "--voice", "bass=runs/reeds:3", "--to", tmp_path / "to.wav")
    assert run("music", *command, *options)[0] == 1
    assert asked == [("runs/reeds", "cpu")]


def test_songs_of_a_model_are_written_in_a_voice(tmp_path: Path):
    """With `music sample --voice`: the sound is in the voice, the MIDI file as it was."""
    roll = replace(read_midi(SONG).roll(), name="song")
    for folder, voices in (("plain", None), ("voiced", [f"{SOUNDFONT}:trumpet"])):
        to = MusicCommands().output(tmp_path / folder, "cpu", only="mid,wav", voice=voices)
        assert isinstance(to, SongOutput)
        to.require_tracks(roll.tracks)
        to.create()
        assert [path.suffix for path in write_song(roll, to)] == [".mid", ".wav"]
    plain, voiced = (tmp_path / folder / "song.mid" for folder in ("plain", "voiced"))
    assert plain.read_bytes() == voiced.read_bytes()
    one, other = (decode(path.with_suffix(".wav"))[0] for path in (plain, voiced))
    assert not np.allclose(one[:, :100_000], other[:, :100_000], atol=0.01)


def test_a_song_of_hours_is_not_played(tmp_path: Path):
    """2,000 beats of four seconds: its sound would take gigabytes of memory."""
    path, to = tmp_path / "long.mid", tmp_path / "long.wav"
    path.write_bytes(midi(tempo(4_000_000), note(60, 480 * 2000)))
    code, said, complaint = run("music", "render", path, "--to", to)
    assert (code, said) == (1, "") and not to.exists()
    assert complaint == (
        "error: the song lasts 2.2 hours, and at most 2 are played: cut it, or give it a faster "
        "tempo\n"
    )
