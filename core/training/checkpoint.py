"""A checkpoint is a folder: tensors as safetensors, everything else as JSON, a digest of each.

    step-00001000/
      networks.safetensors  ema.safetensors  optimizers.safetensors
      state.json            facts, what is no tensor, sha256 and size of each file, its own sha256

It is written aside, synced and renamed, so that it is whole or absent. Nothing in it can run code.
"""

import contextlib
import hashlib
import json
import logging
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from core.config import Strict
from core.errors import Resumable, UserError
from core.files import digest, sync
from core.training.serialisation import State, join, split

LOG = logging.getLogger("pianoreel")

INDEX = "state.json"


class Corrupt(UserError):
    """A checkpoint whose files are not as they were written."""


class Stored(Strict):
    """What a file was when it was written."""

    sha256: str
    bytes: int


class Index(Strict):
    """The contents of state.json. `sha256` is of the rest; indices of old may lack it."""

    facts: dict[str, Any]
    groups: dict[str, Any]
    files: dict[Annotated[str, Field(pattern=r"^\w+\.safetensors$")], Stored]
    sha256: str = ""

    def seal(self) -> str:
        """The digest of all but itself."""
        values = self.model_dump(exclude={"sha256"})
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint on disk."""

    folder: Path
    index: Index

    @classmethod
    def open(cls, folder: Path) -> "Checkpoint":
        """Check every digest; `Corrupt` names the file that is missing or changed."""
        index = _read_index(folder / INDEX)
        for name, stored in index.files.items():
            _check(folder / name, stored)
        return cls(folder, index)

    @property
    def facts(self) -> dict[str, Any]:
        return self.index.facts

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(self.index.groups)

    def group(self, name: str) -> Any:
        """One group of the state as it was saved, to the bit."""
        if name not in self.index.groups:
            raise Corrupt(f"{self.folder} holds no '{name}'")
        path = self.folder / f"{name}.safetensors"
        try:
            tensors = load_file(path) if path.name in self.index.files else {}
            value = join(self.index.groups[name], tensors)
        except (OSError, SafetensorError, LookupError, TypeError, ValueError) as error:
            raise Corrupt(f"{path} does not hold what {INDEX} says") from error
        if tensors:
            raise Corrupt(f"{path} holds more than {INDEX} says: {', '.join(tensors)}")
        return value

    def state(self) -> dict[str, Any]:
        """The whole state as it was saved."""
        return {name: self.group(name) for name in self.groups}

    def fill(self, module: nn.Module, group: str) -> None:
        """Load `group` into `module`; `UserError` names tensors missing, unknown or misshapen."""
        weights = self.group(group)
        wanted, stored = _shapes(module.state_dict()), _shapes(weights)
        wrong = sorted(k for k in wanted.keys() | stored.keys() if wanted.get(k) != stored.get(k))
        if wrong:
            key, others = wrong[0], f" and {len(wrong) - 1} more" if wrong[1:] else ""
            raise UserError(
                f"the weights in {self.folder} do not fit its configuration: {key} is "
                f"{stored.get(key, 'absent')} where {wanted.get(key, 'nothing')} belongs{others}"
            )
        module.load_state_dict(weights)


def save_checkpoint(folder: Path, state: State, facts: Mapping[str, Any]) -> None:
    """Write `state` and `facts` to `folder`, at once or not at all, in place of an earlier one.

    `Resumable` where the disk is full or a value is not finite; what was there before stays.
    """
    aside = _hidden(folder)
    try:
        with resumable(f"save to {folder}"):
            aside.mkdir(parents=True)
            _write(aside, state, facts)
            _replace(folder, aside)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextlib.contextmanager
def resumable(task: str) -> Iterator[None]:
    """Turn a failure to write (safetensors has an exception of its own) into `Resumable`."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Resumable(
            f"cannot {task}: {reason}; earlier checkpoints are intact, and the same command "
            "goes on from them"
        ) from error


def _write(folder: Path, state: State, facts: Mapping[str, Any]) -> None:
    groups: dict[str, Any] = {}
    files: dict[str, Stored] = {}
    for name, value in state.items():
        groups[name], tensors = split(value, name)
        if tensors:
            path = folder / f"{name}.safetensors"
            save_file(tensors, path)
            sync(path)
            files[path.name] = Stored(sha256=digest(path), bytes=path.stat().st_size)
    plain = json.loads(json.dumps({"facts": dict(facts), "groups": groups}))
    index = Index(**plain, files=files)
    sealed = {**index.model_dump(), "sha256": index.seal()}
    (folder / INDEX).write_text(json.dumps(sealed, indent=1), encoding="utf-8")
    sync(folder / INDEX)
    sync(folder)


def _replace(folder: Path, aside: Path) -> None:
    """Give `aside` its name. A kill between two lines leaves what `recover` puts right."""
    former = _hidden(folder)
    if folder.exists():
        folder.rename(former)
    aside.rename(folder)
    sync(folder.parent)
    shutil.rmtree(former, ignore_errors=True)


def _hidden(folder: Path) -> Path:
    """A new name beside `folder`, which `recover` leads back to it."""
    return folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")


def recover(folder: Path) -> None:
    """Clear up after a killed command: whole checkpoints get their names, partial ones go."""
    for left in folder.glob(".*"):
        if not re.fullmatch(r"\.(step-\d+|best)\.[0-9a-f]{8}", left.name):
            continue
        named = folder / left.name[1:].rpartition(".")[0]
        if not named.exists() and _is_whole(left):
            left.rename(named)
        else:
            LOG.warning("removed what a stopped command left unfinished: %s", left)
            shutil.rmtree(left)


def _is_whole(folder: Path) -> bool:
    try:
        return bool(Checkpoint.open(folder))
    except Corrupt:
        return False


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoint folders in `folder`, newest first; unfinished ones are not among them."""
    found = [path for path in folder.glob("step-*") if re.fullmatch(r"step-\d+", path.name)]
    return sorted(found, key=step_of, reverse=True)


def step_of(folder: Path) -> int:
    """The step that a checkpoint's folder is named after."""
    return int(folder.name.removeprefix("step-"))


def first_whole(folders: Iterable[Path]) -> Checkpoint | None:
    """The first checkpoint whose digests fit; damaged ones before it are named on stderr.

    None where there are no folders; `Corrupt`, naming the files, where all are damaged.
    """
    damages: list[str] = []
    for folder in folders:
        try:
            found = Checkpoint.open(folder)
        except Corrupt as error:
            damages.append(str(error))
            continue
        for damage in damages:
            LOG.warning("skipped a damaged checkpoint: %s", damage)
        return found
    if damages:
        raise Corrupt(f"no checkpoint is whole: {'; '.join(damages)}")
    return None


def _shapes(weights: Any) -> dict[str, list[int]]:
    if not isinstance(weights, Mapping):
        return {}
    return {k: list(v.shape) for k, v in weights.items() if isinstance(v, Tensor)}


def _read_index(path: Path) -> Index:
    try:
        index = Index.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        raise Corrupt(f"{path} is missing or damaged") from error
    if index.sha256 and index.sha256 != index.seal():
        raise Corrupt(f"{path} has changed since it was written: its digest does not fit")
    return index


def _check(path: Path, stored: Stored) -> None:
    if not path.is_file():
        raise Corrupt(f"{path} is missing")
    try:
        fits = path.stat().st_size == stored.bytes and digest(path) == stored.sha256
    except OSError as error:
        raise Corrupt(f"{path} cannot be read: {error.strerror}") from error
    if not fits:
        raise Corrupt(f"{path} has changed since it was written: its digest does not fit")
