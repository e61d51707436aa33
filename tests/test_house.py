"""The house rules that a reader relies on, held by tests over the source itself."""

import ast
import importlib
import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from conftest import REPOSITORY

PACKAGES = ("core", "musegen", "videogen")
SOURCES = [
    REPOSITORY / "cli.py",
    *(p for name in PACKAGES for p in (REPOSITORY / name).rglob("*.py")),
]
TREE = [*SOURCES, *(REPOSITORY / "tests").rglob("*.py"), *(REPOSITORY / "benchmarks").glob("*.py")]
FORBIDDEN = {
    "core": {"musegen", "videogen", "cli"},
    "musegen": {"videogen", "cli"},
    "videogen": {"musegen", "cli"},
}


def imported(path: Path) -> Iterator[str]:
    """The top-level names that a file imports anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield str(node.module).split(".")[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_theory_knows_no_domain_and_domains_not_each_other(package: str):
    files = list((REPOSITORY / package).rglob("*.py"))
    assert files
    wrong = {p.name: set(imported(p)) & FORBIDDEN[package] for p in files}
    assert not any(wrong.values()), wrong


def test_no_file_switches_the_shape_checks_off():
    wrong = [p.name for p in TREE if re.search(r"^from __future__ import", p.read_text(), re.M)]
    assert not wrong, "postponed annotations are strings, which the checker passes over"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wrong_shape_fails_in_each_package(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "canary.py").write_text(
        "from jaxtyping import Float\n"
        "from torch import Tensor\n"
        "def first(x: Float[Tensor, 'batch 3']) -> Float[Tensor, ' batch']:\n"
        "    return x[:, 0]\n"
    )
    home = importlib.import_module(package)
    monkeypatch.setattr(home, "__path__", [*home.__path__, str(tmp_path)])
    first = importlib.import_module(f"{package}.canary").first
    assert first(torch.ones(5, 3)).shape == (5,)
    with pytest.raises(Exception, match="Type-check error"):
        first(torch.ones(5, 4))


def public_functions(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node


def untyped(function: ast.FunctionDef) -> list[str]:
    """Names of the arguments without annotation, and 'return' where that is missing."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    names = [a.arg for a in arguments if a.annotation is None and a.arg not in ("self", "cls")]
    return names + ["return"] * (function.returns is None)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_public_functions_are_typed(path: Path):
    wrong = {f.name: untyped(f) for f in public_functions(path)}
    assert not any(wrong.values()), wrong


def test_help_imports_neither_torch_nor_numpy():
    code = (
        "import sys, cli\n"
        "try: cli.main()\n"
        "except SystemExit: print([m for m in ('torch', 'numpy') if m in sys.modules])"
    )
    for arguments in (["--help"], ["music", "train", "--help"]):
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=True)
        assert "Usage" in done.stdout
        assert done.stdout.splitlines()[-1] == "[]"


def test_constraints_are_names_and_versions_of_all_that_is_required():
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][A-Za-z0-9.]*", line) for line in lines)
    pinned = {line.split("==")[0].lower().replace("-", "_") for line in lines}
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    required = project["dependencies"] + project["optional-dependencies"]["dev"]
    names = {re.split(r"[\[<>=]", line)[0].lower().replace("-", "_") for line in required}
    assert names - pinned == set()


def test_tests_run_on_one_thread():
    assert torch.get_num_threads() == 1


def test_tests_cannot_reach_the_network(no_network: list[object]):
    with pytest.raises(OSError, match="no network"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    assert no_network == [("192.0.2.1", 80)]
    no_network.clear()  # this attempt was meant


def test_the_theory_tells_every_model():
    """Each recipe by name, and each that the ring can learn with its picture."""
    from core.ring.benchmark import adapting, on_the_ring
    from videogen.recipes import RECIPES

    docs = REPOSITORY / "docs"
    told = (docs / "theory.md").read_text(encoding="utf-8")
    assert [name for name in RECIPES if f"`{name}`" not in told] == []
    for name in (*on_the_ring(), *adapting()):
        assert f"models/ring/{name}.png" in told
        assert (docs / "models" / "ring" / f"{name}.png").is_file()
        assert f"| `{name}` |" in (docs / "models" / "models.md").read_text(encoding="utf-8")
