"""The place where the items that a command generates are written, and their kinds of files."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Output:
    """The folder to write to; a domain adds which kinds of files it writes, and how."""

    folder: Path

    @property
    def has_pictures(self) -> bool:
        """True where pictures of several items are drawn beside them."""
        return True
