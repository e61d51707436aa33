"""Write clips as pictures (filmstrips and grids) and as playable files.

draw_filmstrip(frames, "clip.png", caption)         all frames side by side
write_clip(frames, Path("clip"), caption, 8)        clip.mp4, clip.gif and the filmstrip clip.png
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

Row = tuple[str, UInt8[np.ndarray, "_ height width 3"]]
"""A title, and images side by side; rows may differ in number."""
Enlarged = UInt8[np.ndarray, "time rows columns 3"]

DPI = 100
WIDTH_PX = 1500
IMAGE_PX = 128
"""Height to which small images are enlarged in pictures."""
GAP_PX, TITLE_PX = 4, 30
PLAYER_PX = 256
"""Height to which small clips are enlarged in playable files."""
COLUMNS = 8
"""Frames of a clip in a grid."""
NAME_LETTERS = 60


def enlarged(frames: Frames, height_px: int) -> Enlarged:
    """Enlarge frames by a whole factor, to a height of about `height_px`."""
    factor = max(1, round(height_px / frames.shape[1]))
    return frames.repeat(factor, 1).repeat(factor, 2)


def draw_rows(rows: Sequence[Row], path: str | Path) -> None:
    """Draw rows of images under their titles; a row that is too wide is wrapped."""
    lines = [line for row in rows for line in _lines(row)]
    width = max(strip.shape[1] for _, strip in lines)
    heights = [strip.shape[0] + TITLE_PX * bool(title) + GAP_PX for title, strip in lines]
    page = np.full((sum(heights) + GAP_PX, width + 2 * GAP_PX, 3), 255, np.uint8)
    figure = Figure(figsize=(page.shape[1] / DPI, page.shape[0] / DPI), dpi=DPI)
    top = 0
    for (title, strip), height in zip(lines, heights, strict=True):
        start = top + height - strip.shape[0]
        page[start : start + strip.shape[0], GAP_PX : GAP_PX + strip.shape[1]] = strip
        x, y = (GAP_PX + 2) / page.shape[1], 1 - (start - 7) / page.shape[0]
        figure.text(x, y, title, fontsize=11, color="#2e3440", parse_math=False)
        top += height
    figure.figimage(page, zorder=-1)
    figure.savefig(path)


def _lines(row: Row) -> Iterator[tuple[str, UInt8[np.ndarray, "height width 3"]]]:
    """Wrap a row into strips of about equal length; the first has the title."""
    title, frames = row
    images = enlarged(frames, IMAGE_PX)
    images = np.pad(images, ((0, 0), (0, 0), (0, GAP_PX), (0, 0)), constant_values=255)
    strips = -(-len(images) // max(1, WIDTH_PX // images.shape[2]))
    for number, strip in enumerate(np.array_split(images, strips)):
        yield ("" if number else title), np.concatenate(list(strip), 1)


def draw_filmstrip(frames: Frames, path: str | Path, caption: str) -> None:
    """Draw all frames of a clip."""
    draw_rows([(caption, frames)], path)


def draw_grid(clips: Clips, captions: Sequence[str], path: str | Path) -> None:
    """Draw a row of evenly spaced frames for each clip."""
    times = np.unique(np.linspace(0, clips.shape[2] - 1, COLUMNS).round().astype(int))
    frames = to_frames(clips)[:, times]
    draw_rows(list(zip(captions, frames, strict=True)), path)


def draw_parts(parts: Mapping[str, torch.Tensor], path: str | Path, caption: str) -> None:
    """Draw the layers of one clip, one row each.

    Images are [rgb height width], clips [rgb time height width], the mask [1 time height width]
    in [0, 1].
    """
    rows: list[Row] = []
    for name, part in parts.items():
        if name == "mask":
            part = 2 * part.expand(3, -1, -1, -1) - 1  # [rgb time height width]
        clip = part[:, None] if part.ndim == 3 else part  # [rgb time height width]
        rows.append((f"{name} of: {caption}" if not rows else name, to_frames(clip[None])[0]))
    draw_rows(rows, path)


def slug(caption: str) -> str:
    """Return a caption as part of a file name.

    >>> slug("A dog/cat: ../runs!")
    'a-dog-cat-runs'
    """
    letters = re.sub(r"[^\w]+", "-", caption.lower()).strip("-_")
    return letters[:NAME_LETTERS].rstrip("-") or "clip"


def write_samples(
    clips: Clips,
    captions: Sequence[str],
    frames_per_second: float,
    seed: int,
    to: Path,
    layers: Mapping[str, torch.Tensor] | None = None,
) -> Iterator[Path]:
    """Write the clips of captions; yield the path of each file once it is written.

    Files are NUMBER-CAPTION-SEED.mp4, .gif and .png, numbered from 1; with `layers`, tensors whose
    first axis counts clips, also -parts.png.
    """
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write to {to}: {error.strerror}") from error
    for number, (caption, frames) in enumerate(zip(captions, to_frames(clips), strict=True)):
        stem = to / f"{number + 1:03d}-{slug(caption)}-seed{seed}"
        yield from write_clip(frames, stem, caption, frames_per_second)
        if layers:
            path = stem.with_name(f"{stem.name}-parts.png")
            draw_parts({name: part[number] for name, part in layers.items()}, path, caption)
            yield path


def write_clip(
    frames: Frames, stem: Path, caption: str, frames_per_second: float
) -> Iterator[Path]:
    """Write STEM.mp4 and STEM.gif, enlarged, and the filmstrip STEM.png; yield their paths."""
    large = enlarged(frames, PLAYER_PX)
    files = {".mp4": write_mp4, ".gif": write_gif}
    for suffix, write in files.items():
        path = stem.with_name(stem.name + suffix)
        write(large, path, frames_per_second)
        yield path
    path = stem.with_name(stem.name + ".png")
    draw_filmstrip(frames, path, caption)
    yield path
