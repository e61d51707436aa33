"""Ctrl-C and SIGTERM on the command line: the first saves and stops, the second exits."""

import os
import signal
import sys
from types import FrameType, TracebackType
from typing import Any

from core.errors import Stopped


class Interruption:
    """Catches Ctrl-C and SIGTERM while it is entered, in the main thread only.

    The first signal is remembered for `should_stop`; the second exits at once. On leaving after a
    signal the process exits with 130 (Ctrl-C) or 143 (SIGTERM).
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._handlers: dict[int, Any] = {}

    def should_stop(self) -> bool:
        """Return whether a signal has arrived."""
        return self.signal is not None

    def __enter__(self) -> "Interruption":
        for number in (signal.SIGINT, signal.SIGTERM):
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
        if self.signal is not None and (error is None or isinstance(error, Stopped)):
            print(error or "stopped after the last step", file=sys.stderr)
            raise SystemExit(128 + self.signal)

    def _remember(self, number: int, at: FrameType | None) -> None:
        if self.signal is not None:
            raise SystemExit(128 + number)
        self.signal = number
        os.write(2, b"\nfinishing this step and saving; once more stops at once\n")
