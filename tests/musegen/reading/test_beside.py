"""Lyrics and other marks beside the notes of a file."""

from handmade import meta, midi, note

from musegen.files.midi import read_midi
from musegen.roll import KEY_SIGNATURE, Grid
from musegen.smf.kinds import LYRIC, MARKER, TEXT


def marks(*tracks: bytes) -> list[tuple[int, int, bytes]]:
    song = read_midi(midi(*tracks), grid=Grid(steps_per_beat=4))
    return [(mark.at, mark.kind, mark.data) for mark in song.marks]


def test_the_texts_of_a_karaoke_file_are_its_lyrics():
    about = meta(TEXT, b"@KMIDI KARAOKE FILE") + meta(TEXT, b"@V0100")
    words = meta(TEXT, b"@TSong") + meta(TEXT, b"\\La", 480) + meta(TEXT, b"la ", 480)
    tune = note(60, 480, after=480) + note(60, 480)
    assert marks(about, words, tune) == [(4, LYRIC, b"\\La"), (8, LYRIC, b"la ")]
    assert marks(words, tune) == []


def test_what_several_tracks_say_at_one_step_counts_once():
    """Sequencers write keys and markers in every track; a key that comes back is another one."""
    about = meta(KEY_SIGNATURE, b"\x02\x00") + meta(MARKER, b"A")
    back = note(62, 480) + meta(KEY_SIGNATURE, b"\x02\x00", 1440)
    assert marks(about + note(60, 480), about + back + note(62, 480)) == [
        (0, KEY_SIGNATURE, b"\x02\x00"),
        (0, MARKER, b"A"),
        (16, KEY_SIGNATURE, b"\x02\x00"),
    ]
