"""The mutation tester: which edits it makes, and which tests it runs."""

import importlib
import os
import subprocess
import sys
import time

import pytest
from conftest import REPOSITORY

from benchmarks.mutation.edits import Mutant, compiles, mutants, sample
from benchmarks.mutation.executions import (
    Execution,
    digests_of,
    processor_seconds,
    relevant_tests,
)
from benchmarks.mutation.functions import exchange
from benchmarks.mutation.processes import PYTEST
from benchmarks.mutation.selection import Selection
from benchmarks.mutation.trials import OUTCOMES

CASES = {
    "x = a + b": {"x = a - b"},
    "x = a ** 2.5": {"x = a * 2.5", "x = a ** 5.0"},
    "x = a < b": {"x = a >= b"},
    "x = len(a) < 3": {"x = len(a) >= 3", "x = len(a) <= 3", "x = len(a) < 4"},
    "x = a not in b": {"x = a in b"},
    "x = a is not b": {"x = a is b"},
    "x = a and b": {"x = a or b"},
    "x = not a": {"x = (a)"},
    "x = -a": {"x = (a)"},
    "x = a[0]": {"x = a[1]"},
    "x = True": {"x = False"},
    "x = min(a)": {"x = max(a)"},
    "x = a.sum()": {"x = a.mean()"},
    "x = a.detach() - b": {"x = a - b", "x = a.detach() + b"},
    "x = f(a, b=c)": {"x = f(a, )"},
    "x = f(b=c, d=e)": {"x = f(d=e)", "x = f(b=c, )"},
    "x = f(a, b)": {"x = f(b, a)", "x = f(a)"},
    "x = a if b else c": {"x = a if (not (b)) else c"},
    "x = [a for a in b if a.c]": {"x = [a for a in b if (not (a.c))]"},
    'x = a["b"] + c["d"]': {
        'x = a["d"] + c["d"]',
        'x = a["b"] + c["b"]',
        'x = a["b"] - c["d"]',
    },
    "def f(a, b):\n    return a": {"def f(a, b):\n    return b"},
    "def f(a):\n    a.b = c": {"def f(a):\n    ..."},
    "def f(a):\n    a = c": {"def f(a):\n    ..."},
    "def f(a):\n    b = c": set(),
    "async def f(a, b):\n    return a": {"async def f(a, b):\n    return b"},
    "def f(a):\n    g(a)": {"def f(a):\n    ..."},
    "with torch.no_grad():\n    x = a": {"with torch.enable_grad():\n    x = a"},
    "@torch.no_grad()\ndef f():\n    return g": {"@torch.enable_grad()\ndef f():\n    return g"},
    # what has no meaning for the program, or is worded for people
    '"""About 1 + 2."""': set(),
    'def f(a: "b + c" = d) -> e[0]:\n    "1 + 2"': set(),
    "from a import b": set(),
    "raise E(a + b)": set(),
    "if TYPE_CHECKING:\n    x = a + b": set(),
    "print(a + b)": set(),
    'x = f(description="a")': set(),
    "x = json.dumps(a, indent=1)": set(),
    'x = p.read_text(encoding="utf-8", errors=a)': {'x = p.read_text(encoding="utf-8", )'},
    'x = p.read_text(encoding="ascii")': {"x = p.read_text()"},
    "x = zip(a, b, strict=True)": {"x = zip(b, a, strict=True)", "x = zip(a, strict=True)"},
    'with ticking("a") as b: c = "d"': {'with ticking("a") as b: c = "a"'},
    "x = Figure(figsize=(a * b, 2))": set(),
    "x = gr.Column(scale=a)": set(),
    "x = f(scale=a)": {"x = f()"},
    "x = mmd(a, b)": {"x = mmd(a)"},
    "x = torch.equal(a, b)": {"x = torch.equal(a)"},
    "x = min(a, b)": {"x = max(a, b)", "x = min(a)"},
    "x = contextlib.suppress(A, B)": {"x = contextlib.suppress(A)"},
    "x = c.equal(a, b)": {"x = c.equal(b, a)", "x = c.equal(a)"},
    "def __repr__(self):\n    return a + b": set(),
    "class A(Protocol):\n    x = 1": set(),
    "X = Literal[1]": set(),
}


@pytest.mark.parametrize("source", CASES)
def test_the_mutants_of_a_line(source):
    found = [m for m in mutants("m.py", source) if compiles(m, source)]
    assert {m.applied(source) for m in found} == CASES[source]


def test_a_mutant_knows_its_line_and_shows_what_it_changes():
    source = 'a = "é"; b = c\n\nd = e + f  # as it was\n'
    (mutant,) = mutants("m.py", source)
    assert (mutant.line, mutant.in_function) == (3, False)
    assert mutant.diff(source) == "- d = e + f  # as it was\n+ d = e - f  # as it was"


def test_a_sample_has_one_mutant_a_line_and_is_repeatable(tmp_path):
    source = "".join(f"x = a + {n}\n" for n in range(50))
    (tmp_path / "m.py").write_text(source)
    pool = mutants("m.py", source)
    chosen = sample(pool, 20, 1, tmp_path)
    assert len({mutant.line for mutant in chosen}) == 20
    assert chosen == sample(pool, 20, 1, tmp_path) != sample(pool, 20, 2, tmp_path)


def test_what_does_not_compile_is_not_sampled(tmp_path):
    (tmp_path / "m.py").write_text("x = 1\n")
    bad, good = (Mutant("m.py", 1, "constant", 4, 5, after, False) for after in ("1 1", "2"))
    assert sample([bad, good], 2, 0, tmp_path) == [good]


def test_tests_that_execute_the_line_run_the_quickest_first(tmp_path):
    inside, outside = mutants("core/m.py", "x = a + b\ndef f():\n    return a - b\n")[::-1]
    known = {
        "tests/core/t.py::slow": Execution(3.0, {"core/m.py": [3]}),
        "tests/core/t.py::quick": Execution(1.0, {"core/m.py": [3, 4]}),
        "tests/core/t.py::elsewhere": Execution(0.5, {"core/m.py": [4]}),
        "tests/core/u.py::imports": Execution(0.1, {}),
        "tests/core/v.py::other": Execution(0.1, {"core/n.py": [3]}),
        "tests/core/test_m.py::own": Execution(0.2, {}),
    }
    (tmp_path / "tests/core").mkdir(parents=True)
    (tmp_path / "tests/core/u.py").write_text("from core.m import x\n")
    t, u, own = "tests/core/t.py::", "tests/core/u.py::", "tests/core/test_m.py::own"
    assert relevant_tests(inside, known, tmp_path, 60) == [own, t + "quick", t + "slow"]
    assert relevant_tests(inside, known, tmp_path, 2) == [own, t + "quick"]
    found = relevant_tests(outside, known, tmp_path, 60)
    assert found == [u + "imports", own, t + "elsewhere", t + "quick", t + "slow"]


def test_a_line_that_an_import_executes_is_no_longer_one_of_calls_alone():
    """The fresh value of a table that a function makes on import needs a fresh import."""
    (mutant,) = mutants("core/m.py", "def f(a):\n    return a + b\n\n\nTABLE = f(0)\n")[:1]
    assert mutant.in_function
    assert mutant.beside({"core/m.py": [1], "core/n.py": [2]}) == mutant
    assert not mutant.beside({"core/m.py": [1, 2, 5]}).in_function


NAMED = """
import pytest
from m import NAMES
@pytest.mark.parametrize("name", NAMES)
def test_names(name): assert name != "bad"
def test_left_out(): assert False
def test_first(): pass
"""


@pytest.mark.parametrize(
    ("module", "outcome"),
    [
        ('NAMES = ["old", "other"]', "survived"),
        ('NAMES = ["new", "other"]', "survived"),  # named otherwise, which no test notices
        ('NAMES = ["bad", "other"]', "killed"),
        ("NAMES = 1 / 0", "killed"),  # the tests cannot be imported
    ],
)
def test_tests_are_found_whatever_a_mutant_calls_them(tmp_path, module, outcome):
    (tmp_path / "m.py").write_text(module)
    (tmp_path / "test_m.py").write_text(NAMED)
    names = ["test_m.py::test_first", "test_m.py::test_names[old]", "test_m.py::test_names[other]"]
    Selection(names).write(tmp_path / "names.json")
    program = [sys.executable, "-m", "benchmarks.mutation.selection", str(tmp_path / "names.json")]
    options = ["-x", "-q", *PYTEST, "-c", "/dev/null", f"--rootdir={tmp_path}"]
    paths = {"PYTHONPATH": f"{REPOSITORY}{os.pathsep}{tmp_path}"}
    done = subprocess.run(
        [*program, *options], cwd=tmp_path, env=os.environ | paths, text=True, capture_output=True
    )
    assert OUTCOMES.get(done.returncode) == outcome, done.stdout + done.stderr
    assert outcome == "killed" or "3 passed, 1 deselected" in done.stdout


def test_the_lines_of_a_test_are_noted_anew_where_it_or_what_it_runs_has_changed(tmp_path):
    names = ["core/m.py", "musegen/n.py", "tests/helper.py", "tests/test_a.py", "tests/test_b.py"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    tested = {*names} - {"tests/helper.py"}  # doctests, too
    before = digests_of(tmp_path)
    assert before.keys() == tested
    for name in names:
        (tmp_path / name).write_text("x = 2\n")
        after = digests_of(tmp_path)
        anew = {name} if "test_" in name else tested
        assert {file for file in tested if after[file] != before[file]} == anew
        before = after


def test_the_seconds_of_a_test_are_the_processors():
    """Sleep is none; the loop of a subprocess is all of its 0.3 seconds."""
    before = processor_seconds()
    time.sleep(0.3)
    asleep = processor_seconds() - before
    child = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", child], check=True)
    assert asleep < 0.2 < processor_seconds() - before - asleep


def test_functions_that_are_imported_get_the_code_of_another_text(tmp_path, monkeypatch):
    before = (
        "from functools import cache\n"
        "@cache\n"
        "def f(a):\n"
        "    return [a + b for b in (1, 2)]\n"
        "class C:\n"
        "    def g(self, a): return (lambda: a + 4)() + (lambda: a - 8)()\n"
    )
    path = tmp_path / "some_functions.py"
    path.write_text(before)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("some_functions")
    bound = module.C().g
    assert exchange(module, before, before.replace("a + b", "a - b").replace("a - 8", "a + 8"))
    assert module.f(10) == [9, 8] and bound(0) == 12
    assert not exchange(module, before, before.replace("[a + b for b in (1, 2)]", "..."))
    assert not exchange(module, before, before.replace("f(a)", "f(b)"))


PLAIN = """
import sys
import pytest
from core.m import f, g
def test_it(): assert f(1) == 2
def test_failing(): assert f(1) == 3
def test_nothing(): pass

@pytest.fixture(scope="module")
def built(): return g(1)

def test_first(built): assert f(built) == 2
def test_second(built): assert built == 1
"""


CODE = """x = 0


def f(a):
    b = a
    return b + 1


def g(a):
    return a
"""


NOTE = """
import sys
from pathlib import Path
from benchmarks.mutation.executions import executions
tests = executions(Path(sys.argv[1]), Path(sys.argv[2]), 1)
print({name: test.lines for name, test in tests.items()})
"""


def test_the_lines_of_each_test_that_passes_are_kept_by_its_file(tmp_path):
    (tmp_path / "core").mkdir()
    (tmp_path / "core/__init__.py").touch()  # else one that is installed comes first
    (tmp_path / "tests").mkdir()
    (tmp_path / "core/m.py").write_text(CODE)
    (tmp_path / "tests/test_a.py").write_text(PLAIN)

    def noted() -> list[str]:
        """Note lines in a process that has not imported the real core."""
        command = [sys.executable, "-c", NOTE, str(tmp_path), str(tmp_path / "kept")]
        done = subprocess.run(command, cwd=REPOSITORY, text=True, capture_output=True, check=True)
        return done.stdout.splitlines()

    tests = {
        "tests/test_a.py::test_it": {"core/m.py": [5, 6]},
        "tests/test_a.py::test_nothing": {},
        "tests/test_a.py::test_first": {"core/m.py": [5, 6, 10]},
        "tests/test_a.py::test_second": {"core/m.py": [10]},
    }
    assert noted() == ["the fast tests of 3 files run once, traced ...", str(tests)]
    assert noted() == [str(tests)]
