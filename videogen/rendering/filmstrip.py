"""Clips as pictures: filmstrips, grids, and the layers of a clip.

draw_filmstrip(frames, "clip.png", caption)         all frames side by side
"""

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from matplotlib.figure import Figure

from core.files import NO_TAGS, write_figure
from videogen.files.clip import Clips, Frames, to_frames
from videogen.rendering.enlargement import repeated

Shown = UInt8[np.ndarray, "shown height width 3"]
File = str | Path | BytesIO
Row = tuple[str, UInt8[np.ndarray, "_ height width 3"]]
"""A title, and images side by side; rows may differ in number."""

DPI = 100
WIDTH_PX = 1500
IMAGE_PX = 128
"""Height to which small images are enlarged in pictures."""
GAP_PX, TITLE_PX = 4, 30
LETTER_PX = 8
"""Mean width of a letter of a title."""
COLUMNS = 8
"""Frames of a clip in a grid."""
MOST_FRAMES = 64
"""Frames of a filmstrip."""


def draw_rows(rows: Sequence[Row], path: File, tags: Mapping[str, str] = NO_TAGS) -> None:
    """Draw rows of images under their titles; a row that is too wide is wrapped.

    A title that is too wide is cut. `tags`: texts that the picture holds, by their keywords.
    """
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
        shown = _fitted(title, page.shape[1])
        figure.text(x, y, shown, fontsize=11, color="#2e3440")
        top += height
    figure.figimage(page, zorder=-1)
    write_figure(figure, path, tags)


def _fitted(title: str, width_px: int) -> str:
    letters = width_px // LETTER_PX
    return title if len(title) <= letters else title[: max(letters - 1, 0)].rstrip() + "…"


def _lines(row: Row) -> Iterator[tuple[str, UInt8[np.ndarray, "height width 3"]]]:
    """Wrap a row into strips of about equal length; the first has the title."""
    title, frames = row
    images = repeated(frames, max(1, round(IMAGE_PX / frames.shape[1])))
    images = np.pad(images, ((0, 0), (0, 0), (0, GAP_PX), (0, 0)), constant_values=255)
    strips = -(-len(images) // max(1, WIDTH_PX // images.shape[2]))
    for number, strip in enumerate(np.array_split(images, strips)):
        yield ("" if number else title), np.concatenate(list(strip), 1)


def draw_filmstrip(
    frames: Frames, path: File, caption: str, tags: Mapping[str, str] = NO_TAGS
) -> None:
    """Draw the frames of a clip, of a long one evenly spaced ones."""
    draw_rows([(caption, evenly_spaced(frames, MOST_FRAMES))], path, tags)


def evenly_spaced(frames: Frames, most: int) -> Shown:
    """Return all frames, or `most` of them from the first to the last."""
    times = np.linspace(0, len(frames) - 1, min(most, len(frames)))
    return frames[times.round().astype(int)]


def draw_grid(clips: Clips, captions: Sequence[str], path: File) -> None:
    """Draw a row of evenly spaced frames for each clip."""
    frames = [evenly_spaced(clip, COLUMNS) for clip in to_frames(clips)]
    draw_rows(list(zip(captions, frames, strict=True)), path)


def draw_parts(parts: Mapping[str, torch.Tensor], path: File, caption: str) -> None:
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
