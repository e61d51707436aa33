"""Messages of the page: errors as the command line words them, and the state of what goes on."""

import contextlib
import errno
import functools
import inspect
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import gradio as gr

from core.errors import UserError
from core.files import is_full
from core.training.memory import is_out_of_memory
from studio.components.markup import escaped, in_page

LOG = logging.getLogger("pianoreel")

FORBIDDEN = (errno.EACCES, errno.EROFS)
"""Error numbers of places where others write."""

Handler = TypeVar("Handler", bound=Callable[..., Any])


@contextlib.contextmanager
def _errors_shown() -> Iterator[None]:
    try:
        yield
    except UserError as error:
        message = escaped(in_page(error))  # so that no name in it is taken for a tag
        raise gr.Error(message, duration=None, print_exception=False) from error
    except gr.Error:
        raise
    except Exception as error:
        if said := refused(error):
            raise gr.Error(escaped(said), duration=None, print_exception=False) from error
        LOG.exception("the page met a fault of pianoreel")
        kind = type(error).__name__
        raise gr.Error(f"{kind}: a fault of pianoreel; the terminal shows where") from error


def refused(error: Exception) -> str:
    """Return what the machine has no room or rights for, in words; empty for other errors."""
    if isinstance(error, OSError) and (is_full(error) or error.errno in FORBIDDEN):
        place, said = f" to {error.filename}" if error.filename else "", error.strerror or error
        return f"cannot write{place}: {said}; make room, or see who may write there"
    return "there is too little memory: ask for less at once" if is_out_of_memory(error) else ""


def answering(handler: Handler) -> Handler:
    """Show what a handler raises as a message in the page."""
    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def steps(*arguments: Any, **options: Any) -> Iterator[Any]:
            with _errors_shown():
                yield from handler(*arguments, **options)

        return steps  # type: ignore[return-value]

    @functools.wraps(handler)
    def once(*arguments: Any, **options: Any) -> Any:
        with _errors_shown():
            return handler(*arguments, **options)

    return once  # type: ignore[return-value]


def state(text: str, done: float | None = None) -> str:
    """Return the line that says what goes on, with a bar where a share of it is known.

    Options in it are called as the page calls them.

    >>> state("song 1 of 2", 0.5)
    '<progress max="1" value="0.5" aria-label="progress"></progress> song 1 of 2'
    """
    said = escaped(in_page(text))
    if done is None:
        return said
    return f'<progress max="1" value="{done:g}" aria-label="progress"></progress> {said}'


def ended(text: str, remarks: Sequence[str]) -> str:
    """Return the line that says what has ended, and each remark on it once.

    >>> ended("2 made", ["no note was composed for bass", "no note was composed for bass"])
    '2 made; no note was composed for bass'
    """
    return state("; ".join(dict.fromkeys([text, *remarks])))


def state_line(elem_id: str) -> gr.HTML:
    """Return the component of such lines, which a screen reader speaks."""
    template = '<p class="state" role="status" aria-live="polite">${value}</p>'
    return gr.HTML("", html_template=template, elem_id=elem_id, apply_default_css=False)


HIDDEN: dict[str, Any] = {"show_progress": "hidden"}
ASIDE: dict[str, Any] = {**HIDDEN, "queue": False}
"""Events that are answered at once: they stand in no queue, and are there when it is full."""


def stoppable(
    listen: Callable[..., Any],
    handler: Callable[..., Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    stop: gr.Button,
    **turns: Any,
) -> Any:
    """Run a handler on an event, and show its stop button meanwhile; return the event."""
    shown = listen(lambda: gr.update(visible=True), outputs=stop, **ASIDE)
    event = shown.then(answering(handler), [*inputs], [*outputs], **HIDDEN, **turns)
    for outcome in (event.success, event.failure):
        outcome(lambda: gr.update(visible=False), outputs=stop, **ASIDE)
    return event


def stops(stop: gr.Button, line: gr.HTML, events: Sequence[Any]) -> None:
    """Have a button stop the handlers of these events."""

    def stopped() -> tuple[str, Any]:
        return state("stopped; what was made stays"), gr.update(visible=False)

    stop.click(stopped, outputs=[line, stop], cancels=[*events], **ASIDE)
