"""Apply a function to many items in child processes, with limits on time and memory.

A child that exceeds a limit or crashes is replaced, and its item's result is a `Failure` with the
reason; the other items are not affected.
"""

import contextlib
import gc
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
"""Items that are sent to a child at once: a round trip costs as much as a small item."""

LOOKAHEAD_CHUNKS = 4
"""Chunks for each child that may be read before the oldest item is finished; bounds memory."""

MIN_MEMORY_MB = 16

WAITING = 10
"""An item that waits, for a disk or for the processor, may last so many times its time limit."""

COMMAND = "import sys; sys.path[:] = {path!r}; from core.data.workers import serve; serve({pipe})"
"""A child is a fresh interpreter: it neither inherits threads nor imports the caller's script."""


Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Failure:
    """An item without a result; `reason` is time, memory, crash, error, or a domain's own."""

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
    """Yield each item with its result, in the order of the items.

    `jobs`: child processes; 0 computes in this process, without limits, and raises what `function`
    raises. `seconds`: limit on the processor time of one item, however busy the machine is; by the
    clock it may last `WAITING` times as long. `memory_mb`: limit on the memory of a child.
    `function` must be importable. At most `LOOKAHEAD_CHUNKS` chunks of `chunk_size` items for each
    child are read ahead, so that memory does not grow with the number of items.
    """
    if not jobs:
        yield from ((item, function(item)) for item in items)
        return
    task = pickle.dumps((function, seconds, memory_mb))
    pool = _Pool(task, iter(items), jobs, chunk_size)
    try:
        yield from pool.run()
    finally:
        pool.end()


class _Worker:
    """A child process and the items sent to it, of which it processes the first."""

    def __init__(self, task: bytes):
        self.pipe, theirs = Pipe()
        self.items: deque[int] = deque()
        self.ready = False
        command = COMMAND.format(path=sys.path, pipe=theirs.fileno())
        null = subprocess.DEVNULL
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", command],
                pass_fds=[theirs.fileno()],
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                stdin=null,
                stdout=null,
                stderr=null,
            )
        self.pipe.send_bytes(task)

    def send(self, items: dict[int, Any]) -> None:
        self.items.extend(items)
        with contextlib.suppress(BrokenPipeError):  # noticed when its answer is received
            self.pipe.send(list(items.values()))

    def end(self) -> int:
        """Kill the process if it runs; return its exit code, negative for a signal."""
        self.process.kill()
        self.pipe.close()
        return self.process.wait()


@dataclass
class _Pool:
    """The children, and the items that were read but not yet yielded, by number."""

    task: bytes
    source: Iterator[Any]
    jobs: int
    chunk_size: int
    children: list[_Worker] = field(default_factory=list)
    items: dict[int, Any] = field(default_factory=dict)
    answers: dict[int, Any] = field(default_factory=dict)
    waiting: deque[int] = field(default_factory=deque)
    read: int = 0
    yielded: int = 0

    def run(self) -> Iterator[tuple[Any, Any]]:
        while busy := self._busy():
            for child in busy:
                self._receive(child)
            while self.yielded in self.answers:
                number, self.yielded = self.yielded, self.yielded + 1
                yield self.items.pop(number), self.answers.pop(number)

    def _busy(self) -> list[_Worker]:
        """Send items to idle children; return the children that have answered or ended."""
        idle = self._idle()
        while self._refill() and (child := next(idle, None)):
            size = min(self.chunk_size, len(self.waiting))
            chunk = [self.waiting.popleft() for _ in range(size)]
            child.send({number: self.items[number] for number in chunk})
        pipes = {child.pipe: child for child in self.children if child.items}
        ready = wait(pipes) if pipes else []
        return [pipes[pipe] for pipe in ready]  # type: ignore[index]

    def _idle(self) -> Iterator[_Worker]:
        """Yield children without items, then new ones up to `jobs`."""
        yield from [child for child in self.children if not child.items]
        while len(self.children) < self.jobs:
            self.children.append(_Worker(self.task))
            yield self.children[-1]

    def _refill(self) -> bool:
        """Read items up to the look-ahead; return whether any waits for a child."""
        free = self.jobs * self.chunk_size * LOOKAHEAD_CHUNKS - len(self.items)
        missing = min(self.chunk_size - len(self.waiting), free)
        for item in islice(self.source, max(0, missing)):
            self.items[self.read] = item
            self.waiting.append(self.read)
            self.read += 1
        return bool(self.waiting)

    def _receive(self, child: _Worker) -> None:
        """Receive an answer; a child that has ended instead is replaced, and its item fails."""
        try:
            answered, answer = child.pipe.recv()
        except (EOFError, OSError):
            self._replace(child)
            return
        if answered:
            self.answers[child.items.popleft()] = answer
        elif answer:
            raise answer
        child.ready = True

    def _replace(self, child: _Worker) -> None:
        self.children.remove(child)
        exit_code = child.end()
        if not child.ready:
            raise RuntimeError(f"a child process ended with {exit_code} before it started")
        self.answers[child.items.popleft()] = _failure(exit_code)
        self.waiting.extendleft(reversed(child.items))

    def end(self) -> None:
        for child in self.children:
            child.end()


def _failure(exit_code: int) -> Failure:
    if exit_code == -signal.SIGPROF:
        return Failure("time", "took more processor time than the limit")
    if exit_code == -signal.SIGALRM:
        return Failure("time", f"waited longer than {WAITING} times the limit")
    if exit_code < 0:
        return Failure("crash", f"the process was ended by {signal.Signals(-exit_code).name}")
    return Failure("crash", f"the process ended with exit code {exit_code}")


def _call(function: Callable[[Any], Any], item: Any) -> Any:
    """Return the function's result, or a `Failure` for whatever it raises."""
    try:
        return function(item)
    except MemoryError:
        return Failure("memory", "asked for more memory than the limit")
    except Exception as error:
        return Failure("error", f"{type(error).__name__}: {error}")


def serve(pipe: int) -> None:
    """Run a child: receive items and send answers until the other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C and ends its children
    connection = Connection(pipe)
    try:
        function, seconds, memory_mb = connection.recv()
        _limit_memory(memory_mb)
    except Exception as error:
        connection.send((False, RuntimeError(f"a child process cannot start: {error}")))
        return
    connection.send((False, None))
    gc.freeze()  # what is there stays; so a collection looks at what an item has left alone
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            for item in connection.recv():
                with _limited_time(seconds):
                    answer = _call(function, item)
                gc.collect()  # what one item leaves in cycles would count as memory of the next
                connection.send((True, answer))


@contextlib.contextmanager
def _limited_time(seconds: float) -> Iterator[None]:
    """End this process by a signal after so many seconds of its work, or `WAITING` times as many.

    The kernel's timers end it within a call of a library as well, where no Python runs.
    """
    limits = {signal.ITIMER_PROF: seconds, signal.ITIMER_REAL: WAITING * seconds}
    for timer, limit in limits.items():
        signal.setitimer(timer, limit)
    yield
    for timer in limits:
        signal.setitimer(timer, 0)


def _limit_memory(memory_mb: int) -> None:
    """Limit the data segment to its present size and what remains of `memory_mb`."""
    sizes_kb = {line.split(":")[0]: int(line.split()[1]) for line in _status()}
    free_mb = max(MIN_MEMORY_MB, memory_mb - sizes_kb.get("VmRSS", 0) // 1024)
    _, hard_limit = resource.getrlimit(resource.RLIMIT_DATA)
    data_bytes = sizes_kb.get("VmData", 1 << 20) << 10
    resource.setrlimit(resource.RLIMIT_DATA, (data_bytes + (free_mb << 20), hard_limit))


def _status() -> list[str]:
    """Return the memory lines of /proc/self/status; without it none, and 1 GB is assumed."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return []
    return [line for line in lines if line.startswith("Vm")]
