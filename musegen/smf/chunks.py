"""A Standard MIDI File as header and tracks: repairs and checks.

Each check is for something that a file of a few bytes can contain and that would end in a crash,
in gigabytes of memory, or in wrong notes.
"""

import codecs
import struct
from collections.abc import Iterator
from pathlib import Path

from core.data.limits import Limits
from core.data.sources import RejectedFile, read_bytes, require_size, unpacked
from musegen.smf.foreign import COPY, EXPORT, why_foreign

MIDI = (".mid", ".midi", ".kar", ".rmi", ".rmid", ".smf")
"""Suffixes of MIDI files."""

SCORES = (".musicxml", ".mxl", ".xml")
"""Suffixes of MusicXML, plain, packed and of old, which is read as the MIDI that it stands for."""

SONG_FILES = (*MIDI, *SCORES)

HEADER_BYTES, CHUNK_BYTES = 14, 8
HEADER, TRACK = b"MThd", b"MTrk"

LAST_EVENT = b"\xff\x2f\x00"
"""The end of a track, without its delta time."""

SEARCHED_BYTES = 4096

UNKNOWN = 0xFFFF
"""The most tracks that a header can promise: one that could not know says so."""

SONGS = 2
"""The format in which each track is a song of its own; with one track it is format 0."""

IN_FRAMES = 0x8000
"""From here on a division is of SMPTE frames: minus their number a second, and ticks a frame."""

FRAME_RATES_HZ = {24: 24.0, 25: 25.0, 29: 30_000 / 1001, 30: 30.0}
"""The frames a second of each number that a header can name."""


def midi_bytes(source: Path | str | bytes, limits: Limits) -> bytes:
    """Return the file as header and tracks alone, with their true number and lengths.

    The header of one whose end is missing promises a track more than there are.

    MusicXML is played out. A RIFF wrapper, junk before the header or after the tracks and other
    chunks are left out, and what gzip has packed is unpacked. Raises `RejectedFile` if there is no
    whole header, or one of another format.
    """
    is_read = isinstance(source, bytes)
    data = unpacked(source, limits) if is_read else read_bytes(Path(source), limits)
    if not data:
        raise RejectedFile("empty-file", "the file has no bytes")
    require_size(len(data), limits)
    if _is_score(data):
        from musegen.notation import reading  # whose library is an extra

        # bytes come from a preparation, in a child of its own
        play_out = reading.to_midi if is_read else reading.to_midi_within_limits
        data = play_out(data, limits)
    data = _unwrapped(data)
    begin = data.find(HEADER, 0, SEARCHED_BYTES)
    if begin < 0:
        raise RejectedFile("not-midi", why_foreign(data))
    if len(data) < begin + HEADER_BYTES:
        raise RejectedFile("unreadable", f"the file is cut off within its MIDI header: {COPY}")
    kind, promised, division = struct.unpack(">HHH", data[begin + 8 : begin + HEADER_BYTES])
    tracks = [chunk_of(events) for events in _tracks(data, begin + HEADER_BYTES)]
    if promised and len(data) < begin + HEADER_BYTES + CHUNK_BYTES:
        raise RejectedFile("unreadable", f"the file ends after its MIDI header: {COPY}")
    count = min(len(tracks), UNKNOWN)
    kind = 0 if kind == SONGS and count == 1 else kind
    _check_header(kind, division)
    lacks_tracks = count < promised < UNKNOWN
    count += count < UNKNOWN and (lacks_tracks or _breaks_off(data, begin + HEADER_BYTES))
    header = struct.pack(">4sIHHH", HEADER, 6, kind, count, division)
    return b"".join([header, *tracks[:count]])


def tracks_are_missing(midi: bytes) -> bool:
    """Return whether the end of a result of `midi_bytes` is missing."""
    return int.from_bytes(midi[10:12], "big") > sum(1 for _ in chunks_of(midi))


def _unwrapped(data: bytes) -> bytes:
    """Return the MIDI file within a RIFF, else the same bytes; instruments may come beside it."""
    at = 12
    while data.startswith(b"RIFF") and data[8:12] == b"RMID" and at + CHUNK_BYTES <= len(data):
        begin, size = at + CHUNK_BYTES, int.from_bytes(data[at + 4 : at + CHUNK_BYTES], "little")
        if data[at : at + 4] == b"data":
            return data[begin : begin + size] if size else data[begin:]
        at = begin + size + size % 2
    return data


def _is_score(data: bytes) -> bool:
    """Return whether the bytes are MusicXML, plain or packed as a zip."""
    head = data[:SEARCHED_BYTES]
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        head = head.decode("utf-16", "ignore").encode("utf-8", "ignore")
    return data.startswith(b"PK\x03\x04") or b"<score-" in head


def _tracks(data: bytes, at: int) -> Iterator[bytes]:
    """Return the events of each track chunk; bytes between chunks are skipped.

    Another file after this one is not a part of it.
    """
    after = at
    while (at := data.find(TRACK, after)) >= 0 and HEADER not in data[after:at]:
        begin, after = at + CHUNK_BYTES, _end(data, at)
        yield data[begin:after]


def _breaks_off(data: bytes, at: int) -> bool:
    """Return whether the file ends within its last track, which has no end there."""
    last = data.rfind(TRACK, at)
    length = int.from_bytes(data[last + 4 : last + CHUNK_BYTES], "big")
    is_longer = last >= 0 and last + CHUNK_BYTES + length > len(data)
    return is_longer and data.find(LAST_EVENT, last + CHUNK_BYTES) < 0


def _end(data: bytes, at: int) -> int:
    """Return where the track ends whose chunk begins here.

    Its length is not believed where a track ends and the next one begins before that, nor where it
    is 0 and events follow, as writers leave it that are broken off.
    """
    begin, length = at + CHUNK_BYTES, int.from_bytes(data[at + 4 : at + CHUNK_BYTES], "big")
    if not length and (data.startswith(TRACK, begin) or data.find(LAST_EVENT, begin) < 0):
        return begin
    end = min(begin + length, len(data)) if length else len(data)
    last = data.find(LAST_EVENT + TRACK, begin, end + len(TRACK))
    return last + len(LAST_EVENT) if last >= 0 else end


def _check_header(kind: int, division: int) -> None:
    if kind > 1:
        raise RejectedFile("format", f"MIDI format {kind} is not read: {EXPORT}")
    if division & 0x7FFF == 0 or (division >= IN_FRAMES and division & 0xFF == 0):
        raise RejectedFile("division", f"0 ticks a beat, or a frame: {EXPORT}")
    if division >= IN_FRAMES and frame_number(division) not in FRAME_RATES_HZ:
        raise RejectedFile(
            "smpte",
            f"times are in frames, {frame_number(division)} a second, "
            f"MIDI has 24 to 30: {EXPORT}, with times in beats",
        )


def frame_number(division: int) -> int:
    """Return the frames a second that a header names, those of film as 24, of NTSC as 29."""
    return 256 - (division >> 8)


def chunks_of(midi: bytes) -> Iterator[tuple[int, int]]:
    """Yield (first byte, end) of the events of each track of a result of `midi_bytes`."""
    at = HEADER_BYTES
    while at < len(midi):
        end = at + 8 + int.from_bytes(midi[at + 4 : at + 8], "big")
        yield at + 8, end
        at = end


def chunk_of(events: bytes) -> bytes:
    """Return the chunk of a track with these events."""
    return TRACK + struct.pack(">I", len(events)) + events
