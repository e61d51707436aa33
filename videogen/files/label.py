"""Labels of generated clips: their names, captions, and the line that says how to make them again.

The caption stands in the side text of a clip, where a preparation finds it; what made the clip, in
the tags of its files.
"""

from pathlib import Path
from typing import Any, NamedTuple

import av
from av.error import FFmpegError

from core.app.label import is_generated, name_of, origin, slug
from core.files import address


class Label(NamedTuple):
    """The name of a clip, its title, where it comes from, and its caption, if it has one."""

    name: str
    title: str
    origin: str
    caption: str | None = None

    @classmethod
    def of(cls, model: str, seed: int, caption: str, **settings: Any) -> "Label":
        """Name the clip of a seed and a caption; settings that are None or empty are left out.

        >>> Label.of("shapes", 7, "A dog  runs", frames=16).name
        'shapes-seed7-a-dog-runs'
        """
        text = " ".join(caption.encode(errors="replace").decode().split())
        name = name_of(model, seed, slug(text) or "clip")
        return cls(name, text, origin(model, seed=seed, **settings), text)

    @property
    def tags(self) -> dict[str, str]:
        """Return what a player shows of the clip."""
        return {"title": self.title, "artist": "pianoreel", "comment": self.origin}


def origin_of(path: Path) -> str:
    """Return the line that says how pianoreel generated a film; empty for any other file."""
    try:
        with av.open(address(path), metadata_errors="replace") as file:
            return origin_in(file)
    except (FFmpegError, OSError):
        return ""


def origin_in(file: Any) -> str:
    """Return the line that says how pianoreel generated an open film; empty for any other."""
    tags = {key.lower(): value for key, value in file.metadata.items()}
    comment = tags.get("comment", "")
    return comment if is_generated(comment) else ""
