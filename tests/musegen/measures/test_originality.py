"""Copies: bars and parts that are known note for note."""

import numpy as np
import pytest
from excerpt_rows import BASS, DRUMS, PIANO, excerpts

from musegen.measures.originality import KnownSongs, piece_digests

SONG = [
    (0, PIANO, 0, 60, 14), (0, PIANO, 30, 64, 2), (0, BASS, 3, 40), (0, DRUMS, 14, 36),
    (0, BASS, 40, 41, 5), (0, PIANO, 50, 67),
]  # fmt: skip
"""Six bars of twelve sixteenths; the first note is held over a bar line."""


def known(part_bars: int = 3) -> KnownSongs:
    return KnownSongs.of([excerpts(*SONG, bars=6, songs=(0,))], part_bars)


def moved(rows, bars: int) -> list[tuple[int, ...]]:
    return [(row[0], row[1], row[2] + 12 * bars, *row[3:]) for row in rows]


def test_a_bar_is_copied_if_all_tracks_have_its_notes_wherever_it_stands():
    """Bar 0 stands in bar 2, bar 3 without the bass in bar 0, bar 4's note is another in bar 1."""
    copy = moved([(0, PIANO, 0, 60, 12), (0, BASS, 3, 40)], 2)
    music = excerpts(*copy, (0, PIANO, 18, 68), (0, PIANO, 3, 60), songs=(1,))
    assert known().copied_bars(music) == pytest.approx(1 / 3)
    assert known().copied_bars(excerpts((0, PIANO, 0, 60, 12), (0, BASS, 3, 40), songs=(1,))) == 1
    longer = excerpts((0, PIANO, 0, 60, 11), (0, BASS, 3, 40), songs=(1,))
    assert known().copied_bars(longer) == 0, "another length"
    assert np.isnan(known().copied_bars(excerpts(songs=(1,))))


def test_a_part_is_copied_if_one_track_is_known_over_all_bars():
    """Three bars from bar 2 of the song on: piano and bass are known, the drums are not."""
    inside = [(0, PIANO, 6, 64, 2), (0, BASS, 16, 41, 5), (0, PIANO, 26, 67), (0, DRUMS, 3, 36)]
    assert known().copied_parts(excerpts(*inside, bars=3, songs=(1,))) == pytest.approx(2 / 3)
    wrong = [(0, PIANO, 6, 64, 2), (0, PIANO, 14, 67)]
    assert known().copied_parts(excerpts(*wrong, bars=3, songs=(1,))) == 0
    assert len(KnownSongs.of([excerpts(*SONG, bars=6, songs=(0,))], 7).parts) == 0


def test_a_song_is_known_from_any_bar_on():
    """An excerpt that begins in a held note copies the part too."""
    tail = [(0, PIANO, 0, 60, 2), (0, PIANO, 18, 64, 2), (0, DRUMS, 2, 36)]
    assert known(2).copied_parts(excerpts(*tail, bars=2, songs=(1,))) == 1


def test_digests_differ_where_any_column_does():
    note = (0, PIANO, 3, 60, 4)
    others = [
        (0, BASS, 3, 60, 4),
        (0, PIANO, 4, 60, 4),
        (0, PIANO, 3, 61, 4),
        (0, PIANO, 3, 60, 5),
    ]
    digests = [int(piece_digests(excerpts(one, songs=(1,))).sum()) for one in (note, *others)]
    assert len(set(digests)) == 5
    later = piece_digests(excerpts((0, PIANO, 27, 60, 4), songs=(1,)))
    assert later[0, 2, PIANO] == digests[0], "the bar does not count"
