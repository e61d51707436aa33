"""Labels of generated items: their names, and the line that says how to make them again."""

import re
import zlib
from collections.abc import Sequence
from importlib.metadata import version

from core.files import as_text

SIGNATURE = "made with pianoreel"
"""The words with which an item's origin begins."""

GENERATED = f"{SIGNATURE}: leave such files out if a model is to learn from yours alone"
"""Words for training data whose origin says so: a folder of own files may hold samples."""


LONGEST = 96
"""Bytes of a file's name that a text or another file becomes: names of 143 are safe everywhere."""


def name_of(model: str, seed: int | None, *kinds: object) -> str:
    """Return the name of an item's files, which those of another model or seed do not have.

    >>> name_of("vae", 7, "reconstruction-my file")
    'vae-seed7-reconstruction-my-file'
    """
    parts = [model, *([] if seed is None else [f"seed{seed}"]), *map(str, kinds)]
    return as_file_name(as_text("-".join(parts)))


def as_file_name(text: str) -> str:
    """Return a text as a name of a file, or a part of one: hyphens for spaces and slashes.

    >>> as_file_name("Verse 1/2")
    'Verse-1-2'
    """
    return text.replace(" ", "-").replace("/", "-")


def slug(text: str) -> str:
    """Return a text as part of a file name: words joined by hyphens, a long text `shortened`.

    Empty where no letter or number is in it.

    >>> slug("A dog/cat: ../runs!")
    'a-dog-cat-runs'
    """
    letters = re.sub(r"[^\w]+", "-", text.lower()).strip("-_")
    return shortened(letters, text)


def shortened(name: str, text: str | None = None, limit: int = LONGEST) -> str:
    """Return a name of at most `limit` bytes; a longer one is cut and ends in a checksum.

    `text`: what the checksum is of, the name itself unless given.

    >>> shortened("short"), shortened("a-very-long-name", limit=13)
    ('short', 'a-ve-c247f340')
    """
    name = as_text(name)
    if len(name.encode()) <= limit:
        return name
    checksum = f"-{zlib.crc32((text or name).encode()):08x}"
    cut = name.encode()[: limit - len(checksum)].decode(errors="ignore")
    return cut.rstrip("-_") + checksum


def side_by_side(names: Sequence[str]) -> str:
    """Return names as one part of a file's name, of whose bytes each has a share.

    >>> side_by_side(["verse", "a chorus"])
    'verse-a chorus'
    """
    return "-".join(shortened(name, limit=LONGEST // len(names)) for name in names)


def origin(*parts: str, **settings: object) -> str:
    """Return the line that says which model generated an item, and how.

    Settings that are None or empty are left out.
    """
    given = [f"{name} {value}" for name, value in settings.items() if value not in (None, "")]
    return as_text(f"{SIGNATURE} {version('pianoreel')}: {', '.join([*parts, *given])}")


def is_generated(text: str) -> bool:
    """Return whether an item's origin says that a model generated it."""
    return text.startswith(SIGNATURE)
