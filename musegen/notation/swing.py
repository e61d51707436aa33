"""The swing of a score: of two equal notes on a beat the second comes late."""

from bisect import bisect_right
from fractions import Fraction
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from musegen.notation.measures import timed

PAIRS = {"eighth": Fraction(1), "16th": Fraction(1, 2)}
"""The quarter notes of two notes that swing."""


class Swing(NamedTuple):
    """The swing of notes from a place on, a measure's number and the quarter notes in it.

    pair: the quarter notes of two of them. share: that of the first one, a half where they are
    straight.
    """

    measure: int
    at: Fraction
    pair: Fraction
    share: Fraction


def swings_of(root: Element) -> list[Swing]:
    """Return how the notes of all parts swing, in the order of the score.

    Those of shares that are no whole numbers from 1 on, as the format has them, are straight.
    """
    found = set[Swing]()
    for part in root.findall("part"):
        for number, at, _, one in timed(part):
            sounds = [one] if one.tag == "sound" else one.findall("sound")
            for swing in (swing for sound in sounds for swing in sound.findall("swing")):
                shares = [swing.findtext(name, "1").strip() for name in ("first", "second")]
                is_whole = all(share.isdecimal() and int(share) for share in shares)
                long, short = map(int, shares) if is_whole else (1, 1)
                pair = PAIRS.get(swing.findtext("swing-type", "eighth"), PAIRS["eighth"])
                found.add(Swing(number, at, pair, Fraction(long, long + short)))
    return sorted(found)


def swung(swings: list[Swing], measure: int, at: Any) -> Any:
    """Return where in a measure that sounds which is written at a place in quarter notes.

    Only what is written in the middle of a pair moves: triplets are as they are.
    """
    place = bisect_right([one[:2] for one in swings], (measure, at)) - 1
    if place < 0:
        return at
    _, _, pair, share = swings[place]
    into = at % pair
    return at - into + share * pair if into == pair / 2 else at
