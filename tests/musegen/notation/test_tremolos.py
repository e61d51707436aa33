"""Tremolos of scores: notes that are struck so often, alone or in turn."""

import pytest

pytest.importorskip("music21")

from musegen.files.midi import read_performance

BEGIN = "<attributes><divisions>2</divisions></attributes>"


def note(
    letter: str,
    duration: float,
    kind: str = "",
    strokes: str = "3",
    more: str = "",
    first: str = "",
) -> str:
    """`kind` of its tremolo, none without one; `strokes` through it."""
    mark = f'<ornaments><tremolo type="{kind}">{strokes}</tremolo></ornaments>' if kind else ""
    pitch = f"{first}<pitch><step>{letter}</step><octave>4</octave></pitch>"
    drawn = f"<notations>{mark}</notations>"
    return f"<note>{pitch}<duration>{duration}</duration>{more}{drawn}</note>"


def struck(*measures: str) -> list[tuple[float, float, int]]:
    """(seconds, seconds, pitch) of each note, at 60 beats a minute."""
    head = "<score-part id='P'><part-name>Piano</part-name></score-part>"
    first, *others = measures
    bars = "".join(f"<measure>{one}</measure>" for one in (BEGIN + first, *others))
    score = f"<score-partwise><part-list>{head}</part-list><part id='P'>{bars}</part>"
    found = read_performance(f"{score}</score-partwise>".encode())
    columns = (2 * found.start, 2 * found.seconds, found.pitch)
    return sorted(zip(*(column.round(4).tolist() for column in columns), strict=True))


@pytest.mark.slow
def test_a_note_is_struck_as_often_as_its_strokes_say():
    """Two strokes are 16ths, of an eighth with one too; others divide what there is."""
    sixteenths = [(n / 4, 0.25, 60) for n in range(4)]
    assert struck(note("C", 2, "single", "2")) == sixteenths
    eighth = note("C", 1, "single", "1", "<type>eighth</type>")
    assert struck(eighth + eighth) == sixteenths
    assert struck(note("C", 0.5, "single", "1")) == [(0, 0.25, 60)]
    assert len(struck(note("C", 2, "unmeasured", "0"))) == 8
    assert len(struck(note("C", 2, "single", "7"))) == 16


@pytest.mark.slow
def test_a_chord_is_struck_whole_and_what_follows_stays_where_it_is():
    chord = note("C", 2, "single", "1") + note("E", 2, first="<chord/>") + note("G", 2)
    assert struck(chord, note("A", 8)) == [
        (0, 0.5, 60),
        (0, 0.5, 64),
        (0.5, 0.5, 60),
        (0.5, 0.5, 64),
        (1, 1, 67),
        (2, 4, 69),
    ]


@pytest.mark.slow
def test_two_notes_are_struck_in_turn_for_as_long_as_both_last():
    """Three strokes in the place of the first leave the second one to begin."""
    even = note("C", 2, "start", "1") + note("E", 2, "stop", "1")
    assert [pitch for *_, pitch in struck(even)] == [60, 64] * 2
    odd = note("C", 3, "start", "1") + note("E", 3, "stop", "1") + note("G", 2)
    assert struck(odd) == [*((n / 2, 0.5, 60 + 4 * (n % 2)) for n in range(6)), (3, 1, 67)]


@pytest.mark.slow
def test_a_tie_joins_no_strokes():
    tied = note("C", 2, "single", "1", '<tie type="start"/>')
    assert len(struck(tied + note("C", 2, "single", "1", '<tie type="stop"/>'))) == 4
