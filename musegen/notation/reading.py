"""MusicXML to MIDI: a score as it is played, its repeats and tied notes played out."""

import contextlib
import io
import itertools
import re
import warnings
import zipfile
from collections.abc import Container, Iterable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

from core.data.limits import Limits
from core.data.sources import UNREADABLE, RejectedFile
from core.data.workers import Failure, map_in_processes
from musegen.files.parts import CHANNELS
from musegen.files.smf import with_ports
from musegen.notation.drums import is_kit, with_pitches
from musegen.notation.instruments import by_programs
from musegen.notation.measures import by_parts, of_equal_lengths, with_steps, without_cues

PACKED = b"PK"
CONTAINER = "META-INF/container.xml"
"""The entry of a packed score that names the one with the notes."""

ENTRIES = (".musicxml", ".xml")
SPARE_FOLDERS = {"META-INF", "__MACOSX"}
"""Suffixes of entries with notes, and folders that have none."""

BROKEN = (ElementTree.ParseError, expat.ExpatError, ValueError)
"""Exceptions of XML that is not whole, or of an encoding that is not known."""

TICKS_PER_BEAT = 480
DRUMS = 9
"""The channel of drums, from 0."""

BASS_GUITAR = 33
SINGERS = re.compile(r"soprano|\b(alto|tenor)\b(?! sax)", re.IGNORECASE)
"""Words in names of parts beside which a bass is a singer."""

POWERS = tuple(2**power for power in range(8))
MOST_BEATS = 255
"""The denominators that metres have in MIDI, and the largest numerator."""

Event = tuple[Any, Any]
"""A time in quarter notes, and a message of mido."""


def to_midi(data: bytes, limits: Limits) -> bytes:
    """Return a score as a MIDI file; raise `RejectedFile` if it is none."""
    text = _unpacked(data, limits) if data.startswith(PACKED) else data
    try:
        root = with_steps(by_parts(_tree(text)))
    except BROKEN as error:
        raise RejectedFile("unreadable", f"no whole MusicXML: {error}") from error
    try:
        import music21
    except ImportError as error:
        install = "MusicXML needs music21: pip install 'pianoreel[musicxml]'"
        raise RejectedFile("needs-music21", install) from error
    try:
        heads = root.findall("part-list/score-part")
        kits = {head.attrib["id"] for head in heads if is_kit(root, head)}
        sounding = of_equal_lengths(by_programs(without_cues(with_pitches(root)), kits))
        whole = ElementTree.tostring(sounding, encoding="unicode")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of instruments that music21 does not know
            return _played(music21.converter.parseData(whole, format="musicxml"), kits)
    except Exception as error:  # music21 raises whatever its readers raise
        detail = f"music21 fails: {error or type(error).__name__}"
        raise RejectedFile("unreadable", detail) from error


def to_midi_within_limits(data: bytes, limits: Limits) -> bytes:
    """Return the same as `to_midi`, read in a child process with the limits of preparation.

    A repeat of a million times, for example, is a line of a score and asks for all memory.
    """
    function = partial(_attempt, limits=limits)
    ((_, found),) = map_in_processes(function, [data], 1, limits.seconds, limits.memory_mb)
    if isinstance(found, Failure):
        raise RejectedFile(found.reason, f"the score cannot be read: {found.detail}")
    return found


def _attempt(data: bytes, limits: Limits) -> bytes | Failure:
    try:
        return to_midi(data, limits)
    except RejectedFile as error:
        return Failure(error.reason, error.detail)


def _tree(text: bytes) -> ElementTree.Element:
    """Parse XML of any encoding, without namespaces; `RejectedFile` where it declares entities.

    A few lines of them can stand for gigabytes.
    """
    parser = expat.ParserCreate()
    parser.EntityDeclHandler = _refuse_entity
    parser.Parse(text, True)
    root = ElementTree.fromstring(text)
    for one in root.iter():
        one.tag = one.tag.rpartition("}")[2]
    return root


def _refuse_entity(*declared: Any) -> None:
    raise RejectedFile("unreadable", "a score that declares entities of XML is not read")


def _unpacked(data: bytes, limits: Limits) -> bytes:
    """Return the notes of a packed score."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(one.file_size for one in archive.infolist())
            if size > limits.most_unpacked(len(data)):
                raise RejectedFile("too-large", f"unpacks to {size} bytes")
            return archive.read(_notes_entry(archive))
    except (*UNREADABLE, *BROKEN, LookupError) as error:
        raise RejectedFile("unreadable", f"no packed MusicXML: {error}") from error


def _notes_entry(archive: zipfile.ZipFile) -> str:
    """Return the name of the entry with the notes: that which the container names, else a score.

    Some programs pack without a container, or write names in it that no entry has.
    """
    entries, named = archive.namelist(), list[str]()
    if CONTAINER in entries:
        container = _tree(archive.read(CONTAINER))
        named = [one.get("full-path", "") for one in container.iter("rootfile")]
    scores = [
        name
        for name in entries
        if name.lower().endswith(ENTRIES) and SPARE_FOLDERS.isdisjoint(re.split(r"[/\\]", name))
    ]
    of_container = [name for name in named if name in entries]
    found = [*(name for name in of_container if name in scores), *scores, *of_container]
    if not found:
        raise LookupError("it holds no .musicxml or .xml: unpack it, and give the song itself")
    return found[0]


def _played(score: Any, kits: Container[str]) -> bytes:
    """Return a score of music21 as MIDI; `kits`: the ids of the parts that are drums.

    music21's own has at most 15 parts, and loses ties from one voice to another. A part is in a
    group named by its id; on several staves, as a piano's, it is one for each, in groups that end
    in -Staff1 and so on.
    """
    import mido
    from music21.repeat import ExpanderException

    with contextlib.suppress(ExpanderException):  # of repeats that lead nowhere
        score = score.expandRepeats()
    score.toSoundingPitch(inPlace=True)
    file = mido.MidiFile(ticks_per_beat=TICKS_PER_BEAT, charset="utf-8")
    tempi = [
        (begin, mido.MetaMessage("set_tempo", tempo=round(6e7 / mark.getQuarterBPM())))
        for begin, _, mark in score.metronomeMarkBoundaries()
    ]
    file.tracks.append(_track([*tempi, *_signatures(score.parts[0])]))
    free = itertools.cycle(number for number in range(CHANNELS) if number != DRUMS)
    is_sung = any(SINGERS.search(part.partName or "") for part in score.parts)
    for part in score.parts:
        drums = any(of in kits or of.rpartition("-Staff")[0] in kits for of in part.groups)
        channel = DRUMS if drums else next(free)
        program = 0 if drums else _program(part, is_sung)
        begin = [
            (0, mido.MetaMessage("track_name", name=part.partName or "")),
            (0, mido.Message("program_change", channel=channel, program=program)),
        ]
        file.tracks.append(_track([*begin, *_strokes(part, channel)]))
    stream = io.BytesIO()
    file.save(file=stream)
    ports = [number // (CHANNELS - 1) for number in range(len(score.parts))]
    return with_ports(stream.getvalue(), ports)


def _program(part: Any, is_sung: bool) -> int:
    """Return the program of a part, by its name where the score has no number: 0 for no known one.

    A bass is a guitar, unless other parts of the score are sung. music21 takes it for a singer,
    and a bass guitar for a guitar.
    """
    from music21 import instrument
    from music21.exceptions21 import InstrumentException

    found, name = part.getInstrument(returnDefault=False), part.partName or ""
    if found and found.midiProgram is not None:
        return found.midiProgram
    try:
        guess = instrument.fromString(name)
    except InstrumentException:
        return 0
    is_bass = "bass" in name.lower() and type(guess) in (
        instrument.Bass,
        instrument.AcousticGuitar,
    )
    return BASS_GUITAR if is_bass and not is_sung else guess.midiProgram or 0


def _track(events: Iterable[Event]) -> Any:
    """Return messages with the ticks between them; of those at one time, ends come first."""
    import mido

    timed = [(round(at * TICKS_PER_BEAT), one) for at, one in events]
    timed.sort(key=lambda pair: (pair[0], pair[1].type == "note_on"))
    before = [0, *(at for at, _ in timed)]
    return mido.MidiTrack(
        message.copy(time=at - last) for last, (at, message) in zip(before, timed, strict=False)
    )


def _signatures(part: Any) -> Iterator[Event]:
    """Yield the metre where it changes; a bar of another length is in one of its own.

    So a pickup is, and the bar before a repeat that begins with one. The last bar may be short.
    """
    import mido

    named, written = (4, 4), None
    measures = list(part.getElementsByClass("Measure"))
    for measure in measures:
        if found := measure.timeSignature:
            named = found.numerator, found.denominator
        length = Fraction(measure.duration.quarterLength) / 4
        is_whole = measure is measures[-1] or length in (0, Fraction(*named))
        wanted = named if is_whole else _ratio(length) or named
        if wanted != written:
            written = wanted
            upper, lower = wanted
            message = mido.MetaMessage("time_signature", numerator=upper, denominator=lower)
            yield measure.offset, message


def _ratio(whole_notes: Fraction) -> tuple[int, int] | None:
    """Return the metre of a bar of a length, if there is one."""
    upper, lower = whole_notes.as_integer_ratio()
    return (upper, lower) if lower in POWERS and upper <= MOST_BEATS else None


def _strokes(part: Any, channel: int) -> Iterator[Event]:
    """Yield where notes begin and end, as loud as the dynamics of the score say."""
    import mido
    from music21.volume import realizeVolume

    realizeVolume(part)
    joined: dict[int, list[tuple[Any, Any, Any]]] = {}
    for begin, end, note in sorted(_sounding(part), key=lambda one: one[:2]):
        line = joined.setdefault(note.pitch.midi, [])
        is_tied = note.tie is not None and note.tie.type != "start"
        if is_tied and line and line[-1][1] == begin:
            line[-1] = (line[-1][0], end, line[-1][2])
        else:
            line.append((begin, end, note))
    for pitch, line in joined.items():
        for begin, end, note in line:
            loud = min(max(round(127 * (note.volume.cachedRealized or 0.5)), 1), 127)
            yield begin, mido.Message("note_on", channel=channel, note=pitch, velocity=loud)
            yield end, mido.Message("note_off", channel=channel, note=pitch)


def _sounding(part: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Yield begin, end and note of all that has a pitch and lasts."""
    from music21.harmony import ChordSymbol

    for one in part.flatten().notes:
        end = one.offset + one.quarterLength
        if end > one.offset and not isinstance(one, ChordSymbol):
            notes = one.notes if one.isChord else [one]
            yield from ((one.offset, end, note) for note in notes if hasattr(note, "pitch"))
