"""Drum kits of MusicXML: each drum is an instrument, and its notes have no pitch."""

from collections.abc import Container, Iterator
from xml.etree.ElementTree import Element, SubElement

from musegen.tonality import NATURALS, SHARPS

CHANNEL = "10"
"""The channel of drums, from 1."""

PLACES = {
    "D4": 44, "F4": 36, "G4": 41, "A4": 43, "C5": 38, "D5": 47, "E5": 48, "F5": 51, "G5": 42,
    "A5": 49,
}  # fmt: skip
"""The drums of General MIDI by their places on the staff, as N. Weinberg, "Guidelines for Drumset
Notation" (1994), has them."""

ELSEWHERE = 38
"""The drum of other places, as on a single line: a snare."""


def is_kit(root: Element, head: Element) -> bool:
    """Return whether a `score-part` of a score is of drums: by its instruments, or by most notes.

    A voice may clap, too.
    """
    has_drum = head.find("midi-instrument/midi-unpitched") is not None
    is_on_channel = head.findtext("midi-instrument/midi-channel") == CHANNEL
    notes = list(_notes(root, head))
    counts = [sum(n.find(kind) is not None for n in notes) for kind in ("unpitched", "pitch")]
    return has_drum or is_on_channel or counts[0] > counts[1]


def with_pitches(root: Element, kits: Container[str]) -> Element:
    """Give each note of a kit, in place, the pitch of its drum; return the score.

    `kits`: the ids of the parts that are drums. Where no number says which drum a note is, its
    place on the staff does. A note that has a pitch keeps it, unless its instrument is a drum.
    """
    for head in root.findall("part-list/score-part"):
        if head.attrib["id"] not in kits:
            continue
        sounds = {
            one.attrib["id"]: int(number) - 1
            for one in head.findall("midi-instrument")
            if (number := one.findtext("midi-unpitched"))
        }
        only = next(iter(sounds.values())) if len(sounds) == 1 else None
        for note in _notes(root, head):
            drum, place = note.find("instrument"), note.find("unpitched")
            own = None if drum is None else sounds.get(drum.attrib["id"])
            known = only if own is None else own
            if place is None and own is not None:
                place = note.find("pitch")
            if place is not None:
                pitch = _at(place) if known is None else known
                place.tag = "pitch"
                place[:] = _elements(pitch)
    return root


def without_pitches(root: Element, head: Element) -> None:
    """Make a part of pitches a kit in place: each pitch that is struck becomes a drum."""
    pitched = ((note, note.find("pitch")) for note in _notes(root, head))
    notes = [(note, place) for note, place in pitched if place is not None]
    struck = {pitch_of(place) for _, place in notes}
    names = {pitch: f"{head.attrib['id']}-{pitch + 1}" for pitch in sorted(struck)}
    for old in (*head.findall("score-instrument"), *head.findall("midi-instrument")):
        head.remove(old)
    for pitch, name in names.items():
        one = SubElement(head, "score-instrument", id=name)
        SubElement(one, "instrument-name").text = f"Drum {pitch}"
    for pitch, name in names.items():
        one = SubElement(head, "midi-instrument", id=name)
        for tag, value in (("channel", CHANNEL), ("program", "1"), ("unpitched", str(pitch + 1))):
            SubElement(one, f"midi-{tag}").text = value
    for note, place in notes:
        name = names[pitch_of(place)]
        step, _, octave = _elements(pitch_of(place))
        place.tag, step.tag, octave.tag = "unpitched", "display-step", "display-octave"
        place[:] = [step, octave]
        for accidental in note.findall("accidental"):
            note.remove(accidental)
        last = max(n for n, one in enumerate(note) if one.tag in ("duration", "tie"))
        note.insert(last + 1, Element("instrument", id=name))


def pitch_of(place: Element) -> int:
    """Return a `pitch` as a MIDI number."""
    alter, octave = (int(place.findtext(name, "0")) for name in ("alter", "octave"))
    return NATURALS[place.findtext("step", "")] + alter + 12 * (octave + 1)


def _at(place: Element) -> int:
    """Return the drum of an `unpitched` by its place on the staff."""
    step, octave = (place.findtext(f"display-{name}", "") for name in ("step", "octave"))
    return PLACES.get(step + octave, ELSEWHERE)


def _notes(root: Element, head: Element) -> Iterator[Element]:
    yield from root.findall(f"part[@id='{head.attrib['id']}']/measure/note")


def _elements(pitch: int) -> list[Element]:
    """Return step, alteration and octave of a MIDI number."""
    letter, *sharp = SHARPS[pitch % 12]
    texts = {"step": letter, "alter": str(len(sharp)), "octave": str(pitch // 12 - 1)}
    elements = [Element(tag) for tag in texts]
    for element, text in zip(elements, texts.values(), strict=True):
        element.text = text
    return elements
