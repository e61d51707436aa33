"""Times in the cells of a table: numbers, times of a clock, and times with their units."""

import math
import re
from typing import Any

from core.data.sources import RejectedFile

_CLOCK = re.compile(r"(?:(\d+):)?(?:(\d+):)?(\d+(?:[.,]\d+)?)")
_TIMECODE = re.compile(r"\d+(?:[:.]\d+){2}[:;.]\d+")
"""A time that ends in a number of frames, or is set out with points alone."""
_SMPTE = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})([:;])(\d{2})")
"""Hours, minutes, seconds and frames; a semicolon where numbers are dropped (SMPTE ST 12-1)."""
_TWO_DIGITS = re.compile(r"\d{1,2}(?::\d{2}){1,3}(?:[.,;]\d+)?")
"""A time of a clock, and no ratio such as 16:9."""
_DATE = re.compile(r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})(?!\d).*")
_NUMBER = r"(\d+(?:[.,]\d+)?)\s*"
_WITH_UNITS = re.compile(
    rf"(?:PT)?(?:{_NUMBER}h(?:ours?|rs?)?)?\s*(?:{_NUMBER}m(?:in(?:ute)?s?)?)?\s*"
    rf"(?:{_NUMBER}s(?:ec(?:ond)?s?)?)?\s*(?:{_NUMBER}m(?:illi)?s(?:ec(?:ond)?s?)?)?",
    re.I,
)
"""A time with its units, as 1m30s and 1500 ms, also as ISO 8601 writes it."""
_SPAN = re.compile(
    r"[(\[]?\s*([^\s,;()\[\]]+?)\s*(?:-->|\.{2,}|[-\u2013\u2014,;~]|\bto\b|\s)\s*([^\s,;]+?)\s*[)\]]?"
)
"""A begin and an end in one cell."""


def time_of(value: Any, name: str, plain: bool = False, is_loose: bool = False) -> float | None:
    """Return a number, or the seconds of a time of a clock; None for what is no time.

    `plain`: only a number is one. `is_loose`: other values are no times at all.

    >>> [time_of(value, "x") for value in (4.5, "1:02:03.5", "0,7 s", "1m30s", "2026-01-01")]
    [4.5, 3723.5, 0.7, 90.0, None]
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, int | float):
        return None if math.isnan(value) else float(value)
    text = value.strip()
    if is_empty(text) or not re.search(r"\d|inf", text) or _DATE.fullmatch(text):
        return None
    if (number := number_of(text)) is not None:
        return number
    if not plain and (match := _CLOCK.fullmatch(text)):
        parts = [float(part.replace(",", ".")) for part in match.groups() if part is not None]
        return sum(part * 60**power for power, part in enumerate(reversed(parts)))
    if not plain and (match := _WITH_UNITS.fullmatch(text)):
        numbers = [float(part.replace(",", ".")) if part else 0.0 for part in match.groups()]
        return sum(n * of for n, of in zip(numbers, (3600, 60, 1, 1e-3), strict=True))
    if is_loose and not _TIMECODE.fullmatch(text):
        return None
    wanted = "a number" if plain else "seconds, as 72.5 or 1:12.5"
    wanted += ", or add a column fps" * bool(not plain and _SMPTE.fullmatch(text))
    raise RejectedFile("times", f"{value!a:.60} in column {name} is no time: write {wanted}")


def of_timecode(value: Any, rate: float) -> float | None:
    """Return the seconds of a time code at a rate of frames a second; None for other values.

    Where numbers are dropped, these are the first two, of 60 frames a second four, of each minute
    but the tenth.

    >>> of_timecode("00:01:12:12", 24), round(of_timecode("00:10:00;00", 30000 / 1001), 4)
    (72.5, 599.9994)
    """
    match = _SMPTE.fullmatch(value.strip()) if isinstance(value, str) and rate else None
    hours, minutes, seconds, _, frames = match.groups() if match else [0] * 5
    in_a_second, minute = round(rate), 60 * int(hours) + int(minutes)
    if not match or int(frames) >= in_a_second:
        return None
    dropped = in_a_second // 15 * (minute - minute // 10) * (match[4] == ";")
    return ((60 * minute + int(seconds)) * in_a_second + int(frames) - dropped) / rate


def split(value: Any, name: str) -> Any:
    """Return a begin and an end that one text holds as a list; another value as it is."""
    match = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    if not match or _DATE.fullmatch(value.strip()):
        return value
    times = [time_of(one, name, is_loose=True) for one in match.groups()]
    return value if None in times else times


def is_empty(value: Any) -> bool:
    """Return whether a cell holds nothing, or a word for nothing."""
    text = value.strip().lower() if isinstance(value, str) else value
    return text in (None, "", "nan", "none", "null", "n/a", "na", "-", "--")


def is_clock(value: Any) -> bool:
    """Return whether a value is written as a time of a clock."""
    return isinstance(value, str) and bool(_TWO_DIGITS.fullmatch(value.strip()))


def is_span_of_clocks(value: Any) -> bool:
    """Return whether a value is written as two times of a clock: 0:05 - 0:10."""
    match = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    return bool(match) and all(map(is_clock, match.groups()))


def is_timed(value: Any) -> bool:
    """Return whether a value may be a time: a number, or numbers between colons."""
    if isinstance(value, str) and re.fullmatch(r"\d+(?:[:;.]\d+)+", value.strip()):
        return True
    return number_of(value) is not None


def number_of(value: Any) -> float | None:
    """Return a finite number; None for what is none."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
