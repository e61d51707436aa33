"""The shared commands: budgets, and files that would replace each other."""

import pytest
from command import run

from core.app.commands.shared import budget


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


@pytest.mark.parametrize("command", [("reconstruct",), ("translate", "shapes")])
def test_two_files_of_one_name_do_not_replace_each_other(command, tmp_path):
    two = (tmp_path / "a" / "clip.mp4", tmp_path / "b" / "clip.gif")
    code, _, said = run("video", *command, *two, "--overwrite", "--to", tmp_path / "new")
    assert code == 2 and "clip.gif would both be called clip" in said
