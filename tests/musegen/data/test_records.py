"""Reading a source in a child process: its record, and the memory that it takes."""

from pathlib import Path

import pytest
from handmade import midi, name, note, number, program, signature
from peak import peak_mb
from pydantic import ValidationError
from tunes import FOUR_BARS, tune

from core.data.sources import Source, expand_patterns, iterate_sources
from core.data.workers import Failure, map_in_processes
from musegen.data.records import PrepareConfig, SongRecord, read_source
from musegen.files.limits import MusicLimits
from musegen.smf.chunks import MIDI
from musegen.tracks import PIANO, QUARTET

BOMBS = {
    "one-late-note.mid": midi(note(60, 480, after=0x0FFFFFFF)),
    "eight-late-notes.mid": midi(8 * note(60, 480, after=0x0FFFFFFF)),
    "one-endless-note.mid": midi(note(60, 0x0FFFFFFF)),
    "one-tick-a-beat.mid": midi(note(60, 1, after=9_900_000), division=1),
    "no-tick-a-beat.mid": midi(note(60, 480), division=0),
    "many-notes.mid": midi(300_000 * note(60, 1)),
    "every-pitch-for-hours.mid": midi(
        b"".join(number(0) + bytes([0x90, pitch, 9]) for pitch in range(24, 108))
        + b"".join(
            number(480 * 19_000 * (pitch == 24)) + bytes([0x80, pitch, 0])
            for pitch in range(24, 108)
        )
    ),
}


def read(data: bytes, **settings: object) -> SongRecord | Failure:
    """Read the bytes of a member of an archive."""
    config = PrepareConfig.model_validate({**FOUR_BARS.model_dump(), **settings})
    return read_source(Source("songs.zip!a.mid", "", data), config)


def test_a_song_is_packed_with_its_phrases():
    packed = read(tune(1, bars=6))
    assert isinstance(packed, SongRecord)
    assert packed.name == "a"
    assert packed.phrases.tolist() == [0, 1, 2]
    assert packed.tempo_bpm.tolist() == 6 * [120.0]
    assert packed.facts["bars"] == 6


def test_phrases_are_where_enough_tracks_sound():
    """Bass in bars 0-5, guitar in 2-3, of phrases of two bars with two tracks: from 1, 2 and 3."""
    bass = bytes([0, 0xC0, 33]) + 24 * note(40, 480)
    guitar = (
        bytes([0, 0xC1, 24])
        + note(60, 960, after=8 * 480, channel=2)
        + note(60, 9, after=960, channel=2)
    )
    packed = read(midi(bass, guitar), bars=2, min_tracks=2)
    assert isinstance(packed, SongRecord)
    assert packed.phrases.tolist() == [1, 2, 3]
    every_other = read(midi(bass, guitar), bars=2, min_tracks=2, hop=2)
    assert isinstance(every_other, SongRecord)
    assert every_other.phrases.tolist() == [2]


@pytest.mark.parametrize(
    "settings",
    [
        {"grid": {"beats_per_bar": 6000}},
        {"tracks": []},
        {"tracks": 256 * [{"name": "x", "rest": True}]},
        {"bars": 0},
        {"test_share": 1.0},
        {"seed": -1},
    ],
)
def test_what_cannot_be_stored_or_split_is_refused(settings: dict[str, object]):
    with pytest.raises(ValidationError):
        PrepareConfig.model_validate(settings)


def test_the_content_is_of_the_notes_alone():
    song, renamed = read(tune(1)), read(tune(1).replace(b"tune", b"name"))
    other = read(tune(1, up=1))
    assert isinstance(song, SongRecord)
    assert isinstance(renamed, SongRecord)
    assert isinstance(other, SongRecord)
    assert song.content == renamed.content != other.content


def test_the_same_notes_played_louder_are_the_same_song():
    soft, loud = (read(midi(8 * note(60, 960, velocity=v)), min_tracks=1) for v in (40, 90))
    assert isinstance(soft, SongRecord)
    assert isinstance(loud, SongRecord)
    assert (soft.columns["velocity"][0], loud.columns["velocity"][0]) == (40, 90)
    assert soft.content == loud.content


def test_the_reason_of_a_rejection_names_what_is_missing():
    assert why(read(tune(8, parts=2))) == "only 2 tracks sound: --min-tracks 2"
    assert why(read(tune(8, bars=3))) == "only 3 successive bars in the metre: --bars 3"
    assert (
        why(read(tune(8, bars=1))) == "no 2 successive bars in the metre: too short for a phrase"
    )


def test_the_reason_names_the_metre_of_most_bars_where_few_are_in_the_grids():
    """A bar of 4/4 before 19 of 3/4; then 4/4 and 3/4 by turns, each after each."""
    waltz = midi(signature(4, 2) + signature(3, 2, after=1920), program(33) + 60 * note(40, 480))
    assert why(read(waltz)) == "few bars are in the metre, most are in 3/4: --meter 3/4"
    turns = signature(4, 2) + 9 * (signature(3, 2, after=1920) + signature(4, 2, after=1440))
    march = midi(turns + signature(3, 2, after=1920), program(33) + 70 * note(40, 480))
    assert why(read(march)) == (
        "few bars are in the metre, and several metres change about: --meter any"
    )
    assert isinstance(read(waltz, grid={"beats_per_bar": 3}, min_tracks=1), SongRecord)


def test_the_reason_names_the_track_list_that_suits_the_file():
    """Four strings, two hands at a piano, one guitar."""
    strings = [program(p, n) + 16 * note(60, 480, channel=n) for n, p in QUARTET_PROGRAMS]
    assert why(read(midi(*strings))) == "only 1 track sounds: --tracks quartet"
    voices = [name(n) + 16 * note(60, 480) for n in ("Tenor", "Alto", "Bass", "Soprano")]
    assert why(read(midi(*voices))) == "only 1 track sounds: --tracks voices"
    hands = midi(16 * note(60, 480), 16 * note(40, 480, channel=2))
    assert why(read(hands)) == "only 1 track sounds: --tracks piano"
    guitar = midi(program(24) + 16 * note(60, 480))
    assert why(read(guitar)) == "only 1 track sounds: --min-tracks 1"
    daw = midi(*(name(n) + 16 * note(60, 480) for n in ("Kick", "808 Bass", "Keys")))
    assert why(read(daw)) == (
        "only 1 track sounds, as parts have names alone: --tracks mine.yaml, see docs/tracks.md"
    )
    named = [{"name": n, "name_pattern": n} for n in ("kick", "bass", "keys")]
    assert isinstance(read(daw, tracks=named), SongRecord)
    listed = read(hands, tracks=[t.model_dump() for t in PIANO])
    assert isinstance(listed, SongRecord)
    assert set(listed.columns["pitch"].tolist()) == {60 - 24, 40 - 24}
    quartet = read(midi(*strings), tracks=[t.model_dump() for t in QUARTET])
    assert isinstance(quartet, SongRecord)


QUARTET_PROGRAMS = ((1, 41), (2, 40), (3, 42), (4, 40))


def why(result: SongRecord | Failure) -> str:
    """The detail of a file without phrases."""
    assert isinstance(result, Failure)
    assert result.reason == "no-phrase"
    return result.detail


def read_within(source: object) -> tuple[str, float]:
    """Return "kept" or the reason for rejecting a source, and its process's peak memory in MB."""
    record = read_source(source, PrepareConfig(bars=4, min_tracks=1))  # type: ignore[arg-type]
    return getattr(record, "reason", "kept"), peak_mb()


def memory_of_readers(folder: Path) -> dict[str, tuple[str, float]]:
    """Read each file in a process of its own: see `read_within`."""
    results = {}
    for source in iterate_sources(expand_patterns([str(folder)]), MIDI, MusicLimits()):
        [(_, answer)] = map_in_processes(read_within, [source], 1, seconds=30, memory_mb=300)
        results[Path(source.name).name] = answer
    return results


def test_bombs_are_defused_in_little_memory(tmp_path: Path):
    for title, data in BOMBS.items():
        (tmp_path / title).write_bytes(data)
    results = memory_of_readers(tmp_path)
    assert set(results) == set(BOMBS)
    reasons = {reason for reason, _ in results.values()}
    assert not reasons & {"kept", "crash", "time"}
    assert max(peak for _, peak in results.values()) < 300


@pytest.mark.slow
def test_readers_of_odd_files_hold_little_memory(shared_data: Path):
    results = memory_of_readers(shared_data / "music" / "odd")
    assert max(peak for _, peak in results.values()) < 300


def test_the_pedal_and_a_pickup_reach_the_reader():
    """A pedal down for 9 beats, and D at the first, which a pickup leaves out."""
    sustained = b"\x00\xb0\x40\x7f" + 9 * note(60, 480) + b"\x00\xb0\x40\x00"
    long = midi(sustained, note(62, 9) + 8 * note(64, 480, after=471))
    packed = [
        read(long, bars=2, min_tracks=1, **settings)
        for settings in ({}, {"pedal": False}, {"pickup_beats": 1.0})
    ]
    lengths = []
    for record in packed:
        assert isinstance(record, SongRecord)
        lengths.append(record.columns["length"][record.columns["pitch"] == 62 - 24].tolist())
    assert lengths == [[48, 48, 12], [1], []]
