"""The search for clips below one start."""

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from core.data.sources import RejectedFile, real_path
from videogen.data.manifest import Row
from videogen.data.sources.captioned import Captioned, CaptionSource
from videogen.data.sources.captions import Captions
from videogen.data.sources.clips import Clips, name_of
from videogen.data.sources.manifests import Manifests
from videogen.files.limits import VideoLimits
from videogen.files.tree import Entry, tree_of


class Search:
    """The clips below one start, and which of its files are used.

    `given`: of a table that is no start, the clips whose captions are looked up in it.
    """

    def __init__(
        self,
        start: Path,
        captions: CaptionSource,
        limits: VideoLimits,
        given: Collection[Path] | None = None,
    ):
        self.given = given
        self.tree = tree_of(start, limits)
        self.places = Clips(start, self.tree)
        self.manifests = Manifests(self.places, given, limits)
        self.captions = Captions(self.places, self.manifests, captions, limits)
        self._used: set[Path] = set()
        if captions in ("auto", "manifest"):
            self.manifests.read()
        if captions == "auto" and not self.manifests.rows:
            self.manifests.require_paired()
        if captions == "auto" and given is None:
            self.captions.require_beside()

    @property
    def texts(self) -> set[Path]:
        """Return the places of the files in which captions were, other than tables."""
        return self.manifests.texts | self.captions.texts

    @property
    def used(self) -> set[Path]:
        """Return the places of the files of clips, and of all that captions come from."""
        return self._used | self.manifests.used | self.texts

    def clips(self, named: Collection[Path]) -> list[Captioned]:
        """Return the clips of the rows of manifests, then all others that none has `named`."""
        rows = self.manifests.rows
        clips = [self._of_row(table, row) for table in sorted(rows) for row in rows[table]]
        if self.given is not None:
            return clips
        others = (place for place in self.places if place not in rows)
        return clips + [self._captioned(one) for one in others if real_path(one) not in named]

    def passed_over(self, used: Collection[Path]) -> Counter[str]:
        """Count the files that are no part of any clip, as the `used` ones are, by suffix."""
        if self.given is not None:
            return Counter()
        given = filter(self.places.is_given, self.tree.entries)
        return Counter(place.suffix.lower() or "no suffix" for place in given if place not in used)

    def _of_row(self, table: Path, row: Row) -> Captioned:
        if row.path is None or row.fault:
            return self._rejected(table, row)
        entries = self._entries(row.path)
        return Captioned(
            name_of(row.path, entries),
            _state(entries),
            row.caption,
            "manifest",
            files=tuple(entry.file for entry in entries),
            excerpt=row.excerpt,
            is_cut=row.is_cut,
            other_name=row.other_name,
        )

    def _rejected(self, table: Path, row: Row) -> Captioned:
        reason, detail = row.fault or ("row", "")
        of = f", {row.path.name}" if row.path else ""
        self._used |= {row.path} if row.path else set()
        name = f"{self.tree.entries[table].file}, row {row.number}"
        return Captioned(name, "", fault=(reason, f"row {row.number}{of}: {detail}"))

    def _captioned(self, place: Path) -> Captioned:
        """Return a clip that no manifest names, with its caption."""
        entry = self.tree.find(place)
        if entry and entry.fault:
            self._used.add(place)
            return Captioned(str(entry.file), "", fault=entry.fault)
        entries = self._entries(place)
        name, state = name_of(place, entries), _state(entries)
        try:
            caption, origin = self.captions.of(place)
        except RejectedFile as error:
            return Captioned(name, state, fault=(error.reason, error.detail))
        files = tuple(entry.file for entry in entries)
        return Captioned(name, state, caption, origin, files=files)

    def _entries(self, place: Path) -> list[Entry]:
        """Return the files of a clip, which are used with it."""
        entries = self.places.entries(place)
        self._used.update(entry.file.place for entry in entries)
        return entries


def _state(entries: Sequence[Entry]) -> str:
    """Return the state of a clip of these files."""
    states = "\n".join(entry.state for entry in entries)
    return states if len(entries) == 1 else hashlib.sha256(states.encode()).hexdigest()
