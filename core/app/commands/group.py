"""The group of a domain's commands."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import typer

from core.app.commands import shared
from core.app.commands.command import OptionCommand
from core.app.commands.domain import DomainCommands
from core.app.commands.lending import with_options
from core.app.commands.options import LEARN, MAKE, MEASURE, STEER


def group_of(own: DomainCommands) -> typer.Typer:
    """Build the group of a domain's commands."""
    group = typer.Typer(
        help=f"{own.items.capitalize()}: prepare, train, sample, evaluate, and more.",
        no_args_is_help=True,
    )
    of_latent_space = {"reader": own.reader, "output": own.output}
    commands: tuple[tuple[Callable[..., None], str, dict[str, Callable[..., Any]]], ...] = (
        (shared.prepare, LEARN, {"read": own.prepare}),
        (shared.train, LEARN, {"open_data": own.open_data, "options": own.train_options}),
        (shared.sample, MAKE, {"draw": own.sample, "output": own.output}),
        (shared.evaluate, MEASURE, {"complete": own.completed}),
        (shared.compare, MEASURE, {"open_data": own.open_data}),
        (shared.interpolate, STEER, of_latent_space),
        (shared.arithmetic, STEER, of_latent_space),
        (shared.reconstruct, STEER, of_latent_space),
        (shared.vary, STEER, of_latent_space),
        (shared.translate, STEER, of_latent_space),
    )
    for command, panel, lent in commands:
        register = group.command(
            command.__name__, cls=OptionCommand, help=_help(command, own), rich_help_panel=panel
        )
        register(with_options(functools.partial(command, own), **lent))
    for panel, further in own.further():
        group.command(cls=OptionCommand, rich_help_panel=panel)(further)
    return group


def _help(command: Callable[..., None], own: DomainCommands) -> str:
    """Return the command's docstring in the domain's words, with the domain's examples."""
    text = inspect.cleandoc(command.__doc__ or "").format(
        items=own.items, item=own.items[:-1], points=own.point_help
    )
    examples = own.examples.get(command.__name__, ())
    return "\n\n".join([text, *(f"pianoreel {own.name} {line}" for line in examples)])
