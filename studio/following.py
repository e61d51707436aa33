"""Following work in a thread of its own, as the steps of a handler.

A handler that is cancelled is closed: the work then stops, `Following` at its next report, and
`Drawing`, which reports nothing, at its next line. What the library logs of the work is kept, for
the page to show it.
"""

import ctypes
import logging
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from core.data.preparation import Tick
from core.errors import Stopped, UserError

PATIENCE = 20.0
"""Seconds within which work ends that was stopped."""

SECONDS = 0.5
"""Time between two looks at the work."""

MOST_SECONDS = 1800.0
"""The longest time that one song or one clip may take."""

TURN = threading.Lock()
"""Held by who draws random numbers: their state is one for all threads."""

_at_work: WeakKeyDictionary[threading.Thread, "Following"] = WeakKeyDictionary()


class _Listening(logging.Handler):
    """Keeps what the library logs with the work in whose thread it does so."""

    def emit(self, record: logging.LogRecord) -> None:
        if work := _at_work.get(threading.current_thread()):
            work.remarks.append(record.getMessage())


logging.getLogger("pianoreel").addHandler(_Listening(logging.WARNING))


def stop_all() -> None:
    """Stop all work, and wait until it has ended: a process that ends amid it is aborted."""
    running = [*_at_work.items()]
    for thread, work in running:
        work.stop(thread)
    for thread, _ in running:
        thread.join(PATIENCE)


@dataclass
class Following:
    """Work in a thread of its own, and how far it is: `done` of `total`.

    `work` is called with a `Tick`; `result` is what it returned, `remarks` what was logged of it.
    """

    work: Callable[[Tick], Any]
    done: int = 0
    total: int = 0
    result: Any = None
    remarks: list[str] = field(default_factory=list)
    _error: BaseException | None = None
    _stop: threading.Event = field(default_factory=threading.Event)

    @property
    def share(self) -> float:
        """Return the share that is done."""
        return self.done / self.total if self.total else 0.0

    def steps(self) -> Generator[float, None, None]:
        """Yield the seconds that have passed, until the work ends; raise what it raises.

        Closing the iterator stops the work.
        """
        thread, begin = threading.Thread(target=self._run, daemon=True), time.monotonic()
        _at_work[thread] = self
        thread.start()
        try:
            while thread.is_alive():
                yield time.monotonic() - begin
                thread.join(SECONDS)
        finally:
            self.stop(thread)
        if self._error is not None:
            raise self._error

    def stop(self, thread: threading.Thread) -> None:
        """Stop the work, which goes on in this thread."""
        self._stop.set()
        self._interrupt(thread)

    def _interrupt(self, thread: threading.Thread) -> None:
        """Leave work that reports alone: it stops where it does."""

    def _run(self) -> None:
        try:
            self.result = self.work(self._tick)
        except BaseException as error:
            self._error = error

    def _tick(self, done: int, total: int) -> None:
        if self._stop.is_set():
            raise Stopped("stopped: the same wishes go on where this ended")
        self.done, self.total = done, total


class Drawing(Following):
    """Work that draws random numbers and reports nothing; one takes its turn after the other.

    It is interrupted by an exception in its thread, after `MOST_SECONDS` by itself.
    """

    def __init__(self, work: Callable[[], Any]):
        super().__init__(lambda tick: work())
        self._gate, self._is_at_work = threading.Lock(), False

    def steps(self) -> Generator[float, None, None]:
        for seconds in super().steps():
            if seconds > MOST_SECONDS:
                raise UserError(
                    f"stopped after {MOST_SECONDS / 60:g} minutes: ask for less at once"
                )
            yield seconds

    def _run(self) -> None:
        with TURN:
            try:
                with self._gate:
                    self._is_at_work = not self._stop.is_set()
                if self._is_at_work:
                    super()._run()
                with self._gate:
                    self._is_at_work = False
            except Stopped:  # the interruption came when the work had just ended
                return

    def _interrupt(self, thread: threading.Thread) -> None:
        with self._gate:
            if self._is_at_work and thread.ident is not None:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread.ident), ctypes.py_object(Stopped)
                )
