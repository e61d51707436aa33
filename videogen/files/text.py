"""Text of any encoding that is used for captions: UTF-8, UTF-16, and Windows-1252 line by line."""

import codecs
import re
from pathlib import Path

from core.data.sources import RejectedFile
from core.errors import UserError

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins with the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Marks of order, and the codecs that read them."""

FOREIGN = 0.3
"""Share of letters beyond ASCII from which on a line is in no western script."""
_NO_WORD = re.compile(
    r"[A-Za-z][\xa1-\xb3\xb5\xb6\xb8-\xbf\xd7\xf7\u20ac\u2020-\u2022\u2030][A-Za-z]"
    r"|[A-Za-z][\u201c\u201d\u02dc\u2122\u203a][A-Za-z]|[A-Za-z][\u201a\u201e\u02c6\u2039]"
    r"|[a-z][ŠŒŽŸÀ-ÖØ-Þ]"
)
"""A sign, such as the pound, between letters, a quotation mark that opens after one, or a capital
after a small one: another alphabet, of MS-DOS or old Macs too, read as the western one."""
_LETTERS = re.compile(rb"[A-Za-z]")
_BEYOND = re.compile(rb"[\x80-\xff]+")


def decode(data: bytes) -> str:
    """Return the text of a file without a mark of order; `RejectedFile` if it has none known."""
    try:
        for mark, codec in MARKS:
            if data.startswith(mark):
                return data.decode(codec)
        if b"\0" in data[:4096] and not _is_narrow(data[:4096]):
            return data.decode(_wide(data))
    except UnicodeDecodeError as error:
        raise RejectedFile("encoding", f"the text is no valid {error.encoding}") from error
    return "".join(_line(line) for line in data.splitlines(keepends=True))


def read_prompts(path: Path) -> list[str]:
    """Read the captions of a text file, one in each line; `UserError` where there is none."""
    try:
        lines = decode(path.read_bytes()).splitlines()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except RejectedFile as error:
        raise UserError(f"cannot read {path}: {error.detail}") from error
    captions = [line.strip() for line in lines if line.strip()]
    if not captions:
        raise UserError(f"{path} holds no caption: write one in each line")
    return captions


def _is_narrow(data: bytes) -> bool:
    """Return whether zeros lie among letters of UTF-8: those of UTF-16 have one each."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data.replace(b"\0", b""))
    except UnicodeDecodeError:
        return False
    return 4 * data.count(0) < len(data)


def _wide(data: bytes) -> str:
    """Return the codec of UTF-16 without a mark: western letters have a zero as upper byte."""
    even, odd = data[:4096:2].count(0), data[1:4096:2].count(0)
    return "utf-16-be" if even > odd else "utf-16-le"


def _line(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return _western(line)


def _western(line: bytes) -> str:
    """Decode Windows-1252, but not what only looks like it: letters beyond ASCII are few."""
    runs = _BEYOND.findall(line)
    beyond = sum(map(len, runs))
    try:
        text = line.decode("cp1252")
    except UnicodeDecodeError:
        text = ""
    few = beyond <= FOREIGN * (beyond + len(_LETTERS.findall(line)))
    if text and few and max(map(len, runs)) < 3 and not _NO_WORD.search(text):
        return text
    raise RejectedFile(
        "encoding", "its encoding is not known (UTF-8, UTF-16 or Windows-1252): save it as UTF-8"
    )
