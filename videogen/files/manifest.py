"""Manifests: CSV and JSON lines that name clips below their own folder, each with its caption.

    path,caption                                    clips.csv
    dogs/rex.mp4,a dog runs to the left

    {"path": "dogs/rex.mp4", "caption": "..."}      clips.jsonl

A row that names any other file, or has no valid caption, is rejected with its row number; the
other rows are read.
"""

import csv
import json
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from core.data.sources import RejectedFile
from videogen.files.limits import VideoLimits

MANIFESTS = (".csv", ".jsonl")
PATHS = ("path", "file", "file_name", "filename", "video")
CAPTIONS = ("caption", "text", "prompt")
"""Accepted names of the two columns, in order of precedence."""

CONTROL = "Cc", "Cf", "Cs", "Co", "Cn"
"""Unicode categories of characters that are not text."""
JOINERS = "\u200c\u200d"
"""Characters of these categories that belong to words of some scripts."""


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
    caption = " ".join(text.split())
    if not caption:
        raise RejectedFile("no-caption", "the caption is empty")
    if len(caption) > limits.caption_characters:
        raise RejectedFile("caption", f"{len(caption)} characters, at most {_most(limits)}")
    if any("\ud800" <= letter <= "\udfff" for letter in caption):
        raise RejectedFile("caption", "the caption is not UTF-8")
    for letter in caption:
        if unicodedata.category(letter) in CONTROL and letter not in JOINERS:
            raise RejectedFile("caption", f"the caption contains the character {ord(letter):#x}")
    return caption


def _most(limits: VideoLimits) -> str:
    return f"{limits.caption_characters} are read"


def is_manifest(path: Path) -> bool:
    """Return whether the first line of a file is that of a manifest."""
    try:
        with path.open("rb") as file:
            first = file.readline(1 << 16).decode("utf-8-sig", "replace")
        if path.suffix.lower() == ".csv":
            names = next(csv.reader([first]), [])
        else:
            names = list(json.loads(first))
    except (OSError, ValueError, TypeError, RecursionError, csv.Error):
        return False
    named = {name.strip().lower() for name in names if isinstance(name, str)}
    return bool(named & set(PATHS)) and bool(named & set(CAPTIONS))


def read_manifest(path: Path, limits: VideoLimits = VideoLimits()) -> Iterator[Row]:
    """Yield the rows with their line numbers: the first row of a CSV after its header is 2."""
    if path.stat().st_size > limits.manifest_bytes:
        most = f"at most {limits.manifest_bytes} bytes of a manifest are read"
        yield Row(1, fault=("too-large", most))
        return
    root = path.parent.resolve()
    lines = _csv_rows if path.suffix.lower() == ".csv" else _json_rows
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        for number, values in lines(file):
            try:
                if isinstance(values, str):
                    raise RejectedFile("row", values)
                clip = _below(root, _value(values, PATHS))
                yield Row(number, clip, caption_of(_value(values, CAPTIONS), limits))
            except RejectedFile as error:
                yield Row(number, fault=(error.reason, error.detail))


Rows = Iterator[tuple[int, Mapping[str, Any] | str]]
"""Row number with the values by column name, or the reason why the row cannot be parsed."""


def _csv_rows(file: Any) -> Rows:
    reader = csv.reader(file)
    names = [name.strip().lower() for name in next(reader, [])]
    number = 1
    while True:
        number += 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, f"not valid CSV: {error}"
            continue
        if values:
            yield number, dict(zip(names, values, strict=False))


def _json_rows(file: Any) -> Rows:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield number, f"not valid JSON: {str(error)[:80]}"
            continue
        if isinstance(values, dict):
            yield number, {name.strip().lower(): value for name, value in values.items()}
        else:
            yield number, "not a JSON object"


def _value(values: Mapping[str, Any], names: tuple[str, ...]) -> str:
    value = next((values[name] for name in names if name in values), None)
    if not isinstance(value, str):
        raise RejectedFile("row", f"the row has no {names[0]}")
    return value


def _below(root: Path, name: str) -> Path:
    """Return the path of a file below the manifest's folder; links must stay below it as well."""
    quoted = ascii(name[:80])
    if not name.strip() or "\0" in name:
        raise RejectedFile("path", f"{quoted} is not a path")
    given = Path(name)
    if given.is_absolute() or PureWindowsPath(name).drive or ".." in given.parts:
        raise RejectedFile("path", f"{quoted} is not below the manifest's folder")
    try:
        target = (root / given).resolve()
        is_below = target.is_relative_to(root) and target != root
        exists = target.is_file()
    except (OSError, RuntimeError, ValueError) as error:
        raise RejectedFile("path", f"{quoted} cannot be resolved") from error
    if not is_below:
        raise RejectedFile("path", f"{quoted} leads out of the manifest's folder")
    if not exists:
        raise RejectedFile("no-file", f"there is no file {quoted}")
    return root / given
