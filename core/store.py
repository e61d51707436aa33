"""Prepared data on disk: shards of named columns, memory-mapped, with a digest of each file.

    index.json            facts, and the shards with their digests
    shard-00000/          one `.npy` a column, and shard.json with what the domain notes of it
    rejects.jsonl         path, reason and detail of all that was left out

A column is an array whose first axis counts; how columns belong together is the domain's matter. A
shard is written aside and renamed, so that it is whole or absent, and a finished one is kept when
the work is begun again.
"""

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from core.checkpoint import digest
from core.config import UserError

Columns = Mapping[str, np.ndarray]


def shard_folder(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:05d}"


def write_shard(folder: Path, number: int, columns: Columns, notes: Mapping[str, Any]) -> None:
    """Write one shard, at once or not at all."""
    final = shard_folder(folder, number)
    aside = final.with_name(f".{final.name}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    for name, column in columns.items():
        np.save(aside / f"{name}.npy", column)
    (aside / "shard.json").write_text(json.dumps(notes), encoding="utf-8")
    for path in aside.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    shutil.rmtree(final, ignore_errors=True)
    aside.rename(final)


def read_notes(folder: Path, number: int) -> dict[str, Any] | None:
    """What was noted of a finished shard, None where there is none yet."""
    path = shard_folder(folder, number) / "shard.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def write_index(folder: Path, shards: int, facts: Mapping[str, Any], columns: Columns) -> None:
    """Finish a store: what belongs to the whole, and a digest of every file."""
    write_shard(folder, shards, columns, {})
    folders = [shard_folder(folder, number) for number in range(shards + 1)]
    digests = {
        f"{shard.name}/{path.name}": digest(path)
        for shard in folders
        for path in sorted(shard.iterdir())
    }
    aside = folder / ".index.json"
    aside.write_text(json.dumps({"facts": facts, "shards": shards, "sha256": digests}, indent=1))
    aside.rename(folder / "index.json")


def write_rejects(folder: Path, rejects: Iterable[tuple[str, str, str]]) -> None:
    """One line of JSON for each (path, reason, detail)."""
    lines = [
        json.dumps({"path": path, "reason": reason, "detail": detail})
        for path, reason, detail in rejects
    ]
    (folder / "rejects.jsonl").write_text("".join(line + "\n" for line in lines))


class Store:
    """A finished store, opened for reading; columns are memory-mapped."""

    def __init__(self, folder: Path):
        self.folder = folder
        try:
            self.index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise UserError(
                f"{folder} holds no prepared data: make it with `pianoreel music prepare`"
            ) from error
        except ValueError as error:
            raise UserError(f"{folder}/index.json is damaged: prepare the data again") from error
        self._check()

    def _check(self) -> None:
        for name, kept in self.index["sha256"].items():
            path = self.folder / name
            if not path.is_file() or digest(path) != kept:
                raise UserError(f"{path} is missing or has changed: prepare the data again")

    @property
    def facts(self) -> dict[str, Any]:
        return self.index["facts"]

    @property
    def digest(self) -> str:
        """A digest of all the data, from the digests of its files."""
        import hashlib

        return hashlib.sha256(json.dumps(self.index["sha256"]).encode()).hexdigest()

    @cached_property
    def shards(self) -> list[dict[str, np.ndarray]]:
        """The columns of each shard."""
        return [self._columns(number) for number in range(self.index["shards"])]

    @cached_property
    def whole(self) -> dict[str, np.ndarray]:
        """The columns that belong to all shards together."""
        return self._columns(self.index["shards"])

    def _columns(self, number: int) -> dict[str, np.ndarray]:
        paths = sorted(shard_folder(self.folder, number).glob("*.npy"))
        return {path.stem: np.load(path, mmap_mode="r") for path in paths}
