"""The bytes of a Standard MIDI File: repairs and checks, and its events.

Each check is for something that a file of a few bytes can contain and that would end in a crash,
in gigabytes of memory, or in wrong notes.
"""

import codecs
import re
import struct
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np

from core.data.limits import Limits
from core.data.sources import RejectedFile, mistaken_for, read_bytes, require_size, unpacked

MIDI = (".mid", ".midi", ".kar", ".rmi", ".rmid", ".smf")
"""Suffixes of MIDI files."""
SCORES = (".musicxml", ".mxl", ".xml")
"""Suffixes of MusicXML, plain, packed and of old, which is read as the MIDI that it stands for."""
SONG_FILES = (*MIDI, *SCORES)

HEADER_BYTES, CHUNK_BYTES = 14, 8
HEADER, TRACK = b"MThd", b"MTrk"
LAST_EVENT = b"\xff\x2f\x00"
"""The end of a track, without its delta time."""
A_TICK_LATER = b"\x01" + LAST_EVENT
"""The end of a track as pretty_midi writes it."""
SEARCHED_BYTES = 4096
EXPORT = "export it as a Standard MIDI File of type 1"
COPY = f"copy the file once more, or open it in a sequencer and {EXPORT}"
"""Cures of files that are no songs."""
SOUND = "a recording of sound, which has no notes: transcribe it to MIDI first"
FOREIGN = {
    re.compile(rb"RIFF.{4}WAVE|ID3|\xff[\xf2\xf3\xfa\xfb]|OggS|fLaC|.{4}ftyp", re.DOTALL): SOUND,
    re.compile(
        rb"Rar!|7z\xbc\xaf|BZh|\xfd7zXZ"
    ): "an archive: unpack it, and give the song itself",
    re.compile(
        rb"(?s:.{,200})<museScore|(\xef\xbb\xbf)?\s*(%[^\r\n]*[\r\n]\s*)*(X: ?\d+\s|\\version\b)"
    ): "a score of MuseScore, in ABC notation or of LilyPond: export it as MusicXML or MIDI",
    re.compile(
        rb"(<\?xml(?s:.{,400}))?<mei\b|\s*(!![^\r\n]*[\r\n]\s*)*\*\*kern|.FICHIER GUITAR PRO"
    ): "a score in MEI, in kern or of Guitar Pro: export it as MusicXML or MIDI",
    re.compile(rb"MUS\x1a|FORM.{4}X(DIR|MID)|CAKEWALK|HMI", re.DOTALL): (
        "in the format of a game or of one sequencer: convert it to MIDI"
    ),
    re.compile(
        rb"MMMD|BEGIN:IMELODY|[^:\r\n]{0,40}: ?[dob]=\d"
    ): "a ringtone of a phone: convert it to MIDI",
}
"""Beginnings of other files under the names of songs, and their cures."""

SONGS = 2
"""The format in which each track is a song of its own; with one track it is format 0."""

NOTE_OFF, NOTE_ON, CONTROL, PROGRAM, PITCH_BEND = 0x80, 0x90, 0xB0, 0xC0, 0xE0
SYSEX, ESCAPE, META = 0xF0, 0xF7, 0xFF
PARAMETER_LOW = 100
"""The control change that chooses the registered parameter of a low number."""

TEXT, NAME, INSTRUMENT, LYRIC, MARKER, CUE, DEVICE = 0x01, 0x03, 0x04, 0x05, 0x06, 0x07, 0x09
CHANNEL_PREFIX, PORT, END_OF_TRACK = 0x20, 0x21, 0x2F
TEMPO, SIGNATURE, OF_A_PROGRAM = 0x51, 0x58, 0x7F
"""Kinds of meta events."""

STANDARDS = {
    "GM": re.compile(rb"\x7e.\x09\x01", re.DOTALL),
    "GM2": re.compile(rb"\x7e.\x09\x03", re.DOTALL),
    "GS": re.compile(rb"\x41.\x42\x12(\x40\x00\x7f\x00|\x00\x00\x7f[\x00\x01])", re.DOTALL),
    "XG": re.compile(rb"\x43.\x4c\x00\x00[\x7e\x7f]\x00", re.DOTALL),
}
"""The sysex messages that switch a standard on, or set all that it has back."""

RESETS = re.compile(b"|".join(one.pattern for one in STANDARDS.values()), re.DOTALL)
"""Those of any standard."""

GS_PART = re.compile(rb"\x41.\x42\x12([\x40\x50])([\x10-\x1f])\x15(.)", re.DOTALL)
XG_PART = re.compile(rb"\x43[\x10-\x1f]\x4c\x08()([\x00-\x3f])\x07(.)", re.DOTALL)
"""Use part N for rhythm: 0 is melodic, other numbers are drum sets. Each 16 parts of XG are of a
port."""

GS_SHIFT = re.compile(rb"\x41.\x42\x12([\x40\x50])([\x10-\x1f])\x16(.)", re.DOTALL)
XG_SHIFT = re.compile(rb"\x43[\x10-\x1f]\x4c\x08()([\x00-\x3f])\x08(.)", re.DOTALL)
MASTER_SHIFT = re.compile(
    rb"(?:\x41.\x42\x12\x40\x00\x05|\x43[\x10-\x1f]\x4c\x00\x00\x06|\x7f.\x04\x04.)(.)",
    re.DOTALL,
)
"""Shift the keys of part N, or of all parts of a port, by semitones above 64; the last one of any
standard."""

FOLLOWED = (RESETS, GS_PART, XG_PART, GS_SHIFT, XG_SHIFT, MASTER_SHIFT)
"""The sysex messages that are followed: others pass."""

LONGEST = 16
"""More bytes than any of these messages has."""

IN_FRAMES = 0x8000
"""From here on a division is of SMPTE frames: minus their number a second, and ticks a frame."""

FRAME_RATES_HZ = {24: 24.0, 25: 25.0, 29: 30_000 / 1001, 30: 30.0}
"""The frames a second of each number that a header can name."""

Numbers = np.ndarray | list[int]
"""The numbers of some events of a file."""

BEAT_TICKS = 9600
"""Ticks of a quarter note into which times in frames are converted, finer than any frame's."""

LAST_TICK = 2**53
"""Times beyond it, which the limits refuse, are not converted."""

DEFAULT_BPM = 120.0
"""The tempo of a file without tempo events, by the standard."""

END = b"\x7dpianoreel: end"
"""An event of our own, which others pass over: the end of a song that ends in silence."""


def midi_bytes(source: Path | str | bytes, limits: Limits) -> bytes:
    """Return the file as header and tracks alone, with their true number and lengths.

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
        raise RejectedFile("not-midi", _why_foreign(data))
    if len(data) < begin + HEADER_BYTES:
        raise RejectedFile("unreadable", f"the file is cut off within its MIDI header: {COPY}")
    kind, promised, division = struct.unpack(">HHH", data[begin + 8 : begin + HEADER_BYTES])
    tracks = [_chunk(events) for events in _tracks(data, begin + HEADER_BYTES)]
    if promised and len(data) < begin + HEADER_BYTES + CHUNK_BYTES:
        raise RejectedFile("unreadable", f"the file ends after its MIDI header: {COPY}")
    count = min(len(tracks), 0xFFFF)
    kind = 0 if kind == SONGS and count == 1 else kind
    _check_header(kind, division)
    header = struct.pack(">4sIHHH", HEADER, 6, kind, count, division)
    return b"".join([header, *tracks[:count]])


def _why_foreign(data: bytes) -> str:
    """Say what a file is that has no MIDI header, and its cure."""
    others = (why for beginning, why in FOREIGN.items() if beginning.match(data))
    what = mistaken_for(data) or next(others, "")
    return f"it is {what}" if what else f"no MIDI header (MThd) at its beginning: {EXPORT}"


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
    if division >= IN_FRAMES and _frame_number(division) not in FRAME_RATES_HZ:
        raise RejectedFile(
            "smpte",
            f"times are in frames, {_frame_number(division)} a second, "
            f"MIDI has 24 to 30: {EXPORT}, with times in beats",
        )


def _frame_number(division: int) -> int:
    """Return the frames a second that a header names, those of film as 24, of NTSC as 29."""
    return 256 - (division >> 8)


@dataclass(frozen=True)
class Events:
    """The events of all tracks of a file as columns, track after track.

    midi: the bytes of the file, and zeros after it, so that an event can be asked for bytes that
    it does not have. tick: from the beginning. status: a running status is filled in, 0 where
    there is none. data: the index of the first data byte. is_whole: no track breaks off within an
    event.
    """

    midi: bytes
    track: np.ndarray
    tick: np.ndarray
    status: np.ndarray
    data: np.ndarray
    is_whole: bool = True

    def __len__(self) -> int:
        return len(self.tick)

    @property
    def ticks_per_beat(self) -> int:
        """Return the ticks of a quarter note, as the header states them; see `BEAT_TICKS`."""
        return BEAT_TICKS if self.division >= IN_FRAMES else self.division

    @property
    def division(self) -> int:
        """Return the word of the header that says what a tick is."""
        return int.from_bytes(self.midi[12:14], "big")

    @property
    def has_beats(self) -> bool:
        """False for times in frames without a tempo: no one says where the beats are."""
        return self.division < IN_FRAMES or len(tempi(self)[0]) > 0

    @cached_property
    def kind(self) -> np.ndarray:
        """Return the status of channel messages without the channel, 0xF0 of all others."""
        return self.status & 0xF0

    @cached_property
    def _raw(self) -> np.ndarray:
        return np.frombuffer(self.midi, np.uint8)

    def byte(self, number: int, index: Numbers) -> np.ndarray:
        """Return data byte `number`, from 0, of each event at `index`."""
        return self._raw[number:][self.data[index]]

    def two_bytes(self, index: Numbers) -> tuple[np.ndarray, np.ndarray]:
        """Return the first two data bytes of each event at `index`."""
        at = self.data[index]
        return self._raw[at], self._raw[1:][at]

    def value(self, number: int, index: Numbers) -> np.ndarray:
        """Return data byte `number` of channel messages, in which only 7 bits count."""
        return self.byte(number, index) & 0x7F

    @cached_property
    def _metas(self) -> dict[int, list[int]]:
        numbers, found = (self.status == META).nonzero()[0], defaultdict[int, list[int]](list)
        for number, kind in zip(numbers.tolist(), self.byte(0, numbers).tolist(), strict=True):
            found[kind].append(number)
        return found

    def metas(self, kind: int) -> list[int]:
        """Return the numbers of the meta events of one kind."""
        return self._metas.get(kind, [])

    @cached_property
    def _controls(self) -> tuple[np.ndarray, np.ndarray]:
        numbers = (self.kind == CONTROL).nonzero()[0]
        return numbers, self.value(0, numbers)

    def controls(self, *kinds: int) -> np.ndarray:
        """Return the numbers of the control changes of some kinds."""
        numbers, found = self._controls
        is_asked = np.zeros(128, bool)
        is_asked[list(kinds)] = True
        return numbers[is_asked[found]]

    @cached_property
    def parameters(self) -> frozenset[int]:
        """Return the low numbers of the registered parameters that are chosen anywhere."""
        return frozenset(self.value(1, self.controls(PARAMETER_LOW)).tolist())

    @cached_property
    def messages(self) -> dict[int, bytes]:
        """Return the sysex messages that are followed, by the numbers of their events.

        One may come in packets: the first as such, the others as escapes.
        """
        found, unfinished, last = dict[int, bytes](), b"", -1
        packets = ((self.status == SYSEX) | (self.status == ESCAPE)).nonzero()[0]
        columns = packets, self.track[packets], self.status[packets]
        for number, track, status in zip(*(column.tolist() for column in columns), strict=True):
            packet = self.payload(number)
            is_first = status == SYSEX or packet.startswith(bytes([SYSEX])) or track != last
            message = (b"" if is_first else unfinished) + packet.removeprefix(bytes([SYSEX]))
            if any(pattern.match(message) for pattern in FOLLOWED):
                found[number] = message
            has_ended = number in found or message.endswith(bytes([ESCAPE]))
            unfinished, last = b"" if has_ended else message[:LONGEST], track
        return found

    @cached_property
    def resets(self) -> np.ndarray:
        """Return the numbers of the messages that set all channels of a port back."""
        found = [number for number, message in self.messages.items() if RESETS.match(message)]
        return np.array(found, np.int64)

    def first(self, track: int, tick: int) -> int:
        """Return the number of a track's first event at or after a tick; after its last, where
        none is."""
        begin, end = np.searchsorted(self.track, [track, track + 1])
        return int(begin + np.searchsorted(self.tick[begin:end], tick))

    def by_time(self, numbers: Numbers) -> np.ndarray:
        """Return the numbers of events in the order of their times, then of the file."""
        numbers = np.sort(np.asarray(numbers, np.int64))
        return numbers[np.argsort(self.tick[numbers], kind="stable")]

    def payload(self, number: int) -> bytes:
        """Return the bytes of a meta or sysex event, without its length."""
        at = int(self.data[number]) + (int(self.status[number]) == META)
        length, after = _number(self.midi, at)
        return self.midi[after : after + length]


def scan(midi: bytes) -> Events:
    """Find the events of all tracks, each up to its end-of-track event or last whole event.

    `midi` is a result of `midi_bytes`.
    """
    chunks, walk = list(_chunks(midi)), _Walk(midi)
    for begin, end in chunks:
        walk.follow(begin, end)
    at = walk.found()
    first, last = np.searchsorted(at, np.array(chunks, np.int64).reshape(-1, 2)).T  # [track]
    delta, at = _numbers(walk.raw, at)
    status, has_status = _statuses(walk.raw[at], first[last > first])
    track = np.repeat(np.arange(len(chunks), dtype=np.int32), last - first)
    tick = _ticks(delta, first, last)
    events = Events(walk.midi, track, tick, status, at + has_status, walk.is_whole)
    return _in_beats(events) if events.division >= IN_FRAMES else events


def _in_beats(events: Events) -> Events:
    """Return events whose times are in frames with those in beats, by their tempi."""
    frames, ticks = FRAME_RATES_HZ[_frame_number(events.division)], events.division & 0xFF
    seconds = events.tick / (frames * ticks)
    at, microseconds = tempi(events)
    begins = np.append(0, at / (frames * ticks))
    pace = np.append(DEFAULT_BPM / 60, 1e6 / microseconds)
    beats = np.append(0, np.cumsum(np.diff(begins) * pace[:-1]))
    piece = np.searchsorted(begins, seconds, side="right") - 1
    at_beats = beats[piece] + (seconds - begins[piece]) * pace[piece]
    tick = np.rint(np.minimum(BEAT_TICKS * at_beats, LAST_TICK)).astype(np.int64)
    return replace(events, tick=tick)


def _ticks(delta: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return the times of events from those since the event before; a track begins at 0."""
    elapsed = np.zeros(1 + len(delta), np.int64)
    delta.cumsum(out=elapsed[1:])
    return elapsed[1:] - elapsed[first].repeat(last - first)


def _statuses(found: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the status of each event, and whether it has one of its own.

    `found`: the byte after its delta time. Else it has that of the last channel message in its
    track, 0 before there is one. `first`: the numbers of the tracks' first events.
    """
    has_status = found >= 0x80
    if has_status.all():
        return found, has_status
    sets = has_status & (found < SYSEX)
    running = np.where(sets, found, 0)
    sets[first] = True
    edges = np.concatenate([np.flatnonzero(sets), [len(found)]])
    lasting = np.repeat(running[edges[:-1]], edges[1:] - edges[:-1])
    return np.where(has_status, found, lasting), has_status


def _chunks(midi: bytes) -> Iterator[tuple[int, int]]:
    """Return (first byte, end) of the events of each track."""
    at = HEADER_BYTES
    while at < len(midi):
        end = at + 8 + int.from_bytes(midi[at + 4 : at + 8], "big")
        yield at + 8, end
        at = end


WINDOW = 1 << 16
"""Bytes that are searched for runs at once; their numbers fit in 16 bits."""

NUMBERS = np.arange(WINDOW, dtype=np.uint16)
"""From 0 on, one for each byte of a window."""

SPARE_BYTES = 16
"""Zeros after the file, more than an event has bytes before its payload."""

STOP = 2**31 - 1
SYSTEM_DATA = {0xF1: 1, 0xF2: 2, 0xF3: 1}
"""Data bytes of system messages; others have none."""

NO_DELTA, OTHER = 1, 2
"""Bits of a byte from 0x80 on: no byte of a delta time, as the fourth in a row; no status of a
plain event, or not the first in a row."""


def _tables() -> list[bytes]:
    """Return the table of the codes that break a run, for each phase in which it begins.

    A phase is the number of bytes below 0x80 before, modulo 3; a code is 4 * phase + bits.
    """
    bits = np.arange(4)
    in_delta, at_status, in_data = bits & NO_DELTA, bits & OTHER, np.ones(4)
    breaks = np.concatenate([in_delta, at_status, in_data]) > 0
    return [bytes(np.roll(breaks, 4 * begin).tolist()).ljust(256, b"\0") for begin in range(3)]


BREAKS = _tables()


def _short(high: np.ndarray, status: np.ndarray) -> np.ndarray:
    """Return the numbers of the bytes of `high` that are plain messages of one data byte.

    Two bytes below 0x80, the data and a delta time, are between them and the status of another
    channel message. See `_Walk`, whose window ends with the last one.
    """
    is_one = (status[:-2] & 0xE0 == PROGRAM) & (status[1:-1] < SYSEX)
    return (is_one & (high[1:-1] - high[:-2] == 3)).nonzero()[0]


def _breaks_of(status: np.ndarray, below: np.ndarray, short: np.ndarray) -> list[bytes]:
    """Return which bytes from 0x80 on break a run, for each phase in which it begins.

    status: those bytes; the last one breaks all runs. below: the bytes that count as low before
    each. short: the numbers of those that count as low, see `_Walk`.
    """
    is_other = (status >= PROGRAM) & (status & 0xF0 != PITCH_BEND)
    is_other[short] = False
    is_other[1:] |= below[1:] == below[:-1]
    is_no_delta = np.zeros(len(status), bool)
    is_no_delta[short] = is_no_delta[-1] = is_other[-1] = True
    is_no_delta[3:] |= below[3:] == below[:-3]
    bits = OTHER * is_other.astype(np.uint8) | NO_DELTA * is_no_delta.astype(np.uint8)
    phase = (below - below // 3 * 3).astype(np.uint8)
    code = (4 * phase | bits).tobytes()
    return [code.translate(table) for table in BREAKS]


class _Walk:
    """The way through the events of tracks: at a bound over runs of plain ones, else singly.

    Plain are messages of two data bytes. Each has three bytes below 0x80, its data and the last of
    its delta time, so that in a run every third byte below 0x80 is the last of an event. A run
    breaks at a byte from 0x80 on that is neither one of at most three of a delta time nor the
    one status between it and the data. A message of one data byte is plain too where another one
    to a channel, with a status, follows within 127 ticks: its own status is the third byte then.
    """

    def __init__(self, midi: bytes):
        self.midi = midi + bytes(SPARE_BYTES)
        self.raw = np.frombuffer(self.midi, np.uint8)
        self.begin = self.end = 0
        self.is_whole = True
        self.single: list[int] = []
        self.runs: list[np.ndarray] = []
        self.of_runs: list[np.ndarray] = []

    def found(self) -> np.ndarray:
        """Return the first byte of each event that was met."""
        self._leave()
        at = np.concatenate([np.array(self.single, np.int64), *self.of_runs])
        at.sort(kind="stable")  # faster than others on what is sorted in parts
        return at

    def follow(self, begin: int, end: int) -> None:
        """Go through a track, up to its last event that is whole."""
        at, data_bytes = begin, 2
        while at < end:
            self.single.append(at)
            after, data_bytes, is_plain = self._after(at, data_bytes)
            at = max(after, self._after_run(at, end)) if is_plain else after
        if end < at < STOP:
            self.single.pop()
            self.is_whole = False

    def _after_run(self, at: int, end: int) -> int:
        """Return the index after the plain events from here on, and keep all but the first."""
        if not self.begin <= at < self.end:
            self._move(at)
        at, end = at - self.begin, end - self.begin
        number = bisect_left(self.high, at)
        first = self._low_before(at, number)
        last = self.breaks[first % 3].find(1, number)
        if self.high[last] > end:
            last = bisect_left(self.high, end, number)
        count = (self._low_before(min(self.high[last], end), last) - first) // 3
        if not count:
            return self.begin + at
        ends = self.low[first + 2 : first + 3 * count : 3]
        self.runs.append(ends[:-1])
        return self.begin + 1 + int(ends[-1])

    def _low_before(self, at: int, number: int) -> int:
        """Return how many bytes of a window count as low before one.

        number: that of the first byte of `high` from there on.
        """
        return self.below[number] - (self.high[number] - at)

    def _leave(self) -> None:
        """Find the events within the runs of a window: each begins where the one before ends."""
        if self.runs:
            self.of_runs.append(np.concatenate(self.runs) + (self.begin + 1))
            self.runs = []

    def _move(self, begin: int) -> None:
        """Find the bytes at which runs break, for each phase, in a window that begins here.

        Bytes of `high` are from 0x80 on, and the last of the window, at which all runs break;
        those of `low` are below it, or count as such. `below`: how many of these are before each
        of `high`.
        """
        self._leave()
        self.begin, self.end = begin, min(begin + WINDOW, len(self.midi)) - 1
        raw = self.raw[self.begin : self.end + 1]
        is_high = raw >= 0x80
        is_low = ~is_high
        is_high[-1] = True
        high = is_high.nonzero()[0]
        status, place = raw[high], high.astype(np.uint16)
        below, short = place - NUMBERS[: len(high)], _short(place, status)
        if len(short):
            is_low[high[short]] = True
            edges = np.concatenate([[0], short + 1, [len(high)]])
            below += NUMBERS[: len(short) + 1].repeat(edges[1:] - edges[:-1])
        self.low = is_low.nonzero()[0]
        self.breaks = _breaks_of(status, below, short)
        self.high, self.below = high.data, below.data

    def _after(self, at: int, data_bytes: int) -> tuple[int, int, bool]:
        """Return the index after an event, STOP after an end of track, the number of data bytes
        that its successor has without a status, and whether it is plain."""
        midi = self.midi
        last = at + 3
        while midi[at] >= 0x80 and at < last:  # a delta time has at most four bytes
            at += 1
        status, at = midi[at + 1], at + 2
        if status < 0x80:
            return at - 1 + data_bytes, data_bytes, data_bytes == 2
        if status < SYSEX:
            data_bytes = 1 if PROGRAM <= status < PITCH_BEND else 2
            return at + data_bytes, data_bytes, data_bytes == 2
        if status == META and midi[at] == END_OF_TRACK:
            return STOP, data_bytes, False
        if status in (SYSEX, ESCAPE, META):
            length, at = _number(midi, at + (status == META))
            return at + length, data_bytes, False
        return at + SYSTEM_DATA.get(status, 0), data_bytes, False


def _numbers(raw: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the variable-length quantities (7 bits a byte, up to 4) here, and the indices after.

    >>> _numbers(np.array([5, 0x81, 0x48], np.uint8), np.array([0, 1]))
    (array([  5, 200]), array([1, 3]))
    """
    byte, after = raw[at], at + 1
    value, longer = (byte & 0x7F).astype(np.int64), (byte >= 0x80).nonzero()[0]
    for _ in range(3):
        if not len(longer):
            break
        byte = raw[after[longer]]
        value[longer] = value[longer] << 7 | byte & 0x7F
        after[longer] += 1
        longer = longer[byte >= 0x80]
    return value, after


def _number(midi: bytes, at: int) -> tuple[int, int]:
    """Return the variable-length quantity here, and the index after it."""
    value, last = midi[at] & 0x7F, at + 3
    while midi[at] >= 0x80 and at < last:
        at += 1
        value = value << 7 | midi[at] & 0x7F
    return value, at + 1


def check_events(events: Events) -> None:
    """Reject a file with a track that breaks off within an event, or an event without status."""
    if not events.is_whole:
        raise RejectedFile("unreadable", f"a track breaks off in the middle of an event: {COPY}")
    if not events.status.all():
        raise RejectedFile("unreadable", f"an event has no status, and none is before it: {COPY}")


def tempi(events: Events) -> tuple[np.ndarray, np.ndarray]:
    """Return tick and microseconds a beat of each tempo, in order of time.

    3 bytes are needed; 0 microseconds, which nobody can play, are left out, as in other readers.
    """
    found = events.by_time(events.metas(TEMPO))
    found = found[events.byte(1, found) >= 3]
    high, middle, low = (events.byte(number, found).astype(np.int64) for number in (2, 3, 4))
    microseconds = high << 16 | middle << 8 | low
    return events.tick[found][microseconds > 0], microseconds[microseconds > 0]


def signatures(events: Events) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return tick, numerator and denominator of each time signature, in order of time.

    Those at one tick come from the last track to the first, whose signatures count by the
    standard. Of 4 bytes the first 2 are needed, numerator and power of two: shorter ones, those of
    0 beats and denominators above 128 are left out.
    """
    found = np.array(events.metas(SIGNATURE), np.int64)
    is_whole = (events.byte(1, found) >= 2) & (events.byte(3, found) <= 7)
    found = found[is_whole & (events.byte(2, found) > 0)]
    found = found[np.lexsort((found, -events.track[found], events.tick[found]))]
    numerator, power = (events.byte(number, found).astype(np.int64) for number in (2, 3))
    return events.tick[found], numerator, 2**power


def last_end(events: Events) -> int:
    """Return the tick of the last `END`, 0 where there is none."""
    found = [n for n in events.metas(OF_A_PROGRAM) if events.payload(n) == END]
    return max(events.tick[found].tolist(), default=0)


def ending_at(midi: bytes, tick: int) -> bytes:
    """Return a file of pretty_midi's with all tracks as long as the song, whose end is given.

    Each ended a tick after its own last event, so that a sequencer would show clips of all
    lengths, and one of eight bars as one of nine. Of the notes at one tick those that end come
    first: pretty_midi has them in the order of their pitches.
    """
    events, tracks = scan(midi), list[bytes]()
    is_start = (events.kind == NOTE_ON) & (events.value(1, np.arange(len(events))) > 0)
    for number, (begin, end) in enumerate(_chunks(midi)):
        mine = (events.track == number).nonzero()[0][:-1]  # the last is the end of the track
        if is_start[mine].any():
            mine = mine[np.lexsort((is_start[mine], events.tick[mine]))]
            track = b"".join(_in_order(events, mine))
        else:
            track = midi[begin:end].removesuffix(A_TICK_LATER)
        rest = _quantity(max(0, tick - int(events.tick[mine].max(initial=0))))
        tracks.append(_chunk(track + rest + LAST_EVENT))
    return midi[:HEADER_BYTES] + b"".join(tracks)


def _in_order(events: Events, numbers: np.ndarray) -> Iterator[bytes]:
    """Yield the bytes of some events of a track, in an order of their times."""
    deltas = np.diff(events.tick[numbers], prepend=0).tolist()
    columns = (numbers, events.status[numbers], events.data[numbers])
    running = 0
    for delta, number, status, at in zip(deltas, *(c.tolist() for c in columns), strict=True):
        if status >= SYSEX:
            kind = events.midi[at : at + (status == META)]
            payload = events.payload(number)
            data, running = kind + _quantity(len(payload)) + payload, 0
        else:
            data = events.midi[at : at + 2 - (PROGRAM <= status < PITCH_BEND)]
        yield _quantity(delta) + (b"" if status == running else bytes([status])) + data
        running = 0 if status >= SYSEX else status


def with_ports(midi: bytes, ports: Sequence[int]) -> bytes:
    """Return the file with tracks 1, 2, ... on these ports; the same file where all are 0."""
    if not any(ports):
        return midi
    first, *others = [midi[begin:end] for begin, end in _chunks(midi)]
    at_ports = [
        bytes([0, META, PORT, 1, port]) + track for port, track in zip(ports, others, strict=True)
    ]
    return midi[:HEADER_BYTES] + b"".join(map(_chunk, [first, *at_ports]))


def with_metas(midi: bytes, metas: Iterable[tuple[int, int, bytes]]) -> bytes:
    """Return the file with more meta events in its first track, which has no others.

    `metas`: tick, kind and data of each, in order; those of one tick come before what is there.
    """
    (begin, end), *_ = _chunks(midi)
    events = [(tick, _meta(kind, data)) for tick, kind, data in metas]
    at, tick = begin, 0
    while at < end:
        delta, first = _number(midi, at)
        length, data = _number(midi, first + 2)
        at, tick = data + length, tick + delta
        events.append((tick, midi[first:at]))
    *others, (_, end_of_track) = events
    events = [*others, (max(tick for tick, _ in events), end_of_track)]
    events.sort(key=lambda event: event[0])
    ticks = [0, *(tick for tick, _ in events)]
    deltas = (_quantity(after - before) for before, after in pairwise(ticks))
    track = b"".join(d + event for d, (_, event) in zip(deltas, events, strict=True))
    return midi[: begin - CHUNK_BYTES] + _chunk(track) + midi[end:]


def _meta(kind: int, data: bytes) -> bytes:
    return bytes([META, kind]) + _quantity(len(data)) + data


def _quantity(value: int) -> bytes:
    """Return a variable-length quantity, the inverse of `_number`.

    >>> _quantity(5), _quantity(200)
    (b'\\x05', b'\\x81H')
    """
    encoded = [value & 0x7F]
    while value := value >> 7:
        encoded.append(value & 0x7F | 0x80)
    return bytes(encoded[::-1])


def _chunk(events: bytes) -> bytes:
    return TRACK + struct.pack(">I", len(events)) + events
