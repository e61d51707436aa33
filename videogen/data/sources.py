"""Find video files and their captions.

clips.csv, clips.jsonl ...  the rows of a manifest, the only captions of its folder
rex.mp4  rex.txt            a text file of the same name, or the caption in rex.json
videos/1.mp4  labels/1.txt  the same in a folder for texts (CogVideoX)
rex/1.mp4  rex/caption.txt  the text of the only clip of a folder
dogs/rex.mp4                the name of the folder, a class
a_dog_runs.mp4              the file's own name

A folder of numbered pictures is a clip as a file is, and an archive is as a folder. Of clips that
pianoreel generated, which it writes in several formats, one is found.
"""

import gzip
import hashlib
import html
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

from core.data.preparation import SETTINGS_FILE, counted
from core.data.sources import (
    GZIP_SUFFIX,
    UNREADABLE,
    RejectedFile,
    expand_patterns,
    is_source,
    real_path,
)
from core.errors import UserError
from videogen.data.cells import Faulty, NotUnderstood
from videogen.data.manifest import CUT, Row, caption_of, read_manifest
from videogen.data.tables import (
    CAPTION_LISTS,
    CAPTIONS,
    LISTS,
    PATHS,
    TABLES,
    TEXT_TABLES,
    captions_beside,
    columns,
    is_list,
    read_text,
)
from videogen.files.archives import ARCHIVES, archive_in
from videogen.files.clock import Excerpt
from videogen.files.label import origin_of
from videogen.files.limits import VideoLimits
from videogen.files.pictures import PICTURES, sequences
from videogen.files.reading import VIDEO
from videogen.files.text import decode
from videogen.files.tree import Entry, File, folded, tree_of

Origin = Literal["manifest", "text", "folder", "name"]
CaptionSource = Literal["auto", "manifest", "text", "folder", "name"]
"""auto: the first of the others, in this order, that exists for a file."""

TEXTS = (".txt", ".caption", ".text", ".prompt", ".cap")
"""Suffixes of the text of one clip."""
EXPECTED = (".txt", ".caption")
"""Suffixes of texts that are tables if they are given themselves."""
TEXT_FOLDERS = (
    *("labels", "captions", "prompts", "texts", "label", "caption", "prompt", "text", "txt"),
    *("descriptions", "description"),
)
"""Folders of such texts, beside clips or their folder."""
OF_FOLDER = ("caption", "prompt", "text", "description")
"""Names of the text of the only clip of a folder."""
FACTS = ".json"
"""Suffix of an object of facts about one clip, as the shards of WebDataset have it."""
CLASS = ".cls"
"""Suffix of the class of one clip, in such shards."""
IN_FACTS = tuple(name for name in CAPTIONS if name not in ("name", "action", "class"))
"""Names of the caption in such an object."""
SHORT_NUMBER = 4
"""Digits of numbers that are no ids of clips where a table contains them."""
SHARE, SHARE_OF_WORDS, FEW_WORDS = 0.25, 0.5, 2
"""Least share of clips whose ids, or whose names without digits, a table contains that is about
them, and least number of such names."""
SOUGHT = 1000
"""Most names of clips that are looked for in each place of a table."""

NAMES_OF_LISTS = {Path(name).stem for name in CAPTION_LISTS}
"""Names, without suffixes, of lists of captions."""
OWN_REPORT = "rejects.jsonl"
"""A file beside a prepared collection that names clips and is no table of captions."""

WORKBOOKS = (".xlsx", ".ods")
"""Suffixes of zips with the sheets of a spreadsheet as XML (ECMA-376, OpenDocument)."""
PACKED = (".parquet", ".feather", ".arrow", ".numbers")
"""Suffixes of tables whose letters are not in their bytes."""
IN_BYTES = (".xls", ".pkl", ".pickle", ".db", ".sqlite", ".sqlite3")
"""Suffixes of tables with names as they are among other bytes."""
OTHER_TABLES = (
    *(".yaml", ".yml", ".xml", ".toml", ".ini", ".json5"),
    *(*WORKBOOKS, *PACKED, *IN_BYTES),
)
"""Suffixes of files that can be tables, and are not read."""
_CURES = {
    "save tables as CSV: {} is not read": (
        ".xlsx .xls .ods .numbers .parquet .feather .arrow .yaml .yml .xml"
    ),
    "unpack archives, or pack a zip or a tar: {} is not read": ".gz .tgz .7z .rar",
    "write captions into rex.txt beside rex.mp4: {} is not read": ".srt .vtt .ass .sbv",
    "save pictures as PNG or JPEG: {} is not read": (
        ".jxl .jp2 .ppm .pgm .tga .exr .hdr .psd .dng .cr2 .nef .arw .svg"
    ),
    "convert videos to mp4 (H.264): {} is not read": (
        ".h264 .264 .hevc .265 .mjpeg .mjpg .ivf .rm .rmvb .braw .r3d .swf"
    ),
}
NOT_READ = {kind: cure for cure, kinds in _CURES.items() for kind in kinds.split()}
"""Advice on files of these suffixes."""

_ID = re.compile(rf"(?=.*\d)(?![1-9]\d{{0,{SHORT_NUMBER - 1}}}$|0$).+")
"""A name that is no word: it has digits, and is not a short number without zeros before it."""
_OF_YOUTUBE = re.compile(r"(?=.*[a-z])(?=.*[A-Z\d])[\w-]{11}")
"""The id of a film: no word."""
_SAYS_CAPTION = re.compile(r"\b(?:caption|prompt|description|text)s?\b")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_ID_OF_CUT = re.compile(r"_\d+(_\d+)?$")
"""The times in the name of a clip that was cut out of a film."""
_CELL = re.compile(r"[^\n\r\t,;|\"':/\\<>]+")


@dataclass(frozen=True)
class Captioned:
    """A clip with its caption, or with `fault`, the reason why it is rejected.

    `files`: a video file, or the pictures of a sequence. `state` changes when they do. `excerpt`:
    the part that the caption describes, if not the whole. `is_cut`, `other_name`: see `Row`.
    """

    name: str
    state: str
    caption: str = ""
    origin: Origin | None = None
    fault: tuple[str, str] | None = None
    files: tuple[File, ...] = ()
    excerpt: Excerpt | None = None
    is_cut: bool = False
    other_name: str = ""

    @property
    def film(self) -> tuple[str, float]:
        """Return the name of the film of which it is a part, and the second at which it begins.

        >>> Captioned("clips/Ab1dEf2hIj3_5_15.avi", "").film
        ('clips/Ab1dEf2hIj3.avi', 5.0)
        """
        place, begin = Path(self.name), self.excerpt[0] if self.excerpt else 0.0
        cut = CUT.fullmatch(place.stem)
        if not cut or not (self.is_cut or _OF_YOUTUBE.fullmatch(cut["id"])):
            return self.name, begin
        times = float(cut["begin"]), float(cut["end"])
        film = str(place.with_name(cut["id"] + place.suffix))
        return film, begin if self.excerpt == times else times[0] + begin


@dataclass
class Listing:
    """The clips found; `passed_over` counts files of other kinds by suffix."""

    clips: list[Captioned] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)

    @property
    def sha256(self) -> str:
        """Return a digest of the names, states and captions."""
        digest = hashlib.sha256()
        for clip in self.clips:
            facts = (clip.name, clip.state, clip.caption, clip.origin, clip.fault)
            facts += (clip.excerpt,) * bool(clip.excerpt)
            facts += (True,) * clip.is_cut
            digest.update(repr(facts).encode(errors="surrogateescape"))
        return digest.hexdigest()


def listing(
    patterns: Sequence[str], captions: CaptionSource = "auto", limits: VideoLimits = VideoLimits()
) -> Listing:
    """Find all videos in folders, files, patterns and manifests, in a fixed order.

    Raises `UserError` for a pattern without a match, if there is no video at all, and for a table
    that names clips but is not understood.
    """
    starts = expand_patterns(patterns)
    for start in starts:
        if (suffix := start.suffix.lower()) in NOT_READ and not start.is_dir():
            raise UserError(f"{start}: {NOT_READ[suffix].format(suffix)}")
    searches = [_Search(start, captions, limits) for start in starts]
    given = {real_path(start) for start in starts if not start.is_dir()}
    searches += [_Search(table, captions, limits, given) for table in _tables_beside(starts)]
    found, names = _found(searches), ", ".join(patterns)
    if captions == "manifest" and not any(search.rows for search in searches):
        raise UserError(
            f"no manifest in {names}: add a CSV or JSONL with columns path and caption"
        )
    if not found.clips:
        raise UserError(f"no video in {names}{_what_there_is(found.passed_over)}")
    return found


def _found(searches: "Sequence[_Search]") -> Listing:
    """Return the clips of all searches, but for those that are a text of another clip."""
    found = Listing()
    named = {place for search in searches for place in search.named}
    for search in searches:
        found.clips += search.clips(named)
    texts = {place for search in searches for place in search.texts}
    found.clips = [clip for clip in found.clips if texts.isdisjoint(f.place for f in clip.files)]
    used = texts.union(*(search.used for search in searches))
    for search in searches:
        found.passed_over += search.passed_over(used)
    return found


def _what_there_is(passed_over: Counter[str]) -> str:
    """Return the rest of a sentence that says which other files there are, and what cures it."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in passed_over.most_common(8))
    hint = ". Pictures are read where a folder holds them numbered, as one clip"
    pictures = any(passed_over[suffix] for suffix in PICTURES)
    cures = "".join(f"; {cure}" for cure in advice(passed_over))
    return f", only {kinds}" * bool(kinds) + hint * pictures + cures


def advice(passed_over: Counter[str]) -> list[str]:
    """Return what helps with files of kinds that are not read."""
    return [cure.format(kind) for kind, cure in NOT_READ.items() if passed_over[kind]]


def _tables_beside(starts: Sequence[Path]) -> list[Path]:
    """Return the tables in the folders of single clips, which were not given themselves."""
    folders = {start.parent for start in starts if start.suffix.lower() in VIDEO}
    return sorted(
        path
        for folder in folders - {*starts}
        for path in folder.iterdir()
        if (path.suffix.lower() in TABLES or is_list(path)) and path not in starts
    )


class _Search:
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
        self.start, self.captions, self.limits, self.given = start, captions, limits, given
        self.tree = tree_of(start, limits)
        self.sequences = self._sequences()
        self.used: set[Path] = set()
        self.texts: set[Path] = set()
        self.rows: dict[Path, list[Row]] = {}
        self._of_texts: dict[Path, list[Path]] = {}
        if captions in ("auto", "manifest"):
            self._read_tables()
        if given is not None:
            named = {
                place: [row for row in rows if row.path and real_path(row.path) in given]
                for place, rows in self.rows.items()
            }
            self.rows = {place: rows for place, rows in named.items() if rows}

    @cached_property
    def manifests(self) -> Mapping[Path, list[Path]]:
        """Return the manifests in each folder, and those that name clips in it."""
        folders: dict[Path, list[Path]] = {}
        for place, rows in self.rows.items():
            named = {row.path.parent for row in rows if row.path}
            for folder in named | {place.parent}:
                folders.setdefault(folder, []).append(place)
        return folders

    @property
    def named(self) -> set[Path]:
        """Return the places that manifests name, without links."""
        return {real_path(row.path) for rows in self.rows.values() for row in rows if row.path}

    def clips(self, named: set[Path]) -> list[Captioned]:
        """Return the clips of the rows of manifests, then all others that none has `named`."""
        clips = [
            self._of_row(table, row) for table in sorted(self.rows) for row in self.rows[table]
        ]
        others = (place for place in self._candidates() if real_path(place) not in named)
        return clips + [self._captioned(place) for place in others]

    def passed_over(self, used: Collection[Path]) -> Counter[str]:
        """Count the files that are no part of any clip, as the `used` ones are, by suffix."""
        if self.given is not None:
            return Counter()
        others = (one for one in self.tree.entries if one not in used)
        return Counter(
            place.suffix.lower() or "no suffix" for place in others if self._counts(place)
        )

    def _counts(self, place: Path) -> bool:
        return place == self.start or self.start.is_dir() or self.start in place.parents

    def _sequences(self) -> Mapping[Path, list[Path]]:
        """Return the sequences of pictures.

        Pictures with a text each are none, nor those of films, nor the frames of a generated clip
        beside its film.
        """
        films = {p.with_suffix(""): p for p in self.tree.entries if p.suffix.lower() in VIDEO}
        places = (place for place in self.tree.entries if place.with_suffix("") not in films)
        found = sequences(places)
        return {
            place: pictures
            for place, pictures in found.items()
            if not any(self._text_beside(picture) for picture in pictures)
            and not (place in films and origin_of(films[place]))
        }

    def _candidates(self) -> Iterator[Path]:
        """Yield the places of clips: of videos, of sequences, and of a file that is the start."""
        if self.given is not None:
            return
        if not self.start.is_dir() and self.start in self.tree.entries:
            if self.start not in self.rows:
                yield self.start
            return
        pictures = {of[0]: place for place, of in self.sequences.items()}
        copies = _copies(place for place in self.tree.entries if place.suffix.lower() in VIDEO)
        for place, entry in self.tree.entries.items():
            unreadable = entry.fault and (place.is_dir() or entry.file.suffix in ARCHIVES)
            if place in pictures:
                yield pictures[place]
            elif place not in copies and (unreadable or entry.file.suffix in VIDEO):
                yield place

    def _read_tables(self) -> None:
        """Read all manifests; a table that names clips must be one."""
        clips = {place.with_suffix("") for place in self._clip_places()}
        read = set[Path]()
        for place, entry in self.tree.entries.items():
            if place.name == OWN_REPORT or not self._counts(place):
                continue
            if self.tree.find(place.with_name(SETTINGS_FILE)):  # of a prepared collection
                continue
            if place.with_suffix("") in clips and self._is_of_one(entry.file):
                continue
            if entry.file.suffix in OTHER_TABLES:
                self._refuse(entry.file, f"save it as CSV: {entry.file.suffix} is not read")
            elif _is_packed(place):
                self._refuse(entry.file, f"unpack it: {GZIP_SUFFIX} is not read")
            elif entry.file.suffix in (*TABLES, *TEXT_TABLES) or is_list(place):
                if (real := real_path(place)) in read:  # a link to it
                    continue
                read.add(real)
                try:
                    self.rows[place] = read_manifest(entry.file, self.limits, self.tree)
                except NotUnderstood as error:
                    self._refuse(entry.file, str(error), isinstance(error, Faulty))
                else:
                    lists = captions_beside(entry.file, self.tree) if is_list(place) else None
                    self.texts |= {lists.place} if lists else set()
                    self.used |= {place, *self.texts}
        if self.captions == "auto" and not self.rows:
            self._require_paired()

    def _require_paired(self) -> None:
        """Raise `UserError` for a list of captions that says of no clip which is its own."""
        clips = self._clip_places()
        for place, entry in self.tree.entries.items():
            kinds = (*TABLES, *TEXT_TABLES)
            is_list_of_them = place.stem.lower() in NAMES_OF_LISTS and entry.file.suffix in kinds
            if not is_list_of_them or not self._counts(place):
                continue
            below = [clip for clip in clips if place.parent in clip.parents]
            count = len(self._in_any_encoding(entry.file).strip().splitlines())
            if count and below and not any(map(self._has_text, below)):
                lines, of = counted(count, "line"), counted(len(below), "clip")
                raise UserError(
                    f"{entry.file} has {lines} for {of}, but nothing says which is whose: write "
                    f"{LISTS[0]} beside it, with the path of a clip in each line, "
                    "or choose other captions: --captions text, folder or name"
                )

    def _has_text(self, clip: Path) -> bool:
        return bool(self._text_beside(clip) or self._text_elsewhere(clip))

    def _clip_places(self) -> set[Path]:
        """Return the places of videos and of sequences."""
        films = {place for place in self.tree.entries if place.suffix.lower() in VIDEO}
        return films | set(self.sequences)

    def _is_of_one(self, file: File) -> bool:
        """Return whether a file beside a clip of its name is about this alone."""
        if file.suffix != FACTS:
            return file.suffix in TEXTS
        facts = self._facts(file)
        named = [facts[name] for name in PATHS if name in facts] if facts else []
        known = (folded(Path(Path(name).name)) for name in named if isinstance(name, str))
        return facts is not None and self.tree.known.isdisjoint(known)

    def _refuse(self, table: File, why: str, is_manifest: bool = False) -> None:
        """Raise `UserError` for a table that is the start, or is tied to a clip.

        A text is a table only if it `is_manifest`.
        """
        is_text = table.suffix in TEXT_TABLES and not is_list(table.place) and not is_manifest
        if is_text and table.suffix not in EXPECTED:
            return
        if table.place == self.start and self.given is None:
            raise UserError(f"{table} is not a manifest: {why}")
        if is_text:
            return
        if tie := self._tie(table):
            raise UserError(
                f"{table} {tie}, but is not understood: {why}. Mend it, or choose other "
                "captions: --captions text, folder or name"
            )

    def _tie(self, table: File) -> str:
        """Return what ties a table to a clip: it names one, or cannot be read and is beside it."""
        places = self.given or self._clip_places()
        names = {folded(Path(place.name)): place.name for place in places}
        stems = {Path(name).stem: Path(of).stem for name, of in names.items()}
        try:
            text, beside = _text_of_table(table, self.limits), ""
        except NotUnderstood:
            here = (place for place in self.tree.entries if place.parent == table.place.parent)
            beside = next((place.name for place in here if folded(Path(place.name)) in names), "")
            text = self._in_any_encoding(table)
        text = folded(Path(_unescaped(text)))
        cells = {cell.strip() for cell in _CELL.findall(text)}
        named = {of for name, of in names.items() if name in cells}
        if not named:
            is_alone = table.suffix in IN_BYTES
            sought = [(name, of) for name, of in islice(names.items(), SOUGHT) if name in text]
            named = {of for name, of in sought if is_alone or _is_whole(name, text)}
        others = (Path(cell).stem for cell in cells if Path(cell).suffix in VIDEO)
        named = named or {names_of for stem in others if (names_of := stems.get(stem))}
        words = {of for stem, of in stems.items() if {stem, _ID_OF_CUT.sub("", stem)} & cells}
        ids = {word for word in words if _ID.match(word)}
        if not named and len(ids) >= SHARE * len(stems):
            named = ids
        if not named and len(words) >= max(FEW_WORDS, SHARE_OF_WORDS * len(stems)):
            named = words
        here = [of for of in places if of.parent == table.place.parent]
        if not named and _SAYS_CAPTION.search(text):
            named = {of.name for of in here if of.with_suffix("") == table.place.with_suffix("")}
        if named:
            return f"names {min(named)}"
        return f"lies beside {beside}" if beside else ""

    def _in_any_encoding(self, table: File) -> str:
        """Return a text whose ASCII is right, so that it is seen whether it names clips."""
        try:
            return table.read(self.limits, self.limits.manifest_bytes).decode("latin-1")
        except RejectedFile:
            return ""

    def _of_row(self, table: Path, row: Row) -> Captioned:
        name = f"{self.tree.entries[table].file}, row {row.number}"
        if row.path is None or row.fault:
            reason, detail = row.fault or ("row", "")
            of = f", {row.path.name}" if row.path else ""
            self.used |= {row.path} if row.path else set()
            return Captioned(name, "", fault=(reason, f"row {row.number}{of}: {detail}"))
        files, state = self._files(row.path)
        caption, name = row.caption, _name(row.path, files)
        return Captioned(
            name,
            state,
            caption,
            "manifest",
            files=files,
            excerpt=row.excerpt,
            is_cut=row.is_cut,
            other_name=row.other_name,
        )

    def _files(self, place: Path) -> tuple[tuple[File, ...], str]:
        """Return the files of a clip, and their state."""
        is_file = self.tree.find(place) or not place.is_dir()  # a member's name may be too long
        places = self.sequences.get(place) or (
            [place] if is_file else sequences(place.iterdir())[place]
        )
        entries = [self.tree.find(one) or _on_disk(one) for one in places]
        self.used.update(entry.file.place for entry in entries)
        states = "\n".join(entry.state for entry in entries)
        digest = states if len(entries) == 1 else hashlib.sha256(states.encode()).hexdigest()
        return tuple(entry.file for entry in entries), digest

    def _captioned(self, place: Path) -> Captioned:
        """Return a clip that no manifest names, with its caption."""
        entry = self.tree.find(place)
        if entry and entry.fault:
            self.used.add(place)
            return Captioned(str(entry.file), "", fault=entry.fault)
        files, state = self._files(place)
        try:
            caption, origin = self._caption(place)
        except RejectedFile as error:
            return Captioned(_name(place, files), state, fault=(error.reason, error.detail))
        return Captioned(_name(place, files), state, caption, origin, files=files)

    def _caption(self, place: Path) -> tuple[str, Origin]:
        manifests = self.manifests
        above = next((manifests[folder] for folder in place.parents if folder in manifests), [])
        if above or self.captions == "manifest":
            names = ", ".join(table.name for table in above)
            raise RejectedFile("no-caption", f"no valid row of {names or 'a manifest'} names it")
        text, automatic = self._text_beside(place), self.captions == "auto"
        text = text or self._text_elsewhere(place)
        if text and (automatic or self.captions == "text"):
            self.texts.add(text.file.place)
            return caption_of(self._read_text(text.file), self.limits), "text"
        if self.captions in ("auto", "text") and (caption := self._from_facts(place)):
            return caption_of(caption, self.limits), "text"
        if self.captions == "text":
            raise RejectedFile("no-caption", f"there is no {place.stem}{TEXTS[0]} beside it")
        inner = place != self.start and place.parent != self.start
        if self.captions == "folder" or (automatic and inner):
            folder = place.absolute().parent
            named = folder.stem if folder.suffix.lower() in ARCHIVES else folder.name
            return caption_of(_as_words(named), self.limits), "folder"
        stem = place.name if place in self.sequences else place.stem
        return caption_of(_as_words(stem), self.limits), "name"

    def _text_beside(self, place: Path) -> Entry | None:
        """Return the text of a clip: rex.txt, or rex.mp4.txt, beside rex.mp4."""
        stems = [place.name] if place.suffix.lower() not in (*VIDEO, *PICTURES) else []
        stems += [place.stem, place.name]
        return self._text([(place.parent, stem) for stem in stems])

    def _text_elsewhere(self, place: Path) -> Entry | None:
        """Return the text of a clip in a folder for texts, or that of the clip's own folder."""
        stem = place.name if place in self.sequences else place.stem
        own = [(place, name) for name in (place.name, *OF_FOLDER)]
        if place not in self.sequences:
            is_alone = self._clips_in[place.parent] == 1
            own = [(place.parent, name) for name in OF_FOLDER if is_alone]
        return self._text([*own, *((folder, stem) for folder in self._text_folders(place.parent))])

    def _text_folders(self, folder: Path) -> list[Path]:
        """Return the folders for the texts of the clips in a folder."""
        if folder not in self._of_texts:
            named = (above / name for above in (folder, folder.parent) for name in TEXT_FOLDERS)
            self._of_texts[folder] = [one for one in named if folded(one) in self._folders]
        return self._of_texts[folder]

    @cached_property
    def _folders(self) -> frozenset[str]:
        return frozenset(map(folded, self.tree.folders))

    def _text(self, stems: Sequence[tuple[Path, str]]) -> Entry | None:
        """Return the first of the texts of these folders and names."""
        named = (folder / f"{stem}{suffix}" for suffix in TEXTS for folder, stem in stems)
        return next((entry for text in named if (entry := self.tree.find(text))), None)

    @cached_property
    def _clips_in(self) -> Counter[Path]:
        """Return how many clips lie in each folder."""
        return Counter(place.parent for place in self._clip_places())

    def _from_facts(self, place: Path) -> str:
        """Return the caption in rex.json beside rex.mp4, or the class in rex.cls, if any."""
        stem = place.name if place in self.sequences else place.stem
        entry = self.tree.find(place.parent / f"{stem}{FACTS}")
        found = self._json(entry.file) if entry else {}
        facts = found if isinstance(found, dict) else {IN_FACTS[0]: found}
        names = [*IN_FACTS, columns(facts)[1]]
        values = [facts[name] for name in names if name in facts]
        texts = [
            one for value in values for one in (value if isinstance(value, list) else [value])
        ]
        caption = next((text for text in texts if isinstance(text, str) and text.strip()), "")
        if not caption and (classes := self.tree.find(place.parent / f"{stem}{CLASS}")):
            self.texts.add(classes.file.place)
            return self._read_text(classes.file)
        if entry and not caption and "" in texts:
            raise RejectedFile("no-caption", f"the caption in {entry.file.place.name} is empty")
        if caption and entry:
            self.texts.add(entry.file.place)
        return caption

    def _json(self, file: File) -> Any:
        """Return what a file of JSON holds; `RejectedFile` for any other."""
        try:
            return json.loads(read_text(file, self.limits))
        except (NotUnderstood, ValueError, RecursionError) as error:
            why = f"{file.place.name} is no JSON: {str(error)[:80]}"
            raise RejectedFile("no-caption", why) from error

    def _facts(self, file: File) -> dict[str, Any] | None:
        """Return the object in a file; None if it holds anything else."""
        with suppress(RejectedFile):
            found = self._json(file)
            return found if isinstance(found, dict) else None
        return None

    def _read_text(self, file: File) -> str:
        try:
            return decode(file.read(self.limits, 16 * self.limits.caption_characters))
        except RejectedFile as error:
            reason = "no-caption" if error.reason == "unreadable" else "caption"
            raise RejectedFile(reason, f"{file.place.name}: {error.detail}") from error


def _is_whole(name: str, text: str) -> bool:
    """Return whether a name in a text is no end of a longer one."""
    return bool(re.search(rf"(?<![\w-]){re.escape(name)}", text))


def _unescaped(text: str) -> str:
    """Return a text with the letters that JSON, XML and addresses write by their numbers."""
    if "\\u" in text:
        text = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
    return unquote(html.unescape(text)) if "%" in text else html.unescape(text)


def _text_of_table(table: File, limits: VideoLimits) -> str:
    """Return a table as text; of a workbook what its sheets hold, empty if it cannot be read."""
    if table.suffix in PACKED:
        raise NotUnderstood("it is no text")
    with suppress(RejectedFile, *UNREADABLE):
        if table.suffix in IN_BYTES:
            data = table.read(limits, limits.manifest_bytes)
            return data.replace(b"\0", b"").decode("latin-1")
        if table.suffix == GZIP_SUFFIX:
            with table.open(limits) as file, gzip.open(file) as unpacked:
                return decode(unpacked.read(limits.manifest_bytes))
    if table.suffix not in WORKBOOKS:
        return read_text(table, limits)
    with suppress(RejectedFile, *UNREADABLE):
        with table.open(limits) as file, archive_in(file, ".zip", limits) as archive:
            names = [one.name for one in archive.members() if one.name.endswith(".xml")]
            parts = [archive.open(name).read(limits.manifest_bytes) for name in names]
        return "\n".join(part.decode(errors="replace") for part in parts)
    return ""


def _is_packed(place: Path) -> bool:
    """Return whether a file is called as a table that is packed: clips.csv.gz."""
    return place.suffix.lower() == GZIP_SUFFIX and is_source(place.name, TABLES)


def _on_disk(path: Path) -> Entry:
    state = path.stat()
    return Entry(File(path), f"{state.st_size} {state.st_mtime_ns}")


def _name(place: Path, files: Sequence[File]) -> str:
    """Return the name of a clip: of its file, or of the folder of its pictures."""
    return str(files[0]) if len(files) == 1 else str(place)


def _as_words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")


def _copies(videos: Iterable[Path]) -> set[Path]:
    """Return the videos that are generated clips in a further format, a gif beside a film."""
    stems: dict[Path, list[Path]] = {}
    for video in videos:
        stems.setdefault(video.with_suffix(""), []).append(video)
    copies: set[Path] = set()
    for formats in stems.values():
        formats.sort(key=lambda one: one.suffix.lower() == ".gif")  # it has few colours
        generated = [one for one in formats if len(formats) > 1 and origin_of(one)]
        copies |= {one for one in formats if generated and one != generated[0]}
    return copies
