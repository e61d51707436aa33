"""Models side by side: each trains for as long on the same data, and all are measured alike.

pianoreel music compare data/band --minutes 5 --to comparisons/band

A model that fails says why and the others go on; the same command goes on where it was stopped.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich import box
from rich.table import Table

from core.app.domain import Domain
from core.app.model import Trained
from core.errors import ConfigError, Stopped, UserError
from core.files import write_text
from core.training.run import Run

Model = TypeVar("Model", bound=Trained)


@dataclass(frozen=True)
class Cost:
    """What a model took to train: steps and seconds until its newest checkpoint."""

    steps: int
    seconds: float
    parameters: int

    @classmethod
    def of(cls, folder: Path, model: Trained) -> "Cost":
        """Of a run's folder; `parameters` are those that make samples."""
        newest = Run.read(folder).latest()
        facts = newest.facts if newest else {"step": 0, "seconds": 0.0}
        size = sum(p.numel() for p in model.networks.parameters())
        return cls(int(facts["step"]), float(facts["seconds"]), size)


def contenders(domain: Domain, names: Sequence[str], two: bool = False) -> list[str]:
    """The models to compare; without names all that the domain can train and sample.

    `ConfigError` for one that the domain cannot train, before any is trained.
    `two`: there is a second collection, so that those that translate take part.
    """
    if names:
        for name in names:
            domain.require(name, has_other=two and domain.is_translation(name))
        return list(names)
    return [
        name
        for name, known in domain.recipes.items()
        if known.needs <= domain.offers and (two if known.other else known.draws)
    ]


def train_each(names: Sequence[str], to: Path, train: Callable[[str, Path], Model]) -> list[Model]:
    """Train each into a folder of its own; `UserError` where all fail, or settings are wrong."""
    done: list[Model] = []
    for number, name in enumerate(names):
        print(f"{number + 1} of {len(names)}: {name}", file=sys.stderr)
        try:
            done.append(train(name, to / name))
        except (ConfigError, Stopped):
            raise
        except UserError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    if not done:
        raise UserError("no model could be trained")
    return done


def costs(models: Sequence[Trained], to: Path) -> Table:
    """What each model took."""
    table = Table(title="training", title_justify="left", box=box.SIMPLE)
    for column in ("model", "steps", "seconds", "parameters"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for model in models:
        cost = Cost.of(to / model.name, model)
        table.add_row(model.name, f"{cost.steps:,}", f"{cost.seconds:.0f}", f"{cost.parameters:,}")
    return table


def markdown(table: Table) -> str:
    """Return a rich table as Markdown: its title, the table, and its caption."""
    rows = zip(*(column.cells for column in table.columns), strict=True)
    headers = [str(column.header) for column in table.columns]
    marks = ["--:" if column.justify == "right" else "---" for column in table.columns]
    lines = [f"| {' | '.join(map(str, row))} |" for row in (headers, marks, *rows)]
    caption = ["", str(table.caption)] if table.caption else []
    return "\n".join([f"### {table.title}", "", *lines, *caption])


def write(tables: Iterable[Table], pictures: Sequence[str], command: str, to: Path) -> Path:
    """Write the tables, with pictures that lie beside them, as comparison.md."""
    path = to / "comparison.md"
    shown = [f"![]({picture})" for picture in pictures]
    parts = ["# Models side by side", f"`{command}`", *shown, *map(markdown, tables)]
    write_text(path, "\n\n".join(parts) + "\n")
    return path
