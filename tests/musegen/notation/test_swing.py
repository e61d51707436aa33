"""The swing of scores: when notes sound that are written straight."""

from fractions import Fraction

import pytest

from musegen.files.midi import read_performance
from musegen.notation.swing import Swing, swung

HALF, TWO_THIRDS = Fraction(1, 2), Fraction(2, 3)


def test_the_second_of_two_notes_comes_late_and_triplets_do_not():
    eighths = [Swing(1, Fraction(2), Fraction(1), TWO_THIRDS)]
    places = [Fraction(n, 12) for n in (24, 28, 30, 32, 36, 42)]
    assert [12 * swung(eighths, 1, at) for at in places] == [24, 28, 32, 32, 36, 44]
    assert (swung(eighths, 1, HALF), swung(eighths, 0, 2 + HALF)) == (HALF, 2 + HALF)


def test_a_swing_counts_until_another_one():
    sixteenths = Swing(0, Fraction(0), HALF, TWO_THIRDS)
    swings = [sixteenths, Swing(2, Fraction(0), Fraction(1), HALF)]
    assert swung(swings, 1, Fraction(1, 4)) == Fraction(1, 3)
    assert swung(swings, 1, HALF) == HALF
    assert swung(swings, 2, Fraction(1, 4)) == Fraction(1, 4)


@pytest.mark.parametrize(
    ("said", "beats"),
    [
        ("<first>2</first><second>1</second>", [0, 2 / 3, 1, 5 / 3]),
        ("<first>3</first><second>1</second><swing-type>eighth</swing-type>", [0, 0.75, 1, 1.75]),
        ("<straight/>", [0, 0.5, 1, 1.5]),
        ("<first>0</first><second>0</second>", [0, 0.5, 1, 1.5]),
        ("<first>long</first><second>short</second>", [0, 0.5, 1, 1.5]),
    ],
)
def test_a_score_is_played_with_its_swing(said: str, beats: list[float]):
    pytest.importorskip("music21")
    one = "<note><pitch><step>C</step><octave>4</octave></pitch><duration>1</duration></note>"
    time = "<attributes><divisions>2</divisions><time><beats>2</beats><beat-type>4</beat-type>"
    swing = f"<sound tempo='60'><swing>{said}</swing></sound>"
    part = f"<part id='P1'><measure>{time}</time></attributes>{swing}{4 * one}</measure></part>"
    head = "<part-list><score-part id='P1'><part-name/></score-part></part-list>"
    found = read_performance(f"<score-partwise>{head}{part}</score-partwise>".encode())
    assert found.start == pytest.approx(beats, abs=0.002)
