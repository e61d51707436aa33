"""Copies of the tree, and forks of this process that run tests in them."""

import os
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PYTEST = ("-p", "no:cacheprovider", "-p", "no:xdist", "--no-header", "--tb=no")


def copy_of(root: Path, to: Path) -> Path:
    """Copy the tree to be mutated, without what is large or generated."""
    ignored = shutil.ignore_patterns(
        ".git", ".venv", "__pycache__", "build", "runs", "demo", ".*_cache", ".hypothesis"
    )
    shutil.copytree(root, to, ignore=ignored)
    return to


def warm_up() -> None:
    """Import what is slow to import and not of this project: tests run in forks of this."""
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


def stand_in(tree: Path) -> None:
    """Import the project from this copy, here and in all children."""
    shared = os.environ.get("PIANOREEL_SHARED", str(ROOT.parent / "shared"))
    os.environ["PIANOREEL_SHARED"] = shared
    os.environ["PYTHONPATH"] = str(tree)
    sys.path[:] = [str(tree), *(p for p in sys.path if Path(p).resolve() != ROOT)]


def fork(tree: Path, output: Path, work: Callable[[], int]) -> int:
    """Start a process in a copy of the tree that does `work` and exits with what it returns."""
    child = os.fork()
    if child:
        return child
    code = 3
    try:
        os.setpgrp()
        os.chdir(tree)
        quiet = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        stand_in(tree)
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)
