"""Where songs come from: folders, patterns, single files, and zip and tar.gz archives of MIDI."""

import glob
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from core.config import Limits, UserError
from musegen.midi import RejectedFile

MIDI = {".mid", ".midi", ".kar", ".rmi"}
ARCHIVES = {".zip", ".gz", ".tgz", ".tar"}


@dataclass(frozen=True)
class Source:
    """A file, or a member of an archive; `name` is how it is reported."""

    path: Path
    member: str = ""

    @property
    def name(self) -> str:
        return f"{self.path}!{self.member}" if self.member else str(self.path)

    def read(self, limits: Limits) -> bytes:
        """Its bytes, no more than the limit allows; `RejectedFile` says why not."""
        try:
            return self._read(limits.file_bytes)
        except (OSError, KeyError, RuntimeError, zipfile.BadZipFile, tarfile.TarError) as error:
            raise RejectedFile("unreadable", str(error)) from error

    def _read(self, most: int) -> bytes:
        if not self.member:
            size = self.path.stat().st_size
            data = self.path.read_bytes() if size <= most else b""
        elif zipfile.is_zipfile(self.path):
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
                data, size = file.read(most + 1), archive.getinfo(self.member).file_size
        else:
            with tarfile.open(self.path) as archive:
                file = archive.extractfile(self.member)
                data = file.read(most + 1) if file else b""
                size = len(data)
        if max(size, len(data)) > most:
            raise RejectedFile("too-large", f"{size} bytes, at most {most} are read")
        return data


def find(patterns: Iterable[str], suffixes: set[str], limits: Limits) -> list[Source]:
    """All sources that the patterns name, sorted; a pattern that names nothing is a `UserError`.

    Folders are searched to the bottom; links out of them are not followed.
    """
    found: dict[str, Source] = {}
    for pattern in patterns:
        paths = [Path(p) for p in glob.glob(pattern, recursive=True)] or [Path(pattern)]
        for path in paths:
            if not path.exists():
                raise UserError(f"{pattern} does not exist: give a folder, a file or a pattern")
            found |= {source.name: source for source in _expand(path, suffixes, limits)}
    return [found[name] for name in sorted(found)]


def _expand(path: Path, suffixes: set[str], limits: Limits) -> Iterator[Source]:
    if path.is_dir():
        for inner in sorted(path.rglob("*")):
            if inner.is_file() and inner.suffix.lower() in suffixes | ARCHIVES:
                yield from _expand(inner, suffixes, limits)
    elif path.suffix.lower() in ARCHIVES:
        yield from _members(path, suffixes, limits)
    else:
        yield Source(path)


def _members(path: Path, suffixes: set[str], limits: Limits) -> Iterator[Source]:
    """The songs in an archive; nothing is unpacked to disk, so no name can lead out of a folder."""
    try:
        names = _zip_names(path, limits) if zipfile.is_zipfile(path) else _tar_names(path)
    except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is no readable archive: {error}") from error
    if len(names) > limits.archive_members:
        raise UserError(f"{path} has {len(names)} members, at most {limits.archive_members}")
    yield from (Source(path, name) for name in names if Path(name).suffix.lower() in suffixes)


def _zip_names(path: Path, limits: Limits) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return [
            info.filename
            for info in archive.infolist()
            if info.file_size <= limits.archive_ratio * max(info.compress_size, 100)
        ]


def _tar_names(path: Path) -> list[str]:
    with tarfile.open(path) as archive:
        return [member.name for member in archive if member.isfile()]
