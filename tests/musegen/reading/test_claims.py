"""Parts of a file on the tracks that claim them."""

from pathlib import Path

import numpy as np
from handmade import midi, name, note, program
from note_rows import rows

from musegen.files.midi import read_midi
from musegen.reading.song import Song
from musegen.roll import Grid
from musegen.tracks import QUARTET, VOICES, Track, track_list

DRUMS, PIANO, GUITAR = range(3)


def test_parts_are_merged_by_family_and_drum_hits_are_one_step():
    song = read_midi(
        midi(
            program(30) + note(60, 480),
            program(25, 2) + note(60, 240, after=240, channel=2),
            program(33, 10) + note(36, 960, channel=10),
            program(120, 3) + note(50, 480, channel=3),
        )
    )
    assert rows(song.notes) == [(DRUMS, 0, 12, 1), (GUITAR, 0, 36, 6), (GUITAR, 6, 36, 6)]
    assert song.left_out.notes == 1


def test_tracks_by_channel():
    tracks = (Track(name="Two", channel=2), Track(name="Five", channel=5))
    data = midi(
        note(60, 480, channel=5) + note(61, 480, channel=1),
        note(62, 480, channel=2) + program(9, 5) + note(63, 480, channel=5),
    )
    song = read_midi(data, tracks)
    assert rows(song.notes) == [(0, 0, 38, 12), (1, 0, 36, 12), (1, 12, 39, 12)]
    assert song.notes.velocity.tolist() == [100, 100, 100]
    assert song.left_out.notes == 1


def test_tracks_by_name_order_and_rest():
    tracks = (
        Track(name="Rest", rest=True),
        Track(name="Solo", name_pattern="solo"),
        Track(name="First", order=0),
    )
    data = midi(*(name(n) + note(60 + i, 480) for i, n in enumerate(("a", "b", "the SOLO"))))
    song = read_midi(data, tracks)
    assert rows(song.notes) == [(0, 0, 37, 12), (1, 0, 38, 12), (2, 0, 36, 12)]


def test_a_name_in_no_known_alphabet_is_no_obstacle():
    raw = b"\x00\xff\x03\x03\xff\xfe\x80"
    assert len(read_midi(midi(raw + note(60, 480))).notes) == 1


def share(song: Song) -> list[float]:
    return (np.bincount(song.notes.track, minlength=len(song.tracks)) / len(song.notes)).tolist()


def test_chorales_are_four_voices(shared_data: Path):
    path = shared_data / "music" / "chorales" / "midi" / "test" / "000.mid"
    song = read_midi(path, VOICES, Grid(steps_per_beat=4))
    assert song.left_out.notes == 0
    assert all(voice > 0.15 for voice in share(song))
    by_voice = [song.notes.pitch[song.notes.track == n].mean() for n in range(4)]
    assert by_voice == sorted(by_voice, reverse=True)


def test_quartets_are_four_parts_in_any_metre(shared_data: Path):
    path = sorted((shared_data / "music" / "quartets" / "midi").glob("*.mid"))[3]
    song = read_midi(path, QUARTET, meter="any")
    assert song.left_out.notes == 0
    assert all(part > 0.1 for part in share(song))
    assert len(read_midi(path, QUARTET).stretches) > 1


def test_pop909_has_tracks_by_name(shared_data: Path, tmp_path: Path):
    (tmp_path / "pop.yaml").write_text(
        "tracks: [{name: Melody, name_pattern: melody}, {name: Bridge, name_pattern: bridge},"
        " {name: Piano, rest: true}]"
    )
    path = shared_data / "music" / "pop909" / "midi" / "001.mid"
    song = read_midi(path, track_list(str(tmp_path / "pop.yaml")), meter="any")
    assert song.left_out.notes == 0
    assert all(part > 0.02 for part in share(song))
