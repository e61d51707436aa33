"""Failures of commands: one sentence on stderr and an exit code.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 stopped but resumable,
130 interrupted, 143 terminated. PIANOREEL_DEBUG=1 shows the traceback of a failure.
"""

import contextlib
import getpass
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from core.app.commands.command import WideHelp
from core.app.commands.printing import printed
from core.app.commands.signals import Terminated, stopped_by
from core.errors import ConfigError, Resumable, Stopped, UserError
from core.files import NO_PLACE, is_full, lacks_temporary_folder, said_of
from core.launch import is_first

FIRST_SPEAKS_SECONDS = 5.0
"""Time for the first of several processes to say why all end: torchrun ends them with the first
that ends."""
GOES_ON = "files that were written are whole, and the same command goes on"
TERMINATED = f"terminated: {GOES_ON}"
NO_MAPPING = "failed to map segment"
"""Words of the system's loader where a library finds no memory."""


class _ToStderr(logging.Handler):
    """Prints messages of the library as plain lines."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr)


def print_messages() -> None:
    """Print what the library logs to stderr; of several processes the first does.

    Matplotlib's remarks on its own folders are not for the user.
    """
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    log = logging.getLogger("pianoreel")
    if not any(isinstance(handler, _ToStderr) for handler in log.handlers):
        log.addHandler(_ToStderr())
        log.setLevel(logging.INFO if is_first() else logging.ERROR)


class ErrorGroup(WideHelp, TyperGroup):
    """A group of commands whose failures are one sentence on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        print_messages()
        try:
            _require_working_folder()
            _name_user()
            with printed():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            raise _stopped(signal.SIGINT) from None
        except Terminated:
            _say_last(TERMINATED)
            raise
        except Exception as error:
            if number := stopped_by():
                raise _stopped(number) from None
            code = _exit_code(error)
            if code is None or os.environ.get("PIANOREEL_DEBUG") == "1":
                raise
            if _may_be_the_firsts(error):
                time.sleep(FIRST_SPEAKS_SECONDS)
            if not _is_printed_by_first(error):
                with contextlib.suppress(OSError):  # a terminal that is closed reads nothing
                    print(f"error: {_sentence(error)}", file=sys.stderr, flush=True)
            raise typer.Exit(code) from error


def _require_working_folder() -> None:
    """Raise `UserError` where the working folder was removed: libraries then end the process."""
    try:
        Path.cwd()
    except FileNotFoundError as error:
        raise UserError("the working folder is no longer there: cd to another one") from error


def _name_user() -> None:
    """Name a user whom the machine does not know, as in a container: torch asks for a name."""
    try:
        getpass.getuser()
    except (KeyError, OSError):  # the second since Python 3.13
        os.environ["LOGNAME"] = str(os.getuid())


def _stopped(number: int) -> typer.Exit:
    """Say that a signal has ended the command; return its end."""
    _say_last(f"interrupted: {GOES_ON}" if number == signal.SIGINT else TERMINATED)
    return typer.Exit(128 + number)


def _say_last(sentence: str) -> None:
    """Print to stderr, of several processes the first; a terminal that is closed reads nothing."""
    if is_first():
        with contextlib.suppress(OSError):
            print(sentence, file=sys.stderr, flush=True)


def _may_be_the_firsts(error: Exception) -> bool:
    """Return whether the first of several processes fails with the same, or will when it has.

    Before they work together each finds out for itself, as that there are no data.
    """
    found_alone = isinstance(error, UserError) and not error.while_joined
    return not is_first() and (found_alone or _is_printed_by_first(error))


def _is_printed_by_first(error: Exception) -> bool:
    """Return whether the first of several processes prints the same."""
    shared = isinstance(error, ConfigError | Stopped) or (
        isinstance(error, UserError) and error.printed_by_first
    )
    return shared and not is_first()


def _exit_code(error: Exception) -> int | None:
    """Return the exit code of a failure; None where typer handles it itself."""
    if type(error).__module__.startswith("typer") or isinstance(error, BrokenPipeError):
        return None
    if isinstance(error, UserError):
        return error.exit_code
    return Resumable.exit_code if is_full(error) or lacks_temporary_folder(error) else 1


def _is_out_of_memory(error: Exception) -> bool:
    """Return whether memory ran out, also that into which torch itself is loaded."""
    try:
        from core.training.memory import is_out_of_memory
    except (ImportError, OSError):  # torch does not load
        return isinstance(error, MemoryError) or NO_MAPPING in str(error)
    return is_out_of_memory(error)


def _sentence(error: Exception) -> str:
    if isinstance(error, UserError):
        return str(error)
    if lacks_temporary_folder(error):
        return NO_PLACE
    if isinstance(error, FileNotFoundError) and error.filename:
        return f"there is no {error.filename}: put it there, or correct its path"
    if isinstance(error, OSError) and (error.strerror or is_full(error)):
        said = said_of(error)
        return f"{said}: make room, and give the command once more" if is_full(error) else said
    if _is_out_of_memory(error):
        return (
            "there is too little memory: ask for less at once; in a training lower the batch with "
            "--set train.batch_size=N"
        )
    if isinstance(error, ImportError | OSError):
        from core.app.doctor import faults

        if fault := next(faults(), None):
            return fault
    message = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{message} (a fault of pianoreel; PIANOREEL_DEBUG=1 shows where)"
