"""Players of MusicXML who change their instruments: a part for each program that one plays."""

from collections.abc import Container, Iterator, Sequence
from copy import deepcopy
from xml.etree.ElementTree import Element, SubElement

from musegen.controls import LOUDEST, MIDDLE, USUAL_VOLUME
from musegen.files.controls import PAN, VOLUME
from musegen.notation.measures import make_rest

RIGHT = 90
"""The right, in degrees from the middle."""

USUAL_PERCENT = 100 * USUAL_VOLUME / LOUDEST
"""The volume of a part that says none."""

PLUCKED, BOWED = "46", {"", *map(str, (*range(41, 46), *range(49, 53)))}
"""The program of strings that are plucked, from 1, and those that may be; a part without a number
that says so is of strings."""

WORDS = {"pizz": True, "arco": False}
"""The beginnings of words that say whether strings are plucked, and what they say."""

Levels = list[tuple[int, int]]
"""Control changes, and their values."""

Sound = tuple[str, str]
"""The program of a note, from 1 as in scores, and ""; else "" and the id of its instrument."""


def by_programs(root: Element, kits: Container[str]) -> Element:
    """Divide parts in place whose notes have several programs; return the score.

    A note has the program of its instrument, which a `sound` may change on the way; music21 knows
    one of each part. `kits`: the ids of the parts that are drums, which stay.
    """
    for head in root.findall("part-list/score-part"):
        name = head.attrib["id"]
        part = root.find(f"part[@id='{name}']")
        if part is None or name in kits:
            continue
        sounds = list(_sounds(head, part))
        others = [one for one in dict.fromkeys(sounds) if one != sounds[0]]
        copies = [(one, deepcopy(head), deepcopy(part)) for one in others]
        for number, (_, new_head, new_part) in enumerate(copies, 2):
            new_head.attrib["id"] = new_part.attrib["id"] = f"{name}-{number}"
            root.find("part-list").append(new_head)  # pyright: ignore[reportOptionalMemberAccess]
            root.append(new_part)
        for one, own_head, own_part in [(sounds[0], head, part), *copies] if sounds else []:
            _play(own_head, one)
            if copies:
                _keep(own_part, [sound == one for sound in sounds])
    return root


def named_sounds(root: Element) -> dict[str, str]:
    """Return the standard sounds of parts, by the ids of these, in the words of their names.

    `pluck.bass.electric` is an electric bass pluck; `wind.flutes.flute` a flute flutes wind.
    """
    return {
        head.attrib["id"]: " ".join(sound.replace("-", " ").split(".")[::-1])
        for head in root.findall("part-list/score-part")
        if (sound := head.findtext("score-instrument/instrument-sound", "").strip())
    }


def levels_of(root: Element) -> dict[str, Levels]:
    """Return the volume and the place of parts in a mix, by the ids of these.

    A volume that all parts have is none: the mix is the same without it.
    """
    found, volumes = dict[str, Levels](), dict[str, int]()
    for head in root.findall("part-list/score-part"):
        name = head.attrib["id"]
        degrees = float(head.findtext("midi-instrument/pan", "0"))
        place = MIDDLE + int((LOUDEST - MIDDLE) * min(max(degrees / RIGHT, -1), 1))
        found[name] = [(PAN, place)] if place != MIDDLE else []
        percent = float(head.findtext("midi-instrument/volume", str(USUAL_PERCENT)))
        volumes[name] = round(LOUDEST * min(max(percent, 0), 100) / 100)
    if len(set(volumes.values())) > 1:
        for name, volume in volumes.items():
            found[name].append((VOLUME, volume))
    return found


def _sounds(head: Element, part: Element) -> Iterator[Sound]:
    """Yield the sound of each note of a part, in the order of the score."""
    numbers = head.findall("midi-instrument")
    programs = {one.attrib["id"]: one.findtext("midi-program", "").strip() for one in numbers}
    instruments = [one.attrib["id"] for one in head.findall("score-instrument")]
    playing, is_plucked = next(iter([*instruments, *programs]), ""), False
    for one in part.iter():
        if one.tag == "words":
            said = (one.text or "").strip().lower()
            found = [plucked for word, plucked in WORDS.items() if said.startswith(word)]
            is_plucked = next(iter(found), is_plucked)
        elif one.tag == "sound":
            is_plucked = {"yes": True, "no": False}.get(one.get("pizzicato", ""), is_plucked)
            for change in one.findall("instrument-change"):
                playing = change.attrib["id"]
            for change in one.findall("midi-instrument"):
                named = change.findtext("midi-program", "").strip()
                programs[change.attrib["id"]] = named or programs.get(change.attrib["id"], "")
        elif one.tag == "note":
            named = one.find("instrument")
            instrument = playing if named is None else named.attrib["id"]
            program = programs.get(instrument, "")
            program = PLUCKED if is_plucked and program in BOWED else program
            yield (program, "") if program else ("", instrument)


def _play(head: Element, sound: Sound) -> None:
    """Give a part one program, or the name of its instrument where that is all there is."""
    program, instrument = sound
    own = [one.attrib["id"] for one in head.findall("score-instrument")] or [head.attrib["id"]]
    numbers = head.findall("midi-instrument")
    named = head.find(f"score-instrument[@id='{instrument}']/instrument-name")
    title = head.find("part-name")
    if program:
        one = numbers[0] if numbers else SubElement(head, "midi-instrument", id=own[0])
        number = one.find("midi-program")
        (SubElement(one, "midi-program") if number is None else number).text = program
    elif len(own) > 1 and named is not None and title is not None:
        title.text = named.text
    for one in numbers[1:]:
        head.remove(one)
    for one in [] if program else numbers[:1]:  # its levels stay
        one[:] = [part for part in one if part.tag != "midi-program"]


def _keep(part: Element, stays: Sequence[bool]) -> None:
    """Make those notes of a part rests, in place, that another one plays."""
    mine = iter(stays)
    for measure in part.findall("measure"):
        rest: Element | None = None  # in the place of a chord's first note
        for note in measure.findall("note"):
            chord = note.find("chord")
            rest = None if chord is None else rest
            if next(mine):
                if chord is not None and rest is not None:
                    measure.remove(rest)
                    note.remove(chord)
                    rest = None
            elif chord is not None or note.find("duration") is None:
                measure.remove(note)
            else:
                make_rest(note)
                rest = note
