"""Parts: the notes of a file that belong together, and what plays them."""

from pathlib import Path

import numpy as np
import pytest
from handmade import meta, midi, name, note, number, program

from musegen.files.keys import keys_of
from musegen.files.midi import read_midi
from musegen.files.parts import parts_of, text_of
from musegen.roll import Grid
from musegen.smf.events import scan
from musegen.tracks import LAKH, Track, track_list

GS_ON = "41 10 42 12 40 00 7f 00 41 f7"
XG_ON = "43 10 4c 00 00 7e 00 f7"
GM_ON = "7e 7f 09 01 f7"
GM2_ON = "7e 7f 09 03 f7"


def sysex(data: str, after: int = 0) -> bytes:
    message = bytes.fromhex(data)
    return number(after) + b"\xf0" + number(len(message)) + message


def escape(data: str) -> bytes:
    message = bytes.fromhex(data)
    return b"\x00\xf7" + number(len(message)) + message


def control(kind: int, value: int, channel: int, after: int = 0) -> bytes:
    return number(after) + bytes([0xB0 + channel - 1, kind, value])


def port(value: int) -> bytes:
    return meta(0x21, bytes([value]))


def played(*tracks: bytes) -> list[tuple[int, str, int]]:
    """(pitch, "drums" or program, port) of each note in the file's order."""
    events = scan(midi(*tracks))
    notes, _ = keys_of(events)
    part, parts = parts_of(events, notes)
    owners = [parts[n] for n in part.tolist()]
    return [
        (pitch, "drums" if p.is_drum else str(p.program), p.port)
        for pitch, p in zip(events.byte(0, notes).tolist(), owners, strict=True)
    ]


def test_a_program_counts_for_the_notes_after_it_in_its_track_also_at_one_time():
    track = program(3) + note(60, 0) + program(5) + note(61, 0) + note(62, 9)
    assert played(track) == [(60, "3", 0), (61, "5", 0), (62, "5", 0)]


def test_a_program_belongs_to_its_channel_in_whatever_track_it_stands():
    setup = program(33) + program(29, 2) + program(48, 3)
    assert played(setup, note(60, 9, channel=2), note(61, 9, channel=3) + note(62, 9)) == [
        (60, "29", 0),
        (61, "48", 0),
        (62, "33", 0),
    ]


def test_programs_of_a_channel_count_from_their_time_and_a_tracks_own_win():
    """Track 1 sets 40 at once and 41 at tick 100; track 2 plays at 0, 100 and sets 9 at 150."""
    first = program(40) + number(100) + b"\xc0\x29"
    own = note(60, 50) + note(61, 50, after=50) + program(9) + note(62, 50)
    later = note(63, 50) + note(64, 50, after=50)
    assert played(first, own, later) == [
        (60, "40", 0),
        (61, "41", 0),
        (62, "9", 0),
        (63, "40", 0),
        (64, "41", 0),
    ]


def test_a_port_event_counts_after_the_program_too_and_ports_have_channels_of_their_own():
    harp = program(46) + port(0) + note(60, 9)
    flute = program(73) + port(1) + note(72, 9)
    staff = port(1) + note(74, 9)
    assert played(harp, flute, staff, port(2) + note(40, 9)) == [
        (60, "46", 0),
        (72, "73", 1),
        (74, "73", 1),
        (40, "0", 2),
    ]
    assert played(port(3) + note(36, 9, channel=10)) == [(36, "drums", 3)]


def test_devices_have_channels_of_their_own_where_no_port_is_named():
    """A setup track of each device, and the notes of both in tracks without a program."""
    one, other = (meta(0x09, name) for name in (b"Synth 1", b"Synth 2"))
    setup = one + program(33), other + program(48)
    assert played(*setup, one + note(40, 9), other + note(60, 9), note(41, 9)) == [
        (40, "33", 0),
        (60, "48", 1),
        (41, "33", 0),
    ]
    assert played(port(2) + one + program(33), port(2) + other + note(40, 9)) == [(40, "33", 2)]


def test_a_track_without_a_port_sets_up_the_only_port_that_is_named():
    """The notes are all on port 1; then others are on port 0, which nobody names."""
    setup = program(33) + program(48, 2)
    named = port(1) + note(40, 9), port(1) + note(60, 9, channel=2)
    assert played(setup, *named) == [(40, "33", 1), (60, "48", 1)]
    assert played(setup, *named, note(70, 9)) == [(40, "0", 1), (60, "0", 1), (70, "33", 0)]


def test_a_port_event_without_a_number_names_no_port():
    empty = meta(0x21, b"")
    assert played(empty + program(33), empty + note(40, 9, after=5)) == [(40, "33", 0)]


@pytest.mark.parametrize(
    ("messages", "channel", "is_drum"),
    [
        ("", 11, False),
        (GS_ON + "|41 10 42 12 40 1a 15 02 0f f7", 11, True),
        (GS_ON + "|41 10 42 12 40 11 15 01 19 f7", 1, True),
        (GS_ON + "|41 10 42 12 40 1a 15 02 0f f7", 12, False),
        (GS_ON + "|41 10 42 12 40 10 15 00 1b f7", 10, False),
        ("41 10 42 12 40 1a 15 02 0f f7|" + GS_ON, 11, False),
        (XG_ON + "|43 10 4c 08 0a 07 02 f7", 11, True),
        (XG_ON + "|43 10 4c 08 09 07 00 f7", 10, False),
        (XG_ON + "|43 10 4c 08 0a 07 02 f7|43 10 4c 00 00 7f 00 f7", 11, False),
    ],
)
def test_messages_make_channels_drum_parts(messages: str, channel: int, is_drum: bool):
    setup = b"".join(sysex(message) for message in messages.split("|") if message)
    played_part = played(setup, program(5, channel) + note(60, 9, channel=channel))
    assert played_part == [(60, "drums" if is_drum else "5", 0)]


@pytest.mark.parametrize("reset", [GM_ON, GM2_ON, GS_ON, XG_ON, "43 10 4c 00 00 7f 00 f7"])
def test_a_reset_sets_the_programs_of_its_port_back(reset: str):
    """It counts for all tracks from then on; GM off, or a reset of another port, does not."""
    bass = port(0) + program(33) + note(60, 9) + note(61, 9) + program(34) + note(62, 9)
    horn = port(0) + note(63, 9, channel=2) + note(64, 9, channel=2)
    far = port(1) + program(40) + note(65, 9) + note(66, 9)
    setup = port(0) + program(60, 2)
    found = played(setup + sysex(reset, after=9), bass, horn, far)
    programs = {60: "33", 61: "0", 62: "34", 63: "60", 64: "0", 65: "40", 66: "40"}
    assert {pitch: program for pitch, program, _ in found} == programs
    others = played(setup + sysex("7e 7f 09 02 f7", after=9), bass, horn, far)
    assert others == played(setup, bass, horn, far)


def test_what_another_track_sets_as_a_reset_comes_counts():
    """At the beginning of a song tracks set their programs, and one of them resets all."""
    bass = program(33) + note(60, 9)
    assert played(bass, sysex(GM_ON)) == played(sysex(GM_ON), bass) == [(60, "33", 0)]
    assert played(program(33) + sysex(GM_ON) + note(60, 9)) == [(60, "0", 0)]
    drums = sysex("41 10 42 12 40 1a 15 02 0f f7") + note(60, 9, channel=11)
    assert played(drums, sysex(GS_ON)) == [(60, "drums", 0)]


@pytest.mark.parametrize(
    "messages",
    [
        sysex("41 10 42 12") + escape("40 1a 15 02 0f f7"),
        sysex("41 10 42 12") + escape("40 1a 15") + escape("02 0f f7"),
        escape("f0 41 10 42 12 40 1a 15 02 0f f7"),
        sysex("7e 7f 06 01 f7") + escape("f0 41 10 42 12 40 1a 15 02 0f f7"),
        sysex("7e 7f 06 01") + escape("f0 41 10 42 12 40 1a 15 02 0f f7"),
    ],
)
def test_a_message_comes_in_packets_or_as_an_escape(messages: bytes):
    track = program(5, 11) + note(60, 9, channel=11)
    assert played(sysex(GS_ON) + messages, track) == [(60, "drums", 0)]


def test_a_message_that_has_ended_is_not_gone_on_with():
    messages = sysex(GS_ON) + sysex("41 10 42 12 40 1a 15 02 0f f7") + escape("40 1a 15 00 11 f7")
    assert played(messages, note(60, 9, channel=11)) == [(60, "drums", 0)]


@pytest.mark.parametrize(
    "message", ["41 10 42 12 40 11 00 00 21 0e f7", "43 10 4c 08 00 03 21 f7"]
)
def test_messages_set_the_program_of_a_part(message: str):
    """Program 33 of channel 1, from there on."""
    tracks = note(60, 480) + sysex(message) + note(62, 480), note(64, 480, channel=2)
    assert played(*tracks) == [(60, "0", 0), (62, "33", 0), (64, "0", 0)]


def test_a_message_chooses_the_bank_of_a_part_of_xg():
    xg, bank = sysex("43 10 4c 00 00 7e 00 f7"), sysex("43 10 4c 08 01 01 7f f7")
    assert played(xg + bank + program(0, channel=2) + note(36, 480, channel=2)) == [
        (36, "drums", 0)
    ]


def test_gs_parts_of_the_other_port_become_drums_there():
    """Block 50 is of port 1 in messages on port 0, and of port 0 in those on port 1."""
    message = "41 10 42 12 50 1a 15 02 7f f7"
    parts = [port(n) + note(60 + n, 9, channel=11) for n in (0, 1)]
    assert played(port(0) + sysex(message), *parts) == [(60, "0", 0), (61, "drums", 1)]
    assert played(port(1) + sysex(message), *parts) == [(60, "drums", 0), (61, "0", 1)]


@pytest.mark.parametrize(
    ("standard", "bank", "channel", "is_drum"),
    [
        (XG_ON, 127, 11, True),
        (XG_ON, 126, 11, True),
        (XG_ON, 0, 11, False),
        (XG_ON, 0, 10, False),
        (GM2_ON, 120, 11, True),
        (GM2_ON, 121, 11, False),
        (GM2_ON, 121, 10, False),
        (GM_ON, 127, 11, True),
        (GM_ON, 0, 10, True),
        (GS_ON, 127, 11, False),
        (GS_ON, 0, 10, True),
    ],
)
def test_banks_make_channels_drum_parts(standard: str, bank: int, channel: int, is_drum: bool):
    track = control(0, bank, channel) + program(5, channel) + note(60, 9, channel=channel)
    assert played(sysex(standard), track) == [(60, "drums" if is_drum else "5", 0)]


def test_each_port_has_a_standard_of_its_own():
    """A bank is read by it; one that is switched on leaves the banks of other ports."""
    modern, old = control(0, 120, 4) + program(5, 4), control(0, 127, 4) + program(5, 4)
    sounding = note(60, 9, channel=4)
    far = port(1) + sysex(GS_ON, after=1)
    near = port(0) + sysex(GM2_ON) + control(0, 120, 4)
    later = meta(1, b"", after=2) + program(5, 4)
    assert played(near + later + sounding, far) == [(60, "drums", 0)]
    both = [port(0) + sysex(GM2_ON) + modern + sounding, far + old + sounding]
    assert played(*both) == [(60, "drums", 0), (60, "5", 1)]
    alone = [sysex(GS_ON) + note(61, 9), port(1) + old + sounding]
    assert played(*alone) == [(61, "0", 0), (60, "5", 1)]


def test_xg_parts_from_the_17th_on_are_of_further_ports():
    setup = port(0) + sysex(XG_ON) + sysex("43 10 4c 08 13 07 02 f7")
    parts = [port(n) + note(60 + n, 9, channel=4) for n in (0, 1)]
    assert played(setup, *parts) == [(60, "0", 0), (61, "drums", 1)]


def test_members_of_a_zone_play_the_program_of_its_master():
    """MPE: a guitar on channels 1 to 12, beside it drums of another track, and a bass on 13."""
    zone = control(101, 0, 1) + control(100, 6, 1) + control(6, 11, 1) + program(27)
    own = b"".join(note(60, 240, channel=channel) for channel in (1, 2, 10, 12))
    others = program(33, 13) + note(40, 240, channel=13) + note(60, 240, channel=14)
    song = read_midi(midi(zone + own + others, note(36, 240, channel=10)))
    found = [(part.channel, part.program, part.is_drum) for part in song.claims.parts]
    guitar = [(channel, 27, False) for channel in (1, 2, 10, 12)]
    assert found == [*guitar, (13, 33, False), (14, 0, False), (10, 0, True)]


def test_a_bank_counts_from_the_next_program_on():
    track = control(0, 127, 4) + note(60, 9, channel=4) + program(0, 4) + note(61, 9, channel=4)
    assert played(sysex(XG_ON), track) == [(60, "0", 0), (61, "drums", 0)]


def test_parts_are_in_the_order_of_tracks_channels_and_programs():
    first = name("a") + program(9, 3) + note(60, 9, channel=3) + note(61, 9, channel=2)
    first += program(4, 3) + note(62, 9, channel=3)
    events = scan(midi(first, name("b") + note(63, 9)))
    part, parts = parts_of(events, keys_of(events)[0])
    assert [(p.order, p.name, p.program, p.channel) for p in parts] == [
        (0, "a", 0, 2),
        (1, "a", 4, 3),
        (2, "a", 9, 3),
        (3, "b", 0, 1),
    ]
    assert part.tolist() == [2, 0, 1, 3]


def test_more_parts_than_velocities_keep_their_notes():
    """300 parts, each with one note; the track list takes parts 126, 127, 128 and 299."""
    tracks = tuple(Track(name=str(n), order=n) for n in (126, 127, 128, 299))
    body = b"".join(program(n % 128) + note(n % 50 + 30, 480) for n in range(300))
    many = [program(n % 128) + note(30 + n % 50, 480, velocity=1 + n % 127) for n in range(300)]
    song = read_midi(midi(*many), tracks)
    pitch = dict(zip(song.notes.track.tolist(), song.notes.pitch.tolist(), strict=True))
    velocity = dict(zip(song.notes.track.tolist(), song.notes.velocity.tolist(), strict=True))
    assert pitch == {0: 6 + 126 % 50, 1: 6 + 127 % 50, 2: 6 + 128 % 50, 3: 6 + 299 % 50}
    assert velocity == {0: 127, 1: 1, 2: 2, 3: 1 + 299 % 127}
    assert len(read_midi(midi(body), (Track(name="All", rest=True),)).notes) == 300


def test_each_note_keeps_part_and_velocity():
    """Two parts of the same pitches: one grows louder, the other softer."""
    loud = [note(60, 40, velocity=1 + v) for v in range(127)]
    soft = [note(60, 40, channel=2, velocity=127 - v) for v in range(127)]
    tracks = (Track(name="1", order=0), Track(name="2", order=1))
    song = read_midi(midi(b"".join(loud), program(9, 2) + b"".join(soft)), tracks)
    for track, expected in enumerate((range(1, 128), range(127, 0, -1))):
        assert song.notes.velocity[song.notes.track == track].tolist() == list(expected)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("ピアノ".encode(), "ピアノ"),
        ("ピアノ".encode("cp932"), "ピアノ"),
        ("ベース2".encode("cp932"), "ベース2"),
        ("弦".encode("cp932"), "弦"),
        ("ﾄﾞﾗﾑ".encode("cp932"), "ﾄﾞﾗﾑ"),
        ("Thérèse".encode("latin-1"), "Thérèse"),
        ("Übung für Flöte".encode("latin-1"), "Übung für Flöte"),
        (b"Bass \0", "Bass"),
        ("Drums".encode("utf-8-sig"), "Drums"),
        ("Flöte".encode("utf-16"), "Flöte"),
        (b"\xfe\xff" + "ピアノ".encode("utf-16-be"), "ピアノ"),
        (b"\xff\xfe\x80", "\xff\xfe\u20ac"),
        (b"\xef\xbb\xbf\xf6", "\xef\xbb\xbf\xf6"),
        ("Œuvre “2”".encode("cp1252"), "Œuvre “2”"),
        (b"Lead \x81", "Lead"),
        ("Flöte".encode("utf-16-le"), "Flöte"),
        ("Flöte".encode("utf-16-be"), "Flöte"),
        ("ベース".encode("iso2022_jp"), "ベース"),
        (b"\x1b[31mred\x07\r\nlead\x8d", "[31mred lead"),
    ],
)
def test_names_in_utf_8_shift_jis_and_windows_1252(raw: bytes, text: str):
    assert text_of(raw) == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("ベース", "cp932"),
        ("贝司", "gbk"),
        ("貝斯", "big5"),
        ("베이스", "euc-kr"),
        ("Бас", "cp1251"),
        ("Contrebasse à cordes", "latin-1"),
        ("ベース", "utf-16"),
        ("ベース", "utf-16-le"),
        ("ベース", "euc_jp"),
        ("베이스", "cp949"),
        ("Барабаны", "koi8_r"),
        ("Барабаны", "cp866"),
        ("Skrzypce łódź", "cp1250"),
        ("Μπάσο", "cp1253"),
        ("Bağlama", "cp1254"),
        ("תופים", "cp1255"),
        ("Flöte", "mac_roman"),
        ("Flöte", "cp850"),
    ],
)
def test_a_track_is_found_by_its_name_in_any_alphabet(text: str, encoding: str):
    tracks = (Track(name="Bass", name_pattern=f"^{text}$"), Track(name="Rest", rest=True))
    bass = meta(0x03, text.encode(encoding)) + note(40, 480)
    song = read_midi(midi(note(60, 480), bass), tracks)
    assert song.notes.pitch.tolist() == [40 - 24, 60 - 24]


def names(*tracks: bytes) -> dict[int, str]:
    """The name of the part of each channel."""
    events = scan(midi(*tracks))
    return {p.channel: p.name for p in parts_of(events, keys_of(events)[0])[1]}


def prefix(channel: int) -> bytes:
    return meta(0x20, bytes([channel - 1]))


def test_a_prefix_names_a_channel_where_several_have_one():
    """One track of two channels with a prefix and a third without, as format 0 is written."""
    notes = note(40, 9, channel=2) + note(60, 9, channel=3) + note(70, 9, channel=4)
    of_channels = prefix(2) + name("Bass") + prefix(3) + meta(0x04, b"Strings")
    named = names(name("a song") + of_channels + notes)
    assert named == {2: "Bass", 3: "Strings", 4: "a song"}
    assert names(of_channels + program(33, 2) + name("a song") + notes)[4] == "a song"
    assert names(prefix(9) + name("Bass") + notes) == {2: "Bass", 3: "Bass", 4: "Bass"}


def test_a_track_is_called_by_its_last_name_or_else_as_its_instrument():
    assert names(name("old") + name("new") + name("") + meta(3, b"\0 ") + note(60, 9)) == {
        1: "new"
    }
    assert names(meta(0x04, b"Drums") + note(60, 9)) == {1: "Drums"}
    assert names(name("Lead") + meta(0x04, b"Piano") + note(60, 9)) == {1: "Lead"}
    assert names(meta(0x03, "Flöte".encode("utf-16")) + note(60, 9)) == {1: "Flöte"}


CASES = {
    "programs-in-setup-track/setup": [16, 0, 16, 16, 16],
    "programs-in-setup-track/shared_channel": [0, 0, 0, 0, 32],
    "programs-in-setup-track/musescore_two_staves": [0, 0, 0, 16, 96],
    "second-drum-part-by-sysex-or-bank/gs_rhythm": [16, 0, 17, 17, 0],
    "second-drum-part-by-sysex-or-bank/xg_bank": [16, 0, 17, 17, 0],
    "second-drum-part-by-sysex-or-bank/gm2": [16, 0, 17, 17, 0],
    "drums-on-channel-4-by-name/ezdrummer": [48, 0, 16, 16, 0],
    "drums-on-channel-4-by-name/channel16": [48, 0, 16, 16, 0],
    "shift-jis-track-names/sjis": [16, 16, 16],
    "short-time-signature/zero_bytes": [0, 24, 0, 0, 0],
    "many-tracks-written/many": [16] * 21,
}


@pytest.mark.parametrize("case", CASES)
def test_reported_files_are_read_as_a_player_plays_them(shared_cases: Path, case: str):
    path = shared_cases / "music" / f"{case}.mid"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    listed = path.with_name("tracks.yaml")
    tracks = track_list(str(listed)) if listed.is_file() else LAKH
    song = read_midi(path, tracks, Grid(lowest_pitch=0, pitches=128))
    assert np.bincount(song.notes.track, minlength=len(tracks)).tolist() == CASES[case]
    assert song.left_out.notes == 0
