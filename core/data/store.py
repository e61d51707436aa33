"""Prepared data on disk: shards of named columns, memory-mapped, with a digest of each file.

    index.json            facts, the number of shards, sha256 of every file
    shard-00000/          one `.npy` a column, and shard.json: what the domain notes, and digests
    ...
    shard-00007/          the last one: columns of the whole, that find a record in the others
    rejects.jsonl         path, reason and detail of all that was left out

A column is an array whose first axis counts; a ragged one has a column of lengths beside it. How
columns belong together is the domain's matter. A shard is written aside, synced and renamed, so
that it is whole or absent, and a finished one is kept when the work is begun again.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from core.errors import Resumable, UserError
from core.files import digest, sync, write_text

Columns = Mapping[str, np.ndarray | Sequence[np.ndarray]]
"""A column is an array, or its parts in a row, which then need not be in memory together."""

Reject = tuple[str, str, str]
"""Path, reason and detail."""

NOTES = "shard.json"
INDEX = "index.json"


def shard_folder(folder: Path, number: int) -> Path:
    """Where a shard lies."""
    return folder / f"shard-{number:05d}"


def write_shard(folder: Path, number: int, columns: Columns, notes: Any = None) -> None:
    """Write one shard, at once or not at all; `notes` is anything that JSON can hold.

    A full disk is `Resumable`: what was finished before stays.
    """
    final = shard_folder(folder, number)
    aside = final.with_name(f".{final.name}")
    try:
        _write(aside, columns, notes)
        shutil.rmtree(final, ignore_errors=True)
        aside.rename(final)
        sync(folder)
    except OSError as error:
        raise Resumable(
            f"cannot write to {folder} ({error.strerror}); finished parts are kept and the same "
            "command goes on"
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write(folder: Path, columns: Columns, notes: Any) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, column in columns.items():
        _save(folder / f"{name}.npy", column)
        sync(folder / f"{name}.npy")
    digests = {path.name: digest(path) for path in sorted(folder.iterdir())}
    write_text(folder / NOTES, json.dumps({"notes": notes, "sha256": digests}))


def _save(path: Path, column: np.ndarray | Sequence[np.ndarray]) -> None:
    if isinstance(column, np.ndarray):
        np.save(path, column)
        return
    first = column[0]
    shape = (sum(len(part) for part in column), *first.shape[1:])
    header = {"descr": npy.dtype_to_descr(first.dtype), "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        npy.write_array_header_1_0(file, header)
        for part in column:
            np.ascontiguousarray(part, first.dtype).tofile(file)


def finished(folder: Path, number: int) -> bool:
    """Whether a shard is there, and as it was written."""
    shard = shard_folder(folder, number)
    try:
        kept = json.loads((shard / NOTES).read_text(encoding="utf-8"))["sha256"]
        return all(digest(shard / name) == sha256 for name, sha256 in kept.items())
    except (OSError, ValueError, KeyError):
        return False


def read_notes(folder: Path, number: int) -> Any:
    """What was noted of a finished shard."""
    path = shard_folder(folder, number) / NOTES
    return json.loads(path.read_text(encoding="utf-8"))["notes"]


def read_columns(folder: Path, number: int) -> dict[str, np.ndarray]:
    """The columns of a finished shard, memory-mapped."""
    paths = sorted(shard_folder(folder, number).glob("*.npy"))
    return {path.stem: np.load(path, mmap_mode="r").view(np.ndarray) for path in paths}


def write_index(folder: Path, shards: int, facts: Mapping[str, Any], columns: Columns) -> None:
    """Finish a store: columns and facts of the whole, and the digests of every file."""
    write_shard(folder, shards, columns)
    digests = {
        f"{shard.name}/{path.name}": digest(path)
        for shard in (shard_folder(folder, number) for number in range(shards + 1))
        for path in sorted(shard.iterdir())
    }
    index = {"facts": facts, "shards": shards, "sha256": digests}
    write_text(folder / INDEX, json.dumps(index, indent=1))


def write_rejects(folder: Path, rejects: Iterable[Reject]) -> None:
    """One line of JSON for each."""
    lines = (json.dumps(dict(zip(("path", "reason", "detail"), r, strict=True))) for r in rejects)
    write_text(folder / "rejects.jsonl", "".join(line + "\n" for line in lines))


class Store:
    """A finished store, opened for reading; every file is checked by its digest."""

    def __init__(self, folder: Path):
        """`UserError` names the file that is missing or damaged, and says how to mend it."""
        self.folder = folder
        path = folder / INDEX
        if not path.is_file():
            raise UserError(
                f"{folder} holds no prepared data, or it is unfinished: the command that "
                "prepares it goes on where it stopped"
            )
        try:
            self.index = json.loads(path.read_text(encoding="utf-8"))
            self.facts: dict[str, Any] = self.index["facts"]
            self._digests: dict[str, str] = dict(self.index["sha256"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is damaged: delete {folder} and prepare it again") from error
        self._check()

    def _check(self) -> None:
        for name, kept in self._digests.items():
            path = self.folder / name
            if not path.is_file() or digest(path) != kept:
                raise UserError(
                    f"{path} is missing or has changed since it was written: "
                    "the command that prepared it mends it"
                )

    @property
    def digest(self) -> str:
        """A digest of all the data, from the digests of its files."""
        return hashlib.sha256(json.dumps(self._digests).encode()).hexdigest()

    @cached_property
    def shards(self) -> list[dict[str, np.ndarray]]:
        """The columns of each shard."""
        return list(self.each())

    def each(self) -> Iterator[dict[str, np.ndarray]]:
        """The columns of one shard after another, each in memory only while it is used."""
        for number in range(self.index["shards"]):
            yield read_columns(self.folder, number)

    @cached_property
    def whole(self) -> dict[str, np.ndarray]:
        """The columns that belong to all shards together."""
        return read_columns(self.folder, self.index["shards"])
