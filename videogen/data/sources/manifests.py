"""Manifests below a start: every table that names clips is one, or stops.

Otherwise the names of files would stand in for the captions that it holds. A table that is not
understood is left where those that are name its clips: captions.xlsx beside the CSV made of it.
"""

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from pathlib import Path

from core.app.report import REPORT_FILE, is_report
from core.data.preparation import SETTINGS_FILE
from core.data.sources import GZIP_SUFFIX, is_source, real_path, stem_of_file
from core.data.store import SHARD_INDEX
from core.errors import UserError
from core.wording import counted
from videogen.data.cells import Faulty, NotUnderstood
from videogen.data.manifest import Row, read_manifest
from videogen.data.sources.clips import Clips
from videogen.data.sources.contents import in_any_encoding
from videogen.data.sources.facts import FACTS, are_of_one
from videogen.data.sources.texts import TEXTS
from videogen.data.sources.ties import tie
from videogen.data.sources.unread import DOCUMENTS, OTHER_TABLES
from videogen.data.tables import (
    CAPTION_LISTS,
    LISTS,
    TABLES,
    TEXT_TABLES,
    captions_beside,
    is_list,
)
from videogen.files.limits import VideoLimits
from videogen.files.tree import File

EXPECTED = (".txt", ".caption")
"""Suffixes of texts that are tables if they are given themselves."""
OWN_REPORT = "rejects.jsonl"
"""A file beside a prepared collection that names clips and is no table of captions."""
OTHER_CAPTIONS = "choose other captions: --captions text, folder or name"
"""Words of the cure where a table cannot be used."""
KINDS = (*TABLES, *TEXT_TABLES)
"""Suffixes of files that are read as tables, if they are such."""
PACKED = tuple({*KINDS, *TEXTS} - {""})
"""Suffixes of files that gzip may have packed."""
_NAMES_OF_LISTS = {Path(name).stem for name in CAPTION_LISTS}


class Manifests:
    """Manifests by the places of their tables.

    `given`: of a table that is no start itself, the clips whose captions are looked up in it.
    `used`: the tables, and the lists of captions beside them, which are `texts`, too.
    """

    def __init__(self, clips: Clips, given: Collection[Path] | None, limits: VideoLimits):
        self.clips, self.given, self.limits = clips, given, limits
        self.rows: dict[Path, list[Row]] = {}
        self.used: set[Path] = set()
        self.texts: set[Path] = set()
        self._seen: set[Path] = set()

    def read(self) -> None:
        """Read all tables; raise `UserError` for one that names clips and is no manifest."""
        left: list[tuple[File, str]] = []
        for table in self._tables():
            if why := _unread(table):
                left.append((table, why))
            elif table.suffix in KINDS or is_list(table.place):
                left += [(table, why)] if (why := self._read(table)) else []
        for table, why in left:
            self._require_no_tie(table, why, self.named)
        if self.given is not None:
            self.rows = _of_clips(self.rows, self.given)

    def require_paired(self) -> None:
        """Raise `UserError` for a list of captions that says of no clip which is its own."""
        for place, entry in self.clips.tree.entries.items():
            is_table = entry.file.suffix in KINDS or _is_packed(entry.file)
            if not (is_table and stem_of_file(place).lower() in _NAMES_OF_LISTS):
                continue
            below = [clip for clip in self.clips.places if place.parent in clip.parents]
            count = len(in_any_encoding(entry.file, self.limits).strip().splitlines())
            is_given = self.clips.is_given(place)
            if is_given and count and below and not any(map(self.clips.text, below)):
                lines, of = counted(count, "line"), counted(len(below), "clip")
                raise UserError(
                    f"{entry.file} has {lines} for {of}, but nothing says which is whose: write "
                    f"{LISTS[0]} beside it, with the path of a clip in each line, "
                    f"or {OTHER_CAPTIONS}"
                )

    def above(self, place: Path) -> list[Path]:
        """Return the manifests of the innermost folder around a place that has some.

        A folder has those that lie in it, and those that name clips in it.
        """
        return next((self._in[folder] for folder in place.parents if folder in self._in), [])

    @cached_property
    def _in(self) -> Mapping[Path, list[Path]]:
        folders: dict[Path, list[Path]] = {}
        for place, rows in self.rows.items():
            named = {row.path.parent for row in rows if row.path}
            for folder in named | {place.parent}:
                folders.setdefault(folder, []).append(place)
        return folders

    @property
    def named(self) -> set[Path]:
        """Return the places that rows name, without links."""
        return {real_path(row.path) for rows in self.rows.values() for row in rows if row.path}

    def _tables(self) -> Iterator[File]:
        """Yield the files that can be tables: no texts or facts of single clips, no reports."""
        tree = self.clips.tree
        clips = {place.with_suffix("") for place in self.clips.places}
        for place, entry in tree.entries.items():
            is_candidate = self.clips.is_given(place) and not self._is_report(entry.file)
            is_beside = place.with_suffix("") in clips | self.clips.places
            if is_candidate and not (is_beside and self._is_of_one(entry.file)):
                yield entry.file

    def _is_report(self, file: File) -> bool:
        """Return whether we wrote a file: of a collection, a shard of it, or an evaluation."""
        place = file.place
        if place.name == OWN_REPORT:
            return True
        if place.name == REPORT_FILE:
            return is_report(in_any_encoding(file, self.limits))
        folder = place.parent.parent if place.name == SHARD_INDEX else place.parent
        return self.clips.tree.find(folder / SETTINGS_FILE) is not None

    def _is_of_one(self, file: File) -> bool:
        """Return whether a file beside a clip of its name is about this alone."""
        if file.suffix == FACTS:
            return are_of_one(file, self.clips.tree, self.limits)
        return file.suffix in TEXTS

    def _read(self, table: File) -> str:
        """Read a table; of one and a link to it, one. Return why it is not understood."""
        real = real_path(table.place)
        if real in self._seen:
            return ""
        self._seen.add(real)
        tree = self.clips.tree
        try:
            self.rows[table.place] = read_manifest(table, self.limits, tree)
        except NotUnderstood as error:
            return self._refuse(table, error)
        captions = captions_beside(table, tree) if is_list(table.place) else None
        self.texts |= {captions.place} if captions else set()
        self.used |= {table.place, *self.texts}
        return ""

    def _refuse(self, table: File, error: NotUnderstood) -> str:
        """Raise `UserError` for a manifest with a fault; return why another table is none.

        A text is a table only if it is called so, or is a manifest with a fault.
        """
        is_text = table.suffix in TEXT_TABLES and not is_list(table.place)
        if isinstance(error, Faulty):
            self._require_no_tie(table, str(error))
        elif is_text and table.suffix in EXPECTED:
            self._require_not_given(table, str(error))
        return "" if is_text else str(error)

    def _require_not_given(self, table: File, why: str) -> None:
        if table.place == self.clips.start and self.given is None:
            raise UserError(f"{table} is not a manifest: {why}")

    def _require_no_tie(self, table: File, why: str, named: Collection[Path] = ()) -> None:
        """Raise `UserError` for a table that was given itself, or is tied to a clip.

        Clips that are `named` by other tables have their captions from these.
        """
        self._require_not_given(table, why)
        around = self.clips.tree.entries
        clips = [one for one in self.given or self.clips.places if real_path(one) not in named]
        beside = (place for place in around if place.parent == table.place.parent)
        if how := tie(table, clips, beside, self.limits):
            raise UserError(
                f"{table} {how}, but is not understood: {why}. Mend it, or {OTHER_CAPTIONS}"
            )


def _unread(file: File) -> str:
    """Return why a file that can be a table is not read, empty if it is, or can be none."""
    if file.suffix in DOCUMENTS:
        return f"write its captions into clips.csv: {file.suffix} is not read"
    if file.suffix in OTHER_TABLES:
        return f"save it as CSV: {file.suffix} is not read"
    return f"unpack it: {GZIP_SUFFIX} is not read" * _is_packed(file)


def _is_packed(file: File) -> bool:
    """Return whether gzip has packed a table or a text: clips.csv.gz."""
    return file.suffix == GZIP_SUFFIX and is_source(file.place.name, PACKED)


def _of_clips(tables: Mapping[Path, list[Row]], clips: Collection[Path]) -> dict[Path, list[Row]]:
    """Return the rows that name one of the clips, of the tables that have such rows."""
    of = {
        place: [row for row in rows if row.path and real_path(row.path) in clips]
        for place, rows in tables.items()
    }
    return {place: rows for place, rows in of.items() if rows}
