"""Paths, counts and configurations as commands print them, for people and as JSON for programs."""

import io
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from command import run
from conftest import REPOSITORY
from typer.main import get_command

from cli import app
from core.app.commands.printing import counts_of, open_streams, print_config, print_paths
from core.app.configuration import ModelConfig, RunConfig
from core.training.loop import TrainConfig


def test_paths_are_one_object_or_a_line_each(capsys):
    paths = [Path("songs/a.mid"), Path("songs/a.wav")]
    print_paths(iter(paths), as_json=True)
    assert json.loads(capsys.readouterr().out) == {"paths": ["songs/a.mid", "songs/a.wav"]}
    print_paths(iter(paths))
    assert capsys.readouterr().out == "songs/a.mid\nsongs/a.wav\n"


def test_streams_that_are_closed_lead_nowhere(tmp_path: Path):
    """Nothing printed is in the first file that is opened, nor on another stream."""
    program = """if True:
        import os, sys
        import cli

        def app():
            with open("first", "w") as first, open("second", "w"), open("third", "w"):
                for number in range(3):
                    os.write(number, b"by its number")
                print("by its name, größe")
                print("by its name, größe", file=sys.stderr)
                os.system("echo of a child >&2")
                print(first.fileno() > 2, file=first)

        cli.app = app
        cli.main()
    """
    path = {**os.environ, "PYTHONPATH": str(REPOSITORY), "LC_ALL": "C"}
    for closed, said in (("<&- >&- 2>&-", ""), ("<&- 2>&-", "by its numberby its name, größe\n")):
        command = ["sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, program]
        one = subprocess.run(command, cwd=tmp_path, env=path, capture_output=True, check=False)
        assert (one.returncode, one.stdout.decode(), one.stderr) == (0, said, b""), closed
        files = {file.name: file.read_text() for file in tmp_path.iterdir()}
        assert files == {"first": "True\n", "second": "", "third": ""}


@pytest.mark.parametrize(
    ("names", "expected"), [("utf-8", b"gr\xc3\xb6\xc3\x9fe, \xff"), ("ascii", b"gr??e, \xff")]
)
def test_letters_that_an_encoding_lacks_stop_no_command(monkeypatch, names: str, expected: bytes):
    """They are printed as in names of files, and where those lack them, too, as ?."""
    stream = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(stream, "ascii"))
    monkeypatch.setattr(os, "fsencode", lambda text: text.encode(names, "surrogateescape"))
    open_streams()
    print("größe, \udcff", end="", flush=True)
    assert stream.getvalue() == expected


def options_of(command: Any, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each command below this one, and the defaults of its options."""
    for part, one in getattr(command, "commands", {}).items():
        yield from options_of(one, f"{name} {part}".strip())
    yield name, {str(parameter.name): parameter.default for parameter in command.params}


def test_what_is_not_asked_for_as_json_is_for_people():
    found = {name: one for name, one in options_of(get_command(app), "") if "json" in one}
    assert {"models", "ring prepare", "music vary", "video sample"} <= found.keys()
    assert {name for name, options in found.items() if options["json"]} == set()


def test_counts_of_a_preparation_are_those_that_it_has():
    rejects = Counter({"no-notes": 2})
    whole = SimpleNamespace(sources=5, kept=3, rejects=rejects, pieces={"train": 9}, lines=["3"])
    assert counts_of(whole) == {
        "sources": 5,
        "kept": 3,
        "pieces": {"train": 9},
        "rejects": {"no-notes": 2},
        "lines": ["3"],
    }
    assert counts_of(SimpleNamespace(rejects=rejects, lines=[])).keys() == {"rejects", "lines"}


def test_no_name_of_a_model_is_cut_in_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "20")
    _, said, _ = run("models")
    assert "hierarchical_vae" in said and "Match(x, hinge)" in said and "…" not in said


def test_models_and_presets_are_listed_by_their_names():
    code, said, _ = run("models", "--json")
    assert code == 0
    listed = json.loads(said)
    models = {one["name"]: one for one in listed["models"]}
    assert models["wgan_gp"]["year"] == 2017 and "Match(x" in models["wgan_gp"]["terms"]
    assert {"domain": "ring", "name": "tiny"}.items() <= listed["presets"][-2].items()


def test_a_collection_of_points_says_itscounts_of(tmp_path):
    (tmp_path / "a.csv").write_text("1,2\n3,4\n")
    (tmp_path / "b.csv").write_text("x")
    code, said, _ = run("ring", "prepare", tmp_path, "--to", tmp_path / "data", "--json")
    counts = json.loads(said)
    assert code == 0
    assert (counts["sources"], counts["kept"], sum(counts["rejects"].values())) == (2, 1, 1)


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


def test_a_path_is_printed_byte_by_byte_whatever_its_encoding(tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "evaluation.json").write_text('{"rows": [{"name": "a"}]}')
    command = [sys.executable, "-m", "cli", "gallery", folder, "--to", folder / "page"]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}  # as en_US.UTF-8 has it
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == os.fsencode(folder) + b"/page/index.html\n"
