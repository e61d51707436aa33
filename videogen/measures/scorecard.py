"""An evaluation as tables to read and as a picture."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import NullFormatter
from rich import box
from rich.table import Table

from core.app.report import COLOURS, format_number
from videogen.files.clip import Frames
from videogen.measures.evaluation import Evaluation, Row
from videogen.shapes.judge import ATTRIBUTES

WIDTH = 140
"""Characters that the tables need."""

SHOWN_FRAMES = 8


def tables(report: Evaluation) -> Iterator[Table]:
    """A table of each group's rows."""
    shown = [*ATTRIBUTES, "all"] if report.generated.shown else []
    for group in dict.fromkeys(row.group for row in report.rows):
        table = Table(title=group, title_justify="left", box=box.SIMPLE)
        table.add_column("clips of", min_width=20, overflow="fold")
        for name in (*shown, "right", "first of", "FD clips", "FD frames", "diversity", "again"):
            table.add_column(name, justify="right", no_wrap=True)
        for row in (row for row in report.rows if row.group == group):
            style = "bold" if row.kind == "generated" else ""
            table.add_row(row.name, *_cells(row, shown), style=style)
        yield table


def _cells(row: Row, shown: list[str]) -> list[str]:
    return [
        *[_percent(row.shown[name]) for name in shown],
        _percent(row.right),
        f"{_percent(row.first)} of {row.captions}",
        format_number(row.clip_distance),
        format_number(row.frame_distance),
        format_number(row.diversity, ".3f"),
        format_number(row.again, ".2f"),
    ]


def _percent(share: float) -> str:
    return format_number(100 * share, ".1f")


def draw_report(report: Evaluation, path: Path | str) -> None:
    """Above, what is told of each row; below, a real and a made clip of the same captions."""
    figure = Figure(figsize=(16, 13), dpi=100, layout="constrained")
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=[1, 1.3])[:, 0]
    shares, distances = above.subplots(1, 2, width_ratios=[3, 1])
    _draw_shares(shares, report)
    _draw_distances(distances, report)
    rows = below.subplots(len(report.captions), 2, squeeze=False)
    for number, (caption, pair) in enumerate(zip(report.captions, rows, strict=True)):
        _draw_strip(pair[0], f"real: {caption}", report.real_frames[number])
        _draw_strip(pair[1], "made", report.made_frames[number])
    figure.savefig(path)


def _shares(row: Row) -> dict[str, float]:
    return {**row.shown, "right caption": row.right, "first choice": row.first}


def _draw_shares(axes: Axes, report: Evaluation) -> None:
    names = list(_shares(report.generated))
    place, width = np.arange(len(names)), 0.8 / len(report.rows)
    for number, row in enumerate(report.rows):
        where = place + width * (number - (len(report.rows) - 1) / 2)
        values = [100 * share for share in _shares(row).values()]
        axes.bar(where, values, width, color=COLOURS[row.kind], edgecolor="white", linewidth=0.5)
    axes.set_xticks(place, names)
    axes.set_ylim(0, 110)
    axes.spines[["top", "right"]].set_visible(False)
    handles = [Patch(color=colour, label=kind) for kind, colour in COLOURS.items()]
    axes.legend(handles=handles, loc="upper center", ncols=3, frameon=False)
    axes.set_title("% as the caption says; bars in the order of the right picture")


def _draw_distances(axes: Axes, report: Evaluation) -> None:
    labels = [f"{row.name} ({row.group})" for row in report.rows]
    values = [row.clip_distance for row in report.rows]
    bars = axes.barh(range(len(labels)), values, color=[COLOURS[r.kind] for r in report.rows])
    axes.bar_label(bars, fmt="%.3g", padding=3)
    axes.set_yticks(range(len(labels)), labels, fontsize=7)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("Frechet distance to real clips")


def _draw_strip(axes: Axes, title: str, frames: Frames) -> None:
    chosen = np.linspace(0, len(frames) - 1, SHOWN_FRAMES).round().astype(int)
    axes.imshow(np.concatenate(list(frames[chosen]), 1), interpolation="nearest")
    axes.set_title(title, fontsize=9, loc="left", parse_math=False)
    axes.set_axis_off()
