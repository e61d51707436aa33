"""A roll as MusicXML: parts with names, programs and velocities, in as many voices as needed."""

import importlib.util
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import groupby
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np

from core.errors import UserError
from musegen.notation.drums import without_pitches
from musegen.roll import Notes, Roll
from musegen.tonality import signature_of
from musegen.tracks import Track

MIDDLE_C = 60


class Piece(NamedTuple):
    """A note, or what of it is in one bar; times are steps from the bar's beginning."""

    start: int
    length: int
    pitch: int
    velocity: int
    tie: str | None

    @property
    def end(self) -> int:
        return self.start + self.length


Chord = list[Piece]


def require_music21() -> None:
    """Raise `UserError` where music21 is missing."""
    if importlib.util.find_spec("music21") is None:
        raise UserError(
            "MusicXML needs music21: pip install 'pianoreel[musicxml]', or leave musicxml out of "
            "--only"
        )


def write_musicxml(roll: Roll) -> bytes:
    """Return a roll as MusicXML: its title, metre, key and tempi, a rehearsal mark at each section
    of its form, and a part for each track that sounds.

    A drum's stroke is written until the next one of its beat. `UserError` where music21 is
    missing.
    """
    require_music21()
    from music21.metadata import Metadata
    from music21.musicxml.m21ToXml import GeneralObjectExporter
    from music21.stream import Score

    score = Score()
    score.metadata = Metadata(title=roll.name, composer="pianoreel")
    sounding = sorted(set(roll.notes.track.tolist())) or [0]  # a silent song has a silent part
    for number in sounding:
        score.insert(0, _part(roll, number, is_first=number == sounding[0]))
    root = ElementTree.fromstring(GeneralObjectExporter(score).parse())
    heads = root.findall("part-list/score-part")
    for head, number in zip(heads, sounding, strict=True):
        if roll.tracks[number].is_drum:
            without_pitches(root, head)
    for dated in root.iter("encoding"):  # equal rolls, equal bytes
        dated[:] = [one for one in dated if one.tag != "encoding-date"]
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)


def _part(roll: Roll, number: int, is_first: bool) -> Any:
    """Return a track as a part of music21; the first one has what is said of all."""
    from music21.stream import Measure, Part

    part, name = Part(), f"P{number + 1}"
    part.partName = roll.tracks[number].name
    part.insert(0, _instrument(roll.tracks[number], name))
    for bar, pieces in enumerate(_bars(roll, number)):
        measure = Measure(number=bar + 1)
        signs = _signs(roll, number) if bar == 0 else ()
        for sign in (*signs, *(_marks(roll, bar) if is_first else ())):
            measure.insert(0, sign)
        _fill(measure, voices(pieces), roll)
        part.append(measure)
    return part


def _instrument(track: Track, part: str) -> Any:
    from music21.instrument import UnpitchedPercussion, instrumentFromMidiProgram

    found = UnpitchedPercussion() if track.is_drum else instrumentFromMidiProgram(track.program)
    found.partName = found.instrumentName = track.name
    found.midiProgram, found.partId, found.instrumentId = track.program, part, f"{part}-I1"
    return found


def _signs(roll: Roll, number: int) -> Iterator[Any]:
    """Yield clef, key and metre of a track."""
    from music21.clef import BassClef, PercussionClef, TrebleClef
    from music21.key import KeySignature
    from music21.meter import TimeSignature

    pitch = roll.notes.of(number).pitch + roll.grid.lowest_pitch
    is_high = not len(pitch) or np.median(pitch) >= MIDDLE_C
    yield (
        PercussionClef() if roll.tracks[number].is_drum else (TrebleClef, BassClef)[not is_high]()
    )
    if key := signature_of(roll):
        yield KeySignature(key.sharps)
    yield TimeSignature(f"{roll.grid.beats_per_bar}/{roll.grid.beat_unit}")


def _marks(roll: Roll, bar: int) -> Iterator[Any]:
    """Yield the tempo of a bar where it changes, and the letter of a section that begins."""
    from music21.expressions import RehearsalMark
    from music21.tempo import MetronomeMark

    tempo = np.round(roll.tempo_bpm, 2)
    if bar == 0 or tempo[bar] != tempo[bar - 1]:
        yield MetronomeMark(number=float(tempo[bar]))
    section, into = divmod(bar, roll.bars // max(1, len(roll.form)))
    if into == 0 and section < len(roll.form):
        yield RehearsalMark(roll.form[section])


def _bars(roll: Roll, number: int) -> list[list[Piece]]:
    """Return the notes of a track by bars, cut at bar lines."""
    size, bars = roll.grid.steps_per_bar, [list[Piece]() for _ in range(roll.bars)]
    notes = _drawn_out(roll, number) if roll.tracks[number].is_drum else roll.notes.of(number)
    pitch = notes.pitch + roll.grid.lowest_pitch
    columns = (notes.start, notes.start + notes.length, pitch, notes.velocity)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for start, end, high, loud in rows:
        for bar in range(start // size, min(-(-end // size), roll.bars)):
            first, last = max(start, bar * size), min(end, (bar + 1) * size)
            tie = _tie(first > start, last < end)
            bars[bar].append(Piece(first - bar * size, last - first, high, loud, tie))
    return bars


def _tie(from_before: bool, goes_on: bool) -> str | None:
    if from_before:
        return "continue" if goes_on else "stop"
    return "start" if goes_on else None


def _drawn_out(roll: Roll, number: int) -> Notes:
    """Return drum strokes that last until the next one, at most to the end of their beat."""
    notes, beat = roll.notes.of(number), roll.grid.steps_per_beat
    moments = np.unique(notes.start)
    following = np.append(moments[1:], roll.bars * roll.grid.steps_per_bar)
    end = np.minimum(following, (moments // beat + 1) * beat)
    return replace(notes, length=end[np.searchsorted(moments, notes.start)] - notes.start)


def voices(pieces: Iterable[Piece]) -> list[list[Chord]]:
    """Return the chords of a bar in voices, in each of which none overlap; at least one voice.

    >>> long, one, two = (Piece(*at, 60, 100, None) for at in ((0, 4), (0, 2), (2, 2)))
    >>> voices([long, one, two]) == [[[long]], [[one], [two]]]
    True
    """
    found: list[list[Chord]] = []
    by_time = sorted(pieces, key=lambda one: (one.start, -one.length, one.pitch))
    for (start, _), chord in groupby(by_time, key=lambda one: (one.start, one.length)):
        free = next((voice for voice in found if voice[-1][0].end <= start), None)
        if free is None:
            found.append(free := [])
        free.append(list(chord))
    return found or [[]]


def _fill(measure: Any, lines: Sequence[Sequence[Chord]], roll: Roll) -> None:
    from music21.stream import Voice

    if len(lines) == 1:
        measure.append(list(_line(lines[0], roll)))
        return
    for number, line in enumerate(lines, 1):
        voice = Voice(id=str(number))
        voice.append(list(_line(line, roll)))
        measure.insert(0, voice)


def _line(chords: Sequence[Chord], roll: Roll) -> Iterator[Any]:
    """Yield the chords of a voice, and rests between them; a chord is as loud as its loudest."""
    from music21 import chord, note, volume

    at = 0
    for pieces in chords:
        if pieces[0].start > at:
            yield note.Rest(quarterLength=_quarters(roll, pieces[0].start - at))
        notes = [_note(piece, roll) for piece in pieces]
        sound = notes[0] if len(notes) == 1 else chord.Chord(notes)
        sound.volume = volume.Volume(velocity=max(piece.velocity for piece in pieces))
        yield sound
        at = pieces[0].end
    if at < roll.grid.steps_per_bar:
        yield note.Rest(quarterLength=_quarters(roll, roll.grid.steps_per_bar - at))


def _note(piece: Piece, roll: Roll) -> Any:
    from music21 import note, tie

    one = note.Note(piece.pitch, quarterLength=_quarters(roll, piece.length))
    one.tie = tie.Tie(piece.tie) if piece.tie else None
    return one


def _quarters(roll: Roll, steps: int) -> Fraction:
    return Fraction(steps) / Fraction(roll.grid.steps_per_quarter)
