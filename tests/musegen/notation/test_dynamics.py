"""Loudness of scores that is played and not printed."""

import pytest

pytest.importorskip("music21")

from musegen.files.midi import read_performance

BEGIN = "<attributes><divisions>1</divisions></attributes>"
PIANISSIMO = "<direction><direction-type><dynamics><pp/></dynamics></direction-type>{}</direction>"
QUIET = "<direction><direction-type><words>dolce</words></direction-type>{}</direction>"


def note(attributes: str = "", more: str = "") -> str:
    pitch = "<pitch><step>C</step><octave>4</octave></pitch>"
    return f"<note {attributes}>{pitch}<duration>1</duration>{more}</note>"


def sound(percent: float) -> str:
    return f'<sound dynamics="{percent}"/>'


def velocities(*measures: str) -> list[int]:
    head = "<score-part id='P'><part-name>Piano</part-name></score-part>"
    first, *others = measures
    bars = "".join(f"<measure>{one}</measure>" for one in (BEGIN + first, *others))
    score = f"<score-partwise><part-list>{head}</part-list><part id='P'>{bars}</part>"
    return read_performance(f"{score}</score-partwise>".encode()).velocity.tolist()


@pytest.mark.slow
@pytest.mark.parametrize(
    "said", [sound(40), f"<direction>{sound(40)}</direction>", QUIET.format(sound(40))]
)
def test_a_loudness_that_is_not_printed_counts_from_there_on(said: str):
    """Per cent of forte, which is 90."""
    assert velocities(note() + said + note(), note()) == [90, 36, 36]


@pytest.mark.slow
@pytest.mark.parametrize("percent", ["", "forte", "-5"])
def test_a_loudness_that_is_no_number_is_none(percent: str):
    assert velocities(f'<sound dynamics="{percent}"/>' + note()) == [90]


@pytest.mark.slow
def test_a_note_of_loudness_0_is_as_soft_as_can_be():
    assert velocities(note('dynamics="0"') + note()) == [1, 90]


@pytest.mark.slow
def test_a_printed_mark_counts_as_it_is_read_and_ends_what_is_not_printed():
    mark = PIANISSIMO.format("")
    quiet, *_ = velocities(mark + note())
    assert velocities(PIANISSIMO.format(sound(99)) + note()) == [quiet]
    assert velocities(sound(99) + mark + note() + note()) == [quiet, quiet]
    assert velocities(mark + note() + QUIET.format(sound(100)) + note() + mark + note()) == [
        quiet,
        90,
        quiet,
    ]


@pytest.mark.slow
def test_a_note_is_as_loud_as_it_says_whatever_is_printed():
    assert velocities(PIANISSIMO.format("") + note('dynamics="100"') + sound(20) + note()) == [
        90,
        18,
    ]
