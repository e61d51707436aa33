"""What a user may set, and what a user is told: strict configuration and clear errors.

Unknown keys and wrong types are errors, each naming its key and the nearest known ones.

    learner:                          # recipe.yaml
      learning_rate: 2e-4
    --set learner.learning_rate=1e-3  # on the command line
"""

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

Model = TypeVar("Model", bound=BaseModel)


class UserError(Exception):
    """One clear sentence for the user: what is wrong, where, and what to do. No traceback."""

    exit_code: ClassVar[int] = 1


class ConfigError(UserError):
    """Wrong usage or configuration."""

    exit_code: ClassVar[int] = 2


class Resumable(UserError):
    """Stopped early, nothing lost: the same command goes on later."""

    exit_code: ClassVar[int] = 3


Kind = TypeVar("Kind", bound="Strict")


class Strict(BaseModel):
    """A frozen model that refuses unknown keys and numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def but(self: Kind, **changes: Any) -> Kind:
        """The same with other values, which are checked."""
        return type(self)(**{**dict(self), **changes})


class Limits(Strict):
    """How much one source file may ask for, before it is rejected with its reason."""

    file_bytes: int = Field(default=8_000_000, gt=0, description="bytes of one MIDI file")
    notes: int = Field(default=200_000, gt=0, description="notes of one file")
    beats: int = Field(
        default=20_000, gt=0, description="beats from the start of a file to its end"
    )
    cells: int = Field(
        default=2_000_000, gt=0, description="cells of one file's roll in which a note sounds"
    )
    seconds: float = Field(
        default=20.0, gt=0, description="seconds that reading one file may take"
    )
    memory_mb: int = Field(default=300, gt=0, description="MB that a reading process may hold")
    video_bytes: int = Field(default=4_000_000_000, gt=0, description="bytes of one video file")
    pixels: int = Field(default=9_500_000, gt=0, description="pixels of one picture of a video")
    kept_bytes: int = Field(
        default=64_000_000, gt=0, description="bytes of one video's frames, at the size wanted"
    )
    video_seconds: float = Field(
        default=120.0, gt=0, description="seconds that reading one video may take"
    )
    video_memory_mb: int = Field(
        default=500, gt=0, description="MB that a process reading video may hold"
    )
    caption_characters: int = Field(default=1000, gt=0, description="characters of one caption")
    manifest_bytes: int = Field(default=200_000_000, gt=0, description="bytes of one manifest")
    archive_members: int = Field(default=1_000_000, gt=0, description="files of one archive")
    archive_ratio: float = Field(
        default=200.0, ge=1, description="unpacked bytes for one packed byte"
    )


class _Loader(yaml.SafeLoader):
    """YAML 1.2's numbers (`2e-4` is a number) and JSON's types only (dates stay text)."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith("timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML or JSON file; anything else is a `ConfigError`."""
    try:
        values = _parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold `key: value` lines, not a {type(values).__name__}")
    return values


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
        _assign(result, path.split("."), _parse(text, f"--set {assignment}"), assignment)
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


def _parse(text: str, origin: str) -> Any:
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{origin} is not YAML: {' '.join(str(error).split())}") from error


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
