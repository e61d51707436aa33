"""The studio's folder: everything that is made in the page lies there, and stays.

songs/2026-11-26_19-30-05_NAME/      one take: NAME.mid, .wav, .flac, NAME-stems/, NAME.json
clips/2026-11-26_19-31-40_NAME/      one take: NAME.mp4, NAME.png ...
collections/NAME/                    prepared collections, and their sources in uploads/NAME/
runs/NAME/                           runs
"""

import contextlib
import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import ConfigError, UserError
from core.files import create_folder

if TYPE_CHECKING:
    from core.app.domain import Domain

SONGS, CLIPS, COLLECTIONS, UPLOADS, RUNS = "songs", "clips", "collections", "uploads", "runs"

SHOWN = {SONGS: "*.json", CLIPS: "[!.]*"}
"""Files of a take by which the page shows it."""

LONGEST_NAME = 60

NO_FILE = "there is no such file in the studio: load the page anew to see what there is"

ADDRESS, RUNS_ADDRESS = "/kept", "/runs"
"""The addresses under which the server shows the folder's files, and those of the runs."""


@dataclass(frozen=True)
class StudioFolder:
    """The folder, and that of the runs, which can lie elsewhere."""

    root: Path
    runs: Path

    @classmethod
    def of(cls, root: Path, runs: Path | None = None) -> "StudioFolder":
        """Create the folders where they are missing; `UserError` where that cannot be."""
        folder = cls(root.resolve(), (runs or root / RUNS).resolve())
        for one in (SONGS, CLIPS, COLLECTIONS, UPLOADS):
            create_folder(folder.root / one)
        create_folder(folder.runs)
        return folder

    def take(self, room: str, name: str) -> Path:
        """Create a new folder for what is made now; of two at once each has its own."""
        stem = f"{time.strftime('%Y-%m-%d_%H-%M-%S')}_{safe_name(name)}"
        for number in count(1):
            folder = self.root / room / (stem if number == 1 else f"{stem}_{number}")
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                continue
            return folder
        raise AssertionError

    def find(self, identity: str) -> Path:
        """Return the file that an address within the folder names.

        `UserError` for one that leads out of it, by `..` or by a link, and for a missing file.
        """
        path = self._within(identity)
        if not path.is_file():
            raise UserError(NO_FILE)
        return path

    def find_folder(self, identity: str) -> Path:
        """Return the folder of a take, or one in it, that an address names; errors as `find`."""
        path = self._within(identity)
        takes = [self.root / room for room in (SONGS, CLIPS)]
        if not path.is_dir() or not any(room in path.parents for room in takes):
            raise UserError(NO_FILE)
        return path

    def _within(self, identity: str) -> Path:
        try:
            path = (self.root / identity).resolve()
            path.stat()
        except (OSError, ValueError) as error:  # a loop of links, a NUL, a name too long
            raise UserError(NO_FILE) from error
        if not (identity and path.is_relative_to(self.root)):
            raise UserError(NO_FILE)
        return path

    def identity(self, path: Path) -> str:
        """Return the address of a file or a folder, the inverse of `find`."""
        return path.resolve().relative_to(self.root).as_posix()

    def url(self, path: Path) -> str:
        """Return the address under which the page shows a file of the folder, or of the runs."""
        from urllib.parse import quote

        resolved = path.resolve()
        for address, root in ((RUNS_ADDRESS, self.runs), (ADDRESS, self.root)):
            if resolved.is_relative_to(root):
                return quote(f"{address}/{resolved.relative_to(root).as_posix()}")
        raise UserError(f"{path} lies outside of the studio")

    def takes(self, room: str) -> Iterator[Path]:
        """Yield the folders of a room's takes, the newest first."""
        folders = (
            path for path in (self.root / room).iterdir() if path.is_dir() and is_text(path)
        )
        yield from sorted(folders, key=lambda path: path.name, reverse=True)

    def collection(self, name: str) -> Path:
        """Return the folder of a prepared collection; `UserError` where there is none."""
        return self._named(self.root / COLLECTIONS, name, "collection")

    def run(self, name: str) -> Path:
        """Return the folder of a run; `UserError` where there is none."""
        return self._named(self.runs, name, "run")

    def model(self, domain: "Domain", name: str) -> Path:
        """Return the folder of a shipped model, or of a run; `UserError` where there is none."""
        shipped = domain.shipped
        if shipped and name in folders_in(shipped):
            return shipped / name
        return self.run(name)

    def _named(self, parent: Path, name: str, kind: str) -> Path:
        if name not in folders_in(parent):
            raise UserError(f"the studio has no {kind} of that name")
        return parent / name


@contextlib.contextmanager
def swept(take: Path) -> Iterator[Path]:
    """Yield the folder of a take, which is removed in the end if there is nothing to show."""
    try:
        yield take
    finally:
        if not any(take.glob(SHOWN[take.parent.name])):
            shutil.rmtree(take, ignore_errors=True)


def folders_in(parent: Path) -> list[str]:
    """Return the names of the folders in a folder, sorted; hidden ones aside."""
    found = (path.name for path in parent.iterdir() if path.is_dir() and is_text(path))
    return sorted(name for name in found if not name.startswith("."))


def is_text(path: Path) -> bool:
    """Return whether a name is one of UTF-8, which a page can show."""
    return not re.search("[\ud800-\udfff]", path.name)


def read_text(path: Path) -> str:
    """Return the text of a file that someone else may have changed; empty where it is missing.

    A pipe, which nobody may ever write to, is not opened.
    """
    try:
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    except OSError:
        return ""


def read_json(path: Path, otherwise: Any) -> Any:
    """Return what a file of JSON says; see `parsed`."""
    return parsed(read_text(path), otherwise)


def parsed(text: str, otherwise: Any) -> Any:
    """Return what JSON says, of the type of `otherwise`, which is returned for anything else.

    >>> parsed('{"a": 1}', {}), parsed('{"a"', {}), parsed("[1]", {})
    ({'a': 1}, {}, {})
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return otherwise
    return found if isinstance(found, type(otherwise)) else otherwise


def safe_name(text: str) -> str:
    """Return a text as the name of a folder: letters, digits, dots, dashes and underlines.

    >>> safe_name("../My songs, 2 "), safe_name("...")
    ('My-songs-2', 'untitled')
    """
    return re.sub(r"[^\w.-]+", "-", text).strip("-._")[:LONGEST_NAME] or "untitled"


def new_name(text: str, parent: Path, finished: str) -> str:
    """Return a user's name for a new folder; `ConfigError` where there is one of that name.

    `finished`: the file that only a finished folder has.
    """
    name = safe_name(text)
    if (parent / name / finished).exists():
        raise ConfigError(f"there is already something called {name}: choose another name")
    return name
