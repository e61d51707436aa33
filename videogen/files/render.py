"""A clip as a picture that one takes in at a glance, and as files that play.

draw_filmstrip(frames, "clip.png", caption)       all frames beside each other
write_samples(model, captions, 4, 1, "clips")     .mp4, .gif and filmstrip of each
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from matplotlib.figure import Figure

from core.errors import UserError
from videogen.files.clip import Clips, Frames, to_frames, write_gif, write_mp4
from videogen.model import Model

Row = tuple[str, UInt8[np.ndarray, "_ height width 3"]]
"""A title, and pictures beside each other; rows may differ in how many."""
Enlarged = UInt8[np.ndarray, "time rows columns 3"]

DPI = 100
WIDTH_PX = 1500
PICTURE_PX = 128
"""Small pictures are enlarged to about this height, each pixel to a square."""
GAP_PX, TITLE_PX = 4, 30
PLAYED_PX = 256
"""Height to which small clips are enlarged in the files that play."""
COLUMNS = 8
NAME_LETTERS = 60


def enlarged(frames: Frames, height_px: int) -> Enlarged:
    """Each pixel as a square of whole pixels, so that the height is about `height_px`."""
    factor = max(1, round(height_px / frames.shape[1]))
    return frames.repeat(factor, 1).repeat(factor, 2)


def draw_rows(rows: Sequence[Row], path: str | Path) -> None:
    """Rows of pictures under their titles; a row that is too wide goes on below."""
    lines = [line for row in rows for line in _lines(row)]
    width = max(strip.shape[1] for _, strip in lines)
    heights = [strip.shape[0] + TITLE_PX * bool(title) + GAP_PX for title, strip in lines]
    page = np.full((sum(heights) + GAP_PX, width + 2 * GAP_PX, 3), 255, np.uint8)
    figure = Figure(figsize=(page.shape[1] / DPI, page.shape[0] / DPI), dpi=DPI)
    top = 0
    for (title, strip), height in zip(lines, heights, strict=True):
        begin = top + height - strip.shape[0]
        page[begin : begin + strip.shape[0], GAP_PX : GAP_PX + strip.shape[1]] = strip
        across, down = (GAP_PX + 2) / page.shape[1], 1 - (begin - 7) / page.shape[0]
        figure.text(across, down, title, fontsize=11, color="#2e3440", parse_math=False)
        top += height
    figure.figimage(page, zorder=-1)
    figure.savefig(path)


def _lines(row: Row) -> Iterator[tuple[str, UInt8[np.ndarray, "height width 3"]]]:
    """A row as strips of about equal length, no wider than the page; the first has the title."""
    title, frames = row
    pictures = enlarged(frames, PICTURE_PX)
    apart = np.pad(pictures, ((0, 0), (0, 0), (0, GAP_PX), (0, 0)), constant_values=255)
    fitting = max(1, WIDTH_PX // apart.shape[2])
    strips = -(-len(apart) // fitting)
    for number, strip in enumerate(np.array_split(apart, strips)):
        yield ("" if number else title), np.concatenate(list(strip), 1)


def draw_filmstrip(frames: Frames, path: str | Path, caption: str) -> None:
    """All frames of a clip."""
    draw_rows([(caption, frames)], path)


def draw_grid(clips: Clips, captions: Sequence[str], path: str | Path) -> None:
    """A row of frames, evenly spaced, for each clip."""
    chosen = np.unique(np.linspace(0, clips.shape[2] - 1, COLUMNS).round().astype(int))
    frames = to_frames(clips)[:, chosen]
    draw_rows(list(zip(captions, frames, strict=True)), path)


def draw_parts(parts: Mapping[str, torch.Tensor], path: str | Path, caption: str) -> None:
    """What one clip is made of: pictures [rgb height width], clips [rgb time height width], masks
    [1 time height width] in [0, 1]."""
    rows: list[Row] = []
    for name, part in parts.items():
        coloured = 2 * part.expand(3, -1, -1, -1) - 1 if name == "mask" else part
        clip = coloured[:, None] if coloured.ndim == 3 else coloured
        rows.append((f"{name} of: {caption}" if not rows else name, to_frames(clip[None])[0]))
    draw_rows(rows, path)


def slug(caption: str) -> str:
    """A caption as part of a file's name.

    >>> slug("A dog/cat: ../runs!")
    'a-dog-cat-runs'
    """
    letters = re.sub(r"[^\w]+", "-", caption.lower()).strip("-_")
    return letters[:NAME_LETTERS].rstrip("-") or "clip"


def write_samples(
    model: Model, captions: Sequence[str], count: int, seed: int, to: Path, *, parts: bool = False
) -> Iterator[Path]:
    """Make `count` clips of each caption; yields each file's path once it is there.

    NUMBER-CAPTION-SEED.mp4, .gif and .png, the number from 1; `parts` adds -parts.png.
    """
    told = [caption for caption in captions for _ in range(count)]
    clips = model.clips(told, seed)
    made = model.parts(told, seed) if parts else {}
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write to {to}: {error.strerror}") from error
    for number, (caption, frames) in enumerate(zip(told, to_frames(clips), strict=True)):
        stem = to / f"{number + 1:03d}-{slug(caption)}-seed{seed}"
        yield from write_clip(frames, stem, caption, model.spec.frames_per_second)
        if made:
            path = stem.with_name(f"{stem.name}-parts.png")
            draw_parts({name: part[number] for name, part in made.items()}, path, caption)
            yield path


def write_clip(
    frames: Frames, stem: Path, caption: str, frames_per_second: float
) -> Iterator[Path]:
    """STEM.mp4 and STEM.gif, small clips enlarged, and the filmstrip STEM.png."""
    played = enlarged(frames, PLAYED_PX)
    files = {".mp4": write_mp4, ".gif": write_gif}
    for suffix, write in files.items():
        path = stem.with_name(stem.name + suffix)
        write(played, path, frames_per_second)
        yield path
    path = stem.with_name(stem.name + ".png")
    draw_filmstrip(frames, path, caption)
    yield path
