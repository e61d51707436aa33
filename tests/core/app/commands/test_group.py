"""The commands that every domain has: which options they have, and what these reach."""

import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
import typer
from typer import rich_utils
from typer.testing import CliRunner, Result

from core.app import comparison, fit, latent_commands
from core.app.commands.domain import DomainCommands
from core.app.commands.group import group_of
from core.app.commands.lending import with_options
from core.app.commands.options import Jobs
from core.app.output import Output
from core.errors import ConfigError

called: list[tuple[str, tuple[Any, ...]]] = []
"""Names of functions that were called, with their arguments."""


def note(name: str, *arguments: Any, gives: Any = None) -> Any:
    called.append((name, arguments))
    return gives


class Words:
    """A domain of words; a run is its name in capitals."""

    default_preset = "small"
    default_run = "shipped"

    def open(self, path: Path) -> str:
        return f"collection {path}"

    def subject(self, run: str | None, device: str) -> str:
        return f"{run} on {device}"

    def read(self, model: str, path: Path) -> str:
        return f"{path} for {model}"

    def data_of(self, subject: str) -> str:
        return f"data of {subject}"

    def open_run(self, run: str, device: str) -> str:
        return f"{run} on {device}"

    def evaluate(self, *arguments: Any) -> Any:
        note("evaluate", *arguments[:-1])
        arguments[-1]("words")(1, 2)  # of the progress bar
        return SimpleNamespace(
            print=lambda as_json: note("print", as_json), write=lambda to: note("write", to)
        )


WORDS = Words()


class WordCommands(DomainCommands):
    name = "word"
    items = "words"
    point_help = "a .txt file"
    examples = {"sample": ("sample --count 3", "sample runs/mine")}

    def domain(self) -> Any:
        return WORDS

    def prepare(
        self, jobs: int, tick: Any, source: Annotated[str, typer.Argument()], least: int = 5
    ) -> Any:
        note("prepare", jobs, source, least)
        rejects = {"few": 2} if source == "bad" else {}
        return SimpleNamespace(lines=["7 files: 5 kept", "2 few"], rejects=rejects)

    def open_data(self, preset: str, data: Annotated[str, typer.Argument()] = "own") -> str:
        return f"{data} for {preset}"

    def train_options(self, letters: Annotated[int, typer.Option()] = 3) -> list[str]:
        return [f"model.letters={letters}"]

    def completed(self, evaluation: Any, aloud: Annotated[bool, typer.Option()] = False) -> Any:
        note("completed", aloud)
        return evaluation

    def sample(
        self, to: Output, seed: int, device: str, count: Annotated[int, typer.Option()] = 4
    ) -> Iterator[Path]:
        note("sample", to, seed, device, count)
        yield to.folder / "a.txt"
        yield to.folder / "b.txt"


def run(*arguments: str) -> Result:
    """Call the group's command; what it calls is in `called`."""
    called.clear()
    return CliRunner().invoke(group_of(WordCommands()), arguments)


def test_every_command_is_there():
    result = run("--help")
    assert "Words: prepare, train, sample, evaluate, and more." in result.stdout
    named = [c.name for c in group_of(WordCommands()).registered_commands]
    assert named == [
        *("prepare", "train", "sample", "evaluate", "compare", "interpolate", "arithmetic"),
        *("reconstruct", "vary", "translate"),
    ]
    assert "Usage" in run().output


def test_no_name_of_an_option_is_cut_in_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rich_utils, "MAX_WIDTH", None)  # what the command widens is put back
    monkeypatch.setenv("COLUMNS", "40")
    for command in ("compare", "train"):
        said = run(command, "--help").stdout
        assert "--preset" in said and "…" not in said


def test_help_is_in_the_domains_words_and_ends_with_its_examples():
    helps = {c.name: c.help for c in group_of(WordCommands()).registered_commands}
    assert helps["sample"] == (
        "Sample words and write them.\n\npianoreel word sample --count 3\n\n"
        "pianoreel word sample runs/mine"
    )
    assert helps["vary"] == "Make variations of a word.\n\nAn ITEM is a .txt file."


def test_lent_options_stand_before_a_commands_own_and_are_bound():
    given: list[Any] = []

    def read(
        source: Annotated[str, typer.Argument()],
        tick: str,
        bars: Annotated[int, typer.Option()] = 4,
    ) -> tuple[str, str, int]:
        return source, tick, bars

    def command(read: Any, jobs: Jobs = None) -> None:
        given.extend([read(tick="tick"), jobs])

    call = with_options(command, read=read)
    parameters = inspect.signature(call).parameters
    assert [*parameters] == [*call.__annotations__] == ["source", "bars", "jobs"]
    assert {p.kind for p in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    assert [p.default for p in parameters.values()] == [inspect.Parameter.empty, 4, None]
    call(source="a", bars=8, jobs=2)
    assert given == [("a", "tick", 8), 2]


@pytest.mark.parametrize(
    ("options", "code"),
    [(["good"], 0), (["bad"], 0), (["good", "--strict"], 0), (["bad", "--strict"], 1)],
)
def test_a_rejected_file_is_a_failure_where_that_is_asked_for(options, code):
    result = run("prepare", *options, "--jobs", "3")
    assert (result.exit_code, result.stdout) == (code, "7 files: 5 kept\n2 few\n")
    assert called == [("prepare", (3, options[0], 5))]


def test_files_are_read_by_as_many_processes_as_there_are_cores(monkeypatch):
    for cores, jobs in ((12, 12), (None, 1)):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        run("prepare", "good")
        assert called == [("prepare", (jobs, "good", 5))]


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Note what would be trained, but for the monitor."""
    free = SimpleNamespace(translates=False, draws=True)

    def train(*given: Any) -> SimpleNamespace:
        return note("train", *given[:-2], given[-1], gives=free)

    monkeypatch.setattr(fit, "train", train)
    shown = SimpleNamespace(model_dump=lambda mode: {"mode": mode, "a": 1})
    monkeypatch.setattr(fit, "configure", lambda *given: note("configure", *given, gives=shown))


def test_a_training_gets_its_options_in_their_order(trainings, tmp_path: Path):
    (tmp_path / "mine.yaml").write_text("train: {seed: 3}\n")
    result = run(
        *("train", "data", "--letters", "9", "--to", "runs/a b", "--model", "vae"),
        *("--preset", "tiny", "--steps", "30", "--seed", "0", "--other", "second"),
        *("--from", "runs/b"),
        *("--device", "cpu", "--config", str(tmp_path / "mine.yaml"), "--set", "a.b=1"),
        *("--set", "c=2"),
    )
    assignments = ["model.letters=9", "train.steps=30", "train.minutes=null", "train.seed=0"]
    given = ("vae", "tiny", "cpu", [*assignments, "a.b=1", "c=2"], "collection second")
    settings = {"train": {"seed": 3}}
    assert called == [
        ("train", (WORDS, "data for tiny", Path("runs/a b"), *given, settings, "runs/b")),
    ]
    command = "pianoreel word sample 'runs/a b'"
    assert result.stdout == f"trained: runs/a b; sample from it with: {command}\n"


@pytest.mark.parametrize(
    ("translates", "draws", "command"),
    [
        (False, True, "sample from it with: pianoreel word sample run"),
        (True, False, "translate your words with: pianoreel word translate run FILE"),
        (False, False, "see what it has learned with: pianoreel word reconstruct run FILE"),
    ],
)
def test_a_training_ends_with_a_command_that_works(translates: bool, draws: bool, command: str):
    trained: Any = SimpleNamespace(translates=translates, draws=draws)
    assert WordCommands().use(trained, "run") == command


def test_a_training_without_options_takes_the_defaults(trainings):
    run("train", "--to", "runs/a")
    given = (None, None, "auto", ["model.letters=3"], None, None, None)
    assert called == [("train", (WORDS, "own for small", Path("runs/a"), *given))]


def test_a_dry_run_prints_the_configuration_and_trains_nothing(trainings):
    result = run("train", "--to", "runs/a", "--model", "vae", "--minutes", "2", "--dry-run")
    budget = ["model.letters=3", "train.steps=null", "train.minutes=2.0"]
    given = (WORDS, "own for small", "vae", None, budget, None, None)
    assert called == [("configure", given)]
    assert result.stdout == "mode: json\na: 1\n"


@pytest.mark.parametrize(("rank", "printed"), [("0", "mode: json\na: 1\n"), ("1", "")])
def test_of_several_processes_the_first_prints_a_dry_run(
    trainings, monkeypatch: pytest.MonkeyPatch, rank: str, printed: str
):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", rank)
    assert run("train", "--to", "runs/a", "--dry-run").stdout == printed


def test_samples_are_drawn_with_the_domains_options_and_named():
    result = run("sample", "--count", "2", "--seed", "7", "--to", "new", "--device", "cpu")
    assert called == [("sample", (Output(Path("new")), 7, "cpu", 2))]
    assert result.stdout == "new/a.txt\nnew/b.txt\n"
    run("sample")
    assert called == [("sample", (Output(Path("words")), 0, "auto", 4))]


def test_an_evaluation_is_of_all_runs_against_a_collection():
    run(
        *("evaluate", "A", "--beside", "B", "--beside", "C", "--against", "data"),
        *("--other", "second", "--count", "9", "--seed", "4", "--device", "cpu"),
        *("--to", "report", "--json", "--aloud"),
    )
    subjects = ["A on cpu", "B on cpu", "C on cpu"]
    assert called == [
        ("evaluate", (subjects, "collection data", 9, 4, "collection second")),
        ("completed", (True,)),
        ("print", (True,)),
        ("write", (Path("report"),)),
    ]
    run("evaluate")
    assert called == [
        ("evaluate", (["None on auto"], "data of None on auto", 256, 0, None)),
        ("completed", (False,)),
        ("print", (False,)),
    ]


@pytest.mark.parametrize(
    "runs", [("A", "A"), ("runs/A", "other/A/"), ("B", "A", "./A"), ("shipped",)]
)
def test_runs_of_one_name_are_not_measured_side_by_side(runs: tuple[str, ...]):
    """Two rows of a table would be called the same; "shipped" is what is measured unasked."""
    first = runs[:1] if len(runs) > 1 else ()
    beside = runs[len(first) :]
    result = run("evaluate", *first, *(f"--beside={one}" for one in beside))
    assert isinstance(result.exception, ConfigError)
    assert "would both be called" in str(result.exception)
    assert called == []


def test_a_comparison_gets_its_options(monkeypatch):
    def compare(*given: Any) -> None:
        note("compare", *given)

    monkeypatch.setattr(comparison, "compare", compare)
    run("compare", "data", "--to", "here", "--model", "vae", "--model", "gan", "--steps", "5")
    budget = ["train.steps=5", "train.minutes=null", "train.seed=0"]
    given = (Path("here"), ["vae", "gan"], None, "auto", budget, None, 256, 0, False)
    assert called == [("compare", (WORDS, "data for small", *given))]
    run(
        *("compare", "--to", "here", "--preset", "tiny", "--minutes", "2", "--count", "9"),
        *("--seed", "4", "--other", "second", "--device", "cpu", "--set", "a=1", "--json"),
    )
    budget = ["train.steps=null", "train.minutes=2.0", "train.seed=4", "a=1"]
    given = (Path("here"), [], "tiny", "cpu", budget, "collection second", 9, 4, True)
    assert called == [("compare", (WORDS, "own for tiny", *given))]


LATENT = [
    (
        ("interpolate", "a", "b"),
        [
            ("open", (["a", "b"], 2, "auto")),
            ("interpolate", ("M", "a", "b", 9, Output(Path("words")), 0)),
        ],
    ),
    (
        ("interpolate", "a", "b", "--points", "5", "--to", "new", "--seed", "3"),
        [
            ("open", (["a", "b"], 2, "auto")),
            ("interpolate", ("M", "a", "b", 5, Output(Path("new")), 3)),
        ],
    ),
    (
        ("arithmetic", "a", "b", "c", "--seed", "3", "--device", "cpu"),
        [
            ("open", (["a", "b", "c"], 3, "cpu")),
            ("arithmetic", ("M", ["a", "b", "c"], Output(Path("words")), 3)),
        ],
    ),
    (
        ("reconstruct", "a", "b", "--to", "new"),
        [
            ("open", (["a", "b"], None, "auto")),
            ("reconstruct", ("M", Path("a"), Output(Path("new")), 0)),
            ("reconstruct", ("M", Path("b"), Output(Path("new")), 0)),
        ],
    ),
    (
        ("vary", "a"),
        [("open", (["a"], 1, "auto")), ("vary", ("M", "a", 0.3, 4, Output(Path("words")), 0, ""))],
    ),
    (
        (
            "vary",
            "a",
            "--strength",
            "0.5",
            "--keep",
            "motion",
            "--count",
            "2",
            "--seed",
            "3",
            "--to",
            "new",
        ),
        [
            ("open", (["a"], 1, "auto")),
            ("vary", ("M", "a", 0.5, 2, Output(Path("new")), 3, "motion")),
        ],
    ),
    (
        ("translate", "A", "a", "b", "--device", "cpu"),
        [
            ("translate", ("A on cpu", Path("a"), Output(Path("words")), False)),
            ("translate", ("A on cpu", Path("b"), Output(Path("words")), False)),
        ],
    ),
    (
        ("translate", "A", "a", "--back", "--to", "new"),
        [("translate", ("A on auto", Path("a"), Output(Path("new")), True))],
    ),
]


@pytest.mark.parametrize(("command", "calls"), LATENT)
def test_a_command_of_latent_space_gets_its_options(monkeypatch, command, calls):
    def open_with_arguments(domain: Any, given: list[str], *rest: Any) -> Any:
        assert domain is WORDS
        return note("open", given, *rest, gives=("M", given))

    monkeypatch.setattr(latent_commands, "open_with_arguments", open_with_arguments)
    for name in ("interpolate", "arithmetic", "reconstruct", "vary", "translate"):

        def written(*given: Any, name: str = name) -> list[Path]:
            return note(name, *given, gives=[Path(name)])

        monkeypatch.setattr(latent_commands, name, written)
    result = run(*command)
    reader = {"open": ()}  # how files are read
    assert called == [(n, (*given, *reader.get(n, (WORDS.read,)))) for n, given in calls]
    assert result.stdout == f"{command[0]}\n" * sum(name != "open" for name, _ in calls)
