"""The end of a command by a stop signal."""

import importlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from conftest import REPOSITORY

import cli
from core.app.commands.failures import GOES_ON, ErrorGroup
from core.app.commands.signals import LOOK_SECONDS, Ending, Terminated, ended_by_signals
from core.files import temporary_folder
from core.training.interruption import SIGNALS


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Restores the handlers of signals."""
    before = {one: signal.getsignal(one) for one in (*SIGNALS, signal.SIGALRM)}
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    for one, handler in before.items():
        signal.signal(one, handler)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_the_command_as_an_error_does(number: int, code: int, monkeypatch):
    """Files that are not finished are removed; where nohup has a signal ignored, it goes on."""
    monkeypatch.setattr(cli, "app", lambda: signal.raise_signal(number))
    signal.signal(number, signal.SIG_DFL)
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == code
    signal.signal(number, signal.SIG_IGN)
    cli.main()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_for_the_end_of_an_import(number: int, tmp_path: Path, monkeypatch):
    """Raised within one, it would end as an error of a library, or never."""
    (tmp_path / "stopped_module.py").write_text(
        f"import signal, time\nsignal.raise_signal({number})\ntime.sleep({3 * LOOK_SECONDS})\n"
        "IS_WHOLE = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    signal.signal(number, signal.SIG_DFL)
    kind = KeyboardInterrupt if number == signal.SIGINT else Terminated
    with pytest.raises(kind), ended_by_signals():
        assert importlib.import_module("stopped_module").IS_WHOLE
        time.sleep(60)
    del sys.modules["stopped_module"]


def test_a_signal_leaves_no_temporary_folder_that_is_just_created(tmp_path: Path, monkeypatch):
    create = os.mkdir

    def stopped(path: str, mode: int) -> None:
        create(path, mode)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(KeyboardInterrupt), monkeypatch.context() as patch:
        patch.setattr(os, "mkdir", stopped)
        with ended_by_signals(), temporary_folder():
            time.sleep(60)
    assert not list(tmp_path.iterdir())


def test_a_command_that_ends_meanwhile_is_not_killed_by_the_alarm(tmp_path: Path):
    (tmp_path / "stopped_module.py").write_text("import signal\nsignal.raise_signal(2)\nexit(7)\n")
    program = """if True:
        import atexit, signal, sys
        from core.app.commands import signals
        signals.LOOK_SECONDS = 60
        atexit.register(lambda: print(signal.getitimer(signal.ITIMER_REAL)))
        sys.path.insert(0, sys.argv[1])
        import cli
        cli.app = lambda: __import__("stopped_module")
        cli.main()
    """
    ended = subprocess.run(
        [sys.executable, "-c", program, tmp_path],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (7, b"(0.0, 0.0)\n"), ended.stderr


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_an_object_is_removed_ends_the_command_after_that(number: int, capsys):
    """Python reports what is raised there, and goes on."""

    class Removed:
        def __del__(self) -> None:
            signal.raise_signal(number)

    signal.signal(number, signal.SIG_DFL)
    kind = KeyboardInterrupt if number == signal.SIGINT else Terminated
    with pytest.raises(kind), ended_by_signals():
        Removed()
        time.sleep(60)
    assert capsys.readouterr().err == ""


def test_other_errors_while_an_object_is_removed_are_reported(monkeypatch):
    class Removed:
        def __del__(self) -> None:
            raise ZeroDivisionError

    seen: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda one: seen.append(one.exc_type))
    with ended_by_signals():
        Removed()
    assert seen == [ZeroDivisionError]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_a_library_turns_into_an_error_of_its_own_is_a_stop(number: int, capsys):
    """One in another language does, which calls Python while it reads a file."""

    def command() -> None:
        try:
            signal.raise_signal(number)
        except BaseException:
            raise ValueError("no such file") from None

    app = typer.Typer(cls=ErrorGroup)
    app.callback()(lambda: None)
    app.command()(command)
    signal.signal(number, signal.SIG_DFL)
    with pytest.raises(SystemExit) as left, ended_by_signals():
        app(["command"])
    word = "interrupted" if number == signal.SIGINT else "terminated"
    assert (left.value.code, capsys.readouterr().err) == (128 + number, f"{word}: {GOES_ON}\n")


def test_two_signals_at_once_are_one_stop_and_a_later_one_is_another(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    ending = Ending()
    with pytest.raises(KeyboardInterrupt):
        ending(signal.SIGINT, None)
    now[0] += 0.5
    ending(signal.SIGTERM, None)
    now[0] += 1
    with pytest.raises(Terminated):
        ending(signal.SIGTERM, None)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_the_command_itself_is_loaded_prints_nothing(number: int):
    """It does not end where nohup has the signal ignored, which stays so."""
    program = """if True:
        import signal, sys

        class Finder:
            def find_spec(self, name, *_):
                if name == "musegen.commands.group":
                    signal.raise_signal(int(sys.argv[1]))

        before = signal.signal(int(sys.argv[1]), getattr(signal, sys.argv[2]))
        sys.meta_path.insert(0, Finder())
        import cli
        print(signal.getsignal(int(sys.argv[1])) is getattr(signal, sys.argv[2]))
    """
    for handler, ended in (("SIG_DFL", (128 + number, "")), ("SIG_IGN", (0, "True\n"))):
        command = [sys.executable, "-c", program, str(int(number)), handler]
        one = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert ((one.returncode, one.stdout), one.stderr) == (ended, ""), handler


def test_the_command_is_loaded_in_any_thread_and_leaves_signals_as_they_were():
    program = """if True:
        import signal, threading
        before = signal.getsignal(signal.SIGINT)
        one = threading.Thread(target=__import__, args=["cli"])
        one.start(), one.join()
        import cli
        print(signal.getsignal(signal.SIGINT) is before, cli.main is not None)
    """
    command = [sys.executable, "-c", program]
    one = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (one.stdout, one.stderr) == ("True True\n", "")
