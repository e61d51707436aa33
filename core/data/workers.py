"""Work on many items in child processes, where one bad item cannot stop the rest.

Each child has a time limit for an item and a memory limit. A child that hangs, crashes or asks for
too much is replaced, and its item comes back as `Failure` with the reason.
"""

import contextlib
import os
import pickle
import resource
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any, TypeVar

CHUNK_SIZE = 8
"""Items that a child is given at once: its way back to us costs as much as a small item."""

AHEAD = 4
"""Rounds of items that may be read before the oldest is done: this bounds the memory."""

LEAST_MEMORY_MB = 16

BEGIN = "import sys; sys.path[:] = {path!r}; from core.data.workers import serve; serve({pipe})"
"""A child is a plain interpreter: it neither inherits threads nor imports the caller's script."""


Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Failure:
    """An item without result; the reason is time, memory, crash, error, or one of the domain's."""

    reason: str
    detail: str


def map_in_processes(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    jobs: int,
    seconds: float,
    memory_mb: int,
    chunk_size: int = CHUNK_SIZE,
) -> Iterator[tuple[Item, Result | Failure]]:
    """Each item with what `function` makes of it, in the order of the items.

    `jobs` child processes work at once; 0 means in this process, where nothing is limited and what
    `function` raises is raised here. `seconds` bound one item, `memory_mb` what a child holds in
    all. `function` must be importable. Few items are read ahead, so that memory does not grow with
    their number: fewer where less is `handed` to a child at once.
    """
    if not jobs:
        yield from ((item, function(item)) for item in items)
        return
    task = pickle.dumps((function, seconds, memory_mb))
    crew = _Crew(task, iter(items), jobs, chunk_size)
    try:
        yield from crew.run()
    finally:
        crew.end()


class _Child:
    """One process, and the items it was given, of which it works on the first."""

    def __init__(self, task: bytes):
        self.pipe, theirs = Pipe()
        self.items: deque[int] = deque()
        self.ready = False
        begin = BEGIN.format(path=sys.path, pipe=theirs.fileno())
        quiet = subprocess.DEVNULL
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", begin],
                pass_fds=[theirs.fileno()],
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                stdin=quiet,
                stdout=quiet,
                stderr=quiet,
            )
        self.pipe.send_bytes(task)

    def hand(self, items: dict[int, Any]) -> None:
        self.items.extend(items)
        with contextlib.suppress(BrokenPipeError):  # heard of when its answer is read
            self.pipe.send(list(items.values()))

    def end(self) -> int:
        """Kill it if it still runs; its exit code, negative for a signal."""
        self.process.kill()
        self.pipe.close()
        return self.process.wait()


@dataclass
class _Crew:
    """The children, and the items that are read but not yet yielded, by their number."""

    task: bytes
    source: Iterator[Any]
    jobs: int
    chunk_size: int
    children: list[_Child] = field(default_factory=list)
    items: dict[int, Any] = field(default_factory=dict)
    answers: dict[int, Any] = field(default_factory=dict)
    waiting: deque[int] = field(default_factory=deque)
    read: int = 0
    yielded: int = 0

    def run(self) -> Iterator[tuple[Any, Any]]:
        while busy := self._busy():
            for child in busy:
                self._hear(child)
            while self.yielded in self.answers:
                number, self.yielded = self.yielded, self.yielded + 1
                yield self.items.pop(number), self.answers.pop(number)

    def _busy(self) -> list[_Child]:
        """Give idle children their next items; then those that have said something, or ended."""
        idle = self._idle()
        while self._refill() and (child := next(idle, None)):
            given = [
                self.waiting.popleft() for _ in range(min(self.chunk_size, len(self.waiting)))
            ]
            child.hand({number: self.items[number] for number in given})
        pipes = {child.pipe: child for child in self.children if child.items}
        said = wait(pipes) if pipes else []
        return [pipes[pipe] for pipe in said]  # type: ignore[index]

    def _idle(self) -> Iterator[_Child]:
        """Children with nothing to do, then new ones while there are too few."""
        yield from [child for child in self.children if not child.items]
        while len(self.children) < self.jobs:
            self.children.append(_Child(self.task))
            yield self.children[-1]

    def _refill(self) -> bool:
        """Read items ahead, but not far; whether one waits for a child."""
        ahead = self.jobs * self.chunk_size * AHEAD - len(self.items)
        most = min(self.chunk_size - len(self.waiting), ahead)
        for item in islice(self.source, max(0, most)):
            self.items[self.read] = item
            self.waiting.append(self.read)
            self.read += 1
        return bool(self.waiting)

    def _hear(self, child: _Child) -> None:
        """Take an answer; a child that ended instead is let go, with the item it worked on."""
        try:
            answered, answer = child.pipe.recv()
        except (EOFError, OSError):
            self._lose(child)
            return
        if answered:
            self.answers[child.items.popleft()] = answer
        elif answer:
            raise answer
        child.ready = True

    def _lose(self, child: _Child) -> None:
        self.children.remove(child)
        exit_code = child.end()
        if not child.ready:
            raise RuntimeError(f"a child process ended with {exit_code} before it began")
        self.answers[child.items.popleft()] = _lost(exit_code)
        self.waiting.extendleft(reversed(child.items))

    def end(self) -> None:
        for child in self.children:
            child.end()


def _lost(exit_code: int) -> Failure:
    if exit_code == -signal.SIGALRM:
        return Failure("time", "took longer than the limit")
    if exit_code < 0:
        return Failure("crash", f"the process was ended by {signal.Signals(-exit_code).name}")
    return Failure("crash", f"the process ended with exit code {exit_code}")


def _tried(function: Callable[[Any], Any], item: Any) -> Any:
    """What the function makes of an item; whatever it raises costs only that item."""
    try:
        return function(item)
    except MemoryError:
        return Failure("memory", "asked for more memory than the limit")
    except Exception as error:
        return Failure("error", f"{type(error).__name__}: {error}")


def serve(pipe: int) -> None:
    """A child's life: items in, answers out, until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's matter, who ends us
    connection = Connection(pipe)
    try:
        function, seconds, memory_mb = connection.recv()
        _limit_memory(memory_mb)
    except Exception as error:
        connection.send((False, RuntimeError(f"a child process cannot begin: {error}")))
        return
    connection.send((False, None))
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            for item in connection.recv():
                signal.setitimer(signal.ITIMER_REAL, seconds)  # its signal ends this process
                answer = _tried(function, item)
                signal.setitimer(signal.ITIMER_REAL, 0)
                connection.send((True, answer))


def _limit_memory(memory_mb: int) -> None:
    """Bound what the process may hold: its resident memory now, and what it may still ask for."""
    held = {line.split(":")[0]: line.split()[1] for line in _status()}
    free_mb = max(LEAST_MEMORY_MB, memory_mb - int(held.get("VmRSS", 0)) // 1024)
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    data = int(held.get("VmData", 1 << 20)) << 10
    resource.setrlimit(resource.RLIMIT_DATA, (data + (free_mb << 20), most))


def _status() -> list[str]:
    """What the system says of this process; nothing where it does not (then 1 GB is assumed)."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return []
    return [line for line in lines if line.startswith("Vm")]
