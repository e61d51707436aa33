"""Work on many items in child processes, where one bad item cannot stop the rest.

Each child has a time limit for an item and a memory limit. A child that hangs, crashes or asks for
too much is replaced, and its item comes back as `Lost` with the reason.
"""

import contextlib
import multiprocessing
import resource
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Lost:
    """An item that no child could finish: reason is `time`, `memory` or `crash`."""

    reason: str
    detail: str


@dataclass
class _Child:
    """One process, and the number of the item it works on."""

    process: BaseProcess
    pipe: Connection
    item: int = -1
    deadline: float = field(default=0.0)

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def work(
    function: Callable[[Any], Any],
    items: Iterable[Any],
    jobs: int,
    seconds: float,
    memory_mb: int,
) -> Iterator[Any]:
    """`function` of each item, in the order of the items; `Lost` where a child did not finish.

    `jobs` child processes at once; `seconds` bound one item, `memory_mb` what it may take
    beyond the child itself. Few items are read
    ahead, so that memory does not grow with their number. Exceptions of `function` are raised here.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["numpy", function.__module__])
    children: list[_Child] = []

    def start() -> _Child:
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(function, theirs, memory_mb), daemon=True)
        process.start()
        theirs.close()
        return _Child(process, ours)

    try:
        children += [start() for _ in range(jobs)]
        yield from _run(children, start, iter(items), seconds)
    finally:
        for child in children:
            child.end()


def _run(
    children: list[_Child], start: Callable[[], _Child], items: Iterator[Any], seconds: float
) -> Iterator[Any]:
    """Hand each item to the child whose turn it is; wait for the oldest item first."""
    waiting: deque[int] = deque()  # children in the order of their items
    for turn, item in enumerate(items):
        number = turn % len(children)
        if len(waiting) == len(children):
            yield _answer(children, waiting.popleft(), start, seconds)
        with contextlib.suppress(BrokenPipeError):
            children[number].pipe.send(item)
        waiting.append(number)
    while waiting:
        yield _answer(children, waiting.popleft(), start, seconds)


def _answer(
    children: list[_Child], number: int, start: Callable[[], _Child], seconds: float
) -> Any:
    """What a child has made of its item; a child that has not is replaced."""
    child = children[number]
    if not child.pipe.poll(seconds):
        lost = Lost("time", f"took more than {seconds:g} s")
    else:
        try:
            done, value = child.pipe.recv()
        except (EOFError, OSError):
            child.process.join()
            lost = Lost("crash", f"the reading process ended with {child.process.exitcode}")
        else:
            if done or isinstance(value, Lost):
                return value
            raise value
    child.end()
    children[number] = start()
    return lost


def _serve(function: Callable[[Any], Any], pipe: Connection, memory_mb: int) -> None:
    """A child's life: items in, answers out, within its memory."""
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (_data_bytes() + (memory_mb << 20), most))
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        while True:
            item = pipe.recv()
            try:
                answer = (True, function(item))
            except MemoryError:
                answer = (False, Lost("memory", f"asked for more than {memory_mb} MB"))
            except Exception as error:
                answer = (False, error)
            pipe.send(answer)


def _data_bytes() -> int:
    """What this process holds already; where the system does not say, a generous guess."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 1 << 30
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmData"))
