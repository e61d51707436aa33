"""MusicXML to MIDI: packed and plain scores, and what music21 needs to read them."""

import io
import re
import warnings
import zipfile
from functools import partial
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

from core.data.limits import Limits
from core.data.sources import UNREADABLE, RejectedFile
from core.data.workers import Failure, map_in_processes
from musegen.notation.drums import is_kit, with_pitches
from musegen.notation.dynamics import dynamics_of
from musegen.notation.instruments import by_programs, levels_of, named_sounds
from musegen.notation.measures import (
    by_parts,
    of_equal_lengths,
    with_divisions,
    with_durations,
    with_heads,
    with_octaves,
    with_repetitions,
    with_steps,
    with_ties,
    without_cues,
)
from musegen.notation.order import played_order, without_repeats
from musegen.notation.pedals import pedals_of
from musegen.notation.playing import Players, play
from musegen.notation.swing import swings_of
from musegen.notation.tempi import with_numbers
from musegen.notation.tremolos import with_tremolos

PACKED = b"PK"
CONTAINER = "META-INF/container.xml"
"""The entry of a packed score that names the one with the notes."""

ENTRIES = (".musicxml", ".xml")
SPARE_FOLDERS = {"META-INF", "__MACOSX"}
"""Suffixes of entries with notes, and folders that have none."""

BROKEN = (ElementTree.ParseError, expat.ExpatError, ValueError)
"""Exceptions of XML that is not whole, or of an encoding that is not known."""


def to_midi(data: bytes, limits: Limits) -> bytes:
    """Return a score as a MIDI file; raise `RejectedFile` if it is none."""
    text = _unpacked(data, limits) if data.startswith(PACKED) else data
    try:
        root = with_durations(with_divisions(with_heads(by_parts(_tree(text)))))
        root = with_repetitions(with_ties(with_octaves(with_steps(root))))
    except BROKEN as error:
        raise RejectedFile("unreadable", f"no whole MusicXML: {error}") from error
    try:
        import music21
    except ImportError as error:
        install = "MusicXML needs music21: pip install 'pianoreel[musicxml]'"
        raise RejectedFile("needs-music21", install) from error
    if root.find("part/measure") is None:
        raise RejectedFile("no-notes", "the score has no measures: export it once more")
    order = played_order(root)
    try:
        heads = root.findall("part-list/score-part")
        kits = {head.attrib["id"] for head in heads if is_kit(root, head)}
        written = with_tremolos(without_cues(with_pitches(root, kits)))
        written = with_numbers(without_repeats(written))
        sounding = of_equal_lengths(by_programs(written, kits))
        whole = ElementTree.tostring(sounding, encoding="unicode")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of instruments that music21 does not know
            score = music21.converter.parseData(whole, format="musicxml")
            players = Players(
                kits=kits,
                sounds=named_sounds(root),
                pedals=pedals_of(sounding),
                levels=levels_of(sounding),
                swings=swings_of(sounding),
                dynamics=dynamics_of(sounding),
            )
            return play(score, players, order)
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
