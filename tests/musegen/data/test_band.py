"""The procedural band plays what its styles, its chords and its form say, written out by hand."""

from collections.abc import Iterator

import numpy as np
import pytest

from musegen.data.band import NAMES, STYLES, Answers, song
from musegen.roll import Grid, Roll

GRID = Grid(steps_per_beat=4)
DRUMS, PIANO, GUITAR, BASS, STRINGS = range(5)

GROOVES = {
    "pop": {
        36: "x.....x.x.......",
        38: "....x.......x...",
        42: "x.x.x.x.x.x.x.x.",
        "bass": "x.x.x.x.x.x.x.x.",
        "piano": "x.....x...x.....",
    },
    "rock": {
        36: "x.......x.x.....",
        38: "....x.......x...",
        42: "x.x.x.x.x.x.x.x.",
        "bass": "x.x.x.x.x.x.x.x.",
        "piano": "x...x...x...x...",
    },
    "ballad": {
        36: "x.........x.....",
        38: "........x.......",
        51: "x...x...x...x...",
        "bass": "x.......x.......",
        "piano": "x.x.x.x.x.x.x.x.",
    },
    "funk": {
        36: "x..x......x.....",
        38: "....x.......x...",
        42: "xxxxxxxxxxxxxxxx",
        "bass": "x..x..x...x..x..",
        "piano": "..x..x....x..x..",
    },
    "bossa": {
        36: "x.....x.x.....x.",
        37: "x.....x.....x...",
        42: "x.x.x.x.x.x.x.x.",
        "bass": "x.....x.x.....x.",
        "piano": "x.....x...x.....",
    },
    "swing": {  # its off-beats sound a third of a beat before the next one
        36: "x.......x.......",
        38: "....x.......x...",
        51: "x...x..xx...x..x",
        "bass": "x...x...x...x...",
        "piano": ".......x.......x",
    },
}
"""A bar of a verse in sixteenths: the drums by their pitch, and when bass and piano begin."""


def written(roll: Roll, bar: int, track: int, pitch: int | None = None) -> str:
    """Return a bar of a track, or of one of its pitches, as in `GROOVES`."""
    notes, first = roll.notes, 16 * bar
    ours = (notes.track == track) & (notes.start >= first) & (notes.start < first + 16)
    if pitch is not None:
        ours &= notes.pitch == pitch - GRID.lowest_pitch
    steps = set((notes.start[ours] - first).tolist())
    return "".join("x" if step in steps else "." for step in range(16))


def pitches(roll: Roll, bar: int, track: int) -> set[int]:
    """Return the MIDI pitches that begin in a bar of a track."""
    notes = roll.notes
    ours = (notes.track == track) & (notes.start // 16 == bar)
    return set((notes.pitch[ours] + GRID.lowest_pitch).tolist())


def sections(roll: Roll, facts: Answers) -> Iterator[tuple[int, str]]:
    """Yield the first bar and the name of each section."""
    assert roll.bars == len(facts.chords) == 4 * len(facts.form)
    return ((4 * number, name) for number, name in enumerate(facts.form))


@pytest.mark.parametrize("style", list(STYLES))
def test_a_verse_has_the_groove_of_its_style_and_its_fourth_bar_a_fill(style: str):
    roll, facts = song(3, GRID, style)
    assert facts.style == style
    verse = next(bar for bar, name in sections(roll, facts) if name == "verse")
    groove = GROOVES[style]
    tracks = {"bass": BASS, "piano": PIANO}
    for bar in (verse, verse + 2):
        for part, rhythm in groove.items():
            pitch = part if isinstance(part, int) else None
            assert written(roll, bar, tracks.get(str(part), DRUMS), pitch) == rhythm, part
        assert pitches(roll, bar, DRUMS) == {part for part in groove if isinstance(part, int)}
    fourth = verse + 3
    played = {pitch: written(roll, fourth, DRUMS, pitch)[12:] for pitch in (38, 47, 43)}
    third = "...x" if style == "swing" else "..x."  # an off-beat, late as all of them
    assert played == {38: "xx..", 47: third, 43: "...x"}
    backbeat = 37 if 37 in groove else 38  # the rim of the bossa
    assert written(roll, fourth, DRUMS, backbeat)[:12] == groove[backbeat][:12]


TEMPI = {
    "pop": (96, 128),
    "rock": (112, 160),
    "ballad": (60, 84),
    "funk": (92, 116),
    "bossa": (108, 140),
    "swing": (120, 180),
}
"""The slowest and the fastest of each style, in beats a minute."""


@pytest.fixture(scope="module")
def many() -> list[tuple[Roll, Answers]]:
    return [song([5, number], GRID) for number in range(150)]


def test_a_song_keeps_to_the_tempi_of_its_style(many: list[tuple[Roll, Answers]]):
    assert {facts.style for _, facts in many} == set(TEMPI)
    for roll, facts in many:
        slowest, fastest = TEMPI[facts.style]
        assert slowest <= facts.tempo_bpm <= fastest
        assert roll.tempo_bpm.tolist() == [facts.tempo_bpm] * roll.bars


PROGRESSIONS = {
    "major": {"C G Am F", "C Am F G", "Am F C G", "C F C G", "Dm G C Am"},
    "minor": {"Cm Ab Eb Bb", "Cm Fm Bb Eb", "Cm Ab Fm Gm", "Cm Bb Ab Bb", "Cm Fm Cm Gm"},
}
"""Four bars of every section, on C."""


def on_c(chord: str, key: str) -> str:
    """Return a chord of a song in `key` as it is called in C."""
    name = chord.removesuffix("dim").removesuffix("m")
    return NAMES[(NAMES.index(name) - NAMES.index(key)) % 12] + chord[len(name) :]


def test_sections_have_the_progressions_of_their_mode(many: list[tuple[Roll, Answers]]):
    found: dict[str, set[str]] = {"major": set(), "minor": set()}
    for roll, facts in many:
        of_name: dict[str, set[str]] = {}
        for bar, name in sections(roll, facts):
            chords = " ".join(on_c(one, facts.key) for one in facts.chords[bar : bar + 4])
            of_name.setdefault(name, set()).add(chords)
            found[facts.mode].add(chords)
        assert all(len(chords) == 1 for chords in of_name.values()), "equal sections differ"
    assert found == PROGRESSIONS


def triad(chord: str) -> set[int]:
    """Return the pitch classes of a chord."""
    name = chord.removesuffix("m")
    root = NAMES.index(name)
    return {root, (root + (3 if chord.endswith("m") else 4)) % 12, (root + 7) % 12}


def test_tracks_play_the_chord_that_is_named(many: list[tuple[Roll, Answers]]):
    for roll, facts in many[:20]:
        for bar, chord in enumerate(facts.chords):
            section = facts.form[bar // 4]
            classes = {track: {p % 12 for p in pitches(roll, bar, track)} for track in range(1, 5)}
            if section != "outro":
                assert classes[PIANO] == triad(chord)
            if section == "chorus" and facts.style == "rock":  # a tone of it and the fifth above
                assert classes[GUITAR] in [{tone, (tone + 7) % 12} for tone in triad(chord)]
            elif section == "chorus":
                assert classes[GUITAR] == triad(chord)
            if section in ("bridge", "outro"):
                assert classes[STRINGS] == triad(chord)
            melody = {"verse": GUITAR, "chorus": STRINGS}.get(section)
            if melody and bar % 4 == 3:  # it closes on the root
                assert classes[melody] == {NAMES.index(chord.removesuffix("m"))}
            assert NAMES.index(chord.removesuffix("m")) in classes[BASS]


PLAYING = {
    "intro": {PIANO, BASS},
    "verse": {DRUMS, PIANO, BASS, GUITAR},
    "chorus": {DRUMS, PIANO, GUITAR, BASS, STRINGS},
    "bridge": {PIANO, BASS, STRINGS},
    "outro": {DRUMS, BASS, STRINGS},
}


def test_sections_bring_tracks_in_and_a_crash_opens_each_chorus(
    many: list[tuple[Roll, Answers]],
):
    assert {" ".join(facts.form) for _, facts in many} == {
        "intro verse chorus verse chorus outro",
        "verse verse chorus bridge chorus",
        "intro verse chorus bridge verse chorus chorus",
    }
    for roll, facts in many[:30]:
        crashes = [bar for bar in range(roll.bars) if 49 in pitches(roll, bar, DRUMS)]
        assert crashes == [bar for bar, name in sections(roll, facts) if name == "chorus"]
        for bar in range(roll.bars):
            tracks = roll.notes.track[roll.notes.start // 16 == bar]
            assert set(tracks.tolist()) == PLAYING[facts.form[bar // 4]]


def lengths(roll: Roll, bar: int, track: int) -> list[int]:
    """Return the distinct lengths in steps of what begins in a bar of a track."""
    notes = roll.notes
    return np.unique(notes.length[(notes.track == track) & (notes.start // 16 == bar)]).tolist()


def test_notes_are_held_until_the_next_but_basses_a_beat_and_chords_three_quarters_at_most():
    for style, bass, piano in (("pop", [2], [3]), ("ballad", [4], [2]), ("bossa", [2, 4], [3])):
        roll, facts = song(3, GRID, style)
        for bar, name in sections(roll, facts):
            if name in ("verse", "chorus"):
                assert lengths(roll, bar, BASS) == bass, style
                assert lengths(roll, bar, PIANO) == piano, style
                assert lengths(roll, bar, DRUMS) == [1]
            if name in ("bridge", "outro"):
                assert lengths(roll, bar, STRINGS) == [16]
            if name == "verse":
                assert lengths(roll, bar + 3, GUITAR) == [12]
