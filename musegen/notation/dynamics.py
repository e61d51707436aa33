"""The loudness of a score that is played and not printed, which music21 does not read."""

from collections import defaultdict
from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple
from xml.etree.ElementTree import Element

from musegen.notation.measures import timed
from musegen.notation.tempi import NUMBER

LOUDEST_PERCENT = 200.0
"""The most that music21 can play, in per cent of forte."""


class Level(NamedTuple):
    """A loudness from a place on: quarter notes from the beginning of a measure, and its share of
    the most that music21 can play."""

    at: Fraction
    share: float


UnprintedLevels = Mapping[int, list[Level]]
"""Those of a part, by the numbers of its measures, from 0."""


def dynamics_of(root: Element) -> dict[str, UnprintedLevels]:
    """Return the loudness of each part where a `sound` alone says it, by the ids of the parts.

    A mark that is printed at the same place counts instead, as music21 reads it.
    """
    found = dict[str, UnprintedLevels]()
    for part in root.findall("part"):
        levels, printed = defaultdict[int, list[Level]](list), set[tuple[int, Fraction]]()
        for number, at, divisions, one in timed(part):
            if one.tag not in ("direction", "sound"):
                continue
            place = max(at + Fraction(one.findtext("offset", "0").strip()) / divisions, Fraction())
            if one.find("direction-type/dynamics") is not None:
                printed.add((number, place))
            for sound in [one] if one.tag == "sound" else one.findall("sound"):
                percent = sound.get("dynamics", "").strip()
                if NUMBER.fullmatch(percent):
                    share = min(float(percent) / LOUDEST_PERCENT, 1.0)
                    levels[number].append(Level(place, share))
        found[part.attrib["id"]] = {
            number: [one for one in of if (number, one.at) not in printed]
            for number, of in levels.items()
        }
    return found
