"""The tables and the picture of an evaluation."""

from collections.abc import Iterator
from dataclasses import asdict
from math import isnan, nan
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import NullFormatter
from rich import box
from rich.table import Table

from core.app.report import COLOURS, format_number, format_percent, list_meanings
from core.files import write_figure
from videogen.files.clip import Frames
from videogen.measures.evaluation import EXCHANGED, Evaluation, Row
from videogen.shapes.judge import ATTRIBUTES

WIDTH = 140
"""Characters that the tables need."""

FRAMES = 8
"""Frames of a clip in the picture."""

ATTRIBUTE_COLUMNS: dict[str, str] = {**{name: name for name in ATTRIBUTES}, "all": "all five"}

DETAILS = {
    "cut": "% of shapes that lose more than a tenth of their area in some frame, as at the edge "
    "of the picture",
    "flicker": "largest change of colour within a clip, % of the range; median over shapes",
    "wobble": "largest distance from the path, % of the picture's width; median over shapes",
    "travel": "% of the way from the first frame to the last (100 is right); median over shapes",
    "beginning": "% of clips that show the first half of their caption (who), to three "
    "classifiers, of other seeds, of the earlier real clips of each video; real clips: the later "
    "ones",
    "ending": "the same of the second half (what)",
    "both": "% of clips that show both halves",
    "sharpness": "energy of differences between neighbouring pixels, % of that of the real clips",
    "motion": "energy of differences between frames, % of that of the real clips",
}
"""The columns of the second table, with their meanings: shapes have other ones than files."""

FINE = ("wobble",)
"""Those of the details that are less than one percent, and have two decimals."""

LEGEND = {
    "right caption": "% of comparisons in which a clip is more similar to its own caption than to "
    "another one, to a classifier of real clips (chance: 50)",
    "top-1 caption": "% of clips whose own caption is the most similar of all N different ones "
    "(chance: 100 / N)",
    "Frechet distance, clips": "squared Frechet distance to other real clips, in features of "
    "the classifier; lower is better, real clips, halved, show how low it can be",
    "Frechet distance, frames": "the same in features of two frames, without the motion",
    "diversity": "mean difference between two clips of one caption, 0 to 1; as high as that of "
    "real clips is best",
    "reconstruction": "share of the variance of real clips that reconstructions explain (1 is "
    "perfect, below 0 is worse than the mean clip)",
}
"""The columns after those of the attributes, with their meanings."""

ATTRIBUTES_LEGEND = (
    "- kind, size, colour, path, direction: % of shapes that the pixels show as the caption says"
    "\n- all five: % of shapes of which all five are right"
)

ROWS_LEGEND = (
    f"- {EXCHANGED}: the clips of the first row, each with the caption of another: chance"
)


def tables(report: Evaluation) -> Iterator[Table]:
    """Build a table for each group; the legend stands under the last one."""
    attributes = ATTRIBUTE_COLUMNS if report.generated.attributes else {}
    groups = list(dict.fromkeys(row.group for row in report.rows))
    for group in groups:
        caption = legend(report) if group == groups[-1] else None
        table = Table(
            title=group,
            title_justify="left",
            caption=caption,
            caption_justify="left",
            box=box.SIMPLE,
            padding=0,
        )
        table.add_column("clips of", width=20, overflow="fold")
        for name in (*attributes.values(), *LEGEND):
            table.add_column(name, justify="right", width=_width(name))
        for row in (row for row in report.rows if row.group == group):
            style = "bold" if row.kind == "generated" else ""
            table.add_row(row.name, *_cells(row, list(attributes)), style=style)
        yield table
    yield _table_of_details(report)


def _table_of_details(report: Evaluation) -> Table:
    """Build the table of what the eye sees, of each row but that of exchanged captions."""
    rows = [(row, _details(row)) for row in report.rows]
    columns = [name for name in DETAILS if name in _details(report.generated)]
    table = Table(
        title="in detail",
        title_justify="left",
        caption=list_meanings({name: DETAILS[name] for name in columns}),
        caption_justify="left",
        box=box.SIMPLE,
        padding=0,
    )
    table.add_column("clips of", width=52, overflow="fold")
    for name in columns:
        table.add_column(name, justify="right", width=max(len("100.0"), len(name)) + 2)
    for row, shares in rows:
        if not isnan(row.sharpness):
            style = "bold" if row.kind == "generated" else ""
            cells = [_percent(name, shares.get(name, nan)) for name in columns]
            table.add_row(f"{row.name}, {row.group}", *cells, style=style)
    return table


def _percent(column: str, share: float) -> str:
    return format_number(100 * share, ".2f") if column in FINE else format_percent(share)


def _details(row: Row) -> dict[str, float]:
    seen = asdict(row.seen) if row.seen else {}
    return {**row.steadiness, **seen, "sharpness": row.sharpness, "motion": row.motion}


def _width(name: str) -> int:
    """Return the width of a column, whose header is wrapped at spaces."""
    cell = "100.0 of 1000" if name == "top-1 caption" else "100.0"
    return max(len(cell), *map(len, name.split()))


def legend(report: Evaluation) -> str:
    """List the meanings of the columns, and of the rows of chance where there are any."""
    attributes = [ATTRIBUTES_LEGEND] if report.generated.attributes else []
    chance = [ROWS_LEGEND] if any(row.name == EXCHANGED for row in report.rows) else []
    return "\n".join([*attributes, list_meanings(LEGEND), *chance])


def _cells(row: Row, attributes: list[str]) -> list[str]:
    return [
        *[format_percent(row.attributes[name]) for name in attributes],
        format_percent(row.caption_accuracy),
        "-" if isnan(row.top1_accuracy) else f"{100 * row.top1_accuracy:.1f} of {row.captions}",
        format_number(row.frechet_clips),
        format_number(row.frechet_frames),
        format_number(row.diversity, ".3f"),
        format_number(row.reconstruction, ".2f"),
    ]


def draw_report(report: Evaluation, path: Path | str) -> None:
    """Draw the measurements of each row, and below a real and a generated clip of each caption."""
    figure = Figure(figsize=(16, 13), dpi=100, layout="constrained")
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=[1, 1.3])[:, 0]
    shares, distances = above.subplots(1, 2, width_ratios=[3, 1])
    _draw_shares(shares, report)
    _draw_distances(distances, report)
    rows = below.subplots(len(report.captions), 2, squeeze=False)
    for number, (caption, pair) in enumerate(zip(report.captions, rows, strict=True)):
        _draw_filmstrip(pair[0], f"real: {caption}", report.real_frames[number])
        _draw_filmstrip(pair[1], "generated", report.generated_frames[number])
    write_figure(figure, path)


def _shares(row: Row) -> dict[str, float]:
    attributes = {ATTRIBUTE_COLUMNS[name]: share for name, share in row.attributes.items()}
    return {
        **attributes,
        "right caption": row.caption_accuracy,
        "top-1 caption": row.top1_accuracy,
    }


def _draw_shares(axes: Axes, report: Evaluation) -> None:
    names = list(_shares(report.generated))
    positions, width = np.arange(len(names)), 0.8 / len(report.rows)
    for number, row in enumerate(report.rows):
        x = positions + width * (number - (len(report.rows) - 1) / 2)
        values = [100 * share for share in _shares(row).values()]
        axes.bar(x, values, width, color=COLOURS[row.kind], edgecolor="white", linewidth=0.5)
    axes.set_xticks(positions, names)
    axes.set_ylim(0, 110)
    axes.spines[["top", "right"]].set_visible(False)
    handles = [Patch(color=colour, label=kind) for kind, colour in COLOURS.items()]
    axes.legend(handles=handles, loc="upper center", ncols=3, frameon=False)
    axes.set_title("% as the caption says; bars in the order of the right picture")


def _draw_distances(axes: Axes, report: Evaluation) -> None:
    labels = [f"{row.name} ({row.group})" for row in report.rows]
    values = [row.frechet_clips for row in report.rows]
    bars = axes.barh(range(len(labels)), values, color=[COLOURS[r.kind] for r in report.rows])
    axes.bar_label(bars, fmt="%.3g", padding=3)
    axes.set_yticks(range(len(labels)), labels, fontsize=7)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("squared Frechet distance to real clips")


def _draw_filmstrip(axes: Axes, title: str, frames: Frames) -> None:
    times = np.linspace(0, len(frames) - 1, FRAMES).round().astype(int)
    axes.imshow(np.concatenate(list(frames[times]), 1), interpolation="nearest")
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_axis_off()
