"""An evaluation: a report with the tables and the picture that a domain shows of it."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from core.app.report import REPORT_FILE, Report
from core.files import create_folder, write_text

LOG = logging.getLogger("pianoreel")

TRAINING_STEPS = "steps of training {}, kept for later"
"""Words for what the training of a classifier counts, which an evaluation shows."""


@dataclass(frozen=True)
class Evaluation:
    """`tables` and `draw` show a report; `width`: characters that the tables need."""

    report: Report
    tables: Callable[[Any], Iterable[Table]]
    draw: Callable[[Any, Path], None]
    width: int

    def followed_by(self, further: Callable[[Any], Iterable[Table]]) -> "Evaluation":
        """Return the evaluation with further tables of its report after its own."""
        return replace(self, tables=lambda report: [*self.tables(report), *further(report)])

    def print(self, as_json: bool = False) -> None:
        """Print the report as tables or as JSON."""
        if as_json:
            print(self.report.json())
            return
        print_tables(self.tables(self.report), self.width)

    def write(self, folder: Path) -> None:
        """Write evaluation.json and evaluation.png; says so where these replace others."""
        create_folder(folder)
        path, text = folder / REPORT_FILE, self.report.json()
        if path.exists() and path.read_text(encoding="utf-8") != text:
            LOG.warning("%s was that of another evaluation and is replaced", path)
        write_text(path, text)
        self.draw(self.report, folder / "evaluation.png")


def print_tables(tables: Iterable[Table], width: int) -> None:
    """Print tables that need so many characters, however narrow the terminal is."""
    console = Console(markup=False, emoji=False)  # names of folders can hold [x] and :x:
    console.width = max(console.width, width)
    console.print(*tables)
