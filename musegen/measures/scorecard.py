"""The tables and the picture of an evaluation."""

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich import box
from rich.table import Table

from core.app.report import COLOURS, Report, format_number
from musegen.measures.evaluation import Row
from musegen.measures.metrics import MEANINGS
from musegen.measures.yardstick import YARDSTICK_METRICS

WIDTH = 120
"""Characters that the tables need."""

NAME_WIDTH = 20
TITLE_WIDTH = 48
"""Characters of a title that fit above one metric of the picture."""

PLOTTED = (*YARDSTICK_METRICS, "hits on 16ths")

COLUMNS = {
    "distance": "mean of the columns up to tonal distance; each of them is the mean over tracks "
    "of |generated - real| / real",
    **{name: MEANINGS[name] for name in YARDSTICK_METRICS},
    "self-similarity": "mean Jaccard similarity of two phrases, 0 to 1; low means diverse",
    "copied bars": "share of bars that are in the training songs note for note",
    "reconstruction": "F1 of the onsets of reconstructed held-out phrases, 0 to 1",
}
"""The columns of the first table, with their meanings for the legend."""

SOURCES = "EB, UPC, QN, PP, DP: Dong et al., MuseGAN, AAAI 2018. TD: Harte et al. 2006."


def tables(report: Report) -> Iterator[Table]:
    """Build the table of distances, then that of each metric by track."""
    yield distances(report)
    yield _metrics(report)


def distances(report: Report) -> Table:
    """Build the table of distances to real songs, a row for each set of phrases."""
    table = Table(
        title="distance to real songs (0 is the same)",
        caption=legend(COLUMNS),
        caption_justify="left",
        box=box.SIMPLE,
        padding=0,
        show_edge=False,
    )
    table.add_column("phrases of", width=NAME_WIDTH, overflow="fold")
    for name in COLUMNS:
        table.add_column(name, justify="right", width=max(map(len, name.split())))
    for row in report.rows[1:]:
        table.add_row(row.name, *_cells(row), style="bold" if row.kind == "generated" else "")
    return table


def _cells(row: Row) -> list[str]:
    shares = (row.self_similarity, row.copied_bars, row.reconstruction)
    return [
        f"{row.distance:.3f}",
        *(format_number(row.distances[name], ".2f") for name in YARDSTICK_METRICS),
        *(format_number(share, ".3f") for share in shares),
    ]


def legend(meanings: Mapping[str, str]) -> str:
    """List what each name means, and the sources of the short forms."""
    lines = [f"- {name}: {meaning}" for name, meaning in meanings.items()]
    return "\n".join([*lines, "", SOURCES])


def _metrics(report: Report) -> Table:
    """Build the table of metrics by track; in brackets the overlapping area with the reference."""
    reference, *shown = _compared(report)
    title = "metrics by track (in brackets: overlap with the distribution of real songs, 0 to 1)"
    caption = legend(MEANINGS)
    table = Table("track", title=title, caption=caption, caption_justify="left", box=box.SIMPLE)
    for row in (reference, *shown):
        table.add_column(row.name, justify="right")
    for metric, by_track in reference.metrics.items():
        table.add_row(metric, style="bold")
        for track, value in by_track.items():
            values = [_value(row, metric, track) for row in shown]
            table.add_row(f"  {track}", format_number(value), *values)
    return table


def _value(row: Row, metric: str, track: str) -> str:
    overlap = row.overlap.get(metric, {}).get(track)
    value = format_number(row.metrics[metric][track])
    return value if overlap is None else f"{value} ({overlap:.2f})"


def draw_report(report: Report, path: Path | str) -> None:
    """Draw the distance of each row, and below it the metrics by track."""
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
    """Return the rows of real songs and the first generated one, the reference first."""
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
    axes.set_title(
        "distance to real songs: mean over metrics and tracks of |generated - real| / real"
    )


def _draw_metric(axes: Axes, report: Report, metric: str) -> None:
    rows = _compared(report)
    tracks = list(report.rows[0].metrics[metric])
    centre = np.arange(len(tracks))
    width = 0.8 / len(rows)
    shades = np.linspace(1.0, 0.4, len(rows))
    for number, (row, shade) in enumerate(zip(rows, shades, strict=True)):
        values = [row.metrics[metric][track] for track in tracks]
        alpha = 1.0 if row.kind == "generated" else shade
        left = centre + width * (number - (len(rows) - 1) / 2)
        axes.bar(left, values, width, color=COLOURS[row.kind], alpha=alpha, label=row.name)
    axes.set_xticks(centre, tracks, rotation=30, ha="right", fontsize=8)
    meaning = textwrap.fill(MEANINGS[metric], TITLE_WIDTH)
    axes.set_title(f"{metric}\n{meaning}", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
