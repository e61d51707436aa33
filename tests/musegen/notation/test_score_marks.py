"""Keys, sections and lyrics of scores stay with the songs that are read."""

import pytest

from musegen.files.midi import read_midi
from musegen.roll import KEY_SIGNATURE, Grid
from musegen.smf.kinds import LYRIC, MARKER
from musegen.tracks import PIANO

TRANSPOSED = "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>"


def attributes(fifths: int, mode: str = "major", more: str = "") -> str:
    key = f"<key><fifths>{fifths}</fifths><mode>{mode}</mode></key>"
    return f"<attributes><divisions>1</divisions>{key}{more}</attributes>"


def sung(*verses: tuple[str, str]) -> str:
    lyrics = "".join(
        f'<lyric number="{number}"><syllabic>{kind}</syllabic><text>{text}</text></lyric>'
        for number, (kind, text) in enumerate(verses, 1)
    )
    pitch = "<pitch><step>C</step><octave>4</octave></pitch>"
    return f"<note>{pitch}<duration>2</duration>{lyrics}</note>"


def section(letter: str) -> str:
    kind = f"<direction-type><rehearsal>{letter}</rehearsal></direction-type>"
    return f"<direction>{kind}</direction>"


def marks(*parts: list[str]) -> list[tuple[int, int, bytes]]:
    pytest.importorskip("music21")
    heads = found = ""
    for part, measures in enumerate(parts):
        heads += f'<score-part id="P{part}"><part-name>Choir</part-name></score-part>'
        inside = "".join(f"<measure>{one}</measure>" for one in measures)
        found += f'<part id="P{part}">{inside}</part>'
    score = f"<score-partwise><part-list>{heads}</part-list>{found}</score-partwise>"
    song = read_midi(score.encode(), PIANO, Grid(steps_per_beat=1))
    return [(mark.at, mark.kind, mark.data) for mark in song.marks]


@pytest.mark.slow
def test_keys_are_those_that_sound_and_come_back_with_their_measures():
    back = '<barline location="right"><repeat direction="backward"/></barline>'
    rest = sung() + sung()
    assert marks([attributes(-3, "minor") + rest, attributes(2) + rest + back]) == [
        (0, KEY_SIGNATURE, b"\xfd\x01"),
        (4, KEY_SIGNATURE, b"\x02\x00"),
        (8, KEY_SIGNATURE, b"\xfd\x01"),
        (12, KEY_SIGNATURE, b"\x02\x00"),
    ]
    assert marks([attributes(3, more=TRANSPOSED) + rest]) == [(0, KEY_SIGNATURE, b"\x01\x00")]


@pytest.mark.slow
def test_sections_and_lyrics_are_those_of_one_part_verse_by_verse():
    back = '<barline location="right"><repeat direction="backward"/></barline>'
    verse = sung(("begin", "A"), ("begin", "Ma")) + sung(("end", "ve"), ("end", "ter"))
    measures = [attributes(0) + section("A") + verse + back, section("B") + sung() + sung()]
    once = [
        (0, MARKER, b"A"),
        (0, LYRIC, b"A"),
        (2, LYRIC, b"ve "),
        (4, MARKER, b"A"),
        (4, LYRIC, b"Ma"),
        (6, LYRIC, b"ter "),
        (8, MARKER, b"B"),
    ]
    assert marks(measures) == marks(measures, measures) == once
