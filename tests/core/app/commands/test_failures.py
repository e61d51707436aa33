"""Failures of commands: exit codes and sentences."""

import getpass
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
import typer
from typer.testing import CliRunner, Result

from core.app.commands import failures
from core.app.commands.failures import GOES_ON, ErrorGroup
from core.app.commands.signals import Terminated
from core.errors import ConfigError, Resumable, UserError
from core.files import GET_RIGHT, NO_PLACE


def failing(error: BaseException, before: Callable[[], None] = lambda: None) -> Result:
    """A command that fails with an error."""
    app = typer.Typer(cls=ErrorGroup)

    @app.callback()
    def everything() -> None: ...

    @app.command()
    def fail() -> None:
        before()
        raise error

    return CliRunner().invoke(app, ["fail"])


TOO_LITTLE = (
    "error: there is too little memory: ask for less at once; in a training lower the batch with "
    "--set train.batch_size=N"
)


ROOM = "make room, and give the command once more"


PATH = "put it there, or correct its path"


def test_a_library_does_not_remark_on_its_own_folders(monkeypatch: pytest.MonkeyPatch):
    """It does for a user whose home cannot be written."""
    monkeypatch.setattr(logging.getLogger("matplotlib"), "level", logging.NOTSET)
    failing(UserError("no such song"))
    assert logging.getLogger("matplotlib").getEffectiveLevel() == logging.ERROR


def test_a_working_folder_that_was_removed_is_said(tmp_path: Path, monkeypatch):
    """Torch's libraries would end the process with a word of their own."""
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    said = failing(KeyboardInterrupt())
    cure = "error: the working folder is no longer there: cd to another one\n"
    assert (said.exit_code, said.stderr) == (1, cure)
    tmp_path.mkdir()


def test_a_user_without_a_name_is_called_by_the_number(monkeypatch):
    """It is so in a container that is started for another user: torch asks for a name."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "x")  # restored afterwards
        monkeypatch.delenv(name)
    monkeypatch.setattr("pwd.getpwuid", Mock(side_effect=KeyError("uid not found")))
    failing(UserError("no such song"))
    assert getpass.getuser() == str(os.getuid())


OUT_OF_MEMORY = (
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
)


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (UserError("no such song"), 1, "error: no such song"),
        (ConfigError("no such key"), 2, "error: no such key"),
        (Resumable("the disk is full"), 3, "error: the disk is full"),
        (KeyboardInterrupt(), 130, f"interrupted: {GOES_ON}"),
        (Terminated(143), 143, f"terminated: {GOES_ON}"),
        (Terminated(129), 129, f"terminated: {GOES_ON}"),
        (FileNotFoundError(2, "No such file", "a.mid"), 1, f"error: there is no a.mid: {PATH}"),
        (FileNotFoundError(2, "No usable temporary directory found"), 3, f"error: {NO_PLACE}"),
        (OSError(5, "Input/output error"), 1, "error: Input/output error"),
        (PermissionError(13, "No right", "a.mid"), 1, f"error: No right: a.mid: {GET_RIGHT}"),
        (PermissionError(1, "No right"), 1, "error: No right"),
        (OSError(28, "No space left"), 3, f"error: No space left: {ROOM}"),
        (OSError(27, "Too large", "a", None, "b.mid"), 3, f"error: Too large: b.mid: {ROOM}"),
        (OSError("9 requested and 2 written"), 3, f"error: 9 requested and 2 written: {ROOM}"),
        (
            OSError("no image"),
            1,
            "error: OSError: no image (a fault of pianoreel; PIANOREEL_DEBUG=1 shows where)",
        ),
        *((error, 1, TOO_LITTLE) for error in OUT_OF_MEMORY),
        (
            ZeroDivisionError("division\n  by zero"),
            1,
            "error: ZeroDivisionError: division by zero (a fault of pianoreel; "
            "PIANOREEL_DEBUG=1 shows where)",
        ),
    ],
)
def test_a_failure_is_one_sentence_and_an_exit_code(error, code, sentence, monkeypatch):
    monkeypatch.delenv("PIANOREEL_DEBUG", raising=False)
    result = failing(error)
    assert (result.exit_code, result.stderr, result.stdout) == (code, sentence + "\n", "")


FULL = f"error: No space left on device: {ROOM}\n"


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [(typer.Exit(0), 3, FULL), (ConfigError("no such key"), 2, "error: no such key\n")],
)
def test_output_that_is_lost_is_no_success(error, code: int, said: str, monkeypatch):
    """Python would write what waits as it ends, fail, and say so in its own words."""
    full = Path("/dev/full").open("w")  # noqa: SIM115

    def say() -> None:
        monkeypatch.setattr(sys, "stdout", full)
        print("a" * 9)

    result = failing(error, say)
    assert (result.exit_code, result.stderr) == (code, said)
    full.close()  # nothing waits


def test_output_that_nobody_reads_ends_the_command_without_a_word(monkeypatch):
    ours, theirs = os.pipe()
    os.close(ours)
    closed = os.fdopen(theirs, "w")

    def say() -> None:
        monkeypatch.setattr(sys, "stdout", closed)
        print("a" * 9)

    result = failing(typer.Exit(0), say)
    assert (result.exit_code, result.stderr) == (1, "")
    closed.close()


def _joined(error: UserError) -> UserError:
    error.while_joined = True
    return error


@pytest.mark.parametrize(
    ("error", "waits", "speaks"),
    [
        (UserError("no data"), True, True),  # torchrun ends it meanwhile if the first says so
        (ConfigError("no such key"), True, False),
        (_joined(UserError("no data")), False, True),
        (_joined(ConfigError("no such key")), True, False),
    ],
)
def test_what_the_first_of_several_processes_may_say_waits_for_it(
    error, waits, speaks, monkeypatch
):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    waited: list[float] = []
    monkeypatch.setattr(failures.time, "sleep", waited.append)
    assert failing(error).stderr == (f"error: {error}\n" if speaks else "")
    assert waited == [failures.FIRST_SPEAKS_SECONDS] * waits


def test_memory_into_which_torch_does_not_load_is_too_little(monkeypatch):
    monkeypatch.delitem(sys.modules, "core.training.memory", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)  # its import fails
    result = failing(ImportError("libtorch_cpu.so: failed to map segment from shared object"))
    assert (result.exit_code, result.stderr) == (1, TOO_LITTLE + "\n")


def test_a_failure_of_its_own_is_shown_whole_for_debugging(monkeypatch):
    monkeypatch.setenv("PIANOREEL_DEBUG", "1")
    error = ZeroDivisionError("division by zero")
    result = failing(error)
    assert result.exception is error and result.stderr == ""


def test_wrong_usage_is_the_parsers_matter():
    result = failing(typer.BadParameter("three is no colour"))
    assert result.exit_code == 2
    assert "three is no colour" in result.stderr and "error: three" not in result.stderr
