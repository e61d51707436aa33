"""Pieces of HTML that several rooms show; every text in them is escaped."""

import html
from collections.abc import Iterable, Sequence


def escaped(value: object) -> str:
    """Return a value as text of HTML, also within an attribute.

    >>> escaped('<b> & "')
    '&lt;b&gt; &amp; &quot;'
    """
    return html.escape(str(value))


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
