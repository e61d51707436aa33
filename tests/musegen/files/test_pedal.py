"""Notes that sound on while the sustain pedal is down."""

from pathlib import Path

import pytest
from handmade import midi, note, number, program
from note_rows import rows

from musegen.files.midi import read_midi
from musegen.roll import Grid
from musegen.tracks import Track

GRID = Grid(steps_per_beat=4, lowest_pitch=0, pitches=128)
ALL = (Track(name="All", rest=True),)


def pedal(value: int, after: int = 0, channel: int = 1) -> bytes:
    return number(after) + bytes([0xB0 + channel - 1, 64, value])


def lengths(*tracks: bytes, with_pedal: bool = True) -> dict[int, list[int]]:
    """Lengths in quarters of a beat of 480 ticks, by pitch, in order of start."""
    song = read_midi(midi(*tracks), ALL, GRID, pedal=with_pedal)
    found: dict[int, list[int]] = {}
    for _, _, pitch, length in rows(song.notes):
        found.setdefault(pitch, []).append(length)
    return found


def test_a_note_sounds_until_the_pedal_goes_up_or_its_pitch_is_struck():
    """Pedal from beat 0 to 3 1/2; C at 0 and 2, D at 1, E at 3 held beyond the pedal."""
    track = pedal(127) + note(60, 120) + note(62, 120, after=360) + note(60, 120, after=360)
    track += number(360) + b"\x90\x40\x50" + pedal(0, after=240) + number(480) + b"\x80\x40\x00"
    assert lengths(track) == {60: [8, 6], 62: [10], 64: [6]}
    assert lengths(track, with_pedal=False) == {60: [1, 1], 62: [1], 64: [6]}


def test_a_pedal_is_down_from_64_on_and_counts_for_its_channel_in_all_tracks():
    hands = (note(60, 120) + note(61, 120, channel=2), note(62, 120))
    assert lengths(pedal(64) + pedal(63, after=480), *hands) == {60: [4], 61: [1], 62: [4]}
    assert lengths(pedal(63) + pedal(0, after=480), *hands) == {60: [1], 61: [1], 62: [1]}


def test_the_pedal_is_a_pianos_alone():
    sustained = pedal(127) + note(60, 120) + pedal(0, after=360)
    assert lengths(program(7) + sustained) == {60: [4]}
    assert lengths(program(8) + sustained) == {60: [1]}


def test_a_pedal_that_never_goes_up_sustains_to_the_end_of_the_last_bar():
    assert lengths(pedal(127) + note(60, 120) + note(62, 120)) == {60: [16], 62: [15]}
    reset = number(480) + b"\xb0\x79\x00"
    assert lengths(pedal(127) + note(60, 120) + note(62, 120) + reset) == {60: [6], 62: [5]}


def test_a_key_that_goes_up_with_the_pedal_is_not_sustained():
    track = pedal(127) + note(60, 480) + pedal(0) + pedal(127, after=1) + pedal(0, after=959)
    assert lengths(track) == {60: [4]}


@pytest.mark.parametrize(("title", "first"), [("pedal", [45, 39, 33, 27]), ("dry", [3, 3, 3, 3])])
def test_a_played_piano_sounds_as_long_as_its_pedal(
    shared_cases: Path, title: str, first: list[int]
):
    song = read_midi(shared_cases / "music" / "sustain-pedal" / f"{title}.mid")
    assert song.notes.length.tolist() == 8 * first
