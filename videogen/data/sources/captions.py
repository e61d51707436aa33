"""Captions of the clips that no manifest names: from texts, facts, folders and names."""

import re
from pathlib import Path

from core.data.sources import RejectedFile
from core.errors import UserError
from videogen.data.manifest import caption_of
from videogen.data.sources.captioned import CaptionSource, Origin
from videogen.data.sources.clips import Clips
from videogen.data.sources.facts import CLASS, FACTS, caption_in
from videogen.data.sources.manifests import OTHER_CAPTIONS, Manifests
from videogen.data.sources.texts import TEXT_FOLDERS, TEXTS
from videogen.files.archives import ARCHIVES
from videogen.files.limits import VideoLimits
from videogen.files.text import decode
from videogen.files.tree import Entry, File, folded

_ENDING = re.compile(rf"[ ._-]+\(?(?:{'|'.join(TEXT_FOLDERS)})\)?$")
"""Words after the name of a clip: rex_caption.txt, rex.prompt.txt."""


class Captions:
    """Captions of clips; `texts`: the places of the files in which they were."""

    def __init__(
        self, clips: Clips, manifests: Manifests, source: CaptionSource, limits: VideoLimits
    ):
        self.clips, self.manifests, self.source, self.limits = clips, manifests, source, limits
        self.texts: set[Path] = set()

    def require_beside(self) -> None:
        """Raise `UserError` for a text that is named after a clip and lies where none is read.

        The name of the folder or of the file would stand in for the caption in it.
        """
        of: dict[str, list[Path]] = {}
        for place in self.clips.places:
            of.setdefault(folded(Path(self.clips.stem(place))), []).append(place)
        for place, entry in self.clips.tree.entries.items():
            if place.suffix.lower() not in TEXTS or not self.clips.is_given(place):
                continue
            stem = folded(Path(place.stem))
            named = of.get(stem) or of.get(_ENDING.sub("", stem)) or []
            texts = [self.clips.text(clip) for clip in named]
            bare = [clip for clip, text in zip(named, texts, strict=True) if not text]
            bare = [one for one in bare if not (self._facts(one) or self.manifests.above(one))]
            if bare and entry not in texts:
                own = f"{self.clips.stem(bare[0])}{TEXTS[0]}"
                raise UserError(
                    f"{entry.file} seems to be the caption of {bare[0].name}, and is not read: "
                    f"name it {own}, beside the clip or in a folder {TEXT_FOLDERS[1]}, or "
                    f"{OTHER_CAPTIONS}"
                )

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
            folder = place.absolute().parent
            is_archive = folder.suffix.lower() in ARCHIVES
            return _as_words(folder.stem if is_archive else folder.name), "folder"
        return _as_words(self.clips.stem(place)), "name"

    def _is_in_folder(self, place: Path) -> bool:
        """Return whether a clip lies in a folder below the start."""
        return self.clips.start not in (place, place.parent)

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
        """Return the facts of a clip, rex.json or rex.mp4.json of rex.mp4, if there are any."""
        names = (self.clips.stem(place), place.name)
        found = (self.clips.tree.find(place.parent / f"{name}{FACTS}") for name in names)
        return next((entry for entry in found if entry), None)

    def _read(self, file: File) -> str:
        self.texts.add(file.place)
        try:
            return decode(file.read(self.limits, 16 * self.limits.caption_characters))
        except RejectedFile as error:
            reason = "no-caption" if error.reason == "unreadable" else "caption"
            raise RejectedFile(reason, f"{file.place.name}: {error.detail}") from error


def _as_words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")
