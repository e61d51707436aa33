"""Pieces of HTML that several rooms show; every text in them is escaped."""

import html
import re
from collections.abc import Iterable, Sequence

from studio.components.fields import PICKUP


def escaped(value: object) -> str:
    """Return a value as text of HTML, also within an attribute.

    >>> escaped('<b> & "')
    '&lt;b&gt; &amp; &quot;'
    """
    return html.escape(str(value))


FIELDS = {
    "bars": "Bars",
    "fill": "Bars",
    "form": "Form",
    "section-bars": "Bars of each",
    "tracks": "Tracks to compose",
    "keep": "Again, but keep the locked tracks",
    "given": "Open a song file of yours",
    "ending": "With an ending",
    "best-of": "Best of",
    "key": "Key",
    "density": "Density",
    "voice": "Played by",
    "seed": "Seed",
    "min-tracks": "Tracks that must sound",
    "meter": "Metre",
    "pickup": PICKUP,
    "size": "Pixels",
    "frames": "Frames",
    "fps": "a second",
    "scale": "Scale",
    "then": "Then",
    "into": "Into",
    "start": "A picture to begin with",
    "loop": "Ends as it begins: a loop",
    "parts": "Show gist, background, mask and foreground",
    "minutes": "Minutes",
    "preset": "Time and size",
    "model": "Model",
    "from": "Begin with the weights of",
    "against": "Measured against",
}
"""The fields of the page, by the options that messages name."""

OPTION = re.compile(r"pianoreel [a-z][^;]*|--([a-z][a-z-]*)")
"""An option in a sentence; those of a whole command belong to it."""

BEYOND = "on the command line, not on this page"

PATH_OF_A_FILE = re.compile(
    r"(?<![\w.])/[^:;\"'“]*?/(?:\.received/[0-9a-f]{64}|(?:songs|clips)/\d{4}-\d\d-\d\d_[^/]*)/"
)
"""Folders where the studio keeps what is received or made, before the name of a file."""


def in_page(sentence: object, **others: str) -> str:
    """Return a sentence with the page's fields in place of the command's options.

    Files of the studio are called by their names, as on the shelf. Of an option that the page
    lacks it is said where it is. `others`: fields of one room that are called otherwise.

    >>> in_page("15 bars do not divide into the 4 sections of AABA: --bars 16")
    '15 bars do not divide into the 4 sections of AABA: “Bars” 16'
    >>> in_page("choose another --device")
    'choose another --device; --device is on the command line, not on this page'
    >>> in_page(f"/my studio/.received/{'0' * 64}/a.mid: the file has no bytes")
    'a.mid: the file has no bytes'
    """
    fields, text = FIELDS | others, PATH_OF_A_FILE.sub("", str(sentence))
    found = [option[1] for option in OPTION.finditer(text) if option[1]]
    lacking = [f"--{name}" for name in dict.fromkeys(found) if name not in fields]

    def named(option: re.Match[str]) -> str:
        return f"“{fields[option[1]]}”" if option[1] in fields else option[0]

    said = OPTION.sub(named, text)
    if not lacking or BEYOND in said:
        return said
    return f"{said}; {' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} {BEYOND}"


def empty(sentence: str) -> str:
    """Return what stands where there is nothing to show yet."""
    return f'<p class="empty">{escaped(sentence)}</p>'


def table(title: str, head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Return a titled table, the first cell of a row as its head; nothing without rows."""
    lines = [
        f'<tr><th scope="row">{escaped(first)}</th>{_cells("td", rest)}</tr>'
        for first, *rest in rows
    ]
    if not lines:
        return ""
    rows_of_head = f"<thead><tr>{_cells('th', head)}</tr></thead>"
    return (
        f'<h2>{escaped(title)}</h2><div class="scrolling" tabindex="0"><table>{rows_of_head}'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _cells(tag: str, values: Iterable[object]) -> str:
    return "".join(f"<{tag}>{escaped(value)}</{tag}>" for value in values)
