"""Held bends: the pitches of notes that are bent from their start to their end."""

import pytest
from handmade import bend, control, midi, note, number, program

from musegen.files.midi import read_midi, read_performance
from musegen.reading.song import Song

UP = 8191
OCTAVE = control(101, 0) + control(100, 0) + control(6, 12)


def sysex(data: str, after: int = 0) -> bytes:
    message = bytes.fromhex(data)
    return number(after) + b"\xf0" + number(len(message)) + message


def song(*tracks: bytes) -> Song:
    return read_midi(midi(*tracks))


def pitches(*tracks: bytes) -> list[int]:
    notes = song(*tracks).notes
    return (notes.pitch + song(*tracks).grid.lowest_pitch).tolist()


def bends(one: Song, track: int) -> list[float]:
    return one.controls[track].semitones.round(3).tolist()


def test_notes_sound_where_their_bend_is_held_in_the_range_of_their_channel():
    """A tone up, none, a tone down; an octave up; a semitone."""
    melody = bend(UP) + note(60, 480) + bend(0) + note(60, 480) + bend(-8192) + note(60, 480)
    assert pitches(melody) == [62, 60, 58]
    assert pitches(OCTAVE + bend(UP) + note(60, 480)) == [72]
    assert pitches(bend(4096) + note(60, 480), note(60, 480, channel=2)) == [60, 61]
    assert pitches(note(60, 480), bend(UP, channel=10) + note(40, 480, channel=10)) == [40, 60]


def test_bends_of_several_channels_at_one_time_are_each_held():
    """One after the other in a track, or the last of one track and the first of the next."""
    sounding = note(60, 480), note(60, 480, channel=2)
    assert pitches(bend(UP) + bend(-8192, channel=2) + sounding[0] + sounding[1]) == [62, 58]
    assert pitches(bend(UP), bend(4096, channel=2), *sounding) == [61, 62]


def test_what_is_held_is_no_bend_any_more():
    """The rest of others stays: of a bend by 1.95 semitones 0.05 down."""
    held = song(program(27) + bend(UP) + note(60, 480) + bend(-8192) + note(60, 480))
    assert bends(held, 2) == [0]
    assert held.lost_controls == []
    near = song(program(27) + bend(7987) + note(60, 480) + bend(2048) + note(60, 480))
    assert bends(near, 2) == [pytest.approx(-0.05, abs=0.001), 0.5]
    played = read_performance(midi(program(27) + bend(UP) + note(60, 480)))
    assert (played.pitch.tolist(), played.controls[0].semitones.round(2).tolist()) == ([60], [2])


def test_a_note_that_bends_while_it_sounds_keeps_its_key_and_the_bend_that_of_others():
    """The second one begins in the bend that the first one goes to."""
    slide = b"\x00\x90\x3c\x40" + bend(UP, 480) + b"\x00\x90\x40\x40"
    slide += number(480) + b"\x80\x3c\x40" + b"\x00\x80\x40\x40"
    one = song(program(27) + slide)
    assert pitches(program(27) + slide) == [60, 64]
    assert bends(one, 2) == [0, 2]
    assert pitches(bend(UP) + note(60, 480) + control(121, 0) + note(60, 480)) == [62, 60]


def test_a_played_note_may_end_in_the_next_bend():
    late = b"\x00\x90\x3c\x40" + bend(UP, 460) + number(20) + b"\x80\x3c\x40"
    assert pitches(late + note(60, 480)) == [60, 62]


@pytest.mark.parametrize("message", ["41 10 42 12 40 21 10 4c 00 f7", "43 10 4c 08 00 23 4c f7"])
def test_messages_of_gs_and_xg_set_the_range_of_a_part(message: str):
    """12 semitones, of channel 1 alone, until a reset."""
    sent, reset = sysex(message), sysex("7e 7f 09 01 f7", 960)
    far = bend(UP, channel=2) + note(60, 480, channel=2)
    assert pitches(sent + bend(UP) + note(60, 480), far) == [62, 72]
    last = bend(0) + bend(UP, 480) + note(60, 480)
    assert pitches(sent + bend(UP) + note(60, 480) + last, reset) == [72, 62]
    played = read_performance(midi(sent + bend(4096) + note(60, 960) + note(60, 480), reset))
    assert played.controls[0].semitones.tolist() == [6, 0]


def test_members_of_a_zone_are_bent_in_a_range_of_48_semitones():
    zone = control(101, 0) + control(100, 6) + control(6, 4)
    assert pitches(zone + bend(2048, channel=2) + note(60, 480, channel=2)) == [72]
