"""Pictures that FFmpeg would show black, in parts or without their motion: they are refused."""

import struct
from collections.abc import Mapping
from typing import Any

from core.data.sources import RejectedFile

FORMATS = "png_pipe,jpeg_pipe,mjpeg,webp_pipe,bmp_pipe,tiff_pipe"
"""FFmpeg's demuxers of pictures; mjpeg for photographs with a second picture behind the first."""
STILL, MOVING = (b"avif", b"heic", b"heix", b"mif1"), (b"avis", b"hevc", b"hevx", b"msf1")
"""Brands of AVIF and HEIF (ISO/IEC 23008-12), of pictures and of animations."""
IN_BOXES = "mov,mp4,m4a,3gp,3g2,mj2"
"""FFmpeg's demuxer of these."""
ANIMATED = 2
"""The bit of a WebP's head that says that it moves (RFC 9649, 2.7)."""
HEAD_BYTES = 4096
"""Bytes of a picture in which its head says whether it moves."""

COMPRESSION, PHOTOMETRIC, TILE_WIDTH, SAMPLE_FORMAT, BITS = 259, 262, 322, 339, 258
"""Tags of TIFF 6.0."""
COMPRESSIONS = (1, 2, 3, 4, 5, 8, 32773, 32946)
"""Those that are read: none, CCITT, LZW, deflate and PackBits."""
CMYK = 5
TO_FILM = "as by FFmpeg: ffmpeg -i {} clip.mp4"
TO_PNG = "as by ImageMagick: magick {} picture.png"
"""Ways to convert a file of this name."""
MOST_TAGS = 1000


def formats_of(head: bytes) -> str:
    """Return the demuxers that may open a picture, by its first bytes."""
    return IN_BOXES if head[4:8] == b"ftyp" and head[8:12] in STILL else FORMATS


def require_still(data: Any) -> bytes:
    """Return the first bytes of a picture; `RejectedFile` for one that is not shown as it is."""
    head = data.read(HEAD_BYTES)
    if head[12:16] == b"VP8X" and len(head) > 20 and head[20] & ANIMATED:
        raise _refused(
            "it is an animated WebP, which FFmpeg does not decode: convert it, as by ImageMagick: "
            "magick clip.webp clip.gif"
        )
    if b"acTL" in head.partition(b"IDAT")[0] and head.startswith(b"\x89PNG"):
        raise _refused("it is an animated PNG: let its name end in .apng")
    if head[4:8] == b"ftyp" and head[8:12] in MOVING:
        raise _refused(
            f"it is an animated AVIF or HEIF: convert it, {TO_FILM.format('clip.avif')}"
        )
    if head[:4] in (b"II*\0", b"MM\0*") and (why := _unread(_tags(data, head))):
        raise _refused(f"it is a TIFF {why}: convert it, {TO_PNG.format('picture.tif')}")
    return head


def require_whole(container: Any) -> None:
    """Raise `RejectedFile` for a picture of several, of which one alone would be shown."""
    if len(container.streams.video) > 1:
        raise _refused(
            "it has several parts, such as tiles or transparency, which are not joined: convert "
            f"it, {TO_PNG.format('picture.heic')}"
        )


def _refused(why: str) -> RejectedFile:
    return RejectedFile("no-decoder", why)


def _unread(tags: Mapping[int, int]) -> str:
    """Return what FFmpeg does not read of a TIFF with these tags, if anything."""
    if TILE_WIDTH in tags:
        return "in tiles"
    if (compression := tags.get(COMPRESSION, 1)) not in COMPRESSIONS:
        return "with JPEG inside" if compression in (6, 7) else f"of compression {compression}"
    if tags.get(SAMPLE_FORMAT, 1) != 1 or tags.get(BITS, 1) > 16:
        return "of other than whole numbers of 8 or 16 bits"
    return "of CMYK in 16 bits" * (tags.get(PHOTOMETRIC) == CMYK and tags.get(BITS) == 16)


def _tags(data: Any, head: bytes) -> Mapping[int, int]:
    """Return the tags of a TIFF's first picture of 16 and 32 bits, with their first values."""
    order = "<" if head[:1] == b"I" else ">"
    try:
        data.seek(struct.unpack(f"{order}I", head[4:8])[0])
        (count,) = struct.unpack(f"{order}H", data.read(2))
        found = dict[int, int]()
        fields = data.read(12 * min(count, MOST_TAGS))
        for at in range(0, len(fields) - 11, 12):
            tag, kind, values = struct.unpack(f"{order}HHI", fields[at : at + 8])
            width = {3: 2, 4: 4}.get(kind, 0)
            value = fields[at + 8 : at + 12]
            if width * values > 4:
                data.seek(struct.unpack(f"{order}I", value)[0])
                value = data.read(4)
            if width:
                found[tag] = struct.unpack(order + "HI"[width // 4], value[:width])[0]
    except struct.error:  # it is cut short, as its decoder says
        return {}
    return found
