"""Tremolos of a score, which music21 reads and plays as plain notes: notes that are repeated."""

from collections import defaultdict
from collections.abc import Sequence
from copy import deepcopy
from fractions import Fraction
from xml.etree.ElementTree import Element

from musegen.notation.measures import timed

FLAGS = {"eighth": 1, "16th": 2, "32nd": 3, "64th": 4}
"""The flags or beams of written notes; longer ones have none."""

UNMEASURED = 3
"""The strokes through a note that is repeated as fast as one can."""

MOST_STROKES = 4
"""More strokes and flags together are as fast as these: 64ths."""

PER_NOTE = ("notations", "lyric")
"""The elements that are at the first of repeated notes alone."""

LEFT_OUT = ("type", "dot", "time-modification", "beam", "tie")
"""Elements that say how the written note looks, or that it lasts."""

Chord = list[Element]
"""A note, and those in a chord with it."""


def with_tremolos(root: Element) -> Element:
    """Replace in place notes that are struck so often, alone or in turn with the next one, by the
    notes that sound; return the score."""
    for part in root.findall("part"):
        by_measure = defaultdict[int, list[tuple[Fraction, Element]]](list)
        for number, _, divisions, one in timed(part):
            if one.tag == "note" and one.find("grace") is None:
                by_measure[number].append((divisions, one))
        for number, measure in enumerate(part.findall("measure")):
            if any(one.find(".//tremolo") is not None for _, one in by_measure[number]):
                _repeat(measure, by_measure[number])
    return root


def _repeat(measure: Element, notes: Sequence[tuple[Fraction, Element]]) -> None:
    """Replace the tremolos of a measure, whose notes come with their divisions."""
    chords = list[tuple[Fraction, Chord]]()
    for divisions, one in notes:
        if chords and one.find("chord") is not None:
            chords[-1][1].append(one)
        else:
            chords.append((divisions, [one]))
    waiting = dict[str, tuple[Chord, Fraction]]()  # by voice
    for divisions, chord in chords:
        mark, voice = _mark(chord), chord[0].findtext("voice", "")
        if mark is None:
            continue
        each = _each(chord[0], mark) * divisions
        if mark.get("type") == "start":
            waiting[voice] = chord, each
        elif mark.get("type") == "stop":
            if voice in waiting:
                first, each = waiting.pop(voice)
                struck = _replace(measure, first, [first, chord], each)
                _replace(measure, chord, [first, chord][:: 1 if struck % 2 == 0 else -1], each)
        else:
            _replace(measure, chord, [chord], each)


def _mark(chord: Chord) -> Element | None:
    found = (one.find("notations/ornaments/tremolo") for one in chord)
    return next((mark for mark in found if mark is not None), None)


def _each(note: Element, mark: Element) -> Fraction:
    """Return the quarter notes of each stroke of a tremolo."""
    strokes = int((mark.text or "").strip() or UNMEASURED) or UNMEASURED
    flags = FLAGS.get(note.findtext("type", "").strip(), 0)
    return Fraction(1, 2 ** min(flags + strokes, MOST_STROKES))


def _replace(measure: Element, chord: Chord, played: Sequence[Chord], each: Fraction) -> int:
    """Put chords in turn in the place of one, each so long; return how many there are."""
    length = Fraction(chord[0].findtext("duration", "0").strip())
    count = max(round(length / each), 1)
    place = list(measure).index(chord[0])
    struck = [
        _struck(one, length / count, number == played.index(chord))
        for number in range(count)
        for one in played[number % len(played)]
    ]
    for one in chord:
        measure.remove(one)
    measure[place:place] = struck
    return count


def _struck(note: Element, length: Fraction, is_first: bool) -> Element:
    """Return a note of a tremolo as it sounds once."""
    left_out = LEFT_OUT if is_first else (*LEFT_OUT, *PER_NOTE)
    one = deepcopy(note)
    one[:] = [part for part in one if part.tag not in left_out]
    for duration in one.findall("duration"):
        duration.text = str(float(length))
    for ornaments in one.findall("notations/ornaments"):
        ornaments[:] = [mark for mark in ornaments if mark.tag != "tremolo"]
    return one
