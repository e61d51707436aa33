"""Files that a user drops on the page, and the place where they are received.

The browser sends each file by itself, PUT /upload/BATCH/PATH, with its path in the dropped folder,
as captions may stand in names of folders. A batch is a folder of uploads/.
"""

import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from core.data.sources import ARCHIVES
from core.errors import UserError
from core.files import aside
from musegen.smf.chunks import SONG_FILES
from studio.folder import UPLOADS, StudioFolder
from videogen.files.pictures import PICTURES
from videogen.files.reading import VIDEO

TEXTS = (".csv", ".tsv", ".jsonl", ".json", ".txt")
SUFFIXES = frozenset((*SONG_FILES, *VIDEO, *PICTURES, *TEXTS, *ARCHIVES, ".gz"))
MOST_FILES = 20_000
MOST_BATCH_BYTES = 4 * 2**30
DEEPEST, LONGEST = 12, 240
"""Folders of a path, and bytes of each of its names."""


def batch_folder(folder: StudioFolder, batch: str) -> Path:
    """Return the folder of a batch; `UserError` for what is no batch's name."""
    if not re.fullmatch(r"[0-9a-f]{16}", batch):
        raise UserError("drop files first")
    return folder.root / UPLOADS / batch


def place_of(folder: StudioFolder, batch: str, name: str) -> Path:
    """Return where a dropped file is written; `UserError` for a path that leads elsewhere.

    Only files that a preparation can read are taken.
    """
    parts = PurePosixPath(name).parts
    wrong = (".", "..", "/")
    if not 0 < len(parts) <= DEEPEST or any(
        part in wrong or "\0" in part or "\\" in part or len(part.encode()) > LONGEST
        for part in parts
    ):
        raise UserError(f"'{name[:LONGEST]}' is no path within a folder")
    if Path(parts[-1]).suffix.lower() not in SUFFIXES:
        raise UserError(f"{parts[-1]} is no music, film, picture, table or archive")
    home = batch_folder(folder, batch)
    place = home.joinpath(*parts)
    if not place.resolve().is_relative_to(home.resolve()):
        raise UserError(f"{parts[-1]} would lie outside of its folder")
    return place


@dataclass
class Reception:
    """Receives dropped files into a folder, and counts those of each batch."""

    folder: StudioFolder
    most_bytes: int
    counts: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)

    async def receive(self, batch: str, name: str, chunks: AsyncIterator[bytes]) -> int:
        """Write a file as it comes; return its size. `UserError` beyond a limit."""
        place = place_of(self.folder, batch, name)
        if self.counts[batch] >= MOST_FILES or self.sizes[batch] >= MOST_BATCH_BYTES:
            most = f"{MOST_FILES:,} files and {MOST_BATCH_BYTES // 2**30} GB"
            raise UserError(f"at most {most} are taken at once")
        if place.is_dir():
            raise UserError(f"{place.name} is a folder of what you dropped: rename one of them")
        self.counts[batch] += 1
        size = 0
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with aside(place) as hidden, hidden.open("wb") as file:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > self.most_bytes:
                        raise UserError(
                            f"{place.name} is larger than {self.most_bytes // 2**20} MB"
                        )
                    file.write(chunk)
        except OSError as error:
            raise UserError(f"{place.name} could not be written: {error.strerror}") from error
        self.sizes[batch] += size
        return size
