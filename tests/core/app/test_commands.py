"""Commands: exit codes and sentences of failures, budgets, runs among the arguments, reports."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import torch
import typer
from command import run
from conftest import REPOSITORY
from fake_domain import fake_domain
from rich.table import Table
from typer.core import TyperGroup
from typer.testing import CliRunner, Result

import cli
from core.app.commands import (
    LARGEST_SEED,
    ErrorGroup,
    OptionCommand,
    budget,
    print_config,
)
from core.app.configuration import ModelConfig, RunConfig
from core.app.evaluation import Evaluation
from core.app.label import name_of, origin
from core.app.latent_commands import split_run
from core.app.report import Report
from core.config import MAX_SEED
from core.errors import ConfigError, Resumable, UserError
from core.files import is_file, is_folder
from core.training.loop import TrainConfig


def failing(error: BaseException) -> Result:
    """A command that fails with an error."""
    app = typer.Typer(cls=ErrorGroup)

    @app.callback()
    def everything() -> None: ...

    @app.command()
    def fail() -> None:
        raise error

    return CliRunner().invoke(app, ["fail"])


def leading(*arguments: str) -> Result:
    """A command with options of one value, of two, and of none."""
    app = typer.Typer(cls=ErrorGroup)

    @app.callback()
    def everything() -> None: ...

    @app.command(cls=OptionCommand)
    def lead(
        run: Annotated[str, typer.Argument()] = "",
        between: Annotated[
            tuple[str, str] | None, typer.Option(help="Two songs to lead between.")
        ] = None,
        count: Annotated[int, typer.Option(help="Songs.")] = 8,
        ending: Annotated[bool, typer.Option("--ending", help="Close.")] = False,
    ) -> None:
        print(run, between, count, ending)

    return CliRunner().invoke(app, ["lead", *arguments])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("--between a --count 2", "--between needs 2 values and has 1, a: Two songs to lead"),
        ("--between a", "--between needs 2 values and has 1, a: Two songs to lead"),
        ("--between --ending", "--between needs 2 values: Two songs to lead between."),
        ("--between a --help", "--between needs 2 values and has 1, a: Two songs"),
        ("--count --ending", "--count needs a value: Songs."),
        ("run --ending --count", "--count needs a value: Songs."),
    ],
)
def test_an_option_takes_no_other_for_its_value(arguments: str, sentence: str):
    result = leading(*arguments.split())
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {sentence}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("value", ["x", "2.5"])
def test_a_value_of_another_kind_is_refused_in_plain_words(value: str):
    result = leading("--count", value)
    assert result.exit_code == 2
    assert "Invalid value for '--count': must be a whole number  " in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--between a b --count 2 run", "run ('a', 'b') 2 False"),
        ("--count=2 --between -1 b --ending", " ('-1', 'b') 2 True"),
        ("--ending -- --count", "--count None 8 True"),
    ],
)
def test_values_are_read_as_before(arguments: str, said: str):
    assert leading(*arguments.split()).stdout == f"{said}\n"


TOO_LITTLE = (
    "error: there is too little memory: ask for less at once; in a training lower the batch with "
    "--set train.batch_size=N"
)
ROOM = "make room, and give the command once more"
PATH = "put it there, or correct its path"
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
        (KeyboardInterrupt(), 130, "interrupted"),
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


def test_a_failure_of_its_own_is_shown_whole_for_debugging(monkeypatch):
    monkeypatch.setenv("PIANOREEL_DEBUG", "1")
    error = ZeroDivisionError("division by zero")
    result = failing(error)
    assert result.exception is error and result.stderr == ""


def test_wrong_usage_is_the_parsers_matter():
    result = failing(typer.BadParameter("three is no colour"))
    assert result.exit_code == 2
    assert "three is no colour" in result.stderr and "error: three" not in result.stderr


@pytest.mark.parametrize(
    ("steps", "minutes", "expected"),
    [
        (None, None, []),
        (30, None, ["train.steps=30", "train.minutes=null"]),
        (None, 1.5, ["train.steps=null", "train.minutes=1.5"]),
        (30, 1.5, ["train.steps=30", "train.minutes=1.5"]),
        (30, 0.0, ["train.steps=30", "train.minutes=0.0"]),
    ],
)
def test_a_budget_that_is_asked_for_replaces_the_presets_whole(steps, minutes, expected):
    assert budget(steps, minutes) == expected


@pytest.mark.parametrize(
    ("arguments", "count", "run", "rest"),
    [
        (["tango", "a.mid"], 1, "tango", ["a.mid"]),
        (["runs/mine", "a.mid", "b.mid"], 2, "runs/mine", ["a.mid", "b.mid"]),
        (["songs/a.mid", "b.mid"], None, None, ["songs/a.mid", "b.mid"]),
        (["songs/A.MID"], 1, None, ["songs/A.MID"]),
        (["polka", "a.mid"], 2, None, ["polka", "a.mid"]),
        (["a small/red circle"], 1, None, ["a small/red circle"]),
    ],
)
def test_a_run_stands_first_or_is_left_out(tmp_path, arguments, count, run, rest):
    assert split_run(fake_domain(tmp_path), arguments, count) == (run, rest)


@pytest.mark.parametrize("run", [".", "./tango", "../here"])
def test_a_path_is_a_folder_here_and_not_the_weights_of_that_name(tmp_path, monkeypatch, run):
    domain = fake_domain(tmp_path / "weights")
    (tmp_path / "here" / "tango").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    assert domain.folder(run) == Path(run)
    assert domain.leading_run([run, "1"]) == (run, ["1"])


def test_a_name_of_weights_that_is_also_a_folder_here_is_pointed_out(
    tmp_path, monkeypatch, caplog
):
    domain = fake_domain(tmp_path / "weights")
    monkeypatch.chdir(tmp_path)
    assert domain.folder("tango") == tmp_path / "weights" / "tango"
    assert not caplog.records
    (tmp_path / "tango").mkdir()
    assert domain.folder("tango") == tmp_path / "weights" / "tango"
    assert "the folder here is ./tango" in caplog.text


def test_a_file_of_any_kind_is_no_run(tmp_path):
    """It may be a picture, or what the domain refuses with a reason of its own."""
    picture = tmp_path / "x.png"
    picture.touch()
    domain = fake_domain(tmp_path)
    assert split_run(domain, [str(picture)], None) == (None, [str(picture)])
    assert split_run(domain, [str(picture)], 1) == (None, [str(picture)])
    assert split_run(domain, [str(picture), "a"], 1) == (str(picture), ["a"])


def test_a_sentence_longer_than_a_name_of_a_file_is_no_run(tmp_path):
    sentence = "a dog runs " * 200
    assert split_run(fake_domain(tmp_path), [sentence], 1) == (None, [sentence])
    assert not is_file(sentence) and not is_folder("a\0b")


@pytest.mark.parametrize(
    ("arguments", "count", "sentence"),
    [
        ([], None, "give one song or more after the run, if you name one, and not 0"),
        (["tango"], None, "tango is taken for a run: give one song or more after it"),
        (["tango", "a.mid"], 2, "give 2 songs after the run, if you name one, and not 1"),
        (["a.mid", "b.mid"], 1, "give 1 song after the run, if you name one, and not 2"),
    ],
)
def test_another_count_of_arguments_is_refused(tmp_path, arguments, count, sentence):
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        split_run(fake_domain(tmp_path), arguments, count)


def test_a_configuration_is_printed_as_a_run_keeps_it(capsys):
    train = TrainConfig(steps=7, batch_size=3)
    print_config(RunConfig(train=train, model=ModelConfig(recipe="vae")))
    lines = capsys.readouterr().out.splitlines()
    assert lines[:6] == [
        "train:",
        "  steps: 7",
        "  minutes: null",
        "  clock: wall",
        "  batch_size: 3",
        "  learner:",
    ]
    assert "  recipe: vae" in lines


def test_a_command_takes_the_seeds_that_a_setting_takes():
    assert LARGEST_SEED == MAX_SEED


@dataclass(frozen=True)
class Halves:
    first: float


@dataclass(frozen=True)
class Row:
    distance: float
    halves: Halves = Halves(0.25)
    name: str = "vae"
    kind: str = "generated"


def drawn(report: Report, path: Path) -> None:
    path.write_text(f"a picture of {len(report.rows)}")


def test_a_report_that_takes_the_place_of_another_says_so(tmp_path, caplog):
    for distance in (0.5, 0.5, 0.25):
        assert caplog.text == ""
        report = Report((Row(distance),))
        Evaluation(report, lambda report: [], drawn, width=40).write(tmp_path)
    assert f"{tmp_path}/evaluation.json was that of another evaluation" in caplog.text


def test_a_report_is_printed_and_written(tmp_path, capsys):
    report = Report((Row(float("nan")),))
    table = Table("model", "share")
    table.add_row("vae", "0.25")
    evaluation = Evaluation(report, lambda report: [table], drawn, width=40)
    row = {"distance": None, "halves": {"first": 0.25}, "name": "vae", "kind": "generated"}
    numbers = {"rows": [row]}

    evaluation.print()
    evaluation.write(tmp_path / "deep" / "to")
    printed = capsys.readouterr().out
    assert "vae" in printed and "0.25" in printed and "{" not in printed
    assert json.loads((tmp_path / "deep" / "to" / "evaluation.json").read_text()) == numbers
    assert (tmp_path / "deep" / "to" / "evaluation.png").read_text() == "a picture of 1"

    evaluation.print(as_json=True)
    assert json.loads(capsys.readouterr().out) == numbers


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_the_command_as_an_error_does(number: int, code: int, monkeypatch):
    """Files that are not finished are removed; where nohup has a signal ignored, it goes on."""
    monkeypatch.setattr(cli, "app", lambda: signal.raise_signal(number))
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)}
    try:
        signal.signal(number, signal.SIG_DFL)
        with pytest.raises(SystemExit) as left:
            cli.main()
        assert left.value.code == code
        signal.signal(number, signal.SIG_IGN)
        cli.main()
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def test_a_path_is_printed_byte_by_byte_whatever_its_encoding(tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "evaluation.json").write_text('{"rows": [{"name": "a"}]}')
    command = [sys.executable, "-m", "cli", "gallery", folder, "--to", folder / "page"]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}  # as en_US.UTF-8 has it
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == os.fsencode(folder) + b"/page/index.html\n"


def test_a_name_of_a_file_that_is_no_text_becomes_text_in_names_of_items():
    stem = os.fsdecode(b"caf\xe9")
    assert name_of("vae", 1, f"reconstruction-{stem}") == "vae-seed1-reconstruction-caf?"
    assert origin("vae", of=stem).endswith("vae, of caf?")


@pytest.mark.parametrize("command", [("reconstruct",), ("translate", "shapes")])
def test_two_files_of_one_name_do_not_replace_each_other(command, tmp_path):
    two = (tmp_path / "a" / "clip.mp4", tmp_path / "b" / "clip.gif")
    code, _, said = run("video", *command, *two, "--overwrite", "--to", tmp_path / "new")
    assert code == 2 and "clip.gif would both be called clip" in said


def commands_in(group: TyperGroup) -> Iterator[tuple[str, object]]:
    for name, one in group.commands.items():
        yield from commands_in(one) if isinstance(one, TyperGroup) else [(name, one)]


def test_no_command_takes_an_option_for_a_value_or_runs_beside_itself_under_torchrun():
    whole = typer.main.get_command(cli.app)
    assert isinstance(whole, TyperGroup)
    commands = list(commands_in(whole))
    assert len(commands) > 30
    assert [name for name, one in commands if not isinstance(one, OptionCommand)] == []


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("models", "--model", "wgan"), "--model and --seeds are for --report"),
        (("models", "--seeds", 2), "--model and --seeds are for --report"),
        (("video", "sample", "--music-run", "mine"), "--music-run is for --music"),
        (("reel", "a dog runs", "--run", "--to", "film.mp4"), "--run needs a value"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(command: tuple[object, ...], said: str):
    code, _, error = run(*command)
    assert code == 2 and said in error
