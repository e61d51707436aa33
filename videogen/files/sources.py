"""Where clips and their captions come from; the two are one item from here on.

clips.csv, clips.jsonl      a manifest's rows; in a folder that has one nothing else counts
rex.mp4  rex.txt            side text of the same name
dogs/rex.mp4                a class folder: its name
a_dog_runs.mp4              the file's own name
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from core.data.sources import RejectedFile, Source, find_sources, roots
from core.errors import UserError
from videogen.files.limits import VideoLimits
from videogen.files.manifest import MANIFESTS, caption_of, is_manifest, read_manifest
from videogen.files.reading import VIDEO

Origin = Literal["manifest", "text", "folder", "name"]
How = Literal["auto", "manifest", "text", "folder", "name"]
"""auto: the first of the others that there is for a clip."""

SIDE = ".txt"


@dataclass(frozen=True)
class Captioned:
    """A clip with its caption, or `fault`, why there is none; `state` changes when either does."""

    name: str
    state: str
    caption: str = ""
    origin: Origin | None = None
    fault: tuple[str, str] | None = None


@dataclass
class Listing:
    """What was found; `passed_over` counts files of other kinds by suffix."""

    clips: list[Captioned] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)

    @property
    def sha256(self) -> str:
        """Of the clips' names, states and captions."""
        digest = hashlib.sha256()
        for clip in self.clips:
            said = (clip.name, clip.state, clip.caption, clip.origin, clip.fault)
            digest.update(repr(said).encode(errors="surrogateescape"))
        return digest.hexdigest()


def listing(
    patterns: Sequence[str], how: How = "auto", limits: VideoLimits = VideoLimits()
) -> Listing:
    """All clips in folders, files, patterns and manifests, in a fixed order.

    Raises `UserError` for a pattern that names nothing, and where there is no clip.
    """
    found, manifests = Listing(), 0
    for start in roots(patterns):
        files = list(
            find_sources([start], (*VIDEO, *MANIFESTS), limits, found.passed_over, archives=())
        )
        tables = _manifests(start, files) if how in ("auto", "manifest") else {}
        manifests += len(tables)
        named: set[Path] = set()
        for table in sorted(path for paths in tables.values() for path in paths):
            for clip in _rows(table, limits):
                found.clips.append(clip)
                named.add(Path(clip.name).resolve())
        for source in files:
            path = Path(source.name)
            if path.suffix.lower() not in MANIFESTS:
                if path.resolve() not in named:
                    found.clips.append(_captioned(source, start, how, tables, limits))
            elif path not in tables.get(path.parent, []):
                found.passed_over[path.suffix.lower()] += 1
    if how == "manifest" and not manifests:
        raise UserError(f"no manifest in {', '.join(patterns)}: a CSV or JSONL with path, caption")
    if not found.clips:
        kinds = ", ".join(f"{count} {kind}" for kind, count in found.passed_over.most_common(8))
        raise UserError(f"no video in {', '.join(patterns)}" + (f", only {kinds}" * bool(kinds)))
    return found


def _manifests(start: Path, files: Sequence[Source]) -> dict[Path, list[Path]]:
    """The manifests of each folder that has any."""
    tables: dict[Path, list[Path]] = {}
    for path in (Path(source.name) for source in files):
        if path.suffix.lower() in MANIFESTS:
            if is_manifest(path):
                tables.setdefault(path.parent, []).append(path)
            elif path == start:
                raise UserError(f"{path} is no manifest: it wants the columns path and caption")
    return tables


def _rows(table: Path, limits: VideoLimits) -> Iterator[Captioned]:
    for row in read_manifest(table, limits):
        where = f"{table}, row {row.number}"
        if row.path is None or row.fault:
            reason, detail = row.fault or ("row", "")
            yield Captioned(where, "", fault=(reason, f"row {row.number}: {detail}"))
        else:
            yield Captioned(
                str(table.parent / row.path.relative_to(table.parent.resolve())),
                _state(row.path),
                row.caption,
                "manifest",
            )


def _state(path: Path) -> str:
    state = path.stat()
    return f"{state.st_size} {state.st_mtime_ns}"


def _captioned(
    source: Source, start: Path, how: How, tables: dict[Path, list[Path]], limits: VideoLimits
) -> Captioned:
    """A clip that no manifest names, with its caption."""
    path = Path(source.name)
    if source.fault:
        return Captioned(source.name, "", fault=source.fault)
    try:
        caption, origin = _caption(path, start, how, tables, limits)
    except RejectedFile as error:
        return Captioned(source.name, source.state, fault=(error.reason, error.detail))
    return Captioned(source.name, source.state, caption, origin)


def _caption(
    path: Path, start: Path, how: How, tables: dict[Path, list[Path]], limits: VideoLimits
) -> tuple[str, Origin]:
    over = next((tables[folder] for folder in path.parents if folder in tables), None)
    if over or how == "manifest":
        names = ", ".join(table.name for table in over or [])
        raise RejectedFile("no-caption", f"no row of {names or 'a manifest'} names it")
    side = path.with_suffix(SIDE)
    if how == "text" or (how == "auto" and side.is_file()):
        return caption_of(_text(side, limits), limits), "text"
    if how == "folder" or (how == "auto" and path != start and path.parent != start):
        return caption_of(_plain(path.absolute().parent.name), limits), "folder"
    return caption_of(_plain(path.stem), limits), "name"


def _text(side: Path, limits: VideoLimits) -> str:
    try:
        with side.open("rb") as file:
            data = file.read(16 * limits.caption_characters)
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RejectedFile("caption", f"{side.name} is not UTF-8") from error
    except OSError as error:
        raise RejectedFile("no-caption", f"{side.name}: {error.strerror}") from error


def _plain(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")
