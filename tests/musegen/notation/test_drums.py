"""Drum kits of MusicXML: notes without pitches, and the drums that they are."""

from xml.etree.ElementTree import Element, SubElement, fromstring

import pytest

from musegen.notation.drums import is_kit, pitch_of, with_pitches, without_pitches

KICK, PEDAL_HAT, SNARE, LOW_TOM, MIDDLE_TOM, HIGH_TOM, HAT, CRASH, RIDE, RIDE_BELL = (
    *(36, 44, 38, 41, 43, 47, 42, 49, 51, 48),
)


def score(notes: str, instruments: str = "", name: str = "P1") -> Element:
    """A score of one part."""
    return fromstring(
        f"<score-partwise><part-list><score-part id='{name}'>{instruments}</score-part>"
        f"</part-list><part id='{name}'><measure>{notes}</measure></part></score-partwise>"
    )


def drum(place: str, name: str = "") -> str:
    """A note without a pitch, at a place of the staff such as F4."""
    of = f"<instrument id='{name}'/>" if name else ""
    letter, octave = place[:1], place[1:]
    shown = f"<display-step>{letter}</display-step><display-octave>{octave}</display-octave>"
    return f"<note><unpitched>{shown}</unpitched><duration>1</duration>{of}</note>"


def number(name: str, key: int) -> str:
    """An instrument with the key of its drum, which MusicXML counts from 1."""
    drum = f"<midi-unpitched>{key + 1}</midi-unpitched>"
    return f"<midi-instrument id='{name}'>{drum}</midi-instrument>"


def channel(number: int) -> str:
    """An instrument on a channel, from 1."""
    return f"<midi-instrument><midi-channel>{number}</midi-channel></midi-instrument>"


PITCHED = "<note><pitch/></note>"


def pitches(root: Element) -> list[int | None]:
    places = [note.find("pitch") for note in root.iter("note")]
    return [None if place is None else pitch_of(place) for place in places]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        *(("D4", PEDAL_HAT), ("F4", KICK), ("G4", LOW_TOM), ("A4", MIDDLE_TOM), ("C5", SNARE)),
        *(("D5", HIGH_TOM), ("E5", RIDE_BELL), ("F5", RIDE), ("G5", HAT), ("A5", CRASH)),
        *(("E4", SNARE), ("", SNARE)),
    ],
)
def test_a_place_on_the_staff_is_a_drum(place: str, expected: int):
    assert pitches(with_pitches(score(drum(place)), {"P1"})) == [expected]


def test_the_number_of_an_instrument_counts_before_the_place():
    two = number("K", 35) + number("H", 46)
    notes = drum("C5", "K") + drum("F4", "H") + drum("G5", "other") + drum("G5")
    assert pitches(with_pitches(score(notes, two), {"P1"})) == [35, 46, HAT, HAT]
    only = score(drum("C5") + drum("G5", "other"), number("K", 35))
    assert pitches(with_pitches(only, {"P1"})) == [35, 35]


def test_a_pitch_stays_unless_its_instrument_is_a_drum():
    c5 = "<note><pitch><step>C</step><octave>5</octave></pitch><duration>1</duration>{}</note>"
    notes = c5.format("") + c5.format("<instrument id='K'/>")
    assert pitches(with_pitches(score(notes, number("K", 35)), {"P1"})) == [72, 35]


def test_other_parts_stay_as_they_are():
    assert pitches(with_pitches(score(drum("F4")), {"P2"})) == [None]


@pytest.mark.parametrize(
    ("notes", "instruments", "expected"),
    [
        (drum("F4"), "", True),
        (PITCHED, "", False),
        (PITCHED + drum("F4"), "", False),
        (PITCHED + 2 * drum("F4"), "", True),
        (PITCHED, number("K", 35), True),
        (PITCHED, channel(10), True),
        (PITCHED, channel(1), False),
    ],
)
def test_a_kit_is_known_by_its_instruments_or_by_most_notes(notes, instruments, expected):
    root = score(notes, instruments)
    assert is_kit(root, root.findall("part-list/score-part")[0]) is expected


def test_pitches_become_drums_and_are_read_back():
    note = (
        "<note><pitch><step>{}</step><alter>{}</alter><octave>2</octave></pitch>"
        "<duration>1</duration><tie type='start'/><accidental>sharp</accidental>"
        "<type>half</type></note>"
    )
    root = score(note.format("F", 1) + note.format("C", 0) + note.format("C", 0))
    head = root.findall("part-list/score-part")[0]
    SubElement(head, "midi-instrument", id="piano")
    without_pitches(root, head)
    assert pitches(root) == [None] * 3
    names = [one.attrib["id"] for one in head.findall("score-instrument")]
    assert names == ["P1-37", "P1-43"]
    kit = {
        one.attrib["id"]: [one.findtext(f"midi-{tag}") for tag in ("channel", "unpitched")]
        for one in head.findall("midi-instrument")
    }
    assert kit == {"P1-37": ["10", "37"], "P1-43": ["10", "43"]}
    first = next(root.iter("note"))
    assert [one.tag for one in first] == ["unpitched", "duration", "tie", "instrument", "type"]
    shown = first.find("unpitched")
    assert shown is not None and [(one.tag, one.text) for one in shown] == [
        *(("display-step", "F"), ("display-octave", "2")),
    ]
    assert pitches(with_pitches(root, {"P1"})) == [42, 36, 36]
