"""Curves of a training as SVG: a panel for each measure, a line for each run."""

from collections.abc import Mapping

from core.exchange.curves import COLOURS, Points, Rows, measures_of, points_of, range_of
from studio.components.markup import empty, escaped

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 320, 150, 52, 8, 22


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
    every = [point for points in lines.values() for point in points]
    low, high = range_of([value for _, value in every])
    last = max(*(step for step, _ in every), 1.0)
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
