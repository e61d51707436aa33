"""Measures of scores by others: parts stay together, and what is silent stays so."""

from xml.etree import ElementTree

import numpy as np
import pytest

from musegen.files.midi import Song, read_midi, read_performance
from musegen.notation.measures import of_equal_lengths, without_cues
from musegen.roll import Grid
from musegen.tracks import Track

GRID = Grid(steps_per_beat=4)
HIGH = Track(name="High", order=0)
LOW = Track(name="Low", order=1)
KIT = Track(name="Kit", is_drum=True)
REST = Track(name="Rest", rest=True)
BAR = (
    "<attributes><divisions>2</divisions><time><beats>4</beats><beat-type>4</beat-type></time>"
    "</attributes>"
)
FORWARD = "<forward><duration>4</duration></forward>"
REPEAT = '<barline location="right"><repeat direction="backward"/></barline>'
WHOLE_REST = '<note><rest measure="yes"/><duration>8</duration></note>'
PICKUP = ' implicit="yes"'


def line(letters: str, octave: int = 4) -> str:
    """Quarter notes, as ABC writes their letters; z is a rest."""
    return "".join(
        "<note><rest/><duration>2</duration></note>"
        if letter == "z"
        else f"<note><pitch><step>{letter}</step><octave>{octave}</octave></pitch>"
        "<duration>2</duration></note>"
        for letter in letters
    )


def score(*parts: list[str], pickup: bool = False) -> bytes:
    heads, found = "", ""
    for number, measures in enumerate(parts, 1):
        heads += f'<score-part id="P{number}"><part-name>{number}</part-name></score-part>'
        inside = "".join(
            f'<measure number="{n}"{PICKUP if pickup and n == 1 else ""}>{measure}</measure>'
            for n, measure in enumerate(measures, 1)
        )
        found += f'<part id="P{number}">{inside}</part>'
    return f"<score-partwise><part-list>{heads}</part-list>{found}</score-partwise>".encode()


def read(*parts: list[str], pickup: bool = False, tracks: tuple[Track, ...] = (HIGH, LOW)) -> Song:
    pytest.importorskip("music21")
    return read_midi(score(*parts, pickup=pickup), tracks, GRID)


def beats(song: Song, track: int) -> list[float]:
    """The beats at which notes of a track begin."""
    return (song.notes.of(track).start / GRID.steps_per_beat).tolist()


@pytest.mark.parametrize(("double", "added"), [("", -12), (" above='yes'", 12)])
def test_a_transposition_may_double_the_octave(double: str, added: int):
    """Until the next one, which doubles none."""
    transpose = "<attributes><transpose><chromatic>0</chromatic>{}</transpose></attributes>"
    doubled = transpose.format(f"<double{double}/>") + line("CDEF")
    song = read([BAR + doubled, transpose.format("") + line("CDEF")])
    pitches = [60, 62, 64, 65]
    both = sorted([*pitches, *pitches, *(pitch + added for pitch in pitches)])
    assert sorted((song.notes.pitch + GRID.lowest_pitch).tolist()) == both


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('<part-list><score-part id="P1"><part-name>1</part-name></score-part></part-list>', ""),
        ('<score-part id="P1">', '<score-part id="P9">'),
        ('<part id="P1">', "<part>"),
    ],
)
def test_parts_need_no_entry_in_the_list_of_parts(old: str, new: str):
    pytest.importorskip("music21")
    whole = score([BAR + line("CDEF")]).decode()
    assert old in whole
    assert len(read_midi(whole.replace(old, new).encode(), (HIGH,), GRID).notes) == 4


@pytest.mark.slow
@pytest.mark.parametrize("short", [line("GA"), line("GA") + FORWARD])
@pytest.mark.parametrize("bar", [0, 1])
def test_a_measure_that_is_short_in_one_part_moves_no_note_after_it(short: str, bar: int):
    measures = [line("CDEF"), line("CDEF"), line("CDEF")]
    other = [*measures[:bar], short, *measures[bar + 1 :]]
    song = read([BAR + measures[0], *measures[1:]], [BAR + other[0], *other[1:]])
    assert beats(song, 0) == [*range(12)]
    assert beats(song, 1) == [n for n in range(12) if n not in (4 * bar + 2, 4 * bar + 3)]


@pytest.mark.slow
@pytest.mark.parametrize("silent", ["", WHOLE_REST, FORWARD, line("z")])
@pytest.mark.parametrize("first", [True, False])
def test_a_pickup_is_as_short_in_parts_that_are_silent(silent: str, first: bool):
    plays, rests = [BAR + line("G"), line("CDEF")], [BAR + silent, line("EFGA", 2)]
    if silent == FORWARD:
        rests[0] = BAR
    song = read(*((rests, plays) if first else (plays, rests)), pickup=True)
    assert (song.left_out.pickup_beats, song.bars) == (1, 1)
    assert beats(song, 0) == beats(song, 1) == [0, 1, 2, 3]


@pytest.mark.slow
def test_the_bar_before_a_repeat_and_its_pickup_are_one_bar():
    song = read(
        [
            BAR + line("G"),
            line("CDEF"),
            line("CDE") + REPEAT,
            line("A"),
            line("CDEF"),
            line("CDE"),
        ],
        pickup=True,
        tracks=(HIGH,),
    )
    assert (song.left_out.pickup_beats, song.bars, song.left_out.bars) == (1, 6, 0)
    starts, pitch = song.notes.start / GRID.steps_per_beat, song.notes.pitch
    assert starts[pitch == 60 - GRID.lowest_pitch].tolist() == [0, 4, 8, 12, 16, 20]
    assert starts[pitch == 67 - GRID.lowest_pitch].tolist() == [7]


@pytest.mark.slow
def test_a_bar_that_is_too_long_moves_no_bar_line_after_it():
    song = read([BAR + line("CDEF"), line("CDEFG"), line("CDEF")], tracks=(HIGH,))
    assert (song.bars, song.left_out.bars, beats(song, 0)) == (2, 1, [*range(8)])


@pytest.mark.slow
def test_drums_are_known_by_their_places_on_the_staff():
    places = [("F", 4), ("C", 5), ("G", 5), ("E", 4)]  # bass drum, snare, hi-hat, a single line
    notes = "".join(
        f"<note><unpitched><display-step>{step}</display-step><display-octave>{octave}"
        "</display-octave></unpitched><duration>2</duration></note>"
        for step, octave in places
    )
    song = read([BAR + notes], [BAR + line("CDEF")], tracks=(KIT, REST))
    kit = song.notes.of(0)
    np.testing.assert_array_equal(kit.pitch + GRID.lowest_pitch, [36, 38, 42, 38])
    assert [part.is_drum for part in song.claims.parts] == [True, False]


CUE = "<note><cue/>{}<pitch><step>B</step><octave>5</octave></pitch>{}<voice>2</voice></note>"


def test_cue_notes_are_rests():
    long = "<duration>8</duration>"
    measure = (
        BAR + CUE.format("", long) + CUE.format("<chord/>", long) + CUE.format("<grace/>", "")
    )
    root = without_cues(ElementTree.fromstring(score([measure])))
    (note,) = root.iter("note")
    assert [one.tag for one in note] == ["rest", "duration", "voice"]
    assert note.findtext("duration") == "8"


def test_measures_are_filled_up_in_the_voice_that_ends_last():
    voices = "<note><rest/><duration>2</duration><voice>{}</voice></note>"
    back = "<backup><duration>{}</duration></backup>"
    two = BAR + 3 * voices.format(1) + back.format(6) + voices.format(2)
    root = of_equal_lengths(ElementTree.fromstring(score([two], [BAR + line("CDEF")])))
    *_, forward, rest = root.find("part/measure") or []
    assert (forward.tag, forward.findtext("duration")) == ("forward", "4.0")
    assert (rest.findtext("duration"), rest.findtext("voice")) == ("2.0", "1")


def repeating(kind: str, measures: int = 1) -> str:
    sign = f'<measure-repeat type="{kind}">{measures if kind == "start" else ""}</measure-repeat>'
    return f"<attributes><measure-style>{sign}</measure-style></attributes>"


@pytest.mark.slow
def test_empty_measures_repeat_others_where_a_sign_says_so() -> None:
    """Two repeat two, then comes one of rest; what the sign stands over stays if it has notes."""
    rest, two = "zzzz", repeating("start", 2)
    measures = [BAR + line("CzDz"), line("zEzz"), two + line(rest), line(rest)]
    song = read([*measures, repeating("stop") + line(rest), line("FFFF")])
    assert beats(song, 0) == [0, 2, 5, 8, 10, 13, 20, 21, 22, 23]
    song = read([BAR + line("CCzz"), repeating("start") + line("zzCz"), WHOLE_REST])
    assert beats(song, 0) == [0, 1, 6, 10]


@pytest.mark.slow
def test_notes_are_tied_as_they_are_drawn_where_no_tie_sounds() -> None:
    """C sounds through two bars; beside a tie that sounds, one that is only drawn is struck."""
    drawn = [
        f"<notations><tied type='{kind}'/></notations>" for kind in ("start", "stop", "let-ring")
    ]
    whole = "<note><pitch><step>C</step><octave>4</octave></pitch><duration>8</duration>{}</note>"
    bars = [whole.format(drawn[0]), whole.format(drawn[1]), whole.format(drawn[2])]
    assert beats(read([BAR + bars[0], *bars[1:], whole.format("")]), 0) == [0, 8, 12]
    sounding = [whole.format(f'<tie type="{kind}"/>') for kind in ("start", "stop")]
    assert beats(read([BAR + bars[0], bars[1], *sounding]), 0) == [0, 4, 8]


@pytest.mark.slow
def test_tablature_beside_its_notes_is_silent() -> None:
    """The other staff of a piano is not, though it has one of the notes."""
    staves = BAR.replace("</attributes>", "<staves>2</staves></attributes>")
    back = "<backup><duration>8</duration></backup>"

    def on(staff: int, letters: str) -> str:
        return line(letters).replace("</note>", f"<staff>{staff}</staff></note>")

    same = read([staves + on(1, "CDEF") + back + on(2, "CDEF")])
    assert [part.name for part in same.claims.parts] == ["1"]
    other = read([staves + on(1, "CDEF") + back + on(2, "CGEF")])
    assert [other.notes.of(n).pitch.tolist() for n in (0, 1)] == [
        [36, 38, 40, 41],
        [36, 43, 40, 41],
    ]


@pytest.mark.slow
def test_a_key_of_no_circle_of_fifths_is_none() -> None:
    """B flat and F sharp, as of folk music: its notes have their own accidentals."""
    key = "".join(
        f"<key-step>{step}</key-step><key-alter>{alter}</key-alter>"
        for step, alter in (("B", -1), ("F", 1))
    )
    song = read([BAR.replace("<time>", f"<key>{key}</key><time>") + line("CDEF")])
    assert song.notes.pitch.tolist() == [36, 38, 40, 41] and not song.marks


@pytest.mark.slow
@pytest.mark.parametrize("divisions", ["", "<divisions>0</divisions>"])
def test_a_part_that_says_no_divisions_has_those_of_its_notes_or_of_other_parts(divisions: str):
    """Four quarters last 6 each; without a written value as those of another part; 1."""
    named = "<type>quarter</type>"

    def bar(letters: str, duration: int, shown: str = "") -> str:
        pitches = (f"<pitch><step>{one}</step><octave>4</octave></pitch>" for one in letters)
        return "".join(f"<note>{p}<duration>{duration}</duration>{shown}</note>" for p in pitches)

    def placed(*parts: str) -> list[list[float]]:
        heads = "".join(
            f'<score-part id="P{n}"><part-name/></score-part>' for n in range(len(parts))
        )
        inside = "".join(
            f'<part id="P{n}"><measure>{one}</measure></part>' for n, one in enumerate(parts)
        )
        text = f"<score-partwise><part-list>{heads}</part-list>{inside}</score-partwise>"
        played = read_performance(text.encode())
        return [(2 * played.start[played.track == n]).tolist() for n in range(len(parts))]

    said = f"<attributes>{divisions}</attributes>"
    beats = [0.0, 1.0, 2.0, 3.0]
    assert placed(said + bar("CDEF", 6, named)) == [beats]
    other = "<attributes><divisions>4</divisions></attributes>" + bar("GABA", 4)
    assert placed(said + bar("CDEF", 4), other) == [beats, beats]
    assert placed(said + bar("CDEF", 1)) == [beats]


@pytest.mark.parametrize("divisions", [2, None])
def test_notes_that_show_their_values_alone_are_as_long_as_they_are_drawn(divisions: int | None):
    """A dotted quarter, an eighth, a chord, and three quarters in the time of two."""
    pytest.importorskip("music21")
    in_time = "<actual-notes>3</actual-notes><normal-notes>2</normal-notes>"
    triplet = f"<type>quarter</type><time-modification>{in_time}</time-modification>"
    drawn = (
        ("C", "<type>quarter</type><dot/>"),
        ("D", "<duration>0</duration><type>eighth</type>"),
        *(("E", triplet), ("F", triplet), ("G", triplet)),
    )
    notes = "".join(
        f"<note><pitch><step>{step}</step><octave>4</octave></pitch>{value}</note>"
        for step, value in drawn
    )
    chord = "<note><chord/><pitch><step>B</step><octave>4</octave></pitch>"
    notes = notes.replace(
        "<note><pitch><step>E", f"{chord}<type>eighth</type></note><note><pitch><step>E"
    )
    said = f"<divisions>{divisions}</divisions>" if divisions else ""
    music = f"<attributes>{said}</attributes>{notes}"
    found = read_midi(score([music]), (HIGH, LOW), Grid()).notes
    assert found.start.tolist() == [0, 18, 18, 24, 32, 40]
    assert found.length.tolist() == [18, 6, 6, 8, 8, 8]
