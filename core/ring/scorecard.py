"""The scorecard of points against the ring: a table and a picture."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure
from rich import box
from rich.table import Table

from core.app.report import Kind, Report, list_meanings
from core.files import write_figure
from core.ring import eight_gaussians as ring
from core.ring.eight_gaussians import Points
from core.theory.divergences import mmd

WIDTH = 80
"""Columns of a terminal that the table fills."""

MEANINGS = {
    "squared MMD": "squared maximum mean discrepancy, a distance to the data: as low as that of "
    "held-out points is best",
    "modes": "Gaussians of the eight with a quarter of their fair share of good points, or more",
    "% good": "% of points within three standard deviations of one of them; 99 is best",
}
"""The columns of the table."""


@dataclass(frozen=True)
class Row:
    """Points against the ring: their squared MMD to the data, and the modes they cover."""

    name: str
    kind: Kind
    count: int
    discrepancy: float
    modes: int
    good: float


def row_of(name: str, kind: Kind, points: Points, real: Points) -> Row:
    """Measure points beside real ones: squared MMD, modes covered, share of good points."""
    modes, good = ring.coverage(points)
    return Row(
        name=name,
        kind=kind,
        count=len(points),
        discrepancy=mmd(points, real).item(),
        modes=modes,
        good=good,
    )


def tables(report: Report) -> Iterator[Table]:
    """Yield one table of all rows."""
    table = Table(
        title="distance to the data",
        title_justify="left",
        box=box.SIMPLE,
        caption=list_meanings(MEANINGS),
        caption_justify="left",
    )
    for column in ("points of", "squared MMD", "modes", "% good"):
        table.add_column(column, justify="left" if column == "points of" else "right")
    for row in report.rows:
        table.add_row(row.name, f"{row.discrepancy:.4f}", f"{row.modes}", f"{100 * row.good:.0f}")
    yield table


def draw_report(report: Report, path: Path) -> None:
    """Draw the shares of points that lie near a mode."""
    figure = Figure(figsize=(6, 3), dpi=90, layout="constrained")
    axes = figure.subplots()
    axes.barh([row.name for row in report.rows], [100 * row.good for row in report.rows])
    axes.set(xlabel="% of points near a mode", xlim=(0, 100))
    axes.invert_yaxis()
    write_figure(figure, path)
