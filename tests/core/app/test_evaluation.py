"""An evaluation: printed, and written to a folder."""

import json
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from core.app.evaluation import Evaluation
from core.app.report import Report


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


def test_names_of_folders_are_printed_as_they_are(tmp_path, capsys):
    table = Table("model", title="runs/[/x]")
    table.add_row("[red]second[/blue] :cat:")
    Evaluation(Report(()), lambda report: [table], drawn, width=40).print()
    printed = capsys.readouterr().out
    assert "runs/[/x]" in printed and "[red]second[/blue] :cat:" in printed


def test_long_names_are_broken_between_their_words(capsys):
    """Words that are too long themselves are broken anywhere."""
    table = Table("n", title="side by side", box=None)
    table.columns[0].width, table.columns[0].overflow = 12, "fold"
    for name in ("latent_musegan-hinge=2", "my model of 1, seed 5", "x" * 15, "short", "音楽" * 4):
        table.add_row(name, style="bold")
    Evaluation(Report(()), lambda report: [table], drawn, width=40).print()
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[2:] == [
        *("latent_", "musegan-", "hinge=2"),
        *("my model of", "1, seed 5"),
        *("x" * 12, "xxx"),
        *("short", "音楽音楽音楽", "音楽"),
    ]
