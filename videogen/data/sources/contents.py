"""Texts of tables of every kind, also of those that are not read, so that names are seen in them.

A name may be written by the numbers of its letters, as JSON, XML and addresses do.
"""

import gzip
import html
import re
from contextlib import suppress
from urllib.parse import unquote

from core.data.sources import GZIP_SUFFIX, UNREADABLE, RejectedFile
from videogen.data.cells import NotUnderstood
from videogen.data.sources.unread import IN_BYTES, IN_MARKS, IN_ZIPS, PACKED, PAGES, WORKBOOKS
from videogen.data.tables import read_text
from videogen.files.archives import archive_in
from videogen.files.limits import VideoLimits
from videogen.files.text import decode
from videogen.files.tree import File

_TAG = re.compile(r"<[^<>]*>")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


def contents(table: File, limits: VideoLimits) -> str:
    """Return a table as text; of a workbook what its sheets hold, empty if it cannot be read.

    Raises `NotUnderstood` where letters are not in its bytes, or are of no known encoding.
    """
    if table.suffix in PACKED:
        raise NotUnderstood("it is no text")
    reader = {
        **dict.fromkeys((*IN_BYTES, *IN_MARKS), _in_bytes),
        **dict.fromkeys((*WORKBOOKS, *IN_ZIPS), _in_workbook),
        **dict.fromkeys(PAGES, _in_page),
        GZIP_SUFFIX: _in_gzip,
    }.get(table.suffix)
    if reader is None:
        return read_text(table, limits)
    with suppress(RejectedFile, *UNREADABLE):
        return reader(table, limits)
    return "" if reader is _in_workbook else read_text(table, limits)


def in_any_encoding(table: File, limits: VideoLimits) -> str:
    """Return a text, which gzip may have packed; its ASCII is right. Empty if it is not read."""
    with suppress(RejectedFile, *UNREADABLE):
        return _bytes(table, limits).decode("latin-1")
    return ""


def unescaped(text: str) -> str:
    """Return a text with the letters that JSON, XML and addresses write by their numbers."""
    if "\\u" in text:
        text = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
    return unquote(html.unescape(text)) if "%" in text else html.unescape(text)


def _in_bytes(table: File, limits: VideoLimits) -> str:
    data = table.read(limits, limits.manifest_bytes)
    return data.replace(b"\0", b"").decode("latin-1")


def _in_gzip(table: File, limits: VideoLimits) -> str:
    return decode(_bytes(table, limits))


def _bytes(table: File, limits: VideoLimits) -> bytes:
    if table.suffix != GZIP_SUFFIX:
        return table.read(limits, limits.manifest_bytes)
    with table.open(limits) as file, gzip.open(file) as unpacked:
        return unpacked.read(limits.manifest_bytes)


def _in_page(table: File, limits: VideoLimits) -> str:
    """Return what a page shows: a film that it plays or leads to is named in a tag alone."""
    return _TAG.sub("\n", decode(table.read(limits, limits.manifest_bytes)))


def _in_workbook(table: File, limits: VideoLimits) -> str:
    with table.open(limits) as file, archive_in(file, ".zip", limits) as archive:
        names = [one.name for one in archive.members() if one.name.endswith(".xml")]
        parts = [archive.open(name).read(limits.manifest_bytes) for name in names]
    return "\n".join(part.decode(errors="replace") for part in parts)
