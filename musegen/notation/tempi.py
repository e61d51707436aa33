"""Tempo marks of MusicXML as numbers: music21 reads no other ones."""

import re
from xml.etree.ElementTree import Element, SubElement

NUMBER = re.compile(r"\d+(\.\d+)?")


def with_numbers(root: Element) -> Element:
    """Give each metronome mark in place the number at which it is played; return the score.

    A `sound` beside it says so in quarter notes a minute, whatever is written: "ca. 90", or that
    one beat is as long as another. Else the first number of a text counts, as of "90-100"; a mark
    that has none is removed. A direction that shows nothing leaves its sounds, which music21 reads
    alone.
    """
    for measure in root.iterfind("part/measure"):
        for direction in measure.findall("direction"):
            sound = direction.find("sound[@tempo]")
            played = "" if sound is None else sound.get("tempo", "")
            for mark in direction.findall("direction-type[metronome]"):
                metronome = mark[0]
                if NUMBER.fullmatch(played):
                    metronome[:] = []
                    SubElement(metronome, "beat-unit").text = "quarter"
                    SubElement(metronome, "per-minute").text = played
                elif found := NUMBER.search(metronome.findtext("per-minute", "")):
                    metronome.find("per-minute").text = found[0]  # pyright: ignore[reportOptionalMemberAccess]
                else:
                    direction.remove(mark)
            if direction.find("direction-type") is None:
                place = list(measure).index(direction)
                measure[place : place + 1] = direction.findall("sound")
    return root
