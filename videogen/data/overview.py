"""The contact sheet of a collection: clips with their captions."""

import textwrap
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from core.files import write_figure
from videogen.data.collection import Collection

CLIPS, COLUMNS = 24, 4
FRAMES = 4
"""Frames of each clip, evenly spaced."""

LINE, LINES = 46, 3
"""Letters of a line and lines of a caption."""


def draw_collection(data: Collection, path: Path) -> None:
    """Draw evenly spaced clips of the collection as one PNG."""
    clips = _choose(data.store.whole["source"])
    rows = -(-len(clips) // COLUMNS)
    figure = Figure(figsize=(14, 1 + 1.45 * rows), dpi=110, layout="constrained")
    figure.suptitle(_title(data), fontsize=13)
    for number, axes in enumerate(figure.subplots(rows, COLUMNS, squeeze=False).flat):
        axes.set_axis_off()
        if number < len(clips):
            _draw_clip(axes, data, clips[number : number + 1])
    write_figure(figure, path)


def _choose(source: Int[np.ndarray, " clip"]) -> Int[np.ndarray, " chosen"]:
    """Choose from the first clips of all videos, or from all clips if videos are few."""
    firsts = np.unique(source, return_index=True)[1]
    pool = firsts if len(firsts) >= CLIPS else np.arange(len(source))
    return pool[np.unique(np.linspace(0, len(pool) - 1, CLIPS).round().astype(np.int64))]


def _title(data: Collection) -> str:
    train, test = (len(data.indices(split)) for split in ("train", "test"))
    size = f"{data.frames} frames of {data.size}x{data.size}, {data.frames_per_second:g} a second"
    return f"{len(data.videos):,} videos: {train:,} clips to train on, {test:,} held out\n{size}"


def _draw_clip(axes: Axes, data: Collection, clip: Int[np.ndarray, "1"]) -> None:
    axes.imshow(_strip(data.frames_of(clip)[0]), interpolation="nearest")
    lines = textwrap.wrap(data.captions_of(clip)[0], LINE, max_lines=LINES, placeholder=" …")
    axes.set_title("\n".join(lines), fontsize=8, parse_math=False)


def _strip(
    frames: UInt8[np.ndarray, "time height width 3"],
) -> UInt8[np.ndarray, "height strip 3"]:
    """Return evenly spaced frames side by side, with a white line between them."""
    shown = frames[np.linspace(0, len(frames) - 1, FRAMES).round().astype(np.int64)]
    separated = np.pad(shown, ((0, 0), (0, 0), (0, 1), (0, 0)), constant_values=255)
    return np.concatenate(list(separated), axis=1)[:, :-1]
