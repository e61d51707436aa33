"""What a user is told when a configuration is wrong."""

from pathlib import Path

import pytest
from pydantic import Field

from core.config import Strict, nearest, override, resolve
from core.errors import ConfigError
from core.yaml_files import read_yaml


class Rate(Strict):
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.0, 0.9)


class Settings(Strict):
    steps: int | None = Field(default=None, gt=0)
    learner: Rate = Rate()
    critics: dict[str, Rate] = {}
    name: str = ""


def settings(*assignments: str) -> Settings:
    return resolve(Settings, override({}, assignments), "--set")


def test_assignments_reach_nested_keys_and_leave_the_rest():
    made = settings("learner.betas=[0, 0.99]", "steps=7", "critics.x.learning_rate=2e-4")
    assert made.learner == Rate(learning_rate=1e-3, betas=(0.0, 0.99))
    assert made.steps == 7
    assert made.critics == {"x": Rate(learning_rate=0.0002)}


def test_override_leaves_what_it_was_given():
    given = {"learner": {"learning_rate": 0.5}}
    assert override(given, ["learner.learning_rate=3"]) == {"learner": {"learning_rate": 3}}
    assert given == {"learner": {"learning_rate": 0.5}}


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        ("learner.learning_rat=3", "unknown key 'learner.learning_rat': .*'learning_rate'"),
        ("stepps=3", "unknown key 'stepps': did you mean 'steps'"),
        ("steps=true", "'steps': .* valid integer, got True"),
        ("steps=2.5", "'steps': .* valid integer, got 2.5"),
        ("steps='3'", "'steps': .* valid integer, got '3'"),
        ("steps=-3", "'steps': .* greater than 0, got -3"),
        ("learner.learning_rate=.nan", "'learner.learning_rate'"),
        ("learner.betas=[0, 1, 2]", "'learner.betas'"),
        ("name=2020-01-01x: [", "is not YAML"),
        ("steps", "wants path=value"),
        ("a..b=3", "wants path=value"),
        ("=3", "wants path=value"),
    ],
)
def test_a_wrong_assignment_is_one_sentence_that_names_it(assignment: str, sentence: str):
    with pytest.raises(ConfigError, match=sentence) as caught:
        settings(assignment)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_value_has_no_keys_below_it():
    with pytest.raises(ConfigError, match="'steps' is a value"):
        settings("steps=3", "steps.x=1")


def test_a_date_stays_text():
    assert settings("name=2020-01-01").name == "2020-01-01"


def test_a_far_name_gets_the_list_and_no_guess():
    assert nearest("zzz", ["vae", "gan"]) == "there are vae, gan"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"- 3\n", "not a list"), (b"\xff\xfe\xfd", "cannot read"), (b"a: [", "is not YAML")],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, content: bytes, sentence: str):
    path = tmp_path / "settings.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=sentence):
        read_yaml(path)


def test_a_missing_file(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"cannot read .*absent.yaml"):
        read_yaml(tmp_path / "absent.yaml")
