"""Commands in child processes: the same as in a terminal, stopped by a signal.

A training goes on when the page is closed, and stops at a checkpoint when the studio is stopped.
Its command and what it prints lie in the run's folder.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from core.errors import ConfigError, UserError
from core.files import worker_in, write_text
from studio.folder import read_json, read_text

COMMAND, LOG = "command.json", "log.txt"
LAST_LINES = 4
ENTRY = "from cli import main; main()"

Arguments = Sequence[str]
"""Those of the command `pianoreel`."""

_STARTING = threading.Lock()
"""Held by who looks whether a command is at work and starts one: of two at once one is refused."""

_children: list[subprocess.Popen[bytes]] = []


def start(run: Path, arguments: Arguments) -> None:
    """Start a training; `ConfigError` where the run is trained already, or another one is."""
    with _STARTING:
        for folder in run.parent.iterdir():
            if folder.is_dir() and is_running(folder):
                raise ConfigError(f"{folder.name} is being trained: stop it first, or wait for it")
        run.mkdir(parents=True, exist_ok=True)
        write_text(run / COMMAND, json.dumps(list(arguments)))
        _launch(run, arguments)


def launch(folder: Path, arguments: Arguments) -> None:
    """Start a command that writes to a folder, and print to its log there."""
    with _STARTING:
        if _child_of(folder):
            raise ConfigError(f"{folder.name} is still at work: wait for it")
        _launch(folder, arguments)


def _launch(folder: Path, arguments: Arguments) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOG).open("ab") as log:
        _children.append(
            subprocess.Popen(
                [sys.executable, "-c", ENTRY, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                start_new_session=True,
            )
        )


def is_running(run: Path) -> bool:
    """Return whether a process trains the run, or begins to."""
    return worker_in(run) is not None or _child_of(run) is not None


def _child_of(run: Path) -> subprocess.Popen[bytes] | None:
    running = (child for child in _children if child.poll() is None)
    return next((child for child in running if _writes_to(run, child.args)), None)


def _writes_to(folder: Path, arguments: Any) -> bool:
    return ("--to", str(folder)) in pairwise(arguments)


def stop(run: Path) -> None:
    """Ask the process to save and stop."""
    child = _child_of(run)
    process = child.pid if child else worker_in(run)
    if process is None:
        raise UserError(f"{run.name} is not being trained")
    os.kill(process, signal.SIGTERM)


def stop_all() -> None:
    """Ask all children to save and stop, and wait until they have."""
    running = [child for child in _children if child.poll() is None]
    for child in running:
        child.send_signal(signal.SIGTERM)
    for child in running:
        child.wait()


def command_of(run: Path) -> list[str]:
    """Return the command that trains the run; `UserError` where the studio does not know it."""
    path = run / COMMAND
    if not path.is_file():
        raise UserError(f"{run.name} was started in a terminal: the same command goes on there")
    arguments = read_json(path, [])
    if not _trains(run, arguments):
        raise UserError(f"{path} is no command that trains {run.name}")
    return arguments


def _trains(run: Path, arguments: Any) -> bool:
    """Return whether these are the arguments of a training in the run's own folder."""
    is_text = isinstance(arguments, list) and all(isinstance(one, str) for one in arguments)
    return is_text and arguments[1:2] == ["train"] and _writes_to(run, arguments)


def with_minutes(arguments: Arguments, minutes: float) -> list[str]:
    """Return the command with another budget.

    >>> with_minutes(["music", "train", "data", "--minutes", "5", "--to", "run"], 20)
    ['music', 'train', 'data', '--to', 'run', '--minutes', '20']
    """
    rest = list(arguments)
    if "--minutes" in rest:
        at = rest.index("--minutes")
        del rest[at : at + 2]
    return [*rest, "--minutes", f"{minutes:g}"]


def last_lines(run: Path) -> list[str]:
    """Return what the command has printed last."""
    lines = read_text(run / LOG).splitlines()
    return [line for line in lines if line.strip()][-LAST_LINES:]
