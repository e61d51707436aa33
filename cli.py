"""The command `pianoreel`. Each command imports what it needs inside itself: --help is quick.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 stopped but resumable,
130 interrupted, 143 terminated. PIANOREEL_DEBUG=1 shows the traceback of a failure.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup


class Clear(TyperGroup):
    """A group of commands whose failures are one sentence on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            code = _exit_code(error)
            if code is None or os.environ.get("PIANOREEL_DEBUG") == "1":
                raise
            print(f"error: {_sentence(error)}", file=sys.stderr)
            raise typer.Exit(code) from error


def _exit_code(error: Exception) -> int | None:
    """The exit code of a failure; None where typer itself knows what to do."""
    from core.config import UserError

    if isinstance(error, UserError):
        return error.exit_code
    own = type(error).__module__.startswith("typer") or isinstance(error, BrokenPipeError)
    return None if own else 1


def _sentence(error: Exception) -> str:
    from core.config import UserError

    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    if type(error).__name__ == "OutOfMemoryError":
        return "the device has too little memory: lower the batch with --set train.batch_size=N"
    kind = type(error).__name__
    return f"{kind}: {error} (a fault of pianoreel; PIANOREEL_DEBUG=1 shows where)"


app = typer.Typer(
    cls=Clear,
    help="Make music with deep generative models that you train on your own files.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
music = typer.Typer(help="Songs: prepare, train, sample, evaluate.", no_args_is_help=True)
app.add_typer(music, name="music")


def main() -> None:
    """The entry point of the command."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    app()


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"pianoreel {version('pianoreel')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print it."),
    ] = False,
) -> None:
    pass


@app.command()
def models() -> None:
    """List the models: their statements, their papers."""
    from rich.console import Console
    from rich.table import Table

    from core.recipes import RECIPES

    table = Table("model", "statements", "paper", "remark")
    for name, recipe in RECIPES.items():
        statements = " + ".join(
            f"{term.weight:g} {term.name}" if term.weight != 1 else term.name
            for term in recipe.terms
        )
        paper = f"{recipe.paper.venue}, {recipe.paper.year}"
        table.add_row(name, statements, paper, recipe.remark)
    Console().print(table)


@app.command()
def cite(
    name: Annotated[str, typer.Argument(help="A model's name, as `models` lists it.")],
) -> None:
    """Print a model's BibTeX, as in: pianoreel cite wgan_gp."""
    from core.recipes import recipe

    print(recipe(name).paper.bibtex)


@app.command()
def doctor() -> None:
    """Print versions, devices and limits, and mend what does not fit. Exits 1 where it does not."""
    from core import doctor as machine
    from musegen.render import SOUNDFONT

    faults = list(machine.faults())
    _section("versions", machine.versions())
    if not faults:
        _section("devices", machine.devices())
    _section("limits of one source file", machine.limits())
    _section("sound", {"soundfont": str(SOUNDFONT)})
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    raise typer.Exit(bool(faults))


def _section(title: str, rows: dict[str, str]) -> None:
    print(title)
    for name, value in rows.items():
        print(f"  {name:16} {value}")


if __name__ == "__main__":
    main()
