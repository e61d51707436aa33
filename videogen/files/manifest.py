"""Manifests: CSV and JSON lines that name clips below their own folder, each with its caption.

    path,caption                                    clips.csv
    dogs/rex.mp4,a dog runs to the left

    {"path": "dogs/rex.mp4", "caption": "..."}      clips.jsonl

A row that names anything else, or has no decent caption, is refused with its number; the others
are read.
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
"""Names of the two columns; of several the first is taken."""

UNSEEN = "Cc", "Cf", "Cs", "Co", "Cn"
"""Unicode's classes of characters that are no text."""
JOINERS = "\u200c\u200d"
"""Of these classes, but part of some scripts' words."""


@dataclass(frozen=True)
class Row:
    """A clip and its caption, or why the row cannot be used."""

    number: int
    path: Path | None = None
    caption: str = ""
    fault: tuple[str, str] | None = None


def caption_of(text: str, limits: VideoLimits) -> str:
    """A caption with single blanks; `RejectedFile` for one that is none."""
    if len(text) > 2 * limits.caption_characters:
        raise RejectedFile("caption", f"{len(text)} characters, at most {_most(limits)}")
    caption = " ".join(text.split())
    if not caption:
        raise RejectedFile("no-caption", "the caption is empty")
    if len(caption) > limits.caption_characters:
        raise RejectedFile("caption", f"{len(caption)} characters, at most {_most(limits)}")
    if any("\ud800" <= letter <= "\udfff" for letter in caption):
        raise RejectedFile("caption", "it is not UTF-8")
    for letter in caption:
        if unicodedata.category(letter) in UNSEEN and letter not in JOINERS:
            raise RejectedFile("caption", f"it holds the character {ord(letter):#x}")
    return caption


def _most(limits: VideoLimits) -> str:
    return f"{limits.caption_characters} are read"


def is_manifest(path: Path) -> bool:
    """Whether a file begins as a manifest does."""
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
    """Its rows, numbered as lines are: of a CSV the first after the header is row 2."""
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
"""Each row's number with its values by the names of their columns, or why there are none."""


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
            yield number, f"it cannot be read: {error}"
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
            yield number, f"it is no JSON: {str(error)[:80]}"
            continue
        if isinstance(values, dict):
            yield number, {name.strip().lower(): value for name, value in values.items()}
        else:
            yield number, "it is no object with names and values"


def _value(values: Mapping[str, Any], names: tuple[str, ...]) -> str:
    value = next((values[name] for name in names if name in values), None)
    if not isinstance(value, str):
        raise RejectedFile("row", f"it has no {names[0]}")
    return value


def _below(root: Path, name: str) -> Path:
    """A file below the manifest's folder, links followed; the path as it is named."""
    shown = ascii(name[:80])[1:-1]
    if not name.strip() or "\0" in name:
        raise RejectedFile("path", f"'{shown}' is no path")
    given = Path(name)
    if given.is_absolute() or PureWindowsPath(name).drive or ".." in given.parts:
        raise RejectedFile("path", f"'{shown}' is not below the manifest's folder")
    try:
        led = (root / given).resolve()
        here = led.is_relative_to(root) and led != root
        there = led.is_file()
    except (OSError, RuntimeError, ValueError) as error:
        raise RejectedFile("path", f"'{shown}' cannot be followed") from error
    if not here:
        raise RejectedFile("path", f"'{shown}' leads out of the manifest's folder")
    if not there:
        raise RejectedFile("no-file", f"there is no file '{shown}'")
    return root / given
