"""The contact sheet of a collection: clips with their captions."""

import textwrap
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from core.files import write_figure
from core.wording import counted
from videogen.data.collection import Collection

CLIPS, COLUMNS = 24, 4
FRAMES = 4
"""Frames of each clip, evenly spaced."""

ACROSS, DOWN, HEAD, CAPTION = 3.5, 1.45, 1.1, 0.55
"""Inches from a clip to the next one and to that below it, over the first, and for a caption."""

LINE, LINES = 46, 3
"""Letters of a line and lines of a caption."""


def draw_collection(data: Collection, path: Path) -> None:
    """Draw evenly spaced clips of the collection as one PNG."""
    clips = _choose(data.store.whole["source"])
    width, height = COLUMNS * ACROSS, HEAD + DOWN * -(-len(clips) // COLUMNS)
    figure = Figure(figsize=(width, height), dpi=110)
    figure.suptitle(_title(data), fontsize=13, y=1 - 0.15 / height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    for number in range(len(clips)):
        row, column = divmod(number, COLUMNS)
        top_left = column * ACROSS + 0.1, height - HEAD - row * DOWN
        _draw_clip(axes, data, clips[number : number + 1], top_left)
    axes.set(xlim=(0, width), ylim=(0, height))
    write_figure(figure, path)


def _choose(source: Int[np.ndarray, " clip"]) -> Int[np.ndarray, " chosen"]:
    """Choose from the first clips of all videos, or from all clips if videos are few."""
    firsts = np.unique(source, return_index=True)[1]
    pool = firsts if len(firsts) >= CLIPS else np.arange(len(source))
    return pool[np.unique(np.linspace(0, len(pool) - 1, CLIPS).round().astype(np.int64))]


def _title(data: Collection) -> str:
    train, test = (len(data.indices(split)) for split in ("train", "test"))
    videos, clips = counted(len(data.videos), "video"), counted(train, "clip")
    size = f"{data.frames} frames of {data.size}x{data.size}, {data.frames_per_second:g} a second"
    return f"{videos}: {clips} to train on, {test:,} held out\n{size}"


def _draw_clip(
    axes: Axes, data: Collection, clip: Int[np.ndarray, "1"], top_left: tuple[float, float]
) -> None:
    left, top = top_left
    strip = _strip(data.frames_of(clip)[0])
    wide, high = ACROSS - 0.2, DOWN - CAPTION
    width = min(wide, high * strip.shape[1] / strip.shape[0])
    edges = (left, left + width, top - width * strip.shape[0] / strip.shape[1], top)
    axes.imshow(strip, extent=edges, aspect="auto", interpolation="nearest")
    lines = textwrap.wrap(data.captions_of(clip)[0], LINE, max_lines=LINES, placeholder=" …")
    caption = {"fontsize": 8, "ha": "center"}
    axes.text(left + width / 2, top + 0.04, "\n".join(lines), **caption)


def _strip(
    frames: UInt8[np.ndarray, "time height width 3"],
) -> UInt8[np.ndarray, "height strip 3"]:
    """Return evenly spaced frames side by side, with a white line between them."""
    shown = frames[np.linspace(0, len(frames) - 1, FRAMES).round().astype(np.int64)]
    separated = np.pad(shown, ((0, 0), (0, 0), (0, 1), (0, 0)), constant_values=255)
    return np.concatenate(list(separated), axis=1)[:, :-1]
