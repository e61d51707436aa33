"""Compare models: each trains for the same time on the same data, and all share the metrics.

pianoreel music compare data/band --minutes 5 --to comparisons/band
pianoreel music compare data/band --model vae --model "vae model.weights.match_z=4" --to betas
pianoreel music compare data/band --model vae --model "vae_gan start=two/runs/vae" --to two

A model that fails says why, and the others go on; the same command resumes.
"""

import json
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from core.app import fit
from core.app.commands.command import expanded
from core.app.commands.printing import print_json
from core.app.domain import Domain, Examples
from core.app.evaluation import Evaluation, print_tables
from core.app.model import Model
from core.app.progress import counting, monitored
from core.app.report import REPORT_FILE
from core.data.preparation import require_no_collection
from core.errors import ConfigError, Resumable, Stopped, UserError
from core.exchange.curves import draw_curves
from core.files import create_folder, locked, write_text
from core.training.run import Run

PICTURE, CURVES = "models.png", "curves.png"
WIDTH = 140
"""Characters that the tables need."""
START = "start="
"""Before the run whose weights a model begins with."""


@dataclass(frozen=True)
class Contender:
    """A model with settings of its own, KEY=VALUE as of --set.

    `start`: the run, or the shipped model, whose weights it begins with.
    """

    model: str
    settings: tuple[str, ...] = ()
    start: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Contender":
        """Read the model's name and, after it, its settings and `start=RUN`.

        `ConfigError` for what is neither.

        >>> Contender.parse("vae model.weights.match_z=4").title
        'vae-match_z=4'
        >>> Contender.parse("gan start=comparison/runs/vae").title
        'gan-from-vae'
        """
        model, *given = text.split()
        for one in given:
            if "=" not in one:
                raise ConfigError(
                    f"--model '{text}': settings after the name are KEY=VALUE, such as "
                    f"train.batch_size=8, and not '{one}'"
                )
        starts = [one for one in given if one.startswith(START)]
        settings = tuple(one for one in given if one not in starts)
        start = expanded(starts[-1].removeprefix(START)) if starts else None
        return cls(model, settings, start)

    @property
    def title(self) -> str:
        """Return the name of its run: the model and the last part of each setting."""
        parts = [self.model, *(one.rpartition(".")[2] for one in self.settings)]
        return "-".join([*parts, *(["from", Path(self.start).name] if self.start else [])])


@dataclass(frozen=True)
class Cost:
    """Steps and seconds that a model had trained at its newest checkpoint."""

    steps: int
    seconds: float
    parameters: int

    @classmethod
    def of(cls, folder: Path, model: Model) -> "Cost":
        """Read it from a run's folder; `parameters` are those that take part in sampling."""
        newest = Run.read(folder).latest()
        if newest is None:
            return cls(0, 0.0, model.size)
        return cls(int(newest.fact("step")), newest.fact("seconds"), model.size)


def contenders(domain: Domain, texts: Sequence[str], two: bool = False) -> list[Contender]:
    """Return the models to compare; without texts all that the domain can train and sample.

    `ConfigError` for one that the domain cannot train, and for two of one title, whose runs would
    be one, before any is trained.
    `two`: there is a second collection, so that those that translate take part.
    """
    if texts:
        chosen = [Contender.parse(text) for text in texts if text.split()]
        for one in chosen:
            domain.require(one.model, has_other=two and domain.is_translation(one.model))
        titles = [one.title for one in chosen]
        if twice := [title for title in titles if titles.count(title) > 1]:
            raise ConfigError(
                f"two of the models are called {twice[0]}, and their runs would be one: leave one "
                "out, or give it another setting, such as train.seed=2, after its name"
            )
        return chosen
    return [
        Contender(name)
        for name, known in domain.recipes.items()
        if known.needs <= domain.offers and (two if known.other else known.draws)
    ]


def compare(
    domain: Domain,
    data: Any,
    to: Path,
    texts: Sequence[str],
    preset: str | None,
    device: str,
    assignments: Sequence[str],
    other: Any,
    count: int,
    seed: int,
    as_json: bool = False,
) -> None:
    """Train the models into TO/runs, measure them, and write and print the tables.

    `as_json`: print the report as JSON instead, with the path of the tables.
    """

    def second_of(one: Contender) -> Any:
        return other if domain.is_translation(one.model) else None

    def settings_of(one: Contender) -> list[str]:
        return [*assignments, *one.settings]

    def train(one: Contender, folder: Path) -> Model:
        with monitored() as monitor:
            fit.train(
                domain,
                data,
                folder,
                one.model,
                preset,
                device,
                settings_of(one),
                second_of(one),
                monitor=monitor,
                start=one.start,
            )
        return domain.open_run(folder, device)

    require_no_collection(to)
    chosen = contenders(domain, texts, other is not None)
    for one in chosen:  # or a wrong setting of the last would show once the others have trained
        fit.configure(domain, data, one.model, preset, settings_of(one), second_of(one))
    require_starts(domain, chosen, to / "runs")
    create_folder(to)
    with locked(to):  # of two at once each would leave out what the other trains
        models, left_out = train_each(chosen, to / "runs", train)
        with counting("measuring") as tasks:
            evaluation = domain.evaluate(models, data, count, seed, other, tasks)
        _show(domain, models, data, other, seed, to / PICTURE)
        _report(models, evaluation, to, as_json)
    require_all(left_out)


def _report(models: Sequence[Model], evaluation: Evaluation, to: Path, as_json: bool) -> None:
    """Draw the curves of the runs, and write and print the tables of their costs and measures."""
    curves = {one.name: Run.read(to / "runs" / one.name).metrics() for one in models}
    draw_curves(curves, to / CURVES)
    tables = [costs(models, to / "runs"), *evaluation.tables(evaluation.report)]
    written = evaluation.report.json()
    write_text(to / REPORT_FILE, written)
    path = write(tables, [PICTURE, CURVES], ["pianoreel", *sys.argv[1:]], to)
    if as_json:
        print_json({**json.loads(written), "paths": [str(path)]})
        return
    print_tables(tables, WIDTH)
    print(path)


def require_starts(domain: Domain, chosen: Sequence[Contender], to: Path) -> None:
    """Raise `UserError` where one begins with no run: none is there, and none before it trains it.

    Their runs are in the folder `to`.
    """
    trained: set[Path] = set()
    for one in chosen:
        if one.start is not None and Path(one.start).resolve() not in trained:
            Run.read(domain.folder(one.start))
        trained.add((to / one.title).resolve())


def _show(
    domain: Domain, models: Sequence[Model], data: Any, other: Any, seed: int, path: Path
) -> None:
    """Draw real items, and those of each model; one alone is named with its condition."""
    count = domain.EXAMPLES_OF_A_MODEL

    def title(name: str, examples: Examples) -> str:
        return ": ".join([name, *(examples.conditions or () if count == 1 else ())])

    real = domain.examples(data, count, seed)
    items = {title("real", real): real.items}
    for model in models:
        examples = domain.examples(model.source(data, other), count, seed)
        items[title(model.name, examples)] = model.generate(examples, seed)
    domain.contrast(models[0], items, path)


def train_each(
    chosen: Sequence[Contender], to: Path, train: Callable[[Contender, Path], Model]
) -> tuple[list[Model], dict[str, UserError]]:
    """Train each into a folder of its own; return the models, and errors of others by their title.

    `UserError` where all fail, or settings are wrong; `Resumable` where all are, as on a full
    disk.
    """
    done: list[Model] = []
    failed: dict[str, UserError] = {}
    for number, one in enumerate(chosen):
        print(f"{number + 1} of {len(chosen)}: {one.title}", file=sys.stderr)
        try:
            done.append(train(one, to / one.title))
        except (ConfigError, Stopped):
            raise
        except UserError as error:
            print(f"{one.title} is left out: {error}", file=sys.stderr)
            failed[one.title] = error
    if not done:
        if _can_go_on(failed):
            raise Resumable(
                "no model could be trained: once that is fixed, the same command resumes"
            )
        raise UserError("no model could be trained")
    return done, failed


def require_all(left_out: Mapping[str, UserError]) -> None:
    """Raise `UserError` where models are left out, `Resumable` where all of them can go on.

    The tables of the others are written before.
    """
    if left_out:
        kind = Resumable if _can_go_on(left_out) else UserError
        raise kind(
            f"the tables are without {', '.join(left_out)}: once that is fixed, the same command "
            "adds what is missing"
        )


def _can_go_on(errors: Mapping[str, UserError]) -> bool:
    return all(isinstance(error, Resumable) for error in errors.values())


def costs(models: Sequence[Model], to: Path) -> Table:
    """Tabulate the steps, seconds and parameters of each trained model."""
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


def write(
    tables: Iterable[Table], pictures: Sequence[str], command: Sequence[str], to: Path
) -> Path:
    """Write the tables, with pictures that lie beside them, as comparison.md.

    `command`: the words of the command line, which are quoted for a shell.
    """
    path = to / "comparison.md"
    shown = [f"![]({picture})" for picture in pictures]
    parts = ["# Models side by side", f"`{shlex.join(command)}`", *shown, *map(markdown, tables)]
    write_text(path, "\n\n".join(parts) + "\n")
    return path
