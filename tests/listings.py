"""Folders of files for tests, and the clips that are found in them."""

from pathlib import Path

from videogen.data.sources.captioned import CaptionSource, Listing
from videogen.data.sources.listing import listing


def clips(folder: Path, captions: CaptionSource = "auto") -> dict[str, tuple[str, str | None]]:
    """By each clip's name: its caption, or the reason against it, and its origin."""
    return of(listing([str(folder)], captions), folder)


def of(found: Listing, folder: Path) -> dict[str, tuple[str, str | None]]:
    return {
        clip.name.removeprefix(f"{folder}/"): (
            clip.fault[0] if clip.fault else clip.caption,
            clip.origin,
        )
        for clip in found.clips
    }


def write(folder: Path, **files: str) -> Path:
    """Files with their text; `__` stands for a slash and `_dot_` for a dot."""
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def read_rows(folder: Path) -> list[tuple[str, str, tuple[float, float] | None]]:
    found = listing([str(folder)]).clips
    assert not [clip.fault for clip in found if clip.fault]
    return [(Path(clip.name).name, clip.caption, clip.excerpt) for clip in found]
