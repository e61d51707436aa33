"""Manifests: tables that name clips below their own folder, each with its caption.

`videogen.data.tables` says which tables are read. A row may name an excerpt of a clip, by the
seconds at which it begins and ends:

    label,youtube_id,time_start,time_end            Kinetics; InternVid, MSVD and others likewise
    {"Ab1": {"timestamps": [[0, 4.5]], "sentences": ["a dog runs"]}}                ActivityNet

`videogen.data.times` says which times are read. A clip whose name ends in these times is the
excerpt itself: Ab1_000005_000015.mp4, Ab1_5_15.avi.

A clip that does not lie where its row says is the one below the start whose path ends so, if there
is one, or the only one of its name with another suffix of videos. A row that names any other file,
or has no valid caption, is rejected with its row number; the other rows are read. Paths may lead
out of the table's folder, but not out of what is prepared.
"""

import math
import os
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from core.data.sources import RejectedFile
from videogen.data.cells import Faulty, Fields, NotUnderstood, listed
from videogen.data.tables import IDS, NUMBERED, TEXT_TABLES, columns, rows
from videogen.data.time_columns import times_in
from videogen.data.times import excerpts
from videogen.files.clock import Excerpt
from videogen.files.limits import VideoLimits
from videogen.files.pictures import PICTURES, is_sequence
from videogen.files.reading import VIDEO
from videogen.files.text import no_letter, visible, without_markup
from videogen.files.tree import File, Tree, folded, names_in, on_disk
from videogen.words import words_of

_SIMPLE = re.compile(r"[\w-][\w .-]*")
"""A name, and no path."""
CUT = re.compile(r"(?P<id>.+)_(?P<begin>\d+)_(?P<end>\d+)")
"""The name of a clip that was cut out of another."""

MISSING = ("nan", "<na>", "null", "#n/a", "n/a")
"""Captions, in small letters, that stand for none in tables of programs."""
_ERROR = re.compile(r"#(?:NAME\?|REF!|VALUE!|DIV/0!|NULL!|NUM!|SPILL!|CALC!|FIELD!)|Err:\d{3}")
"""A cell of Excel or LibreOffice that cannot be computed: a caption that begins with = or -."""
_PATTERN = re.compile(r"%0?\d*d|\*|##")
"""Signs of a name that stands for the pictures of a sequence: f_%04d.png, *.png, ####.png."""


@dataclass(frozen=True)
class Row:
    """A clip's path and caption, or `fault`: the reason why the row is rejected.

    `path` is also that of a clip whose caption or times are wrong: it has no other caption.
    `excerpt`: the part of the clip that the caption describes, if not the whole. `is_cut`: it was
    cut out of a film before, as its row and its name say. `other_name`: the name in its row, if
    the clip has another suffix, or this is an absolute path of another machine.
    """

    number: int
    path: Path | None = None
    caption: str = ""
    fault: tuple[str, str] | None = None
    excerpt: Excerpt | None = None
    is_cut: bool = False
    other_name: str = ""


def caption_of(text: str, limits: VideoLimits) -> str:
    """Return a caption with single spaces; raise `RejectedFile` if it is not a valid caption."""
    if len(text) > 2 * limits.caption_characters:
        raise RejectedFile("caption", f"{len(text)} characters, at most {_most(limits)}")
    caption = " ".join(visible(without_markup(text)).split())
    if not caption:
        raise RejectedFile("no-caption", "the caption is empty")
    if len(caption) > limits.caption_characters:
        raise RejectedFile("caption", f"{len(caption)} characters, at most {_most(limits)}")
    if any("\ud800" <= letter <= "\udfff" for letter in caption):
        raise RejectedFile("caption", "the caption is not UTF-8")
    if (letter := no_letter(caption)) is not None:
        raise RejectedFile("caption", f"the caption contains the character {letter:#x}")
    if not words_of(caption):
        raise RejectedFile("no-caption", f"the caption has no word: {caption[:40]!a}")
    return caption


def _most(limits: VideoLimits) -> str:
    return f"{limits.caption_characters} are read"


def read_manifest(
    table: File | Path, limits: VideoLimits = VideoLimits(), tree: Tree | None = None
) -> list[Row]:
    """Return the rows with their numbers: the first row of a CSV after its header is 2.

    `tree` holds the files below the start: those of an archive in which the table lies, the
    captions of a list, and clips in other folders. Raises `NotUnderstood` for what is no manifest,
    and where a quotation mark is not closed.
    """
    file = table if isinstance(table, File) else File(table)
    found, by = [], set[str]()

    def is_clip(fields: Fields) -> bool:
        with suppress(RejectedFile):
            _clip(file, _text(_value(fields, columns(fields)[0], "path"), "path"), tree)
            return True
        return False

    for number, fields in rows(file, limits, tree, is_clip):
        try:
            if isinstance(fields, str):
                raise RejectedFile("row", fields)
            by.add(columns(fields)[0])
            found += _of_row(number, file, fields, limits, tree)
        except RejectedFile as error:
            clip = None if isinstance(fields, str) else _clip_of(file, fields, tree)
            found.append(Row(number, clip, fault=(error.reason, error.detail)))
    named = (row.path or (row.fault and row.fault[0] == "times") for row in found)
    if by and (by <= {*IDS} or file.suffix in TEXT_TABLES) and not any(named):
        raise NotUnderstood(f"no {' or '.join(sorted(by))} in it is that of a clip")
    _require_ends(found)
    return _each_its_own(found)


def _require_ends(found: Sequence[Row]) -> None:
    """Raise `Faulty` where a row has no end, and another begins later in the same film."""
    parts = [(row, row.path, row.excerpt) for row in found]
    begins: dict[Path, float] = {}
    for _, path, excerpt in parts:
        if path and excerpt:
            begins[path] = max(excerpt[0], begins.get(path, 0))
    for row, path, excerpt in parts:
        if path and excerpt and excerpt[0] < begins[path] and excerpt[1] == math.inf:
            raise Faulty(
                f"row {row.number} says when its part of {path.name} begins, but not when it "
                "ends: add a column end, in seconds"
            )


def _each_its_own(found: Sequence[Row]) -> list[Row]:
    """Return the rows; one whose clip of another suffix is that of another row has a fault."""
    names: dict[Path | None, set[str]] = {}
    for row in found:
        names.setdefault(row.path, set()).add(row.other_name)
    shared = {path for path, of in names.items() if len(of) > 1}
    return [_as_absent(row) if row.other_name and row.path in shared else row for row in found]


def _as_absent(row: Row) -> Row:
    of = f", and {row.path.name} is that of another row" if row.path else ""
    fault = "no-file", f"there is no file {row.other_name[:80]!a}{of}"
    return replace(row, path=None, fault=fault)


def _of_row(
    number: int, file: File, fields: Fields, limits: VideoLimits, tree: Tree | None
) -> Iterator[Row]:
    """Yield a row for each caption, with its excerpt."""
    path, caption = columns(fields)
    name = _text(_place(_value(fields, path, "path")), "path")
    several = fields.get(caption)
    if isinstance(several, list) and several and all(isinstance(one, dict) for one in several):
        for one in several:
            own = {**fields, caption: _words(one), **times_in("span", one)}
            yield from _of_row(number, file, own, limits, tree)
        return
    captions = _captions(fields, caption)
    for text, excerpt in zip(captions, excerpts(fields, len(captions)), strict=True):
        clip, of = _with_excerpt(file, name, excerpt, tree)
        is_cut = excerpt is not None and of is None
        is_other = _is_moved(name.strip()) or _suffix(name) not in ("", clip.suffix.lower())
        other = name.strip() if is_other else ""
        yield Row(number, clip, caption_of(text, limits), None, of, is_cut, other)


def _suffix(name: str) -> str:
    """Return the suffix of the name of a video, in small letters; empty for other names."""
    suffix = PureWindowsPath(name.strip()).suffix.lower()
    return suffix if suffix in VIDEO else ""


def _clip_of(file: File, fields: Fields, tree: Tree | None) -> Path | None:
    """Return the clip that a row with a fault names, if there is one."""
    with suppress(RejectedFile):
        name = _text(_place(_value(fields, columns(fields)[0], "path")), "path")
        try:
            return _with_excerpt(file, name, None, tree)[0]
        except RejectedFile as error:
            return _as_elsewhere(name, tree) if error.reason == "path" else None
    return None


def _as_elsewhere(name: str, tree: Tree | None) -> Path | None:
    """Return the clip whose path ends as one of another machine, as far as one alone does."""
    parts = PureWindowsPath(name.strip()).parts
    ends = (Path(*parts[first:]) for first in range(1, len(parts)) if ".." not in parts)
    found = next((places for end in ends if tree and (places := tree.ending(end))), [])
    return found[0] if len(found) == 1 else None


def _with_excerpt(
    file: File, name: str, excerpt: Excerpt | None, tree: Tree | None
) -> tuple[Path, Excerpt | None]:
    """Return the clip of a row: one that was cut as the row says, or one with its excerpt."""
    stem = re.sub(f"({'|'.join(map(re.escape, VIDEO))})$", "", name.strip())
    cut = CUT.fullmatch(stem)
    tries: list[tuple[str, Excerpt | None]] = []
    times = [int(time) for time in excerpt or () if time.is_integer()]
    if len(times) == 2:
        begin, end = times
        tries += [(f"{stem}_{begin:06d}_{end:06d}", None), (f"{stem}_{begin}_{end}", None)]
    tries += [(name, excerpt), (f"v_{name}", excerpt)]  # ActivityNet's files are v_ID.mp4
    tries += [(unquote(name), excerpt)] * (unquote(name) != name)
    if excerpt and excerpt[1] == math.inf and times:
        tries += [(f"{stem}_{times[0]:06d}", None)]  # VGGSound's are ID_000030.mp4
    if cut and not excerpt and int(cut["begin"]) < int(cut["end"]):
        tries += [(cut["id"], (float(cut["begin"]), float(cut["end"])))]
    for one, of in tries:
        if not _is_absent(file, one, tree):
            with suppress(RejectedFile):
                return _clip(file, one, tree), of
    if _is_absent(file, name, tree):
        raise RejectedFile("no-file", f"there is no file {name[:80]!a}")
    return _clip(file, name, tree), excerpt


def _is_absent(file: File, name: str, tree: Tree | None) -> bool:
    """Return whether no file has this name, so that the disk need not be asked for each row."""
    if tree is None or not _SIMPLE.fullmatch(name):
        return False
    there = folded(Path(name.strip()))
    beside = {} if file.members else names_in(file.path.parent)
    names = {there, there.removesuffix(_suffix(there))}
    files = (one + suffix for one in names for suffix in ("", *VIDEO))
    return names.isdisjoint(tree.known) and not any(file in beside for file in files)


def _value(fields: Fields, column: str, name: str) -> Any:
    if fields.get(column) is None:
        raise RejectedFile("row", f"the row has no {name}")
    return fields[column]


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise RejectedFile("row", f"the row has no {name}")
    return value


def _place(value: Any) -> Any:
    """Return the folder of pictures, of a list or a pattern of them, or the one file of a list.

    Another value is returned as it is. Raises `RejectedFile` for several films.
    """
    if isinstance(value, str) and Path(value.strip()).suffix.lower() in PICTURES:
        place = Path(value.strip())
        return str(place.parent) if _PATTERN.search(place.name) else value
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        return value
    if not all(Path(one.strip()).suffix.lower() in PICTURES for one in value):
        if len(value) > 1:
            raise RejectedFile("row", f"it names {len(value)} clips: write a row for each")
        return value[0]
    folders = {str(Path(one).parent) for one in value}
    return folders.pop() if len(folders) == 1 else None


def _captions(fields: Fields, column: str) -> list[str]:
    """Return the captions of a row, which may have several of the same clip."""
    value = listed(_value(fields, column, "caption"))
    if NUMBERED.fullmatch(column):
        several = (fields[name] for name in sorted(fields) if NUMBERED.fullmatch(name))
        value = [one for one in several if one] or value
    values = value if isinstance(value, list) and value else [value]
    return [_words(one) for one in values]


def _words(value: Any) -> str:
    """Return a caption of one cell or object; a number is one, and a missing value is empty."""
    if isinstance(value, dict):
        value = value.get(columns(value)[1])
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = f"{value:g}"
    text = _text(value, "caption")
    if _ERROR.fullmatch(text.strip()):
        why = f"the caption is {text.strip()}, an error of a spreadsheet: write it there as text"
        raise RejectedFile("no-caption", why)
    return "" if text.strip().lower() in MISSING else text


def _clip(table: File, name: str, tree: Tree | None) -> Path:
    """Return the place of a clip in the tree, or else below the table's folder.

    Links that the tree holds are followed; others must stay below the table's folder as well.
    """
    quoted = ascii(name[:80])
    if not name.strip() or "\0" in name:
        raise RejectedFile("path", f"{quoted} is not a path")
    folder = table.place.parent
    given = _relative(name.strip(), folder)
    place = Path(os.path.normpath(folder / given))
    if tree and (entry := tree.find(place)) and not entry.fault:
        return entry.file.place
    if tree and place in tree.folders and is_sequence(place):
        return place
    if _is_moved(name.strip()) or PureWindowsPath(name.strip()).drive or ".." in given.parts:
        if found := _moved(table, name.strip(), tree):
            return found
        raise RejectedFile(
            "path", f"{quoted} is not below the table's folder: write paths relative to it"
        )
    if not table.members and (found := _below(folder, given, quoted)):
        return found
    ends = [given, *_of_id(given)]
    here = {entry.file.place for end in ends if tree and (entry := tree.find(folder / end))}
    return _only(here, quoted) or _elsewhere(table, tree, ends, quoted)


def _is_moved(name: str) -> bool:
    """Return whether a path is an absolute one of another machine, with either's slashes."""
    is_absolute = PureWindowsPath(name).is_absolute() or name.startswith(("/", "\\", "~/"))
    return is_absolute and not os.path.exists(name)  # noqa: PTH110 (any name is allowed)


def _moved(table: File, name: str, tree: Tree | None) -> Path | None:
    """Return the clip below the table's folder whose path ends as one of another machine.

    It is that of the longest end; in other folders of the tree the end names a folder, too.
    """
    parts, folder = PureWindowsPath(name).parts, table.place.parent
    if ".." in parts or not _is_moved(name):
        return None
    for end in (Path(*parts[first:]) for first in range(1, len(parts))):
        if tree and (entry := tree.find(folder / end)) and not entry.fault:
            return entry.file.place
        if not table.members:
            with suppress(RejectedFile):
                if found := _below(folder, end, ascii(name[:80])):
                    return found
        places = tree.ending(end) if tree and len(end.parts) > 1 else []
        if places:
            return places[0] if len(places) == 1 else None
    return None


def _only(places: Collection[Path], quoted: str) -> Path | None:
    """Return the one place, None if there is none; `RejectedFile` names several."""
    if len(places) > 1:
        names = " and ".join(sorted(place.name for place in places))
        raise RejectedFile("no-file", f"there is no file {quoted}, but {names}: name one of them")
    return next(iter(places), None)


def _elsewhere(table: File, tree: Tree | None, ends: Sequence[Path], quoted: str) -> Path:
    """Return the clip of another folder whose path ends so, or else one of another suffix."""
    found = [place for end in ends if tree for place in tree.ending(end)]
    if len(found) == 1:
        return found[0]
    several = f", but {len(found)} of this name in other folders" * bool(found)
    if not found and _suffix(ends[0].name):
        other = _only(_of_other_suffixes(table, tree, ends[0]), quoted)
        if other:
            return other
    raise RejectedFile("no-file", f"there is no file {quoted}{several}")


def _of_other_suffixes(table: File, tree: Tree | None, given: Path) -> list[Path]:
    """Return the videos of a name with any suffix: those at its place, or else all."""
    others = _of_id(given.with_suffix(""))
    folder = table.place.parent
    here = {entry.file.place for one in others if tree and (entry := tree.find(folder / one))}
    if not here and not table.members:
        names = names_in((folder / given).parent) if (folder / given).parent.is_dir() else {}
        there = ((folder / given).parent / names.get(folded(Path(one.name)), "") for one in others)
        here = {path for path in there if path.is_file()}
    return sorted(here or {place for one in others if tree for place in tree.ending(one)})


def _relative(name: str, folder: Path) -> Path:
    """Return a path relative to the folder, also of one written on Windows, or of an address."""
    if "://" in name:
        address = urlsplit(name)
        ids = parse_qs(address.query).get("v", [])  # of YouTube
        return Path(ids[0] if ids else PurePosixPath(unquote(address.path)).name)
    is_windows = "\\" in name and not (folder / name).exists()
    given = Path(PureWindowsPath(name).as_posix() if is_windows else name)
    return Path(os.path.relpath(given, folder.absolute())) if given.is_absolute() else given


def _of_id(given: Path) -> list[Path]:
    """Return the video files that a name without a suffix can mean."""
    return [given.with_name(given.name + suffix) for suffix in VIDEO]


def _below(folder: Path, given: Path, quoted: str) -> Path | None:
    root = folder.resolve()
    try:
        path = on_disk(root, given.parts)
        if not path.exists():
            names = names_in(path.parent) if path.parent.is_dir() else {}
            ids = [video for video in _of_id(path) if folded(Path(video.name)) in names]
            path = _only([video for video in ids if video.is_file()], quoted) or path
        target = path.resolve()
        is_below = target.is_relative_to(root) and target != root
        exists = target.is_file() or is_sequence(target)
    except (OSError, RuntimeError, ValueError) as error:
        raise RejectedFile("path", f"{quoted} cannot be resolved") from error
    if not is_below:
        raise RejectedFile("path", f"{quoted} leads out of the table's folder")
    return folder / path.relative_to(root) if exists else None
