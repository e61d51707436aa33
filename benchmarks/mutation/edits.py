"""The edits of one line that change its meaning, and samples of them."""

import ast
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

PACKAGES = ("core", "musegen", "videogen", "studio", "gallery")
"""The folders of code."""
UNMUTATED = ("core/papers.py", "core/errors.py", "core/app/report.py", "core/app/doctor.py")
"""Bibliography, and what only words a message."""


@dataclass(frozen=True)
class Mutant:
    """One edit within one line: characters [start, end) of a file give way to `after`.

    `in_function`: the line is executed in calls alone, and not while its module is imported.
    """

    path: str
    line: int
    operator: str
    start: int
    end: int
    after: str
    in_function: bool

    def beside(self, imports: Mapping[str, Sequence[int]]) -> "Mutant":
        """Return the mutant as one of an import, where imports call the function of its line."""
        on_import = self.line in imports.get(self.path, ())
        return replace(self, in_function=self.in_function and not on_import)

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
    *("contextlib.suppress", "mmd"),
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
            of_page = {"scale"} if self.text(node.func).startswith("gr.") else set()
            if keyword.arg in WORDS | LAYOUT | of_page:
                continue
            if self.text(keyword) in DEFAULTS | ASSERTED:
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
        if len(chosen) < count and at not in chosen and compiles(mutant, text_of(root / at[0])):
            chosen[at] = mutant
    return list(chosen.values())


def pool_of(root: Path, only: Sequence[str]) -> list[Mutant]:
    """The mutants of all modules below these paths."""
    paths = sorted(
        str(p.relative_to(root)) for one in PACKAGES for p in (root / one).rglob("*.py")
    )
    chosen = [p for p in paths if p not in UNMUTATED and any(map(p.startswith, only))]
    return [m for path in chosen for m in mutants(path, (root / path).read_text("utf-8"))]


def text_of(path: Path) -> str:
    """Return the text of a file; none if it is absent."""
    return path.read_text("utf-8") if path.is_file() else ""
