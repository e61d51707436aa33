"""Source files of data: in folders, patterns, single files, and zip and tar.gz archives.

A single file may be packed by gzip, whatever its name says.

Archives are read in memory and never unpacked to disk, so that no name in one is used as a path.
Sources are iterated: memory does not grow with their number. What systems hide is passed over.
"""

import glob
import gzip
import hashlib
import io
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath

from core.config import listed
from core.data.limits import Limits
from core.errors import UserError
from core.files import cause_of

ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz")
HIDDEN = frozenset(
    ("$recycle.bin", "system volume information", "lost+found", "@eadir", "#recycle", "__macosx")
)
"""Folders, in lower case, of deleted files, of the previews of network disks, and of what macOS
adds to archives."""
GZIP_BYTES, GZIP_SUFFIX = b"\x1f\x8b", ".gz"
"""The first bytes of what gzip has packed, and what it adds to names."""
MISTAKEN = {
    b"version https://git-lfs": "a pointer of Git LFS in place of the file: run git lfs pull",
    b"<!doctype html": "a web page in place of the file: download the file again",
    b"<html": "a web page in place of the file: download the file again",
}
"""Beginnings of texts, in small letters, that downloads leave under the names of files."""
MISTAKEN_BYTES = 512
"""Bytes in which one of them begins, after spaces and empty lines."""
DAMAGED = (zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError)
"""Exceptions of archives that are not what was packed."""
UNREADABLE = (*DAMAGED, OSError, EOFError, RuntimeError, NotImplementedError, ValueError)
"""Those of broken and encrypted archives."""
NO_FILE = ("unreadable", "neither a file nor a folder")
"""The fault of pipes and devices: nobody waits for what they may bring, or never end."""
ENCRYPTED = ("archive", "it is encrypted: unpack it, and give the folder")
"""The fault of members that need a password."""
WITHIN = ("archive", "it is in another archive: unpack that one, and give the folder")
"""The fault of archives in archives, which would have to be held in memory as a whole."""
LONG_NAMES = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
HEADER_BYTES = 1 << 20
"""Bound on tar headers of these kinds, which tarfile reads into memory at once."""


class RejectedFile(Exception):
    """Raised for a file that is left out: a short reason, and a sentence that explains it.

    `option`: what a preparation needs to keep it, which is a part of `detail` and not of `why`.
    """

    def __init__(self, reason: str, why: str, option: str = ""):
        self.reason, self.why, self.option = reason, why, option
        self.detail = f"{why}: {option}" if option else why
        super().__init__(f"{reason}: {self.detail}")


@dataclass(frozen=True, slots=True)
class Source:
    """One file; `name` is its path in reports, `state` changes when the file does.

    `data` holds the bytes of an archive's member, `fault` (reason, detail) why there are none.
    """

    name: str
    state: str
    data: bytes | None = None
    fault: tuple[str, str] | None = None

    @property
    def stem(self) -> str:
        """The file's name without folders and suffix."""
        if self.data is None:
            return stem_of_file(Path(self.name))
        return stem_of_file(member_path(self.name.rpartition("!")[2]))

    def read(self, limits: Limits) -> bytes:
        """Read the bytes, up to the limit; `RejectedFile` with the reason where that fails."""
        if self.fault:
            raise RejectedFile(*self.fault)
        if self.data is not None:
            return unpacked(self.data, limits)
        return read_bytes(Path(self.name), limits)


def stem_of_file(path: PurePath) -> str:
    """Return a file's name without folders and suffix, and without that of gzip.

    >>> stem_of_file(Path("data/a.csv.gz"))
    'a'
    """
    return PurePath(path.stem).stem if path.suffix.lower() == GZIP_SUFFIX else path.stem


def is_source(name: str, suffixes: tuple[str, ...]) -> bool:
    """Return whether a file's name ends as one of these, packed by gzip or not."""
    return name.lower().removesuffix(GZIP_SUFFIX).endswith(suffixes)


def read_bytes(path: Path, limits: Limits) -> bytes:
    """Read a file's bytes, up to the limit; `RejectedFile` with the reason where that fails.

    An archive may hold many files: see `iterate_sources`.
    """
    try:
        require_file(path)
        if path.name.lower().endswith(ARCHIVES):
            raise RejectedFile("archive", "it is an archive: unpack it, and give a file in it")
        require_size(path.stat().st_size, limits)
        return unpacked(path.read_bytes(), limits)
    except OSError as error:
        raise RejectedFile("unreadable", cause_of(error)) from error


def unpacked(data: bytes, limits: Limits) -> bytes:
    """Return what gzip has packed, up to the limits of a file and an archive, else the same bytes.

    `RejectedFile` for damaged ones.
    """
    if not data.startswith(GZIP_BYTES):
        return data
    most = min(limits.file_bytes, int(limits.most_unpacked(len(data))))
    try:
        with gzip.open(io.BytesIO(data)) as file:
            found = file.read(most + 1)
    except (*DAMAGED, OSError, EOFError) as error:
        why = f"what gzip has packed is damaged, {error}: copy the file once more"
        raise RejectedFile("unreadable", why) from error
    if len(found) > most:
        raise RejectedFile("too-large", f"it unpacks to more than {most} bytes")
    return found


def mistaken_for(data: bytes) -> str:
    """Return what a download has left in place of a file, with its cure; empty for others."""
    head = data[:MISTAKEN_BYTES].lstrip().lower()
    return next((why for text, why in MISTAKEN.items() if head.startswith(text)), "")


def require_file(path: Path) -> None:
    """Raise `RejectedFile` for a missing file, a folder, a pipe or a device."""
    if path.is_file():
        return
    if path.is_dir():
        raise RejectedFile("unreadable", "it is a folder: give a file in it")
    if not path.exists():
        raise RejectedFile("unreadable", "there is no such file: correct its path")
    raise RejectedFile(*NO_FILE)


def require_size(size: int, limits: Limits) -> None:
    """Raise `RejectedFile` for more bytes than the limit allows."""
    if size > limits.file_bytes:
        raise RejectedFile(*too_large(size, limits))


def too_large(size: int, limits: Limits) -> tuple[str, str]:
    """Return the fault of a file of so many bytes."""
    return "too-large", f"{size} bytes, at most {limits.file_bytes} are read"


@dataclass
class Scan:
    """Number of sources, digest of their names and states, and other files by suffix."""

    count: int = 0
    sha256: str = ""
    skipped: Counter[str] = field(default_factory=Counter)


def expand_patterns(patterns: Iterable[str | Path]) -> list[Path]:
    """Return the matching paths, none within another; `UserError` where there is none."""
    found: dict[Path, Path] = {}
    for pattern in listed("sources", patterns, "folders, files and patterns", "data", least=1):
        given = Path(pattern)
        paths = [given] if given.exists() else _matching(pattern)
        if not paths:
            raise UserError(f"{pattern} does not exist: give a folder, a file or a pattern")
        found |= {real_path(path): path for path in paths}
    return [path for whole, path in found.items() if not found.keys() & set(whole.parents)]


def _matching(pattern: str | Path) -> list[Path]:
    """Return the paths that match, without hidden ones that the pattern does not name itself."""
    named = set(Path(pattern).parts)
    found = (sorted(glob.glob(one, recursive=True)) for one in _readings(pattern))  # noqa: PTH207
    paths = map(Path, next(filter(None, found), []))
    return [p for p in paths if not any(is_hidden(PurePath(x)) for x in p.parts if x not in named)]


def _readings(pattern: str | Path) -> Iterator[str]:
    """Yield a pattern with names of folders that are there as they are, then all [ as letters."""
    parts, first = Path(pattern).parts, 0
    while first < len(parts) and Path(*parts[: first + 1]).exists():
        first += 1
    there, rest = Path(*parts[:first]), Path(*parts[first:])
    for one in (str(rest), str(rest).replace("[", "[[]")):
        yield str(Path(glob.escape(str(there))) / one) if first else one


def is_hidden(place: PurePath) -> bool:
    """Return whether systems hide a file of this place, by its name or that of a folder.

    >>> is_hidden(PurePath("data/.git/a.csv")), is_hidden(PurePath("../a.csv"))
    (True, False)
    """
    return any(
        part.lower() in HIDDEN or (part.startswith(".") and part != "..") for part in place.parts
    )


def member_path(name: str) -> PurePosixPath:
    """Return the path of an archive's member, also of one that was packed on Windows."""
    return PurePosixPath(name.replace("\\", "/"))


def real_path(path: Path) -> Path:
    """Return a path without links; one that leads in a circle as far as it can be followed."""
    return Path(os.path.realpath(path))


def scan(starts: Sequence[Path], suffixes: tuple[str, ...], limits: Limits) -> Scan:
    """Count and digest the sources without reading them."""
    found, names = Scan(), hashlib.sha256()
    for source in iterate_sources(starts, suffixes, limits, found.skipped):
        found.count += 1
        names.update(f"{source.name}\0{source.state}\n".encode(errors="surrogateescape"))
    found.sha256 = names.hexdigest()
    return found


def iterate_sources(
    starts: Sequence[Path],
    suffixes: tuple[str, ...],
    limits: Limits,
    skipped: Counter[str] | None = None,
) -> Iterator[Source]:
    """Yield all sources in a fixed order, recursively; links to folders are not followed.

    What systems hide below a start is passed over, see `is_hidden`. With `skipped`, which counts
    files of other kinds, members of archives are not read.
    """
    named = set(starts)
    for path in _files(starts):
        name = path.name.lower()
        if name.endswith(ARCHIVES):
            yield from _members(path, suffixes, limits, skipped)
        elif is_source(name, suffixes) or path in named:
            yield _source(path)
        elif skipped is not None:
            skipped[path.suffix.lower() or "no suffix"] += 1


def _files(starts: Iterable[Path]) -> Iterator[Path]:
    for start in starts:
        if not start.is_dir():
            yield start
        for folder, inner, names in os.walk(start):
            inner[:] = sorted(name for name in inner if not is_hidden(PurePath(name)))
            shown = (name for name in sorted(names) if not is_hidden(PurePath(name)))
            yield from (Path(folder, name) for name in shown)


def _source(path: Path) -> Source:
    try:
        state = path.stat()
    except OSError as error:  # such as a link that leads nowhere
        return Source(str(path), "", fault=("unreadable", cause_of(error)))
    if not stat.S_ISREG(state.st_mode):
        return Source(str(path), "", fault=NO_FILE)
    return Source(str(path), f"{state.st_size} {state.st_mtime_ns}")


def _members(
    path: Path, suffixes: tuple[str, ...], limits: Limits, skipped: Counter[str] | None
) -> Iterator[Source]:
    """Yield the sources of an archive; where it cannot be read further, a fault of its own."""
    count = 0
    try:
        require_file(path)
        members = _zipped if zipfile.is_zipfile(path) else _tarred
        for member in members(path, suffixes, limits, skipped is None):
            place = member_path(member.name)
            if is_hidden(place):
                pass
            elif is_source(member.name, suffixes):
                yield Source(f"{path}!{member.name}", member.state, member.data, member.fault)
            elif place.name.lower().endswith(ARCHIVES):
                yield Source(f"{path}!{member.name}", member.state, fault=WITHIN)
            elif skipped is not None:
                skipped[place.suffix.lower() or "no suffix"] += 1
            count += 1
            if count > limits.archive_members:
                raise RejectedFile("archive", f"more than {limits.archive_members} members")
    except RejectedFile as error:
        yield Source(str(path), "", fault=(error.reason, error.detail))
    except UNREADABLE as error:
        yield Source(str(path), "", fault=("archive", f"it cannot be read further: {error}"))


def _zipped(
    path: Path, suffixes: tuple[str, ...], limits: Limits, reading: bool
) -> Iterator[Source]:
    """Yield all members of a zip file; those with a matching suffix are read."""
    most, total = limits.most_unpacked(path.stat().st_size), 0
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            wanted = is_source(info.filename, suffixes)
            fault = _fault(info, limits) if wanted else None
            total += info.file_size if wanted and not fault else 0
            if total > most:  # of members that lie over each other
                raise RejectedFile("archive", f"unpacks to more than {most:.0f} bytes")
            data = None
            if reading and wanted and not fault:
                data, fault = _unzipped(archive, info, limits)
            yield Source(info.filename, f"{info.file_size} {info.CRC}", data, fault)


def _fault(info: zipfile.ZipInfo, limits: Limits) -> tuple[str, str] | None:
    """Return why a member is not read, by its header."""
    if info.file_size > limits.file_bytes:
        return too_large(info.file_size, limits)
    if is_encrypted(info):
        return ENCRYPTED
    if stat.S_ISLNK(info.external_attr >> 16):
        return "link", "links in archives are not followed"
    if info.file_size > limits.archive_ratio * max(info.compress_size, 100):
        return "archive", f"{info.file_size} bytes of {info.compress_size}"
    return None


def is_encrypted(info: zipfile.ZipInfo) -> bool:
    """Return whether a member needs a password."""
    return bool(info.flag_bits & 1)


def _unzipped(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, limits: Limits
) -> tuple[bytes | None, tuple[str, str] | None]:
    """Return a member's bytes or its fault; the size that its header states is not trusted."""
    try:
        with archive.open(info) as file:
            data = file.read(limits.file_bytes + 1)
    except UNREADABLE as error:
        return None, ("unreadable", str(error))
    if len(data) > limits.file_bytes:
        return None, too_large(len(data), limits)
    return data, None


def _tarred(
    path: Path, suffixes: tuple[str, ...], limits: Limits, reading: bool
) -> Iterator[Source]:
    """Yield all members of a tar file in one pass; those with a matching suffix are read."""
    most = limits.most_unpacked(path.stat().st_size)
    with tarfile.open(path, "r|*", tarinfo=CheckedHeader) as archive:
        while info := archive.next():
            archive.members.clear()  # type: ignore[attr-defined]  else it keeps them all
            if info.offset_data + info.size > most:
                raise RejectedFile("archive", f"unpacks to more than {most:.0f} bytes")
            if not info.isdir():
                wanted = reading and is_source(info.name, suffixes)
                data, fault = _untarred(archive, info, limits) if wanted else (None, None)
                yield Source(info.name, f"{info.size} {info.mtime}", data, fault)


def _untarred(
    archive: tarfile.TarFile, info: tarfile.TarInfo, limits: Limits
) -> tuple[bytes | None, tuple[str, str] | None]:
    if not info.isfile():
        return None, ("link", "links and devices in archives are not followed")
    if info.size > limits.file_bytes:
        return None, too_large(info.size, limits)
    try:
        file = archive.extractfile(info)
        return file.read() if file else b"", None
    except UNREADABLE as error:  # here the archive breaks off
        return None, ("unreadable", str(error))


class CheckedHeader(tarfile.TarInfo):
    """A header that refuses long names beyond `HEADER_BYTES`."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in LONG_NAMES and self.size > HEADER_BYTES:
            raise RejectedFile("archive", f"a header of {self.size} bytes")
        return super()._proc_member(archive)  # type: ignore[misc]
