"""Measures of MusicXML: what in them is silent, and as long in all parts.

music21 lets a measure last until its last note, part by part, so that a part with a shorter one
would go ahead of the others from there on.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from fractions import Fraction
from itertools import zip_longest
from xml.etree.ElementTree import Element, SubElement

STEPS, HALF_STEPS = 7, 12
"""Those of an octave."""

TIMED = ("note", "backup", "forward")
"""The elements that move the place in a measure."""

WHAT = ("chord", "pitch", "unpitched", "rest")
"""The elements of a note that say what it is, before its duration."""

QUARTERS = {
    "long": 16, "breve": 8, "whole": 4, "half": 2, "quarter": 1, "eighth": Fraction(1, 2),
    "16th": Fraction(1, 4), "32nd": Fraction(1, 8), "64th": Fraction(1, 16),
    "128th": Fraction(1, 32),
}  # fmt: skip
"""The quarter notes of written notes."""


def without_cues(root: Element) -> Element:
    """Make the cue notes of a score rests in place: they show what others play; return it."""
    for measure in root.findall("part/measure"):
        for note in measure.findall("note[cue]"):
            if note.find("chord") is not None or note.find("duration") is None:
                measure.remove(note)
                continue
            make_rest(note)
    return root


def make_rest(note: Element) -> None:
    """Make a note silent, as long as it was."""
    kept = [one for one in note if one.tag in ("duration", "voice", "staff")]
    note[:] = [Element("rest"), *kept]


def with_ties(root: Element) -> Element:
    """Tie notes in place as they are drawn, in a score that says of none that it sounds tied;
    return the score."""
    if root.find("part/measure/note/tie") is None:
        for note in root.iterfind("part/measure/note"):
            for drawn in note.findall("notations/tied"):
                if drawn.get("type") in ("start", "stop"):
                    SubElement(note, "tie", type=drawn.get("type", ""))
    return root


def with_repetitions(root: Element) -> Element:
    """Fill empty measures in place that a sign says to repeat others, as of drums; return the
    score.

    The standard has their notes written out, programs write rests.
    """
    for part in root.findall("part"):
        measures, length = part.findall("measure"), 0
        for number, measure in enumerate(measures):
            for sign in measure.iterfind("attributes/measure-style/measure-repeat"):
                length = int(sign.text or 1) if sign.get("type") == "start" else 0
            is_empty = all(note.find("rest") is not None for note in measure.iterfind("note"))
            if 0 < length <= number and is_empty:
                before = [one for one in measures[number - length] if one.tag in TIMED]
                _replace_timed(measure, deepcopy(before))
    return root


def _replace_timed(measure: Element, timed: Sequence[Element]) -> None:
    kept = [one for one in measure if one.tag not in TIMED]
    place = max((n for n, one in enumerate(kept, 1) if one.tag == "attributes"), default=0)
    measure[:] = [*kept[:place], *timed, *kept[place:]]


def with_octaves(root: Element) -> Element:
    """Add in place the notes an octave below or above that a transposition doubles; return the
    score."""
    for part in root.findall("part"):
        octave = 0
        for measure in part.findall("measure"):
            for one in list(measure):
                if one.tag == "attributes" and (found := one.find("transpose")) is not None:
                    double = found.find("double")
                    up = 1 if double is not None and double.get("above") == "yes" else -1
                    octave = 0 if double is None else up
                elif octave and one.tag == "note" and one.find("pitch/octave") is not None:
                    measure.insert(list(measure).index(one) + 1, _an_octave_off(one, octave))
    return root


def _an_octave_off(note: Element, octave: int) -> Element:
    """Return a note in a chord with one, so many octaves higher."""
    other = deepcopy(note)
    other[:] = [one for one in other if one.tag not in ("chord", "lyric")]
    other.insert(0, Element("chord"))
    height = other.find("pitch/octave")
    if height is not None:
        height.text = str(int(height.text or 4) + octave)
    return other


def with_heads(root: Element) -> Element:
    """Add in place the entries of parts that the list of a score lacks; return the score.

    A part without an id has that of the first entry that no other part has.
    """
    listed = root.find("part-list")
    if listed is None:
        listed = Element("part-list")
        root.insert(0, listed)
    known = [head.get("id", "") for head in listed.findall("score-part")]
    parts = root.findall("part")
    free = [name for name in known if name not in {part.get("id") for part in parts}]
    for number, part in enumerate(parts, 1):
        if part.get("id") is None:
            part.set("id", free.pop(0) if free else f"P{number}")
        if part.get("id") not in known:
            head = SubElement(listed, "score-part", id=part.get("id", ""))
            SubElement(head, "part-name")
    return root


def with_divisions(root: Element) -> Element:
    """Say in place how quarter notes are divided where a part does not, or by 0; return the
    score.

    It is what the first note that shows its value says, else what another part says, else 1.
    """
    for one in root.iterfind("part/measure/attributes"):
        for divisions in one.findall("divisions"):
            if not float(divisions.text or 0) > 0:
                one.remove(divisions)
    others = [one.text for one in root.iterfind("part/measure/attributes/divisions")]
    for part in root.findall("part"):
        timed = [one for one in part.iterfind("measure/*") if one.tag in (*TIMED, "attributes")]
        said = (n for n, one in enumerate(timed) if one.find("divisions") is not None)
        unsaid = timed[: next(said, len(timed))]
        notes = [one for one in unsaid if one.find("duration") is not None]
        if any(one.tag == "note" for one in unsaid):
            shown = filter(None, map(_divisions, notes))
            found = Element("attributes")
            SubElement(found, "divisions").text = str(next(shown, next(iter(others), 1)))
            part.find("measure").insert(0, found)  # pyright: ignore[reportOptionalMemberAccess]
    return root


def with_durations(root: Element) -> Element:
    """Say in place how long the notes are that show their values alone; return the score.

    Notation programs play such notes as they are drawn.
    """
    for part in root.findall("part"):
        divisions = Fraction(1)
        for one in part.iterfind("measure/*"):
            if one.tag == "attributes" and (text := one.findtext("divisions")):
                divisions = Fraction(text.strip())
            if one.tag != "note" or any(one.find(kind) is not None for kind in ("grace", "cue")):
                continue
            said = Fraction((one.findtext("duration") or "0").strip())
            if not said and (length := _drawn(one) * divisions):
                for empty in one.findall("duration"):
                    one.remove(empty)
                place = 1 + max((n for n, part in enumerate(one) if part.tag in WHAT), default=-1)
                one.insert(place, found := Element("duration"))
                found.text = str(float(length))
    return root


def _drawn(note: Element) -> Fraction:
    """Return the quarter notes of a note as it is drawn; 0 where it shows no value."""
    length = Fraction(QUARTERS.get(note.findtext("type", "").strip(), 0))
    length *= 2 - Fraction(1, 2 ** len(note.findall("dot")))
    actual, normal = (
        int(note.findtext(f"time-modification/{kind}-notes", "1")) for kind in ("actual", "normal")
    )
    return length * normal / actual if actual > 0 else length


def _divisions(note: Element) -> int:
    """Return the divisions of a quarter note of a note that shows its value; 0 for others."""
    value = QUARTERS.get(note.findtext("type", ""))
    is_plain = all(note.find(mark) is None for mark in ("dot", "time-modification", "grace"))
    length = Fraction(note.findtext("duration", "0").strip())
    return round(length / value) if value and is_plain else 0


def with_steps(root: Element) -> Element:
    """Give each transposition in place the steps of the staff that it may leave out, for which
    music21 looks; return the score."""
    for one in root.iterfind("part/measure/attributes/transpose"):
        if one.find("diatonic") is None:
            steps, halves = Element("diatonic"), float(one.findtext("chromatic", "0"))
            steps.text = str(round(halves * STEPS / HALF_STEPS))
            one.insert(0, steps)
    return root


def by_parts(root: Element) -> Element:
    """Return a score whose measures hold parts, `score-timewise`, as one whose parts hold
    measures."""
    if root.tag != "score-timewise":
        return root
    score = Element("score-partwise", root.attrib)
    score.extend(one for one in root if one.tag != "measure")
    names = [head.attrib["id"] for head in root.findall("part-list/score-part")]
    parts = {name: SubElement(score, "part", id=name) for name in names}
    for measure in root.findall("measure"):
        of_parts = {one.get("id"): one for one in measure.findall("part")}
        for name, part in parts.items():
            SubElement(part, "measure", measure.attrib).extend(of_parts.get(name, ()))
    return score


def of_equal_lengths(root: Element) -> Element:
    """Fill up measures in place with rests, so that each is as long in all parts; return the
    score.

    A rest of a whole measure is as short as a pickup where one is.
    """
    lines = [list(_spans(part)) for part in root.findall("part")]
    for spans in zip_longest(*lines):
        found = [span for span in spans if span is not None]
        length = max(span.reach for span in found)
        for span in found:
            if span.filled < length:
                span.fill(length)
    return root


@dataclass
class _Span:
    """A measure of a part: all in quarter notes from its beginning.

    filled: where the last note or rest ends. reach: the same, or where it is moved on to.
    at: where the place is at its end.
    """

    measure: Element
    divisions: Fraction
    filled: Fraction = Fraction(0)
    reach: Fraction = Fraction(0)
    at: Fraction = Fraction(0)
    last: Element | None = None

    def follow(self, one: Element) -> None:
        """Move on by an element that is timed; others may divide quarter notes anew."""
        if one.tag == "attributes" and (text := one.findtext("divisions")):
            self.divisions = Fraction(text.strip())
        if one.tag not in TIMED or one.find("chord") is not None or one.find("grace") is not None:
            return
        length = Fraction(one.findtext("duration", "0").strip()) / self.divisions
        self.at += -length if one.tag == "backup" else length
        self.reach = max(self.reach, self.at)
        if one.tag == "note" and self.at >= self.filled:
            self.filled, self.last = self.at, one

    def fill(self, length: Fraction) -> None:
        """Add a rest after the last note, up to a length."""
        rest, moved = Element("note"), self.filled - self.at
        SubElement(rest, "rest")
        steps = [(rest, length - self.filled)]
        if moved:
            steps.insert(0, (Element("forward" if moved > 0 else "backup"), abs(moved)))
        for one, quarters in steps:
            SubElement(one, "duration").text = str(float(quarters * self.divisions))
        if self.last is not None:
            rest.extend(one for one in self.last if one.tag in ("voice", "staff"))
        before = [n for n, one in enumerate(self.measure, 1) if one.tag in (*TIMED, "attributes")]
        place = max(before, default=0)
        self.measure[place:place] = [one for one, _ in steps]


def _spans(part: Element) -> Iterator[_Span]:
    """Yield the measures of a part; rests of a whole pickup are removed."""
    divisions = Fraction(1)
    for measure in part.findall("measure"):
        if measure.get("implicit") == "yes":
            for note in measure.findall("note"):
                if note.find("rest[@measure='yes']") is not None:
                    measure.remove(note)
        span = _Span(measure, divisions)
        for one in measure:
            span.follow(one)
        divisions = span.divisions
        yield span


def timed(part: Element) -> Iterator[tuple[int, Fraction, Fraction, Element]]:
    """Yield the elements of a part's measures.

    With each come the number of its measure, from 0, the quarter notes from the beginning of that,
    and the divisions of a quarter note.
    """
    divisions = Fraction(1)
    for number, measure in enumerate(part.findall("measure")):
        span = _Span(measure, divisions)
        for one in measure:
            yield number, span.at, span.divisions, one
            span.follow(one)
        divisions = span.divisions
