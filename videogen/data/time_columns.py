"""Columns of a table that hold times, known by their names.

start, clipStartTime, begin_ms      when a part of a film begins
end, segment_end_sec, stop_frame    when it ends
duration, length_s, num_frames      how long it is
offset                              when it begins, beside how long it is; beside onset, its end
timestamps, frame_range, span       a begin and an end, or pairs of both
"""

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_WORD = (
    r"clip|segment|seg|scene|shot|video|film|action|event|excerpt|caption|sentence|narration|"
    r"temporal|timestamps?|timecode|time|trim|cut|offset|in|at|of|t"
)
_WORDS = rf"(?:{_WORD})*"
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
_BOTH = re.compile(
    rf"(?=.*(?:trim|cut|excerpt|time|start|begin))(?:{_WORD}|starts?|begins?|ends?|stops?|and|to)+"
)
"""Other names of columns that may hold a begin and an end."""
_OPPOSITES = {
    "start": ("end", "stop", "slut", "fin", "konec", "einde"), "begin": ("end",),
    "first": ("last",), "from": ("to",),
    "in": ("out",), "von": ("bis",), "debut": ("fin",), "inicio": ("fin",), "inizio": ("fine",),
    "anfang": ("ende",), "beginn": ("ende",), "t0": ("t1",), "t1": ("t2",),
    "st": ("ed", "et"), "s": ("e",), "ts": ("te",), "beg": ("end",), "bgn": ("end",),
    "initial": ("final",), "inicial": ("final",), "od": ("do",), "poczatek": ("koniec",),
    "zacatek": ("konec",),
    "van": ("tot",), "de": ("a", "ate"), "da": ("a",), "du": ("au",), "desde": ("hasta",),
    "fra": ("til",), "fran": ("till",), "alku": ("loppu",), "baslangic": ("bitis",),
    "начало": ("конец",), "начала": ("конца", "окончания"), "от": ("до",), "\u0441": ("по",),
    "початок": ("кінець",), "αρχη": ("τελος",), "开始": ("结束", "终止", "持续"),
    "起始": ("结束", "终止"), "起": ("止", "终"), "開始": ("終了", "結束"), "시작": ("종료", "끝"),
    "البداية": ("النهاية",),
}  # fmt: skip
"""Words in names of begins, with those of their ends; of letters of ASCII they are whole words."""
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


def may_hold_both(name: str) -> bool:
    """Return whether a column of this name may hold a begin and an end.

    >>> may_hold_both("trim"), may_hold_both("clip_start_end"), may_hold_both("scene")
    (True, True, False)
    """
    return bool(_BOTH.fullmatch(_compact(name)))


def times_in(name: str, inner: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the begins and ends in an object of a row, which is called so."""
    paired = {one for pair in opposites(frozenset(inner)) for one in pair} | LOOSE_NAMES
    is_span = name in PAIRS or span_of(name)
    return {key: one for key, one in inner.items() if is_time(key) or (is_span and key in paired)}


@lru_cache(maxsize=256)
def opposites(names: frozenset[str]) -> Sequence[tuple[str, str]]:
    """Return the columns of names that only differ in the words of a begin and of an end.

    >>> opposites(frozenset(["von", "clip", "bis"])), opposites(frozenset(["开始_s", "结束_s"]))
    ((('von', 'bis'),), (('开始_s', '结束_s'),))
    """
    plain = {_plain(name): name for name in names}
    pairs = itertools.chain.from_iterable(map(_ends_of, sorted(plain)))
    return tuple((plain[name], plain[last]) for name, last in pairs if last in plain)


def _ends_of(name: str) -> Iterator[tuple[str, str]]:
    """Yield a name with each that its end may have."""
    for word, lasts in _OPPOSITES.items():
        whole = r"(?<![^\W_]){}(?![^\W_])" if word.isascii() else "{}"
        if re.search(sought := whole.format(_plain(word)), name):
            yield from ((name, re.sub(sought, _plain(last), name)) for last in lasts)
