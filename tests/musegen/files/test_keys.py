"""Keys: which event ends which note."""

from collections import deque

import pytest
from handmade import control, meta, midi, note, number, program
from hypothesis import given
from hypothesis import strategies as st

from musegen.files.keys import keys_of
from musegen.smf.events import scan


def pairs(*tracks: bytes) -> list[tuple[int, int]]:
    """(start, end) of each note in ticks."""
    events = scan(midi(*tracks))
    down, up = keys_of(events)
    return list(zip(events.tick[down].tolist(), events.tick[up].tolist(), strict=True))


def down(pitch: int, after: int = 0, channel: int = 0) -> bytes:
    return bytes([after, 0x90 + channel, pitch, 64])


def up(pitch: int, after: int = 0, channel: int = 0) -> bytes:
    return bytes([after, 0x80 + channel, pitch, 64])


def test_of_two_notes_of_a_key_the_first_ends_first():
    """At 0 and 10 down, at 15 and 40 up."""
    assert pairs(down(60) + down(60, 10) + up(60, 5) + up(60, 25)) == [(0, 15), (10, 40)]


def test_a_key_has_a_track_a_channel_and_a_pitch():
    track = down(60) + up(60, 3, channel=1) + up(61, 4) + up(60, 5)
    assert pairs(track, up(60, 2) + down(60) + bytes([9, 0x90, 60, 0])) == [(0, 12), (2, 11)]


def test_a_pitch_above_127_is_127():
    assert pairs(bytes([0, 0x90, 0xDC, 64]) + up(127, 7)) == [(0, 7)]


def test_ends_without_a_note_are_left_out():
    assert pairs(up(60, 1) + down(60, 1) + up(60, 1) + note(62, 8)) == [(2, 3), (3, 11)]
    assert pairs(up(60, 1) + up(60, 1) + program(3)) == []


def test_a_key_that_is_struck_twice_before_it_goes_up_sounds_twice():
    """The first takes the end that there is, and the second one has the next: that of another."""
    assert pairs(down(60) + down(60, 5) + up(60, 5)) == [(0, 10), (5, 10)]
    thrice = down(60) + down(60, 5) + up(60, 5) + down(60) + up(60, 7)
    assert pairs(thrice) == [(0, 10), (5, 17), (10, 17)]


def test_notes_without_an_end_sound_until_their_track_silences_the_channel_or_ends():
    """Drum machines write strikes alone; others end a chord by one message."""
    struck = down(36, channel=9) + down(38, 5, channel=9)
    assert pairs(struck + program(3) + bytes([9, 0xFF, 1, 0]), note(60, 99)) == [
        (0, 14),
        (5, 14),
        (0, 99),
    ]
    for kind in (120, 123):
        silenced = down(60) + down(64, channel=1) + bytes([7, 0xB0, kind, 0]) + up(64, 3, 1)
        assert pairs(down(60), silenced + program(3)) == [(0, 0), (0, 7), (0, 10)]


@pytest.mark.parametrize("kind", [120, 123, 124, 125, 126, 127])
def test_notes_end_where_their_channel_is_silenced_in_whatever_track(kind: int):
    """Those that start with the message, and those of other channels and ports, sound on."""
    held = note(60, 40) + note(62, 40)
    silence = control(kind, 0, after=30) + control(kind, 0, after=10)
    others = note(64, 70, channel=2), meta(0x21, b"\1") + note(65, 70)
    assert pairs(silence, held, *others) == [(0, 30), (40, 80), (0, 70), (0, 70)]
    assert pairs(held + silence, *others) == [(0, 40), (40, 80), (0, 70), (0, 70)]


@pytest.mark.parametrize("kind", [119, 121, 122])
def test_other_controllers_let_notes_sound(kind: int):
    assert pairs(control(kind, 0, after=30), note(60, 40)) == [(0, 40)]


def test_a_reset_silences_the_channels_of_its_port():
    reset = number(30) + b"\xf0" + number(5) + bytes.fromhex("7e 7f 09 01 f7")
    found = pairs(reset, note(60, 40), note(62, 40, channel=9), meta(0x21, b"\1") + note(65, 70))
    assert found == [(0, 30), (0, 30), (0, 70)]


def test_a_note_without_an_end_ends_with_its_key_in_another_track_of_its_channel():
    """Some files part notes from their ends; notes with ends keep them."""
    struck = down(60) + down(62, 5) + meta(1, b"", after=90)
    assert pairs(struck, up(60, 20) + up(62, 9, channel=1)) == [(0, 20), (5, 95)]
    assert pairs(note(60, 50), up(60, 20)) == [(0, 50)]
    assert pairs(struck, meta(0x21, b"\1") + up(60, 20)) == [(0, 95), (5, 95)]


def test_notes_are_in_the_order_of_their_starts_in_each_track():
    chord = down(67) + down(60) + up(60, 5) + up(67, 1) + note(64, 2)
    assert pairs(chord, note(50, 3)) == [(0, 6), (0, 5), (6, 8), (0, 3)]


@given(st.lists(st.tuples(st.integers(60, 62), st.booleans()), max_size=40))
def test_each_end_takes_the_first_note_that_waits(played: list[tuple[int, bool]]):
    """Followed one by one; a tick parts the events. Those that wait still have the next end."""
    track = b"".join(down(p, 1) if is_down else up(p, 1) for p, is_down in played)
    waiting: dict[int, deque[int]] = {}
    ends: dict[int, list[int]] = {}
    expected = []
    for tick, (pitch, is_down) in enumerate(played, 1):
        keys = waiting.setdefault(pitch, deque())
        if is_down:
            keys.append(tick)
            continue
        ends.setdefault(pitch, []).append(tick)
        if keys:
            expected.append((keys.popleft(), tick))
    for pitch, starts in waiting.items():
        for start in starts:
            later = [end for end in ends.get(pitch, []) if end > start]
            expected.append((start, min(later, default=len(played))))
    assert pairs(track) == sorted(expected)
