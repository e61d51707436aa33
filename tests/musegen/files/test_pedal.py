"""Notes that sound on while a pedal is down."""

from pathlib import Path

import pytest
from handmade import midi, note, number, program
from note_rows import rows

from musegen.files.midi import read_midi, read_performance
from musegen.roll import Grid
from musegen.tracks import Track

GRID = Grid(steps_per_beat=4, lowest_pitch=0, pitches=128)
ALL = (Track(name="All", rest=True),)


def pedal(value: int, after: int = 0, channel: int = 1, kind: int = 64) -> bytes:
    return number(after) + bytes([0xB0 + channel - 1, kind, value])


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


@pytest.mark.parametrize("instrument", [0, 11, 24, 46, 48])
def test_the_pedal_holds_the_notes_of_every_instrument(instrument: int):
    sustained = pedal(127) + note(60, 120) + pedal(0, after=360)
    assert lengths(program(instrument) + sustained) == {60: [4]}


def test_the_pedal_of_drums_holds_nothing():
    hit = pedal(127, channel=10) + note(36, 120, channel=10) + pedal(0, after=360, channel=10)
    for track in (hit, note(36, 120, channel=10)):
        assert read_performance(midi(track)).seconds.tolist() == [0.125]


def test_the_sostenuto_pedal_holds_the_keys_that_are_down_when_it_goes_down():
    """C from 0 to 1, sostenuto from 1/2 to 3; D from 1 to 1 1/4; E from 3 1/2 on."""
    down, up = pedal(127, after=240, kind=66), pedal(0, after=840, kind=66)
    first = b"\x00\x90\x3c\x50" + down + number(240) + b"\x80\x3c\x00" + note(62, 120)
    assert lengths(first + up + note(64, 240, after=240)) == {60: [12], 62: [1], 64: [2]}
    repeated = first + pedal(100, kind=66) + note(65, 60) + pedal(0, after=780, kind=66)
    assert lengths(repeated) == {60: [12], 62: [1], 65: [1]}
    assert lengths(first, with_pedal=False) == {60: [4], 62: [1]}
    never_down = b"\x00\x90\x3c\x50" + pedal(63, after=240, kind=66)
    assert lengths(never_down + number(240) + b"\x80\x3c\x00") == {60: [4]}


def test_sustain_takes_over_what_sostenuto_lets_go():
    """C from 0 to 1, sostenuto from 1/2 to 2, sustain from 1 1/2 to 4."""
    track = b"\x00\x90\x3c\x50" + pedal(127, after=240, kind=66) + number(240) + b"\x80\x3c\x00"
    track += pedal(127, after=240) + pedal(0, after=240, kind=66) + pedal(0, after=960)
    assert lengths(track) == {60: [16]}


@pytest.mark.parametrize(
    ("kind", "length"), [(120, 2), (121, 2), (123, 4), (124, 4), (127, 4), (122, 4)]
)
def test_the_pedal_holds_what_is_let_go_of_but_no_sounds_that_are_off(kind: int, length: int):
    """The key is up after a sixteenth, the message comes at the second, the pedal goes up at the
    fourth; with all sounds off or controllers reset the note ends."""
    played = pedal(127) + note(60, 120)
    message = pedal(0, after=240, kind=kind)
    assert lengths(played + pedal(0, after=360), message) == {60: [length]}
    key_down = pedal(127) + number(0) + b"\x90\x3c\x50" + pedal(0, after=480)
    ends = 5 if kind in (121, 122) else length  # else the key goes up with the last event
    assert lengths(key_down + note(61, 120), message)[60] == [ends]


def test_a_reset_lets_go_of_the_pedals_of_all_channels():
    reset = number(240) + b"\xf0" + number(5) + bytes.fromhex("7e 7f 09 01 f7")
    sustained = [
        pedal(127, channel=n) + note(60 + n, 120, channel=n) + pedal(0, 360, channel=n)
        for n in (1, 2)
    ]
    later = [note(60 + n, 120, after=360, channel=n) for n in (1, 2)]
    assert lengths(reset, *sustained, *later) == {61: [2, 1], 62: [2, 1]}
    sostenuto = b"\x00\x90\x3c\x50" + pedal(127, kind=66) + number(120) + b"\x80\x3c\x00"
    assert lengths(reset, sostenuto + pedal(0, 360, kind=66)) == {60: [2]}


def test_a_pedal_that_never_goes_up_sustains_to_the_end_of_the_last_bar():
    assert lengths(pedal(127) + note(60, 120) + note(62, 120)) == {60: [16], 62: [15]}
    reset = number(480) + b"\xb0\x79\x00"
    assert lengths(pedal(127) + note(60, 120) + note(62, 120) + reset) == {60: [6], 62: [5]}


def test_a_key_that_goes_up_with_the_pedal_is_not_sustained():
    track = pedal(127) + note(60, 480) + pedal(0) + pedal(127, after=1) + pedal(0, after=959)
    assert lengths(track) == {60: [4]}


KEY_UP, UP, DOWN = b"\x80\x3c\x00", b"\xb0\x40\x00", b"\xb0\x40\x7f"


@pytest.mark.parametrize(
    ("first", "at_bar_line", "length"),
    [
        (DOWN, (KEY_UP, UP, DOWN), 16),
        (DOWN, (UP, DOWN, KEY_UP), 16),
        (UP, (KEY_UP, DOWN), 16),
        (UP, (DOWN, KEY_UP), 32),
    ],
)
def test_a_pedal_that_goes_down_as_a_key_goes_up_is_for_the_next_bar(
    first: bytes, at_bar_line: tuple[bytes, ...], length: int
):
    """C for a bar, D on the next bar line; a pedal before the key sustains it, as in a player."""
    track = b"\x00\x90\x3c\x50\x00" + first + number(1920) + b"\x00".join(at_bar_line)
    assert lengths(track + note(62, 480) + pedal(0, after=1440)) == {60: [length], 62: [16]}


def test_a_key_of_no_length_is_sustained_by_the_pedal_that_goes_down_before_it():
    assert lengths(pedal(127) + note(60, 0) + pedal(0, after=960)) == {60: [8]}


def test_a_song_lasts_until_the_pedal_goes_up_within_two_bars_of_the_last_key():
    track = note(60, 120) + pedal(127) + note(62, 120)
    assert lengths(track + pedal(0, after=3480)) == {60: [1], 62: [30]}
    assert lengths(pedal(127) + note(60, 120) + pedal(0, after=4800)) == {60: [16]}
    drums = pedal(127, channel=10) + pedal(0, after=3600, channel=10)
    assert read_midi(midi(note(60, 120), drums)).bars == 1


@pytest.mark.parametrize(("title", "first"), [("pedal", [45, 39, 33, 27]), ("dry", [3, 3, 3, 3])])
def test_a_played_piano_sounds_as_long_as_its_pedal(
    shared_cases: Path, title: str, first: list[int]
):
    song = read_midi(shared_cases / "music" / "sustain-pedal" / f"{title}.mid")
    assert song.notes.length.tolist() == 8 * first
