"""Notes at volume 0: which of them nobody hears."""

import pytest
from handmade import control, meta, midi, note, number, program, tempo

from musegen.files.midi import read_midi, read_performance

VOLUME, EXPRESSION = 7, 11
GM_ON = b"\xf0\x05\x7e\x7f\x09\x01\xf7"


def song(*tracks: bytes) -> bytes:
    return midi(tempo(500_000) + note(90, 480), *tracks)


def pitches(*tracks: bytes) -> list[int]:
    read = read_midi(song(*tracks))
    return sorted((read.notes.pitch + read.grid.lowest_pitch).tolist())


@pytest.mark.parametrize("kind", [VOLUME, EXPRESSION])
def test_notes_whose_channel_is_turned_down_throughout_are_left_out(kind: int):
    down, up = control(kind, 0, channel=2), control(kind, 1, channel=2)
    track = down + note(60, 480, channel=2) + up + note(62, 480, channel=2) + down
    assert pitches(track + note(64, 480, channel=2) + note(65, 480, channel=3)) == [62, 65, 90]
    assert pitches(note(60, 480, channel=2), down) == [90], "whatever track turns it down"
    assert pitches(note(60, 480, channel=2), meta(0x21, b"\x01") + down) == [60, 90]


def test_a_note_stays_that_fades_in_or_out():
    swell = control(EXPRESSION, 0, channel=2) + b"\x00\x91\x3c\x40"
    swell += control(EXPRESSION, 90, 240, channel=2) + number(240) + b"\x81\x3c\x40"
    fade = b"\x00\x92\x3e\x40" + control(EXPRESSION, 0, 240, channel=3)
    assert pitches(swell, fade + number(240) + b"\x82\x3e\x40") == [60, 62, 90]


def test_what_comes_last_at_the_time_of_a_note_counts():
    """After the event of the note too: programs send a level with it, in whichever order."""
    low, high = (control(VOLUME, level, channel=2) for level in (0, 100))
    assert pitches(low + b"\x00\x91\x3c\x40" + high + number(480) + b"\x81\x3c\x40") == [60, 90]
    assert pitches(high + low + note(60, 480, channel=2)) == [90]


def test_a_reset_turns_channels_up():
    expression = control(EXPRESSION, 0) + control(121, 0) + note(60, 480)
    volume = control(VOLUME, 0, channel=2) + control(121, 0, channel=2) + note(62, 480, channel=2)
    volume += b"\x00" + GM_ON + note(64, 480, channel=2)
    assert pitches(program(0, 3) + expression, volume) == [60, 64, 90]


@pytest.mark.parametrize("part", ["41 10 42 12 40 12 19", "43 10 4c 08 01 0b"], ids=["GS", "XG"])
def test_messages_of_gs_and_xg_turn_a_part_down_and_up(part: str):
    """The second part is on channel 2."""
    low, high = (
        b"\x00\xf0" + number(len(data)) + data
        for data in (bytes.fromhex(f"{part} {level:02x} 00 f7") for level in (0, 90))
    )
    track = low + note(60, 480, channel=2) + high + note(62, 480, channel=2)
    assert pitches(track + note(64, 480)) == [62, 64, 90]
    after = control(VOLUME, 80, channel=2) + note(65, 480, channel=2)
    assert pitches(low + after) == [65, 90], "one volume, of the channel and of the part"
    played = read_performance(song(high + note(60, 480, channel=2) + after))
    assert played.controls[1].volume.tolist() == [90, 80]


def test_what_is_left_out_is_said_and_a_song_with_all_faders_down_is_whole():
    low = control(VOLUME, 0, channel=2) + note(60, 480, channel=2)
    assert read_midi(midi(low, note(62, 480))).remarks == ["left out: 1 note at volume 0"]
    assert len(read_midi(midi(low)).notes) == 1
