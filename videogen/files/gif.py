"""The blocks of a GIF (GIF89a, CompuServe 1990), of which not each picture says how long it stays.

Programs that show films by frame (GIF87a knows no times) write pictures without a graphic control
extension. FFmpeg takes all of them for one; browsers show each for a tenth of a second.
"""

import io
import os
from collections.abc import Iterator
from typing import Any

FIRST = b"GIF8"
"""First bytes of a GIF."""
CONTROL = b"!\xf9"
"""First bytes of the extension with the time of the picture that follows."""
TEXT = b"!\x01"
"""Those of a text that is shown as a picture is."""
UNTIMED = CONTROL + b"\x04\0\0\0\0\0"
"""An extension without a time."""


def blocks(data: Any) -> Iterator[tuple[int, int, bytes]]:
    """Yield the begin, the end and the first two bytes of each block; the last may be cut."""
    head = bytes_at(data, 0, 13)
    at = 13 + (_colours(head[10]) if len(head) == 13 else 0)
    while (block := bytes_at(data, at, 10))[:1] in (b"!", b","):
        begin = at
        at += 2 if block[:1] == b"!" else 11 + _colours(block[-1])
        while part := bytes_at(data, at, 1):
            at += 1 + part[0]
            if not part[0]:
                break
        yield begin, at if part else at + 1, block[:2]


def with_times(data: Any) -> Any:
    """Return a GIF whose pictures all have a control extension; the same data if they have.

    So are data of any other format.
    """
    if bytes_at(data, 0, len(FIRST)) != FIRST:
        return data
    places, is_controlled = list[int](), False
    for begin, _, kind in blocks(data):
        if kind[:1] == b"," and not is_controlled:
            places.append(begin)
        is_controlled = kind == CONTROL or (is_controlled and kind[:1] == b"!" and kind != TEXT)
    if not places:
        return data
    size = data.seek(0, os.SEEK_END)
    parts = zip([0, *places], [*places, size], strict=True)
    return io.BytesIO(UNTIMED.join(bytes_at(data, begin, end - begin) for begin, end in parts))


def bytes_at(data: Any, at: int, count: int) -> bytes:
    """Return up to `count` bytes of open data from a place on."""
    data.seek(at)
    return data.read(count)


def _colours(flags: int) -> int:
    """Return the bytes of a table of colours, if there is one."""
    return 3 * 2 ** (flags % 8 + 1) if flags & 0x80 else 0
