"""Prepared data on disk: shards of named columns, memory-mapped, with a digest of each file.

    index.json            format, facts, the number of shards, sha256 of every file
    shard-00000/          one `.npy` for each column; shard.json: metadata and digests
    ...
    shard-00007/          the last one: global columns, which locate pieces in the other shards
    rejects.jsonl         path, reason and detail of every source that was left out

A column is an array whose first axis counts entries; a ragged column is accompanied by a column of
lengths. The domain defines the columns. A shard is written under a hidden name of its own, synced
and renamed, so that it is complete or absent, and finished shards are kept when a preparation
resumes.
"""

import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from core.errors import Resumable, UserError
from core.files import digest, read_json, require_lock, sync, write_text

Columns = Mapping[str, np.ndarray | Sequence[np.ndarray]]
"""A column is an array, or its consecutive parts, which need not be in memory together."""

Reject = tuple[str, str, str]
"""Path, reason and detail."""

SHARD_INDEX = "shard.json"
INDEX = "index.json"

FORMAT = 3
"""Version of what a prepared folder holds."""


def shard_folder(folder: Path, number: int) -> Path:
    """Return the path of a shard."""
    return folder / f"shard-{number:05d}"


def write_shard(folder: Path, number: int, columns: Columns, metadata: Any = None) -> None:
    """Write one shard atomically; `metadata` is anything that JSON can hold.

    A full disk is `Resumable`: finished shards are kept. One that is the same stays as it is: a
    training may read it. See `require_lock`.
    """
    require_lock(folder)
    final = shard_folder(folder, number)
    aside = final.with_name(f".{final.name}-{secrets.token_hex(8)}")
    try:
        _write(aside, columns, metadata)
        index = (aside / SHARD_INDEX).read_bytes()  # with the digests of all columns
        if not finished(folder, number) or (final / SHARD_INDEX).read_bytes() != index:
            shutil.rmtree(final, ignore_errors=True)
            aside.rename(final)
        sync(folder)
    except OSError as error:
        raise full_disk(folder, error) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def remove_unfinished(folder: Path) -> None:
    """Remove what processes that were killed have left of their shards; none may be at work."""
    for aside in folder.glob(".shard-*"):
        shutil.rmtree(aside, ignore_errors=True)


def full_disk(folder: Path, error: OSError) -> Resumable:
    """Return the error of a folder in which there is no room left."""
    said = error.strerror or os.strerror(errno.ENOSPC)  # numpy says how many bytes it wrote
    return Resumable(
        f"cannot write to {folder} ({said}): make room; finished parts are kept, and the same "
        "command resumes"
    )


def _write(folder: Path, columns: Columns, metadata: Any) -> None:
    folder.mkdir(parents=True)
    for name, column in columns.items():
        _save(folder / f"{name}.npy", column)
        sync(folder / f"{name}.npy")
    digests = {path.name: digest(path) for path in sorted(folder.iterdir())}
    write_text(folder / SHARD_INDEX, json.dumps({"metadata": metadata, "sha256": digests}))


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
    """Return whether a shard exists and its files match their digests."""
    shard = shard_folder(folder, number)
    try:
        digests = read_json(shard / SHARD_INDEX)["sha256"]
        return all(digest(shard / name) == sha256 for name, sha256 in digests.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def read_metadata(folder: Path, number: int) -> Any:
    """Read the metadata of a finished shard."""
    return read_json(shard_folder(folder, number) / SHARD_INDEX)["metadata"]


def read_columns(folder: Path, number: int) -> dict[str, np.ndarray]:
    """Open the columns of a finished shard, memory-mapped."""
    paths = sorted(shard_folder(folder, number).glob("*.npy"))
    return {path.stem: np.load(path, mmap_mode="r").view(np.ndarray) for path in paths}


def write_index(folder: Path, shards: int, facts: Mapping[str, Any], columns: Columns) -> None:
    """Finish a store: write the global columns, the facts, and the digests of every file."""
    write_shard(folder, shards, columns)
    digests = {
        f"{shard.name}/{path.name}": digest(path)
        for shard in (shard_folder(folder, number) for number in range(shards + 1))
        for path in sorted(shard.iterdir())
    }
    index = {"format": FORMAT, "facts": facts, "shards": shards, "sha256": digests}
    write_text(folder / INDEX, json.dumps(index, indent=1))


def write_rejects(folder: Path, rejects: Iterable[Reject]) -> None:
    """Write rejects.jsonl, one line for each reject, in letters that a person reads."""
    lines = []
    for reject in rejects:
        row = dict(zip(("path", "reason", "detail"), reject, strict=True))
        printed = "".join(reject).isprintable()  # no byte without a letter, no end of a line
        lines.append(json.dumps(row, ensure_ascii=not printed) + "\n")
    write_text(folder / "rejects.jsonl", "".join(lines))


def require_format(
    folder: Path, written_format: object, command: str = "the same command"
) -> None:
    """Raise `UserError` where another version of pianoreel prepared the folder.

    `command` prepares it anew.
    """
    if written_format != FORMAT:
        raise UserError(
            f"{folder} was prepared by another version of pianoreel: prepare it anew ({command}), "
            "into another folder, or delete this one first"
        )


def _is_store(folder: Path) -> bool:
    return (folder / INDEX).is_file() and shard_folder(folder, 0).is_dir()


class Store:
    """A finished store, open for reading; every file is verified by its digest."""

    def __init__(self, folder: Path):
        """Open and verify; `UserError` names the file that is missing or damaged, and the cure."""
        self.folder = folder
        path = folder / INDEX
        if not path.is_file():
            inner = [one for one in sorted(folder.glob("*")) if _is_store(one)]
            cure = "a folder that `prepare` wrote; the same command resumes"
            raise UserError(
                f"{folder} holds no prepared data, or its preparation is unfinished: give "
                + (f"one in it, such as {inner[0]}" if inner else cure)
            )
        try:
            self.index = read_json(path)
            self.facts: dict[str, Any] = self.index["facts"]
            self._digests: dict[str, str] = dict(self.index["sha256"])
            written_format = self.index.get("format")
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is damaged: delete {folder} and prepare it again") from error
        domain = self.facts.get("domain", "DOMAIN")
        require_format(folder, written_format, f"pianoreel {domain} prepare")
        self._check()

    def _check(self) -> None:
        for name, sha256 in self._digests.items():
            path = self.folder / name
            if not path.is_file() or digest(path) != sha256:
                raise UserError(
                    f"{path} is missing or has changed since it was written: "
                    "the command that prepared it repairs it"
                )

    @property
    def digest(self) -> str:
        """Digest of all the data, computed from the digests of its files."""
        return hashlib.sha256(json.dumps(self._digests).encode()).hexdigest()

    @cached_property
    def shards(self) -> list[dict[str, np.ndarray]]:
        """Columns of each shard."""
        return list(self.each())

    def each(self) -> Iterator[dict[str, np.ndarray]]:
        """Yield the columns of each shard, in memory only while they are used."""
        for number in range(self.index["shards"]):
            yield read_columns(self.folder, number)

    @cached_property
    def whole(self) -> dict[str, np.ndarray]:
        """Global columns, of all shards together."""
        return read_columns(self.folder, self.index["shards"])
