"""Text of any encoding that is used for captions: UTF-8, UTF-16, and Windows-1252 line by line."""

import codecs
import html
import re
import unicodedata
from pathlib import Path

from core.data.sources import RejectedFile, require_file, unpacked
from core.errors import UserError
from core.files import cause_of
from videogen.files.limits import VideoLimits

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins with the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Marks of order, and the codecs that read them."""

DOCUMENTS = (b"{\\rtf", b"%PDF", b"PK\3\4", b"\xd0\xcf\x11\xe0")
"""First bytes of RTF, of PDF, of documents in zips (.docx, .odt), and of older ones (.doc)."""
AS_TEXT = "save it as plain text, in UTF-8"

FOREIGN = 0.3
"""Share of letters beyond ASCII from which on a line is in no western script."""
_NO_WORD = re.compile(
    r"[A-Za-z][\xa1-\xb3\xb5\xb6\xb8-\xbf\xd7\xf7\u20ac\u2020-\u2022\u2030][A-Za-z]"
    r"|[A-Za-z][\u201c\u201d\u02dc\u2122\u203a][A-Za-z]|[A-Za-z][\u201a\u201e\u02c6\u2039]"
    r"|[a-z][ŠŒŽŸÀ-ÖØ-Þ]"
)
"""A sign, such as the pound, between letters, a quotation mark that opens after one, or a capital
after a small one: another alphabet, of MS-DOS or old Macs too, read as the western one."""
CONTROL = "Cc", "Cf", "Cs", "Co", "Cn"
"""Unicode categories of characters that are not text."""
JOINERS = "\u200c\u200d"
"""Characters of these categories that belong to words of some scripts."""
OVERRIDES = "\u202d\u202e"
"""Characters that turn a line round; other marks of a line's direction and form are left out."""
PICTURES = range(0x1F000, 0x1FB00)
"""Code points of emoji, also of those that are newer than Python's tables."""
_MARK = re.compile("^\ufeff", re.MULTILINE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][\da-fA-F]{1,6}|[A-Za-z][A-Za-z\d]{1,30});")
"""A letter as HTML writes it, by its number or its name."""
_INLINE = re.compile(r"</?(?:a|b|em|font|i|small|span|strong|sub|sup|u)(?:\s[^<>]*)?>", re.I)
_BLOCK = re.compile(r"</?(?:br|div|h[1-6]|li|ol|p|td|th|tr|ul)(?:\s[^<>]*)?/?>", re.I)
"""Tags of HTML within a line, and those that begin another."""
_LETTERS = re.compile(rb"[A-Za-z]")
_BEYOND = re.compile(rb"[\x80-\xff]+")


def decode(data: bytes) -> str:
    """Return the text of a file without marks of order; `RejectedFile` if its encoding is unknown.

    Such a mark also begins each further file of those that were joined to one.
    """
    return _MARK.sub("", _decoded(data))


def _decoded(data: bytes) -> str:
    if data.startswith(DOCUMENTS):
        raise RejectedFile("encoding", f"it is a document and no plain text: {AS_TEXT}")
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
    """Read the captions of a text file, one in each line, which gzip may have packed.

    `UserError` where there is none, and for a file that is no text.
    """
    try:
        require_file(path)
        lines = decode(unpacked(path.read_bytes(), VideoLimits())).splitlines()
    except OSError as error:
        raise UserError(f"cannot read {path}: {cause_of(error)}") from error
    except RejectedFile as error:
        raise UserError(f"cannot read {path}: {error.detail}") from error
    found = [(n, " ".join(visible(line).split())) for n, line in enumerate(lines, 1)]
    captions = [(number, caption) for number, caption in found if caption]
    if not captions:
        raise UserError(f"{path} holds no caption: write one in each line")
    for number, caption in captions:
        if (letter := no_letter(caption)) is not None:
            raise UserError(
                f"{path} is no plain text: its line {number} contains the character "
                f"{letter:#x}: {AS_TEXT}"
            )
    return [caption for _, caption in captions]


def without_markup(text: str) -> str:
    """Return a text of a web page as it is read there: `&amp;` is &, and `<b>` leaves no trace.

    Other words in angle brackets stay, which some captions have as names.

    >>> without_markup("a dog &amp;amp; <b>Rex</b> &#39;run&#39;<br/>AT&T, <sks>, R&amp;B")
    "a dog & Rex 'run' AT&T, <sks>, R&B"
    """
    while (read := _ENTITY.sub(lambda match: html.unescape(match[0]), text)) != text:
        text = read
    return _BLOCK.sub(" ", _INLINE.sub("", text))


def visible(text: str) -> str:
    """Return a text without soft hyphens, marks of direction and the like."""
    kept = JOINERS + OVERRIDES
    return "".join(c for c in text if c in kept or unicodedata.category(c) != "Cf")


def no_letter(text: str) -> int | None:
    """Return the code point of the first character that is no part of a text; None without one."""
    for letter in text:
        known = letter in JOINERS or ord(letter) in PICTURES
        if unicodedata.category(letter) in CONTROL and not known:
            return ord(letter)
    return None


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
