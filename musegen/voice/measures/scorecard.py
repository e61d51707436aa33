"""The tables and the picture of an evaluation."""

from collections.abc import Iterator
from pathlib import Path

from rich import box
from rich.table import Table

from core.app.report import format_number, format_percent, list_meanings
from musegen.voice.measures.evaluation import Evaluation, Row

WIDTH = 120
"""Characters that the tables need."""

LEGEND = {
    "pitch": "% of notes whose fundamental is within 50 cents of the wanted pitch, by YIN",
    "pitch, named": "% of notes whose pitch a classifier of real notes names rightly",
    "instrument": "% whose instrument it names rightly, where one is wanted",
    "harmonicity": "% of energy that repeats with the period of the pitch (noise: about 50)",
    "Frechet": "squared Frechet distance to other real notes, in features of the classifier",
    "NDB/k": "share of bins of real notes that are filled differently, 0 is best",
    "diversity": "mean distance of two notes of a pitch in these features; as real notes is best",
    "constancy": "% of the notes of a timbre, over two octaves, that keep their instrument",
}
"""The columns, with their meanings."""

ROWS_LEGEND = (
    "- known timbres: real notes, each played in the timbre of another note of its instrument; "
    "held-out: pitches that training has not of these instruments"
)


def tables(report: Evaluation) -> Iterator[Table]:
    """Build a table for each group, and one of how the judge of pitch does on real notes."""
    groups = list(dict.fromkeys(row.group for row in report.rows))
    for group in groups:
        last = group == groups[-1]
        table = Table(
            title=group,
            title_justify="left",
            caption=f"{list_meanings(LEGEND)}\n{ROWS_LEGEND}" if last else None,
            caption_justify="left",
            box=box.SIMPLE,
            padding=0,
        )
        table.add_column("notes of", width=34, overflow="fold")
        for name in LEGEND:
            table.add_column(name, justify="right", width=max(6, *map(len, name.split())) + 1)
        for row in (row for row in report.rows if row.group == group):
            table.add_row(row.name, *_cells(row), style="bold" * (row.kind == "generated"))
        yield table
    worst = sorted(report.calibration.items(), key=lambda item: item[1])
    calibration = Table(
        title="the judge of pitch on real notes", title_justify="left", box=box.SIMPLE
    )
    calibration.add_column("instrument")
    calibration.add_column("% right", justify="right")
    for name, share in worst:
        calibration.add_row(name, format_percent(share))
    yield calibration


def _cells(row: Row) -> list[str]:
    return [
        format_percent(row.right),
        format_percent(row.named_pitch),
        format_percent(row.named_timbre),
        format_percent(row.harmonicity),
        format_number(row.frechet),
        format_number(row.bins, ".2f"),
        format_number(row.diversity),
        format_percent(row.constancy),
    ]


def draw_report(report: Evaluation, path: Path) -> None:
    """Draw the spectrograms of a few real notes, and of the model's of the same pitches."""
    from musegen.voice.picture import draw_notes

    draw_notes(report.sounds, report.titles, report.rate, path)
