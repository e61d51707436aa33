"""Sounds by number and by name."""

import pytest

from core.errors import ConfigError
from musegen.files.programs import DRUM_KITS, read_programs, with_programs
from musegen.tracks import LAKH


def programs(text: str) -> list[int]:
    return [track.program for track in with_programs(LAKH, read_programs(text))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [0, 0, 24, 33, 48]),
        ("bass=38,piano=4", [0, 4, 24, 38, 48]),
        ("Bass=Synth Bass 1, PIANO = electric piano", [0, 4, 24, 38, 48]),
        ("guitar=guitar,strings=violin", [0, 0, 24, 33, 40]),
        ("drums=jazz,bass=0", [32, 0, 24, 0, 48]),
        ("drums=tr-808", [25, 0, 24, 33, 48]),
        ("strings=127", [0, 0, 24, 33, 127]),
    ],
)
def test_a_track_gets_the_sound_that_is_named(text: str, expected: list[int]):
    assert programs(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "tuba=3",
            "--programs: no track is called 'tuba': there are drums, piano, guitar, bass, strings",
        ),
        ("pianos=3", "did you mean 'piano'"),
        ("bass=128", "programs are 0 to 127, not 128"),
        ("bass=slap tuba", "names like it are Slap Bass 1, Slap Bass 2, Tuba"),
        ("piano=ベース", "no instrument is called"),
        ("drums=violin", "no drum kit is called 'violin'"),
        ("drums=violin", ", ".join(DRUM_KITS)),
        ("bass", "'bass' names no sound: --programs bass=38,piano=4"),
        ("bass=", "'bass' names no sound"),
    ],
)
def test_what_is_unknown_gets_the_known(text: str, said: str):
    with pytest.raises(ConfigError) as caught:
        programs(text)
    assert said in str(caught.value)


def test_tracks_are_otherwise_as_they_were():
    changed = with_programs(LAKH, {"bass": "38"})
    assert changed[3] == LAKH[3].replace(program=38)
    assert changed[:3] + changed[4:] == LAKH[:3] + LAKH[4:]
