"""Find video files and their captions.

clips.csv, clips.jsonl      the rows of a manifest, the only captions of its folder
rex.mp4  rex.txt            a text file of the same name
dogs/rex.mp4                the name of the folder, a class
a_dog_runs.mp4              the file's own name

Of clips that pianoreel generated, which it writes in several formats, one is found.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from core.data.sources import RejectedFile, Source, expand_patterns, iterate_sources
from core.errors import UserError
from videogen.files.label import origin_of
from videogen.files.limits import VideoLimits
from videogen.files.manifest import MANIFESTS, caption_of, is_manifest, read_manifest
from videogen.files.reading import VIDEO

Origin = Literal["manifest", "text", "folder", "name"]
CaptionSource = Literal["auto", "manifest", "text", "folder", "name"]
"""auto: the first of the others, in this order, that exists for a file."""

TEXT = ".txt"

Manifests = dict[Path, list[Path]]
"""The manifests of each folder."""


@dataclass(frozen=True)
class Captioned:
    """A video file with its caption, or with `fault`, the reason why it is rejected.

    `state` changes when the file does.
    """

    name: str
    state: str
    caption: str = ""
    origin: Origin | None = None
    fault: tuple[str, str] | None = None


@dataclass
class Listing:
    """The files found; `passed_over` counts files of other kinds by suffix."""

    clips: list[Captioned] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)

    @property
    def sha256(self) -> str:
        """Return a digest of the names, states and captions."""
        digest = hashlib.sha256()
        for clip in self.clips:
            facts = (clip.name, clip.state, clip.caption, clip.origin, clip.fault)
            digest.update(repr(facts).encode(errors="surrogateescape"))
        return digest.hexdigest()


def listing(
    patterns: Sequence[str], captions: CaptionSource = "auto", limits: VideoLimits = VideoLimits()
) -> Listing:
    """Find all videos in folders, files, patterns and manifests, in a fixed order.

    Raises `UserError` for a pattern without a match, and if there is no video at all.
    """
    found, count = Listing(), 0
    for start in expand_patterns(patterns):
        files = _without_copies(
            iterate_sources([start], (*VIDEO, *MANIFESTS), limits, found.passed_over, archives=())
        )
        manifests = _manifests(start, files) if captions in ("auto", "manifest") else {}
        count += len(manifests)
        named: set[Path] = set()
        for table in sorted(path for paths in manifests.values() for path in paths):
            for clip in _rows(table, limits):
                found.clips.append(clip)
                named.add(Path(clip.name).resolve())
        for source in files:
            path = Path(source.name)
            if path.suffix.lower() not in MANIFESTS:
                if path.resolve() not in named:
                    found.clips.append(_captioned(source, start, captions, manifests, limits))
            elif path not in manifests.get(path.parent, []):
                found.passed_over[path.suffix.lower()] += 1
    if captions == "manifest" and not count:
        names = ", ".join(patterns)
        raise UserError(
            f"no manifest in {names}: add a CSV or JSONL with columns path and caption"
        )
    if not found.clips:
        kinds = ", ".join(f"{count} {kind}" for kind, count in found.passed_over.most_common(8))
        raise UserError(f"no video in {', '.join(patterns)}" + (f", only {kinds}" * bool(kinds)))
    return found


def _without_copies(sources: Iterable[Source]) -> list[Source]:
    """Return the files, of a generated clip in several formats only the one that says so."""
    files = list(sources)
    stems: dict[Path, list[Source]] = {}
    for source in files:
        if source.name.lower().endswith(VIDEO):
            stems.setdefault(Path(source.name).with_suffix(""), []).append(source)
    copies: set[str] = set()
    for formats in stems.values():
        generated = [one for one in formats if len(formats) > 1 and origin_of(Path(one.name))]
        copies |= {one.name for one in formats if generated and one is not generated[0]}
    return [source for source in files if source.name not in copies]


def _manifests(start: Path, files: Sequence[Source]) -> Manifests:
    """Return the manifests of each folder that has any."""
    manifests: Manifests = {}
    for path in (Path(source.name) for source in files):
        if path.suffix.lower() in MANIFESTS:
            if is_manifest(path):
                manifests.setdefault(path.parent, []).append(path)
            elif path == start:
                raise UserError(f"{path} is not a manifest: add the columns path and caption")
    return manifests


def _rows(table: Path, limits: VideoLimits) -> Iterator[Captioned]:
    for row in read_manifest(table, limits):
        name = f"{table}, row {row.number}"
        if row.path is None or row.fault:
            reason, detail = row.fault or ("row", "")
            yield Captioned(name, "", fault=(reason, f"row {row.number}: {detail}"))
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
    source: Source,
    start: Path,
    captions: CaptionSource,
    manifests: Manifests,
    limits: VideoLimits,
) -> Captioned:
    """Return a video that no manifest names, with its caption."""
    path = Path(source.name)
    if source.fault:
        return Captioned(source.name, "", fault=source.fault)
    try:
        caption, origin = _caption(path, start, captions, manifests, limits)
    except RejectedFile as error:
        return Captioned(source.name, source.state, fault=(error.reason, error.detail))
    return Captioned(source.name, source.state, caption, origin)


def _caption(
    path: Path,
    start: Path,
    captions: CaptionSource,
    manifests: Manifests,
    limits: VideoLimits,
) -> tuple[str, Origin]:
    above = next((manifests[folder] for folder in path.parents if folder in manifests), [])
    if above or captions == "manifest":
        names = ", ".join(table.name for table in above)
        raise RejectedFile("no-caption", f"no row of {names or 'a manifest'} names it")
    text = path.with_suffix(TEXT)
    automatic = captions == "auto"
    if captions == "text" or (automatic and text.is_file()):
        return caption_of(_read_text(text, limits), limits), "text"
    if captions == "folder" or (automatic and path != start and path.parent != start):
        return caption_of(_as_words(path.absolute().parent.name), limits), "folder"
    return caption_of(_as_words(path.stem), limits), "name"


def _read_text(path: Path, limits: VideoLimits) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(16 * limits.caption_characters)
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RejectedFile("caption", f"{path.name} is not UTF-8") from error
    except OSError as error:
        raise RejectedFile("no-caption", f"{path.name}: {error.strerror}") from error


def _as_words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")
