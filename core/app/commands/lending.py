"""Options that functions lend to a command: those of a domain to one that all domains share."""

import copy
import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin

from core.app.commands.options import FILES


def with_options(command: Callable[..., None], **lent: Callable[..., Any]) -> Callable[..., None]:
    """Replace the `lent` arguments of `command` by the options of those functions.

    A function's options are its parameters annotated for typer. It is passed to the command with
    their values bound; the command gives it the others.
    """
    own = inspect.signature(command).parameters
    panels = {"output": FILES}
    borrowed = {name: _options(function, panels.get(name)) for name, function in lent.items()}
    parameters = [option for options in borrowed.values() for option in options.values()]
    parameters += [p for p in own.values() if p.name not in lent]

    def call(**given: Any) -> None:
        bound = {
            name: functools.partial(function, **{key: given[key] for key in borrowed[name]})
            for name, function in lent.items()
        }
        command(**bound, **{name: given[name] for name in own if name not in lent})

    keyword_only = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    call.__signature__ = inspect.Signature(keyword_only)  # type: ignore[attr-defined]
    call.__annotations__ = {p.name: p.annotation for p in parameters}
    return call


def _options(
    function: Callable[..., Any], panel: str | None = None
) -> dict[str, inspect.Parameter]:
    """Return the parameters annotated for typer; those without a panel are shown in `panel`."""
    parameters = inspect.signature(function).parameters.values()
    found = [p for p in parameters if get_origin(p.annotation) is Annotated]
    return {p.name: p.replace(annotation=_in_panel(p.annotation, panel)) for p in found}


def _in_panel(annotation: Any, panel: str | None) -> Any:
    kind, option = get_args(annotation)
    if panel is None or option.rich_help_panel:
        return annotation
    shown = copy.copy(option)  # options are shared between commands
    shown.rich_help_panel = panel
    return Annotated[kind, shown]
