"""Curves: the records of runs as one picture, a panel for each measure, a line for each run.

The lines of metrics.jsonl are the points, as they are on the studio's page and in TensorBoard.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle, product
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from core.files import write_figure

COLOURS = ("#3f6fa3", "#d08770", "#6f9d4f", "#8f5f8a", "#c79a2b", "#3d9aa8", "#bf616a", "#4c566a")
DASHES = ("-", "--", ":", "-.")
"""The lines of the first eight runs, of the next eight, and so on."""
COLUMNS = 4
CUT = 0.02
"""Share of the largest values that are beyond a panel, as those of the first steps."""
MOST_POINTS = 300
MOST = 1e300
"""The largest value that is shown."""

UNITS = (("hours", 3600), ("minutes", 60), ("seconds", 1))
"""Units of time, with their seconds."""

HIDDEN = ("step", "seconds", "skipped")

Rows = Sequence[Mapping[str, Any]]
"""Lines of metrics.jsonl."""

Points = list[tuple[float, float]]


def measures_of(rows: Rows) -> list[str]:
    """Return the names of what was measured: the distance, other facts of samples, then losses.

    Lines of losses, and they alone, have seconds.

    >>> losses = {"step": 1, "match_x": 2.0, "seconds": 3.0}
    >>> measures_of([losses, {"step": 1, "time": 0.1, "distance": 0.5}])
    ['distance', 'time', 'match_x']
    """
    found = {name: "seconds" in row for row in rows for name in row}
    names = [name for name in found if name not in HIDDEN and not name.startswith("gradient_")]
    return sorted(names, key=lambda name: (name != "distance", found[name]))


def points_of(rows: Rows, name: str) -> Points:
    """Return (step, value) of a measure, where it is finite, thinned out.

    >>> points_of([{"step": 1, "a": 2.0}, {"step": 2, "a": None}, {"step": 3, "b": 1.0}], "a")
    [(1, 2.0)]
    """
    found = [(row["step"], row[name]) for row in rows if is_finite(row.get(name))]
    each = -(-len(found) // MOST_POINTS) or 1
    return [*found[:-1:each], *found[-1:]]


def is_finite(value: Any) -> bool:
    """Return whether a value is a number that can be drawn."""
    return isinstance(value, int | float) and abs(value) < MOST


def range_of(values: Sequence[float]) -> tuple[float, float]:
    """Return the least value, and the largest that a panel shows.

    >>> range_of([1.0, 1000.0] + [2.0] * 98)
    (1.0, 2.0)
    """
    return float(min(values)), float(np.quantile(values, 1 - CUT))


def unit_of(seconds: float) -> tuple[str, int]:
    """Return the unit of an axis of time that goes so far, and its seconds.

    >>> unit_of(42), unit_of(400), unit_of(9000)
    (('seconds', 1), ('minutes', 60), ('hours', 3600))
    """
    fitting = [one for one in UNITS if seconds >= 1.5 * one[1]]
    return fitting[0] if fitting else UNITS[-1]


def timed(rows: Rows, points: Points) -> Points:
    """Return points over the seconds of training instead of steps.

    A line without seconds was written between those of its neighbours.

    >>> rows = [{"step": 10, "seconds": 60.0}, {"step": 20, "seconds": 180.0}]
    >>> timed(rows, [(10, 5.0), (15, 4.0)])
    [(60.0, 5.0), (120.0, 4.0)]
    """
    known = [(row["step"], row["seconds"]) for row in rows if is_finite(row.get("seconds"))]
    if not known:
        return []
    steps, seconds = zip(*known, strict=True)
    at = np.interp([step for step, _ in points], steps, seconds)
    return [(float(second), value) for second, (_, value) in zip(at, points, strict=True)]


def draw_curves(runs: Mapping[str, Rows], path: Path) -> None:
    """Draw what runs measured over their time of training as a .png.

    Where their records hold nothing, nothing is drawn.
    """
    if figure := figure_of(runs):
        write_figure(figure, path)


def figure_of(runs: Mapping[str, Rows]) -> Figure | None:
    """Return the panels of runs and, below, a legend; None where nothing was measured."""
    names = measures_of([row for rows in runs.values() for row in rows])
    panels = {name: lines for name in names if (lines := dict(_lines(runs, name)))}
    if not panels:
        return None
    ends = [points[-1][0] for lines in panels.values() for points in lines.values()]
    unit = unit_of(max(ends))
    styles = dict(zip(runs, cycle(product(DASHES, COLOURS)), strict=False))
    rows = -(-len(panels) // COLUMNS)
    height = 2.4 * rows + 0.18 * len(runs)  # inches
    figure = Figure(figsize=(4 * COLUMNS, height), dpi=90, layout="constrained")
    for number, (name, lines) in enumerate(panels.items(), 1):
        _draw(figure.add_subplot(rows, COLUMNS, number), name, lines, styles, unit)
    keys = [Line2D([], [], linestyle=dash, color=colour) for dash, colour in styles.values()]
    figure.legend(keys, list(runs), loc="outside lower left", fontsize=8, frameon=False)
    return figure


def _lines(runs: Mapping[str, Rows], name: str) -> Iterator[tuple[str, Points]]:
    for run, rows in runs.items():
        if points := timed(rows, points_of(rows, name)):
            yield run, points


def _draw(
    axes: Axes,
    name: str,
    lines: Mapping[str, Points],
    styles: Mapping[str, tuple[str, str]],
    unit: tuple[str, int],
) -> None:
    for run, points in lines.items():
        dash, colour = styles[run]
        times, values = np.transpose(points) / [[unit[1]], [1]]  # [point] each
        axes.plot(times, values, linestyle=dash, color=colour, linewidth=1.2)
        axes.plot(times[-1], values[-1], marker="o", color=colour, markersize=3)
    low, high = range_of([value for points in lines.values() for _, value in points])
    margin = 0.05 * (high - low) or 0.5
    axes.set_ylim(low - margin, high + margin)
    axes.set_title(name.replace("_", " "), fontsize=9, loc="left")
    axes.set_xlabel(unit[0], fontsize=8)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
