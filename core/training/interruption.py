"""Ctrl-C and SIGTERM: the first lets the step be finished and saved, the second does not."""

import os
import signal
import sys
from types import FrameType, TracebackType
from typing import Any

from core.training.run import Run


class Interruption:
    """Notes the first Ctrl-C or SIGTERM, so that the step can be finished and saved.

    The second one acts at once.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._handlers: dict[int, Any] = {}

    @property
    def noted(self) -> bool:
        return self.signal is not None

    def __enter__(self) -> "Interruption":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._handlers[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.noted:
            raise SystemExit(128 + number)
        self.signal = number
        os.write(2, b"\nfinishing this step and saving; once more stops at once\n")

    def raise_if_noted(self, run: Run) -> None:
        """Leave with exit code 130 or 143 and the sentence that says how to go on."""
        if self.signal is not None:
            print(f"stopped; the same command resumes in {run.folder}", file=sys.stderr)
            raise SystemExit(128 + self.signal)
