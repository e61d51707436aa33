"""Trials of mutants: the tests that matter run on one after the other, several at a time."""

import importlib
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from jaxtyping import install_import_hook

from benchmarks.mutation.edits import PACKAGES, Mutant, text_of
from benchmarks.mutation.executions import Execution, lines_of, relevant_tests, tracer_of
from benchmarks.mutation.functions import exchange
from benchmarks.mutation.processes import PYTEST, copy_of, fork, stand_in
from benchmarks.mutation.selection import Selection


def import_project(source: Path) -> dict[str, list[int]]:
    """Import all code from this copy of the tree, as the tests do, with types checked.

    Each trial is a fork of this process. Returns the lines that the import executes, by module.
    """
    stand_in(source)
    sys.path.insert(1, str(source / "tests"))
    tracer = tracer_of(source)
    with install_import_hook(PACKAGES, "checker.check"), tracer.collect():
        for package in PACKAGES:
            for path in sorted((source / package).rglob("*.py")):
                importlib.import_module(_module_of(str(path.relative_to(source))))
    return lines_of(tracer, source)


def _module_of(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


@dataclass
class Slot:
    """A copy of the tree, in which one mutant at a time runs."""

    source: Path
    tree: Path
    mutant: Mutant
    process: int = 0
    started: float = 0.0
    deadline: float = 0.0
    tests: int = 0

    def start(self, mutant: Mutant, known: Mapping[str, Execution], number: int) -> None:
        names = relevant_tests(mutant, known, self.source, LIMIT)
        path, before = self.tree / mutant.path, text_of(self.source / mutant.path)
        path.write_text(mutant.applied(before), "utf-8")  # for the processes that tests start
        os.utime(path, (number, number))  # compiled modules are known by their source's time
        self.mutant, self.tests = mutant, len(names)
        self.started = time.monotonic()
        seconds = 60 + 5 * sum(known[name].seconds for name in names)
        self.deadline = self.started + PATIENCE * seconds
        work = partial(_try, self.source, self.tree, mutant, Selection(names), round(seconds))
        self.process = fork(self.tree, self.tree.parent / "output.txt", work)

    def outcome(self) -> str | None:
        """One of OUTCOMES, or "failed to run"; None while it runs."""
        ended, status = os.waitpid(self.process, os.WNOHANG)
        if not ended and time.monotonic() < self.deadline:
            return None
        if not ended:
            os.killpg(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
        shutil.copy2(self.source / self.mutant.path, self.tree / self.mutant.path)
        code = os.waitstatus_to_exitcode(status) if ended else -signal.SIGXCPU
        return OUTCOMES.get(code, "failed to run")


def _try(source: Path, tree: Path, mutant: Mutant, selection: Selection, seconds: int) -> int:
    """Run tests for so many seconds of the processor.

    A mutant that a call executes is written into the functions that are imported. Any other, of
    what happens on import, needs a process that imports the tree anew.
    """
    if not selection.names:
        return pytest.ExitCode.NO_TESTS_COLLECTED
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
    options = ["-x", "-q", *PYTEST, f"--basetemp={tree.parent / 'tmp'}"]
    if not _exchanged(source, mutant):
        place = tree.parent / "selection.json"
        selection.write(place)
        program = [sys.executable, "-m", "benchmarks.mutation.selection", str(place)]
        os.execv(sys.executable, [*program, *options])
    return selection.run(["--jaxtyping-packages=", *options])


def _exchanged(source: Path, mutant: Mutant) -> bool:
    """Return whether functions that are imported are those of the mutant now."""
    module, before = sys.modules[_module_of(mutant.path)], text_of(source / mutant.path)
    return mutant.in_function and exchange(module, before, mutant.applied(before))


def run(
    source: Path, chosen: Sequence[Mutant], known: Mapping[str, Execution], workers: int
) -> Generator[dict[str, Any], None, None]:
    """Yield each mutant's outcome as soon as it is known."""
    waiting = list(enumerate(chosen, 1))
    with tempfile.TemporaryDirectory(prefix="mutate-", ignore_cleanup_errors=True) as folder:
        places = [Path(folder) / str(number) for number in range(min(workers, len(chosen)))]
        trees = [copy_of(source, place / "tree") for place in places]
        free, busy = [Slot(source, tree, chosen[0]) for tree in trees], []
        while waiting or busy:
            while waiting and free:
                number, mutant = waiting.pop(0)
                busy.append(free.pop())
                busy[-1].start(mutant, known, number)
            for slot in list(busy):
                if outcome := slot.outcome():
                    busy.remove(slot)
                    free.append(slot)
                    yield _result(slot, outcome)
            time.sleep(0.02)


OUTCOMES = {
    int(pytest.ExitCode.OK): "survived",
    int(pytest.ExitCode.NO_TESTS_COLLECTED): "survived",
    int(pytest.ExitCode.TESTS_FAILED): "killed",
    int(pytest.ExitCode.INTERRUPTED): "killed",  # a file of tests cannot be imported
    int(pytest.ExitCode.USAGE_ERROR): "killed",  # nor can what all tests share
    -signal.SIGXCPU: "timed out",
}
"""Exits of a process of tests. Any other is a crash, or a fault of this program."""

LIMIT = 60.0
"""Seconds of tests for one mutant."""
PATIENCE = 10.0
"""Factor by which the time of a mutant may exceed the processor's: others work, too."""


def _result(slot: Slot, outcome: str) -> dict[str, Any]:
    mutant = slot.mutant
    return {
        "outcome": outcome,
        "where": f"{mutant.path}:{mutant.line}",
        "operator": mutant.operator,
        "diff": mutant.diff(text_of(slot.source / mutant.path)),
        "seconds": round(time.monotonic() - slot.started, 1),
        "tests": slot.tests,
    }
