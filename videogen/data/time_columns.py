"""Columns of a table that hold times, known by their names.

start, clipStartTime, begin_ms      when a part of a film begins
end, segment_end_sec, stop_frame    when it ends
duration, length_s, num_frames      how long it is
offset                              when it begins, beside how long it is; beside onset, its end
timestamps, frame_range, span       a begin and an end, or pairs of both
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from videogen.data.cells import Fields

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
    "length": r"(?:duration|length|dur|len)",
}
_OF_OTHERS = re.compile(".*(?:video|film|caption|sentence|narration).*")
"""Names of the length of a film or of a text, which is not that of an excerpt."""
_NAMES = {
    role: re.compile(f"{_WORDS}(?:{_UNIT.format(1)})?{_WORDS}{form}{_WORDS}(?:{_UNIT.format(2)})?")
    for role, form in _ROLES.items()
}
_LOOSE = (
    {"begin": "from", "end": "to"},
    {"begin": "from", "end": "until"},
    {"begin": "in", "end": "out"},
    {"begin": "in_point", "end": "out_point"},
    {"begin": "ss", "end": "to"},
    {"begin": "ss", "length": "t"},
)
"""Names that are of times only beside each other, and where their values are."""
_OFFSETS = re.compile(rf"{_WORDS}offset(?:{_UNIT.format(1)})?")
"""Names of begins only beside lengths."""
LOOSE_NAMES = {name for pair in _LOOSE for name in pair.values()} | {"offset"}
COUNTS = ("num_frames", "n_frames", "nframes", "frame_count", "frames")
"""Names of the column of the frames of an excerpt."""
RATES = ("fps", "frame_rate", "framerate", "video_fps", "frames_per_second")
_SPANS = re.compile(
    rf"{_WORDS}(?:(?P<frame1>frames?){_WORDS})?(?:spans?|ranges?|intervals?|windows?|boundary|"
    r"boundaries|timestamps?|timecodes?|time|segments?)(?:in)?(?P<frame2>frames?)?(?P<s>s|secs?|seconds?)?"
)
"""Names of the columns of a begin and an end, or of pairs of both."""
_OPPOSITES = {
    "start": ("end", "stop"), "begin": ("end",), "first": ("last",), "from": ("to",),
    "in": ("out",), "von": ("bis",), "debut": ("fin",), "inicio": ("fin",), "inizio": ("fine",),
    "anfang": ("ende",), "beginn": ("ende",), "t0": ("t1",), "t1": ("t2",),
    "st": ("ed", "et"),
}  # fmt: skip
"""Parts of names of begins, with those of their ends."""
PAIRS = ("times", "moments", "frames")
"""Names of other columns that may hold pairs, of which it is not known what they count."""
SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0}
"""The units of times, in seconds."""
LONGEST = 64
"""Most characters of the name of a column of times."""


@dataclass(frozen=True)
class Column:
    """A column of times: its name, and the unit of its numbers."""

    name: str
    unit: str


def _compact(name: str) -> str:
    """Return the letters and digits of a name; none of one that is too long."""
    return re.sub(r"[^a-z\d]", "", name) if len(name) <= LONGEST else ""


def _plain(name: str) -> str:
    """Return a name without accents.

    >>> _plain("début")
    'debut'
    """
    return "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))


@lru_cache(maxsize=256)
def columns_of(names: frozenset[str]) -> Mapping[str, Sequence[Column]]:
    """Return the columns of begins, of ends and of lengths, those in seconds first."""
    found = {role: list(_columns(names, form)) for role, form in _NAMES.items()}
    found["length"] = [c for c in found["length"] if not _OF_OTHERS.fullmatch(c.name)]
    for pair in _LOOSE:
        if names.issuperset(pair.values()) and not (found["begin"] or found["end"]):
            for role, name in pair.items():
                found[role].append(Column(name, "s"))
    if found["length"] and not (found["begin"] or found["end"]):
        found["begin"] = list(_columns(names, _OFFSETS))
    if names.issuperset(("onset", "offset")) and not found["end"]:
        found["end"].append(Column("offset", "s"))
    found["length"] += [Column(name, "frame") for name in COUNTS if name in names]
    order = [*SECONDS, "frame", "unknown"]
    for columns in found.values():
        columns.sort(key=lambda column: order.index(column.unit))
    return found


def _columns(names: Iterable[str], form: re.Pattern[str]) -> Iterator[Column]:
    """Yield the columns whose names have a form, in the order of their names."""
    for name in sorted(names):
        if match := form.fullmatch(_compact(name)):
            units = {key[:-1] for key, text in match.groupdict().items() if text}
            unit = units.pop() if len(units) == 1 else "unknown" if units else "s"
            yield Column(name, unit)


def is_time(name: str) -> bool:
    """Return whether a column of this name, in small letters, holds begins or ends.

    >>> is_time("start_ms"), is_time("cliptostart"), is_time("segment_end_sec")
    (True, False, True)
    """
    return any(_NAMES[role].fullmatch(_compact(name)) for role in ("begin", "end"))


def span_of(name: str) -> re.Match[str] | None:
    """Return how a column of pairs of a begin and an end is called; None for other columns."""
    return None if name in PAIRS else _SPANS.fullmatch(_compact(name))


def times_in(name: str, inner: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the begins and ends in an object of a row, which is called so."""
    is_span = name in PAIRS or span_of(name)
    return {
        key: one for key, one in inner.items() if is_time(key) or (is_span and key in LOOSE_NAMES)
    }


def begins_with_ends(fields: Fields, known: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the columns of names that only differ in the words of a begin and of an end."""
    plain = {_plain(name): name for name in fields}
    for name in fields:
        parts = re.split(r"([^a-z\d])", _plain(name))
        for number, part in enumerate(parts):
            for last in _OPPOSITES.get(part, ()):
                other = plain.get("".join([*parts[:number], last, *parts[number + 1 :]]))
                if name not in known and other:
                    yield name, other
