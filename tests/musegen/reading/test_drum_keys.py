"""Drums that are a part each: in which keys they are read."""

from typing import Any

import pytest
from handmade import midi, name, note, program

from musegen.files.midi import read_midi, read_performance
from musegen.tracks import Track


def part(called: str, *pitches: int, channel: int = 1) -> bytes:
    return name(called) + b"".join(note(pitch, 480, channel=channel) for pitch in pitches)


def keys(*tracks: bytes, **options: Any) -> list[int]:
    song = read_midi(midi(*tracks), **options)
    return [24 + pitch for pitch in song.notes.pitch.tolist()]


@pytest.mark.parametrize("channel", [1, 10])
def test_drums_that_are_all_at_one_c_are_those_of_their_names(channel: int):
    drums = [
        part(called, 60, channel=channel)
        for called in ("Kick 01", "Snare", "Hat", "Open Hat", "CLAP", "Rim", "Low Tom", "Crash")
    ]
    assert keys(*drums, names=True) == [36, 37, 38, 39, 42, 45, 46, 49]
    played = read_performance(midi(*drums))
    assert played.pitch.tolist() == [36, 38, 42, 46, 39, 37, 45, 49]


@pytest.mark.parametrize(
    ("called", "pitches"),
    [
        ("Kick", [35]),
        ("Kick", [36]),
        ("Bongos", [60]),
        ("Snare", [31]),
        ("Snare", [48, 60]),
        ("Kick + Snare", [60]),
        ("Drums", [60]),
    ],
)
def test_drums_of_keys_of_their_own_stay_in_them(called: str, pitches: list[int]):
    assert keys(part(called, *pitches, channel=10)) == pitches


def test_drums_that_a_track_claims_by_name_are_in_their_keys_and_others_are_melodic():
    tracks = (
        Track(name="Beat", is_drum=True, name_pattern="kick|snare"),
        Track(name="R", rest=True),
    )
    song = [part("Kick", 60), part("Snare", 60), part("Clap song", 60)]
    assert keys(*song, tracks=tracks) == [36, 38, 60]
    assert keys(program(27) + part("Snare guitar", 60)) == [60]
