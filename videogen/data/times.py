"""Times of excerpts: the part of a film that the caption in a row describes.

    start, end          seconds, or times of a clock; also start and duration
    start, end, fps     the same, or time codes as of a cutting room, 00:01:12:05
    start_ms, end_ms    milliseconds, and likewise minutes, hours, micro- and nanoseconds
    start_frame, ...    frames of the film, of which the first is 0; seconds, if there is an fps
    timestamps          pairs of a begin and an end
    start               a begin alone: from there to the end of the film

Names may have other words in them, such as clipStartTime and segment_end_sec. Columns that seem to
be times in no known unit raise `Faulty`: the whole film would be another part than is meant.
"""

import math
from collections.abc import Mapping, Sequence

from core.data.sources import RejectedFile
from videogen.data.cells import Faulty, Fields, listed
from videogen.data.time_columns import (
    COUNTS,
    LOOSE_NAMES,
    PAIRS,
    RATES,
    SECONDS,
    Column,
    columns_of,
    may_hold_both,
    opposites,
    span_of,
)
from videogen.data.time_values import (
    is_clock,
    is_empty,
    is_span_of_clocks,
    is_timed,
    number_of,
    of_timecode,
    split,
    time_of,
)
from videogen.files.clock import Excerpt, InFrames

FASTEST = 1e4
"""Frames a second that no film has."""
LATEST = 1e6
"""Largest number of seconds that is a time of a film, and no date."""
BEYOND = 1.4
"""Multiple of a film's length that no time within it reaches."""
SAME = 0.1
"""Seconds by which two columns of one time may differ."""
CURE = "name them start and end, in seconds"


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
        match = span_of(name)
        if not match and name not in PAIRS:
            continue
        whole = split(listed(value), name)
        pairs = whole if isinstance(whole, list) else []
        pairs = [pairs] if len(pairs) == 2 and not isinstance(pairs[0], list) else pairs
        if not pairs or not all(isinstance(one, list) and len(one) == 2 for one in pairs):
            continue
        if not match:
            raise Faulty(f"it is not known what its column {name} counts: {CURE}")
        in_frames = bool(match["frame1"] or match["frame2"])
        found = [(time_of(a, name, in_frames), time_of(b, name, in_frames)) for a, b in pairs]
        return found, in_frames
    return [], False


def _require_two(fields: Fields) -> None:
    """Raise `Faulty` for a single time in a column that may be of both, or both in another one.

    Raises `RejectedFile` for numbers between colons that are no time, such as 2.0:3.5.
    """
    for name, value in fields.items():
        time = time_of(value, name, is_loose=True) if span_of(name) else None
        if time and "time" in name and time < LATEST:
            raise Faulty(f"its column {name} has one time ({value!a:.20}) of two: {CURE}")
        is_pair = may_hold_both(name) and isinstance(split(value, name), list)
        if is_pair or is_span_of_clocks(value):
            raise Faulty(
                f"it is not known what {value!a:.40} in its column {name} is: write a begin and "
                f"an end in two columns, and {CURE}"
            )


def _require_within(fields: Fields, pairs: Pairs, in_frames: bool) -> None:
    """Raise `Faulty` for times far beyond the end of the film, if the row says how long it is."""
    frames = next((number for name in COUNTS if (number := number_of(fields.get(name)))), 0.0)
    seconds = number_of(fields.get("duration")) or (
        frames / rate if (rate := _rate(fields)) else 0
    )
    last = max((end for _, end in pairs if end is not None), default=0.0)
    if not in_frames and 0 < BEYOND * seconds < last:
        raise Faulty(
            f"it names a part that ends at {last:g} s in a film of {seconds:g} s: its times count "
            f"something else; {CURE}"
        )


def _rate(fields: Fields) -> float:
    """Return the frames a second that a row states; 0 for none."""
    rates = (number_of(fields.get(name)) for name in RATES)
    return next((rate for rate in rates if rate and 0 < rate < FASTEST), 0.0)


def _of_columns(fields: Fields) -> tuple[Pairs, bool]:
    """Return the begins and ends of two columns, and whether they count frames."""
    columns = columns_of(frozenset(fields))
    _require_known(fields, columns)
    filled = {
        role: [c for c in of if not is_empty(fields[c.name])] for role, of in columns.items()
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


def _require_known(fields: Fields, columns: Mapping[str, Sequence[Column]]) -> None:
    """Raise `Faulty` for columns of numbers that seem to be times in no known unit."""
    unknown = [
        column.name
        for role in ("begin", "end")
        for column in columns[role]
        if column.unit == "unknown" and not any(c.unit != "unknown" for c in columns[role])
    ]
    has_end = bool(columns["end"] or columns["length"])
    if not unknown and not (columns["begin"] and has_end):
        known = {column.name for role in ("end", "length") for column in columns[role]}
        pairs = opposites(frozenset(fields))
        unknown = [name for pair in pairs if pair[0] not in known for name in pair]
        clocks = [name for name in fields if name not in known and is_clock(fields[name])]
        unknown = unknown or clocks * (len(clocks) > 1)
    named = [name for name in unknown if is_timed(fields[name])]
    if named:
        raise Faulty(
            f"it is not known what its columns {' and '.join(named)} count: {CURE}, or leave them "
            "out"
        )


def _require_one(fields: Fields, columns: Sequence[Column]) -> None:
    """Raise `Faulty` where columns name different times of one thing, as of film and of clip."""
    rate = _rate(fields)
    times = {
        column.name: _times(fields, column, rate) for column in columns if column.unit in SECONDS
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
    plain, is_loose = column.unit != "s", column.name in LOOSE_NAMES
    times = [
        seconds
        if not plain and (seconds := of_timecode(one, rate)) is not None
        else time_of(one, column.name, plain, is_loose)
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
