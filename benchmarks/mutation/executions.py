"""The lines of code that each test executes, and the tests that matter to a mutant."""

import hashlib
import json
import os
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import coverage
import pytest

from benchmarks.mutation.edits import PACKAGES, Mutant, text_of
from benchmarks.mutation.processes import PYTEST, copy_of, fork


@dataclass(frozen=True)
class Execution:
    """A test that passes, its seconds, and the lines of code that it executes, by module.

    `seconds`: of the processor, for the test and its subprocesses. Other work on the machine does
    not lengthen them, so that it does not decide which tests run.
    """

    seconds: float
    lines: dict[str, list[int]]


def tracer_of(root: Path) -> coverage.Coverage:
    """Return a tracer of the code below `root`."""
    folders = [str(root / package) for package in PACKAGES]
    return coverage.Coverage(data_file=None, config_file=False, source=folders)


def lines_of(tracer: coverage.Coverage, root: Path) -> dict[str, list[int]]:
    """Return the lines that were executed while it collected, by module."""
    data = tracer.get_data()
    found = {file: data.lines(file) for file in data.measured_files()}
    return {str(Path(f).relative_to(root)): sorted(n) for f, n in found.items() if n}


def union(lines: Iterable[Mapping[str, Sequence[int]]]) -> dict[str, list[int]]:
    """Return all lines of several, by module."""
    found = defaultdict[str, set[int]](set)
    for one in lines:
        for module, numbers in one.items():
            found[module].update(numbers)
    return {module: sorted(numbers) for module, numbers in found.items()}


class Tracer:
    """A plugin of pytest that notes the lines of code that each test executes.

    Those of a fixture that tests share are executed once, and are lines of each of these tests.
    The record of a file of tests is written, to `kept`, as soon as its last test has ended.
    """

    def __init__(self, root: Path, kept: Path, digests: Mapping[str, str]):
        self.root, self.kept, self.digests = root, kept, digests
        self.coverage = tracer_of(root)
        self.tests: dict[str, Execution] = {}
        self.shared: dict[str, dict[str, list[int]]] = {}
        self.failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.outcome != "passed":
            self.failed.add(report.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, Any, Any]:
        if fixturedef.scope != "module":
            return (yield)
        before = lines_of(self.coverage, self.root)
        result = yield
        own = lines_of(self.coverage, self.root)
        news = {module: set(own[module]) - set(before.get(module, ())) for module in own}
        self.shared[fixturedef.argname] = {m: sorted(n) for m, n in news.items() if n}
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, Any, Any]:
        self.coverage.erase()
        started = processor_seconds()
        with self.coverage.collect():
            result = yield
        seconds = processor_seconds() - started
        names = getattr(item, "fixturenames", ())  # doctests may have none
        shared = [self.shared[name] for name in names if name in self.shared]
        lines = union([lines_of(self.coverage, self.root), *shared])
        self.tests[item.nodeid] = Execution(seconds, lines)
        file = file_of(item.nodeid)
        if nextitem is None or file_of(nextitem.nodeid) != file:
            self.keep(file)
        return result

    def keep(self, file: str) -> None:
        """Write the record of a file; an empty one where none of its tests is fast."""
        passed = {n: asdict(t) for n, t in self.tests.items() if n not in self.failed}
        record = {"digest": self.digests[file], "tests": passed}
        _record_of(self.kept, file).write_text(json.dumps(record), "utf-8")
        self.tests, self.shared = {}, {}


def processor_seconds() -> float:
    """Return the processor's seconds of this process and of its finished children."""
    return sum(os.times()[:4])


def executions(root: Path, kept: Path, workers: int) -> dict[str, Execution]:
    """Run the fast tests once, traced; those of a file are kept until it or the code changes."""
    kept.mkdir(parents=True, exist_ok=True)
    digests = digests_of(root)
    missing = [file for file in digests if _stored(kept, file).get("digest") != digests[file]]
    if missing:
        print(f"the fast tests of {len(missing)} files run once, traced ...", flush=True)
        _trace_all(root, kept, missing, digests, workers)
    tests = (_stored(kept, file).get("tests", {}).items() for file in digests)
    return {name: Execution(**test) for file in tests for name, test in file}


def file_of(test: str) -> str:
    """Return the file of a test."""
    return test.partition("::")[0]


def _record_of(kept: Path, file: str) -> Path:
    return kept / f"{file.replace('/', '-')}.json"


def _stored(kept: Path, file: str) -> dict[str, Any]:
    return json.loads(text_of(_record_of(kept, file)) or "{}")


def digests_of(root: Path) -> dict[str, str]:
    """Return for each file of tests a digest of it, of all code and of what tests share."""
    texts = {
        p.relative_to(root): p.read_bytes()
        for folder in (*PACKAGES, "tests")
        for p in (root / folder).rglob("*.py")
    }
    own = {path for path in texts if path.name.startswith("test_")}
    shared = hashlib.sha256()
    for path in sorted(texts.keys() - own):
        shared.update(str(path).encode() + texts[path])
    files = sorted(path for path in texts if path in own or path.parts[0] in PACKAGES)
    return {str(path): hashlib.sha256(shared.digest() + texts[path]).hexdigest() for path in files}


def _trace_all(
    root: Path, kept: Path, files: Sequence[str], digests: Mapping[str, str], workers: int
) -> None:
    """Run the tests of these files, dealt out to the workers."""
    with tempfile.TemporaryDirectory(prefix="mutate-", ignore_cleanup_errors=True) as folder:
        outputs = {}
        for number in range(min(workers, len(files))):
            place, share = Path(folder) / str(number), files[number::workers]
            tree = copy_of(root, place / "tree")
            work = partial(_trace, tree, kept, share, digests)
            outputs[fork(tree, place / "output.txt", work)] = place / "output.txt"
        for child, output in outputs.items():
            if os.waitpid(child, 0)[1]:
                sys.exit(text_of(output))


def _trace(tree: Path, kept: Path, files: Sequence[str], digests: Mapping[str, str]) -> int:
    tracer = Tracer(tree, kept, digests)
    code = pytest.main(["-q", *PYTEST, *files], plugins=[tracer])
    if code not in ENDED:
        return int(code)
    for file in files:
        if _stored(kept, file).get("digest") != digests[file]:
            tracer.keep(file)
    return 0


ENDED = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)


def relevant_tests(
    mutant: Mutant, known: Mapping[str, Execution], root: Path, limit: float
) -> list[str]:
    """The tests that execute a mutant's line, the quickest first, of `limit` seconds at most.

    A line that is executed on import alone matters to all tests that execute anything of its
    module, and to those whose module imports it. A module's own tests run in any case: they may
    execute the line in a subprocess, where it is not traced.
    """
    module = mutant.path.removesuffix(".py").replace("/", ".")
    own = str(Path("tests", mutant.path).with_name(f"test_{Path(mutant.path).name}"))
    found = {
        name
        for name, test in known.items()
        if (
            mutant.line in test.lines.get(mutant.path, ())
            if mutant.in_function
            else mutant.path in test.lines
        )
    }
    if not found or not mutant.in_function:
        files = {file_of(name) for name in known}
        importing = {f for f in files if re.search(rf"\b{module}\b", text_of(root / f))}
        found |= {n for n in known if file_of(n) in importing or mutant.path in n}
    found |= {name for name in known if file_of(name) == own}
    chosen, total = [], 0.0
    near = f"tests/{Path(mutant.path).parts[0]}/"
    for name in sorted(found, key=lambda n: (not n.startswith(near), known[n].seconds)):
        total += known[name].seconds
        if total < limit:
            chosen.append(name)
    return chosen
