"""Tables: the rows of a file as values by the names of their columns.

    path,caption                                    clips.csv, also with ; | tabs or other signs
    rex.mp4|a dog runs                              the same without its first line, also as .txt
    Ab1_8_15 a dog runs                             ids of clips before their captions (MSVD)
    {"path": "dogs/rex.mp4", "caption": "..."}      clips.jsonl, or a list of them in clips.json
    {"rex.mp4": ["a dog", "a dog runs"]}            captions by the names of clips
    {"database": {"Ab1": {"annotations": [...]}}}   the same, with times (ActivityNet, YouCook2)
    dogs/rex.mp4                                    videos.txt, a line for each line of prompts.txt

A table of which that cannot be said is `NotUnderstood`.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

from core.data.sources import RejectedFile
from videogen.data.cells import Faulty, Fields, NotUnderstood
from videogen.data.time_columns import times_in
from videogen.files.limits import VideoLimits
from videogen.files.reading import VIDEO
from videogen.files.text import decode
from videogen.files.tree import File, Tree, folded, on_disk

LINES = (".jsonl", ".ndjson", ".jsonlines")
"""Suffixes of tables of an object a line."""
TABLES = (".csv", ".tsv", *LINES, ".json")
"""Suffixes of tables."""
TEXT_TABLES = (".txt", ".caption", ".tab", ".psv", ".list", ".lst", ".dat", ".log", ".md", "")
"""Suffixes of texts that may be tables: Excel writes those of Unicode text as .txt."""
LISTS = ("videos.txt", "video.txt")
"""Names of lists of clips, in the order of the captions that lie beside them."""
CAPTION_LISTS = ("prompts.txt", "prompt.txt", "captions.txt", "caption.txt")

PATHS = (
    *("path", "file", "file_name", "filename", "file_path", "filepath", "file_names"),
    *("video", "video_path", "video_file", "video_filename", "video_name", "media", "media_path"),
    *("clip", "clip_path", "clip_name", "video_id", "videoid"),
    *("video_file_name", "video_file_names", "video_filepath", "video_paths", "videos"),
    *("clip_file", "clip_filename", "relative_path", "relpath", "rel_path", "local_path", "fname"),
)
IDS = (
    *("youtube_id", "youtubeid", "clip_id", "clipid", "vid", "id", "name"),
    *("url", "video_url", "contenturl", "link", "video_link"),
)
"""Names of a column of clips only where one of its rows names one: other tables have it, too."""
CAPTIONS = (
    *("caption", "text", "prompt", "description", "captions", "prompts", "descriptions"),
    *("video_caption", "video_description", "long_caption", "short_caption", "sentence"),
    *("sentences", "narration", "label", "encap", "cap", "title", "class", "action", "name"),
)
"""Accepted names of the two columns, in order of precedence."""
WORDS = CAPTIONS[: CAPTIONS.index("label")]
"""Those that name nothing but captions."""
NUMBERED = re.compile(r"(caption|text|prompt|description|sentence)_?\d+")
"""Names of columns of several captions of a clip."""
_LONGER = re.compile(
    r"(?!neg|num_|n_|has_|is_).+(?:caption|description|prompt|sentence|narration)s?"
)
"""Longer names of a column of captions, if there is one alone."""
SEPARATORS = ",;\t|"
OTHERS = ("##", "^", "~", "\x01", "\x1f", "::", "=>", "->", ":", "=")
"""Signs between a clip and its caption, where no line names the columns."""
_SIGNS = re.compile(r"\s*[^\w\s\"'()\[\]]+\s*|\s+")
"""Signs between the names of columns."""
_IN_NAMES = "-./\\+&"
"""Signs that stand in names of files, and separate columns only with spaces around them."""
_SPACES, _SPACE, _CELL_END = "  ", " ", "\x1f"
"""Separators: two spaces or more, one before the caption alone, and that of ASCII."""

_RULE = re.compile(r"\s*:?-*:?\s*")
"""A cell of the line below the names of columns in Markdown."""

OPENS = re.compile(r'\\"\w')
ESCAPED = re.compile(r'\\"(?!\s*(?:[,;\t|]|$))', re.MULTILINE)
"""A quotation mark that opens within a caption, and any within one, as Spark and MySQL write them;
not one that closes a cell after a folder of Windows."""

FIELD_BYTES = 1 << 24
"""Most characters of one field of a CSV, far beyond those of a caption."""
Rows = Iterator[tuple[int, Fields | str]]
"""Row number with the values, or the reason why the row cannot be parsed."""


def is_list(path: Path) -> bool:
    """Return whether a file is named as a list of clips."""
    return path.name.lower() in LISTS


def columns(names: Container[str]) -> tuple[str, str]:
    """Return the names of the two columns; an empty one for a column that is not there."""
    path = next((name for name in (*PATHS, *IDS) if name in names), "")
    known = [name for name in CAPTIONS if name in names and name != path]
    if (not known or known[0] not in WORDS) and isinstance(names, Iterable):
        numbered = [name for name in sorted(names) if NUMBERED.fullmatch(name)]
        longer = [name for name in names if _LONGER.fullmatch(name) and name != path]
        if numbered or longer:
            return path, numbered[0] if numbered else longer[0] if len(longer) == 1 else ""
    return path, known[0] if known else ""


def rows(
    file: File, limits: VideoLimits, tree: Tree | None, is_clip: Callable[[Fields], bool]
) -> Rows:
    """Read a table; `tree` holds the clips, `is_clip` says whether a row names one of them."""
    text = read_text(file, limits)
    if is_list(file.place):
        return _paired(file, text, limits, tree)
    if file.suffix == ".json":
        return _json_rows(text)
    return _line_rows(text) if file.suffix in LINES else _csv_rows(file, text, tree, is_clip)


def read_text(file: File, limits: VideoLimits) -> str:
    """Return the text of a table; `NotUnderstood` if it is too large or of no known encoding."""
    try:
        data = file.read(limits, limits.manifest_bytes + 1)
        if len(data) > limits.manifest_bytes:
            raise NotUnderstood(f"at most {limits.manifest_bytes} bytes of a manifest are read")
        return decode(data)
    except RejectedFile as error:
        raise NotUnderstood(error.detail) from error


def _csv_rows(file: File, text: str, tree: Tree | None, is_clip: Callable[[Fields], bool]) -> Rows:
    """Read a CSV; its separator is the one by which its first line has the columns."""
    csv.field_size_limit(FIELD_BYTES)
    doubled = ESCAPED.sub('""', text) if OPENS.search(text) else text
    lines = list(io.StringIO(doubled, newline=""))
    try:
        head, (names, separator) = _header(lines)
    except NotUnderstood:
        if found := _without_header(file, lines, tree):
            yield from found
            return
        raise
    reader = _reader(lines[head + 1 :], separator)
    number = head + 1 - lines[0].lower().startswith("sep=")
    while True:
        number, begin = number + 1, reader.line_num
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, f"not valid CSV: {error}"
            continue
        spanned = lines[head + 1 + begin : head + 1 + reader.line_num]
        if len(spanned) > 1:
            _require_closed(names, separator, spanned, number, is_clip)
        is_head = [_plain(name) for name in _filled(values)] == names  # of a joined file
        if _filled(values) and not is_head and not all(map(_RULE.fullmatch, values)):
            yield number, _cells(names, values, separator)


def _reader(lines: Iterable[str], separator: str, strict: bool = False) -> Any:
    """Return the cells of lines; what separates them may be several signs."""
    if separator == _SPACES:
        lines = (re.sub(r" {2,}", _CELL_END, line.strip()) for line in lines)
    elif separator == _SPACE:
        lines = (re.sub(r"\s+", _CELL_END, line.strip(), count=1) for line in lines)
    elif len(separator) > 1:
        lines = (line.replace(separator, _CELL_END) for line in lines)
    if len(separator) > 1 or separator == _SPACE:
        return _reader(lines, _CELL_END, strict)
    return csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=strict)


def _header(lines: Sequence[str]) -> tuple[int, tuple[list[str], str]]:
    """Return which line names the columns, their names and their separator.

    Before it there may be empty lines and remarks, and the separator as Excel writes it.
    """
    filled = [number for number, line in enumerate(lines) if line.strip()]
    for number in filled:
        line = lines[number]
        for separator in (*SEPARATORS, *_signs(line)):
            cells = _filled(next(_reader([line.lstrip("# ")], separator), []))
            names = [_plain(name) for name in cells]
            if _named(names) and (separator != _SPACE or names[0] in PATHS):
                _require_once(names)
                return number, (names, separator)
        if not line.startswith("#") and not (number == 0 and line.lower().startswith("sep=")):
            break
    else:
        line = ""
    shown = ", ".join(re.split(r"[,;\t|]", line.strip())[:5])[:80]
    raise NotUnderstood(f"its first line is not that of columns path and caption, but: {shown}")


def _require_once(names: Sequence[str]) -> None:
    """Raise `Faulty` where two columns have the name of that of the clips or of the captions."""
    for name in columns(set(names)):
        if names.count(name) > 1:
            raise Faulty(f"{names.count(name)} columns are called {name}: leave one out")


def _signs(line: str) -> Iterator[str]:
    """Yield the signs by which names may be separated in a line."""
    for sign in dict.fromkeys(_SIGNS.findall(line.strip())):
        if not sign.strip():
            yield _SPACES if len(sign) > 1 else _SPACE
        elif sign.strip() not in _IN_NAMES:
            yield sign.strip()
        elif sign != sign.strip():
            yield sign


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
    path, caption = columns(set(names))
    return bool(path and caption)


def _require_closed(
    names: Sequence[str],
    separator: str,
    spanned: Sequence[str],
    number: int,
    is_clip: Callable[[Fields], bool],
) -> None:
    """Raise `Faulty` where a row that spans lines holds other rows, or is never closed."""
    wrong = Faulty(f"the quotation mark in row {number} is not closed")
    try:
        list(_reader(spanned, separator, strict=True))
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise wrong from error
    for line in spanned[1:]:
        if is_clip(dict(zip(names, next(_reader([line], separator), []), strict=False))):
            raise wrong


WORD = re.compile(r"[^\W\d_]")
TIMED = re.compile(r"(\S+)\s+(\d+(?:\.\d+)?)\s+(\d+(?:\.\d+)?)")
"""An id, and the times at which its excerpt begins and ends (Charades-STA)."""
NAMED = re.compile(
    rf"(.+?(?:{'|'.join(map(re.escape, VIDEO))}))"
    r"(?:\s*[:=]\s*|\s+[-\u2013\u2014>]+\s+|\s+)(.+)",
    re.I,
)
"""A clip before its caption: with a colon, a sign of equality, a dash or a space between."""
_OTHER = re.compile(
    rf"[0-9a-f]{{16,}}|[\d.,:]+ ?\w{{1,3}}|\S+(?:{'|'.join(map(re.escape, VIDEO))})", re.I
)
"""Words beside a clip that are no caption: a checksum, a length with its unit, another file."""
PARTS = ("train", "training", "test", "testing", "val", "valid", "validation", "dev")
"""Words beside a clip that say to which part of a collection it belongs."""
SHORT_NUMBER = re.compile(r"\d{1,4}")
"""A name that may be anything, such as the number of a class."""


def _without_header(
    file: File, lines: Sequence[str], tree: Tree | None
) -> list[tuple[int, Fields | str]]:
    """Read lines of a clip and its caption; empty for a table of anything else.

    The first line is such a one, and so are half of the others. Words after a space can be notes:
    then half of the clips are named.
    """
    videos = _videos(file, tree)
    names = {folded(Path(name)) for video in videos for name in (video, Path(video).stem)}
    filled = [
        (number, line.strip())
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.startswith("#")
    ]
    for separator in (OTHERS[0], *SEPARATORS, *OTHERS[1:], " "):
        found = [(number, _split(line, separator)) for number, line in filled]
        of_clips = [
            fields
            for (_, fields), (_, line) in zip(found, filled, strict=True)
            if _is_of_clip(fields, names, separator)
            or (isinstance(fields, str) and file.suffix not in TABLES and _begins(line, separator))
        ]
        read = [one for one in of_clips if not isinstance(one, str)]
        few = separator == " " and 2 * len({one["path"] for one in read}) < max(4, len(videos))
        few = few or {one["caption"].strip().casefold() for one in read} <= {*PARTS}
        if found and of_clips[:1] == [found[0][1]] and 2 * len(of_clips) >= len(found) and not few:
            return found
    return []


def _split(line: str, separator: str) -> Fields | str:
    """Return the clip and the caption of a line, and the times between them."""
    if separator in SEPARATORS:
        try:
            return _cells(("path", "caption"), next(_reader([line], separator), []), separator)
        except csv.Error as error:
            return f"not valid CSV: {error}"
    named = NAMED.fullmatch(line) if separator == " " else None
    name, caption = named.groups() if named else line.partition(separator)[::2]
    fields = {"path": name.strip(), "caption": caption.strip()}
    if timed := TIMED.fullmatch(fields["path"]):
        return {**fields, "path": timed[1], "start": timed[2], "end": timed[3]}
    return fields


def _begins(line: str, separator: str) -> bool:
    """Return whether a line that is cut into too many cells begins with the name of a video."""
    return Path(line.partition(separator)[0].strip()).suffix.lower() in VIDEO


def _videos(file: File, tree: Tree | None) -> set[str]:
    """Return the names of the videos that lie below a table or beside it."""
    beside = [] if file.members else file.path.parent.iterdir()
    names = {place.name for place in [*beside, *(tree.entries if tree else ())]}
    return {name for name in names if Path(name).suffix.lower() in VIDEO}


def _is_of_clip(fields: Fields | str, names: set[str], separator: str) -> bool:
    """Return whether a line names a clip, and says something of it in words.

    A word or a short number without a suffix may be something else, such as a class.
    """
    caption = "" if isinstance(fields, str) else fields.get("caption", "")
    if isinstance(fields, str) or not WORD.search(caption) or _OTHER.fullmatch(caption):
        return False
    last = PureWindowsPath(fields["path"].strip()).name  # which knows both slashes
    if Path(last).suffix.lower() in VIDEO:
        return True
    is_word = separator == " " and not re.search(r"\d", last)
    return not (is_word or SHORT_NUMBER.fullmatch(last)) and folded(Path(last)) in names


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
        whole = _loaded(text)
    except (ValueError, RecursionError):
        yield from _line_rows(text)
        return
    if isinstance(whole, dict) and isinstance(whole.get("database"), dict):
        whole = whole["database"]
    if isinstance(whole, dict) and (found := _in_rows(whole)):
        whole = found
    lists = [whole] if isinstance(whole, list) else []
    path, caption = columns({*map(_plain, whole)}) if isinstance(whole, dict) else ("", "")
    if isinstance(whole, dict) and not (path in PATHS and caption):
        lists = [value for value in whole.values() if _objects(value)]
        lists.sort(key=lambda one: not _named(map(_plain, one[0])))  # those of clips go first
        if not lists and not (path and caption):
            yield from _by_name(whole)
            return
    entries = lists[0] if lists and _objects(lists[0]) else [whole]
    first = _fields(entries[0])
    if isinstance(first, str) or not _named(first):
        raise NotUnderstood(_reason(first, "its first entry"))
    for number, value in enumerate(entries, 1):
        yield number, _fields(value)


def _loaded(text: str) -> Any:
    """Return what JSON says; `Faulty` where an object has two values of one name."""
    return json.loads(text, object_pairs_hook=_object)


def _object(pairs: Sequence[tuple[str, Any]]) -> Mapping[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = [name for name, value in pairs if found[name] != value]
        if twice:
            raise Faulty(f"{twice[0]} stands in it twice: write a list of both")
    return found


def _in_rows(whole: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the rows of an object of columns, as pandas writes it; none for any other."""
    path, caption = columns({*map(_plain, whole)})
    if not (path and caption):
        return []
    columns_of = {
        name: dict(enumerate(value)) if isinstance(value, list) else value
        for name, value in whole.items()
        if isinstance(value, dict | list)
    }
    first = next((of for name, of in columns_of.items() if _plain(name) == path), {})
    of_rows = {name: of for name, of in columns_of.items() if of.keys() == first.keys()}
    if caption not in map(_plain, of_rows):
        return []
    return [{name: of[row] for name, of in of_rows.items()} for row in first]


def _objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _by_name(whole: Mapping[str, Any]) -> Rows:
    """Read captions, or entries with captions, by the names of clips."""
    found = [
        (number, fields)
        for number, (name, value) in enumerate(whole.items(), 1)
        for fields in _of_name(name, value)
    ]
    if not found or not all(columns(fields)[1] for _, fields in found):
        raise NotUnderstood(_reason(_fields(whole), "it"))
    yield from found


def _of_name(name: str, value: Any) -> Iterator[Fields]:
    """Yield the rows of a clip: of an entry, or of each of its annotations."""
    if not isinstance(value, dict):
        yield {"name": name, "caption": value} if isinstance(value, str | list) else {}
        return
    given = value.get("annotations")
    annotations = [given] if isinstance(given, dict) else given
    for one in annotations if isinstance(annotations, list) and _objects(annotations) else [value]:
        fields = _fields(one)
        own = {} if isinstance(fields, str) else fields
        yield {"name": name} | {key: own[key] for key in own if key not in IDS}


def _parsed(line: str) -> Fields | str:
    try:
        return _fields(_loaded(line))
    except (ValueError, RecursionError) as error:
        return f"not valid JSON: {str(error)[:80]}"


def _fields(value: object) -> Fields | str:
    """Return an object's values by their names; what it lacks can be in the objects in it."""
    if not isinstance(value, dict):
        return "not a JSON object"
    fields = {_plain(name): content for name, content in value.items()}
    objects = {name: content for name, content in fields.items() if isinstance(content, dict)}
    for name, content in objects.items():
        inner = {_plain(key): one for key, one in content.items()}
        path, caption = columns(inner)
        if name in (*PATHS, *IDS) and path:
            fields[name] = inner[path]
        elif name in CAPTIONS and caption:
            fields[name] = inner[caption]
        else:
            own_path, own_caption = columns(fields)
            lent = [path] * (path in PATHS and not own_path)
            lent += [caption] * (caption in WORDS and not own_caption)
            fields |= {key: inner[key] for key in lent}
        fields = {**times_in(name, inner), **fields}
    return fields


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
