"""Following work that reports its progress by a callback, as the steps of a handler.

A handler that is cancelled is closed: the work then stops at its next report.
"""

import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from core.errors import Stopped

SECONDS = 0.5
"""Time between two looks at the work."""


@dataclass
class Following:
    """Work in a thread of its own, and how far it is: `done` of `total`.

    `work` is called with a `Tick`; `result` is what it returned.
    """

    work: Callable[[Callable[[int, int], None]], Any]
    done: int = 0
    total: int = 0
    result: Any = None
    _error: BaseException | None = None
    _stop: threading.Event = field(default_factory=threading.Event)

    def steps(self) -> Generator[float, None, None]:
        """Yield the share that is done, now and then, until the work ends; raise what it raises.

        Closing the iterator stops the work.
        """
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                yield self.done / self.total if self.total else 0.0
                thread.join(SECONDS)
        finally:
            self._stop.set()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self.result = self.work(self._tick)
        except BaseException as error:
            self._error = error

    def _tick(self, done: int, total: int) -> None:
        if self._stop.is_set():
            raise Stopped("stopped: the same wishes go on where this ended")
        self.done, self.total = done, total
