"""Video files that end before their containers do: what is missing, no decoder notices.

A container says how long its parts are, except where it was written without knowing (live).
"""

import os
from collections.abc import Iterator
from typing import Any

RIFF, EBML, ASF, PACK = b"RIFF", b"\x1a\x45\xdf\xa3", b"\x30\x26\xb2\x75", b"\0\0\1\xba"
"""First bytes of AVI, of Matroska and WebM, of WMV, and of MPEG program streams."""
BOXES = (b"ftyp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"uuid", b"sidx", b"styp")
"""Kinds of boxes of MP4 (ISO/IEC 14496-12); what comes after others is not looked at."""
SEGMENT = b"\x18\x53\x80\x67"
"""The element of Matroska that holds all data."""
LAST_BYTES = 1 << 17
"""Bytes at the end of a program stream in which its last packets are."""
END, FIRST_PACKET = 0xB9, 0xBB
"""Codes of the end of a program stream, and the first of those of packets."""


def ends_early(data: Any) -> bool:
    """Return whether a file is shorter than its container says; False if this says nothing."""
    size = data.seek(0, os.SEEK_END)
    head = _bytes_at(data, 0, 16)
    if head[:4] == PACK:
        return _ends_in_packet(_bytes_at(data, max(0, size - LAST_BYTES), LAST_BYTES))
    if head[:4] == RIFF and head[8:11] == b"AVI":
        ends = _riffs(data)
    elif head[:4] == EBML:
        ends = _elements(data)
    elif head[:4] == ASF:
        ends = _objects(data)
    else:
        ends = _boxes(data)
    return any(end > size for end in ends)


def _bytes_at(data: Any, at: int, count: int) -> bytes:
    data.seek(at)
    return data.read(count)


def _riffs(data: Any) -> Iterator[int]:
    """Yield the ends of the parts of an AVI file; those that end at even bytes may be padded."""
    at = 0
    while (head := _bytes_at(data, at, 8))[:4] == RIFF and len(head) == 8:
        length = int.from_bytes(head[4:], "little")
        if length in (0, 0xFFFFFFFF):
            return
        yield at + 8 + length
        at += 8 + length + length % 2


def _boxes(data: Any) -> Iterator[int]:
    """Yield the ends of the boxes of an MP4."""
    at = 0
    while (head := _bytes_at(data, at, 16))[4:8] in BOXES:
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
    while len(head := _bytes_at(data, at, 24)) == 24:
        length = int.from_bytes(head[16:], "little")
        if length < 24:
            return
        yield at + length
        at += length


def _elements(data: Any) -> Iterator[int]:
    """Yield the ends of the elements of a Matroska file (RFC 8794), up to that of all data."""
    at = 0
    while head := _bytes_at(data, at, 12):
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
