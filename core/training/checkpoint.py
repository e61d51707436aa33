"""Checkpoints: folders of tensors as safetensors and all else as JSON, with digests.

    step-00001000/
      networks.safetensors  ema.safetensors  optimizers.safetensors
      state.json            facts, values, sha256 and size of each file, its own sha256

A checkpoint is written under a hidden name, synced and renamed, so that it is complete or absent.
Loading one runs no code.
"""

import contextlib
import hashlib
import json
import logging
import re
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field, StrictFloat, StrictInt
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from core.config import Strict
from core.errors import Resumable, UserError
from core.files import cache_folder, cause_of, digest, is_full, read_json, read_tensors, sync
from core.training.serialisation import State, join, split

LOG = logging.getLogger("pianoreel")

INDEX = "state.json"


class Corrupt(UserError):
    """A checkpoint whose files are not as they were written."""


class Stored(Strict):
    """Digest and size of a file as it was written."""

    sha256: str
    bytes: int


Fact = Annotated[StrictInt, Field(lt=2**53)] | StrictFloat
"""A number: a step, seconds, or a distance."""


class Index(Strict):
    """Contents of state.json; `sha256` is the digest of the rest, and optional."""

    facts: dict[str, Fact]
    groups: dict[str, Any]
    files: dict[Annotated[str, Field(pattern=r"^\w+\.safetensors$")], Stored]
    sha256: str = ""

    def seal(self) -> str:
        """Return the digest of all fields but `sha256`."""
        values = self.model_dump(exclude={"sha256"})
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint on disk."""

    folder: Path
    index: Index

    @classmethod
    def open(cls, folder: Path) -> "Checkpoint":
        """Open a checkpoint and verify every digest; `Corrupt` names the file that is damaged.

        One that a training replaces meanwhile is opened anew.
        """
        while True:
            opened = identity(folder)
            try:
                index = _read_index(folder / INDEX)
                for name, stored in index.files.items():
                    _check(folder / name, stored)
            except Corrupt:
                if identity(folder) == opened:
                    raise
            else:
                return cls(folder, index)

    @property
    def facts(self) -> dict[str, Fact]:
        return self.index.facts

    def fact(self, name: str) -> float:
        """Return one of the facts; `Corrupt` where it is missing."""
        if name not in self.facts:
            raise Corrupt(f"{self.folder / INDEX} has no {name}: delete {self.folder}")
        return self.facts[name]

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(self.index.groups)

    def group(self, name: str) -> Any:
        """Load one group of the state, equal to the saved one to the bit."""
        if name not in self.index.groups:
            raise Corrupt(f"{self.folder} has no '{name}': train it anew")
        path = self.folder / f"{name}.safetensors"
        try:
            tensors = read_tensors(path) if path.name in self.index.files else {}
            wrong = [name for name, value in tensors.items() if not torch.isfinite(value).all()]
            value = join(self.index.groups[name], tensors)
        except (OSError, SafetensorError, LookupError, TypeError, ValueError) as error:
            raise Corrupt(f"{path} does not hold what {INDEX} says") from error
        if tensors:
            raise Corrupt(f"{path} holds more than {INDEX} says: {', '.join(tensors)}")
        if wrong:
            raise Corrupt(
                f"{path} holds values that are not finite ({wrong[0]}): delete {self.folder}"
            )
        return value

    def state(self) -> dict[str, Any]:
        """Load the whole state."""
        return {name: self.group(name) for name in self.groups}

    def fill(self, module: nn.Module, group: str) -> None:
        """Load `group` into `module`; `UserError` names tensors missing, unknown or misshapen.

        Numbers with a fraction may be stored in another precision, see `export`.
        """
        weights = self.group(group)
        wanted, stored = _kinds(module.state_dict()), _kinds(weights)
        wrong = sorted(k for k in wanted.keys() | stored.keys() if wanted.get(k) != stored.get(k))
        if wrong:
            key, others = wrong[0], f" and {len(wrong) - 1} more" if wrong[1:] else ""
            raise UserError(
                f"the weights in {self.folder} do not fit its configuration: {key} is "
                f"{stored.get(key, 'absent')} where {wanted.get(key, 'nothing')} belongs{others}; "
                "another version of pianoreel trained it: train it anew, into another folder"
            )
        module.load_state_dict(weights)


def save_checkpoint(folder: Path, state: State, facts: Mapping[str, Any]) -> None:
    """Write `state` and `facts` to `folder` atomically, replacing an earlier checkpoint.

    `Resumable` where the disk is full or a value is not finite; the earlier one is then kept.
    """
    aside = _hidden(folder)
    try:
        with resumable(f"save to {folder}"):
            aside.mkdir(parents=True)
            _write(aside, state, facts)
            _replace(folder, aside)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def fill_from_cache(classifier: nn.Module, settings: object, fit: Callable[[], None]) -> None:
    """Fill a classifier with cached weights of these settings.

    Where there are none, or those of another architecture, of another version, `fit` it. A cache
    that cannot be written is logged.
    """
    name = hashlib.sha256(repr(settings).encode()).hexdigest()[:16]
    folder = cache_folder() / "classifiers" / name
    try:
        Checkpoint.open(folder).fill(classifier, "classifier")
    except UserError:
        fit()
        try:
            save_checkpoint(folder, {"classifier": classifier.state_dict()}, {})
        except Resumable as error:
            if error.__cause__ is None:  # weights that are not finite
                raise
            LOG.warning(
                "a classifier is not kept in %s (%s), and is trained anew the next time: set "
                "PIANOREEL_CACHE to a folder that can be written",
                folder,
                error.__cause__,
            )


@contextlib.contextmanager
def resumable(task: str) -> Iterator[None]:
    """Raise `Resumable` in place of an error while writing (OSError, or safetensors' own)."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        cure = "make room: " if is_full(error) else ""
        raise Resumable(
            f"cannot {task}: {reason}; {cure}earlier checkpoints are intact, and the same command "
            "resumes from them"
        ) from error


def _write(folder: Path, state: State, facts: Mapping[str, Any]) -> None:
    groups: dict[str, Any] = {}
    files: dict[str, Stored] = {}
    for name, value in state.items():
        groups[name], tensors = split(value, name)
        if tensors:
            path = folder / f"{name}.safetensors"
            save_file(tensors, path)
            path.chmod(folder.stat().st_mode & 0o666)  # it is written for its owner alone
            sync(path)
            files[path.name] = Stored(sha256=digest(path), bytes=path.stat().st_size)
    plain = json.loads(json.dumps({"facts": dict(facts), "groups": groups}))
    index = Index(**plain, files=files)
    sealed = {**index.model_dump(), "sha256": index.seal()}
    (folder / INDEX).write_text(json.dumps(sealed, indent=1), encoding="utf-8")
    sync(folder / INDEX)
    sync(folder)


def _replace(folder: Path, aside: Path) -> None:
    """Rename `aside` to `folder`; `recover` repairs what a kill between two lines leaves."""
    former = _hidden(folder)
    if folder.exists():
        folder.rename(former)
    aside.rename(folder)
    sync(folder.parent)
    shutil.rmtree(former, ignore_errors=True)


def _hidden(folder: Path) -> Path:
    """Return a new hidden name beside `folder`, which `recover` can map back to it."""
    return folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")


def recover(folder: Path) -> None:
    """Repair after a killed command: name complete checkpoints, remove partial ones."""
    for left in folder.glob(".*"):
        if not re.fullmatch(r"\.(step-\d+|best)\.[0-9a-f]{8}", left.name):
            continue
        named = folder / left.name[1:].rpartition(".")[0]
        if not named.exists() and _is_intact(left):
            left.rename(named)
        else:
            LOG.warning("removed what a stopped command left unfinished: %s", left)
            shutil.rmtree(left)


def identity(folder: Path) -> tuple[int, int] | None:
    """Return by which number, and since when, a folder has its name; None where there is none."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_ino, found.st_ctime_ns


def _is_intact(folder: Path) -> bool:
    try:
        return bool(Checkpoint.open(folder))
    except Corrupt:
        return False


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoint folders in `folder`, newest first, without unfinished ones."""
    folders = (one for one in folder.glob("step-*") if one.is_dir())
    found = [one for one in folders if re.fullmatch(r"step-\d+", one.name)]
    return sorted(found, key=step_of, reverse=True)


def step_of(folder: Path) -> int:
    """Return the step in the name of a checkpoint folder."""
    return int(folder.name.removeprefix("step-"))


def first_intact(folders: Iterable[Path]) -> Checkpoint | None:
    """Return the first checkpoint whose digests match; damaged ones before it are logged.

    Those that a training has removed meanwhile are passed over. None where there are no folders;
    `Corrupt`, naming the files, where all are damaged.
    """
    damages: list[str] = []
    for folder in folders:
        try:
            found = Checkpoint.open(folder)
        except Corrupt as error:
            if folder.exists():
                damages.append(str(error))
            continue
        for damage in damages:
            LOG.warning("skipped a damaged checkpoint: %s", damage)
        return found
    if damages:
        raise Corrupt(
            f"no checkpoint is intact: {'; '.join(damages)}: put back a copy of one, or train "
            "anew, into another folder"
        )
    return None


def _kinds(weights: Any) -> dict[str, str]:
    """Return the shape of each tensor, and its type unless it has fractions."""
    if not isinstance(weights, Mapping):
        return {}
    tensors = {key: value for key, value in weights.items() if isinstance(value, Tensor)}
    types = {k: "" if v.is_floating_point() else f" of {v.dtype}" for k, v in tensors.items()}
    return {key: f"{list(value.shape)}{types[key]}" for key, value in tensors.items()}


def _read_index(path: Path) -> Index:
    try:
        index = Index.model_validate(read_json(path))
    except PermissionError as error:
        raise Corrupt(f"{path} cannot be read: {cause_of(error)}") from error
    except (OSError, ValueError) as error:
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
        raise Corrupt(f"{path} cannot be read: {cause_of(error)}") from error
    if not fits:
        raise Corrupt(f"{path} has changed since it was written: its digest does not fit")
