"""Stop signals on the command line: the first saves and stops, a later one exits at once.

Ctrl-C, SIGTERM, and SIGHUP of a terminal that is closed.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

from core.errors import UserError
from core.launch import is_first

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

TOGETHER_SECONDS = 1.0
"""Signals within this time of the first are the same stop.

A terminal signals the whole group and a wrapper passes its signal on, so that a process often gets
one stop twice.
"""

STEP, REST = "finishing this step and saving", "stopping: all steps are saved"
"""Answers to the first signal: while a run trains, and after its last step."""

AFTER_LAST = "stopped after the last step; the same command makes what is left to make"


@contextlib.contextmanager
def exit_at_once() -> Iterator[None]:
    """Have stop signals end the process at once within, without a word: there is nothing to save.

    For imports of the command itself, where an exception would show as a traceback, or as an error
    of a library. In another thread than the main one nothing is changed.
    """
    before: dict[int, Any] = {}
    with contextlib.suppress(ValueError):  # of another thread
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, lambda number, _: os._exit(128 + number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Interruption:
    """Catches stop signals while it is entered, in the main thread only.

    The first signal is remembered for `should_stop`; one that comes `TOGETHER_SECONDS` later or
    more exits at once. On leaving after a signal the process exits with 130 (Ctrl-C), 143
    (SIGTERM) or 129 (SIGHUP), also where an error is said: whoever goes on after errors, as
    `compare` does with other models, stops. A signal that is ignored, as under nohup, stays so.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.answer = STEP
        self._since = 0.0
        self._handlers: dict[int, Any] = {}

    def should_stop(self) -> bool:
        """Return whether a signal has arrived."""
        return self.signal is not None

    def __enter__(self) -> "Interruption":
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, self._remember)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if self.signal is not None and (error is None or isinstance(error, UserError)):
            _say(f"{error or AFTER_LAST}\n")
            raise SystemExit(128 + self.signal)

    def _remember(self, number: int, at: FrameType | None) -> None:
        now = time.monotonic()
        if self.signal is None:
            self.signal, self._since = number, now
            _say(f"\n{self.answer}; once more stops at once\n")
        elif now - self._since >= TOGETHER_SECONDS:
            raise SystemExit(128 + number)


def _say(text: str) -> None:
    """Write to stderr, the first of several processes; a terminal that is closed reads nothing."""
    if not is_first():
        return
    with contextlib.suppress(OSError):
        os.write(2, text.encode(errors="replace"))
