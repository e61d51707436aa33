"""Failures of commands: exit codes and sentences."""

import logging
import sys
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner, Result

from core.app.commands.failures import GOES_ON, ErrorGroup
from core.app.commands.signals import Terminated
from core.errors import ConfigError, Resumable, UserError


def failing(error: BaseException) -> Result:
    """A command that fails with an error."""
    app = typer.Typer(cls=ErrorGroup)

    @app.callback()
    def everything() -> None: ...

    @app.command()
    def fail() -> None:
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
        (OSError(5, "Input/output error"), 1, "error: Input/output error"),
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
