"""Texts of single clips: beside them, in a folder for texts, or in their own."""

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from core.data.sources import RejectedFile
from videogen.data.sources.unread import PAGES
from videogen.files.limits import VideoLimits
from videogen.files.pictures import PICTURES
from videogen.files.reading import VIDEO
from videogen.files.text import decode
from videogen.files.tree import Entry, File, Tree, folded

TEXTS = (".txt", ".caption", ".text", ".prompt", ".cap")
"""Suffixes of the text of one clip."""
TEXT_FOLDERS = (
    *("labels", "captions", "prompts", "texts", "label", "caption", "prompt", "text", "txt"),
    *("descriptions", "description"),
)
"""Folders of such texts, beside clips or their folder."""
SUBTITLES = (".srt", ".vtt", ".ass", ".ssa", ".sbv", ".sub", ".lrc", ".ttml", ".smi")
PRINTS = (".pdf",)
"""Suffixes of files of words that are not read, whatever is in them."""
NO_CAPTIONS = (".license", ".licence")
"""Suffixes of files of words that are about a file, and not about what it shows."""
OF_FOLDER = ("caption", "prompt", "text", "description")
"""Names of the text of the only clip of a folder."""

HEAD_BYTES = 4096
"""Bytes of a file by which it is seen whether it is of words."""
_WORDS = re.compile(r"(?:[^\W\d_]|[\s,.;:!?'\"()\u2019-])+")
"""A text of words alone, and no data, addresses or marks of a program."""


def is_of_words(file: File, limits: VideoLimits) -> bool:
    """Return whether a file of any kind may hold a caption, as rex.srt and rex.tags do."""
    if file.suffix in (*SUBTITLES, *PAGES, *PRINTS):
        return True
    if file.suffix in (*VIDEO, *PICTURES, *NO_CAPTIONS):
        return False
    try:
        text = decode(file.read(limits, HEAD_BYTES)).strip()
    except RejectedFile:
        return False
    return bool(_WORDS.fullmatch(text)) and len(text.split()) > 1


class Texts:
    """The texts of a tree, by the clips that they describe."""

    def __init__(self, tree: Tree):
        self.tree = tree
        self._of_clips_in: dict[Path, list[Path]] = {}

    def beside(self, place: Path) -> Entry | None:
        """Return the text that is named after a file: rex.txt, or rex.mp4.txt, of rex.mp4."""
        stems = [place.name] if place.suffix.lower() not in (*VIDEO, *PICTURES) else []
        stems += [place.stem, place.name]
        return self._first([(place.parent, stem) for stem in stems])

    def of_video(self, place: Path, is_alone: bool) -> Entry | None:
        """Return the text of a file that does not lie beside it, or that of its folder.

        `is_alone`: no other clip lies in this.
        """
        own = [(place.parent, name) for name in OF_FOLDER if is_alone]
        return self._first([*own, *self._in_folders(place, place.stem)])

    def of_sequence(self, place: Path) -> Entry | None:
        """Return the text of a folder of pictures that lies in it, or in one for texts."""
        return self.inside(place) or self._first(self._in_folders(place, place.name))

    def inside(self, place: Path) -> Entry | None:
        """Return the text that lies in a folder of pictures."""
        return self._first([(place, name) for name in (place.name, *OF_FOLDER)])

    def facts(self, place: Path, stem: str, suffix: str) -> Entry | None:
        """Return the facts of a clip, beside it or in a folder for texts."""
        named = [(place.parent, name) for name in (stem, place.name)]
        return self._first([*named, *self._in_folders(place, stem)], (suffix,))

    def _in_folders(self, place: Path, stem: str) -> list[tuple[Path, str]]:
        """Return where a clip's text may lie in the folders for texts."""
        folder = place.parent
        if folder not in self._of_clips_in:
            named = (above / name for above in (folder, folder.parent) for name in TEXT_FOLDERS)
            self._of_clips_in[folder] = [one for one in named if folded(one) in self._folders]
        return [(texts, stem) for texts in self._of_clips_in[folder]]

    @cached_property
    def _folders(self) -> frozenset[str]:
        return frozenset(map(folded, self.tree.folders))

    def _first(
        self, stems: Sequence[tuple[Path, str]], suffixes: Sequence[str] = TEXTS
    ) -> Entry | None:
        """Return the first of the texts of these folders and names."""
        named = (folder / f"{stem}{suffix}" for suffix in suffixes for folder, stem in stems)
        return next((entry for text in named if (entry := self.tree.find(text))), None)
