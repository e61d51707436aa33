"""The tuning of channels: the pitches that sound where keys are shifted."""

import pytest
from handmade import control, meta, midi, note, number, program

from musegen.files.midi import read_midi, read_performance

GS_ON, GM_ON = "41 10 42 12 40 00 7f 00 41 f7", "7e 7f 09 01 f7"


def sysex(data: str, after: int = 0) -> bytes:
    message = bytes.fromhex(data)
    return number(after) + b"\xf0" + number(len(message)) + message


def coarse(value: int, channel: int = 1, low: int = 2) -> bytes:
    chosen = ((101, 0), (100, low), (6, value))
    return b"".join(control(kind, sent, channel=channel) for kind, sent in chosen)


def pitches(*tracks: bytes) -> list[int]:
    """Those of all notes, in the order of the file, which are the same both ways."""
    data = midi(*tracks)
    song = read_midi(data)
    played = read_performance(data).pitch.tolist()
    assert sorted(played) == sorted((song.notes.pitch + song.grid.lowest_pitch).tolist())
    return played


def test_coarse_tuning_moves_the_notes_after_it_on_its_channel_in_any_track():
    """An octave down, then 3 semitones up; fine tuning (0, 1) and numbers of other kinds do not
    count, and channel 2 sounds as it is written."""
    own = coarse(52) + note(60, 240) + coarse(99, low=1) + note(62, 240) + coarse(67)
    own += control(98, 2) + control(6, 80) + note(60, 240)
    assert pitches(own, note(64, 240, channel=2)) == [48, 50, 63, 64]
    assert pitches(coarse(76), program(33) + note(40, 240)) == [52]


@pytest.mark.parametrize(
    ("message", "shifted"),
    [
        ("41 10 42 12 40 11 16 34 00 f7", [48, 64, 36]),
        ("41 10 42 12 40 10 16 34 00 f7", [60, 64, 36]),  # part 0 is channel 10
        ("41 10 42 12 40 00 05 47 00 f7", [67, 71, 36]),
        ("43 10 4c 08 01 08 41 f7", [60, 65, 36]),
        ("43 10 4c 00 00 06 3e f7", [58, 62, 36]),
        ("7f 7f 04 04 00 45 f7", [65, 69, 36]),
        ("7f 7f 04 01 00 45 f7", [60, 64, 36]),  # a volume
    ],
)
def test_messages_shift_the_keys_of_parts_and_of_all_melodic_parts(
    message: str, shifted: list[int]
):
    drum = note(36, 240, channel=10)
    played = pitches(sysex(message), note(60, 240), note(64, 240, channel=2), drum)
    assert played == shifted


def test_shifts_add_up_until_a_reset_of_their_port():
    """An octave up by the channel, a tone down by its part, and 5 semitones by all: 15."""
    shifts = coarse(76) + sysex("41 10 42 12 40 11 16 3e 00 f7")
    shifts += sysex("41 10 42 12 40 00 05 45 00 f7")
    track = shifts + note(40, 240) + sysex(GS_ON) + note(40, 240) + coarse(65) + note(40, 240)
    far = meta(0x21, b"\x01") + coarse(63) + note(70, 960)
    assert pitches(meta(0x21, b"\x00") + track, far) == [55, 40, 41, 69]
    assert pitches(coarse(76) + note(60, 240), sysex(GM_ON)) == [72], "as one begins, others set"


def test_notes_beyond_the_keyboard_stop_at_its_end():
    assert read_performance(midi(coarse(127) + note(100, 240))).pitch.tolist() == [127]
