"""A collection as a picture: a contact sheet of clips with their captions."""

import textwrap
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from videogen.data.collection import Collection

CLIPS, COLUMNS = 24, 4
FRAMES = 4
"""Of each clip, from its first to its last."""

LINE = 46
LINES = 3


def draw_collection(data: Collection, path: Path) -> None:
    """Clips from the first to the last of the collection, as one PNG."""
    chosen = _chosen(data.store.whole["source"])
    rows = -(-len(chosen) // COLUMNS)
    figure = Figure(figsize=(14, 1 + 1.45 * rows), dpi=110, layout="constrained")
    figure.suptitle(_title(data), fontsize=13)
    for number, axes in enumerate(figure.subplots(rows, COLUMNS, squeeze=False).flat):
        axes.set_axis_off()
        if number < len(chosen):
            _draw_clip(axes, data, chosen[number : number + 1])
    figure.savefig(path)


def _chosen(source: Int[np.ndarray, " clip"]) -> Int[np.ndarray, " chosen"]:
    """Of many videos the first clips of some, of few some of all clips."""
    firsts = np.unique(source, return_index=True)[1]
    pool = firsts if len(firsts) >= CLIPS else np.arange(len(source))
    return pool[np.unique(np.linspace(0, len(pool) - 1, CLIPS).round().astype(np.int64))]


def _title(data: Collection) -> str:
    train, test = (len(data.indices(split)) for split in ("train", "test"))
    form = f"{data.frames} frames of {data.size}x{data.size}, {data.frames_per_second:g} a second"
    return f"{len(data.videos):,} videos: {train:,} clips to train on, {test:,} held out\n{form}"


def _draw_clip(axes: Axes, data: Collection, clip: Int[np.ndarray, "1"]) -> None:
    axes.imshow(_strip(data.frames_of(clip)[0]), interpolation="nearest")
    lines = textwrap.wrap(data.captions_of(clip)[0], LINE, max_lines=LINES, placeholder=" …")
    axes.set_title("\n".join(lines), fontsize=8, parse_math=False)


def _strip(
    frames: UInt8[np.ndarray, "time height width 3"],
) -> UInt8[np.ndarray, "height strip 3"]:
    """Some frames side by side, a white line between them."""
    chosen = frames[np.linspace(0, len(frames) - 1, FRAMES).round().astype(np.int64)]
    lined = np.pad(chosen, ((0, 0), (0, 0), (0, 1), (0, 0)), constant_values=255)
    return np.concatenate(list(lined), axis=1)[:, :-1]
