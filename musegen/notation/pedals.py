"""The pedals of a score, which music21 reads and does not play: when they go down and up."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple
from xml.etree.ElementTree import Element

from musegen.files.pedal import SOSTENUTO, SUSTAIN
from musegen.notation.measures import timed

UP, DOWN = 0, 127

MARKS = {
    "start": ((SUSTAIN, DOWN),),
    "sostenuto": ((SOSTENUTO, DOWN),),
    "change": ((SUSTAIN, UP), (SUSTAIN, DOWN)),
    "stop": ((SUSTAIN, UP), (SOSTENUTO, UP)),
}
"""The control changes that each kind of mark stands for; of others, which only draw the line
otherwise, there are none."""

SOUNDS = {"damper-pedal": SUSTAIN, "sostenuto-pedal": SOSTENUTO}
"""The attributes of a `sound` beside which no mark is, and their control changes."""

WORDS = {"yes": 100.0, "no": 0.0}
"""The per cent that words of such an attribute stand for."""


class Press(NamedTuple):
    """A control change, in quarter notes from the beginning of its measure."""

    at: Fraction
    control: int
    value: int


Presses = Mapping[int, list[Press]]
"""Those of a part, by the numbers of its measures, from 0."""


def pedals_of(root: Element) -> dict[str, Presses]:
    """Return what the pedals of each part do, by the ids of the parts."""
    found = dict[str, Presses]()
    for part in root.findall("part"):
        found[part.attrib["id"]] = presses = defaultdict[int, list[Press]](list)
        for number, at, divisions, one in timed(part):
            if one.tag in ("direction", "sound"):
                moved = Fraction(one.findtext("offset", "0").strip()) / divisions
                presses[number] += [
                    Press(max(at + moved, Fraction()), *sent) for sent in _sent(one)
                ]
    return found


def _sent(one: Element) -> Iterator[tuple[int, int]]:
    """Yield the control changes of a direction, or of a sound, in their order."""
    marks = one.findall("direction-type/pedal")
    for mark in marks:
        yield from MARKS.get(mark.get("type", ""), ())
    for sound in [] if marks else [one] if one.tag == "sound" else one.findall("sound"):
        for name, control in SOUNDS.items():
            if said := sound.get(name):
                per_cent = WORDS[said] if said in WORDS else float(said)
                yield control, round(DOWN * min(max(per_cent, 0), 100) / 100)
