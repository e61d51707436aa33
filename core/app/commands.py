"""What the commands of both domains share: options, clear failures, progress.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 stopped but resumable,
130 interrupted, 143 terminated. PIANOREEL_DEBUG=1 shows the traceback of a failure.
"""

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup


class _ToStderr(logging.Handler):
    """Prints messages of the library as plain lines."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr)


def print_messages() -> None:
    """Print what the library logs to stderr."""
    log = logging.getLogger("pianoreel")
    if not any(isinstance(handler, _ToStderr) for handler in log.handlers):
        log.addHandler(_ToStderr())
        log.setLevel(logging.INFO)


class Clear(TyperGroup):
    """A group of commands whose failures are one sentence on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        print_messages()
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            raise typer.Exit(130) from None
        except Exception as error:
            code = _exit_code(error)
            if code is None or os.environ.get("PIANOREEL_DEBUG") == "1":
                raise
            print(f"error: {_sentence(error)}", file=sys.stderr)
            raise typer.Exit(code) from error


def _exit_code(error: Exception) -> int | None:
    """The exit code of a failure; None where typer itself knows what to do."""
    if type(error).__module__.startswith("typer") or isinstance(error, BrokenPipeError):
        return None
    from core.errors import UserError

    return error.exit_code if isinstance(error, UserError) else 1


def _sentence(error: Exception) -> str:
    from core.errors import UserError

    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    if type(error).__name__ == "OutOfMemoryError":
        return "the device has too little memory: lower the batch with --set train.batch_size=N"
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{said} (a fault of pianoreel; PIANOREEL_DEBUG=1 shows where)"


Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Set any key of the configuration; repeatable."
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Seed = Annotated[
    int, typer.Option(min=0, max=2**63 - 1, help="The same seed gives the same result.")
]

Preset = Annotated[str, typer.Option(help="tiny, small (CPU) or base (GPU).")]
Steps = Annotated[int | None, typer.Option(min=1, help="Budget in steps.")]
Minutes = Annotated[float | None, typer.Option(min=0, help="Budget in minutes.")]
MinutesEach = Annotated[float | None, typer.Option(min=0, help="Budget of each model.")]
RunFolder = Annotated[
    Path, typer.Option("--to", help="The run's folder; an unfinished run goes on.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the configuration.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Reading processes.")]
StrictOption = Annotated[bool, typer.Option("--strict", help="Exit 1 where one is rejected.")]
PointCount = Annotated[
    int, typer.Option(min=2, max=1000, help="Places on the way, ends included.")
]
Strength = Annotated[
    float, typer.Option(min=0, max=1, help="0: the place itself. 1: nothing is left of it.")
]
Other = Annotated[
    Path | None, typer.Option(help="A second collection, for a model that goes between two.")
]
Translator = Annotated[
    str, typer.Argument(metavar="RUN", help="The folder of a run that goes between two.")
]
Back = Annotated[bool, typer.Option("--back", help="From the data's manner into the other one.")]
Models = Annotated[
    list[str] | None,
    typer.Option("--model", help="A model to take part; repeatable. Without it all that can."),
]
Report = Annotated[Path | None, typer.Option(help="Folder for evaluation.json and .png.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON in place of tables.")]


def budget(steps: int | None, minutes: float | None) -> list[str]:
    """The budget that was asked for in place of the preset's; both: the first met ends the run."""
    if steps is None and minutes is None:
        return []
    asked = {"steps": steps, "minutes": minutes}
    return [f"train.{name}={'null' if value is None else value}" for name, value in asked.items()]


def print_config(config: Any) -> None:
    """The configuration as YAML, as a run keeps it."""
    import yaml

    print(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), end="")


@contextlib.contextmanager
def ticking(task: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal, moved by calling it with (done, total)."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(transient=True, console=console, disable=not console.is_terminal) as progress:
        shown = progress.add_task(task, total=None)

        def tick(done: int, total: int) -> None:
            progress.update(shown, completed=done, total=total)

        yield tick


@contextlib.contextmanager
def monitored() -> Iterator[Any]:
    """Follow a training on the command line: yields the `Monitor` to be passed to it.

    A terminal shows a progress bar. Ctrl-C and SIGTERM stop the training at a checkpoint and exit
    with 130 or 143.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from core.training.interruption import Interruption
    from core.training.loop import Monitor

    console = Console(stderr=True)
    columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    bar = Progress(*columns, console=console, disable=not console.is_terminal)

    with Interruption() as interruption, bar:
        task = bar.add_task("", total=1.0)

        def show(budget: Any, losses: Mapping[str, float]) -> None:
            values = [f"{name} {loss:.4g}" for name, loss in losses.items() if name != "skipped"]
            description = "  ".join([f"step {budget.step}", *values])
            bar.update(task, completed=budget.fraction, description=description)

        yield Monitor(interruption.should_stop, show)


def leading_run(domain: Any, told: list[str], count: int | None) -> tuple[Any, list[str]]:
    """The run that was told first, if any, and the rest; `ConfigError` for another count of it."""
    from core.errors import ConfigError

    run, rest = domain.leading_run(told)
    if not rest or (count is not None and len(rest) != count):
        wanted = "one or more" if count is None else count
        raise ConfigError(f"expected {wanted} after [RUN], found {len(rest)}: see --help")
    return run, rest


COMPARISON_WIDTH = 140
"""Characters that the tables of a comparison need."""


def show_comparison(
    models: Any, runs: Path, report: Any, tables: Any, picture: str, to: Path
) -> None:
    """Print a comparison and write it, with the report's numbers, into `to`.

    `tables` are the report's; `runs` holds the models' folders.
    """
    from rich.console import Console

    from core.app.comparison import costs, write

    shown = [costs(models, runs), *tables]
    console = Console()
    console.width = max(console.width, COMPARISON_WIDTH)
    console.print(*shown)
    (to / "evaluation.json").write_text(report.json(), encoding="utf-8")
    print(write(shown, [picture], " ".join(["pianoreel", *sys.argv[1:]]), to))


def show_report(report: Any, scorecard: Any, to: Path | None, as_json: bool) -> None:
    """Print a report as tables or JSON; into `to` go evaluation.json and evaluation.png."""
    from rich.console import Console

    if as_json:
        print(report.json())
    else:
        console = Console()
        console.width = max(console.width, scorecard.WIDTH)
        console.print(*scorecard.tables(report))
    if to:
        to.mkdir(parents=True, exist_ok=True)
        (to / "evaluation.json").write_text(report.json(), encoding="utf-8")
        scorecard.draw_report(report, to / "evaluation.png")
