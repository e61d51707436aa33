"""Options: their values, and those that are wrong."""

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
import typer
from command import run
from typer.core import TyperGroup
from typer.testing import CliRunner, Result

import cli
from core.app.commands.command import OptionCommand, expanded
from core.app.commands.domain import DomainCommands
from core.app.commands.failures import ErrorGroup
from core.app.commands.options import LARGEST_SEED
from core.app.comparison import Contender
from core.config import MAX_SEED
from core.ring.commands import RingCommands
from musegen.commands.group import MusicCommands
from musegen.voice.commands import VoiceCommands
from videogen.commands.group import VideoCommands


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
        ("music sample --bars 5000", "'--bars': must be at most 1024"),
        (
            "music sample --remix a.mid --section-bars 1025",
            "'--section-bars': must be at most 1024",
        ),
        ("music sample --best-of 257", "'--best-of': must be at most 256"),
        ("video sample --fps 121", "'--fps': must be at most 120"),
    ],
)
def test_a_number_that_is_out_of_range_is_answered_in_the_words_of_python(arguments, sentence):
    code, _, complaint = run(*arguments.split())
    assert code == 2 and sentence in complaint


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


def test_a_command_takes_the_seeds_that_a_setting_takes():
    assert LARGEST_SEED == MAX_SEED


def commands_in(group: Any) -> Iterator[tuple[str, Any]]:
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


def test_no_command_does_unasked_what_a_flag_asks_for():
    """A flag that has an opposite says itself which of the two is usual."""
    unasked = [
        (name, option.opts)
        for name, command in commands_in(typer.main.get_command(cli.app))
        for option in command.params
        if getattr(option, "is_flag", False) and not option.secondary_opts and option.default
    ]
    assert unasked == []


@pytest.mark.parametrize(
    ("own", "items"),
    [
        (MusicCommands, "songs"),
        (VideoCommands, "clips"),
        (VoiceCommands, "notes"),
        (RingCommands, "points"),
    ],
)
def test_the_help_of_a_command_has_examples_of_that_command(own: type[DomainCommands], items: str):
    (group,) = [one for one in cli.app.registered_groups if one.name == own.name]
    assert group.typer_instance is not None
    whole: Any = typer.main.get_command(group.typer_instance)
    assert whole.help == f"{items.capitalize()}: prepare, train, sample, evaluate, and more."
    assert own.examples.keys() == {
        *("prepare", "train", "sample", "evaluate", "compare"),
        *("interpolate", "arithmetic", "reconstruct", "vary", "translate"),
    }
    for name, examples in own.examples.items():
        assert {line.split()[0] for line in examples} == {name}
        for line in examples:
            assert f"pianoreel {own.name} {line}" in whole.commands[name].help


@pytest.mark.parametrize("value", ["0", "-1", "-0.5"])
@pytest.mark.parametrize("command", ["train", "compare"])
def test_a_budget_is_more_than_no_minutes(command: str, value: str):
    code, _, said = run("music", command, "data", "--to", "run", "--minutes", value)
    assert code == 2
    assert f"{value} is not more than 0" in said


@pytest.mark.parametrize("value", ["nan", "inf"])
@pytest.mark.parametrize("command", ["train", "compare"])
def test_an_option_that_is_a_number_is_finite(command: str, value: str):
    code, _, said = run("music", command, "data", "--to", "run", "--minutes", value)
    assert code == 2
    assert said == f"error: --minutes must be a finite number, not {value}\n"


def test_paths_in_quotation_marks_are_in_the_folders_that_a_shell_knows(monkeypatch):
    """A folder of the name ~ would be made here."""
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("NONE", raising=False)
    own = ["~/data", "$HOME/data", "${HOME}/data", "--to=~/runs", "--to=${HOME}", "~"]
    assert [expanded(one) for one in own] == [
        *["/home/me/data"] * 3, "--to=/home/me/runs", "--to=/home/me", "/home/me"
    ]  # fmt: skip
    for other in ("$NONE/data", "a ~/b", "~other", "$5 notes", "--top-p=0.9", "vae a=~/b", ""):
        assert expanded(other) == other
    assert Contender.parse("gan start=~/runs/vae").start == "/home/me/runs/vae"
    code, _, complaint = run("music", "reconstruct", "$HOME/none.mid")
    assert code and "/home/me/none.mid: there is no such file" in complaint
