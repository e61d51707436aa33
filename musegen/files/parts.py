"""The parts of a MIDI file, as a player plays it: the notes of one track, channel and program.

Programs and drums are the state of a channel, whichever track sets it; a track's own programs come
first. A standard that is switched on, as GM is, sets all channels of its port back. A port
(FF 21), or else a device (FF 09), has 16 channels of its own.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from musegen.roll import differ
from musegen.smf.events import LAST_TICK, Events
from musegen.smf.kinds import (
    CHANNEL_PREFIX,
    CONTROL,
    DEVICE,
    INSTRUMENT,
    NAME,
    NOTE_ON,
    PARAMETER_LOW,
    PORT,
    PROGRAM,
    SYSEX,
)
from musegen.smf.sysex import GS_PART, GS_PROGRAM, STANDARDS, XG_BANK, XG_PART, XG_PROGRAM
from musegen.tracks import DRUM_CHANNEL, Part

CHANNELS = 16
LINE_BITS = 12
"""The bits of a channel's number, of 256 ports; that of its track is in front of them."""

LAST_CHANNEL = (1 << LINE_BITS) - 1

SIZES = (1 << 16, 1 << LINE_BITS, 2, 128)
"""The numbers of tracks, channels, kinds (drums or not) and programs."""

UNKNOWN, MELODIC, DRUMS = 0, 1, 2
"""The uses of a channel: the usual one, which is drums on channel 10 alone, or either."""

USUAL = UNKNOWN << 7 | 0
"""A sound, which is a use in front of a program: a piano, or drums on channel 10."""

NONE = -1
"""The value of a state that nothing has set."""

ANY = -1
"""Any channel of a track, or any port."""

LAST_PORT = 0xFF

BANK = 0
"""The control change that chooses a bank of programs."""

DATA = 6
"""The control change that sets a registered parameter."""

ZONE = (0, 6)
"""The registered parameter (high, low) by which a channel, the first or the last, becomes the
master of so many others beside it, among which the notes of one instrument are spread (MPE)."""

OTHER_PORT = b"\x50"
"""The address of GS for the parts of the other one of two ports."""

GS_CHANNELS = (9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15)
"""The channel of each part of GS."""


@dataclass
class Timeline:
    """Changes of a state as (group, place, value): the last one at or before a place counts."""

    changes: list[tuple[int, int, int]] = field(default_factory=list)

    def add(self, group: int, place: int, value: int) -> None:
        self.changes.append((group, place, value))

    @property
    def places(self) -> list[int]:
        """Return where there are changes."""
        return [place for _, place, _ in self.changes]

    def at(self, group: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Return the value of the last change in the group at or before each place, else -1."""
        if not self.changes:
            return np.full(len(group), NONE)
        groups, places, values = np.array(self.changes, np.int64).T
        found = last_at(groups, places, group, place)
        return np.where(found >= 0, values[found], NONE)


def last_at(
    groups: np.ndarray, places: np.ndarray, group: np.ndarray, place: np.ndarray
) -> np.ndarray:
    """Return the number of the last of some changes in a group at or before each place, else -1;
    of those at one place the last one. Places may be rows of one for each group."""
    if not len(groups) or not len(group):
        return np.full(place.shape, NONE)
    order = np.lexsort((places, groups))
    span = max(int(places.max()), int(place.max())) + 1
    keys = groups[order] * span + places[order]
    found = np.searchsorted(keys, group * span + place, side="right") - 1
    number = order[np.maximum(found, 0)]
    return np.where((found >= 0) & (groups[number] == group), number, NONE)


@dataclass
class _Channels:
    """The state of all channels while a file's messages are followed in the order of time.

    `own` are sounds by track and channel, at the number of their event; `programs` are those of
    a channel and `rhythm` the use that sysex messages make of it, at their tick. The number of a
    channel is 16 * port + channel. `programs_set` and `rhythms_set`: when they were set since a
    reset, by track and channel. `standards`: by port, and the last one of all ports at `ANY`.
    """

    events: Events
    standards: dict[int, str] = field(default_factory=dict)
    bank: dict[int, int] = field(default_factory=dict)
    programs_set: dict[int, int] = field(default_factory=dict)
    rhythms_set: dict[int, int] = field(default_factory=dict)
    own: Timeline = field(default_factory=Timeline)
    programs: Timeline = field(default_factory=Timeline)
    rhythm: Timeline = field(default_factory=Timeline)

    def set_program(self, track: int, number: int, tick: int, channel: int, program: int) -> None:
        line, sound = track << LINE_BITS | channel, self._use_of_bank(channel) << 7 | program
        self.own.add(line, number, sound)
        self.programs.add(channel, tick, sound)
        self.programs_set[line] = tick

    @property
    def ticks(self) -> list[int]:
        """Return when programs and rhythm change, in order."""
        return sorted(self.programs.places + self.rhythm.places)

    def _use_of_bank(self, channel: int) -> int:
        """Return what the bank makes of a channel: XG has drums from 120, GM2 in 120 alone."""
        bank = self.bank.get(channel)
        if bank is None:
            return UNKNOWN
        standard = self.standards.get(channel // CHANNELS, self.standards.get(ANY))
        if standard == "GS":
            return UNKNOWN
        if standard == "XG":
            return DRUMS if bank >= 120 else MELODIC
        return {120: DRUMS, 121: MELODIC}.get(bank, DRUMS if bank == 127 else UNKNOWN)

    def receive(self, message: bytes, number: int, track: int, tick: int, port: int) -> None:
        """Follow a sysex message."""
        for standard, pattern in STANDARDS.items():
            if pattern.match(message):
                self.standards[port] = self.standards[ANY] = standard
                self._reset(number, track, tick, port)
        for pattern, channels in ((GS_PART, GS_CHANNELS), (XG_PART, range(CHANNELS))):
            if found := pattern.match(message):
                *_, use = found.groups()
                channel = channel_of_part(found, channels, port)
                self.rhythm.add(channel, tick, MELODIC if use == b"\0" else DRUMS)
                self.rhythms_set[track << LINE_BITS | channel] = tick
        for pattern, channels in ((GS_PROGRAM, GS_CHANNELS), (XG_PROGRAM, range(CHANNELS))):
            if found := pattern.match(message):
                program = found[3][0] & 0x7F
                self.set_program(
                    track, number, tick, channel_of_part(found, channels, port), program
                )
        if found := XG_BANK.match(message):
            self.bank[channel_of_part(found, range(CHANNELS), port)] = found[3][0]

    def _reset(self, number: int, track: int, tick: int, port: int) -> None:
        """Set the channels of a port back."""
        self.bank = {of: bank for of, bank in self.bank.items() if of // CHANNELS != port}
        for channel in _taken(self.rhythms_set, track, tick, port).values():
            self.rhythm.add(channel, tick, UNKNOWN)
        lines = _taken(self.programs_set, track, tick, port)
        for line in lines:
            of = line >> LINE_BITS
            place = number if of == track else self.events.first(of, tick)
            self.own.add(line, place, NONE)
        for channel in set(lines.values()) - {line & LAST_CHANNEL for line in self.programs_set}:
            self.programs.add(channel, tick, USUAL)


def channel_of_part(found: re.Match[bytes], channels: Sequence[int], port: int) -> int:
    """Return the channel, 16 * port + channel, of the part that a message on a port is for.

    `found`: its first groups are the block of GS, empty in XG, and the part. `channels`: that of
    each of 16 parts.
    """
    block, part = found[1], found[2][0]
    further = 0 if block else part // CHANNELS
    on_port = port ^ 1 if block == OTHER_PORT else min(port + further, LAST_PORT)
    return channels[part % CHANNELS] + CHANNELS * on_port


def members(master: int, count: int) -> list[int]:
    """Return the channels of a zone, 16 * port + channel, without its master; none where that is
    neither the first nor the last of its port."""
    side = {0: 1, CHANNELS - 1: -1}.get(master % CHANNELS, 0)
    return [master + side * n for n in range(1, min(count, CHANNELS - 1) + 1) if side]


def _masters(events: Events) -> dict[int, int]:
    """Return the master of each channel that is a member of a zone, by track and channel.

    A zone is of the track that sets it: drums of another one have channel 10 all the same.
    """
    _, low = ZONE
    if low not in events.parameters:
        return {}
    found, chosen = dict[int, int](), dict[int, int]()
    numbers = events.by_time(events.controls(PARAMETER_LOW, DATA))
    line = events.track[numbers].astype(np.int64) << LINE_BITS | channels(events, numbers)
    sent = line, events.value(0, numbers), events.value(1, numbers)
    for one, kind, value in zip(*(column.tolist() for column in sent), strict=True):
        if kind == PARAMETER_LOW:
            chosen[one] = value
        elif chosen.get(one) == low:
            found.update((member, one & LAST_CHANNEL) for member in members(one, value))
    return found


def _taken(since: dict[int, int], track: int, tick: int, port: int) -> dict[int, int]:
    """Take out, and return by track and channel, the channels that a reset sets back.

    What another track sets at the same time stays: it is meant to count, in whichever order.
    """
    found = {
        line: line & LAST_CHANNEL
        for line, at in since.items()
        if (line & LAST_CHANNEL) // CHANNELS == port and (at < tick or line >> LINE_BITS == track)
    }
    for line in found:
        del since[line]
    return found


def parts_of(events: Events, notes: np.ndarray) -> tuple[np.ndarray, list[Part]]:
    """Return the part of each of the note-on events `notes`, and the parts.

    Their order is that of the tracks, then of the channels, then of the programs.
    """
    state = _followed(events)
    edges = _edges(events, state, notes)
    key = _keys(events, state, notes[edges[:-1]])
    ordered = np.sort(key)
    found = ordered[differ(ordered)]
    part = np.repeat(found.searchsorted(key), edges[1:] - edges[:-1])
    names, parts = _names(events), list[Part]()
    columns = (column.tolist() for column in np.unravel_index(found, SIZES))
    for n, (t, c, drum, program) in enumerate(zip(*columns, strict=True)):
        own = (t, c % CHANNELS)
        name = names.get(own if own in names else (t, ANY), b"")
        place = c % CHANNELS + 1, c // CHANNELS
        parts.append(Part(n, text_of(name), program, bool(drum), *place, _readings(name)))
    return part, parts


def _edges(events: Events, state: _Channels, notes: np.ndarray) -> np.ndarray:
    """Return the places of the notes from which on the part may be another, and their count."""
    tick = events.tick[notes]
    is_edge = np.ones(len(notes) + 1, bool)
    is_edge[:-1] = differ(events.track[notes]) | differ(events.status[notes])
    own = state.own.places + events.metas(PORT) + events.metas(DEVICE)
    is_edge[notes.searchsorted(np.array(own, np.int64))] = True
    first = tick.min(initial=LAST_TICK)
    if later := [at for at in state.ticks if at > first]:  # most are set before all notes
        is_edge[:-1] |= differ(np.searchsorted(later, tick, side="right"))
    return is_edge.nonzero()[0]


def _keys(events: Events, state: _Channels, notes: np.ndarray) -> np.ndarray:
    """Return numbers of track, channel, kind and program of notes, that sort as these do."""
    tick, channel = events.tick[notes], channels(events, notes)
    line = events.track[notes].astype(np.int64) << LINE_BITS | channel
    sound = state.own.at(line, notes)
    others = (sound == NONE).nonzero()[0]
    sound[others] = state.programs.at(channel[others], tick[others])
    master = channel
    if zones := _masters(events):
        places = zip(line.tolist(), channel.tolist(), strict=True)
        master = np.array([zones.get(of, own) for of, own in places], np.int64)
        others = (sound == NONE).nonzero()[0]
        sound[others] = state.programs.at(master[others], tick[others])
    sound[sound == NONE] = USUAL
    program, use = sound & 0x7F, sound >> 7
    rhythm = state.rhythm.at(channel, tick)
    use = np.where(rhythm > UNKNOWN, rhythm, use)
    is_drum = np.where(use == UNKNOWN, master & 0xF == DRUM_CHANNEL - 1, use == DRUMS)
    return (line * SIZES[2] + is_drum) * SIZES[3] + program


def channels(events: Events, numbers: np.ndarray) -> np.ndarray:
    """Return the number of the channel of each of these events: 16 * port + channel."""
    return CHANNELS * ports(events, numbers) + (events.status[numbers] & 0xF)


def on_channels(channel: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the places of those channels that are among the chosen ones."""
    is_chosen = np.zeros(LAST_CHANNEL + 1, bool)  # a third of the time that sets take
    is_chosen[chosen] = True
    return is_chosen[channel].nonzero()[0]


def ports(events: Events, numbers: np.ndarray) -> np.ndarray:
    """Return the port of each of these events: that of the last port event before in its track.

    Before the first one it is the first one's: programs often stand before it. In a file without
    port events the names of devices stand for them, in the order of their appearance. A track
    that names none is on port 0, or where no such track has notes on the lowest that is named.
    """
    named = [n for n in events.metas(PORT) if events.byte(1, [n])[0]]  # some have no number
    found = named or events.metas(DEVICE)
    if not found:
        return np.zeros(len(numbers), np.int64)
    if named:
        port = events.byte(2, found).astype(np.int64)
    else:
        devices = [events.payload(number) for number in found]
        order = {device: min(n, LAST_PORT) for n, device in enumerate(dict.fromkeys(devices))}
        port = np.array([order[device] for device in devices], np.int64)
    track = np.concatenate([[-1], events.track[found], [-1]])  # none before and after
    value = np.concatenate([[0], port, [0]])
    usual = int(port.min())
    if usual and np.setdiff1d(events.track[events.kind == NOTE_ON], track).size:
        usual = 0
    before, mine = np.searchsorted(found, numbers), events.track[numbers]
    following = np.where(track[before + 1] == mine, value[before + 1], usual)
    return np.where(track[before] == mine, value[before], following)


def _followed(events: Events) -> _Channels:
    """Follow the messages that set programs, banks and drum parts, in the order of time."""
    programs = np.flatnonzero(events.kind == PROGRAM)
    others = np.array([*events.messages], np.int64)
    numbers = events.by_time(np.concatenate([events.controls(BANK), programs, others]))
    state = _Channels(events)
    columns = (column[numbers] for column in (events.track, events.tick, events.kind))
    values = (channels(events, numbers), events.value(0, numbers), events.value(1, numbers))
    for number, track, tick, kind, channel, first, second in zip(
        *(column.tolist() for column in (numbers, *columns, *values)), strict=True
    ):
        if kind == PROGRAM:
            state.set_program(track, number, tick, channel, first)
        elif kind == CONTROL:
            state.bank[channel] = second
        else:
            state.receive(events.messages[number], number, track, tick, channel // CHANNELS)
    return state


JAPANESE = re.compile(
    rb"([\x81-\x9f][\x40-\x7e\x80-\xfc]){2}|[\x81-\x9f][\x80-\xfc]|[\xa1-\xdf]{2}"
)
"""Bytes that European names do not have: kana or kanji, or two half-width kana in a row."""

BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
    b"\x1b$": "iso2022_jp",
}
"""The encodings that the first bytes of a text may stand for."""

WIDE_LETTERS = {
    "utf-16-le": re.compile(rb"(?:[^\0]\0)+", re.DOTALL),
    "utf-16-be": re.compile(rb"(?:\0[^\0])+", re.DOTALL),
}
"""Latin letters of two bytes each, without a mark before them."""

ALPHABETS = (
    *("cp932", "euc_jp"),
    *("gb18030", "big5"),
    "euc_kr",
    *("cp1251", "koi8_r", "cp866"),
    *("cp1250", "cp1253", "cp1254", "cp1255", "cp1256", "cp874"),
    *("mac_roman", "cp850"),
    *WIDE_LETTERS,
)
"""Encodings of names that are no UTF-8: Japanese; Chinese; Korean; Cyrillic; Central European,
Greek, Turkish, Hebrew, Arabic, Thai; those of old Macs and of DOS; any alphabet in two bytes."""

CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def text_of(raw: bytes) -> str:
    """Decode a name: as its first bytes say, else as UTF-8, else as Shift-JIS where it looks
    Japanese, else as Windows-1252; control characters, which terminals obey, become spaces.

    >>> text_of(b"\\x83s\\x83A\\x83m"), text_of(b"Fl\\xf6te"), text_of(b"Fl\\xc3\\xb6te ")
    ('ピアノ', 'Flöte', 'Flöte')
    """
    if raw.isascii() and (text := raw.decode()).isprintable():
        return text.strip()
    marked = [code for mark, code in BYTE_ORDER_MARKS.items() if raw.startswith(mark)]
    wide = [code for code, letters in WIDE_LETTERS.items() if letters.fullmatch(raw)]
    european = ("cp1252", "latin-1")
    codes = (*marked, *wide, "utf-8", *(("cp932",) if JAPANESE.search(raw) else ()), *european)
    return CONTROL_CHARACTERS.sub(" ", next(_decoded(raw, codes))).strip()


def _decoded(raw: bytes, encodings: Iterable[str]) -> Iterator[str]:
    """Return a text as each encoding reads it that can."""
    for encoding in encodings:
        try:
            yield raw.decode(encoding)
        except UnicodeDecodeError:
            continue


def _readings(raw: bytes) -> tuple[str, ...]:
    """Return what a name may say besides `text_of` it: as bytes alone no alphabet is known."""
    return () if raw.isascii() else tuple(_decoded(raw, ALPHABETS))


def _names(events: Events) -> dict[tuple[int, int], bytes]:
    """Return the names of tracks, by (track, `ANY`), and of channels in them, by (track, channel).

    A channel prefix (FF 20) names a channel in tracks where several have one: in others the name
    is the track's. The last counts that is not empty; the name of an instrument (FF 04) where
    there is no other.
    """
    found = dict[tuple[int, int], bytes]()
    for kind in (INSTRUMENT, NAME):
        named = events.metas(kind)
        has_prefixes = bool(events.metas(CHANNEL_PREFIX))
        of = _prefixes(events, named).tolist() if has_prefixes else [ANY] * len(named)
        for track, channel, number in zip(events.track[named].tolist(), of, named, strict=True):
            raw = events.payload(number)
            if raw.strip(b"\0 "):
                found[track, channel] = raw
    return found


def _prefixes(events: Events, numbers: list[int]) -> np.ndarray:
    """Return the channel that the last prefix before each event names, else `ANY`.

    A prefix counts in its track up to the next message to a channel.
    """
    prefixes = events.metas(CHANNEL_PREFIX)
    tracks, named = events.track[prefixes].tolist(), defaultdict[int, set[int]](set)
    for track, channel in zip(tracks, events.byte(2, prefixes).tolist(), strict=True):
        named[track].add(channel & 0xF)
    found = [n for n, track in zip(prefixes, tracks, strict=True) if len(named[track]) > 1]
    if not found:
        return np.full(len(numbers), ANY)
    to_channels = np.flatnonzero(events.status < SYSEX)
    before = np.append(-1, found)[np.searchsorted(found, numbers)]
    last = np.append(-1, to_channels)[np.searchsorted(to_channels, numbers)]
    is_mine = (before > last) & (events.track[before] == events.track[numbers])
    return np.where(is_mine, events.byte(2, before).astype(np.int64) & 0xF, ANY)
