"""Members of zip and tar archives, read in place: nothing is unpacked to disk.

Tar archives are those without compression, as WebDataset has them: a member of a compressed one
is reached only through all that lie before it.
"""

import contextlib
import os
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from io import BufferedIOBase, BufferedReader
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Protocol

from core.data.limits import Limits
from core.data.sources import (
    ENCRYPTED,
    CheckedHeader,
    RejectedFile,
    is_encrypted,
    require_size,
)


class Member(NamedTuple):
    """A file in an archive; `state` changes when it does, `fault` is why it cannot be read."""

    name: str
    state: str
    fault: tuple[str, str] | None = None


class Archive(Protocol):
    """An archive that is open for reading.

    Its methods raise `RejectedFile`, or what the format's library raises for damaged files.
    """

    def members(self) -> list[Member]: ...

    def open(self, name: str) -> BufferedIOBase:
        """Open a member by its name; `KeyError` where there is none."""
        ...


@contextlib.contextmanager
def archive_in(file: BufferedIOBase, suffix: str, limits: Limits) -> Iterator[Archive]:
    """Open the archive that a file holds, whose name ends in one of `ARCHIVES`."""
    if suffix == ".zip":
        with zipfile.ZipFile(file) as zipped:
            yield Zip(zipped, limits)
    else:
        with tarfile.open(fileobj=file, mode="r:", tarinfo=CheckedHeader) as tarred:
            yield Tar(tarred, _infos(file, tarred, limits.archive_members), limits)


ARCHIVES = (".zip", ".tar")
"""Suffixes of the archives that are read."""


class Zip:
    """A zip archive; members may not lie over each other, nor unpack to too much."""

    def __init__(self, archive: zipfile.ZipFile, limits: Limits):
        self.archive, self.limits = archive, limits

    def members(self) -> list[Member]:
        infos = [info for info in self.archive.infolist() if not info.is_dir()]
        _require_few(len(infos), self.limits.archive_members)
        if sum(info.compress_size for info in infos) > self.archive.start_dir:
            raise RejectedFile("archive", "its members overlap")
        return [Member(info.filename, f"{info.file_size} {info.CRC}") for info in infos]

    def open(self, name: str) -> BufferedIOBase:
        info = self.archive.getinfo(name)
        require_size(info.file_size, self.limits)
        if is_encrypted(info):
            raise RejectedFile(*ENCRYPTED)
        if info.file_size > self.limits.archive_ratio * max(info.compress_size, 10_000):
            raise RejectedFile("archive", f"{info.file_size} bytes of {info.compress_size}")
        opened = self.archive.open(info)
        assert isinstance(opened, BufferedIOBase)
        return opened


class Tar:
    """A tar archive without compression; of members of one name the last counts."""

    def __init__(
        self, archive: tarfile.TarFile, infos: Mapping[str, tarfile.TarInfo], limits: Limits
    ):
        self.archive, self.infos, self.limits = archive, infos, limits

    def members(self) -> list[Member]:
        return [
            Member(name, f"{info.size} {info.mtime}", None if _is_plain(info) else LINK)
            for name, info in self.infos.items()
        ]

    def open(self, name: str) -> BufferedIOBase:
        info = self.infos[name]
        require_size(info.size, self.limits)
        opened = self.archive.extractfile(info) if _is_plain(info) else None
        if not isinstance(opened, BufferedIOBase):
            raise RejectedFile(*LINK)
        return opened


LINK = ("link", "links, devices and files with holes in archives are not read")
"""The fault of members that hold no bytes of their own, or more than the archive does."""


def _is_plain(info: tarfile.TarInfo) -> bool:
    return info.isfile() and not info.issparse()


def _infos(
    file: BufferedIOBase, archive: tarfile.TarFile, most: int
) -> Mapping[str, tarfile.TarInfo]:
    """Return the headers of an archive by name, those of one on disk read once."""
    if isinstance(file, BufferedReader):
        state = os.fstat(file.fileno())
        return _infos_on_disk(Path(file.name), state.st_size, state.st_mtime_ns, most)
    return _scanned(archive, most)


@lru_cache(maxsize=8)
def _infos_on_disk(
    path: Path, size: int, changed_ns: int, most: int
) -> Mapping[str, tarfile.TarInfo]:
    with tarfile.open(path, "r:", tarinfo=CheckedHeader) as archive:
        return _scanned(archive, most)


def _scanned(archive: tarfile.TarFile, most: int) -> Mapping[str, tarfile.TarInfo]:
    found: dict[str, tarfile.TarInfo] = {}
    for count, info in enumerate(archive, 1):
        _require_few(count, most)
        if not info.isdir():
            found[str(PurePosixPath(info.name))] = info  # without ./
    return found


def _require_few(members: int, most: int) -> None:
    if members > most:
        raise RejectedFile("archive", f"more than {most} members")
