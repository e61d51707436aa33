"""Manifests: tables that name clips below their own folder, each with its caption.

    path,caption                                    clips.csv, also with ; | or tabs
    dogs/rex.mp4,a dog runs to the left

    videoid,caption                                 a name without its suffix is an id
    1066674784,a dog runs to the left

    {"path": "dogs/rex.mp4", "caption": "..."}      clips.jsonl, or a list of them in clips.json
    {"file_name": "rex.mp4", "caption": "..."}      metadata.jsonl (Hugging Face datasets)
    {"file_names": ["rex/1.png", ...], ...}         the same, of pictures of one folder
    {"id": "78687", "label": "..."}                 clips by ids (Something-Something, MSR-VTT)
    {"rex.mp4": ["a dog", "a dog runs"]}            captions.json (diffusion-pipe)
    dogs/rex.mp4                                    videos.txt, a line for each line of prompts.txt
                                                    (CogVideoX, finetrainers)

A clip that does not lie where its row says is the one below the start whose path ends so, if there
is one. A row that names any other file, or has no valid caption, is rejected with its row number;
the other rows are read. A table of which that cannot be said is `NotUnderstood`.
"""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from core.data.sources import RejectedFile
from videogen.files.limits import VideoLimits
from videogen.files.pictures import is_sequence
from videogen.files.reading import VIDEO
from videogen.files.text import decode
from videogen.files.tree import File, Tree, on_disk

LINES = (".jsonl", ".ndjson")
"""Suffixes of tables of an object a line."""
TABLES = (".csv", ".tsv", *LINES, ".json")
"""Suffixes of tables; Excel writes those of Unicode text as .txt."""
LISTS = ("videos.txt", "video.txt")
"""Names of lists of clips, in the order of the captions that lie beside them."""
CAPTION_LISTS = ("prompts.txt", "prompt.txt", "captions.txt", "caption.txt")

PATHS = (
    *("path", "file", "file_name", "filename", "file_path", "filepath", "file_names"),
    *("video", "video_path", "video_file", "video_name", "media", "media_path"),
    *("clip", "clip_path", "video_id", "videoid"),
)
IDS = ("vid", "id", "name")
"""Names of a column of clips only where one of its rows names one: other tables have it, too."""
CAPTIONS = (
    *("caption", "text", "prompt", "description", "captions", "prompts", "descriptions"),
    *("video_caption", "video_description", "long_caption", "short_caption", "sentence", "label"),
    *("encap", "title", "class", "action", "name"),
)
"""Accepted names of the two columns, in order of precedence."""
SEPARATORS = ",;\t|"

FIELD_BYTES = 1 << 24
"""Most characters of one field of a CSV, far beyond those of a caption."""

CONTROL = "Cc", "Cf", "Cs", "Co", "Cn"
"""Unicode categories of characters that are not text."""
JOINERS = "\u200c\u200d"
"""Characters of these categories that belong to words of some scripts."""
OVERRIDES = "\u202d\u202e"
"""Characters that turn a line round; other marks of a line's direction and form are left out."""
PICTURES = range(0x1F000, 0x1FB00)
"""Code points of emoji, also of those that are newer than Python's tables."""


class NotUnderstood(Exception):
    """Raised for a file that is no manifest, with what is missing or cannot be read."""


@dataclass(frozen=True)
class Row:
    """A clip's path and caption, or `fault`: the reason why the row is rejected."""

    number: int
    path: Path | None = None
    caption: str = ""
    fault: tuple[str, str] | None = None


def caption_of(text: str, limits: VideoLimits) -> str:
    """Return a caption with single spaces; raise `RejectedFile` if it is not a valid caption."""
    if len(text) > 2 * limits.caption_characters:
        raise RejectedFile("caption", f"{len(text)} characters, at most {_most(limits)}")
    caption = " ".join(_visible(text).split())
    if not caption:
        raise RejectedFile("no-caption", "the caption is empty")
    if len(caption) > limits.caption_characters:
        raise RejectedFile("caption", f"{len(caption)} characters, at most {_most(limits)}")
    if any("\ud800" <= letter <= "\udfff" for letter in caption):
        raise RejectedFile("caption", "the caption is not UTF-8")
    for letter in caption:
        known = letter in JOINERS or ord(letter) in PICTURES
        if unicodedata.category(letter) in CONTROL and not known:
            raise RejectedFile("caption", f"the caption contains the character {ord(letter):#x}")
    return caption


def _visible(text: str) -> str:
    """Return a text without soft hyphens, marks of direction and the like."""
    kept = JOINERS + OVERRIDES
    return "".join(c for c in text if c in kept or unicodedata.category(c) != "Cf")


def _most(limits: VideoLimits) -> str:
    return f"{limits.caption_characters} are read"


Fields = Mapping[str, Any]
"""The values of a row by the names of their columns."""
Rows = Iterator[tuple[int, Fields | str]]
"""Row number with the values, or the reason why the row cannot be parsed."""


def is_list(path: Path) -> bool:
    """Return whether a file is named as a list of clips."""
    return path.name.lower() in LISTS


def read_manifest(
    table: File | Path, limits: VideoLimits = VideoLimits(), tree: Tree | None = None
) -> list[Row]:
    """Return the rows with their numbers: the first row of a CSV after its header is 2.

    `tree` holds the files below the start: those of an archive in which the table lies, the
    captions of a list, and clips in other folders. Raises `NotUnderstood` for what is no manifest,
    and where a quotation mark is not closed.
    """
    file = table if isinstance(table, File) else File(table)
    rows, by = [], set[str]()
    for number, fields in _rows(file, limits, tree):
        try:
            if isinstance(fields, str):
                raise RejectedFile("row", fields)
            path, caption = _columns(fields)
            by.add(path)
            clip = _clip(file, _text(_place(_value(fields, path, "path")), "path"), tree)
            for text in _captions(_value(fields, caption, "caption")):
                rows.append(Row(number, clip, caption_of(text, limits)))
        except RejectedFile as error:
            rows.append(Row(number, fault=(error.reason, error.detail)))
    if by and by <= {*IDS} and not any(row.path for row in rows):
        raise NotUnderstood(f"no {' or '.join(sorted(by))} in it is that of a clip")
    return rows


def _rows(file: File, limits: VideoLimits, tree: Tree | None) -> Rows:
    text = read_text(file, limits)
    if is_list(file.place):
        return _paired(file, text, limits, tree)
    if file.suffix == ".json":
        return _json_rows(text)
    return _line_rows(text) if file.suffix in LINES else _csv_rows(file, text, tree)


def read_text(file: File, limits: VideoLimits) -> str:
    """Return the text of a table; `NotUnderstood` if it is too large or of no known encoding."""
    try:
        data = file.read(limits, limits.manifest_bytes + 1)
        if len(data) > limits.manifest_bytes:
            raise NotUnderstood(f"at most {limits.manifest_bytes} bytes of a manifest are read")
        return decode(data)
    except RejectedFile as error:
        raise NotUnderstood(error.detail) from error


def _csv_rows(file: File, text: str, tree: Tree | None) -> Rows:
    """Read a CSV; its separator is the one by which its first line has the columns."""
    csv.field_size_limit(FIELD_BYTES)
    lines = list(io.StringIO(text, newline=""))
    skipped = bool(lines) and lines[0].lower().startswith("sep=")  # as Excel writes it
    names, separator = _header(lines[skipped] if lines[skipped:] else "")
    reader, number = csv.reader(lines[skipped + 1 :], delimiter=separator), 1
    while True:
        number, begin = number + 1, reader.line_num
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, f"not valid CSV: {error}"
            continue
        spanned = lines[skipped + 1 + begin : skipped + 1 + reader.line_num]
        if len(spanned) > 1:
            _require_closed(file, names, separator, spanned, tree, number)
        if values:
            yield number, _cells(names, values, separator)


def _header(line: str) -> tuple[list[str], str]:
    """Return the names of the columns, and their separator."""
    for separator in SEPARATORS:
        cells = _filled(next(csv.reader([line], delimiter=separator), []))
        names = [_plain(name) for name in cells]
        if _named(names):
            return names, separator
    shown = ", ".join(re.split(r"[,;\t|]", line.strip())[:5])[:80]
    raise NotUnderstood(f"its first line is not that of columns path and caption, but: {shown}")


def _filled(cells: list[str]) -> list[str]:
    """Return cells without the empty ones at the end, as spreadsheets write them."""
    while cells and not cells[-1].strip():
        cells = cells[:-1]
    return cells


def _cells(names: Sequence[str], values: list[str], separator: str) -> Fields | str:
    """Return the cells of a row by their columns, of which there may not be more."""
    if len(_filled(values)) > len(names):
        return (
            f"it has {len(_filled(values))} cells for {len(names)} columns: set a caption that "
            f"contains {separator!r} in quotation marks"
        )
    return dict(zip(names, values, strict=False))


def _plain(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def _named(names: Iterable[str]) -> bool:
    path, caption = _columns(set(names))
    return bool(path and caption)


def _columns(names: Container[str]) -> tuple[str, str]:
    """Return the names of the two columns; an empty one for a column that is not there."""
    path = next((name for name in (*PATHS, *IDS) if name in names), "")
    return path, next((name for name in CAPTIONS if name in names and name != path), "")


def _require_closed(
    file: File,
    names: Sequence[str],
    separator: str,
    spanned: Sequence[str],
    tree: Tree | None,
    number: int,
) -> None:
    """Raise `NotUnderstood` where a row that spans lines holds other rows, or is never closed."""
    wrong = NotUnderstood(f"the quotation mark in row {number} is not closed")
    try:
        list(csv.reader(spanned, delimiter=separator, strict=True))
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise wrong from error
    for line in spanned[1:]:
        fields = dict(zip(names, next(csv.reader([line], delimiter=separator), []), strict=False))
        try:
            _clip(file, _text(_value(fields, _columns(fields)[0], "path"), "path"), tree)
        except RejectedFile:
            continue
        raise wrong


def _line_rows(text: str) -> Rows:
    """Read JSON lines; the first of them says whether they are those of a manifest."""
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    first = _parsed(lines[0][1]) if lines else "it is empty"
    if isinstance(first, str) or not _named(first):
        raise NotUnderstood(_reason(first, "its first line"))
    for number, line in lines:
        yield number, _parsed(line)


def _json_rows(text: str) -> Rows:
    """Read a list of objects, also below a name, or captions by the names of clips."""
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        yield from _line_rows(text)
        return
    lists = [whole] if isinstance(whole, list) else []
    path, caption = _columns({*map(_plain, whole)}) if isinstance(whole, dict) else ("", "")
    if isinstance(whole, dict) and not (path in PATHS and caption):
        lists = [value for value in whole.values() if _objects(value)]
        lists.sort(key=lambda one: not _named(map(_plain, one[0])))  # those of clips go first
        if not lists and not (path and caption):
            yield from _by_name(whole)
            return
    rows = lists[0] if lists and _objects(lists[0]) else [whole]
    first = _fields(rows[0])
    if isinstance(first, str) or not _named(first):
        raise NotUnderstood(_reason(first, "its first entry"))
    for number, value in enumerate(rows, 1):
        yield number, _fields(value)


def _objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _by_name(whole: Mapping[str, Any]) -> Rows:
    """Read captions by the names of clips."""
    texts = {
        name: value.get("caption") if isinstance(value, dict) else value
        for name, value in whole.items()
    }
    if not texts or not all(isinstance(value, str | list) for value in texts.values()):
        raise NotUnderstood(_reason(_fields(whole), "it"))
    for number, (name, value) in enumerate(texts.items(), 1):
        yield number, {"name": name, "caption": value}


def _parsed(line: str) -> Fields | str:
    try:
        return _fields(json.loads(line))
    except (ValueError, RecursionError) as error:
        return f"not valid JSON: {str(error)[:80]}"


def _fields(value: object) -> Fields | str:
    if not isinstance(value, dict):
        return "not a JSON object"
    return {_plain(name): content for name, content in value.items()}


def _reason(first: Fields | str, where: str) -> str:
    if isinstance(first, str):
        return f"{where} is {first}" if first.startswith("not") else first
    return f"{where} does not name path and caption, but: {', '.join(list(first)[:5])[:80]}"


def _paired(file: File, text: str, limits: VideoLimits, tree: Tree | None) -> Rows:
    """Read a list of clips with the list of captions beside it."""
    beside = captions_beside(file, tree)
    if beside is None:
        raise NotUnderstood(f"there is no {CAPTION_LISTS[0]} beside it")
    clips, captions = (_lines(part) for part in (text, read_text(beside, limits)))
    if len(clips) != len(captions):
        raise NotUnderstood(
            f"it names {len(clips)} clips, but {beside.place.name} has {len(captions)} captions"
        )
    for number, (clip, caption) in enumerate(zip(clips, captions, strict=True), 1):
        yield number, {"path": clip, "caption": caption}


def captions_beside(file: File, tree: Tree | None) -> File | None:
    """Return the list of captions that belongs to a list of clips."""
    if file.members:
        places = (file.place.with_name(name) for name in CAPTION_LISTS)
        return next((entry.file for place in places if tree and (entry := tree.find(place))), None)
    paths = (on_disk(file.path.parent, [name]) for name in CAPTION_LISTS)
    return next((File(path) for path in paths if path.is_file()), None)


def _lines(text: str) -> list[str]:
    return text.rstrip().replace("\r\n", "\n").split("\n")


def _value(fields: Fields, column: str, name: str) -> Any:
    if fields.get(column) is None:
        raise RejectedFile("row", f"the row has no {name}")
    return fields[column]


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise RejectedFile("row", f"the row has no {name}")
    return value


def _place(value: Any) -> Any:
    """Return the folder of a list of pictures that all lie in one; another value as it is."""
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        return value
    folders = {str(Path(one).parent) for one in value}
    return folders.pop() if len(folders) == 1 else None


def _captions(value: Any) -> list[str]:
    """Return the captions of a row, which may have several of the same clip."""
    values = value if isinstance(value, list) and value else [value]
    return [_text(one, "caption") for one in values]


def _clip(table: File, name: str, tree: Tree | None) -> Path:
    """Return the place of a clip below the table's folder; links must stay below it as well."""
    quoted = ascii(name[:80])
    if not name.strip() or "\0" in name:
        raise RejectedFile("path", f"{quoted} is not a path")
    folder = table.place.parent
    given = _relative(name.strip(), folder, quoted)
    if not table.members and (found := _below(folder, given, quoted)):
        return found
    ends = [given, *_of_id(given)]
    here = (entry.file.place for end in ends if tree and (entry := tree.find(folder / end)))
    return next(here, None) or _elsewhere(tree, ends, quoted)


def _elsewhere(tree: Tree | None, ends: Sequence[Path], quoted: str) -> Path:
    """Return the clip of another folder whose path ends so."""
    found = [place for end in ends if tree for place in tree.ending(end)]
    if len(found) == 1:
        return found[0]
    several = f", but {len(found)} of this name in other folders" * bool(found)
    raise RejectedFile("no-file", f"there is no file {quoted}{several}")


def _relative(name: str, folder: Path, quoted: str) -> Path:
    """Return a path relative to the folder, also of one written on Windows."""
    windows = PureWindowsPath(name)
    given = (
        Path(name) if "\\" not in name or (folder / name).exists() else Path(windows.as_posix())
    )
    if given.is_absolute() and given.is_relative_to(folder.absolute()):
        given = given.relative_to(folder.absolute())
    if given.is_absolute() or windows.drive or ".." in given.parts:
        raise RejectedFile(
            "path", f"{quoted} is not below the table's folder: write paths relative to it"
        )
    return given


def _of_id(given: Path) -> list[Path]:
    """Return the video files that a name without a suffix can mean."""
    return [given.with_name(given.name + suffix) for suffix in VIDEO]


def _below(folder: Path, given: Path, quoted: str) -> Path | None:
    root = folder.resolve()
    try:
        path = on_disk(root, given.parts)
        if not path.exists():
            path = next((video for video in _of_id(path) if video.is_file()), path)
        target = path.resolve()
        is_below = target.is_relative_to(root) and target != root
        exists = target.is_file() or is_sequence(target)
    except (OSError, RuntimeError, ValueError) as error:
        raise RejectedFile("path", f"{quoted} cannot be resolved") from error
    if not is_below:
        raise RejectedFile("path", f"{quoted} leads out of the table's folder")
    return folder / path.relative_to(root) if exists else None
