"""Curves of a training as SVG: a panel for each measure, a line for each run."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from studio.components.markup import empty, escaped

COLOURS = ("#3f6fa3", "#d08770", "#6f9d4f", "#8f5f8a", "#c79a2b", "#3d9aa8", "#bf616a", "#4c566a")

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 320, 150, 52, 8, 22
CUT = 0.02
"""Share of the largest values that are beyond the panel, as those of the first steps."""
MOST_POINTS = 300
MOST = 1e300
"""The largest value that is shown."""

FIRST = ("distance", "phrases", "time")
"""The yardstick, on held-out data, and its parts: shown before the losses."""
HIDDEN = ("step", "seconds", "skipped")

Rows = Sequence[Mapping[str, Any]]
"""Lines of metrics.jsonl."""

Points = list[tuple[float, float]]


def measures_of(rows: Rows) -> list[str]:
    """Return the names of what was measured, the yardstick first.

    >>> measures_of([{"step": 1, "match_x": 2.0}, {"step": 1, "distance": 0.5}])
    ['distance', 'match_x']
    """
    found = dict.fromkeys(name for row in rows for name in row)
    names = [name for name in found if name not in HIDDEN and not name.startswith("gradient_")]
    return sorted(names, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))


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


def curves(runs: Mapping[str, Rows]) -> str:
    """Return the panels of all measures of these runs, with a legend where there are several."""
    names = measures_of([row for rows in runs.values() for row in rows])
    if not names:
        return empty("Nothing is measured yet.")
    lines = ({run: points_of(rows, name) for run, rows in runs.items()} for name in names)
    panels = (
        _panel(name, points)
        for name, points in zip(names, lines, strict=True)
        if any(points.values())
    )
    keys = "".join(
        f'<li><i style="background:{COLOURS[number % len(COLOURS)]}"></i>{escaped(run)}</li>'
        for number, run in enumerate(runs)
    )
    legend = f'<ul class="legend">{keys}</ul>' if len(runs) > 1 else ""
    return f'{legend}<div class="curves">{"".join(panels)}</div>'


def _panel(name: str, lines: Mapping[str, Points]) -> str:
    every = np.array([point for points in lines.values() for point in points])  # [point 2]
    low, high = float(every[:, 1].min()), float(np.quantile(every[:, 1], 1 - CUT))
    last = max(float(every[:, 0].max()), 1.0)
    drawn = "".join(
        _line(points, COLOURS[number % len(COLOURS)], (low, high), last)
        for number, points in enumerate(lines.values())
        if points
    )
    last_values = (f"{run} {points[-1][1]:.4g}" for run, points in lines.items() if points)
    title, said = escaped(name.replace("_", " ")), escaped(", ".join(last_values))
    bottom = HEIGHT - BOTTOM
    return (
        f"<figure><figcaption>{title} <small>{said}</small></figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}: {said}">'
        f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{WIDTH}"/>'
        f'<text x="{LEFT - 5}" y="{TOP + 9}" text-anchor="end">{_short(high)}</text>'
        f'<text x="{LEFT - 5}" y="{bottom}" text-anchor="end">{_short(low)}</text>'
        f'<text x="{LEFT}" y="{HEIGHT - 7}">0</text>'
        f'<text x="{WIDTH}" y="{HEIGHT - 7}" text-anchor="end">step {last:,.0f}</text>'
        f"{drawn}</svg></figure>"
    )


def _short(value: float) -> str:
    """Return a number of a few characters.

    >>> _short(1423.5), _short(0.17634), _short(-16.34)
    ('1,424', '0.176', '-16.3')
    """
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.3g}"


def _line(points: Points, colour: str, between: tuple[float, float], last: float) -> str:
    low, high = between
    height = high - low or 1.0
    x = [LEFT + (WIDTH - LEFT - 4) * step / last for step, _ in points]
    share = [min(max((value - low) / height, 0), 1) for _, value in points]
    y = [HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP - 2) * one for one in share]
    path = "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))
    end = f'<circle cx="{x[-1]:.1f}" cy="{y[-1]:.1f}" r="3" fill="{colour}"/>'
    return f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>{end}'
