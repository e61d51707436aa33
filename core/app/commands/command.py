"""A command: its help in narrow terminals, and arguments that are wrong."""

import math
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from typer import BadParameter
from typer.core import TyperCommand, TyperOption

from core.errors import ConfigError
from core.launch import process_count

HELP_WIDTH = 80
"""Columns that help has at least: with fewer, the names of options are cut."""


HOME = re.compile(r"(--[\w-]+=)?(~|\$\w+|\$\{\w+\})(?=/|$)")
"""The beginning of a path in a folder that a shell knows, maybe after the name of an option."""


class WideHelp:
    """A command, or a group, whose help is as wide as its names need in a narrow terminal, too."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from typer import rich_utils

        if shutil.get_terminal_size().columns < HELP_WIDTH:
            rich_utils.MAX_WIDTH = HELP_WIDTH
        super().format_help(ctx, formatter)  # type: ignore[misc]  # of a command, or a group


class OptionCommand(WideHelp, TyperCommand):
    """A command of which no option takes the name of another for its value."""

    def invoke(self, ctx: Any) -> Any:
        if process_count() > 1 and self.name != "train":
            raise ConfigError(f"torchrun is for train alone: start {self.name} without it")
        return super().invoke(ctx)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        options = [one for one in self.get_params(ctx) if isinstance(one, TyperOption)]
        args = [expanded(one) for one in args]
        if not ctx.resilient_parsing:  # a shell asks what can follow
            require_values(options, args)
        try:
            left = super().parse_args(ctx, args)
        except BadParameter as fault:
            from core.config import plain

            fault.message = plain(fault.message)
            raise
        require_finite(options, ctx.params)
        return left


def expanded(argument: str) -> str:
    """Return an argument with what a shell makes of ~ and $NAME at the beginning of a path.

    It leaves both as they are in quotation marks, and ~ after `--to=`. A variable that is not set
    stays, as do words.

    >>> os.environ["SCRATCH"] = "/scratch"
    >>> expanded("--to=$SCRATCH/runs"), expanded("$SCRATCH/a"), expanded("a $SCRATCH/b")
    ('--to=/scratch/runs', '/scratch/a', 'a $SCRATCH/b')
    """
    found = HOME.match(argument)
    if not found:
        return argument
    place = os.path.expandvars(found[2])
    with suppress(RuntimeError):  # nobody's home, as of users without a name
        place = str(Path(place).expanduser())
    return (found[1] or "") + place + argument[found.end() :]


def require_finite(options: Sequence[TyperOption], values: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for an option that is nan or inf."""
    for option in options:
        value = values.get(option.name or "")
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{option.opts[0]} must be a finite number, not {value}")


def require_values(options: Sequence[TyperOption], arguments: Sequence[str]) -> None:
    """Raise `ConfigError` where an option is followed by another, or by too few values."""
    named = {name: one for one in options for name in (*one.opts, *one.secondary_opts)}
    left = list(arguments)
    while left and (name := left.pop(0)) != "--":
        if name not in named or named[name].is_flag:
            continue
        option, values = named[name], list[str]()
        while left and len(values) < option.nargs and left[0] not in named:
            values.append(left.pop(0))
        if len(values) < option.nargs:
            wanted = "a value" if option.nargs == 1 else f"{option.nargs} values"
            found = f" and has 1, {values[0]}" if values else ""
            raise ConfigError(f"{name} needs {wanted}{found}: {option.help}")
