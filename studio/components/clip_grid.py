"""The grid of clips: those of one press of a button stand together, the newest first."""

import re
from functools import lru_cache
from pathlib import Path

from studio.components.markup import empty, escaped
from studio.folder import CLIPS, StudioFolder, is_text, read_text
from videogen.files.label import origin_of

MOST_SHOWN = 48
"""Clips of the grid, the newest ones."""
SUFFIXES = ("mp4", "webm", "gif", "png", "txt")


def clip_grid(folder: StudioFolder) -> str:
    """Return the clips of a folder as HTML."""
    shown, left = [], MOST_SHOWN
    for take in folder.takes(CLIPS):
        films = sorted(filter(is_text, take.glob("*.mp4")), key=_in_order)[:left]
        left -= len(films)
        if films:
            shown.append(_take(folder, take, films))
    if not shown:
        return empty("No clip yet. Type a sentence, or choose a suggestion.")
    return f'<div class="clips">{"".join(shown)}</div>'


def _in_order(path: Path) -> list[str]:
    """Return the name with its numbers as long as each other, so that 9 comes before 10."""
    return [part.zfill(20) if part.isdecimal() else part for part in re.split(r"(\d+)", path.stem)]


def _take(folder: StudioFolder, take: Path, films: list[Path]) -> str:
    """Return one clip, or several in a row of their own with what they are made of."""
    figures = "".join(_figure(folder, film) for film in films)
    if len(films) == 1:
        return figures
    day, time, *_ = take.name.split("_")
    pack = _link(_packed(folder, take), "all as .zip")
    return (
        f'<section class="take"><h2>{len(films)} clips, {day} {time.replace("-", ":")[:5]}'
        f'{pack}</h2><div class="clips">{figures}</div></section>'
    )


def _figure(folder: StudioFolder, film: Path) -> str:
    caption = escaped(read_text(film.with_suffix(".txt")).strip())
    links = [
        _link(folder.url(path), f".{suffix}")
        for suffix in SUFFIXES
        if (path := film.with_suffix(f".{suffix}")).is_file()
    ]
    if film.with_suffix("").is_dir():
        links.append(_link(_packed(folder, film.with_suffix("")), "frames"))
    plays = "controls" if _sounds(film) else "autoplay muted controls"
    return (
        f'<figure title="{escaped(film.stem)}"><video src="{folder.url(film)}" {plays} loop '
        f'playsinline aria-label="{caption or "clip"}"></video><figcaption>{caption}'
        f"<small>Download {' '.join(links)}</small>{_layers(folder, film)}</figcaption></figure>"
    )


def _layers(folder: StudioFolder, film: Path) -> str:
    path = film.with_name(f"{film.stem}-parts.png")
    if not path.is_file():
        return ""
    source = folder.url(path)
    return (
        f'<details><summary>Layers</summary><a href="{source}"><img src="{source}" '
        f'alt="gist, background, mask and foreground of the clip"></a></details>'
    )


@lru_cache(maxsize=1024)
def _sounds(film: Path) -> bool:
    """Return whether there is music under a clip, which is then not played unasked."""
    return ", music " in origin_of(film)


def _packed(folder: StudioFolder, path: Path) -> str:
    from urllib.parse import quote

    return f"zip?of={quote(folder.identity(path))}"


def _link(address: str, text: str) -> str:
    return f'<a download href="{address}">{escaped(text)}</a>'
