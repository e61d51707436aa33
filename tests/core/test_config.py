"""Configuration: layers, bounds, and the sentences for what is wrong."""

import json
import os
from pathlib import Path
from typing import Any, Literal

import hypothesis
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import Field

from core.config import (
    MAX_SEED,
    Strict,
    layered,
    listed,
    override,
    positive,
    require_seed,
    resolve,
    whole,
)
from core.errors import ConfigError
from core.training.loop import TrainConfig
from core.yaml_files import parse_yaml, read_yaml


class Rate(Strict):
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.0, 0.9)


class Settings(Strict):
    steps: int | None = Field(default=None, gt=0)
    learner: Rate = Rate()
    critics: dict[str, Rate] = {}
    name: str = ""
    held: Literal["first", "last"] | tuple[str, ...] = "first"


def settings(*assignments: str) -> Settings:
    return resolve(Settings, override({}, assignments), "--set")


def test_assignments_reach_nested_keys_and_leave_the_rest():
    found = settings("learner.betas=[0, 0.99]", "steps=7", "critics.x.learning_rate=2e-4")
    assert found.learner == Rate(learning_rate=1e-3, betas=(0.0, 0.99))
    assert found.steps == 7
    assert found.critics == {"x": Rate(learning_rate=0.0002)}


def test_override_leaves_what_it_was_given():
    given = {"learner": {"learning_rate": 0.5}}
    assert override(given, ["learner.learning_rate=3"]) == {"learner": {"learning_rate": 3}}
    assert given == {"learner": {"learning_rate": 0.5}}


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        ("learner.learning_rat=3", "unknown key 'learner.learning_rat': .*'learning_rate'"),
        ("stepps=3", "unknown key 'stepps': did you mean 'steps'"),
        (
            "learning_rate=3",
            "unknown key 'learning_rate': did you mean 'learner.learning_rate'\\?$",
        ),
        ("learner.steps=3", "unknown key 'learner.steps': did you mean 'steps'\\?$"),
        ("steps=true", "'steps': must be a whole number, got True"),
        ("steps=2.5", "'steps': must be a whole number, got 2.5"),
        ("steps='3'", "'steps': must be a whole number, got '3'"),
        ("steps=-3", "'steps': must be more than 0, got -3"),
        ("learner.learning_rate=.nan", "'learner.learning_rate'"),
        ("learner.betas=[0, 1, 2]", "'learner.betas'"),
        ("held=5", "^--set: 'held': must be 'first' or 'last' or a list, got 5$"),
        ("held=[1]", "'held': must be 'first' or 'last', got .*'held.0': must be text, got 1"),
        ("learner=5", r"^--set: 'learner': must be settings \(KEY: VALUE\), got 5$"),
        ("steps={a: 1}", "'steps': must be a whole number, got {'a': 1}"),
        ("name=2020-01-01x: [", "is not YAML"),
        ("steps", "needs KEY=VALUE"),
        ("a..b=3", "needs KEY=VALUE"),
        ("=3", "needs KEY=VALUE"),
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


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"- 3\n", "not a list"),
        (b"\xff\xfe\xfd", "is no text: give"),
        (b"a: [", "is not YAML: line 1: "),
        (b"a:\n\tb: 1\n", "settings.yaml is not YAML: line 2: it begins with a tab: indent"),
        (b"a: 1\nb: 2\na: 3\n", "settings.yaml has 'a' twice, again in line 3: remove one"),
        (b"a: {b: 1, b: 1}\n", "has 'b' twice"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, content: bytes, sentence: str):
    path = tmp_path / "settings.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=sentence):
        read_yaml(path)


BOMB = "\n".join(
    ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
)

CHAIN = "x0: &x0 [1]\n" + "".join(f"x{n}: &x{n} [*x{n - 1}]\n" for n in range(1, 40))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (BOMB, "more than 100,000 values"),
        ("a: &a [*a]", "nested more than 32 levels"),
        ("[" * 33 + "]" * 33, "nested more than 32 levels"),
        ("[" * 100_000, "nested more than 32 levels"),
        (CHAIN, "nested more than 32 levels"),
        ("a: !!set {b, c}", "only JSON's types"),
        ("a: !!binary aGk=", "only JSON's types"),
        ("a: !!int abc", "is not YAML"),
        ("a: " + "9" * 5000, "is not YAML"),
    ],
)
def test_yaml_out_of_bounds_is_refused_with_one_sentence(content: str, sentence: str):
    with pytest.raises(ConfigError, match=rf"^mine\.yaml .*{sentence}") as caught:
        parse_yaml(content, "mine.yaml")
    assert len(str(caught.value)) < 400


YAML = st.sampled_from(
    [
        *("a", "b", ": ", "- ", "[", "]", "{", "}", "&x ", "*x", "<<: ", "? ", "|\n", "---\n"),
        *("!!int ", "!!bool ", "!!map ", "!!python/object:os.system ", "1e400", ".nan", "1:30"),
        *("\n", "  ", "'"),
    ]
)


@hypothesis.settings(max_examples=50, deadline=None)
@given(st.lists(YAML, max_size=12).map("".join) | st.text(max_size=20))
@example("!!int ")
def test_any_text_is_a_value_of_json_or_refused_with_a_sentence(text: str):
    try:
        value = parse_yaml(text, "mine.yaml")
    except ConfigError as error:
        assert str(error).startswith("mine.yaml ")
    else:
        json.dumps(value)


def test_aliases_and_nesting_within_bounds_are_read():
    assert parse_yaml("a: &a [1, 2]\nb: *a", "") == {"a": [1, 2], "b": [1, 2]}
    assert parse_yaml("a: &a {x: 1}\nb: {<<: *a, y: 2}", "")["b"] == {"x": 1, "y": 2}
    assert len(json.dumps(parse_yaml("[" * 32 + "]" * 32, ""))) == 64
    assert parse_yaml("", "") is None


def layers(file: str, *assignments: str, **data: str) -> dict[str, Any]:
    preset = {"steps": 10, "learner": {"learning_rate": 0.5, "betas": [0.0, 0.9]}}
    return layered(preset, parse_yaml(file, "mine.yaml"), data, assignments, "mine.yaml")


def test_a_file_changes_the_preset_and_an_assignment_the_file():
    found = layers("learner: {learning_rate: 0.25}\nname: a", "name=b", data_sha256="d1")
    assert found == {
        "steps": 10,
        "learner": {"learning_rate": 0.25, "betas": [0.0, 0.9]},
        "name": "b",
        "data_sha256": "d1",
    }


def test_a_run_passed_back_takes_the_presets_place(caplog: pytest.LogCaptureFixture):
    found = layers("{learner: {}, critics: {x: {}}, data_sha256: d1}", "steps=3", data_sha256="d1")
    assert found == {"learner": {}, "critics": {"x": {}}, "data_sha256": "d1", "steps": 3}
    assert caplog.text == ""


def test_a_run_of_other_data_passed_back_trains_on_these(caplog: pytest.LogCaptureFixture):
    file = "{learner: {}, spec: {bars: 4}, data_sha256: d0, other_sha256: e0}"
    data = {"spec": {"bars": 2}, "data_sha256": "d1", "other_sha256": ""}
    found = layered({"steps": 10}, parse_yaml(file, ""), data, [], "runs/a/config.yaml")
    assert found == {"learner": {}, **data}
    (message,) = caplog.messages
    assert message.startswith("runs/a/config.yaml is of other data: what it says of them is")
    assert message.endswith("(spec, data_sha256, other_sha256)")


def test_a_wrong_key_of_a_file_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match=r"unknown key 'learner\.beta': did you mean 'betas'"):
        resolve(Settings, layers("learner: {beta: [0, 0]}"), "mine.yaml")


def test_layers_leave_what_they_were_given():
    preset, file = {"learner": {"betas": [0.0, 0.9]}}, {"learner": {"learning_rate": 1.0}}
    layered(preset, file, {}, ["learner.betas=[0, 1]"])
    assert preset == {"learner": {"betas": [0.0, 0.9]}}
    assert file == {"learner": {"learning_rate": 1.0}}


@pytest.mark.parametrize("seed", [-1, 2**63, 2**64, 10**30])
def test_a_seed_beyond_64_bits_is_refused(seed: int):
    with pytest.raises(ConfigError, match=f"from 0 to 9223372036854775807, not {seed}"):
        require_seed(seed)
    with pytest.raises(ConfigError, match=r"'seed': .* got"):
        resolve(TrainConfig, {"steps": 1, "seed": seed}, "")


def test_numbers_of_numpy_are_numbers_and_others_are_refused_by_name():
    assert require_seed(np.int64(3)) == 3 and isinstance(require_seed(np.uint8(3)), int)
    assert (whole("bars", np.int32(8)), positive("rate", np.float32(0.5))) == (8, 0.5)
    for wrong in (1.5, "8", None, [1]):
        with pytest.raises(ConfigError, match="bars must be a whole number, not"):
            whole("bars", wrong)
    for wrong in ("8", None, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="rate must be a number, not"):
            positive("rate", wrong)
    for wrong in (0, -1.5):
        with pytest.raises(ConfigError, match=f"rate must be above 0, not {wrong}"):
            positive("rate", wrong)


def test_a_text_in_the_place_of_a_list_is_refused_and_paths_are_texts():
    assert listed("sources", (Path("a b"), np.str_("c")), "folders", "data") == ["a b", "c"]
    said = r'sources: give a list of folders, such as \["data"]'
    for values, least in (("/a", 0), (b"a", 0), (Path("a"), 0), ({"a": 1}, 0), ([3], 0), ([], 1)):
        with pytest.raises(ConfigError, match=said):
            listed("sources", values, "folders", "data", least)
    with pytest.raises(ConfigError, match="assignments: give a list of settings"):
        override({}, "train.steps=5")


def test_the_largest_seed_trains():
    assert resolve(TrainConfig, {"steps": 1, "seed": MAX_SEED}, "").seed == MAX_SEED
    require_seed(MAX_SEED)


def test_a_missing_file(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"absent.yaml does not exist: give a YAML file"):
        read_yaml(tmp_path / "absent.yaml")


def test_a_device_is_no_file_of_settings():
    with pytest.raises(ConfigError, match=f"{os.devnull} is no file: give a YAML file"):
        read_yaml(Path(os.devnull))
