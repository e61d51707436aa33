"""Sources -> a store: read in child processes, written shard by shard.

Neither a bad source nor a large collection does harm: each source is kept, or is a line of
rejects.jsonl, and a preparation that was killed goes on where it stopped.
"""

import contextlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from core.data.catalogue import Catalogue
from core.data.store import Columns, finished, shard_folder, write_rejects, write_shard
from core.data.workers import CHUNK_SIZE, Failure, map_in_processes
from core.errors import UserError
from core.files import LOCK, locked, write_text

SOURCES_PER_SHARD = 256

SETTINGS_FILE = "prepare.json"
REPORTS = {"rejects.jsonl", "summary.txt"}

Tick = Callable[[int, int], None]
"""Called with (sources done, sources in all)."""


@dataclass(frozen=True)
class Job:
    """Items to be made into records, and by which they are known.

    A record has `facts` that are noted of it; `columns` are those of records in a row. `made` runs
    in `jobs` processes that are given `handed` items at once, `kept` on each record in this one.
    """

    items: Iterable[Any]
    count: int
    made: Callable[[Any], Any | Failure]
    name: Callable[[Any], str]
    columns: Callable[[Sequence[Any]], Columns]
    seconds: float
    memory_mb: int
    jobs: int
    tick: Tick
    chunk_size: int = CHUNK_SIZE
    kept: Callable[[Any], Any] = lambda record: record


@dataclass(frozen=True)
class Summary:
    """What became of the sources. `pieces` by split; `passed_over`: files of other kinds."""

    PIECES: ClassVar[str]
    FEW: ClassVar[int]
    MORE: ClassVar[str]
    ONE: ClassVar[str]

    folder: Path
    sources: int
    kept: int
    pieces: dict[str, int]
    rejects: Counter[str]
    passed_over: Counter[str] = field(default_factory=Counter)

    @property
    def lines(self) -> list[str]:
        """The table that is printed, and kept as summary.txt."""
        rejected = sum(self.rejects.values())
        lines = [f"{self.sources} files: {self.kept} kept, {rejected} rejected"]
        lines += [f"  {count:6} {reason}" for reason, count in self.rejects.most_common()]
        if self.passed_over:
            kinds = ", ".join(f"{count} {kind}" for kind, count in self.passed_over.most_common(8))
            lines.append(f"{self.passed_over.total()} files of other kinds passed over: {kinds}")
        train, test = self.pieces["train"], self.pieces["test"]
        lines.append(f"{train} {self.PIECES} to train on, {test} held out")
        if train < self.FEW:
            lines.append(f"few {self.PIECES}: below {self.FEW} a model learns them by heart.")
            lines[-1] += f" {self.MORE}"
        if not test:
            lines.append(f"nothing is held out: {self.ONE}")
        return lines

    def write(self) -> None:
        write_text(self.folder / "summary.txt", "\n".join(self.lines) + "\n")


class NothingKept(UserError):
    """All sources were rejected, for the reasons in `found`."""

    def __init__(self, thing: str, folder: Path, found: Catalogue):
        counted = ", ".join(f"{count} {reason}" for reason, count in found.reasons.most_common())
        self.kept = f"no {thing} could be kept of {len(found.rejects)} files ({counted})"
        self.rejects = found.rejects
        super().__init__(f"{self.kept}: {folder}/rejects.jsonl says why")


def pieces_by_split(is_test: np.ndarray) -> dict[str, int]:
    """How many pieces are trained on, and how many held out."""
    return {"train": int((~is_test).sum()), "test": int(is_test.sum())}


@contextlib.contextmanager
def begin_in(folder: Path, wanted: dict[str, Any]) -> Iterator[Path]:
    """The folder, held for this process, empty or with finished shards of the same preparation.

    `wanted` says what is prepared from what; its `sources` are a digest of theirs.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            _refuse_other(folder, wanted)
            yield folder
    except PermissionError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}") from error
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(f"{folder} is no folder") from error


def _refuse_other(folder: Path, wanted: dict[str, Any]) -> None:
    mark = folder / SETTINGS_FILE
    if not mark.exists():
        if {path.name for path in folder.iterdir()} - REPORTS - {LOCK}:
            raise UserError(f"{folder} holds other files: choose an empty or a new folder")
        write_text(mark, json.dumps(wanted, indent=1))
        return
    begin_in = json.loads(mark.read_text(encoding="utf-8"))
    changed = sorted(key for key in begin_in | wanted if begin_in.get(key) != wanted.get(key))
    if changed == ["sources"]:
        raise UserError(
            f"{folder} was prepared from other files, or some have changed since: choose another "
            "folder, or delete this one"
        )
    if changed:
        raise UserError(
            f"{folder} was prepared with other settings: repeat them, or choose another folder"
        )


def read_all(folder: Path, job: Job, extent: str, same_as: str, thing: str) -> Catalogue:
    """Write the shards that are missing and the rejects; the catalogue of what is kept.

    See `Catalogue.of`. Raises `NothingKept` where no `thing` is.
    """
    shards = -(-job.count // SOURCES_PER_SHARD)
    missing = [number for number in range(shards) if not finished(folder, number)]
    items = _of_shards(job.items, set(missing))
    results = map_in_processes(
        job.made, items, job.jobs, job.seconds, job.memory_mb, job.chunk_size
    )
    done = _ticked(results, job, missing)
    for number in missing:
        _write(folder, number, islice(done, SOURCES_PER_SHARD), job)
    found = Catalogue.of(folder, shards, extent, same_as)
    write_rejects(folder, found.rejects)
    if not found.sources:
        _leave_reasons(folder, shards)
        raise NothingKept(thing, folder, found)
    return found


def _of_shards(items: Iterable[Any], chosen: set[int]) -> Iterator[Any]:
    for number, item in enumerate(items):
        if number // SOURCES_PER_SHARD in chosen:
            yield item


def _ticked(results: Iterable[Any], job: Job, missing: Sequence[int]) -> Iterator[Any]:
    """Pass results on, and tell how many sources are done with them and the finished shards."""
    first = SOURCES_PER_SHARD * np.array(missing, dtype=int)
    left = np.minimum(SOURCES_PER_SHARD, job.count - first).sum()
    for number, result in enumerate(results, job.count - int(left) + 1):
        job.tick(number, job.count)
        yield result


def _write(folder: Path, number: int, done: Iterable[tuple[Any, Any | Failure]], job: Job) -> None:
    """One shard: the records' columns in a row, and a note of each source."""
    kept: list[Any] = []
    notes: list[dict[str, Any]] = []
    for item, record in done:
        source = job.name(item)
        if isinstance(record, Failure):
            notes.append({"source": source, "reason": record.reason, "detail": record.detail})
        else:
            kept.append(job.kept(record))
            notes.append({"source": source, **record.facts})
    write_shard(folder, number, job.columns(kept), notes)


def _leave_reasons(folder: Path, shards: int) -> None:
    """Nothing is kept: leave only the reasons, so that the folder can be used again."""
    for number in range(shards):
        shutil.rmtree(shard_folder(folder, number))
    (folder / SETTINGS_FILE).unlink()
