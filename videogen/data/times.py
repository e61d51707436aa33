"""Times of excerpts: the part of a film that the caption in a row describes.

    start, end          seconds, or times of a clock; also start and duration
    start_ms, end_ms    milliseconds, and likewise minutes, hours, micro- and nanoseconds
    start_frame, ...    frames of the film, of which the first is 0; seconds, if there is an fps
    timestamps          pairs of a begin and an end
    start               a begin alone: from there to the end of the film

Names may have other words in them, such as clipStartTime and segment_end_sec. Columns that seem to
be times in no known unit raise `Faulty`: the whole film would be another part than is meant.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from core.data.sources import RejectedFile
from videogen.data.cells import Faulty, Fields, listed
from videogen.files.clock import Excerpt, InFrames

_WORDS = (
    r"(?:clip|segment|seg|scene|shot|video|film|action|event|excerpt|caption|sentence|narration|"
    r"temporal|timestamps?|timecode|time|trim|cut|offset|in|at|of|t)*"
)
"""Words that say no more of a time than that it is one."""
_UNITS = {
    "frame": r"frames?(?:idx|index|ids?|numbers?|num|no|nr)?",
    "ms": r"m(?:illi)?s(?:ec(?:ond)?s?)?",
    "us": r"(?:us|micros?|microsec(?:ond)?s?)",
    "ns": r"(?:ns|nanos?|nanosec(?:ond)?s?)",
    "min": r"min(?:ute)?s?",
    "h": r"(?:h|hours?|hrs?)",
    "s": r"s(?:ec(?:ond)?s?)?",
    "unknown": r"(?:idx|index|ticks?|samples?|[pd]ts|pos(?:ition)?|percent|pct|ratio|share|m|f)",
}
_UNIT = "|".join(f"(?P<{unit}{{0}}>{form})" for unit, form in _UNITS.items())
_ROLES = {
    "begin": r"(?:starts?|begins?|beginning|onset)",
    "end": r"(?:ends?|stops?|finish|ending)",
    "length": r"(?:duration|length)",
}
_OF_FILM = re.compile(".*(?:video|film).*")
"""Names of the length of a film, which is not that of an excerpt."""
_OF_FILM = re.compile(".*(?:video|film).*")
"""Names of the length of a film, which is not that of an excerpt."""
_NAMES = {
    role: re.compile(f"{_WORDS}(?:{_UNIT.format(1)})?{_WORDS}{form}{_WORDS}(?:{_UNIT.format(2)})?")
    for role, form in _ROLES.items()
}
_LOOSE = (
    {"begin": "from", "end": "to"},
    {"begin": "from", "end": "until"},
    {"begin": "in", "end": "out"},
    {"begin": "in_point", "end": "out_point"},
    {"begin": "offset", "length": "duration"},
)
"""Names that are of times only beside each other, and where their values are."""
_LOOSE_NAMES = {name for pair in _LOOSE for name in pair.values()} - {"duration"}
_COUNTS = ("num_frames", "n_frames", "nframes", "frame_count", "frames")
"""Names of the column of the frames of an excerpt."""
_RATES = ("fps", "frame_rate", "framerate", "video_fps", "frames_per_second")
_SPANS = re.compile(
    rf"{_WORDS}(?:(?P<frame1>frames?){_WORDS})?(?:spans?|ranges?|intervals?|windows?|boundary|"
    r"boundaries|timestamps?|timecodes?|time|segments?)(?:in)?(?P<frame2>frames?)?(?P<s>s|secs?|seconds?)?"
)
"""Names of the columns of a begin and an end, or of pairs of both."""
_OPPOSITES = {
    "start": ("end", "stop"), "begin": ("end",), "first": ("last",), "from": ("to",),
    "in": ("out",), "von": ("bis",), "debut": ("fin",), "inicio": ("fin",), "inizio": ("fine",),
    "anfang": ("ende",), "beginn": ("ende",), "t0": ("t1",), "t1": ("t2",),
}  # fmt: skip
"""Parts of names of begins, with those of their ends."""
_PAIRS = ("times", "moments", "frames")
"""Names of other columns that may hold pairs, of which it is not known what they count."""
SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0}

_CLOCK = re.compile(r"(?:(\d+):)?(?:(\d+):)?(\d+(?:[.,]\d+)?)")
_TIMECODE = re.compile(r"\d+(?:[:.]\d+){2}[:;.]\d+")
"""A time that ends in a number of frames, or is set out with points alone."""
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
FASTEST = 1e4
"""Frames a second that no film has."""
LATEST = 1e6
"""Largest number of seconds that is a time of a film, and no date."""

BEYOND = 1.4
"""Multiple of a film's length that no time within it reaches."""
SAME = 0.1
"""Seconds by which two columns of one time may differ."""
CURE = "name them start and end, in seconds"


@dataclass(frozen=True)
class Column:
    """A column of times: its name, and the unit of its numbers."""

    name: str
    unit: str


@lru_cache(maxsize=256)
def _columns(names: frozenset[str]) -> Mapping[str, Sequence[Column]]:
    """Return the columns of begins, of ends and of lengths, those in seconds first."""
    found: dict[str, list[Column]] = {role: [] for role in _ROLES}
    for name in sorted(names):
        for role, form in _NAMES.items():
            if match := form.fullmatch(re.sub(r"[^a-z\d]", "", name)):
                units = {key[:-1] for key, text in match.groupdict().items() if text}
                unit = units.pop() if len(units) == 1 else "unknown" if units else "s"
                found[role].append(Column(name, unit))
                break
    found["length"] = [c for c in found["length"] if not _OF_FILM.fullmatch(c.name)]
    found["length"] = [c for c in found["length"] if not _OF_FILM.fullmatch(c.name)]
    for pair in _LOOSE:
        if names.issuperset(pair.values()) and not (found["begin"] or found["end"]):
            for role, name in pair.items():
                if role != "length":
                    found[role].append(Column(name, "s"))
    found["length"] += [Column(name, "frame") for name in _COUNTS if name in names]
    order = [*SECONDS, "frame", "unknown"]
    for columns in found.values():
        columns.sort(key=lambda column: order.index(column.unit))
    return found


def is_time(name: str) -> bool:
    """Return whether a column of this name, in small letters, holds begins or ends.

    >>> is_time("start_ms"), is_time("cliptostart"), is_time("segment_end_sec")
    (True, False, True)
    """
    compact = re.sub(r"[^a-z\d]", "", name)
    return any(_NAMES[role].fullmatch(compact) for role in ("begin", "end"))


def _span(name: str) -> re.Match[str] | None:
    """Return how a column of pairs of a begin and an end is called; None for other columns."""
    return None if name in _PAIRS else _SPANS.fullmatch(re.sub(r"[^a-z\d]", "", name))


def times_in(name: str, inner: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the begins and ends in an object of a row, which is called so."""
    is_span = name in _PAIRS or _span(name)
    return {
        key: one for key, one in inner.items() if is_time(key) or (is_span and key in _LOOSE_NAMES)
    }


def excerpts(fields: Fields, count: int) -> Sequence[Excerpt | None]:
    """Return the part of the film of each of the captions of a row; None for all of it.

    Raises `RejectedFile` for times that cannot be, `Faulty` for columns that are not understood.
    """
    pairs, in_frames = _pairs(fields)
    if pairs:
        _require_within(fields, pairs, in_frames)
    else:
        pairs, in_frames = _of_columns(fields)
    if not pairs:
        _require_two(fields)
        return [None] * count
    if len(pairs) not in (1, count):
        raise RejectedFile("times", f"it has {len(pairs)} times for {count} captions")
    found = [_excerpt(begin, end, in_frames) for begin, end in pairs]
    return found if len(found) == count else found * count


Pairs = list[tuple[float | None, float | None]]


def _pairs(fields: Fields) -> tuple[Pairs, bool]:
    """Return the begins and ends of a column of pairs, and whether they count frames."""
    for name, value in fields.items():
        match = _span(name)
        if not match and name not in _PAIRS:
            continue
        whole = _split(listed(value), name)
        pairs = whole if isinstance(whole, list) else []
        pairs = [pairs] if len(pairs) == 2 and not isinstance(pairs[0], list) else pairs
        if not pairs or not all(isinstance(one, list) and len(one) == 2 for one in pairs):
            continue
        if not match:
            raise Faulty(f"it is not known what its column {name} counts: {CURE}")
        in_frames = bool(match["frame1"] or match["frame2"])
        found = [(_time(a, name, in_frames), _time(b, name, in_frames)) for a, b in pairs]
        return found, in_frames
    return [], False


def _require_two(fields: Fields) -> None:
    """Raise `Faulty` for a single time in a column that may be of a begin and an end."""
    for name, value in fields.items():
        if "time" in name and _span(name):
            time = _time(value, name, is_loose=True)
            if time and time < LATEST:
                raise Faulty(f"its column {name} has one time ({value!a:.20}) of two: {CURE}")


def _require_within(fields: Fields, pairs: Pairs, in_frames: bool) -> None:
    """Raise `Faulty` for times far beyond the end of the film, if the row says how long it is."""
    frames = next((number for name in _COUNTS if (number := _number(fields.get(name)))), 0.0)
    seconds = _number(fields.get("duration")) or (frames / rate if (rate := _rate(fields)) else 0)
    last = max((end for _, end in pairs if end is not None), default=0.0)
    if not in_frames and 0 < BEYOND * seconds < last:
        raise Faulty(
            f"it names a part that ends at {last:g} s in a film of {seconds:g} s: its times count "
            f"something else; {CURE}"
        )


def _rate(fields: Fields) -> float:
    """Return the frames a second that a row states; 0 for none."""
    rates = (_number(fields.get(name)) for name in _RATES)
    return next((rate for rate in rates if rate and 0 < rate < FASTEST), 0.0)


def _split(value: Any, name: str) -> Any:
    """Return a begin and an end that one text holds as a list; another value as it is."""
    match = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    if not match or _DATE.fullmatch(value.strip()):
        return value
    times = [_time(one, name, is_loose=True) for one in match.groups()]
    return value if None in times else times


def _of_columns(fields: Fields) -> tuple[Pairs, bool]:
    """Return the begins and ends of two columns, and whether they count frames."""
    columns = _columns(frozenset(fields))
    _require_known(fields, columns)
    filled = {
        role: [c for c in of if not _is_empty(fields[c.name])] for role, of in columns.items()
    }
    begins, ends = filled["begin"], filled["end"]
    if not begins and not ends:
        return [], False
    _require_one(fields, begins)
    _require_one(fields, ends)
    lasts = ends or filled["length"]
    begin, last = next(
        ((a, b) for a in begins for b in lasts if (a.unit == "frame") == (b.unit == "frame")),
        (begins[0] if begins else None, ends[0] if ends else None),
    )
    rate = _rate(fields)
    units = {column.unit == "frame" for column in (begin, last) if column}
    if len(units) > 1 and not rate:
        assert begin and last
        raise Faulty(f"one of its columns {begin.name} and {last.name} counts frames: {CURE}")
    begin_times = _times(fields, begin, rate)
    end_times = _times(fields, last, rate)
    size = max(len(begin_times), len(end_times))
    begin_times, end_times = (one or [None] * size for one in (begin_times, end_times))
    if len(begin_times) != len(end_times):
        raise RejectedFile("times", f"it has {len(begin_times)} begins, {len(end_times)} ends")
    pairs = list(zip(begin_times, end_times, strict=True))
    if last and last not in ends:
        pairs = [(a, None if a is None or b is None else a + b) for a, b in pairs]
    return pairs, units == {True} and not rate


def _is_empty(value: Any) -> bool:
    text = value.strip().lower() if isinstance(value, str) else value
    return text in (None, "", "nan", "none", "null", "n/a", "na", "-", "--")


def _require_known(fields: Fields, columns: Mapping[str, Sequence[Column]]) -> None:
    """Raise `Faulty` for columns of numbers that seem to be times in no known unit."""
    unknown = [
        column.name
        for role in ("begin", "end")
        for column in columns[role]
        if column.unit == "unknown" and not any(c.unit != "unknown" for c in columns[role])
    ]
    known = {column.name for of in columns.values() for column in of}
    if not unknown and not columns["begin"]:
        unknown = [name for pair in _begins_with_ends(fields, known) for name in pair]
    named = [name for name in unknown if _is_timed(fields[name])]
    if named:
        raise Faulty(
            f"it is not known what its columns {' and '.join(named)} count: {CURE}, or leave them "
            "out"
        )


def _begins_with_ends(fields: Fields, known: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the columns of names that only differ in the words of a begin and of an end."""
    for name in fields:
        parts = re.split(r"([^a-z\d])", name)
        for number, part in enumerate(parts):
            for last in _OPPOSITES.get(part, ()):
                other = "".join([*parts[:number], last, *parts[number + 1 :]])
                if name not in known and other in fields:
                    yield name, other


def _is_timed(value: Any) -> bool:
    """Return whether a value may be a time: a number, or numbers between colons."""
    if isinstance(value, str) and re.fullmatch(r"\d+(?:[:;.]\d+)+", value.strip()):
        return True
    return _number(value) is not None


def _number(value: Any) -> float | None:
    """Return a finite number; None for what is none."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _require_one(fields: Fields, columns: Sequence[Column]) -> None:
    """Raise `Faulty` where columns name different times of one thing, as of film and of clip."""
    times = {
        column.name: _times(fields, column, 0) for column in columns if column.unit in SECONDS
    }
    single = [(name, of[0]) for name, of in times.items() if len(of) == 1 and of[0] is not None]
    for name, time in single:
        first, begin = single[0]
        if abs(time - begin) > SAME:
            raise Faulty(f"its columns {first} and {name} differ: leave one out")


def _times(fields: Fields, column: Column | None, rate: float) -> list[float | None]:
    """Return the times in a cell, or in a list of them: in seconds, or in frames."""
    if column is None:
        return []
    scale = SECONDS.get(column.unit, 1 / rate if column.unit == "frame" and rate else 1.0)
    value = listed(fields[column.name])
    plain, is_loose = column.unit != "s", column.name in _LOOSE_NAMES
    times = [
        _time(one, column.name, plain, is_loose)
        for one in (value if isinstance(value, list) else [value])
    ]
    return [None if time is None else time * scale for time in times]


def _excerpt(begin: float | None, end: float | None, in_frames: bool) -> Excerpt | None:
    """Return the part between two times; None for none at all, and for 0 to 0."""
    if (begin is None and end is None) or (begin == end == 0 and not in_frames):
        return None
    first, last = begin or 0.0, math.inf if end is None else end
    if in_frames and first == last == 0:
        return None
    if not 0 <= first < last:
        unit = "frame {:g}" if in_frames else "{:g} s"
        first_last = f"{unit.format(first)} and ends at {unit.format(last)}"
        raise RejectedFile("times", f"its excerpt begins at {first_last}")
    if (first, last) == (0, math.inf):
        return None
    return InFrames(first, last) if in_frames else (first, last)


def _time(value: Any, name: str, plain: bool = False, is_loose: bool = False) -> float | None:
    """Return a number, or the seconds of a time of a clock; None for what is no time.

    `plain`: only a number is one. `is_loose`: other values are no times at all.

    >>> [_time(value, "x") for value in (4.5, "1:02:03.5", "0,7 s", "1m30s", "2026-01-01")]
    [4.5, 3723.5, 0.7, 90.0, None]
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, int | float):
        return None if math.isnan(value) else float(value)
    text = value.strip()
    if _is_empty(text) or not re.search(r"\d|inf", text) or _DATE.fullmatch(text):
        return None
    if (number := _number(text)) is not None:
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
    raise RejectedFile("times", f"{value!a:.60} in column {name} is no time: write {wanted}")
