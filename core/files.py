"""Atomic writes, digests, disk space, and locks of folders."""

import contextlib
import errno
import fcntl
import hashlib
import json
import logging
import os
import re
import secrets
import shutil
import socket
import tempfile
import threading
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from core.errors import ConfigError, Resumable, UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

LOG = logging.getLogger("pianoreel")

LOCK = ".lock"

_locks: dict[Path, int] = {}
"""Folders that this process has locked, and its lock files."""

LOOKS, LOOK_SECONDS = 5, 0.02
"""Trials to lock a folder, and the time between them: `worker_in` has the lock for a moment."""

NO_TAGS: Mapping[str, str] = MappingProxyType({})
"""Texts that a file holds about itself, by their keywords: none."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of a full disk, a full quota, and a file of the largest size that is allowed."""

NO_RIGHT = (errno.EACCES, errno.EPERM)
"""Error numbers of what belongs to another user, or is protected."""

GET_RIGHT = "have its owner permit it (chmod), or take a copy of your own"

NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)
"""Error numbers of a disk that knows no locks, as those of some clusters."""

NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP)
"""Error numbers of a disk that knows no hard links, as FAT of memory sticks."""

TO_TMPDIR = "make room, or set TMPDIR to a folder on another disk, and give the command once more"

NO_PLACE = f"there is no folder for temporary files: {TO_TMPDIR}"

CUT_SHORT = re.compile(r"\d+ requested and \d+ written")
"""The error without a number that numpy raises where there is no room for a whole array."""


def digest(path: Path) -> str:
    """Return the sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Wait until a file, or the entries of a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_folder(text: str | Path) -> bool:
    """Return whether a text is the path of a folder; a sentence, however long, is none."""
    return os.path.isdir(text)  # noqa: PTH112


def is_file(text: str | Path) -> bool:
    """Return whether a text is the path of a file; a sentence, however long, is none."""
    return os.path.isfile(text)  # noqa: PTH113


def address(path: str | Path) -> str:
    """Return the path of a file for FFmpeg, which takes what is before a first colon, as in
    12:30.wav, for a protocol."""
    return str(Path(path).absolute())


def create_folder(folder: Path) -> None:
    """Create a folder to write to; `UserError` where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        if folder.is_symlink() and not folder.exists():
            raise UserError(
                f"cannot write to {folder}: it is a link to {folder.readlink()}, which is not "
                "there: create that, or give another folder"
            ) from error
        raise UserError(f"cannot write to {folder}: it is a file, give a folder") from error
    except NotADirectoryError as error:
        parent = next(part for part in folder.parents if part.exists())
        raise UserError(f"cannot write to {folder}: {parent} is a file") from error
    except OSError as error:
        if is_full(error):
            raise unwritten(folder, error) from error
        raise UserError(
            f"cannot write to {folder}: {error.strerror}: choose another folder with --to"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"cannot write to {folder}: choose another folder with --to")


def require_different(names: Iterable[tuple[str, Path]]) -> None:
    """Raise `ConfigError` where what is made of two files or folders would have one name.

    names: (the name, the file or folder) of each.
    """
    first: dict[str, Path] = {}
    for name, path in names:
        if name in first:
            raise ConfigError(
                f"{first[name]} and {path} would both be called {as_text(name)}: leave one out, "
                "or give one another name"
            )
        first[name] = path


@contextlib.contextmanager
def aside(path: Path, overwrite: bool = True) -> Iterator[Path]:
    """Yield a hidden path beside `path`, which takes its place once it is written whole.

    Each thread of a process has its own: two can write a file, and the last is kept. What a killed
    process left is removed by the next of its machine that writes the file. Errors name `path`;
    `UserError` where it is no file, as a folder, a pipe or a device, which is not replaced.
    Without `overwrite`, `FileExistsError` where there is a file by the end.
    """
    if path.exists() and not path.is_file():
        raise UserError(f"{path} is there and no file: choose another name with --to")
    machine = socket.gethostname()  # of several that write to one disk
    names = hashlib.blake2s(os.fsencode(f"{path.name}/{machine}"), digest_size=8).hexdigest()
    for left in path.parent.glob(f".{names}-*.aside"):
        if not _runs(int(left.stem.split("-")[1])):
            left.unlink(missing_ok=True)
    hidden = path.with_name(f".{names}-{os.getpid()}-{threading.get_ident()}.aside")
    try:
        yield hidden
        if overwrite:
            hidden.rename(path)
        else:
            _name_once(hidden, path)
    except OSError as error:
        if error.errno is not None and error.filename in (None, str(hidden)):
            error.filename = str(path)
        if error.filename2 == str(hidden):  # of a copy
            error.filename2 = str(path)
        raise
    finally:
        hidden.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    """Return whether a process of this machine runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder that is removed in the end; `Resumable` where its disk is full."""
    try:
        place = tempfile.gettempdir()
    except FileNotFoundError as error:
        raise Resumable(NO_PLACE) from error
    with tempfile.TemporaryDirectory(dir=place) as folder:
        try:
            yield Path(folder)
        except (OSError, Resumable) as error:
            is_here = folder in str(error) or getattr(error, "filename", folder) is None
            if is_here and (is_full(error) or isinstance(error, Resumable)):
                raise Resumable(f"{place} has no room for temporary files: {TO_TMPDIR}") from error
            raise


def is_full(error: BaseException) -> bool:
    """Return whether an error says that there is no room: on a disk, in a quota or in a file.

    Libraries in other languages raise errors of their own, with the words of the system.

    >>> is_full(OSError(errno.ENOSPC, "No space left on device")), is_full(OSError("no image"))
    (True, False)
    """
    if isinstance(error, OSError) and (error.errno in NO_ROOM or CUT_SHORT.fullmatch(str(error))):
        return True
    return any(os.strerror(number) in str(error) for number in NO_ROOM)


def cause_of(error: OSError) -> str:
    """Return the words of the system for an error, and the cure where a right is missing.

    >>> cause_of(PermissionError(errno.EACCES, "Permission denied", "a.mid"))
    'Permission denied: have its owner permit it (chmod), or take a copy of your own'
    """
    said = error.strerror or str(error)
    return f"{said}: {GET_RIGHT}" if error.errno in NO_RIGHT else said


def said_of(error: OSError) -> str:
    """Return the words of the system for an error, with the file and, without a right, the cure.

    >>> said_of(PermissionError(errno.EACCES, "Permission denied", "a.mid"))
    'Permission denied: a.mid: have its owner permit it (chmod), or take a copy of your own'
    """
    parts = error.strerror or str(error), error.filename2 or error.filename
    cure = GET_RIGHT if error.errno in NO_RIGHT and parts[1] else None
    return ": ".join(str(part) for part in (*parts, cure) if part)


def lacks_temporary_folder(error: BaseException) -> bool:
    """Return whether an error says that no folder takes the temporary files that libraries keep.

    >>> lacks_temporary_folder(FileNotFoundError(2, "No usable temporary directory found in []"))
    True
    """
    return isinstance(error, FileNotFoundError) and "usable temporary directory" in str(error)


def unwritten(path: Path, error: OSError) -> UserError:
    """Return the error of a file that could not be written: `Resumable` where the disk is full."""
    if lacks_temporary_folder(error):
        return Resumable(NO_PLACE)
    if is_full(error):
        return Resumable(
            f"cannot write {path}: {error.strerror or error}; make room: what was written before "
            "is whole, and the same command goes on"
        )
    if error.errno == errno.ENOENT and not path.parent.exists():
        return UserError(f"cannot write {path}: there is no folder {path.parent}: create it first")
    said = error.strerror or error
    return UserError(f"cannot write {path}: {said}: choose another name with --to")


def write_whole(path: Path | str | BytesIO, content: bytes) -> None:
    """Write a file whole or not at all, or add to a stream; `UserError` where it cannot be.

    What is no file, a folder or a pipe, is not replaced.
    """
    if isinstance(path, BytesIO):
        path.write(content)
        return
    path = Path(path)
    try:
        with aside(path) as hidden:
            hidden.write_bytes(content)
    except OSError as error:
        raise unwritten(path, error) from error


def read_tensors(path: Path) -> dict[str, "Tensor"]:
    """Return the tensors of a .safetensors by name; safetensors itself opens UTF-8 names alone."""
    from safetensors.torch import load, load_file

    is_utf8 = as_text(str(path)) == str(path)
    return load_file(path) if is_utf8 else load(path.read_bytes())


def read_json(path: Path) -> Any:
    """Read a file of JSON; `OSError` where it is none to read, `ValueError` for anything else.

    A pipe is not opened, as nobody knows when something comes; a file nested too deep is no JSON.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no file", str(path))
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError(f"{path} is nested too deep") from error


def read_json_lines(path: Path) -> list[Any]:
    """Read a file of JSON line by line, blank ones left out; nothing where there is no file.

    `UserError` names a line that is no JSON.
    """
    rows = []
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    for number, line in enumerate(lines, 1):
        try:
            rows += [json.loads(line)] if line.strip() else []
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}, line {number}, is no JSON: correct or remove it") from error
    return rows


def as_text(name: str) -> str:
    """Return a name with ? for each byte that is no UTF-8, as names of files can have.

    >>> as_text(os.fsdecode(b"caf\\xe9.mid"))
    'caf?.mid'
    """
    return name.encode(errors="replace").decode()


def write_text(path: Path, text: str) -> None:
    """Write a file atomically: to a hidden name, synced, then renamed; see `as_text`."""
    with aside(path) as hidden:
        hidden.write_text(as_text(text), encoding="utf-8")
        sync(hidden)
    sync(path.parent)


def write_figure(
    figure: "Figure", path: Path | str | BytesIO, tags: Mapping[str, str] = NO_TAGS
) -> None:
    """Write a figure as .png, whole or not at all.

    It is laid out as it is drawn; `savefig` draws it twice. Letters that the font lacks are boxes,
    and a $ is no mathematics. `tags`: texts that the picture holds, by their keywords. `UserError`
    where it cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_parse_math(False)
    stream = BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)  # of any script
        FigureCanvasAgg(figure).print_png(stream, metadata=dict(tags))
    write_whole(path, stream.getvalue())


def require_space(folder: Path, size_bytes: int) -> None:
    """Raise `Resumable` where the disk of `folder` has less than `size_bytes` free."""
    free = shutil.disk_usage(folder).free
    if free < size_bytes:
        raise Resumable(
            f"{folder} needs {_megabytes(size_bytes)} MB and its disk has {_megabytes(free)} MB "
            "free: make room or choose another folder"
        )


def _megabytes(size_bytes: int) -> str:
    """Return a size in megabytes, in words.

    >>> _megabytes(3_200_000_000), _megabytes(4000)
    ('3,200', '0.004')
    """
    megabytes = size_bytes / 1e6
    return f"{megabytes:,.0f}" if megabytes >= 1 else f"{megabytes:.2g}"


def write_once(path: Path, text: str) -> None:
    """Write a file atomically unless there is one: of several processes the first does."""
    hidden = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        hidden.write_text(text, encoding="utf-8")
        sync(hidden)
        with contextlib.suppress(FileExistsError):
            _name_once(hidden, path)
    finally:
        hidden.unlink(missing_ok=True)
    sync(path.parent)


def _name_once(hidden: Path, path: Path) -> None:
    """Give a file this name, and maybe keep the other; `FileExistsError` where the name is taken.

    On a disk without hard links one that is written in the same instant is replaced.
    """
    try:
        path.hardlink_to(hidden)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
        hidden.rename(path)


@contextlib.contextmanager
def locked(folder: Path, shared: bool = False) -> Iterator[None]:
    """Lock `folder` for this process; `UserError` names the process that has locked it.

    `shared`: with others that share it, which have no names.
    The system releases the lock when its process ends, however it ends; taking over the lock of a
    killed process is logged. The lock file stays, empty: removing it could race with a process
    that has just opened it. On a disk that knows no such locks nobody is kept out, and that is
    logged. See `require_lock`.
    """
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _take(handle, folder, shared)
        _locks[folder] = handle
        try:
            yield
        finally:
            _locks.pop(folder, None)  # another in this process may have shared it
            os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def require_lock(folder: Path) -> None:
    """Raise where a folder that this process locked is no longer there, or is locked by another.

    `Resumable` where it was moved or removed. `UserError` where another process has locked it
    since: it was removed and created anew, or its lock file was.
    """
    if folder not in _locks:
        return
    if not folder.is_dir():
        raise Resumable(
            f"{folder} is no longer there: give it its old name again, and the same command "
            "resumes"
        )
    try:
        handle = os.open(folder / LOCK, os.O_RDONLY)
    except FileNotFoundError:  # removed, and none works there since
        return
    try:
        if not os.path.samestat(os.fstat(handle), os.fstat(_locks[folder])):
            raise _taken(handle, folder)
    finally:
        os.close(handle)


def _taken(handle: int, folder: Path) -> UserError:
    owner = _owner(handle)
    return UserError(f"{owner} works in {folder}: wait for it or choose another folder")


def _take(handle: int, folder: Path, shared: bool) -> None:
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    for _ in range(LOOKS):
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            time.sleep(LOOK_SECONDS)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            LOG.warning(
                "the disk of %s knows no locks: let no other command work there meanwhile", folder
            )
            break
    else:
        raise _taken(handle, folder)
    if os.fstat(handle).st_size:
        LOG.warning("%s was stopped in %s: resuming", _owner(handle), folder)
    os.ftruncate(handle, 0)
    if shared:
        return
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    os.pwrite(handle, json.dumps([os.getpid(), socket.gethostname(), now]).encode(), 0)


@contextlib.contextmanager
def taking_turns(folder: Path) -> Iterator[None]:
    """Wait until no other process is within for `folder`, and keep others waiting.

    For moments, such as reading a file and writing it anew. Nothing is left in the folder; on a
    disk that knows no such locks nobody waits.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def worker_in(folder: Path) -> int | None:
    """Return the process of this machine that has locked `folder`, None where none has."""
    try:
        handle = os.open(folder / LOCK, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        process, host, _ = _stored_owner(handle)
        return process if host == socket.gethostname() else None
    except OSError:  # a disk that knows no locks
        return None
    else:
        return None
    finally:
        os.close(handle)


def _stored_owner(handle: int) -> tuple[int | None, str, str]:
    """Return process, host and time that a lock file names; no process where it names none."""
    try:
        process, host, since = json.loads(os.pread(handle, 4096, 0))
    except (ValueError, TypeError):
        return None, "", ""
    return process, host, since


def _owner(handle: int) -> str:
    process, host, since = _stored_owner(handle)
    if process is None:
        return "another process"
    return f"process {process} on {host} (since {since})"


def cache_folder() -> Path:
    """Return the folder of files that can be recomputed: $PIANOREEL_CACHE, else the XDG one.

    A user who has no home, as in a container, has it among temporary files.
    """
    own = os.environ.get("PIANOREEL_CACHE")
    if own:
        return Path(own)
    try:
        standard = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:
        return Path(tempfile.gettempdir()) / f"pianoreel-{os.getuid()}"
    return Path(standard) / "pianoreel"
