"""A checkpoint is a folder: tensors as safetensors, everything else as JSON, a digest of each.

    step-00001000/
      networks.safetensors  averages.safetensors  optimizers.safetensors
      state.json            facts, what is no tensor, sha256 and size of each file

It is written aside, synced and renamed, so that it is whole or absent. Nothing in it can run code.
"""

import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.config import Resumable, UserError
from core.files import digest, sync

State = Mapping[str, Any]
"""Nested dictionaries and lists of tensors, numbers, strings and None."""

INDEX = "state.json"
TENSOR = "tensor:"
"""In JSON, a string that starts so stands for the tensor of that name."""


class Corrupt(UserError):
    """A checkpoint whose files are not as they were written."""


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint on disk."""

    folder: Path
    facts: dict[str, Any]
    index: dict[str, Any]

    @classmethod
    def open(cls, folder: Path) -> "Checkpoint":
        """Read and check the index; `Corrupt` names the file that is missing or changed."""
        path = folder / INDEX
        try:
            index = json.loads(path.read_text(encoding="utf-8"))
            facts, files = index["facts"], index["files"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Corrupt(f"{path} is missing or damaged") from error
        for name, kept in files.items():
            _check(folder / Path(name).name, kept)
        return cls(folder, facts, index)

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(self.index["groups"])

    def group(self, name: str) -> Any:
        """One group of the state as it was saved."""
        if name not in self.index["groups"]:
            raise Corrupt(f"{self.folder} holds no '{name}'")
        path = self.folder / f"{name}.safetensors"
        try:
            tensors = load_file(path) if path.exists() else {}
        except SafetensorError as error:
            raise Corrupt(f"{path} is no safetensors file") from error
        return _join(self.index["groups"][name], tensors)

    def state(self) -> dict[str, Any]:
        """The whole state as it was saved."""
        return {name: self.group(name) for name in self.groups}


def save_checkpoint(folder: Path, state: State, facts: Mapping[str, Any]) -> None:
    """Write `state` and `facts` to a new `folder`, at once or not at all.

    A full disk is `Resumable`, and what was there before stays. Values that are not finite are
    refused: `ValueError`.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:8]}"
    try:
        aside.mkdir()
        _write(aside, state, facts)
        _replace(aside, folder)
    except OSError as error:
        raise Resumable(
            f"cannot save to {folder}: {error.strerror}; earlier checkpoints are intact"
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write(folder: Path, state: State, facts: Mapping[str, Any]) -> None:
    groups, files = {}, {}
    for name, value in state.items():
        groups[name], tensors = _split(value)
        if tensors:
            path = folder / f"{name}.safetensors"
            save_file(tensors, path)
            sync(path)
            files[path.name] = {"sha256": digest(path), "bytes": path.stat().st_size}
    index = {"facts": dict(facts), "groups": groups, "files": files}
    (folder / INDEX).write_text(json.dumps(index, indent=1), encoding="utf-8")
    sync(folder / INDEX)
    sync(folder)


def _replace(aside: Path, folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    aside.rename(folder)
    sync(folder.parent)


def _check(path: Path, kept: Mapping[str, Any]) -> None:
    if not path.is_file():
        raise Corrupt(f"{path} is missing")
    if path.stat().st_size != kept["bytes"] or digest(path) != kept["sha256"]:
        raise Corrupt(f"{path} has changed since it was written: its digest does not fit")


def _split(value: Any) -> tuple[Any, dict[str, Tensor]]:
    """A value as JSON with names for its tensors, and the tensors by those names."""
    tensors: dict[str, Tensor] = {}

    def name(value: Any, path: str) -> Any:
        if isinstance(value, Tensor):
            if value.is_floating_point() and not torch.isfinite(value).all():
                raise ValueError(f"{path} is not finite and is not saved")
            tensors[path] = value.detach().cpu().contiguous().clone()
            return TENSOR + path
        if isinstance(value, Mapping):
            return {"dict": [[k, name(v, f"{path}/{k}")] for k, v in value.items()]}
        if isinstance(value, list | tuple):
            return {"list": [name(v, f"{path}/{i}") for i, v in enumerate(value)]}
        return value

    return name(value, ""), tensors


def _join(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The inverse of `_split`; a tuple comes back as a list."""
    if isinstance(value, str) and value.startswith(TENSOR):
        return tensors[value.removeprefix(TENSOR)]
    if isinstance(value, dict) and "dict" in value:
        return {key: _join(entry, tensors) for key, entry in value["dict"]}
    if isinstance(value, dict):
        return [_join(entry, tensors) for entry in value["list"]]
    return value


def checkpoints(folder: Path) -> Iterator[Path]:
    """The checkpoint folders in `folder`, newest first; unfinished ones are not among them."""
    yield from sorted(folder.glob("step-*"), reverse=True)
