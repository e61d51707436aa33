"""Prepare sources: process them in child processes and write a store shard by shard.

Each source is kept or listed in rejects.jsonl, memory does not grow with their number, and a
preparation that was killed resumes with the shards that are missing. Several machines can share
one: each writes the shards of its `Part`, and the preparation of the whole then finds them.
"""

import contextlib
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from core.config import whole
from core.data.catalogue import Catalogue, SourceMetadata
from core.data.store import (
    FORMAT,
    Columns,
    finished,
    full_disk,
    read_metadata,
    remove_unfinished,
    require_format,
    shard_folder,
    write_rejects,
    write_shard,
)
from core.data.workers import CHUNK_SIZE, Failure, map_in_processes
from core.errors import ConfigError, UserError
from core.files import is_full, locked, read_json, write_once, write_text
from core.wording import counted

SOURCES_PER_SHARD = 256

SHOWN_CURES = 3

UP_TO = re.compile(r"(.*?)(?<!\d)([1-9]\d*)(?!\d)(.*): (--[a-z-]+) \2")
"""The cure of a file that has fewer of something than asked for: an option of the same number."""

HALF = 0.5

FEW_SOURCES, MOST_HELD_OUT = 7, 0.3
"""A larger share of test data is pointed out where sources are fewer."""

SETTINGS_FILE = "prepare.json"
REPORTS = {"rejects.jsonl", "summary.txt"}

Tick = Callable[[int, int], None]
"""Progress callback: (finished sources, total)."""

Tasks = Callable[[str], Tick]
"""Words for what a task counts -> its callback; tasks follow one another."""


def unshown(task: str) -> Tick:
    """Return the callback of a task that nobody follows."""
    return lambda done, total: None


@dataclass(frozen=True)
class Job:
    """Items to prepare, and the functions that turn them into records and columns.

    `process` turns an item into a record; it runs in `jobs` child processes that are sent
    `chunk_size` items at once. `finish` is applied to each record in this process. A record's
    `facts` become its metadata; `columns` concatenates records.
    """

    items: Iterable[Any]
    count: int
    process: Callable[[Any], Any | Failure]
    name: Callable[[Any], str]
    columns: Callable[[Sequence[Any]], Columns]
    seconds: float
    memory_mb: int
    jobs: int
    tick: Tick
    chunk_size: int = CHUNK_SIZE
    finish: Callable[[Any], Any] = lambda record: record

    def __post_init__(self) -> None:
        """Raise `ConfigError` for a number of processes below 0."""
        whole("jobs", self.jobs, 0)

    @property
    def shards(self) -> int:
        return -(-self.count // SOURCES_PER_SHARD)

    def sources_in(self, shards: Iterable[int]) -> int:
        """Return the number of the sources in some shards, of which the last may not be full."""
        return sum(min(SOURCES_PER_SHARD, self.count - SOURCES_PER_SHARD * n) for n in shards)


@dataclass(frozen=True)
class Part:
    """Part `number`, from 1, of a preparation that several processes or machines share."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> "Part":
        """Return the part that a text such as 3/8 names."""
        found = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", text, re.ASCII)
        if not found or int(found[1]) > int(found[2]):
            raise ConfigError(f"--shard {text}: give 3/8, for example, for the third of 8 parts")
        return cls(int(found[1]), int(found[2]))

    def shards(self, count: int) -> range:
        """Return the numbers of its shards, of `count` in all.

        >>> list(Part(2, 3).shards(7))
        [1, 4]
        """
        return range(self.number - 1, count, self.of)


@dataclass(frozen=True)
class PartSummary:
    """Counts of the sources of a part, and of those that were rejected."""

    part: Part
    sources: int
    rejects: Counter[str]

    @property
    def lines(self) -> list[str]:
        part, read = self.part, counted(self.sources, "file")
        return [
            f"part {part.number} of {part.of}: {read}, {self.rejects.total()} rejected",
            *(f"  {count:6} {reason}" for reason, count in self.rejects.most_common()),
            "when all parts are read, the same command without --shard makes a collection",
        ]


@dataclass(frozen=True)
class Summary:
    """Counts of kept and rejected sources, of pieces by split, and of files of other kinds.

    A domain names its sources and pieces, how many training needs, and how to get more of them and
    of test data. `holds_out_whole`: sources are held out, and not only pieces of them.
    `test_share`: the share that was to be held out, None for the usual one.
    """

    SOURCE: ClassVar[str]
    PIECE: ClassVar[str]
    RECOMMENDED_PIECES: ClassVar[int]
    HOW_TO_GET_MORE: ClassVar[str]
    WHY_NO_TEST_DATA: ClassVar[str]

    folder: Path
    sources: int
    kept: int
    pieces: dict[str, int]
    rejects: Counter[str]
    skipped: Counter[str] = field(default_factory=Counter)
    cures: Counter[str] = field(default_factory=Counter)
    holds_out_whole: bool = field(default=True, kw_only=True)
    test_share: float | None = field(default=None, kw_only=True)

    @property
    def unmeasured(self) -> str:
        """Return how many files of a folder are measured, and why others are not; empty if all
        are."""
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.rejects.most_common())
        counts = f"{self.kept} of {self.sources} files are measured, left out: {reasons}"
        return counts if reasons else ""

    @property
    def lines(self) -> list[str]:
        """Lines of the table that is printed and written to summary.txt."""
        rejected = sum(self.rejects.values())
        lines = [f"{counted(self.sources, 'file')}: {self.kept} kept, {rejected} rejected"]
        lines += [f"  {count:6} {reason}" for reason, count in self.rejects.most_common()]
        lines += cure_lines(self.cures, self.sources)
        if self.skipped:
            kinds = ", ".join(f"{count} {kind}" for kind, count in self.skipped.most_common(8))
            lines.append(
                f"{counted(self.skipped.total(), 'file')} of other kinds passed over: {kinds}"
            )
        train, test = self.pieces["train"], self.pieces["test"]
        lines.append(f"{counted(train, self.PIECE)} to train on, {test:,} held out")
        if train < self.RECOMMENDED_PIECES:
            lines.append(
                f"few {self.PIECE}s: a model memorises fewer than {self.RECOMMENDED_PIECES}. "
                f"{self.HOW_TO_GET_MORE}"
            )
        if not test:
            lines.append(f"nothing is held out: {self._why_no_test_data()}")
        if self.kept < FEW_SOURCES and test > MOST_HELD_OUT * (train + test):
            what = f"a whole {self.SOURCE} is held out, " if self.holds_out_whole else "held out: "
            lines.append(
                f"{what}{test / (train + test):.0%} of all: more {self.SOURCE}s make that less"
            )
        return lines

    def _why_no_test_data(self) -> str:
        if self.test_share == 0:
            return "test_share is 0"
        return f"there is one {self.SOURCE}" if self.kept == 1 else self.WHY_NO_TEST_DATA

    def write(self) -> None:
        write_text(self.folder / "summary.txt", "\n".join(self.lines) + "\n")


class NothingKept(UserError):
    """All sources were rejected, for the reasons in the catalogue."""

    def __init__(self, kind: str, folder: Path, catalogue: Catalogue):
        counts = catalogue.reasons.most_common()
        reasons = ", ".join(f"{count} {reason}" for reason, count in counts)
        self.rejects = catalogue.rejects
        files = len(self.rejects)
        self.summary = "; ".join(
            [
                f"no {kind} could be kept of {counted(files, 'file')} ({reasons})",
                *(line.strip() for line in cure_lines(catalogue.cures, files)),
            ]
        )
        super().__init__(f"{self.summary}: {folder}/rejects.jsonl says why")


def cure_lines(cures: Counter[str], files: int) -> list[str]:
    """Return how many files an option would keep, and which, the most frequent ones first.

    These are `SHOWN_CURES`, and those of as many files as the last of them.

    >>> cure_lines(Counter({"only 3 rows: --rows 3": 2, "only 9 rows: --rows 9": 18}), 50)
    ['  20 of 50: only 3 to 9 rows: --rows 8 would keep 18 of them']
    """
    found = _joined(cures).most_common()
    fewest = min((count for _, count in found[:SHOWN_CURES]), default=0)
    return [f"  {count} of {files}: {cure}" for cure, count in found if count >= fewest]


def _joined(cures: Counter[str]) -> Counter[str]:
    """Join the cures that differ in a number alone: what a file has, and needs as an option."""
    joined, numbers = Counter[str](), dict[tuple[str, ...], Counter[int]]()
    for cure, count in cures.items():
        if found := UP_TO.fullmatch(cure):
            before, number, after, option = found.groups()
            numbers.setdefault((before, after, option), Counter())[int(number)] += count
        else:
            joined[cure] += count
    for (before, after, option), counts in numbers.items():
        joined[_for_half(before, after, option, counts)] = counts.total()
    return joined


def _for_half(before: str, after: str, option: str, counts: Counter[int]) -> str:
    """Return the cure of files that have these numbers of something.

    It is the largest power of two that would keep half of them or more.
    """
    low, high = min(counts), max(counts)
    if low == high:
        return f"{before}{low}{after}: {option} {low}"
    value = 1 << high.bit_length() - 1
    while (kept := _at_least(value, counts)) < HALF * counts.total():
        value //= 2
    of_them = "all of them" if kept == counts.total() else f"{kept} of them"
    return f"{before}{low} to {high}{after}: {option} {value} would keep {of_them}"


def _at_least(value: int, counts: Counter[int]) -> int:
    return sum(count for number, count in counts.items() if number >= value)


def pieces_by_split(is_test: np.ndarray) -> dict[str, int]:
    """Return the number of pieces for training and for test."""
    return {"train": int((~is_test).sum()), "test": int(is_test.sum())}


def settings_of(folder: Path) -> Any:
    """Return the configuration with which a collection was prepared, as plain values."""
    return read_json(folder / SETTINGS_FILE)["config"]


@contextlib.contextmanager
def open_preparation(
    folder: Path, settings: dict[str, Any], part: Part | None = None
) -> Iterator[Path]:
    """Lock a folder that is empty or has finished shards of the same preparation.

    `settings` determine the preparation; their `sources` are a digest of the source files. Parts
    lock it together. A full disk is `Resumable`.
    """
    write = write_once if part else write_text
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder, shared=part is not None):
            _require_same(folder, {"format": FORMAT, **settings}, write)
            if not part:
                remove_unfinished(folder)
            yield folder
    except PermissionError as error:
        if not Path(error.filename or folder).is_relative_to(folder):
            raise  # of a file that is read, or a program that is started
        raise UserError(
            f"cannot write to {folder}: {error.strerror}: choose another folder with --to"
        ) from error
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(f"{folder} is no folder: choose another one") from error
    except OSError as error:
        if not is_full(error):
            raise
        raise full_disk(folder, error) from error


def require_no_collection(folder: Path) -> None:
    """Raise `ConfigError` for the folder of a collection: nothing else is written among it."""
    if (folder / SETTINGS_FILE).exists():
        raise ConfigError(
            f"{folder} holds a prepared collection: choose an empty or a new folder with --to"
        )


def _require_same(
    folder: Path, settings: dict[str, Any], write: Callable[[Path, str], None]
) -> None:
    path = folder / SETTINGS_FILE
    found = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    if SETTINGS_FILE not in found and found - REPORTS:
        raise UserError(f"{folder} holds other files: choose an empty or a new folder")
    if SETTINGS_FILE not in found:
        write(path, json.dumps(settings, indent=1))
    try:
        stored = read_json(path)
        require_format(folder, stored.get("format"))
    except (ValueError, AttributeError) as error:
        raise UserError(f"{path} is damaged: delete {folder} and prepare it again") from error
    changed = sorted(key for key in stored | settings if stored.get(key) != settings.get(key))
    if changed == ["sources"]:
        raise UserError(
            f"{folder} was prepared from other files, or some have changed since: choose another "
            "folder, or delete this one"
        )
    if changed:
        raise UserError(
            f"{folder} was prepared with other settings{_earlier(stored, settings)}: repeat them, "
            "or choose another folder"
        )


def _earlier(stored: dict[str, Any], settings: dict[str, Any]) -> str:
    """Return the settings of the configuration that were others, in brackets, if any are known."""
    before, now = (one.get("config") or {} for one in (stored, settings))
    names = [key for key in before if before[key] != now.get(key)]
    said = [
        f"{key} {before[key]}" if isinstance(before[key], str | int | float) else key
        for key in names
    ]
    return f" ({', '.join(said)})" if said else ""


def prepare_shards(
    folder: Path, job: Job, length_key: str, duplicate: str, kind: str
) -> Catalogue:
    """Write the missing shards and the rejects; return the catalogue of the kept sources.

    `length_key`, `duplicate`: see `Catalogue.read`. `kind` names a source. Raises `NothingKept`.
    """
    shards = range(job.shards)
    _write_missing(folder, job, shards)
    catalogue = Catalogue.read(folder, job.shards, length_key, duplicate)
    write_rejects(folder, catalogue.rejects)
    if not catalogue.sources:
        _remove_shards(folder, shards)
        raise NothingKept(kind, folder, catalogue)
    return catalogue


def prepare_part(folder: Path, settings: dict[str, Any], job: Job, part: Part) -> PartSummary:
    """Write the missing shards of a part; the preparation of the whole then finds them."""
    shards = part.shards(job.shards)
    with open_preparation(folder, settings, part):
        _write_missing(folder, job, shards)
    sources = [source for number in shards for source in read_metadata(folder, number)]
    rejects = Counter(source["reason"] for source in sources if "reason" in source)
    return PartSummary(part, len(sources), rejects)


def _write_missing(folder: Path, job: Job, shards: range) -> None:
    missing = [number for number in shards if not finished(folder, number)]
    items = _of_shards(job.items, set(missing))
    results = map_in_processes(
        job.process, items, job.jobs, job.seconds, job.memory_mb, job.chunk_size
    )
    reported = _report_progress(results, job, missing, shards)
    for number in missing:
        _write(folder, number, islice(reported, SOURCES_PER_SHARD), job)


def _of_shards(items: Iterable[Any], chosen: set[int]) -> Iterator[Any]:
    for number, item in enumerate(items):
        if number // SOURCES_PER_SHARD in chosen:
            yield item


def _report_progress(
    results: Iterable[Any], job: Job, missing: Sequence[int], shards: range
) -> Iterator[Any]:
    """Yield the results, counting the sources of finished shards as done."""
    total, remaining = job.sources_in(shards), job.sources_in(missing)
    for number, result in enumerate(results, total - remaining + 1):
        job.tick(number, total)
        yield result


def _write(
    folder: Path, number: int, results: Iterable[tuple[Any, Any | Failure]], job: Job
) -> None:
    """Write one shard: the concatenated columns of the records, and each source's metadata."""
    records: list[Any] = []
    metadata: list[SourceMetadata] = []
    for item, result in results:
        source = job.name(item)
        if isinstance(result, Failure):
            metadata.append({"source": source, "reason": result.reason, "detail": result.detail})
        else:
            records.append(job.finish(result))
            metadata.append({"source": source, **result.facts})
    write_shard(folder, number, job.columns(records), metadata)


def _remove_shards(folder: Path, shards: Iterable[int]) -> None:
    """Remove all but the reasons, so that the folder can be used for another preparation."""
    for number in shards:
        shutil.rmtree(shard_folder(folder, number))
    (folder / SETTINGS_FILE).unlink()
