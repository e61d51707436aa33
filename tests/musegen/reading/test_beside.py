"""Lyrics and other marks beside the notes of a file."""

from handmade import meta, midi, note

from musegen.files.midi import read_midi
from musegen.files.smf import LYRIC, TEXT
from musegen.roll import Grid


def marks(*tracks: bytes) -> list[tuple[int, int, bytes]]:
    song = read_midi(midi(*tracks), grid=Grid(steps_per_beat=4))
    return [(mark.at, mark.kind, mark.data) for mark in song.marks]


def test_the_texts_of_a_karaoke_file_are_its_lyrics():
    about = meta(TEXT, b"@KMIDI KARAOKE FILE") + meta(TEXT, b"@V0100")
    words = meta(TEXT, b"@TSong") + meta(TEXT, b"\\La", 480) + meta(TEXT, b"la ", 480)
    tune = note(60, 480, after=480) + note(60, 480)
    assert marks(about, words, tune) == [(4, LYRIC, b"\\La"), (8, LYRIC, b"la ")]
    assert marks(words, tune) == []
