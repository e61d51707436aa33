"""Captions of the clips that no manifest names: from texts, facts, folders and names."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from core.data.sources import RejectedFile
from core.errors import UserError
from videogen.data.manifest import caption_of
from videogen.data.sources.captioned import CaptionSource, Origin
from videogen.data.sources.clips import Clips
from videogen.data.sources.facts import CLASS, FACTS, caption_in
from videogen.data.sources.manifests import OTHER_CAPTIONS, Manifests
from videogen.data.sources.texts import TEXT_FOLDERS, TEXTS, is_of_words
from videogen.data.sources.unread import OTHER_TABLES, PAGES
from videogen.data.tables import TABLES
from videogen.files.archives import ARCHIVES
from videogen.files.limits import VideoLimits
from videogen.files.text import decode
from videogen.files.tree import Entry, File, folded

_ENDING = re.compile(rf"[ ._-]+\(?(?:{'|'.join(TEXT_FOLDERS)})\)?$")
"""Words after the name of a clip: rex_caption.txt, rex.prompt.txt."""
_REPEATED = re.compile(r"\d+_(.*[^\W\d_].*)")
"""A folder of a class after how often its clips count, as kohya's trainers have it: 10_dog."""
FIRST = 3
"""Files of a kind that are looked into: the others are like them."""
UNLIKE = {*TABLES, *OTHER_TABLES, *ARCHIVES} - {FACTS, *PAGES}
"""Suffixes of files that are no text of one clip: tables are read or refused before."""


class Captions:
    """Captions of clips; `texts`: the places of the files in which they were."""

    def __init__(
        self, clips: Clips, manifests: Manifests, source: CaptionSource, limits: VideoLimits
    ):
        self.clips, self.manifests, self.source, self.limits = clips, manifests, source, limits
        self.texts: set[Path] = set()

    def require_beside(self) -> None:
        """Raise `UserError` for a text that is named after a clip and is not read.

        It lies where none is read, or is of another kind, as rex.srt and rex.pdf are: the name of
        the folder or of the file would stand in for the caption in it.
        """
        of: dict[str, list[Path]] = {}
        for place in self.clips.places:
            of.setdefault(folded(Path(self.clips.stem(place))), []).append(place)
        seen: Counter[str] = Counter()
        for place, entry in self.clips.tree.entries.items():
            if not self.clips.is_given(place) or place in self.clips.places:
                continue
            named = _named(place, of)
            bare = [clip for clip in named if self._is_bare(clip)]
            texts = (self.clips.text(clip) for clip in named)
            if bare and entry not in texts and self._is_caption(entry.file, seen):
                how = "name it" if entry.file.suffix in (*TEXTS, FACTS) else "write its text into"
                suffix = FACTS if entry.file.suffix == FACTS else TEXTS[0]
                raise UserError(
                    f"{entry.file} seems to be the caption of {bare[0].name}, and is not read: "
                    f"{how} {self.clips.stem(bare[0])}{suffix}, beside the clip or in a folder "
                    f"{TEXT_FOLDERS[1]}, or {OTHER_CAPTIONS}"
                )

    def _is_bare(self, place: Path) -> bool:
        """Return whether nothing but its name and folder says what a clip shows."""
        return not (self.clips.text(place) or self._facts(place) or self.manifests.above(place))

    def _is_caption(self, file: File, seen: Counter[str]) -> bool:
        """Return whether a file may hold a caption; of each other kind the first `FIRST` say."""
        seen[file.suffix] += 1
        if file.suffix in TEXTS:
            return True
        if seen[file.suffix] > FIRST or file.suffix in UNLIKE:
            return False
        if file.suffix == FACTS:
            return self._says_caption(file)
        return is_of_words(file, self.limits)

    def _says_caption(self, file: File) -> bool:
        """Return whether facts hold a caption."""
        with suppress(RejectedFile):
            return bool(caption_in(file, self.limits))
        return False

    def of(self, place: Path) -> tuple[str, Origin]:
        """Return the caption of a clip and where it comes from.

        Raises `RejectedFile` where there is none, or it is no valid caption.
        """
        tables = self.manifests.above(place)
        if tables or self.source == "manifest":
            names = ", ".join(table.name for table in tables) or "a manifest"
            raise RejectedFile("no-caption", f"no valid row of {names} names it")
        caption, origin = self._found(place)
        return caption_of(caption, self.limits), origin

    def _found(self, place: Path) -> tuple[str, Origin]:
        if self.source in ("auto", "text"):
            text = self._in_text(place)
            text = self._in_facts(place) if text is None else text
            if text is not None:
                return text, "text"
        if self.source == "text":
            raise RejectedFile("no-caption", f"there is no {place.stem}{TEXTS[0]} beside it")
        if self.source == "folder" or (self.source == "auto" and self._is_in_folder(place)):
            name = _name_of(place.absolute().parent)
            return _as_words(self._classes.get(name, name)), "folder"
        return _as_words(self.clips.stem(place)), "name"

    def _is_in_folder(self, place: Path) -> bool:
        """Return whether a clip lies in a folder below the start."""
        return self.clips.start not in (place, place.parent)

    @cached_property
    def _classes(self) -> Mapping[str, str]:
        """Return the classes of numbered folders, if all are and differ without their numbers."""
        below = (one.absolute().parent for one in self.clips.places if self._is_in_folder(one))
        names = {_name_of(folder) for folder in below}
        classes = {name: match[1] for name in names if (match := _REPEATED.fullmatch(name))}
        return classes if len({*classes.values()}) == len(names) else {}

    def _in_text(self, place: Path) -> str | None:
        """Return the text of a clip, None if it has no text."""
        text = self.clips.text(place)
        return self._read(text.file) if text else None

    def _in_facts(self, place: Path) -> str | None:
        """Return the caption in the facts of a clip, else its class; None if there is neither."""
        facts = self._facts(place)
        classes = self.clips.tree.find(place.parent / f"{self.clips.stem(place)}{CLASS}")
        caption = caption_in(facts.file, self.limits) if facts else None
        if not caption and classes:
            return self._read(classes.file) or None
        if facts and caption == "":
            raise RejectedFile("no-caption", f"the caption in {facts.file.place.name} is empty")
        if facts and caption:
            self.texts.add(facts.file.place)
        return caption

    def _facts(self, place: Path) -> Entry | None:
        """Return the facts of a clip: rex.json, rex.mp4.json or captions/rex.json of rex.mp4."""
        return self.clips.texts.facts(place, self.clips.stem(place), FACTS)

    def _read(self, file: File) -> str:
        self.texts.add(file.place)
        try:
            return decode(file.read(self.limits, 16 * self.limits.caption_characters))
        except RejectedFile as error:
            reason = "no-caption" if error.reason == "unreadable" else "caption"
            raise RejectedFile(reason, f"{file.place.name}: {error.detail}") from error


def _named(place: Path, of: Mapping[str, Sequence[Path]]) -> Sequence[Path]:
    """Return the clips after which a file is named: rex.txt, rex_caption.txt, rex.en.srt.

    `of`: the clips by their names. Those in its folder go before others.
    """
    stem = folded(Path(place.stem))
    named = of.get(stem) or of.get(_ENDING.sub("", stem)) or of.get(Path(stem).stem) or ()
    return [clip for clip in named if clip.parent == place.parent] or named


def _name_of(folder: Path) -> str:
    """Return the name of a folder, of an archive without its suffix."""
    return folder.stem if folder.suffix.lower() in ARCHIVES else folder.name


def _as_words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")
