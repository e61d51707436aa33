"""Pedals and ties of scores: how long notes sound."""

import pytest

pytest.importorskip("music21")

from musegen.files.midi import read_midi, read_performance
from musegen.notation.pedals import pedals_of
from musegen.roll import Grid
from musegen.tracks import PIANO

BEGIN = (
    "<attributes><divisions>2</divisions><time><beats>4</beats><beat-type>4</beat-type></time>"
    "{}</attributes>"
)
BACK = '<barline location="right"><repeat direction="backward"/></barline>'


def note(letter: str, beats: int = 1, staff: int = 0, tie: str = "") -> str:
    pitch = f"<pitch><step>{letter}</step><octave>4</octave></pitch>"
    kinds = "".join(f'<tie type="{kind}"/>' for kind in tie.split())
    on = f"<staff>{staff}</staff>" if staff else ""
    return f"<note>{pitch}<duration>{2 * beats}</duration>{kinds}{on}</note>"


def pedal(kind: str, offset: str = "") -> str:
    mark = f'<direction-type><pedal type="{kind}" line="yes"/></direction-type>'
    return f"<direction>{mark}{offset}</direction>"


def score(*measures: str, staves: int = 1) -> bytes:
    head = "<score-part id='P1'><part-name>Piano</part-name></score-part>"
    first, *others = measures
    begin = BEGIN.format(f"<staves>{staves}</staves>" if staves > 1 else "")
    bars = "".join(f"<measure>{one}</measure>" for one in (begin + first, *others))
    part = f"<part id='P1'>{bars}</part>"
    return f"<score-partwise><part-list>{head}</part-list>{part}</score-partwise>".encode()


def sounding(data: bytes, pedal: bool = True) -> list[tuple[int, int, int]]:
    """(beat, beats, pitch) of each note."""
    song = read_midi(data, PIANO, Grid(steps_per_beat=1), pedal=pedal)
    notes, lowest = song.notes, song.grid.lowest_pitch
    columns = (notes.start, notes.length, notes.pitch + lowest)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.slow
def test_notes_sound_while_the_pedal_of_their_part_is_down():
    """It goes down on beat 1, changes on beat 3 and goes up at the end of beat 4: C and D sound
    up to beat 3, E and F up to the bar line, and G, which follows, is as long as it is written."""
    bar = pedal("start") + note("C") + note("D") + pedal("change") + note("E") + note("F")
    data = score(bar + pedal("stop"), note("G") + note("A", 3))
    kept = [(4, 1, 67), (5, 3, 69)]
    assert sounding(data) == [(0, 2, 60), (1, 1, 62), (2, 2, 64), (3, 1, 65), *kept]
    assert [beats for _, beats, _ in sounding(data, pedal=False)] == [1, 1, 1, 1, 1, 3]


@pytest.mark.slow
def test_a_note_that_ends_as_the_pedal_goes_down_ends():
    bar = note("C") + pedal("start") + note("D") + note("E", 2) + pedal("stop")
    assert sounding(score(bar)) == [(0, 1, 60), (1, 3, 62), (2, 2, 64)]


@pytest.mark.slow
def test_a_pedal_is_of_both_staves_and_comes_back_in_each_repeat():
    """Its mark stands in the upper staff alone; C and E of beat 1 sound through the bar."""
    upper = pedal("start") + note("C", staff=1) + note("D", 3, staff=1) + pedal("stop")
    back = "<backup><duration>8</duration></backup>"
    lower = note("E", staff=2) + note("F", 3, staff=2)
    once = [(0, 4, 60), (0, 4, 64), (1, 3, 62), (1, 3, 65)]
    second = [(at + 4, beats, pitch) for at, beats, pitch in once]
    assert sounding(score(upper + back + lower + BACK, staves=2)) == once + second


def test_pedals_are_found_where_they_stand_and_where_they_are_moved_to():
    """Half a beat after the second beat by an offset of one division; the sounds of a program
    that marks nothing; other marks only draw lines."""
    xml = pytest.importorskip("xml.etree.ElementTree")
    moved = pedal("start", "<offset>1</offset>")
    half = '<direction><direction-type><words>x</words></direction-type><sound damper-pedal="50"/>'
    bar = note("C") + moved + note("D") + pedal("discontinue") + pedal("sostenuto")
    bar += half + '</direction><sound damper-pedal="no"/>'
    (found,) = pedals_of(xml.fromstring(score(note("C", 4), bar))).values()
    assert [(float(at), control, value) for at, control, value in found[1]] == [
        (1.5, 64, 127),
        (2, 66, 127),
        (2, 64, 64),
        (2, 64, 0),
    ]
    assert not found.get(0)


@pytest.mark.slow
def test_a_tie_goes_on_in_another_staff_and_past_another_voice():
    """C of the lower staff sounds on in the upper one; D, which both staves have, is tied in its
    own, and struck in the other."""
    back = "<backup><duration>8</duration></backup>"
    first = note("E", 2, 1) + note("D", 2, 1) + back + note("D", 2, 2) + note("C", 2, 2, "start")
    second = note("C", 2, 1, "stop") + note("E", 2, 1) + back + note("D", 4, 2)
    assert sounding(score(first, second, staves=2)) == [
        (0, 2, 62),
        (0, 2, 64),
        (2, 2, 62),
        (2, 4, 60),
        (4, 4, 62),
        (6, 2, 64),
    ]
    upper = note("D", 4, 1, "start") + back + note("D", 4, 2)
    played = read_performance(
        score(upper, note("D", 4, 1, "stop") + back + note("D", 4, 2), staves=2)
    )
    lengths = zip(played.track.tolist(), played.seconds.round(3).tolist(), strict=True)
    assert sorted(lengths) == [(0, 4), (1, 2), (1, 2)]
