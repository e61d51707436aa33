"""The page: what lies in a folder, as one index.html with its files beside it.

It opens from a disk and on any web host, and loads nothing from elsewhere. A song is a .mid with a
sound of the same name, its notes are drawn by `gallery.js`; a clip is an .mp4, .webm or .gif with
the .txt of its sentence; a table is an evaluation.json. about.txt stands at the top, a paragraph
after each empty line.
"""

import filecmp
import html
import json
import logging
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.data.sources import RejectedFile
from core.errors import UserError
from core.files import (
    as_text,
    aside,
    create_folder,
    read_json,
    require_different,
    taking_turns,
    write_text,
)
from gallery.composer import FOLDER, SECTION, Composer, runtime_files
from musegen.files.midi import read_performance

SOUNDS = (".mp3", ".ogg", ".flac", ".wav")
CLIPS = (".mp4", ".webm", ".gif")
"""Kinds of files, the one that is shown first."""

MOST_NOTES = 100_000
"""Notes of a song that are drawn."""

ABOUT, INDEX = "about.txt", "index.html"

MARK = '<meta name="generator" content="pianoreel">'
"""The element by which a page is known as one of ours, to be written over."""

HERE = Path(__file__).parent

LOG = logging.getLogger("pianoreel")

FILE = re.compile(r' (?:src|href)="([^"]+)"')
"""A file beside the page, as the page names it."""

Notes = list[list[float]]
"""Start and length in seconds, pitch, velocity, and number of the track."""

Names = Mapping[Path, str]
"""The name beside the page of each file that it shows."""


@dataclass(frozen=True)
class Song:
    """A .mid with the sound of the same name, if any."""

    midi: Path
    sound: Path | None

    @property
    def files(self) -> list[Path]:
        return [self.midi, *([self.sound] if self.sound else [])]

    def roll(self) -> dict[str, Any]:
        """Return the tracks' names and the notes, as the page draws them; `UserError` for a file
        that cannot be read."""
        try:
            played = read_performance(self.midi, tracks=())
        except RejectedFile as error:
            if error.reason == "no-notes":
                return {"tracks": [], "drums": [], "notes": []}
            raise UserError(f"{self.midi}: {error.detail}") from error
        seconds = (played.start.round(3), played.seconds.round(3))
        columns = (*seconds, played.pitch, played.velocity, played.track)
        notes: Notes = list(map(list, zip(*(column.tolist() for column in columns), strict=True)))
        names = [track.name or f"Track {n + 1}" for n, track in enumerate(played.tracks)]
        drums = [number for number, track in enumerate(played.tracks) if track.is_drum]
        return {"tracks": names, "drums": drums, "notes": notes[:MOST_NOTES]}

    def html(self, names: Names) -> str:
        """Return the song as an article: player, roll, and a link to the MIDI file."""
        name = Path(names[self.midi]).stem
        data = json.dumps(self.roll()).replace("<", "\\u003c")
        links = " ".join(
            f'<a href="{_quoted(names[path])}" download>{path.suffix[1:]}</a>'
            for path in self.files
        )
        player = ""
        if self.sound:
            source = _quoted(names[self.sound])
            player = f'<audio controls preload="metadata" src="{source}"></audio>'
        return (
            f'<article class="song"><h3>{html.escape(name)}</h3>{player}'
            f'<div class="roll" tabindex="0"><canvas role="img" '
            f'aria-label="Piano roll of {html.escape(name)}"></canvas><div class="cursor"></div>'
            f'</div><p class="tracks"></p><p class="files">{links}</p>'
            f'<script type="application/json">{data}</script></article>'
        )


@dataclass(frozen=True)
class Clip:
    """A video or a gif, with its sentence."""

    path: Path
    sentence: str

    @property
    def files(self) -> list[Path]:
        return [self.path]

    def html(self, names: Names) -> str:
        """Return the clip as a figure."""
        name = names[self.path]
        source, said = _quoted(name), html.escape(self.sentence or Path(name).stem)
        shown = f'<video src="{source}" loop muted autoplay controls playsinline></video>'
        if self.path.suffix == ".gif":
            shown = f'<img src="{source}" alt="{said}">'
        return f"<figure>{shown}<figcaption>{said}</figcaption></figure>"


def write_gallery(
    folder: Path,
    to: Path,
    title: str = "",
    composer: Composer | None = None,
    overwrite: bool = False,
) -> Iterator[Path]:
    """Write the page of what lies in a folder and below it; yield the path of index.html.

    Files of one name have those of their folders before it, unless the page is in their folder,
    where they would be shown twice. With a `composer` the page makes new songs. A page is written
    over the one before it, whose files stay; those that it no longer shows are logged, as they
    may be nowhere else. Commands that write to one folder take turns. What lies in a page below
    the folder is not shown.
    `overwrite`: write over other files, too.

    `UserError` where there is nothing to show, two files have one name, or a file is not to be
    written over: then nothing is written.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: give one with songs, clips or evaluations")
    shown = _Shown.of(folder)
    songs, clips, tables = shown.songs(), shown.clips(), shown.found("evaluation.json")
    if not (songs or clips or tables):
        raise UserError(
            f"{folder} has nothing to show: no .mid, no {', '.join(CLIPS)}, no evaluation.json"
        )
    files = [path for one in (*songs, *clips) for path in one.files]
    names = _names(files, folder if folder.resolve() != to.resolve() else None)
    if composer:
        runtime_files(composer.runtime)
    sections = [
        *_about(folder / ABOUT),
        *([composer.html] if composer else []),
        *_section("Songs", [song.html(names) for song in songs]),
        *_section("Clips", [clip.html(names) for clip in clips], "clips"),
        *_section("Tables", [_table(path, folder) for path in tables]),
    ]
    scripts = ["gallery.js", *(["composer.js"] if composer else [])]
    page = _page(title or folder.resolve().name, sections, scripts)
    create_folder(to)
    with taking_turns(to):
        _write(to, page, names, composer, overwrite)
    yield to / INDEX


def _names(files: Sequence[Path], folder: Path | None) -> Names:
    """Name files as they are; those of one name by their folders below `folder`, if it is given.

    `ConfigError` for two of one name still.
    """
    shared = Counter(path.name for path in files)
    names = {
        path: "-".join(path.relative_to(folder).parts)
        if folder and shared[path.name] > 1
        else path.name
        for path in files
    }
    require_different((name, path) for path, name in names.items())
    return names


def _write(to: Path, page: str, names: Names, composer: Composer | None, overwrite: bool) -> None:
    """Write a page with its files and its composer; see `write_gallery`."""
    before = _page_in(to)
    copied = {
        to / name: path for path, name in names.items() if path.resolve() != (to / name).resolve()
    }
    if not overwrite:
        _require_free(to, copied, is_page=bool(before))
    for place, path in copied.items():
        with aside(place) as hidden:
            shutil.copyfile(path, hidden)
    if composer:
        composer.write(to)
    write_text(to / INDEX, page)
    gone = sorted(_named_files(before) - _named_files(page))
    if left := [name for name in gone if (to / name).exists()]:
        LOG.warning(
            "%s no longer shows %s, which the page before it did, and which stayed there: remove "
            "what you do not need",
            *(to / INDEX, ", ".join(as_text(name) for name in left)),
        )


@dataclass(frozen=True)
class _Shown:
    """A folder, but for the `pages` below it, which show already what lies in them."""

    folder: Path
    pages: frozenset[Path]

    @classmethod
    def of(cls, folder: Path) -> "_Shown":
        found = (path.parent for path in folder.rglob(INDEX))
        return cls(folder, frozenset(path for path in found if path != folder and _page_in(path)))

    def found(self, pattern: str) -> list[Path]:
        paths = sorted(self.folder.rglob(pattern))
        return [path for path in paths if self.pages.isdisjoint(path.parents)]

    def songs(self) -> list[Song]:
        found = (path for path in self.found("*.mid") if path.is_file())
        return [Song(path, _beside(path, SOUNDS)) for path in found]

    def clips(self) -> list[Clip]:
        stems = {path.with_suffix("") for end in CLIPS for path in self.found(f"*{end}")}
        clips = [path for stem in sorted(stems) if (path := _beside(stem, CLIPS))]
        return [Clip(path, _text(path.with_suffix(".txt")).strip()) for path in clips]


def _page_in(folder: Path) -> str:
    """Return the page of ours that a folder has; empty where it has none."""
    page = _text(folder / INDEX)
    return page if MARK in page else ""


def _named_files(page: str) -> set[str]:
    """Return the names of what a page has beside it: files that it shows, and a composer."""
    from urllib.parse import unquote_to_bytes

    names = {os.fsdecode(unquote_to_bytes(name)) for name in FILE.findall(page)}
    return names | {FOLDER} if SECTION in page else names


def _require_free(to: Path, places: Mapping[Path, Path], is_page: bool) -> None:
    """Raise `UserError` where a file would be written over that is not of a page of ours.

    `places`: where each file is copied to.
    """
    taken = [place for place in (*places, to / INDEX) if place.exists()]
    for place in taken:
        is_same = place in places and place.is_file() and filecmp.cmp(places[place], place, False)
        if not (is_same or (is_page and place.is_file())):
            raise UserError(
                f"{place} is there and holds something else: give another --to, or --overwrite"
            )


def _text(path: Path) -> str:
    """Return the text of a file; none where there is no such file."""
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _beside(path: Path, suffixes: Sequence[str]) -> Path | None:
    """Return the first file of this name with one of the suffixes."""
    stem = path.with_suffix("") if path.suffix in (".mid", *SOUNDS, *CLIPS) else path
    files = (stem.with_name(stem.name + end) for end in suffixes)
    return next((one for one in files if one.is_file()), None)


def _about(path: Path) -> list[str]:
    """Return the paragraphs of a text; none where there is no such file."""
    parts = [part.strip() for part in _text(path).split("\n\n")]
    return [f"<p>{html.escape(part)}</p>" for part in parts if part]


def _section(title: str, parts: Sequence[str], kind: str = "") -> list[str]:
    inner = f'<div class="{kind}">{"".join(parts)}</div>' if kind else "".join(parts)
    return [f"<section><h2>{title}</h2>{inner}</section>"] if parts else []


def _table(path: Path, folder: Path) -> str:
    """Return an evaluation as a table, a line for each row and a column for each measure."""
    try:
        rows = read_json(path)["rows"]
        columns = [key for key in rows[0] if not isinstance(rows[0][key], dict | list)]
        lines = [[_cell(row.get(key)) for key in columns] for row in rows]
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is no evaluation, as `evaluate --to` writes it") from error
    name = html.escape(str(path.parent.relative_to(folder)) if path.parent != folder else "")
    head = "".join(f"<th>{html.escape(key.replace('_', ' '))}</th>" for key in columns)
    body = "".join(f"<tr>{''.join(f'<td>{one}</td>' for one in line)}</tr>" for line in lines)
    caption = f"<caption>{name}</caption>" if name else ""
    return f'<div class="table"><table>{caption}<tr>{head}</tr>{body}</table></div>'


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return "-" if value is None else html.escape(str(value))


def _quoted(name: str) -> str:
    from urllib.parse import quote

    return quote(os.fsencode(name))  # not every name is UTF-8


def _page(title: str, sections: Sequence[str], scripts: Sequence[str]) -> str:
    style, *code = ((HERE / name).read_text("utf-8") for name in ("gallery.css", *scripts))
    scripted = "".join(f"<script>\n{one}</script>" for one in code)
    page = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">{MARK}\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{style}</style></head>\n"
        f"<body><main><h1>{html.escape(title)}</h1>\n"
        + "\n".join(sections)
        + f"\n</main>\n{scripted}</body></html>\n"
    )
    return page.encode("utf-8", "replace").decode()
