"""Child processes: order, limits, and that a bad item costs only itself."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY
from faults import in_a_child
from peak import peak_mb

from core.data import workers
from core.data.workers import CHUNK_SIZE, LOOKAHEAD_CHUNKS, Failure, map_in_processes

SECONDS = 30.0


def half(number: int) -> int:
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number // 2


def misbehave(item: Any) -> Any:
    """Do what the item says."""
    if item == "hang":
        time.sleep(100)
    if item == "wait":
        time.sleep(0.4)
    if item == "spin":
        sum(range(10**12))  # one call that no Python signal handler could interrupt
    if item == "die":
        os.kill(os.getpid(), signal.SIGSEGV)
    if item == "exit":
        os._exit(7)
    if item == "hoard":
        return len(bytearray(400 << 20))
    if item == "tangle":
        tangled: list[Any] = [bytearray(150 << 20)]
        tangled.append(tangled)
    if item == "resident":
        bytearray(100 << 20)
        return peak_mb()
    return item


def test_results_come_in_the_order_of_the_items():
    got = list(map_in_processes(abs, range(-100, 0), jobs=3, seconds=SECONDS, memory_mb=300))
    assert got == [(n, -n) for n in range(-100, 0)]


def test_in_this_process_nothing_is_caught():
    got = map_in_processes(half, range(4), 0, SECONDS, 300)
    assert next(got) == (0, 0)
    with pytest.raises(ValueError, match="1 is odd"):
        next(got)


def test_an_exception_costs_its_item():
    got = dict(map_in_processes(half, range(4), 1, SECONDS, 300))
    assert got == {
        0: 0,
        1: Failure("error", "ValueError: 1 is odd"),
        2: 1,
        3: Failure("error", "ValueError: 3 is odd"),
    }


def test_a_child_that_hangs_crashes_or_hoards_costs_its_item():
    items = [1, "hang", 2, "die", "spin", 3, "exit", "hoard", 4]
    answers = [
        answer for _, answer in map_in_processes(misbehave, items, 2, seconds=0.1, memory_mb=300)
    ]
    assert [answers[n] for n in (0, 2, 5, 8)] == [1, 2, 3, 4]
    reasons = {items[n]: answers[n].reason for n in (1, 3, 4, 6, 7)}
    assert reasons == {
        "hang": "time", "spin": "time", "die": "crash", "exit": "crash", "hoard": "memory",
    }  # fmt: skip
    assert answers[1].detail == "waited longer than 10 times the limit"
    assert "SIGSEGV" in answers[3].detail
    assert "7" in answers[6].detail


def test_work_is_ended_by_a_clock_of_its_own(monkeypatch: pytest.MonkeyPatch):
    """The signal is that of processor time: by the other clock it could go on for minutes."""
    monkeypatch.setattr(workers, "WAITING", 10_000)

    def spin() -> None:
        with workers._limited_time(0.02):
            misbehave("spin")

    assert in_a_child(spin) == -signal.SIGPROF
    assert workers._failure(-signal.SIGPROF).detail == "took more processor time than the limit"


def test_an_item_that_waits_is_not_one_that_works():
    """Twice its limit by the clock, and no work: as on a machine that is busy with others."""
    assert list(map_in_processes(misbehave, ["wait"], 1, 0.2, 300)) == [("wait", "wait")]


def test_the_memory_limit_counts_all_that_a_child_holds():
    [(_, resident_mb)] = map_in_processes(misbehave, ["resident"], 1, SECONDS, memory_mb=300)
    assert isinstance(resident_mb, float)
    assert 100 < resident_mb < 300
    [(_, refused)] = map_in_processes(misbehave, ["resident"], 1, SECONDS, memory_mb=60)
    assert refused.reason == "memory"


def test_what_an_item_leaves_in_cycles_is_no_memory_of_the_next():
    """So what is rejected does not depend on what the same child has read before."""
    got = map_in_processes(misbehave, ["tangle"] * 5, jobs=1, seconds=SECONDS, memory_mb=400)
    assert [result for _, result in got] == ["tangle"] * 5


def test_few_items_are_read_ahead():
    read = 0

    def items() -> Iterator[int]:
        nonlocal read
        for number in range(1000):
            read += 1
            yield number

    for taken, _ in enumerate(map_in_processes(abs, items(), 2, SECONDS, 300)):
        assert read <= taken + 1 + 2 * CHUNK_SIZE * LOOKAHEAD_CHUNKS


def test_whoever_stops_early_does_not_wait_for_items_in_work():
    results = map_in_processes(misbehave, ["first", "hang"], 2, SECONDS, 300, chunk_size=1)
    assert next(results) == ("first", "first")
    started = time.monotonic()
    results.close()  # type: ignore[attr-defined]  # as a loop over it that is left
    assert time.monotonic() - started < SECONDS / 2


def test_a_function_that_no_child_can_import_is_refused():
    with pytest.raises(RuntimeError, match="cannot start"):
        list(map_in_processes(_unknown_elsewhere(), [1], 1, SECONDS, 300))


def _unknown_elsewhere() -> type:
    """A class of a module that only this process knows."""
    import types

    module = types.ModuleType("known_only_here")
    exec("class Made:\n    def __init__(self, item): pass", module.__dict__)
    sys.modules[module.__name__] = module
    return module.Made


def children(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(child) for child in text.split()]


def gone(processes: list[int]) -> bool:
    """Return True if none of them runs any more, after a little time."""
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{p}/cmdline").exists() for p in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at /proc")
@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGKILL],
)
def test_no_child_outlives_its_parent(number: signal.Signals):
    code = (
        "import signal, sys; sys.path[:0] = ['tests', 'tests/core/data']\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's & ignores it
        "from core.data.workers import map_in_processes\n"
        "from test_workers import misbehave\n"
        "for item, _ in map_in_processes(misbehave, ['begun', 'hang'], 2, 0.3, 300):\n"
        "    print(item, flush=True)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert parent.stdout and parent.stdout.readline() == "begun\n"
    started = children(parent.pid)
    assert started
    parent.send_signal(number)
    assert parent.wait(timeout=10) != 0
    parent.stdout.close()
    assert gone(started)
