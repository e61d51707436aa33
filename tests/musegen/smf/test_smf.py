"""The bytes of a MIDI file: what is refused, and why."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from handmade import END, meta, midi, name, note, number, program
from hypothesis import given
from hypothesis import strategies as st

from core.data.sources import RejectedFile
from musegen.files.limits import MusicLimits
from musegen.files.midi import read_midi
from musegen.smf.chunks import midi_bytes
from musegen.smf.events import Events, check_events, scan, signatures, tempi
from musegen.smf.walk import Walk
from musegen.smf.writing import with_ports

LIMITS = MusicLimits()
PLAIN = midi(note(60, 480))


def reason(data: bytes | Path, limits: MusicLimits = LIMITS) -> str:
    with pytest.raises(RejectedFile) as caught:
        midi_bytes(data, limits)
    assert caught.value.detail
    return caught.value.reason


def columns(of: Events) -> list[tuple[int, ...]]:
    """(track, tick, status) of each event."""
    return list(zip(of.track.tolist(), of.tick.tolist(), of.status.tolist(), strict=True))


def header(kind: int = 0, division: int = 480) -> bytes:
    return b"MThd" + struct.pack(">IHHH", 6, kind, 1, division) + PLAIN[14:]


def test_a_plain_file_is_taken_as_it_is():
    assert midi_bytes(PLAIN, LIMITS) == PLAIN


def test_wrong_lengths_and_numbers_of_tracks_are_corrected():
    two = midi(note(60, 480), note(62, 480))
    last = two.rindex(b"MTrk")
    lying = two[:10] + b"\xff\xff" + two[12:last] + b"XFKM\x00\x00\x00\x02ab"
    lying += b"MTrk\x7f\xff\xff\xff" + two[last + 8 :]
    assert midi_bytes(lying, LIMITS) == two
    longer = two[: last + 4] + b"\x01" + two[last + 5 :]  # by 16 MB than the file
    assert midi_bytes(longer + b"after", LIMITS)[last + 8 :] == two[last + 8 :] + b"after"


def test_a_wrapper_or_junk_before_the_header_is_cut_off():
    chunk = b"RMIDdata" + struct.pack("<I", len(PLAIN)) + PLAIN
    riff = b"RIFF" + struct.pack("<I", len(chunk)) + chunk
    assert midi_bytes(riff, LIMITS) == PLAIN
    assert midi_bytes(b"\x00" * 128 + PLAIN, LIMITS) == PLAIN


@pytest.mark.parametrize("length", [14, 21])
def test_a_file_that_ends_after_its_header_is_called_so(length: int):
    with pytest.raises(RejectedFile, match="the file ends after its MIDI header: copy the file"):
        midi_bytes(midi(note(60, 480))[:length], LIMITS)


def wrapped(*chunks: tuple[bytes, bytes]) -> bytes:
    """A RIFF of chunks, each padded to an even length."""
    body = b"RMID"
    for kind, data in chunks:
        body += kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_a_wrapper_holds_more_than_the_file():
    """A long text and a picture of odd length before it, and after it instruments with a track."""
    before = (b"LIST", b"INFO" + bytes(9000)), (b"DISP", bytes(5001))
    instruments = (b"RIFF", b"DLS " + PLAIN[14:])
    assert midi_bytes(wrapped(*before, (b"data", PLAIN), instruments), LIMITS) == PLAIN
    assert reason(wrapped(*before)) == "not-midi"
    assert reason(wrapped(*before)[:-3]) == "not-midi"


def test_a_wrapper_whose_writer_was_broken_off_has_its_file():
    riff = wrapped((b"data", PLAIN))
    assert midi_bytes(riff[:16] + bytes(4) + riff[20:], LIMITS) == PLAIN


def test_what_gzip_has_packed_is_read(tmp_path: Path):
    packed = gzip.compress(PLAIN)
    (tmp_path / "a.mid").write_bytes(packed)
    assert midi_bytes(tmp_path / "a.mid", LIMITS) == midi_bytes(packed, LIMITS) == PLAIN
    (tmp_path / "a.mid.gz").write_bytes(gzip.compress(midi(note(60, 480))))
    assert read_midi(tmp_path / "a.mid.gz").name == "a"


@pytest.mark.parametrize(
    ("data", "cure"),
    [
        (b"\n<!DOCTYPE html><html>", "it is a web page in place of the file: download"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "run git lfs pull"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "it is a recording of sound, .* transcribe it"),
        (b"ID3\x03\0", "transcribe it"),
        (b"\0\0\0\x20ftypM4A ", "transcribe it"),
        (b"Rar!\x1a\x07", "it is an archive: unpack it"),
        (b"MUS\x1a\0\0", "convert it to MIDI"),
        (b"MMMD\0\0\1\0CNTI", "a ringtone of a phone: convert it to MIDI"),
        (b"BEGIN:IMELODY\r\nVERSION:1.2\r\n", "a ringtone"),
        (b"Axel F:d=4,o=5,b=125:16g,8p", "a ringtone"),
        (b"FORM\0\0\0\x0eXDIRINFO", "convert it to MIDI"),
        (b"<?xml version='1.0'?>\n<museScore version='4'>", "a score of MuseScore.* export it"),
        (b"X:1\nT:Tune\nK:C\n", "in ABC notation .*: export it as MusicXML or MIDI"),
        (b"\xef\xbb\xbf%abc-2.1\r\n% a tune\r\n\r\nX: 1\r\n", "in ABC notation"),
        (b'% a song\n\\version "2.24.0"\n{ c d }', "of LilyPond: export it"),
        (b"<?xml version='1.0'?>\n<mei xmlns='http://www.music-encoding.org/ns/mei'>", "in MEI"),
        (b"!!!COM: Bach\n**kern\n*M4/4\n", "in kern .*: export it"),
        (b"\x18FICHIER GUITAR PRO v5.10", "of Guitar Pro: export it"),
        (b"% " * 2000 + b"hello", "no MIDI header"),
        (b"hello", r"no MIDI header \(MThd\) at its beginning: export it"),
    ],
)
def test_other_files_under_the_names_of_songs_are_called_what_they_are(data: bytes, cure: str):
    with pytest.raises(RejectedFile, match=cure) as caught:
        midi_bytes(data, LIMITS)
    assert caught.value.reason == "not-midi"


@pytest.mark.parametrize("off_by", [1, 4, 20, 2**31])
def test_a_track_ends_where_the_next_begins_whatever_its_length(off_by: int):
    three = midi(note(60, 480), note(62, 480), note(64, 480))
    at = three.index(b"MTrk", 20) + 4
    length = int.from_bytes(three[at : at + 4], "big") + off_by
    lying = three[:at] + struct.pack(">I", length) + three[at + 4 :]
    assert midi_bytes(lying, LIMITS) == three


def test_a_length_of_0_is_of_a_writer_that_was_broken_off_or_of_an_empty_track():
    two = midi(note(60, 480), note(62, 480))
    for at in (two.index(b"MTrk") + 4, two.rindex(b"MTrk") + 4):
        assert midi_bytes(two[:at] + bytes(4) + two[at + 4 :], LIMITS) == two
    empty = two[:14] + b"MTrk" + bytes(4)
    assert midi_bytes(empty + two[14:], LIMITS)[14:] == (empty + two[14:])[14:]
    assert midi_bytes(two + b"MTrk" + bytes(4) + b"junk", LIMITS)[14:] == two[14:] + empty[14:]


def test_a_second_file_behind_the_first_is_another_song():
    assert midi_bytes(PLAIN + b"\0\0" + PLAIN, LIMITS) == PLAIN
    title = midi(meta(0x03, b"MThd") + note(60, 480), note(62, 480))
    assert midi_bytes(title, LIMITS) == title


def test_one_track_is_one_song_in_the_format_of_several_songs_too():
    assert midi_bytes(header(kind=2), LIMITS) == header(kind=0)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty-file"),
        (b"<html>", "not-midi"),
        (b"MThd\x00\x00", "unreadable"),
        (PLAIN[:13], "unreadable"),
        (b" " * 5000 + PLAIN, "not-midi"),
        (header(kind=2) + PLAIN[14:], "format"),
        (header(kind=3), "format"),
        (header(division=0), "division"),
        (header(division=0xE700), "division"),
        (header(division=0x8028), "smpte"),
    ],
)
def test_what_cannot_be_read_is_refused(data: bytes, why: str):
    assert reason(data) == why


def test_large_files_are_refused_before_they_are_read(tmp_path: Path):
    few = MusicLimits(file_bytes=len(PLAIN) - 1)
    path = tmp_path / "a.mid"
    path.write_bytes(PLAIN)
    assert reason(PLAIN, few) == reason(path, few) == "too-large"
    assert midi_bytes(path, MusicLimits(file_bytes=len(PLAIN))) == PLAIN


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path):
    assert reason(tmp_path / "none.mid") == reason(tmp_path) == "unreadable"


def test_events_are_walked_with_running_status_and_over_texts():
    first = name("a\x7f") + b"\x81\x48\x92\x3c\x40" + b"\x10\x3e\x41" + b"\x05\xf0\x02\x01\xf7"
    found = scan(midi(first, b"\x03\xc1\x07" + note(50, 300, channel=2)))
    assert columns(found) == [
        (0, 0, 0xFF),
        (0, 200, 0x92),
        (0, 216, 0x92),
        (0, 221, 0xF0),
        (0, 221, 0xFF),
        (1, 3, 0xC1),
        (1, 3, 0x91),
        (1, 303, 0x81),
        (1, 303, 0xFF),
    ]
    assert found.byte(0, np.array([1, 2, 5, 6])).tolist() == [0x3C, 0x3E, 7, 50]
    assert (found.payload(0), found.payload(3)) == (b"a\x7f", b"\x01\xf7")


def test_running_status_ends_at_no_text_and_never_crosses_tracks():
    found = scan(midi(b"\x00\xc5\x07" + name("x") + b"\x02\x08", b"\x04\x3c\x40"))
    assert columns(found)[:3] == [(0, 0, 0xC5), (0, 0, 0xFF), (0, 2, 0xC5)]
    assert columns(found)[4] == (1, 4, 0)


def test_long_files_are_walked_window_by_window(monkeypatch: pytest.MonkeyPatch):
    track = note(60, 200) + meta(0x01, b"\x90" * 300) + program(9) + 40 * note(61, 7)
    whole = columns(scan(midi(track, track)))
    monkeypatch.setattr("musegen.smf.walk.WINDOW", 5)
    assert columns(scan(midi(track, track))) == whole
    assert len(whole) == 2 * (2 + 1 + 1 + 80 + 1)


def walked_singly(data: bytes) -> list[tuple[int, ...]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("musegen.smf.walk.Walk._after_run", lambda walk, at, end: at)
        return whole_columns(data)


def whole_columns(data: bytes) -> list[tuple[int, ...]]:
    found = scan(midi_bytes(data, LIMITS))
    kept = (found.track, found.tick, found.status, found.data)
    return list(zip(*(column.tolist() for column in kept), strict=True))


PLAIN_RUN = note(60, 480, channel=3) + b"\x05\x3c\x40" + b"\x81\x82\x03\xe2\x01\x7f" + note(61, 9)
BREAKS_OF_RUNS = {
    "program": program(9),
    "program, long delta time": program(9) + b"\x90\x01\xb0\x07\x40",
    "programs, the last by running status": program(9) + program(8) + b"\x01\x07",
    "program, then by running status over a text": program(9) + name("x") + b"\x02\x08",
    "program with a status as its data": b"\x00\xc0\x90\x3c\x40",
    "delta time like a program": b"\xc3\x3c\x40\x07\x91\x3c\x40",
    "pressure by running status": b"\x00\xd0\x11" + b"\x81\x01\x12" * 3,
    "text": meta(0x01, b"\x90\x3c" * 3, after=200),
    "sysex": b"\x00\xf0\x03\x41\x10\xf7",
    "escape": b"\x00\xf7\x01\x90",
    "song position": b"\x00\xf2\x01\x02",
    "delta time of four bytes": b"\x80\x80\x80\x01\x90\x3c\x40",
    "delta time of five bytes": b"\x80\x80\x80\x80\x01\x90\x3c\x40",
    "status in the data": b"\x00\x90\x3c\x90\x00\x3d\x40",
    "two statuses": b"\x00\x90\x90\x3c\x40",
    "end": END,
}


@pytest.mark.parametrize("between", BREAKS_OF_RUNS.values(), ids=BREAKS_OF_RUNS)
def test_events_are_the_same_over_runs_as_one_by_one(between: bytes):
    track = PLAIN_RUN * 3 + between + PLAIN_RUN * 2 + between + b"\x07\x3c\x40" * 5
    for data in (midi(track, track), midi(track)[:-7]):
        assert whole_columns(data) == walked_singly(data)


@given(st.lists(st.sampled_from([PLAIN_RUN, *BREAKS_OF_RUNS.values()]) | st.binary(max_size=5)))
def test_damaged_events_are_the_same_over_runs_as_one_by_one(pieces: list[bytes]):
    data = midi(b"".join(pieces), PLAIN_RUN)
    assert whole_columns(data) == walked_singly(data)


def test_runs_are_taken_at_a_bound():
    data = midi(note(60, 480) * 500 + program(5) * 2 + note(61, 480) * 500)
    walk = Walk(data)
    walk.follow(22, len(data))
    assert len(walk.single) == 2  # the first, and the end
    assert len(walk.found()) == 2003


def test_a_track_ends_with_its_last_whole_event():
    cut = scan(midi_bytes(PLAIN[: -len(END) - 1], LIMITS))
    assert columns(cut) == [(0, 0, 0x90)]
    assert not cut.is_whole


def test_a_file_that_ends_between_events_or_tracks_is_read_and_called_cut():
    """Its tracks have true lengths then; whoever gives a number too high knows none."""
    first, last = note(60, 480), note(62, 480) + note(64, 480)
    whole = midi(first, last)
    at = whole.rindex(b"MTrk")
    for end in (len(whole) - len(END), len(whole) - len(END) - 9, at, at + 3):
        cut = midi_bytes(whole[:end], LIMITS)
        assert midi_bytes(cut, LIMITS) == cut
        found = scan(cut)
        assert found.is_whole and found.is_cut, end
        check_events(found)
    lying = whole[: at + 4] + b"\x01" + whole[at + 5 :]  # by 16 MB than the file
    for data in (whole, midi(first, last + END), lying, whole + b"junk", midi()):
        assert not scan(midi_bytes(data, LIMITS)).is_cut


def test_events_after_an_end_of_track_count_where_all_of_the_chunk_is_events():
    """Programs append to a track, or join several, and leave ends in its middle."""
    two = note(60, 480) + END + note(62, 480, after=20)
    assert [tick for _, tick, _ in columns(scan(midi(two)))] == [0, 480, 480, 500, 980, 980]
    assert len(scan(midi(two + END + two, note(60, 480)))) == 12 + 3
    assert len(scan(midi(END + note(60, 480)))) == 4


@pytest.mark.parametrize(
    "padding",
    [
        bytes(9),
        b"\xff" * 8,
        b"XFIH\x00\x01",
        note(60, 480)[:-1],
        b"\x00\x3c\x40",
        note(61, 9) + b"\0",
    ],
)
def test_what_follows_an_end_of_track_and_is_no_event_is_padding(padding: bytes):
    events = note(60, 480) + END + padding
    whole = midi(b"")[:14] + b"MTrk" + struct.pack(">I", len(events)) + events
    found = scan(midi_bytes(whole, LIMITS))
    assert len(found) == 3
    check_events(found)


def test_a_track_may_begin_a_little_before_0():
    """2**28 - 1 is -1: the event is at the beginning, and those after it are not late."""
    early = b"\xff\xff\xff\x7f" + program(3)[1:] + note(60, 480, after=1)
    named = name("x") + b"\xff\xff\xff\x60" + note(62, 480)[1:] + note(64, 9, after=32)
    found = columns(scan(midi(early, named, note(60, 480))))
    assert [tick for track, tick, _ in found if track == 0] == [0, 0, 480, 480]
    assert [tick for track, tick, _ in found if track == 1] == [0, 0, 448, 480, 489, 489]
    assert [tick for track, tick, _ in found if track == 2] == [0, 480, 480]


def test_a_long_wait_is_no_delta_time_below_0():
    late = number(2**27) + note(60, 480)[1:]
    found = columns(scan(midi(late, late, late)))
    assert {tick for _, tick, _ in found} == {2**27, 2**27 + 480}
    far = 2**28 - 1
    found = columns(scan(midi(note(60, far), number(far) + note(60, far)[1:])))
    assert [tick for *_, tick, _ in found] == [0, far, far, 0, far - 1, far - 1]


@pytest.mark.parametrize(
    ("track", "why"),
    [
        (note(60, 480)[:-1], "breaks off .*: copy the file once more, or open it in a sequencer"),
        (note(60, 480) + b"\x00\xff\x01\x7fab", "breaks off"),
        (b"\x00\x3c\x40" + note(60, 480), "no status"),
        (name("x") + b"\x02\x3c\x40", "no status"),
    ],
)
def test_damaged_tracks_are_refused(track: bytes, why: str):
    for whole in (note(60, 480), b""):
        tracks = midi(whole, track)[: -len(END)]  # the last track has no end
        with pytest.raises(RejectedFile, match=f"unreadable.*{why}"):
            check_events(scan(midi_bytes(tracks, LIMITS)))


@pytest.mark.parametrize("whole", [PLAIN, PLAIN[: -len(END)], midi(b"", name("x")), midi()])
def test_whole_tracks_pass(whole: bytes):
    check_events(scan(midi_bytes(whole, LIMITS)))


def test_tempi_need_three_bytes_and_come_in_order_of_time():
    first = meta(0x51, b"\x07\xa1") + meta(0x51, b"\x07\xa1\x20", after=480)
    second = meta(0x51, b"\x8f\xff\xfe", after=96) + meta(0x51, b"\x01\x02\x03\x04", after=1)
    at, microseconds = tempi(scan(midi(first, second)))
    assert at.tolist() == [96, 97, 480]
    assert microseconds.tolist() == [0x8FFFFE, 0x010203, 500_000]


def test_signatures_need_two_bytes_and_come_in_order_of_time():
    first = meta(0x58, b"") + meta(0x58, b"\x05") + meta(0x58, b"\x07\x03\x18\x08", after=480)
    second = meta(0x58, b"\x03\x02", after=96) + meta(0x58, b"\x04\x08", after=1)
    second += meta(0x58, b"\x00\x02\x18\x08")
    second += meta(0x58, b"\x02\x01\x18\x08\x00", after=2)
    at, numerator, denominator = signatures(scan(midi(first, second)))
    assert at.tolist() == [96, 99, 480]
    assert numerator.tolist() == [3, 2, 7]
    assert denominator.tolist() == [4, 2, 8]


def test_tracks_get_ports_of_their_own():
    tracks = [name(str(n)) for n in range(5)]
    assert with_ports(midi(*tracks), [0] * 4) == midi(*tracks)
    ports = [0, 0, 2, 1]
    at_ports = [meta(0x21, bytes([n])) + track for n, track in zip(ports, tracks[1:], strict=True)]
    assert with_ports(midi(*tracks), ports) == midi(tracks[0], *at_ports)
