"""Video files that end before their containers do: what is missing, no decoder notices.

A container says how long its parts are, except where it was written without knowing (live).
"""

import os
import re
from collections.abc import Iterator
from typing import Any

from videogen.files import gif
from videogen.files.gif import bytes_at

RIFF, EBML, ASF, PACK = b"RIFF", b"\x1a\x45\xdf\xa3", b"\x30\x26\xb2\x75", b"\0\0\1\xba"
"""First bytes of AVI, of Matroska and WebM, of WMV, and of MPEG program streams."""
FLASH, MXF, Y4M, OGG = b"FLV", b"\x06\x0e\x2b\x34", b"YUV4MPEG2 ", b"OggS"
"""First bytes of FLV, of each part of MXF, of Y4M, and of each page of Ogg."""
PNG = b"\x89PNG"
"""First bytes of APNG."""
DV, DV_BYTES = b"\x1f\x07\0", (120_000, 144_000)
"""First bytes of DV, and the bytes of a picture of 60 and of 50 fields a second."""
PACKETS = ((188, 0), (192, 4))
"""Bytes of a packet of a transport stream, and those before its first `SYNC` (M2TS: a time)."""
SYNC = b"G"
"""First byte of a packet of a transport stream."""
BOXES = (b"ftyp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"uuid", b"sidx", b"styp")
"""Kinds of boxes of MP4 (ISO/IEC 14496-12); what comes after others is not looked at."""
SEGMENT = b"\x18\x53\x80\x67"
"""The element of Matroska that holds all data."""
LAST_BYTES = 1 << 17
"""Bytes at the end of a stream in which its last packets or pages are."""
END, FIRST_PACKET = 0xB9, 0xBB
"""Codes of the end of a program stream, and the first of those of packets."""
SHARING = {b"420": (2, 2), b"411": (4, 1), b"422": (2, 1), b"444": (1, 1)}
"""Columns and rows of pixels that share a colour in Y4M."""
COLOURS = re.compile(rb"(420|411|422|444)(?:jpeg|mpeg2|paldv|p(\d+))?")
"""The kind of colours in Y4M, and the bits of a value beyond 8."""
TAGS = (8, 9, 18)
"""Kinds of tags of FLV: sound, pictures, and what is said of them."""


def ends_early(data: Any) -> bool:
    """Return whether a file is shorter than its container says; False if this says nothing."""
    size = data.seek(0, os.SEEK_END)
    head = bytes_at(data, 0, 16)
    if head[:4] == PACK:
        return _ends_in_packet(bytes_at(data, max(0, size - LAST_BYTES), LAST_BYTES))
    if head[:4] == OGG:
        return _ends_in_page(bytes_at(data, max(0, size - LAST_BYTES), LAST_BYTES))
    walk = next((walk for first, walk in WALKS.items() if head.startswith(first)), _others)
    return any(end > size for end in walk(data))


def ends_in_picture(data: Any, stream: int) -> bool:
    """Return whether a transport stream (ISO/IEC 13818-1) ends between packets of a picture.

    `stream`: the number (PID) of the packets. The last packet of a picture is filled up, where
    it is not full by chance, which it is once in 184 pictures. The place in the file stays.
    """
    at, size = data.tell(), data.seek(0, os.SEEK_END)
    length, first = next(
        ((n, first) for n, first in PACKETS if bytes_at(data, 0, 3 * n)[first::n] == 3 * SYNC),
        PACKETS[0],
    )
    whole = size // length * length
    last = bytes_at(data, max(0, whole - LAST_BYTES // length * length), LAST_BYTES)
    data.seek(at)
    packets = (last[n + first : n + length] for n in range(0, len(last) - length + 1, length))
    own = [one for one in packets if _is_of(one, stream)]
    return bool(own) and not _is_filled_up(own[-1])


def _is_of(packet: bytes, stream: int) -> bool:
    """Return whether a packet holds data of a stream."""
    number = int.from_bytes(packet[1:3], "big") & 0x1FFF
    return packet[:1] == SYNC and number == stream and bool(packet[3] & 0x10)


def _is_filled_up(packet: bytes) -> bool:
    """Return whether a packet has bytes that say nothing before its data."""
    if not packet[3] & 0x20:
        return False
    length, flags = packet[4], packet[5]
    said = 1 + 6 * bool(flags & 0x10) + 6 * bool(flags & 0x08)  # two clocks; others are rare
    return not length or length > said


def _riffs(data: Any) -> Iterator[int]:
    """Yield the ends of the parts of an AVI file; those that end at even bytes may be padded."""
    at = 0 if bytes_at(data, 8, 3) == b"AVI" else data.seek(0, os.SEEK_END)
    while (head := bytes_at(data, at, 8))[:4] == RIFF and len(head) == 8:
        length = int.from_bytes(head[4:], "little")
        if length in (0, 0xFFFFFFFF):
            return
        yield at + 8 + length
        at += 8 + length + length % 2


def _others(data: Any) -> Iterator[int]:
    """Yield the ends of the packets of a transport stream, or of the boxes of an MP4."""
    head = bytes_at(data, 0, 3 * 192)
    for length, first in PACKETS:
        if head[first : first + 3 * length : length] == 3 * SYNC:
            size = data.seek(0, os.SEEK_END)
            yield size + -size % length
    yield from _boxes(data)


def _boxes(data: Any) -> Iterator[int]:
    """Yield the ends of the boxes of an MP4."""
    at = 0
    while (head := bytes_at(data, at, 16))[4:8] in BOXES:
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:
            return
        yield at + length
        at += length


def _objects(data: Any) -> Iterator[int]:
    """Yield the ends of the objects of a WMV."""
    at = 0
    while len(head := bytes_at(data, at, 24)) == 24:
        length = int.from_bytes(head[16:], "little")
        if length < 24:
            return
        yield at + length
        at += length


def _elements(data: Any) -> Iterator[int]:
    """Yield the ends of the elements of a Matroska file (RFC 8794), up to that of all data."""
    at = 0
    while head := bytes_at(data, at, 12):
        identity = 9 - head[0].bit_length()
        width = 9 - head[identity].bit_length() if len(head) > identity else 9
        number = head[identity : identity + width]
        length = int.from_bytes(number, "big") & (1 << 7 * width) - 1
        if len(number) < width or length == (1 << 7 * width) - 1:
            return
        at += identity + width + length
        yield at
        if head[:identity] == SEGMENT:
            return


def _ends_in_packet(last: bytes) -> bool:
    """Return whether a program stream (ISO/IEC 13818-1) ends within one of its packets."""
    at = last.find(PACK)
    while 0 <= at < len(last):
        head = last[at : at + 14]
        if len(head) < 4 or not head.startswith(b"\0\0\1") or head[3] == END:
            return False
        if head[3] == PACK[3]:
            is_second = head[4:5] >= b"\x40"  # of MPEG-2: with a number of bytes that follow
            at += 14 + (head[-1] & 7) if is_second and len(head) == 14 else 12 + 2 * is_second
        elif head[3] >= FIRST_PACKET and (length := int.from_bytes(head[4:6], "big")):
            at += 6 + length
        else:
            return False
    return at > len(last)


def _ends_in_page(last: bytes) -> bool:
    """Return whether an Ogg stream (RFC 3533) ends within its last page."""
    at = last.rfind(OGG)
    lengths = last[at + 27 : at + 27 + last[at + 26]] if len(last) > at + 26 else b""
    return at >= 0 and (not lengths or at + 27 + len(lengths) + sum(lengths) > len(last))


def _blocks(data: Any) -> Iterator[int]:
    """Yield the ends of the blocks of a GIF; one that ends with its trailer is not looked at."""
    size = data.seek(0, os.SEEK_END)
    if bytes_at(data, size - 1, 1) != b";":
        yield from (end for _, end, _ in gif.blocks(data))


def _chunks(data: Any) -> Iterator[int]:
    """Yield the ends of the chunks of an APNG (ISO/IEC 15948), of which IEND is the last."""
    at = 8
    while len(head := bytes_at(data, at, 8)) == 8 and head[4:].isalpha():
        at += 12 + int.from_bytes(head[:4], "big")
        yield at
        if head[4:] == b"IEND":
            return
    yield at + 12


def _tags(data: Any) -> Iterator[int]:
    """Yield the ends of the tags of an FLV, each of which is followed by its length."""
    at = int.from_bytes(bytes_at(data, 5, 4), "big") + 4
    while len(tag := bytes_at(data, at, 4)) == 4 and tag[0] in TAGS:
        yield at + 11 + int.from_bytes(tag[1:], "big")
        at += 15 + int.from_bytes(tag[1:], "big")


def _triplets(data: Any) -> Iterator[int]:
    """Yield the ends of the keys, lengths and values of an MXF (SMPTE 377)."""
    at = 0
    while (head := bytes_at(data, at, 25))[:4] == MXF and len(head) > 16:
        width = head[16] % 0x80 if head[16] > 0x80 else 0
        length = int.from_bytes(head[17 : 17 + width], "big") if width else head[16]
        if head[16] == 0x80:
            return
        at += 17 + width + length
        yield at


def _pictures(data: Any) -> Iterator[int]:
    """Yield the ends of the pictures of a Y4M; none where their colours are of another kind."""
    head = bytes_at(data, 0, 1024).partition(b"\n")[0]
    said = {one[:1]: one[1:] for one in head.split(b" ")}
    kind = COLOURS.fullmatch(said.get(b"C", b"420"))
    sides = said.get(b"W", b""), said.get(b"H", b"")
    if kind is None or not all(side.isdigit() for side in sides):
        return
    width, height = map(int, sides)
    columns, rows = SHARING[kind[1]]
    values = width * height + 2 * -(-width // columns) * -(-height // rows)
    length, at = values * (2 if int(kind[2] or 8) > 8 else 1), len(head) + 1
    while b"\n" in (frame := bytes_at(data, at, 256)) and frame.startswith(b"FRAME"):
        at += frame.index(b"\n") + 1 + length
        yield at


def _pictures_of_tape(data: Any) -> Iterator[int]:
    """Yield the end of the last picture of a DV."""
    length = DV_BYTES[bytes_at(data, 3, 1) >= b"\x80"]
    size = data.seek(0, os.SEEK_END)
    yield size + -size % length


WALKS = {
    RIFF: _riffs,
    EBML: _elements,
    ASF: _objects,
    gif.FIRST: _blocks,
    FLASH: _tags,
    MXF: _triplets,
    Y4M: _pictures,
    DV: _pictures_of_tape,
    PNG: _chunks,
}
"""The parts of each container, by its first bytes."""
