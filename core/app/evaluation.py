"""An evaluation: a report with the tables and the picture that a domain shows of it."""

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.containers import Lines
from rich.table import Table
from rich.text import Text

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
    for table in (tables := [*tables]):
        for column in table.columns:
            if column.overflow == "fold":
                column.header = Name(str(column.header))
                column._cells = [Name(str(cell)) for cell in column.cells]
    console.print(*tables)


class Name(Text):
    """A name in a table; one that is too long for its column goes on in the next line.

    There it is broken after a space, a hyphen or an underscore, where it has any.
    """

    def wrap(self, console: Console, width: int, **options: Any) -> Lines:
        lines = self.divide(_breaks(self.plain, width))
        for line in lines:
            line.rstrip()
        if justify := options.get("justify"):
            lines.justify(console, width, justify=justify)
        return lines


def _breaks(name: str, width: int) -> list[int]:
    """Return where the lines of a name begin, but the first, each of at most `width` cells.

    >>> _breaks("gan_of-quartets, seed 12345678", 8)
    [7, 15, 22]
    """
    begins = [0]
    for part in re.finditer(r"[^-_ ]+[-_ ]*|[-_ ]+", name):
        if cell_len(name[begins[-1] : part.end()].rstrip()) > width and part.start() > begins[-1]:
            begins.append(part.start())
        while cell_len(rest := name[begins[-1] : part.end()].rstrip()) > width:
            begins.append(begins[-1] + len(chop_cells(rest, width)[0]))
    return begins[1:]
