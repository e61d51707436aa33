"""Stop signals: each ends a command as an error does, so that what is unfinished is removed.

They wait for the end of an import: what is raised within one, libraries in other languages turn
into errors of their own, or the process never ends. And while a temporary folder is created or
removed, since nothing would remove it later. What is raised where Python only reports errors, as
while an object is removed, is raised once more a moment later.
"""

import math
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from core.training.interruption import SIGNALS, TOGETHER_SECONDS

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

LOOK_SECONDS = 0.05
"""Time from one look whether the command can be ended to the next."""

UNBROKEN = frozenset(("<frozen importlib._bootstrap>", tempfile.__file__))
"""Files of whose functions none is ended by a signal."""


class Terminated(SystemExit):
    """The end by a signal, with the exit code 128 + its number."""


class Ending:
    """A handler of signals: Ctrl-C raises `KeyboardInterrupt`, others `Terminated`.

    Signals within `TOGETHER_SECONDS` of the first are the same stop. A later one does not wait:
    it exits at once. `number`: of the signal for which it has raised, see `stopped_by`.
    """

    def __init__(self) -> None:
        self._since = math.inf
        self._has_ended = False
        self.number: int | None = None

    def __call__(self, number: int, at: FrameType | None) -> None:
        """Raise the end of the command, now or when what may not be broken off has ended."""
        now = time.monotonic()
        is_first, is_later = self._since == math.inf, now - self._since >= TOGETHER_SECONDS
        if is_first:
            self._since = now
        if _is_unbroken(at):
            if is_later:
                os._exit(128 + number)
            self._wait(number)
        elif is_later or not self._has_ended:
            self._has_ended, self.number = True, number
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            raise Terminated(128 + number)

    def is_lost(self, unraisable: "UnraisableHookArgs") -> bool:
        """Return whether the end was raised where nothing ends; it is raised once more then."""
        if self.number is None or not issubclass(
            unraisable.exc_type, KeyboardInterrupt | Terminated
        ):
            return False
        self._has_ended = False
        self._wait(self.number)
        return True

    def _wait(self, number: int) -> None:
        """Give the signal once more when that has ended."""

        def look(alarm: int, at: FrameType | None) -> None:
            if _is_unbroken(at):
                signal.setitimer(signal.ITIMER_REAL, LOOK_SECONDS)
            else:
                signal.raise_signal(number)

        signal.signal(signal.SIGALRM, look)
        signal.setitimer(signal.ITIMER_REAL, LOOK_SECONDS)


def stopped_by() -> int | None:
    """Return the number of the signal that ended the command; None where none has.

    What was raised for it may come as an error of a library in another language.
    """
    handlers = map(signal.getsignal, SIGNALS)
    numbers = [handler.number for handler in handlers if isinstance(handler, Ending)]
    return next(filter(None, numbers), None)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Have stop signals end what runs within by `Ending`; one that still waits afterwards is
    dropped. Those that are ignored stay so, as under nohup."""
    ending, report = Ending(), sys.unraisablehook

    def report_others(unraisable: "UnraisableHookArgs") -> None:
        if not ending.is_lost(unraisable):
            report(unraisable)

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, ending)
    sys.unraisablehook = report_others
    try:
        yield
    finally:
        sys.unraisablehook = report
        signal.setitimer(signal.ITIMER_REAL, 0)


def _is_unbroken(at: FrameType | None) -> bool:
    """Return whether a frame is of a function in `UNBROKEN`, or is called by one."""
    frame = at
    while frame is not None:
        if frame.f_code.co_filename in UNBROKEN:
            return True
        frame = frame.f_back
    return False
