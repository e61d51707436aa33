"""What a user may set, and what a user is told: strict configuration and clear errors.

Unknown keys and wrong types are errors, each naming its key and the nearest known ones.

    learner:                          # recipe.yaml
      learning_rate: 2e-4
    --set learner.learning_rate=1e-3  # on the command line
"""

import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from core.errors import ConfigError
from core.yaml_files import parse_yaml

Model = TypeVar("Model", bound=BaseModel)


Kind = TypeVar("Kind", bound="Strict")


class Strict(BaseModel):
    """A frozen model that refuses unknown keys and numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def replace(self: Kind, **changes: Any) -> Kind:
        """The same with other values, which are checked."""
        return type(self)(**{**dict(self), **changes})


def override(values: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """A copy of `values` with each `a.b=value` set, the value read as YAML.

    >>> override({"learner": {"seed": 1}}, ["learner.rate=2e-4", "sizes=[1, 2]"])
    {'learner': {'seed': 1, 'rate': 0.0002}, 'sizes': [1, 2]}
    """
    result = json.loads(json.dumps(values))
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals or not all(path.split(".")):
            raise ConfigError(f"--set wants path=value, such as a.b=3, not '{assignment}'")
        _assign(result, path.split("."), parse_yaml(text, f"--set {assignment}"), assignment)
    return result


def resolve(model: type[Model], values: Mapping[str, Any], origin: str) -> Model:
    """`values` as a `model`, with the types of JSON and no conversions between them.

    Raises `ConfigError` naming `origin`, each wrong key, and the known key nearest to it.
    """
    try:
        return model.model_validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        reasons = [_reason(model, fault["loc"], fault) for fault in error.errors()]
        raise ConfigError(f"{origin}: {'; '.join(reasons)}") from error


def nearest(name: str, known: Sequence[str]) -> str:
    """The end of a sentence that helps with a misspelt name.

    >>> nearest("ganw", ["wgan", "vae", "hinge"])
    "did you mean 'wgan'? There are wgan, vae, hinge"
    """
    matches = difflib.get_close_matches(name, known, n=1)
    guess = f"did you mean '{matches[0]}'? There are " if matches else "there are "
    return guess + ", ".join(known)


def _assign(values: dict[str, Any], path: list[str], value: Any, assignment: str) -> None:
    for key in path[:-1]:
        values = values.setdefault(key, {})
        if not isinstance(values, dict):
            raise ConfigError(f"--set {assignment}: '{key}' is a value and has no keys below it")
    values[path[-1]] = value


def _reason(model: type[BaseModel], location: tuple[int | str, ...], fault: Any) -> str:
    path = ".".join(str(part) for part in location)
    if fault["type"] == "extra_forbidden":
        known = _keys_at(model, location[:-1])
        return f"unknown key '{path}': {nearest(str(location[-1]), known)}"
    if fault["type"] == "missing":
        return f"the key '{path}' is missing"
    message = fault["msg"].removeprefix("Value error, ")
    return (
        f"'{path}': {message[0].lower()}{message[1:]}, got {fault['input']!r}" if path else message
    )


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


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]
