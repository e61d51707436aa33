"""Ties of tables to clips: a table that is not understood, and names a clip, holds its caption.

A table may write the names of its clips in many ways; each way is a sign, the surest first.
"""

import re
from collections.abc import Callable, Collection, Iterable
from functools import cached_property
from itertools import islice
from pathlib import Path

from core.data.sources import GZIP_SUFFIX
from videogen.data.cells import NotUnderstood
from videogen.data.sources.contents import contents, in_any_encoding, unescaped
from videogen.data.sources.texts import TEXTS
from videogen.data.sources.unread import DOCUMENTS, IN_BYTES
from videogen.files.limits import VideoLimits
from videogen.files.reading import VIDEO
from videogen.files.tree import File, folded

SHORT_NUMBER = 4
"""Digits of numbers that are no ids of clips where a table contains them."""
SHARE, SHARE_OF_WORDS, FEW_WORDS = 0.25, 0.5, 2
"""Least share of clips whose ids, or whose names without digits, a table contains that is about
them, and least number of such names."""
SOUGHT = 1000
"""Most names of clips that are looked for in each place of a table."""

_ID = re.compile(rf"(?=.*\d)(?![1-9]\d{{0,{SHORT_NUMBER - 1}}}$|0$).+")
"""A name that is no word: it has digits, and is not a short number without zeros before it."""
_ID_OF_CUT = re.compile(r"_\d+(_\d+)?$")
"""The times in the name of a clip that was cut out of a film."""
_SAYS_CAPTION = re.compile(r"\b(?:caption|prompt|description|text)s?\b")
_CELL = re.compile(r"[^\n\r\t,;|\"':/\\<>]+")


def tie(table: File, clips: Collection[Path], beside: Iterable[Path], limits: VideoLimits) -> str:
    """Return what ties a table to a clip, as a part of a sentence; empty if nothing does.

    It names one of the clips, or it cannot be read and one is among the files `beside` it.
    """
    neighbour = ""
    try:
        text = contents(table, limits)
    except NotUnderstood:
        text = in_any_encoding(table, limits)
        names = {folded(Path(clip.name)) for clip in clips}
        neighbour = next((p.name for p in beside if folded(Path(p.name)) in names), "")
    if named := _Mentions(table, text, clips).clips():
        return f"names {min(named)}"
    return f"lies beside {neighbour}" if neighbour else ""


class _Mentions:
    """The clips that the text of a table mentions, by their names."""

    def __init__(self, table: File, text: str, clips: Collection[Path]):
        self.table, self.places = table, clips
        self.text = folded(Path(unescaped(text)))
        self.cells = {cell.strip() for cell in _CELL.findall(self.text)}
        self.names = {folded(Path(clip.name)): clip.name for clip in clips}
        self.stems = {Path(name).stem: Path(of).stem for name, of in self.names.items()}

    def clips(self) -> set[str]:
        """Return the names of the clips for which there is the surest sign."""
        signs: list[Callable[[], set[str]]] = [
            self._in_cells,
            self._anywhere,
            self._with_other_suffixes,
            self._ids,
            self._words,
            self._namesake,
        ]
        return next((found for sign in signs if (found := sign())), set())

    def _in_cells(self) -> set[str]:
        return {of for name, of in self.names.items() if name in self.cells}

    def _anywhere(self) -> set[str]:
        """Return the names that stand in the text, and are no ends of longer ones in words."""
        sought = islice(self.names.items(), SOUGHT)
        found = [(name, of) for name, of in sought if name in self.text]
        if self.table.suffix in IN_BYTES:
            return {of for _, of in found}
        return {of for name, of in found if _is_whole(name, self.text)}

    def _with_other_suffixes(self) -> set[str]:
        """Return the clips of the names of videos, such as rex.mp4 of rex.avi."""
        videos = (Path(cell).stem for cell in self.cells if Path(cell).suffix in VIDEO)
        return {found for stem in videos if (found := self.stems.get(stem))}

    @cached_property
    def _without_suffixes(self) -> set[str]:
        """Return the names that are cells, without suffixes, or without the times of a cut."""
        return {
            of
            for stem, of in self.stems.items()
            if not self.cells.isdisjoint((stem, _ID_OF_CUT.sub("", stem)))
        }

    def _ids(self) -> set[str]:
        ids = {name for name in self._without_suffixes if _ID.match(name)}
        return ids if len(ids) >= SHARE * len(self.stems) else set()

    def _words(self) -> set[str]:
        fewest = max(FEW_WORDS, SHARE_OF_WORDS * len(self.stems))
        return self._without_suffixes if len(self._without_suffixes) >= fewest else set()

    def _namesake(self) -> set[str]:
        """Return the clip of a table's own place: of rex.csv with captions, or of rex.txt.gz."""
        own = self.table.place
        own = own.with_suffix("") if self.table.suffix == GZIP_SUFFIX else own
        if own.suffix.lower() not in (*TEXTS, *DOCUMENTS) and not _SAYS_CAPTION.search(self.text):
            return set()
        stem = own.with_suffix("")
        return {clip.name for clip in self.places if stem in (clip, clip.with_suffix(""))}


def _is_whole(name: str, text: str) -> bool:
    """Return whether a name in a text is no end of a longer one."""
    return bool(re.search(rf"(?<![\w-]){re.escape(name)}", text))
