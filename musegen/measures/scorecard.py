"""An evaluation as tables to read and as a picture."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich import box
from rich.table import Table

from core.app.report import COLOURS, Report, format_number
from musegen.measures.evaluation import Row
from musegen.measures.metrics import METRICS, YARDSTICK

UNITS = {metric.name: metric.unit for metric in METRICS} | {"TD": "distance of two tracks"}
WIDTH = 120
"""Characters that the tables need."""

PLOTTED = ("EB", "UPC", "QN", "PP", "notes", "length", "TD", "DP")


def tables(report: Report) -> Iterator[Table]:
    """The yardstick of every row, then each metric of each track, made beside real."""
    yield distances(report)
    yield _metrics(report)


def distances(report: Report) -> Table:
    """The yardstick of every row."""
    table = Table(title="distance to real songs (0 is the same)", box=box.SIMPLE)
    table.add_column("phrases of", overflow="fold")
    for name in ("distance", *YARDSTICK, "self_similarity", "copied", "again"):
        table.add_column(name, justify="right")
    for row in report.rows[1:]:
        parts = [format_number(row.parts[name]) for name in YARDSTICK]
        style = "bold" if row.kind == "generated" else ""
        rest = [format_number(value) for value in (row.self_similarity, row.copied, row.again)]
        numbers = [f"{row.distance:.3f}", *parts, *rest]
        table.add_row(row.name, *numbers, style=style)
    return table


def _metrics(report: Report) -> Table:
    """Values of a metric, and in brackets the overlap of its distribution with the reference's."""
    reference, *shown = _compared(report)
    table = Table("track", title="metrics by track (overlap with real songs)", box=box.SIMPLE)
    for row in (reference, *shown):
        table.add_column(row.name, justify="right")
    for metric, of in reference.metrics.items():
        table.add_row(f"{metric}: {UNITS[metric]}", style="bold")
        for track in of:
            values = [_value(row, metric, track) for row in shown]
            table.add_row(f"  {track}", format_number(of[track]), *values)
    return table


def _value(row: Row, metric: str, track: str) -> str:
    overlap = row.overlap.get(metric, {}).get(track)
    value = format_number(row.metrics[metric][track])
    return value if overlap is None else f"{value} ({overlap:.2f})"


def draw_report(report: Report, path: Path | str) -> None:
    """Above, the distance of each row; below, metrics by track, made beside real."""
    figure = Figure(figsize=(15, 11), dpi=100, layout="constrained")
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=[1, 2])[:, 0]
    _draw_distances(above.subplots(), report)
    for axes, metric in zip(below.subplots(2, 4).flat, PLOTTED, strict=True):
        _draw_metric(axes, report, metric)
    names = [row.name for row in _compared(report)]
    below.legend(
        *below.axes[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=len(names),
        frameon=False,
    )
    figure.savefig(path)


def _compared(report: Report) -> list[Row]:
    """The reference and what was made first, with what is held out where there is any."""
    return [row for row in report.rows if row.kind == "real" or row is report.generated]


def _draw_distances(axes: Axes, report: Report) -> None:
    rows = report.rows[1:]
    bars = axes.barh(
        [row.name for row in rows],
        [row.distance for row in rows],
        color=[COLOURS[row.kind] for row in rows],
    )
    axes.bar_label(bars, fmt="%.3f", padding=3)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("distance to real songs: mean over metrics and tracks of |made - real| / real")


def _draw_metric(axes: Axes, report: Report, metric: str) -> None:
    rows = _compared(report)
    tracks = list(report.rows[0].metrics[metric])
    place = np.arange(len(tracks))
    width = 0.8 / len(rows)
    shades = np.linspace(1.0, 0.4, len(rows))
    for number, (row, shade) in enumerate(zip(rows, shades, strict=True)):
        values = [row.metrics[metric][track] for track in tracks]
        alpha = 1.0 if row.kind == "generated" else shade
        where = place + width * (number - (len(rows) - 1) / 2)
        axes.bar(where, values, width, color=COLOURS[row.kind], alpha=alpha, label=row.name)
    axes.set_xticks(place, tracks, rotation=30, ha="right", fontsize=8)
    axes.set_title(f"{metric}: {UNITS[metric]}", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
