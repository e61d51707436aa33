"""The tables and the picture of an evaluation."""

import re
import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import product, zip_longest
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich import box
from rich.table import Table

from core.app.report import COLOURS, Report, format_number, list_meanings
from core.files import write_figure
from core.wording import counted
from musegen.measures.evaluation import Row
from musegen.measures.excerpts import PARTS
from musegen.measures.form import LAGS
from musegen.measures.likeness import MEASURES, REGISTER, TIME, WEIGHTS
from musegen.measures.metrics import MEANINGS
from musegen.measures.yardstick import YARDSTICK_METRICS

WIDTH = 120
"""Characters that the tables need."""

NAME_WIDTH = 20
TITLE_WIDTH = 48
"""Characters of a title that fit above one metric of the picture."""

ACROSS = 4
"""Panels in a line of the picture."""

TOTALS_HEIGHT, PANEL_HEIGHT = 4.5, 3.1
"""Inches of the totals, and of each line of panels below them."""

PLOTTED = (*YARDSTICK_METRICS, "hits on 16ths")

COLUMNS = {
    "distance": "mean of the columns up to tonal distance; each of them is the mean over tracks "
    "of |generated - real| / real, of shares relative to 5 % at least",
    **{name: MEANINGS[name] for name in YARDSTICK_METRICS},
    "self-similarity": "mean Jaccard similarity of two phrases, 0 to 1; low means diverse",
    "reconstruction": "F1 of the onsets of reconstructed held-out phrases, 0 to 1",
}
"""The columns of the table of phrases, with their meanings for the legend."""

TOTALS = {
    "total": "mean of the columns up to copies, weighted "
    + ", ".join(f"{name} {weight:g}" for name, weight in WEIGHTS.items()),
    "phrases": "distance of the next table",
    "form": "repetition, rhythm, similarity of bars, groove, growth",
    "harmony": "key, chord tones over the bass, the bass in the chord",
    "register": "how high each track plays, in octaves from real songs",
    "beat": "drum kit, backbeat, bass on the downbeat",
    "dynamics": "velocities; - where the collection has none",
    "classifier": "2 (accuracy - 0.5)",
    "copies": "share of copied bars and parts beyond that of held-out songs",
    "TIME": "structure in time: mean error of " + ", ".join(TIME),
    "accuracy": "share of excerpts that a classifier tells from real ones; 0.5 is ideal",
    "copied bars": "share of bars that are in the training songs note for note",
    "copied parts": "share of tracks of an excerpt that are in the training songs note for note",
}
"""The columns of the table of totals, with their meanings for the legend."""

PLOTTED_MEASURES = (
    *(f"{kind}, {part}" for kind in ("repetition", "rhythm") for part in PARTS),
    "similar bars",
    "groove",
    "in key",
    "chord tones",
    "backbeat",
    "kinds of drums",
)

SOURCES = {
    "Dong et al., MuseGAN, AAAI 2018": ("EB", "UPC", "QN", "PP", "DP"),
    "Harte et al. 2006": ("TD",),
}
"""The papers of the short forms of metrics that a legend may have."""


def tables(report: Report) -> Iterator[Table]:
    """Build the tables of totals, distances, measures of songs, and metrics by track."""
    yield totals(report)
    yield distances(report)
    yield measures(report)
    yield _metrics(report)


def totals(report: Report) -> Table:
    """Build the table of each group's error, a row for each set of songs."""
    title = f"likeness to real {_lengths(report)} (0 is the same)"
    cells = [[_label(row, report), *_totals(row)] for row in report.rows[1:]]
    return _of_sets("songs of", title, TOTALS, report, cells)


def _label(row: Row, report: Report) -> str:
    """Return a row's name, with the length of its excerpts where its songs are shorter."""
    is_whole = row.bars == report.rows[0].bars
    return row.name if is_whole else f"{row.name} ({counted(row.bars, 'bar')})"


def _of_sets(
    sets: str,
    title: str,
    meanings: Mapping[str, str],
    report: Report,
    cells: Sequence[Sequence[str]],
) -> Table:
    """Build a table with a row for each set of songs but the first; generated ones are bold."""
    table = _table(title, meanings)
    table.add_column(sets, width=NAME_WIDTH, overflow="fold")
    for name in meanings:
        table.add_column(name, justify="right", width=max(map(len, name.split())))
    for row, texts in zip(report.rows[1:], cells, strict=True):
        table.add_row(*texts, style="bold" if row.kind == "generated" else "")
    return table


def _table(title: str, meanings: Mapping[str, str]) -> Table:
    return Table(
        title=title,
        caption=legend(meanings),
        caption_justify="left",
        box=box.SIMPLE,
        padding=0,
        show_edge=False,
    )


def _totals(row: Row) -> list[str]:
    groups = (row.groups.get(name, float("nan")) for name in WEIGHTS)
    shares = (row.accuracy, row.copied_bars, row.copied_parts)
    return [
        format_number(row.total, ".3f"),
        *(format_number(error, ".2f") for error in groups),
        *(format_number(value, ".2f") for value in (row.time, *shares)),
    ]


def measures(report: Report) -> Table:
    """Build the table of measures of songs, for the longer excerpts and for the shorter."""
    rows = _compared(report)
    lengths = list(rows[0].values)
    title = f"what is heard in excerpts of {' and of '.join(lengths)} bars{_alone(report)}"
    known = {  # the others would be rows of dashes
        (name, size): [_values(row, size, name) for row in rows]
        for name, size in product(rows[0].errors, lengths)
        if any(_is_known(_found(row, size, name)) for row in rows)
    }
    table = _table(title, _meanings({name for name, _ in known}))
    table.add_column("measure")
    for row in rows:
        table.add_column(row.name, justify="right", overflow="fold")
    for (name, size), values in known.items():
        table.add_row(name if size == lengths[0] else f"  {size} bars", *values)
    return table


def _alone(report: Report) -> str:
    """Return which of several generated rows is in a table that has columns for one alone."""
    several = sum(row.kind == "generated" for row in report.rows) > 1
    return f"; of what is generated, {report.generated.name} alone" if several else ""


def _meanings(names: Collection[str]) -> dict[str, str]:
    """Return the meanings of measures, of which that of the register has a name for each track."""
    return {
        measure: meaning
        for measure, meaning in MEASURED.items()
        if measure in names or any(name.startswith(f"{measure}, ") for name in names)
    }


def _found(row: Row, length: str, name: str) -> Sequence[float]:
    return row.values.get(length, {}).get(name, [])


MEASURED = {measure.name: measure.meaning for measure in MEASURES} | {"register": REGISTER}


def _values(row: Row, length: str, name: str) -> str:
    return " ".join(_short(value) for value in _found(row, length, name)) or "-"


def _short(value: float) -> str:
    """Format a share without its zero, and a larger number with three digits."""
    text = format_number(value, ".2f" if abs(value) < 1 else ".3g")
    return text.replace("0.", ".", 1) if abs(value) < 1 else text


def distances(report: Report) -> Table:
    """Build the table of distances to real songs, a row for each set of phrases."""
    title = "distance of phrases to real ones (0 is the same)"
    cells = [[row.name, *_cells(row)] for row in report.rows[1:]]
    return _of_sets("phrases of", title, COLUMNS, report, cells)


def _cells(row: Row) -> list[str]:
    shares = (row.self_similarity, row.reconstruction)
    return [
        f"{row.distance:.3f}",
        *(format_number(row.distances[name], ".2f") for name in YARDSTICK_METRICS),
        *(format_number(share, ".3f") for share in shares),
    ]


def legend(meanings: Mapping[str, str]) -> str:
    """List what each name means, and the sources of the short forms that are among them."""
    text = list_meanings(meanings)
    words = set(re.findall(r"\w+", text))
    used = {paper: [name for name in names if name in words] for paper, names in SOURCES.items()}
    sources = " ".join(f"{', '.join(names)}: {paper}." for paper, names in used.items() if names)
    return f"{text}\n\n{sources}" if sources else text


def _metrics(report: Report) -> Table:
    """Build the table of metrics by track; in brackets the overlapping area with the reference."""
    reference, *shown = _compared(report)
    title = "metrics by track (in brackets: overlap with the distribution of real songs, 0 to 1)"
    known = {
        metric: tracks
        for metric in reference.metrics
        if (tracks := _known_tracks((reference, *shown), metric))
    }
    caption = legend({metric: MEANINGS[metric] for metric in known})
    table = Table(
        "track",
        title=f"{title}{_alone(report)}",
        caption=caption,
        caption_justify="left",
        box=box.SIMPLE,
    )
    for row in (reference, *shown):
        table.add_column(row.name, justify="right")
    for metric, tracks in known.items():
        table.add_row(metric, style="bold")
        for track in tracks:
            values = [_value(row, metric, track) for row in shown]
            number = format_number(reference.metrics[metric][track])
            table.add_row(f"  {track}", number, *values)
    return table


def _known_tracks(rows: Sequence[Row], metric: str) -> list[str]:
    """Return the tracks of a metric but those, such as drums, that no song has."""
    return [
        track
        for track in rows[0].metrics[metric]
        if _is_known([row.metrics[metric][track] for row in rows])
    ]


def _value(row: Row, metric: str, track: str) -> str:
    overlap = row.overlap.get(metric, {}).get(track)
    value = format_number(row.metrics[metric][track])
    return value if overlap is None else f"{value} ({overlap:.2f})"


def draw_report(report: Report, path: Path | str) -> None:
    """Draw the total of each row, below it the measures of songs, and the metrics by track."""
    rows = _compared(report)
    known = [n for n in PLOTTED_MEASURES if any(_is_known(v) for _, v in _of_measure(rows, n))]
    measured = [n for n in PLOTTED if any(_is_known([*row.metrics[n].values()]) for row in rows)]
    lines = [max(1, -(-len(names) // ACROSS)) for names in (known, measured)]
    heights = [TOTALS_HEIGHT, *(PANEL_HEIGHT * count for count in lines)]
    figure = Figure(figsize=(16, sum(heights)), dpi=90, layout="constrained")
    parts = figure.subfigures(3, 1, squeeze=False, height_ratios=heights)[:, 0]
    _draw_totals(parts[0].subplots(), report)
    parts[1].suptitle(_lengths(report), fontsize=11)
    _draw_each(parts[1].subplots(lines[0], ACROSS, squeeze=False), known, report, _draw_measure)
    _draw_each(parts[2].subplots(lines[1], ACROSS, squeeze=False), measured, report, _draw_metric)
    names = [row.name for row in _compared(report)]
    parts[2].legend(
        *parts[2].axes[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=len(names),
        frameon=False,
    )
    write_figure(figure, path)


def _draw_each(
    places: np.ndarray, names: Sequence[str], report: Report, draw: Callable[..., None]
) -> None:
    """Draw what has values, such as that of drums where there are any; other places stay empty."""
    for axes, name in zip_longest(places.flat, names):
        if name:
            draw(axes, report, name)
        else:
            axes.set_axis_off()


def _is_known(values: Sequence[float]) -> bool:
    return bool(np.isfinite(values).any())


def _of_measure(rows: Sequence[Row], name: str) -> list[tuple[Row, Sequence[float]]]:
    """Return the rows with excerpts as long as the reference's, and their values of a measure."""
    longest = str(rows[0].bars)
    return [(row, row.values[longest][name]) for row in rows if longest in row.values]


def _lengths(report: Report) -> str:
    return f"songs in excerpts of {counted(report.rows[0].bars, 'bar')}"


def _compared(report: Report) -> list[Row]:
    """Return the rows of real songs and the first generated one, the reference first."""
    return [row for row in report.rows if row.kind == "real" or row is report.generated]


GROUP_COLOURS = (
    "#3f6fa3",
    "#bf616a",
    "#d08770",
    "#ebcb8b",
    "#a3be8c",
    "#88c0d0",
    "#7b6d8d",
    "#4c566a",
)


def _draw_totals(axes: Axes, report: Report) -> None:
    """Draw each total as a bar of its groups' shares; the reference itself is left out."""
    rows = [row for row in report.rows[1:] if row.groups]
    left = np.zeros(len(rows))
    for (group, weight), colour in zip(WEIGHTS.items(), GROUP_COLOURS, strict=True):
        errors = np.array([row.groups[group] for row in rows])
        whole = [_known_weight(row) for row in rows]
        width = np.nan_to_num(errors) * weight / whole
        axes.barh(
            [_label(row, report) for row in rows], width, left=left, color=colour, label=group
        )
        left += width
    for number, row in enumerate(rows):
        axes.text(left[number], number, f"  {row.total:.3f}", va="center", fontsize=9)
    axes.set_xlim(right=1.08 * left.max())  # a bar of no width at the end leaves no margin
    axes.invert_yaxis()
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.08), "ncols": len(WEIGHTS)}
    axes.legend(fontsize=8, frameon=False, **below)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("likeness to real songs: the total, by the share of each group (0 is the same)")


def _known_weight(row: Row) -> float:
    return sum(weight for name, weight in WEIGHTS.items() if not np.isnan(row.groups[name]))


def _draw_measure(axes: Axes, report: Report, name: str) -> None:
    """Draw the values of one measure."""
    rows, values = zip(*_of_measure(_compared(report), name), strict=True)
    labels = PLACES.get(name, LAG_NAMES if len(values[0]) == len(LAGS) else [""])
    known = [n for n in range(len(values[0])) if _is_known([value[n] for value in values])]
    shades = np.linspace(1.0, 0.4, len(rows))
    for number, (row, value, shade) in enumerate(zip(rows, values, shades, strict=True)):
        alpha = 1.0 if row.kind == "generated" else shade
        style = {"color": COLOURS[row.kind], "alpha": alpha, "label": row.name}
        width = 0.8 / len(rows)
        centre = np.arange(len(known)) + width * (number - (len(rows) - 1) / 2)
        axes.bar(centre, np.nan_to_num([value[n] for n in known]), width, **style)
    axes.set_xticks(range(len(known)), [labels[n] for n in known], fontsize=8)
    axes.set_ylim(bottom=0)
    meaning = textwrap.fill(MEASURED[name], TITLE_WIDTH)
    axes.set_title(f"{name}\n{meaning}", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


LAG_NAMES = [counted(lag, "bar") for lag in LAGS]
PLACES = {"groove": ["drums", "all tracks"], "in key": ["whole excerpt", "four bars"]}
"""Names of the values of measures that have several."""


def _draw_metric(axes: Axes, report: Report, metric: str) -> None:
    rows = _compared(report)
    tracks = _known_tracks(rows, metric)
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
