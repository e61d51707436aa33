"""Notes of a file on the grid: their times and pitches, and which files are refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from handmade import midi, name, note, number, program, signature, tempo
from hypothesis import given, settings
from hypothesis import strategies as st
from note_rows import rows
from peak import CODE

from core.data.sources import RejectedFile
from musegen.files.limits import MusicLimits
from musegen.files.midi import read_midi, read_performance
from musegen.reading.song import Song
from musegen.roll import Grid
from musegen.tracks import LAKH, Track

DRUMS, PIANO = range(2)
QUARTER = Grid(steps_per_beat=4, lowest_pitch=48, pitches=24)


def rejected(data: bytes, **options: object) -> str:
    with pytest.raises(RejectedFile) as caught:
        read_midi(data, **options)  # type: ignore[arg-type]
    assert caught.value.detail
    return caught.value.reason


def test_onsets_and_ends_go_to_the_nearest_step_and_a_note_lasts_at_least_one():
    # a step is 25 ticks: 37 -> 1, 97 -> 4; 138 -> 6, 139 -> 6; 587 -> 23
    track = note(60, 60, after=37) + note(62, 1, after=41) + note(64, 1, after=448)
    song = read_midi(midi(track, division=100), grid=QUARTER)
    assert rows(song.notes) == [(PIANO, 1, 12, 3), (PIANO, 6, 14, 1), (PIANO, 23, 16, 1)]
    assert song.bars == 2


def test_a_note_just_before_a_bar_line_starts_on_it():
    song = read_midi(midi(note(60, 10, after=395), division=100), grid=QUARTER)
    assert rows(song.notes) == [(PIANO, 16, 12, 1)]
    assert song.bars == 2


@pytest.mark.parametrize(
    ("steps_per_beat", "triplet", "swing", "sixteenths"),
    [
        (12, [0, 4, 8], [0, 8], [0, 3, 6, 9]),
        (24, [0, 8, 16], [0, 16], [0, 6, 12, 18]),
        (4, [0, 1, 3], [0, 3], [0, 1, 2, 3]),
    ],
)
def test_triplets_and_swing_survive_at_12_steps_a_beat(
    steps_per_beat: int, triplet: list[int], swing: list[int], sixteenths: list[int]
):
    def starts(*ticks: int) -> list[int]:
        gaps = np.diff([0, *ticks])
        track = b"".join(number(g) + b"\x90\x3c\x40\x00\x3c\x00" for g in gaps.tolist())
        song = read_midi(midi(track), grid=Grid(steps_per_beat=steps_per_beat))
        return song.notes.start.tolist()

    assert starts(0, 160, 320) == triplet
    assert starts(0, 320) == swing
    assert starts(0, 120, 240, 360) == sixteenths


def test_notes_out_of_the_range_are_dropped_and_counted():
    track = b"".join(note(pitch, 480) for pitch in (47, 48, 71, 72, 127))
    song = read_midi(midi(track), grid=QUARTER)
    assert song.notes.pitch.tolist() == [0, 23]
    assert song.left_out.notes == 3


def test_strikes_that_nothing_ends_are_notes():
    """Drums on beats 1 to 3 without an end, and a chord that the end of its track silences."""
    drums = b"".join(number(480 * (n > 0)) + b"\x99\x24\x50" for n in range(3))
    chord = b"\x00\x90\x3c\x50\x00\x40\x50" + number(960) + b"\xff\x01\x00"
    one = read_midi(midi(b"\x00\x90\x3c\x50" + number(960) + b"\xff\x01\x00"), grid=QUARTER)
    assert rows(one.notes) == [(PIANO, 0, 12, 8)]
    song = read_midi(midi(drums, chord), grid=QUARTER.replace(lowest_pitch=36, pitches=36))
    assert rows(song.notes) == [
        (DRUMS, 0, 0, 1),
        (PIANO, 0, 24, 8),
        (PIANO, 0, 28, 8),
        (DRUMS, 4, 0, 1),
        (DRUMS, 8, 0, 1),
    ]


@pytest.mark.parametrize(
    ("data", "options", "why"),
    [
        (midi(b""), {}, "no-notes"),
        (midi(program(120) + note(60, 480)), {}, "no-notes"),
        (midi(note(5, 480)), {}, "no-notes"),
        (midi(note(60, 480))[:-6], {}, "unreadable"),
        (midi(note(60, 480) * 3), {"limits": MusicLimits(notes=2)}, "too-many-notes"),
        (midi(note(60, 480) * 3), {"limits": MusicLimits(beats=2)}, "too-long"),
        (midi(note(60, 480) * 3), {"limits": MusicLimits(cells=35)}, "too-dense"),
        (midi(note(60, 0x0FFFFFFF)), {}, "too-long"),
        (midi(note(60, 9_900_000), division=1), {}, "too-long"),
        (midi((number(0x0FFFFFFF) + b"\xb0\x01\x01") * 16 + note(60, 480)), {}, "too-long"),
        (midi(note(60, 480), number(0x0FFEFFFF) + signature(4, 2)[1:]), {}, "too-long"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_reason(
    data: bytes, options: dict[str, object], why: str
):
    assert rejected(data, **options) == why


PARTED = number(0) + b"\xf0\x03\x7e\x01\xf7" + number(0) + b"\xf4" + number(480) + b"\xfd"


def test_notes_are_found_past_system_messages_and_running_status_survives_them():
    """C, then messages that make no sound, then D by running status, a beat later."""
    track = b"\x00\x90\x3c\x64" + number(480) + b"\x3c\x00" + PARTED
    track += b"\x00\x3e\x64" + number(480) + b"\x3e\x00"
    song = read_midi(midi(track), grid=QUARTER)
    assert rows(song.notes) == [(PIANO, 0, 12, 4), (PIANO, 8, 14, 4)]


def test_limits_are_what_is_still_allowed():
    limits = MusicLimits(notes=3, beats=3, cells=36)
    assert len(read_midi(midi(note(60, 480) * 3), limits=limits).notes) == 3


READ_ALL = (
    CODE
    + """
from core.data.sources import RejectedFile
from musegen.files.midi import read_midi
for path in sorted(Path(sys.argv[1]).rglob("*.mid")):
    try:
        print(path.name, len(read_midi(path).roll().cells) and "kept", sep=":")
    except RejectedFile as error:
        print(path.name, error.reason, sep=":")
print("MB", round(peak_mb()), sep=":")
"""
)


def read_all(folder: Path) -> dict[str, str]:
    """Read each file of a folder; return its result and the peak memory of the process."""
    command = [sys.executable, "-c", READ_ALL, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return dict(line.rsplit(":", 1) for line in done.stdout.splitlines())


def test_no_file_of_a_few_bytes_takes_much_memory(tmp_path: Path):
    bombs = {
        "delta": midi(note(60, 0x0FFFFFFF), division=480),
        "deltas": midi(note(60, 0x0FFFFFFF) * 8),
        "tpq1": midi(note(60, 9_900_000), division=1),
        "all-pitches": midi(
            b"".join(b"\x00\x90" + bytes([p, 1]) for p in range(128))
            + number(19_999)
            + b"".join(b"\x00\x80" + bytes([p, 1]) for p in range(128))[1:],
            division=1,
        ),
        "long": midi(note(60, 19_999), division=1),
        "events": midi(b"\x00\x90\x3c\x40" + b"\x00\x3c\x40" * 2_600_000),
        "signatures": midi(signature(4, 2, after=1) * 900_000 + note(60, 480)),
    }
    for title, data in bombs.items():
        (tmp_path / f"{title}.mid").write_bytes(data)
    ends = read_all(tmp_path)
    assert int(ends.pop("MB")) < 300
    assert ends == {
        "delta.mid": "too-long",
        "deltas.mid": "too-long",
        "tpq1.mid": "too-long",
        "all-pitches.mid": "too-dense",
        "long.mid": "kept",
        "events.mid": "too-many-notes",
        "signatures.mid": "kept",
    }


def test_odd_files_end_as_kept_or_with_a_reason(shared_data: Path):
    ends = read_all(shared_data / "music" / "odd")
    assert int(ends.pop("MB")) < 300
    assert len(ends) == 99
    expected = {
        "riff_rmid.mid": "kept",
        "junk_before_header.mid": "kept",
        "junk_after_tracks.mid": "kept",
        "unknown_chunk_between.mid": "kept",
        "header_says_2_has_1.mid": "kept",
        "no_end_of_track.mid": "kept",
        "simutrans-05-keysig-mode255.mid": "kept",
        "freedoom-program230-low.mid": "kept",
        "test-vlq-4-byte.mid": "kept",
        "tempo_zero.mid": "kept",
        "huge_delta_x40.mid": "too-long",
        "type2_two_sequences.mid": "format",
        "smpte_division_25fps_40.mid": "kept",
        "not_midi_html.mid": "not-midi",
        "zero_bytes.mid": "empty-file",
        "header_only.mid": "no-notes",
    }
    assert {key: ends[key] for key in expected} == expected
    assert sum(end == "kept" for end in ends.values()) > 50


def placed(song: Song) -> list[tuple[int, ...]]:
    """Step, pitch and length of each note."""
    pitch = (song.notes.pitch + song.grid.lowest_pitch).tolist()
    return list(zip(song.notes.start.tolist(), pitch, song.notes.length.tolist(), strict=True))


FRAMES_25, TICKS_40 = 256 - 25 << 8, 40


def test_times_in_frames_are_beats_at_120_a_minute_where_no_tempo_says_where_they_are():
    """25 frames of 40 ticks a second: a tick is a millisecond, and a beat half a second."""
    file = midi(note(60, 500) + note(62, 250, after=500), division=FRAMES_25 | TICKS_40)
    song = read_midi(file, grid=QUARTER)
    assert placed(song) == [(0, 60, 4), (8, 62, 2)]
    assert (song.tempo_bpm == 120).all() and not song.counting.has_beats
    assert "beats are taken at 120 a minute" in song.remarks[-1]
    played = read_performance(file)
    assert played.start.tolist() == [0, 1] and played.seconds.tolist() == [0.5, 0.25]


def test_times_in_frames_are_in_the_beats_of_their_tempi():
    """A beat a second for two seconds, then four a second; NTSC has 30000 frames in 1001 s."""
    whole = tempo(1_000_000) + tempo(250_000, after=2000) + note(60, 250, after=1000)
    song = read_midi(midi(whole, division=FRAMES_25 | TICKS_40), grid=QUARTER)
    assert placed(song) == [(4 * 6, 60, 4)]
    assert song.tempo_bpm == pytest.approx([240 / 2.5, 240]) and song.counting.has_beats
    assert not song.remarks
    ntsc = midi(tempo(500_000) + note(60, 30_000, after=30_000), division=256 - 29 << 8 | 100)
    played = read_performance(ntsc)
    assert [*played.start, *played.seconds] == pytest.approx([10.01, 10.01], abs=1e-4)


@given(st.data())
@settings(max_examples=300)
def test_a_damaged_file_is_read_or_refused_and_nothing_else(data: st.DataObject):
    whole = midi(
        name("x") + tempo(500_000) + signature(3, 2) + signature(4, 2, after=1440),
        program(30) + note(60, 480) + note(61, 20_000, after=300, channel=10),
    )
    place = st.integers(0, len(whole) - 1)
    changes = data.draw(st.lists(st.tuples(place, st.integers(0, 255)), max_size=6))
    damaged = bytearray(whole[: data.draw(st.integers(len(whole) // 2, len(whole)))])
    for at, value in changes:
        damaged[min(at, len(damaged) - 1)] = value
    try:
        song = read_midi(bytes(damaged), (*LAKH[:2], Track(name="Two", channel=2)))
    except RejectedFile as error:
        assert error.reason and error.detail
    else:
        assert len(song.notes) >= 1
        assert song.roll().cells.any()
