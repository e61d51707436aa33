"""The progress of a command, on stderr: a bar on a terminal, else a plain line now and then."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from core.launch import is_first
from core.wording import roughly

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from core.data.preparation import Tasks, Tick

Item = TypeVar("Item")

FIRST_SECONDS, SECONDS = 10.0, 60.0
"""Time until the first plain line, and from each to the next."""


class PlainLines:
    """Prints the state of a task that goes on, once in a while."""

    def __init__(self) -> None:
        self.due = time.monotonic() + FIRST_SECONDS

    def show(self, line: Callable[[], str]) -> None:
        """Print the line if one is due; where nobody reads any more the task goes on.

        Of several processes the first prints.
        """
        if time.monotonic() >= self.due and is_first():
            with contextlib.suppress(OSError):
                print(line(), file=sys.stderr, flush=True)
            self.due = time.monotonic() + SECONDS


@contextlib.contextmanager
def _bar(*columns: Any, transient: bool = False) -> "Iterator[Progress]":
    """Show a bar on a terminal, while it is open; `transient`: the bar vanishes at the end.

    Without `columns`: the words of the task, over several lines where they are many, the bar, how
    much is done of how much, and the time left.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column

    words = TextColumn("{task.description}", table_column=Column())
    columns = columns or (words, BarColumn(20), MofNCompleteColumn(), TimeRemainingColumn())

    console = Console(stderr=True)
    disable = not (console.is_terminal and is_first())
    bar = Progress(*columns, console=console, transient=transient, disable=disable)
    bar.start()
    try:
        yield bar
    finally:
        with contextlib.suppress(OSError):
            bar.stop()


@contextlib.contextmanager
def ticking(task: str) -> "Iterator[Tick]":
    """Show how much of a task is done; call it with (done, total)."""
    with _bar(transient=True) as bar:
        yield _tick(bar, task, bar.add_task(task, total=None))


@contextlib.contextmanager
def counting(first: str) -> "Iterator[Tasks]":
    """Show how much is done of tasks that follow one another; call it with what one counts.

    It returns what is called with (done, total). What was called last is shown, before all of them
    `first`.
    """
    with _bar(transient=True) as bar:
        shown = bar.add_task(first, total=None)
        yield lambda task: _tick(bar, task, shown)


def followed(task: str, make: "Callable[[Tick], Iterable[Item]]") -> "Iterator[Item]":
    """Yield the items of a task, and show meanwhile how much of it is done, as `ticking` does.

    The bar is away while the caller has an item, so that it may print.
    """
    with _bar(transient=True) as bar:
        for one in make(_tick(bar, task, bar.add_task(task, total=None))):
            bar.stop()
            yield one
            bar.start()


def _tick(bar: "Progress", task: str, shown: "TaskID") -> "Tick":
    """Return what is called with (done, total), and shows it in the line `shown` of the bar.

    The time left follows from the rate since the first call, before which models are loaded, and
    what an earlier command has finished is counted.
    """
    lines = PlainLines()
    first: list[tuple[int, float]] = []

    def line(done: int, total: int) -> str:
        (before, since), now = first[0], time.monotonic()
        rest = _left((now - since) * (total - done) / (done - before)) if done > before else ""
        return f"{task}: {done:,} of {total:,}{rest}"

    def tick(done: int, total: int) -> None:
        if not first:
            first.append((done, time.monotonic()))
            bar.reset(shown, description=task)
        bar.update(shown, completed=done, total=total)
        if bar.disable:
            lines.show(lambda: line(done, total))

    return tick


def _left(seconds: float) -> str:
    """Return the end of a line that says how much time is left."""
    return f", {roughly(seconds)} left"


def parts_of(tick: "Tick", count: int, each: int) -> "Iterator[Tick]":
    """Yield what each of `count` parts of a task is called with, which are `each` long.

    >>> for part in parts_of(print, 3, 8):
    ...     part(1, 2)
    4 24
    12 24
    20 24
    """
    for number in range(count):

        def of_part(done: int, total: int, before: int = number * each) -> None:
            tick(before + done * each // max(1, total), count * each)

        yield of_part


@contextlib.contextmanager
def monitored() -> Iterator[Any]:
    """Follow a training on the command line: yields the `Monitor` to be passed to it.

    Ctrl-C, SIGTERM and SIGHUP stop the training at a checkpoint, see `Interruption`.
    """
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

    from core.training.forecast import progress
    from core.training.interruption import REST, Interruption
    from core.training.loop import Monitor

    lines = PlainLines()
    columns = BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn()
    with Interruption() as interruption, _bar(*columns) as bar:
        task = bar.add_task("", total=1.0)

        def show(budget: Any, losses: Mapping[str, float]) -> None:
            description = progress(budget, losses)
            bar.update(task, completed=budget.fraction, description=description)
            if bar.disable:
                done = budget.fraction
                rest = _left(budget.seconds * (1 / done - 1)) if done else ""
                lines.show(lambda: f"{description}, {done:.0%} of the budget{rest}")

        def show_rest(done: int, total: int) -> None:
            interruption.answer = REST
            description = f"after the last step: {done:,} of {total:,}"
            bar.update(task, completed=done / total, description=description)
            if bar.disable:
                lines.show(lambda: description)

        yield Monitor(interruption.should_stop, show, show_rest)
