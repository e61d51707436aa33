"""Sequences of pictures: the numbered pictures of a folder are the frames of one clip.

v1/0001.jpg  v1/0002.jpg ...                one clip, v1
a_0001.png  a_0002.png  b_0001.png ...      two clips, a and b
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PICTURES = (
    *(".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"),
    *(".avif", ".heic", ".heif", ".jfif", ".jpe"),
)
"""Suffixes of pictures."""
_SAME = {".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg", ".tiff": ".tif", ".heif": ".heic"}
"""Suffixes of one format, which sequences may mix."""
FEWEST = 2
"""Pictures of a sequence, at least."""

_NUMBERED = re.compile(r"(.*?)(\d+)\)?")
"""A number at the end, also in brackets, as Windows writes it: shot (12)."""


@dataclass(frozen=True)
class Numbered:
    """A picture's folder, what its name begins with, and its format, with its number."""

    series: tuple[Path, str, str]
    number: int


def numbered(place: Path) -> Numbered | None:
    """Return the number of a picture; None for other files, and where its name ends otherwise."""
    match = _NUMBERED.fullmatch(place.stem)
    if place.suffix.lower() not in PICTURES or not match or len(match[2]) > 18:
        return None
    suffix = place.suffix.lower()
    return Numbered((place.parent, match[1], _SAME.get(suffix, suffix)), int(match[2]))


def sequences(places: Iterable[Path]) -> Mapping[Path, list[Path]]:
    """Return the pictures of each sequence in their order, by its place.

    That is its folder, or if this holds several a file of the beginning of their names.
    """
    series: dict[tuple[Path, str, str], list[tuple[int, Path]]] = {}
    for place in places:
        if found := numbered(place):
            series.setdefault(found.series, []).append((found.number, place))
    longer = {key: sorted(of) for key, of in series.items() if len(of) >= FEWEST}
    folders = [folder for folder, _, _ in longer]
    return {
        folder if folders.count(folder) == 1 else folder / (prefix.strip(" _-.(") or suffix[1:]): [
            place for _, place in of
        ]
        for (folder, prefix, suffix), of in longer.items()
    }


def is_sequence(folder: Path) -> bool:
    """Return whether a folder on disk holds one sequence."""
    return folder.is_dir() and folder in sequences(folder.iterdir())
