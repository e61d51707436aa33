"""Files below a folder: on disk, through links, and in archives, which count as folders.

An archive is never unpacked to disk: no name in it is used as a path.
"""

import contextlib
import itertools
import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from core.data.limits import Limits
from core.data.sources import (
    DAMAGED,
    NO_FILE,
    UNREADABLE,
    RejectedFile,
    is_hidden,
    member_path,
    require_file,
)
from core.files import cause_of
from core.yaml_files import FORMAT_OF, comments_of
from videogen.files.archives import ARCHIVES, Member, archive_in

OF_RUNS = ("config.yaml", "metrics.jsonl", "history.jsonl", "checkpoints")
"""Files that training writes into a run's folder, beside samples/step-00001000.png ..."""

DEPTH = 3
"""Archives within archives that are entered."""


@dataclass(frozen=True)
class File:
    """A file on disk, or a member of an archive: `members` are its names, outermost first."""

    path: Path
    members: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "!".join([str(self.path), *self.members])

    @cached_property
    def place(self) -> Path:
        """Return its path, where archives count as folders."""
        return self.path.joinpath(*map(member_path, self.members))

    @property
    def suffix(self) -> str:
        return self.place.suffix.lower()

    @contextmanager
    def open(self, limits: Limits) -> Iterator[Any]:
        """Open for reading; `RejectedFile` with the reason where that fails.

        A member whose bytes turn out to be damaged while they are read is rejected as well.
        """
        with contextlib.ExitStack() as stack:
            try:
                require_file(self.path)
                file: Any = stack.enter_context(self.path.open("rb"))
                for holder, name in itertools.pairwise((self.path.name, *self.members)):
                    suffix = PurePosixPath(holder).suffix.lower()
                    archive = stack.enter_context(archive_in(file, suffix, limits))
                    file = stack.enter_context(archive.open(name))
            except OSError as error:
                raise RejectedFile("unreadable", cause_of(error)) from error
            except (*UNREADABLE, KeyError) as error:
                raise RejectedFile("archive", f"it cannot be read: {error}") from error
            try:
                yield file
            except DAMAGED as error:
                raise RejectedFile("unreadable", str(error)) from error

    def read(self, limits: Limits, most: int) -> bytes:
        """Return its bytes, at most `most`."""
        with self.open(limits) as file:
            try:
                return file.read(most)
            except UNREADABLE as error:
                raise RejectedFile("unreadable", str(error)) from error


@dataclass(frozen=True)
class Entry:
    """A file of a tree; `state` changes when it does, `fault` is why it cannot be read."""

    file: File
    state: str
    fault: tuple[str, str] | None = None


class Tree:
    """Files by their places, in a fixed order."""

    def __init__(self, entries: Iterable[Entry]):
        self.entries: Mapping[Path, Entry] = {entry.file.place: entry for entry in entries}
        self.written = {folded(place): place for place in reversed(self.entries)}

    def find(self, place: Path) -> Entry | None:
        """Return the file of a place; letters may differ in case, and in how they are composed."""
        return self.entries.get(place) or self.entries.get(self.written.get(folded(place), place))

    @cached_property
    def folders(self) -> frozenset[Path]:
        """Return the folders in which files lie, or folders with files."""
        return frozenset(folder for place in self.entries for folder in place.parents)

    @cached_property
    def of_name(self) -> Mapping[str, list[Path]]:
        """Return the places by the names of their files."""
        places: dict[str, list[Path]] = {}
        for place in self.entries:
            places.setdefault(folded(Path(place.name)), []).append(place)
        return places

    @cached_property
    def known(self) -> frozenset[str]:
        """Return the names of files and folders, also without their suffixes, as `folded`."""
        parts = {part for place in self.entries for part in place.parts}
        return frozenset(folded(Path(name)) for part in parts for name in (part, Path(part).stem))

    def ending(self, end: Path) -> list[Path]:
        """Return the files whose places end as a relative path does."""
        parts = Path(folded(end)).parts
        named = self.of_name.get(folded(Path(end.name)), [])
        return [place for place in named if Path(folded(place)).parts[-len(parts) :] == parts]


def folded(place: Path) -> str:
    """Return a place as it is compared: in lower case, and with letters composed."""
    return unicodedata.normalize("NFC", str(place)).casefold()


def tree_of(start: Path, limits: Limits) -> Tree:
    """Return the files below a folder, in an archive, or a file with those of its name beside."""
    if start.is_dir():
        return Tree(_below(start, limits, set()))
    if start.suffix.lower() in ARCHIVES:
        return Tree(_members(_entry(start), limits))
    stem = folded(Path(start.stem))
    beside = sorted(path for path in start.parent.iterdir() if folded(Path(path.stem)) == stem)
    return Tree(_entry(path) for path in [start, *beside] if path == start or path.is_file())


def on_disk(root: Path, parts: Sequence[str]) -> Path:
    """Return the path of names below a folder, whose letters may differ in case."""
    path = root
    for part in parts:
        exact = path / part
        if not exact.exists() and path.is_dir():
            exact = path / names_in(path).get(folded(Path(part)), part)
        path = exact
    return path


def names_in(folder: Path) -> Mapping[str, str]:
    """Return the names in a folder by how they are compared."""
    return _names_in(folder, folder.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _names_in(folder: Path, changed_ns: int) -> Mapping[str, str]:
    """List a folder; `changed_ns` is when it has changed last."""
    names = sorted(os.listdir(folder), reverse=True)  # noqa: PTH208
    return {folded(Path(name)): name for name in names}


def _below(folder: Path, limits: Limits, entered: set[Path]) -> Iterator[Entry]:
    """Yield the files of a folder, then those of the folders in it, each of which once."""
    real = folder.resolve()
    if real in entered:
        return
    entered.add(real)
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        yield Entry(File(folder), "", ("unreadable", str(error.strerror)))
        return
    paths = [path for path in paths if not is_hidden(PurePath(path.name))]
    if _is_run(folder):
        paths = [path for path in paths if path.name not in OF_RUNS]
    if folder.name == "samples" and _is_run(folder.parent):
        paths = [path for path in paths if not path.name.startswith("step-")]
    folders = [path for path in paths if path.is_dir()]
    for path in paths:
        if path in folders:
            continue
        if path.suffix.lower() in ARCHIVES:
            yield from _members(_entry(path), limits)
        else:
            yield _entry(path)
    for inner in folders:
        yield from _below(inner, limits, entered)


def _is_run(folder: Path) -> bool:
    """Return whether training writes, or wrote, into a folder: its settings say so."""
    settings = folder / OF_RUNS[0]
    try:
        comments = comments_of(settings) if settings.is_file() else []
    except OSError:
        return False
    return any(line.startswith(FORMAT_OF) for line in comments)


def _entry(path: Path) -> Entry:
    try:
        state = path.stat()
    except OSError as error:  # such as a link that leads nowhere
        return Entry(File(path), "", ("unreadable", str(error.strerror)))
    if not path.is_file():
        return Entry(File(path), "", NO_FILE)
    return Entry(File(path), f"{state.st_size} {state.st_mtime_ns}")


def _members(archive: Entry, limits: Limits) -> Iterator[Entry]:
    """Yield the files in an archive, also those in archives within it."""
    if archive.fault:
        yield archive
        return
    try:
        with archive.file.open(limits) as file:
            members = _listed(file, archive.file.suffix, limits)
    except RejectedFile as error:
        yield Entry(archive.file, archive.state, (error.reason, error.detail))
        return
    for name, state, fault in members:
        if is_hidden(member_path(name)):
            continue
        inner = File(archive.file.path, (*archive.file.members, name))
        entry = Entry(inner, state, fault)
        if not _is_below(name):
            yield Entry(archive.file, archive.state, ("path", f"it names {name!a}"))
        elif inner.suffix in ARCHIVES and len(inner.members) < DEPTH:
            yield from _members(entry, limits)
        else:
            yield entry


def _listed(file: Any, suffix: str, limits: Limits) -> list[Member]:
    """Return the files of an archive; `RejectedFile` where it cannot be read."""
    try:
        with archive_in(file, suffix, limits) as archive:
            return archive.members()
    except UNREADABLE as error:
        raise RejectedFile("archive", f"it cannot be read: {error}") from error


def _is_below(name: str) -> bool:
    given = member_path(name)
    return not given.is_absolute() and ".." not in given.parts
