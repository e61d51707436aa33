"""The place where the items that a command generates are written, and their kinds of files."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from core.config import comma_separated
from core.errors import ConfigError, UserError
from core.files import create_folder, taking_turns, temporary_folder, write_whole
from core.wording import nearest


@dataclass(frozen=True)
class Output:
    """The folder to write to; a domain adds which kinds of files it writes, and how.

    `overwrite`: write over other items of the same names. `item`: the word for what is written.
    """

    item: ClassVar[str] = "item"

    folder: Path
    overwrite: bool = field(default=False, kw_only=True)

    @property
    def has_pictures(self) -> bool:
        """True where pictures of several items are drawn beside them."""
        return True

    def create(self) -> None:
        """Create the folder; `UserError` where nothing can be written to it."""
        create_folder(self.folder)

    def write(self, path: Path, content: bytes) -> Path:
        """Write a file, whole or not at all; `UserError` where that cannot be.

        One that is there stays unless it is the same, or can be overwritten; also one that another
        command writes in the same moment.
        """
        is_alone = self.overwrite or not path.parent.is_dir()
        with nullcontext() if is_alone else taking_turns(path.parent):
            self.require_same(path, content)
            write_whole(path, content)
        return path

    def write_all(self, files: Mapping[Path, bytes]) -> Iterator[Path]:
        """Write files that belong together, by their paths; yield each path once written.

        `UserError` before the first is written where one of them is there and is to stay.
        """
        for path, content in files.items():
            self.require_same(path, content)
        self.create()
        for path, content in files.items():
            yield self.write(path, content)

    def require_same(self, path: Path, content: bytes) -> None:
        """Raise `UserError` for a file that holds anything else, and cannot be overwritten."""
        if path.is_file() and not self.overwrite and path.read_bytes() != content:
            raise self.taken(path)

    def draw(self, path: Path, show: Callable[[Path], None]) -> Path:
        """Write the picture that `show` writes to a path that it is given, as `write` does."""
        return self.write(path, self.drawn(path, show))

    def drawn(self, path: Path, show: Callable[[Path], None]) -> bytes:
        """Return the picture that `draw` would write."""
        with temporary_folder() as folder:
            show(drawn := folder / path.name)
            return drawn.read_bytes()

    def taken(self, path: Path) -> UserError:
        """Return the error of a name that another item has."""
        return UserError(
            f"{path} is there and holds another {self.item}: give another --to, or --overwrite"
        )


def read_formats(texts: Iterable[str], known: Sequence[str], items: str) -> tuple[str, ...]:
    """Return the formats that texts such as a,b name; `ConfigError` for one that is not known.

    >>> read_formats(["b, .A", "b"], ("a", "b"), "items")
    ('b', 'a')
    """
    named = (part for text in texts for part in comma_separated(text) or [""])
    formats = [part.lower().removeprefix(".") for part in named]
    for one in formats:
        if one not in known:
            raise ConfigError(f"{items} are not written as '{one}': {nearest(one, known)}")
    return tuple(dict.fromkeys(formats))
