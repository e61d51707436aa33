"""The order in which the measures of a score are played: its repeats, endings and jumps.

They count for all parts: programs write D.C. and the like in the first one alone. After a jump
repeats are not taken, and of endings the last one is, as players do.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from xml.etree.ElementTree import Element

from core.data.sources import RejectedFile

MOST_MEASURES = 20_000
"""More measures, as they are played, are refused."""

SIGNS = ("dacapo", "dalsegno", "tocoda", "fine", "segno", "coda")
"""The attributes of a `sound` that say where to go on."""

WORDS = {
    "dacapo": re.compile(r"\bd\. ?c\.|\bda capo\b", re.IGNORECASE),
    "dalsegno": re.compile(r"\bd\. ?s\.|\bdal segno\b", re.IGNORECASE),
    "tocoda": re.compile(r"^\W*to coda\b", re.IGNORECASE),
    "fine": re.compile(r"^\W*fine\W*$", re.IGNORECASE),
    "coda": re.compile(r"^\W*coda\W*$", re.IGNORECASE),
}
"""The words that say the same where no `sound` does."""

NUMBERS = re.compile(r"(\d+)(?:\s*-\s*(\d+))?")


@dataclass
class _Signs:
    """The signs of a measure for the order, in whichever part they stand.

    times: how often what ends with it is played, 0 where no repeat does. endings: the passes in
    which it is played, all where there are none. last: the last one of its endings. closes: those
    of later measures count their passes anew.
    """

    jumps: set[str] = field(default_factory=set)
    begins: bool = False
    times: int = 0
    endings: frozenset[int] = frozenset()
    last: int = 0
    closes: bool = False


def played_order(root: Element) -> list[int]:
    """Return the numbers of the measures of a score, from 0, in the order in which they are
    played; `RejectedFile` for more than `MOST_MEASURES`."""
    signs = _signs(root)
    coda = max((n for n, one in enumerate(signs) if "coda" in one.jumps), default=0)
    order, taken = list[int](), set[int]()
    at, begin, turn, has_jumped = 0, 0, 1, False
    while at < len(signs) and len(order) <= MOST_MEASURES:
        one = signs[at]
        if one.begins and at != begin:
            begin, turn = at, 1
        if not one.endings or (one.last if has_jumped else turn) in one.endings:
            order.append(at)
            if has_jumped and "fine" in one.jumps:
                break
            if has_jumped and "tocoda" in one.jumps and coda > at:
                at, begin, turn, has_jumped = coda, coda, 1, False
                continue
            if one.times and not has_jumped and turn < (one.last or one.times):
                at, turn = begin, turn + 1
                continue
            target = _target(signs, at)
            if target is not None and at not in taken:
                taken.add(at)
                at, begin, turn, has_jumped = target, target, 1, True
                continue
        at += 1
        if one.closes:
            begin, turn = at, 1
    if len(order) > MOST_MEASURES:
        raise RejectedFile("too-long", f"more than {MOST_MEASURES:,} measures with its repeats")
    return order


def without_repeats(root: Element) -> Element:
    """Take repeats and endings out of a score in place, whose order is known; return it."""
    for barline in root.iterfind("part/measure/barline"):
        for one in (*barline.findall("repeat"), *barline.findall("ending")):
            barline.remove(one)
    return root


def _target(signs: list[_Signs], at: int) -> int | None:
    """Return the measure to which one jumps, if it does: the beginning, or the segno before."""
    if "dalsegno" in signs[at].jumps:
        segnos = [n for n, one in enumerate(signs) if "segno" in one.jumps]
        return max((n for n in segnos if n <= at), default=None)
    return 0 if "dacapo" in signs[at].jumps else None


def _signs(root: Element) -> list[_Signs]:
    """Return the signs of all measures."""
    found = list[_Signs]()
    for measures in zip_longest(*(part.findall("measure") for part in root.findall("part"))):
        one = _Signs()
        for measure in measures:
            if measure is not None:
                one.jumps.update(_jumps(measure))
                _follow_barlines(measure, one)
        found.append(one)
    for part in root.findall("part"):
        for one, endings in zip(found, _endings(part), strict=False):
            one.endings |= endings
    _close(found)
    codas = [one for one in found if "coda" in one.jumps]
    if len(codas) == 2 and not any("tocoda" in one.jumps for one in found):
        codas[0].jumps.symmetric_difference_update({"coda", "tocoda"})
    return found


def _follow_barlines(measure: Element, one: _Signs) -> None:
    for repeat in measure.iterfind("barline/repeat"):
        if repeat.get("direction") == "forward":
            one.begins = True
        else:
            times = repeat.get("times", "")
            one.times = int(times) if times.isdecimal() else 2


def _jumps(measure: Element) -> Iterator[str]:
    """Yield the signs of a measure: those of a `sound`, else of words and symbols beside it."""
    for one in filter(lambda one: one.tag in ("direction", "sound", "barline"), measure):
        sounds = [one] if one.tag == "sound" else one.findall("sound")
        said = [sign for sound in sounds for sign in SIGNS if sound.get(sign, "no") != "no"]
        words = " ".join(text.text or "" for text in one.iter("words")).strip()
        seen = [sign for sign, pattern in WORDS.items() if pattern.search(words)]
        symbols = [sign for sign in ("segno", "coda") if one.find(f".//{sign}") is not None]
        yield from said or seen or symbols


def _endings(part: Element) -> Iterator[frozenset[int]]:
    """Yield the passes in which each measure of a part is played; all of them where none are."""
    passes = frozenset[int]()
    for measure in part.findall("measure"):
        has_ended = False
        for ending in measure.iterfind("barline/ending"):
            if ending.get("type") == "start":
                passes = _passes(ending.get("number", ""))
            else:
                has_ended = True
        yield passes
        passes = frozenset() if has_ended else passes


def _passes(text: str) -> frozenset[int]:
    """Return the numbers of an ending.

    >>> sorted(_passes("1, 2")), sorted(_passes("1-3")), sorted(_passes("2."))
    ([1, 2], [1, 2, 3], [2])
    """
    spans = ((int(first), int(last or first)) for first, last in NUMBERS.findall(text))
    return frozenset(n for first, last in spans for n in range(first, min(last, 99) + 1))


def _close(signs: list[_Signs]) -> None:
    """Say in place which measures are the last of a repeat, and which endings belong together."""
    group = list[_Signs]()
    for one, following in zip_longest(signs, signs[1:]):
        if not one.endings:
            one.closes = one.times > 0
            continue
        group.append(one)
        if following is None or not following.endings:
            kinds = {ending.endings for ending in group}
            last = max(n for endings in kinds for n in endings) + (len(kinds) == 1)
            for ending in group:
                ending.last = last
            one.closes, group = True, []
