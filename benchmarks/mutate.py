"""Mutation testing: change one line's meaning and see whether a test fails.

python benchmarks/mutate.py [--count 200] [--seed 0] [--workers 2] [--only core/theory musegen]

First every fast test runs once while the lines of code that it executes are noted. Then each
mutant of a seeded sample is written into a copy of the tree, and the tests that execute its line
run there, the quickest first, until one fails. A mutant that no test kills is a hole in the tests
or equivalent to the original. Each outcome becomes a line of build/mutants.jsonl at once; the
report, with the diff of each survivor, is build/mutation.json. The lines that a file of tests
executes are noted anew where it or the code has changed.
"""

import argparse
import ast
import hashlib
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("core", "musegen", "videogen", "studio", "gallery")
"""The folders of code."""
UNMUTATED = ("core/papers.py", "core/errors.py", "core/app/report.py", "core/app/doctor.py")
"""Bibliography, and what only words a message."""

# ---------------------------------------------------------------------------- the mutants


@dataclass(frozen=True)
class Mutant:
    """One edit within one line: characters [start, end) of a file give way to `after`."""

    path: str
    line: int
    operator: str
    start: int
    end: int
    after: str
    in_function: bool

    def applied(self, source: str) -> str:
        return source[: self.start] + self.after + source[self.end :]

    def diff(self, source: str) -> str:
        """The line before and after."""
        lines = source.splitlines(), self.applied(source).splitlines()
        old, new = (text[self.line - 1] for text in lines)
        return f"- {old.strip()}\n+ {new.strip()}"


ARITHMETIC = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "//"),
    ast.Pow: ("**", "*"),
}
COMPARISONS = {
    ast.Lt: ("<", (">=", "<=")),
    ast.LtE: ("<=", (">", "<")),
    ast.Gt: (">", ("<=", ">=")),
    ast.GtE: (">=", ("<", ">")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)),
}
PAIRS = (
    ("min", "max"),
    ("any", "all"),
    ("sum", "mean"),
    ("zeros", "ones"),
    ("zeros_like", "ones_like"),
    ("sin", "cos"),
    ("train", "eval"),
    ("floor", "ceil"),
    ("argmin", "argmax"),
    ("softmax", "log_softmax"),
    ("sigmoid", "tanh"),
    ("softplus", "relu"),
)
TWINS = {name: twin for a, b in PAIRS for name, twin in ((a, b), (b, a))}
BUILTINS = {"min", "max", "any", "all"}
DROPPED_METHODS = {"detach", "abs"}
WORDS = {
    *("description", "help", "metavar", "title", "caption", "label", "info", "placeholder"),
    *("stderr", "file", "flush", "device"),
}
"""Keyword arguments that word something for a reader, or say where a tensor lies."""
LAYOUT = {
    *("indent", "box", "title_justify", "fontsize", "figsize", "dpi", "s"),
    *("variant", "min_width", "elem_classes", "max_lines"),
}
"""Keyword arguments that lay out what is worded: JSON, a table, a picture, a page."""
DEFAULTS = {'encoding="utf-8"', 'indexing="ij"'}
"""Keyword arguments that state the default: without them the same is done (UTF-8 platforms)."""
ASSERTED = {"strict=True"}
"""Keyword arguments by which the program asserts: they refuse what never happens."""
COMMUTATIVE = {
    *(f"torch.{name}" for name in ("promote_types", "equal", "minimum", "maximum", "logaddexp")),
    *("np.minimum", "np.maximum", "math.gcd"),
    *("min", "max"),  # of two numbers
    "contextlib.suppress",
}
"""Functions whose first two arguments can be swapped."""
READERS = {
    *("isinstance", "issubclass", "cast", "TypeVar"),
    *("print", "ticking", "Paper", "Option", "Argument"),
}
"""Calls whose arguments are types or are read by people."""
WORDING = re.compile(r"__repr__|_?(print|show|describe|sentence|picture|draw_)\w*")
"""Functions that only present."""
KEY = re.compile(r"[a-z][a-z_0-9]{0,20}")


def mutants(path: str, source: str) -> list[Mutant]:
    """All one-line mutants of a module, each once; a few of them do not compile."""
    finder = _Finder(path, source)
    finder.visit(ast.parse(source))
    found = {}
    for mutant in finder.found:
        if mutant.after != source[mutant.start : mutant.end]:
            found.setdefault((mutant.start, mutant.end, mutant.after), mutant)
    return list(found.values())


def compiles(mutant: Mutant, source: str) -> bool:
    """Return whether a mutant is a program."""
    try:
        compile(mutant.applied(source), "mutant", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


class _Finder(ast.NodeVisitor):
    """Walk a module and note each edit that changes its meaning."""

    def __init__(self, path: str, source: str):
        self.path, self.source = path, source
        self.lines = source.splitlines(keepends=True)
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))
        self.found: list[Mutant] = []
        self.functions: list[set[str]] = []
        constants = (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Constant))
        self.keys = sorted({str(n.value) for n in constants if _is_key(n)})

    def offset(self, line: int, column: int) -> int:
        """Convert a position as ast gives it, its column in bytes of UTF-8."""
        before = self.lines[line - 1].encode()[:column].decode()
        return self.starts[line - 1] + len(before)

    def span(self, node: Any) -> tuple[int, int]:
        return (
            self.offset(node.lineno, node.col_offset),
            self.offset(node.end_lineno, node.end_col_offset),
        )

    def text(self, node: ast.AST) -> str:
        start, end = self.span(node)
        return self.source[start:end]

    def edit(self, operator: str, start: int, end: int, after: str) -> None:
        line = self.source.count("\n", 0, start)
        if "\n" in self.source[start:end]:
            return
        inside = bool(self.functions)
        self.found.append(Mutant(self.path, line + 1, operator, start, end, after, inside))

    def replace(self, operator: str, node: ast.AST, after: str) -> None:
        self.edit(operator, *self.span(node), after)

    # what is left as it is

    def visit_Import(self, node: ast.Import) -> None: ...
    def visit_ImportFrom(self, node: ast.ImportFrom) -> None: ...
    def visit_JoinedStr(self, node: ast.JoinedStr) -> None: ...
    def visit_Raise(self, node: ast.Raise) -> None: ...

    def visit_Assert(self, node: ast.Assert) -> None:
        self.visit(node.test)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if any("Protocol" in ast.unparse(base) for base in node.bases):
            return
        for part in node.body:
            self.visit(part)

    # statements

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for decorator in node.decorator_list:
            if "no_grad" in self.text(decorator):
                self.replace("gradients kept", decorator, "torch.enable_grad()")
        if WORDING.fullmatch(node.name):
            return
        arguments = node.args
        for default in (*arguments.defaults, *filter(None, arguments.kw_defaults)):
            self.visit(default)
        named = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
        self.functions.append({a.arg for a in named if a.arg not in ("self", "cls")})
        for part in node.body:
            self.visit(part)
        self.functions.pop()

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):
            return
        if isinstance(node.value, ast.Call) and self.functions:
            self.replace("statement deleted", node, "...")
        self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        if isinstance(node.value, ast.Subscript) and self.text(node.value)[0].isupper():
            return  # an alias of a type
        (target, *_) = node.targets
        repeated = isinstance(target, ast.Name) and self.functions and self._known(target.id)
        if self.functions and (isinstance(target, ast.Attribute | ast.Subscript) or repeated):
            self.replace("statement deleted", node, "...")
        self.visit(node.value)
        for name in ast.walk(target):
            if isinstance(name, ast.Name) and self.functions:
                self.functions[-1].add(name.id)

    def _known(self, name: str) -> bool:
        return name in self.functions[-1]

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.replace("statement deleted", node, "...")
        self.visit(node.value)

    def visit_Return(self, node: ast.Return) -> None:
        if isinstance(node.value, ast.Name):
            others = sorted(self.functions[-1] - {node.value.id})
            for other in others[:1]:
                self.replace("another variable returned", node.value, other)
        if node.value is not None:
            self.visit(node.value)

    def visit_With(self, node: ast.With) -> None:
        for item in node.items:
            if self.text(item.context_expr) == "torch.no_grad()":
                self.replace("gradients kept", item.context_expr, "torch.enable_grad()")
            else:
                self.visit(item.context_expr)
        for part in node.body:
            self.visit(part)

    def visit_If(self, node: ast.If) -> None:
        if self.text(node.test) == "TYPE_CHECKING":
            return
        self._negate(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    # expressions

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self._negate(test)
        self.generic_visit(node)

    def _negate(self, test: ast.expr) -> None:
        if not isinstance(test, ast.UnaryOp | ast.Compare):
            self.replace("condition negated", test, f"(not ({self.text(test)}))")

    def _between(self, operator: str, left: ast.AST, right: ast.AST, old: str, new: str) -> None:
        """Replace an operator's sign, which stands between its two sides."""
        start, end = self.span(left)[1], self.span(right)[0]
        pattern = rf"\b{re.sub(' ', '[ ]+', old)}\b" if old.isalpha() else re.escape(old)
        pattern = old.replace(" ", r"\s+") if " " in old else pattern
        if match := re.search(pattern, self.source[start:end]):
            self.edit(operator, start + match.start(), start + match.end(), new)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        kind = type(node.op)
        text = isinstance(node.left, ast.Constant) and isinstance(node.left.value, str)
        if kind in ARITHMETIC and not text:
            self._between("arithmetic", node.left, node.right, *ARITHMETIC[kind])
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        sides = (node.left, *node.comparators)
        for left, kind, right in zip(sides, node.ops, sides[1:], strict=False):
            old, news = COMPARISONS[type(kind)]
            whole = any(isinstance(s, ast.Constant) and type(s.value) is int for s in sides)
            for new in news if whole else news[:1]:  # on real numbers the bound has no mass
                self._between("comparison", left, right, old, new)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._between("and, or", left, right, old, new)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not | ast.USub) and not (
            isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant)
        ):
            self.replace("sign or not dropped", node, f"({self.text(node.operand)})")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, bool):
            self.replace("constant", node, str(not value))
        elif isinstance(value, int):
            self.replace("constant", node, str({0: 1, 1: 0}.get(value, value + 1)))
        elif isinstance(value, float):
            self.replace("constant", node, str(2 * value or 1.0))
        elif isinstance(value, str) and value in self.keys and len(self.keys) > 1:
            after = self.keys[(self.keys.index(value) + 1) % len(self.keys)]
            self.replace("key", node, f'"{after}"')

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else self.text(node.func)
        if name in READERS:
            return
        self._rename(node, name)
        positional = node.args
        if (
            len(positional) > 1
            and not any(isinstance(a, ast.Starred) for a in positional[:2])
            and self.text(node.func) not in COMMUTATIVE
        ):
            first, second = (self.text(a) for a in positional[:2])
            start, end = self.span(positional[0])[0], self.span(positional[1])[1]
            between = self.source[self.span(positional[0])[1] : self.span(positional[1])[0]]
            self.edit("arguments swapped", start, end, f"{second}{between}{first}")
        if len(positional) > 1:
            start, end = self.span(positional[-2])[1], self.span(positional[-1])[1]
            self.edit("argument dropped", start, end, "")
        for keyword in node.keywords:
            if keyword.arg in WORDS | LAYOUT or self.text(keyword) in DEFAULTS | ASSERTED:
                continue
            if keyword.arg is not None:
                start, end = self.span(keyword)
                after = re.match(r"\s*,?\s*", self.source[end:])
                self.edit("argument dropped", start, end + (after.end() if after else 0), "")
            self.visit(keyword.value)
        self.visit(node.func)
        for argument in positional:
            self.visit(argument)

    def _rename(self, node: ast.Call, name: str) -> None:
        method = isinstance(node.func, ast.Attribute)
        end = self.span(node.func)[1]
        if name in TWINS and (method or name in BUILTINS):
            self.edit("function", end - len(name), end, TWINS[name])
        if method and name in DROPPED_METHODS and not node.args:
            start = self.span(node.func.value)[1]  # type: ignore[attr-defined]
            self.edit(f"{name} dropped", start, self.span(node)[1], "")


def _is_key(constant: ast.Constant) -> bool:
    """Return True for a constant that is a name by which something is looked up, and no text."""
    return isinstance(constant.value, str) and bool(KEY.fullmatch(constant.value))


def sample(pool: Sequence[Mutant], count: int, seed: int, root: Path) -> list[Mutant]:
    """`count` mutants in random order that compile, no two of one line."""
    chosen: dict[tuple[str, int], Mutant] = {}
    for mutant in random.Random(seed).sample(list(pool), len(pool)):
        at = mutant.path, mutant.line
        if len(chosen) < count and at not in chosen and compiles(mutant, _text(root / at[0])):
            chosen[at] = mutant
    return list(chosen.values())


def pool_of(root: Path, only: Sequence[str]) -> list[Mutant]:
    """The mutants of all modules below these paths."""
    paths = sorted(
        str(p.relative_to(root)) for one in PACKAGES for p in (root / one).rglob("*.py")
    )
    chosen = [p for p in paths if p not in UNMUTATED and any(map(p.startswith, only))]
    return [m for path in chosen for m in mutants(path, (root / path).read_text("utf-8"))]


# ---------------------------------------------------------------------------- which tests matter


@dataclass(frozen=True)
class Execution:
    """A test that passes, its seconds, and the lines of code that it executes, by module.

    `seconds`: of the processor, for the test and its subprocesses. Other work on the machine does
    not lengthen them, so that it does not decide which tests run.
    """

    seconds: float
    lines: dict[str, list[int]]


class Tracer:
    """A plugin of pytest that notes the lines of code that each test executes."""

    def __init__(self, root: Path):
        self.root = len(str(root)) + 1
        self.folders = tuple(f"{root}{os.sep}{package}{os.sep}" for package in PACKAGES)
        self.lines: dict[str, set[int]] = {}
        self.tests: dict[str, Execution] = {}
        self.failed: set[str] = set()

    def trace(self, frame: Any, event: str, argument: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(self.folders):
            return None
        seen = self.lines.setdefault(name[self.root :], set())

        def local(frame: Any, event: str, argument: Any) -> Any:
            if event == "line":
                seen.add(frame.f_lineno)
            return local

        return local if frame.f_code.co_name != "<module>" else None

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.outcome != "passed":
            self.failed.add(report.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        self.lines = {}
        started = processor_seconds()
        threading.settrace(self.trace)
        sys.settrace(self.trace)
        result = yield
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]
        lines = {path: sorted(numbers) for path, numbers in self.lines.items() if numbers}
        self.tests[item.nodeid] = Execution(processor_seconds() - started, lines)
        return result


def processor_seconds() -> float:
    """Return the processor's seconds of this process and of its finished children."""
    return sum(os.times()[:4])


def executions(root: Path, kept: Path, workers: int) -> dict[str, Execution]:
    """Run the fast tests once, traced; those of a file are kept until it or the code changes."""
    stored = json.loads(kept.read_text("utf-8")) if kept.exists() else {}
    digests = digests_of(root)
    known = {file: traced for file, traced in stored.items() if traced[0] == digests.get(file)}
    missing = [file for file in digests if file not in known]
    if missing:
        print(f"the fast tests of {len(missing)} files run once, traced ...", flush=True)
        tests = _traced(root, missing, workers)
        for file in missing:
            own = {name: test for name, test in tests.items() if _file_of(name) == file}
            known[file] = (digests[file], own)
        kept.write_text(json.dumps(known), "utf-8")
    return {n: Execution(**test) for _, tests in known.values() for n, test in tests.items()}


def _file_of(test: str) -> str:
    return test.partition("::")[0]


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


def _traced(root: Path, files: Sequence[str], workers: int) -> dict[str, Any]:
    """The executions of all tests that pass, their files dealt out to the workers."""
    tests: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="mutate-", ignore_cleanup_errors=True) as folder:
        own = [Path(folder) / str(number) for number in range(min(workers, len(files)))]
        children = []
        for number, place in enumerate(own):
            share, tree = files[number :: len(own)], _copy(root, place / "tree")
            children.append(_fork(tree, place, partial(_trace, tree, share)))
        for child, place in zip(children, own, strict=True):
            os.waitpid(child, 0)
            if not (place / "map.json").exists():
                sys.exit((place / "output.txt").read_text("utf-8"))
            tests |= json.loads((place / "map.json").read_text("utf-8"))
    return tests


def _trace(tree: Path, files: Sequence[str]) -> int:
    tracer = Tracer(tree)
    pytest.main(["-q", *PYTEST, *files], plugins=[tracer])
    passed = {n: asdict(t) for n, t in tracer.tests.items() if n not in tracer.failed}
    (tree.parent / "map.json").write_text(json.dumps(passed), "utf-8")
    return 0


def relevant_tests(
    mutant: Mutant, known: dict[str, Execution], root: Path, limit: float
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
        files = {_file_of(name) for name in known}
        importing = {f for f in files if re.search(rf"\b{module}\b", _text(root / f))}
        found |= {n for n in known if _file_of(n) in importing or mutant.path in n}
    found |= {name for name in known if _file_of(name) == own}
    chosen, total = [], 0.0
    near = f"tests/{Path(mutant.path).parts[0]}/"
    for name in sorted(found, key=lambda n: (not n.startswith(near), known[n].seconds)):
        total += known[name].seconds
        if total < limit:
            chosen.append(name)
    return chosen


def _text(path: Path) -> str:
    return path.read_text("utf-8") if path.is_file() else ""


# ---------------------------------------------------------------------------- running mutants

PYTEST = ("-p", "no:cacheprovider", "-p", "no:xdist", "--no-header", "--tb=no")


def _copy(root: Path, to: Path) -> Path:
    """A copy of the tree to be mutated, without what is large or generated."""
    ignored = shutil.ignore_patterns(
        ".git", ".venv", "__pycache__", "build", "runs", "demo", ".*_cache", ".hypothesis"
    )
    shutil.copytree(root, to, ignore=ignored)
    return to


def warm_up() -> None:
    """Import what is slow to import and not of this project: each mutant is a fork of this."""
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["MPLBACKEND"] = "agg"
    import hypothesis
    import jaxtyping
    import matplotlib.pyplot
    import pydantic
    import safetensors.torch
    import torch
    import torch._dynamo
    import typer

    assert hypothesis and jaxtyping and matplotlib and pydantic and typer
    assert safetensors and torch
    assert not any(name.split(".")[0] in PACKAGES for name in sys.modules)


def _fork(tree: Path, folder: Path, work: Any) -> int:
    """Start a process in a copy of the tree that does `work` and exits with what it returns."""
    child = os.fork()
    if child:
        return child
    code = 3
    try:
        os.setsid()
        os.chdir(tree)
        quiet = os.open(folder / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        os.environ["PYTHONPATH"] = str(tree)
        shared = os.environ.get("PIANOREEL_SHARED", str(ROOT.parent / "shared"))
        os.environ["PIANOREEL_SHARED"] = shared
        sys.path[:] = [str(tree), *(p for p in sys.path if Path(p).resolve() != ROOT)]
        code = int(work())
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


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

    def start(self, mutant: Mutant, known: dict[str, Execution], number: int) -> None:
        names = relevant_tests(mutant, known, self.source, LIMIT)
        path = self.tree / mutant.path
        path.write_text(mutant.applied(_text(self.source / mutant.path)), "utf-8")
        os.utime(path, (number, number))  # compiled modules are known by their source's time
        self.mutant, self.tests = mutant, len(names)
        self.started = time.monotonic()
        seconds = 60 + 5 * sum(known[name].seconds for name in names)
        self.deadline = self.started + PATIENCE * seconds
        work = partial(_pytest, self.tree, names, round(seconds))
        self.process = _fork(self.tree, self.tree.parent, work)

    def outcome(self) -> str | None:
        """killed, survived or timed out; None while it runs."""
        ended, status = os.waitpid(self.process, os.WNOHANG)
        if not ended and time.monotonic() < self.deadline:
            return None
        if not ended:
            os.killpg(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
        shutil.copy2(self.source / self.mutant.path, self.tree / self.mutant.path)
        code = os.waitstatus_to_exitcode(status) if ended else -signal.SIGXCPU
        if code == -signal.SIGXCPU:
            return "timed out"
        return "survived" if code in (0, 5) else "killed"


def _pytest(tree: Path, names: list[str], seconds: int) -> int:
    """Run tests for so many seconds of the processor."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
    temporary = tree.parent / "tmp"
    return pytest.main(["-x", "-q", *PYTEST, f"--basetemp={temporary}", *names])


def run(
    source: Path, chosen: Sequence[Mutant], known: dict[str, Execution], workers: int
) -> Generator[dict[str, Any], None, None]:
    """Yield each mutant's outcome as soon as it is known."""
    waiting = list(enumerate(chosen, 1))
    with tempfile.TemporaryDirectory(prefix="mutate-", ignore_cleanup_errors=True) as folder:
        places = [Path(folder) / str(number) for number in range(min(workers, len(chosen)))]
        trees = [_copy(source, place / "tree") for place in places]
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
        "diff": mutant.diff(_text(slot.source / mutant.path)),
        "seconds": round(time.monotonic() - slot.started, 1),
        "tests": slot.tests,
    }


def _line(result: dict[str, Any]) -> str:
    line = "{outcome} {where} ({operator}) {seconds} s, {tests} tests".format(**result)
    return f"{line}\n{result['diff']}" if result["outcome"] == "survived" else line


def main() -> None:
    """Sample, run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", nargs="*", default=PACKAGES, help="paths that begin with these")
    options = parser.parse_args()
    started, build = time.monotonic(), ROOT / "build"
    build.mkdir(exist_ok=True)
    warm_up()
    with tempfile.TemporaryDirectory(prefix="mutate-", ignore_cleanup_errors=True) as folder:
        source = _copy(ROOT, Path(folder) / "source")  # as it is now, whoever works on meanwhile
        known = executions(source, build / "mutation-lines.json", options.workers)
        chosen = sample(pool_of(source, options.only), options.count, options.seed, source)
        results, lines = [], build / "mutants.jsonl"
        lines.write_text("", "utf-8")  # those of the last run
        for result in run(source, chosen, known, options.workers):
            results.append(result)
            with lines.open("a", encoding="utf-8") as file:
                file.write(json.dumps(result) + "\n")
            print(f"{len(results)}/{len(chosen)} {_line(result)}", flush=True)
    counts = {outcome: sum(r["outcome"] == outcome for r in results) for outcome in OUTCOMES}
    killed = 1 - counts["survived"] / max(1, len(results))
    report = {"seed": options.seed, "killed": round(killed, 4), "counts": counts}
    text = json.dumps(report | {"mutants": results}, indent=1)
    (build / "mutation.json").write_text(text + "\n", "utf-8")
    minutes = (time.monotonic() - started) / 60
    print(f"{killed:.1%} of {len(results)} mutants killed in {minutes:.0f} minutes: {counts}")


OUTCOMES = ("killed", "timed out", "survived")

if __name__ == "__main__":
    main()
