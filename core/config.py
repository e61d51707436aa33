"""Configuration in layers, strictly validated: preset, file, what the data determine, `--set`.

Unknown keys and wrong types are errors, each naming its key and the nearest known ones.

>>> from core.yaml_files import parse_yaml
>>> preset = {"train": {"steps": 1000, "batch_size": 64}}
>>> file = parse_yaml("train: {batch_size: 16, learner: {learning_rate: 2e-4}}", "mine.yaml")
>>> layered(preset, file, {}, ["train.learner.learning_rate=1e-3"], "mine.yaml")
{'train': {'steps': 1000, 'batch_size': 16, 'learner': {'learning_rate': 0.001}}}
"""

import json
import logging
import math
import operator
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import ConfigError
from core.wording import nearest
from core.yaml_files import parse_yaml

LOG = logging.getLogger("pianoreel")

MAX_SEED = 2**63 - 1
"""torch takes seeds of 64 bits; the largest that is also a signed number."""

Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]

Model = TypeVar("Model", bound=BaseModel)
Kind = TypeVar("Kind", bound="Strict")


class MissingKeys(ConfigError):
    """Settings that lack a key, or have one with nothing after it."""


class Strict(BaseModel):
    """A frozen model that refuses unknown keys and numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def replace(self: Kind, **changes: Any) -> Kind:
        """Return a copy with other values, which are validated."""
        return type(self)(**{**dict(self), **changes})


def override(values: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """Return a copy of `values` with each `a.b=value` set, the value parsed as YAML.

    >>> override({"learner": {"seed": 1}}, ["learner.rate=2e-4", "sizes=[1, 2]"])
    {'learner': {'seed': 1, 'rate': 0.0002}, 'sizes': [1, 2]}
    """
    result = json.loads(json.dumps(values))
    for assignment in listed("assignments", assignments, "settings", "train.steps=500"):
        path, equals, text = assignment.partition("=")
        if not equals or not all(path.split(".")):
            raise ConfigError(f"--set needs KEY=VALUE, such as a.b=3, not '{assignment}'")
        _assign(result, path.split("."), parse_yaml(text, f"--set {assignment}"), assignment)
    return result


def layered(
    preset: Mapping[str, Any],
    file: Mapping[str, Any],
    data: Mapping[str, Any],
    assignments: Sequence[str] = (),
    origin: str = "the file",
) -> dict[str, Any]:
    """Return the preset's values, a configuration file's, the data's, and assignments, in layers.

    A file names only what differs from the preset. A run's own config.yaml can be passed back: it
    is known by the keys of `data` (specification and digests of the data) and is complete, so that
    it takes the preset's place. The data's values are never the file's: where they differ, a
    warning that begins with `origin` says so.

    >>> run = {"train": {"steps": 5}, "data_sha256": "a1"}
    >>> layered({"train": {"steps": 9, "seed": 3}}, run, {"data_sha256": "a1"})
    {'train': {'steps': 5}, 'data_sha256': 'a1'}
    """
    other = [key for key in data if key in file and file[key] != data[key]]
    if other:
        names = ", ".join(other)
        LOG.warning("%s is of other data: what it says of them is not used (%s)", origin, names)
    is_complete = bool(data) and data.keys() <= file.keys()
    settings = file if is_complete else merged(preset, file)
    return override({**settings, **data}, assignments)


def merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values` with those of `changes` in their place, nested mappings key by key.

    >>> merged({"a": {"b": 1, "c": [2, 3]}}, {"a": {"c": [4]}, "d": 5})
    {'a': {'b': 1, 'c': [4]}, 'd': 5}
    """
    result = dict(values)
    for key, change in changes.items():
        value = result.get(key)
        if isinstance(value, Mapping) and isinstance(change, Mapping):
            change = merged(value, change)
        result[key] = change
    return result


def resolve(model: type[Model], values: Mapping[str, Any], origin: str) -> Model:
    """Validate `values` as a `model`, with the types of JSON and no conversions between them.

    Raises `ConfigError` naming `origin`, each wrong key, and the known key nearest to it;
    `MissingKeys` where a key is missing.
    """
    try:
        return model.model_validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        kind = MissingKeys if any(map(_is_missing, error.errors())) else ConfigError
        raise kind(f"{origin}: {'; '.join(_reasons(model, error.errors()))}") from error


def within(name: str, number: float, least: float = -math.inf, most: float = math.inf) -> None:
    """Raise `ConfigError` for a number that is less than the least, or more than the most.

    >>> within("--count", 5000, 1, 1024)
    Traceback (most recent call last):
    core.errors.ConfigError: --count must be at most 1024, not 5000
    """
    if number < least:
        raise ConfigError(f"{name} must be at least {least}, not {number}")
    if number > most:
        raise ConfigError(f"{name} must be at most {most}, not {number}")


def whole(name: str, value: Any, least: float = 1, most: float = math.inf) -> int:
    """Return a whole number, of Python or of NumPy; `ConfigError` for another one, see `within`.

    >>> whole("count", 2.5)
    Traceback (most recent call last):
    core.errors.ConfigError: count must be a whole number, not 2.5
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise ConfigError(f"{name} must be a whole number, not {value!r}") from None
    within(name, number, least, most)
    return number


def positive(name: str, value: Any) -> float:
    """Return a finite number above 0; `ConfigError` for another value.

    >>> positive("rate", 0)
    Traceback (most recent call last):
    core.errors.ConfigError: rate must be above 0, not 0
    """
    if not isinstance(value, Real) or not math.isfinite(value):
        raise ConfigError(f"{name} must be a number, not {value!r}")
    if value <= 0:
        raise ConfigError(f"{name} must be above 0, not {value}")
    return float(value)


def listed(name: str, values: Any, kind: str, example: str, least: int = 0) -> list[str]:
    """Return a list of texts, paths as theirs; `ConfigError` for one text alone, or too few.

    A text alone would be read letter by letter.

    >>> listed("sources", "/data", "folders", "data")
    Traceback (most recent call last):
    core.errors.ConfigError: sources: give a list of folders, such as ["data"]
    """
    is_list = isinstance(values, Iterable) and not isinstance(values, str | bytes | Mapping)
    given = list(values) if is_list else []
    found = [str(one) for one in given if isinstance(one, str | Path)]
    if not is_list or len(found) < max(least, len(given)):
        raise ConfigError(f'{name}: give a list of {kind}, such as ["{example}"]')
    return found


def comma_separated(text: str) -> list[str]:
    """Return the parts of a text between its commas, without those that are empty.

    >>> comma_separated("drums, electric piano,")
    ['drums', 'electric piano']
    """
    return [part.strip() for part in text.split(",") if part.strip()]


def require_seed(seed: Any) -> int:
    """Return a seed as a whole number; `ConfigError` for one that torch does not accept.

    >>> require_seed(2**64)
    Traceback (most recent call last):
    core.errors.ConfigError: a seed is from 0 to 9223372036854775807, not 18446744073709551616
    """
    number = whole("a seed", seed, -math.inf)
    if not 0 <= number <= MAX_SEED:
        raise ConfigError(f"a seed is from 0 to {MAX_SEED}, not {number}")
    return number


_PLAIN = {
    r"^Value error, |, unable to .*|, got a number .*| after validation": "",
    "^Input should be": "must be",
    "^Tuple should have": "must have",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid boolean": "true or false",
    "a valid string": "text",
    "a valid tuple": "a list",
    "a valid array": "a list",
    "an object": "settings (KEY: VALUE)",
    "^[Uu]nable to parse input string as an integer, exceeded maximum size": "must be smaller",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "greater than": "more than",
}


def plain(fault: str) -> str:
    """Return what a library says of a value in plain words.

    >>> plain("Input should be a valid integer, unable to parse string as an integer")
    'must be a whole number'
    >>> plain("Input should be greater than or equal to 1")
    'must be at least 1'
    """
    for said, meant in _PLAIN.items():
        fault = re.sub(said, meant, fault)
    return fault


def _assign(values: dict[str, Any], path: list[str], value: Any, assignment: str) -> None:
    for key in path[:-1]:
        values = values.setdefault(key, {})
        if not isinstance(values, dict):
            raise ConfigError(f"--set {assignment}: '{key}' is a value and has no keys below it")
    values[path[-1]] = value


def _reasons(model: type[BaseModel], faults: Sequence[Any]) -> list[str]:
    """Return what is wrong, one sentence a key: a value can miss each of several kinds."""
    found: dict[str, list[str]] = {}
    ends: dict[str, str] = {}
    for fault in faults:
        key = ".".join(str(part) for part in _keys(fault["loc"]))
        reason, ends[key] = _reason(model, _keys(fault["loc"]), fault)
        found.setdefault(key, []).append(reason)
    return [
        " or ".join([said[0], *(more.rpartition("must be ")[2] for more in said[1:])]) + ends[key]
        for key, said in found.items()
    ]


def _keys(location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Return the keys of a location, without the kinds of values that pydantic has tried."""
    return tuple(part for part in location if "[" not in str(part))


def _is_missing(fault: Any) -> bool:
    return fault["type"] == "missing" or fault["input"] is None


def _reason(
    model: type[BaseModel], location: tuple[int | str, ...], fault: Any
) -> tuple[str, str]:
    """Return what is wrong with a key, and what was found there."""
    path = ".".join(str(part) for part in location)
    if fault["type"] == "extra_forbidden":
        known = nearest(str(location[-1]), _keys_at(model, location[:-1]))
        return f"unknown key '{path}': {_elsewhere(model, location) or known}", ""
    if fault["type"] == "missing":
        return f"the key '{path}' is missing", ""
    message = plain(fault["msg"])
    of_all = fault["type"] == "value_error" and isinstance(fault["input"], Mapping)
    if not path or of_all:
        return message, ""
    return f"'{path}': {message[0].lower()}{message[1:]}", f", got {fault['input']!r}"


def _keys_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    models = [model]
    for part in location:
        found = [
            _models_in(m.model_fields[part].annotation)
            for m in models
            if isinstance(part, str) and part in m.model_fields
        ]
        models = [inner for group in found for inner in group] or models
    return sorted({key for m in models for key in m.model_fields})


def _elsewhere(model: type[BaseModel], location: tuple[int | str, ...]) -> str:
    """Return a question for the settings of that name in other places; empty if there are none."""
    *above, name = location
    near = ".".join(str(part) for part in above)
    found = list(dict.fromkeys(_paths_of(model, str(name))))
    found.sort(key=lambda path: not path.startswith(near))
    named = " or ".join(f"'{path}'" for path in found)
    return f"did you mean {named}?" if found else ""


def _paths_of(model: type[BaseModel], name: str, above: str = "") -> Iterator[str]:
    """Yield the paths of settings of that name; keys of a mapping are the user's, and no path."""
    for key, field in model.model_fields.items():
        if key == name:
            yield above + key
        if get_origin(field.annotation) is not dict:
            for inner in _models_in(field.annotation):
                yield from _paths_of(inner, name, f"{above}{key}.")


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]
