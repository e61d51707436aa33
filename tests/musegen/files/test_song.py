"""The files of a song: formats, stems, sounds, and what happens where a name is taken."""

import io
import wave
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pretty_midi
import pytest
from note_rows import notes, rows

from core.app.output import read_formats
from core.errors import ConfigError, UserError
from musegen.files.label import Label
from musegen.files.midi import read_midi, write_midi
from musegen.files.pianoroll import write_lpd
from musegen.files.picture import draw_phrases, draw_roll
from musegen.files.song import FORMATS, SongOutput, write_song
from musegen.files.sound import Session
from musegen.roll import Grid, Roll
from musegen.tracks import LAKH

GRID = Grid(steps_per_beat=4)
LABEL = Label.of("mine", 7, 2, bars=2)


def song(pitch: int = 40) -> Roll:
    """Two bars of kick and hat, a held piano chord and a bass; guitar and strings rest."""
    drums = [(0, step, pitch, 1) for step in range(0, 32, 4) for pitch in (12, 18)]
    chord = [(1, 0, n, 24) for n in (pitch, pitch + 4, pitch + 7)]
    bass = [(3, step, 12, 8) for step in range(0, 32, 8)]
    return LABEL.on(Roll.of(notes(*drums, *chord, *bass), LAKH, GRID, np.array([90.0, 110.0])))


def written(roll: Roll, to: SongOutput) -> list[str]:
    to.folder.mkdir(exist_ok=True)
    return [str(path.relative_to(to.folder)) for path in write_song(roll, to)]


def test_a_song_is_named_by_model_seed_and_number_and_says_how_to_repeat_it():
    label = Label.of("lookback_rnn", 7, 3, bars=16, temperature=0.9, form="", tempo=None)
    assert label.name == "lookback_rnn-seed7-3"
    by, _, how = label.origin.partition(": ")
    assert by.startswith("made with pianoreel ")
    assert how == "lookback_rnn, seed 7, song 3, bars 16, temperature 0.9"


def test_formats_are_those_that_are_named(tmp_path: Path):
    for text in ("mid", "png,mid", "flac, .OGG", "wav,mp3,npz"):
        formats = read_formats([text], FORMATS, "songs")
        kinds = [part.strip().lower().removeprefix(".") for part in text.split(",")]
        to = SongOutput(tmp_path / kinds[0], formats)
        assert written(song(), to) == [f"mine-seed7-2.{kind}" for kind in kinds]
    assert read_formats(["mid, png,"], FORMATS, "songs") == ("mid", "png")
    with pytest.raises(ConfigError, match="written as ''"):
        read_formats([""], FORMATS, "songs")
    with pytest.raises(ConfigError, match="'mp5': did you mean 'mp3'") as caught:
        read_formats(["mid,mp5"], FORMATS, "songs")
    assert all(kind in str(caught.value) for kind in ("mid", "png", "wav", "flac", "ogg", "npz"))


def test_pictures_are_wanted_where_png_is_a_format():
    assert SongOutput(Path("a")).has_pictures
    assert not SongOutput(Path("a"), ("mid",)).has_pictures


def samples_in(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2).astype(int)


def test_stems_are_the_tracks_that_sound_and_add_up_to_the_song(tmp_path: Path):
    """Each of four files of 16 bits is rounded: by at most 2 in 32767 the sum is another."""
    paths = written(song(), SongOutput(tmp_path, ("mid", "wav"), stems=True))
    stems = [
        f"mine-seed7-2-stems/{n}.{k}" for n in ("drums", "piano", "bass") for k in ("mid", "wav")
    ]
    assert paths == ["mine-seed7-2.mid", "mine-seed7-2.wav", *stems]
    mix = samples_in(tmp_path / "mine-seed7-2.wav")
    alone = [samples_in(tmp_path / path) for path in stems if path.endswith("wav")]
    assert np.abs(sum(alone) - mix).max() <= 2
    assert np.abs(mix).max() > 10_000
    loudness = [np.abs(one).max() for one in alone]
    assert min(loudness) > 500 and len(set(loudness)) == 3


def test_stems_have_the_gain_of_the_song_and_not_one_of_their_own():
    """The song's gain makes its own peak -1 dBFS; each stem's would make it much louder."""
    session = Session(song())
    stems = [session.stem(number) for number in (0, 1, 3)]
    np.testing.assert_allclose(sum(stems), session.mix, atol=1e-6)
    assert not session.stem(2).any() and not session.stem(4).any()
    mixed = np.abs(session.mix).max()
    assert sum(np.abs(stem).max() for stem in stems) >= mixed
    assert all(np.abs(stem).max() < mixed for stem in stems)


def test_midi_stems_hold_one_track_each_of_the_songs_notes_and_tempi(tmp_path: Path):
    written(song(), SongOutput(tmp_path, ("mid",), stems=True))
    whole = read_midi(tmp_path / "mine-seed7-2.mid", grid=GRID)
    found = []
    for name in ("drums", "piano", "bass"):
        stem = read_midi(tmp_path / "mine-seed7-2-stems" / f"{name}.mid", grid=GRID)
        np.testing.assert_allclose(stem.tempo_bpm, [90, 110], rtol=1e-5)
        assert len(set(stem.notes.track.tolist())) == 1
        found += rows(stem.notes)
    assert sorted(found) == sorted(rows(whole.notes)) == sorted(rows(song().notes))


def test_other_sounds_are_in_the_midi_and_in_the_sound(tmp_path: Path):
    def bytes_of(programs: Mapping[str, str]) -> tuple[list[int], bytes]:
        to = SongOutput(tmp_path, ("mid", "wav"), programs=programs, overwrite=True)
        written(song(), to)
        midi = pretty_midi.PrettyMIDI(str(tmp_path / "mine-seed7-2.mid"))
        return [int(p.program) for p in midi.instruments], (
            tmp_path / "mine-seed7-2.wav"
        ).read_bytes()

    usual, piano, kit = (bytes_of(p) for p in ({}, {"piano": "organ"}, {"drums": "tr-808"}))
    assert (usual[0], piano[0], kit[0]) == ([0, 0, 33], [0, 16, 33], [25, 0, 33])
    assert len({usual[1], piano[1], kit[1]}) == 3


def test_a_song_of_that_name_is_not_overwritten_unasked(tmp_path: Path):
    to = SongOutput(tmp_path, ("mid", "png", "npz"))
    assert written(song(), to) == written(song(), to), "the same song can be written again"
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(UserError, match=r"mine-seed7-2.mid is there and holds another song"):
        written(song(pitch=50), to)
    with pytest.raises(UserError, match=r"mine-seed7-2.png .* another --to, or --overwrite"):
        written(song(pitch=50), SongOutput(tmp_path, ("png",)))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    written(song(pitch=50), replace(to, overwrite=True))
    assert (tmp_path / "mine-seed7-2.mid").read_bytes() != before["mine-seed7-2.mid"]


def test_a_taken_name_is_known_before_the_song_is_sampled(tmp_path: Path):
    to = SongOutput(tmp_path, ("mid",))
    to.require_free(LABEL)
    written(song(), to)
    to.require_free(LABEL)
    for other in (LABEL._replace(origin="another"), Label.of("mine", 7, 2, bars=3)):
        with pytest.raises(UserError, match="holds another song"):
            to.require_free(other)
        replace(to, overwrite=True).require_free(other)
    to.require_free(Label.of("mine", 8, 2, bars=2))


@pytest.mark.parametrize("kind", ["mid", "flac", "mp3", "ogg"])
def test_a_name_with_other_sounds_is_known_before_the_song_is_sampled(tmp_path: Path, kind: str):
    to = SongOutput(tmp_path, (kind,), programs={"bass": "38"})
    written(song(), to)
    to.require_free(LABEL)
    for other in (
        SongOutput(tmp_path, (kind,)),
        replace(to, programs={"bass": "39"}),
        replace(to, players=("bass=runs/voice",)),
    ):
        with pytest.raises(UserError, match="holds another song"):
            other.require_free(LABEL)
        replace(other, overwrite=True).require_free(LABEL)


def test_a_song_with_other_sounds_can_lie_beside_its_midi_file(tmp_path: Path):
    written(song(), SongOutput(tmp_path, ("mid",)))
    to = SongOutput(tmp_path, ("flac",), programs={"bass": "38"})
    to.require_free(LABEL)
    with pytest.raises(UserError, match="holds another song"):
        to.require_free(Label.of("mine", 7, 2, bars=3))


def test_a_program_for_a_track_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="no track is called 'tuba'"):
        SongOutput(tmp_path, programs={"tuba": "3"}).require_tracks(LAKH)


def test_a_silent_song_is_written_in_every_format(tmp_path: Path):
    silent = Roll.of(notes(), LAKH, GRID, np.array([120.0]), "rest")
    formats = FORMATS
    paths = written(silent, SongOutput(tmp_path, formats, stems=True))
    assert paths == [f"rest.{kind}" for kind in formats]
    with wave.open(io.BytesIO((tmp_path / "rest.wav").read_bytes())) as file:
        assert file.getnchannels() == 2


@pytest.mark.parametrize(
    "write", [write_midi, write_lpd, draw_roll, lambda r, to: draw_phrases([r], to)]
)
def test_a_folder_that_is_not_there_is_named_whatever_is_written(write: Any, tmp_path: Path):
    with pytest.raises(UserError, match=f"no folder {tmp_path / 'none'}: create it first"):
        write(song(), tmp_path / "none" / "a")
    write(song(), tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
