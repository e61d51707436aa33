"""The order in which the measures of scores are played: repeats, endings and jumps."""

from xml.etree import ElementTree

import pytest

from core.data.sources import RejectedFile
from musegen.files.midi import read_midi
from musegen.notation.order import played_order
from musegen.roll import Grid
from musegen.tracks import Track

BEGIN = '<barline location="left"><repeat direction="forward"/></barline>'
REPEAT = '<repeat direction="backward"/>'
BACK = f'<barline location="right">{REPEAT}</barline>'
THRICE = BACK.replace("/></barline>", ' times="3"/></barline>')


def ending(numbers: str, is_last: bool = False) -> str:
    start = f'<barline location="left"><ending number="{numbers}" type="start"/></barline>'
    stop = f'<ending number="{numbers}" type="{"discontinue" if is_last else "stop"}"/>'
    return f'{start}<barline location="right">{stop}{"" if is_last else REPEAT}</barline>'


def says(words: str, sound: str = "") -> str:
    sounds = f"<sound {sound}/>" if sound else ""
    kind = f"<direction-type><words>{words}</words></direction-type>"
    return f"<direction>{kind}{sounds}</direction>"


def symbol(name: str, sound: str = "") -> str:
    return says("", sound).replace("<words></words>", f"<{name}/>")


SEGNO, CODA = symbol("segno", 'segno="1"'), symbol("coda", 'coda="1"')
FINE, TO_CODA = says("Fine", 'fine="yes"'), says("To Coda", 'tocoda="1"')


def score(*parts: list[str]) -> str:
    found = "".join(
        f'<part id="P{number}">' + "".join(f"<measure>{one}</measure>" for one in part) + "</part>"
        for number, part in enumerate(parts)
    )
    return f"<score-partwise>{found}</score-partwise>"


def order(*parts: list[str]) -> list[int]:
    return played_order(ElementTree.fromstring(score(*parts)))


@pytest.mark.parametrize(
    ("measures", "played"),
    [
        (["", ""], [0, 1]),
        (["", BACK, ""], [0, 1, 0, 1, 2]),
        (["", BEGIN, BACK, ""], [0, 1, 2, 1, 2, 3]),
        ([BACK, BACK, ""], [0, 0, 1, 1, 2]),
        ([THRICE, ""], [0, 0, 0, 1]),
        ([BEGIN + BACK, BEGIN + BACK], [0, 0, 1, 1]),
        (["", ending("1"), ending("2", is_last=True), ""], [0, 1, 0, 2, 3]),
        (["", ending("1, 2"), ending("3", is_last=True)], [0, 1, 0, 1, 0, 2]),
        (["", ending("1.-2."), ending("3.", is_last=True)], [0, 1, 0, 1, 0, 2]),
        (["", ending("1"), ending("2"), ending("3", is_last=True)], [0, 1, 0, 2, 0, 3]),
        (["", ending("1"), ending("2")], [0, 1, 0, 2]),
        (["", ending("1"), ""], [0, 1, 0, 2]),
        (["", ending("1"), ending("2", is_last=True), "", BACK], [0, 1, 0, 2, 3, 4, 3, 4]),
    ],
)
def test_repeats_and_endings(measures: list[str], played: list[int]):
    assert order(measures) == played


@pytest.mark.parametrize(
    ("measures", "played"),
    [
        (["", says("D.C.", 'dacapo="yes"')], [0, 1, 0, 1]),
        (["", says("Da Capo")], [0, 1, 0, 1]),
        (["", says("von vorn", 'dacapo="yes"')], [0, 1, 0, 1]),
        (["", '<sound dacapo="yes"/>'], [0, 1, 0, 1]),
        (["", says("d.c.", 'dacapo="no"')], [0, 1, 0, 1]),
        (["", FINE, says("D.C. al Fine", 'dacapo="yes"')], [0, 1, 2, 0, 1]),
        (["", says("Fine"), says("D.C. al Fine")], [0, 1, 2, 0, 1]),
        (["", says("Finger 2"), says("D.C.")], [0, 1, 2, 0, 1, 2]),
        (["", SEGNO, says("D.S.", 'dalsegno="1"')], [0, 1, 2, 1, 2]),
        (["", symbol("segno"), says("Dal Segno")], [0, 1, 2, 1, 2]),
        (["", says("D.S.", 'dalsegno="1"')], [0, 1]),
        (
            ["", SEGNO, TO_CODA, says("D.S. al Coda", 'dalsegno="1"'), CODA],
            [0, 1, 2, 3, 1, 2, 4],
        ),
        (
            ["", symbol("segno"), says("To Coda"), says("D.S. al Coda"), says("Coda")],
            [0, 1, 2, 3, 1, 2, 4],
        ),
        (["", symbol("coda"), says("D.C. al Coda"), symbol("coda")], [0, 1, 2, 0, 1, 3]),
        ([BACK, says("D.C.", 'dacapo="yes"')], [0, 0, 1, 0, 1]),
        (
            ["", ending("1"), ending("2", is_last=True), says("D.C.")],
            [0, 1, 0, 2, 3, 0, 2, 3],
        ),
        (["", TO_CODA, says("D.C. al Coda"), CODA + BEGIN + BACK], [0, 1, 2, 0, 1, 3, 3]),
    ],
)
def test_jumps_are_taken_once_and_repeats_not_after_them(measures: list[str], played: list[int]):
    assert order(measures) == played


@pytest.mark.parametrize("sign", [BACK, says("D.C.", 'dacapo="yes"')])
@pytest.mark.parametrize("first", [True, False])
def test_a_sign_of_one_part_counts_for_all(sign: str, first: bool):
    parts = [["", sign, ""], ["", "", ""]]
    assert order(*parts) == order(*parts[::-1]) == order(parts[0], parts[0])


def test_a_score_that_repeats_without_end_is_refused():
    often = BACK.replace("/></barline>", ' times="1000000"/></barline>')
    with pytest.raises(RejectedFile, match="20,000 measures"):
        order([often])


ATTRIBUTES = (
    "<attributes><divisions>1</divisions><key><fifths>{}</fifths></key>"
    "<time><beats>{}</beats><beat-type>4</beat-type></time><staves>2</staves></attributes>"
)


def two_staves(step: str, quarters: int) -> str:
    note = "<note><pitch><step>{}</step><octave>{}</octave></pitch><duration>{}</duration>"
    hands = [note.format(step, 6 - n, quarters) + f"<staff>{n}</staff></note>" for n in (1, 2)]
    return f"{hands[0]}<backup><duration>{quarters}</duration></backup>{hands[1]}"


@pytest.mark.slow
def test_both_hands_go_back_and_to_the_metre_and_tempo_there():
    pytest.importorskip("music21")
    begin = says("Lento", 'tempo="60"') + two_staves("C", 4)
    end = says("Presto", 'tempo="240"') + two_staves("D", 3) + says("D.C. al Fine")
    measures = [
        ATTRIBUTES.format(0, 4) + begin,
        says("Fine") + two_staves("E", 4),
        ATTRIBUTES.format(0, 3) + end,
    ]
    head = '<part-list><score-part id="P0"><part-name>Harp</part-name></score-part></part-list>'
    written = score(measures).replace("<score-partwise>", f"<score-partwise>{head}")
    tracks = tuple(Track(name=f"Hand {n}", order=n) for n in range(2))
    song = read_midi(written.encode(), tracks, Grid(steps_per_beat=1))
    for hand, octave in ((0, 60), (1, 48)):
        mine = song.notes.of(hand)
        pitch = mine.pitch + song.grid.lowest_pitch - octave - 12
        assert (mine.start.tolist(), pitch.tolist()) == ([0, 4, 8, 12], [0, 4, 0, 4])
    assert song.left_out.bars == 1
    assert song.tempo_bpm.tolist() == [60, 60, 60, 60]
