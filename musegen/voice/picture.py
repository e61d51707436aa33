"""Pictures of notes: levels and the colours of instantaneous frequencies."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure

from core.files import write_figure
from musegen.voice.spectrogram import Spectrogram

COLUMNS = 4
RANGE_DB = 70.0
TOP_HZ = 5000.0
TITLE = 40
"""Characters of a title that are shown."""


def draw_notes(
    sounds: Float[np.ndarray, "note sample"], titles: Sequence[str], rate: int, path: Path
) -> None:
    """Draw the spectrogram of each note, from 0 Hz up: harmonics are level lines."""
    rows = -(-len(sounds) // COLUMNS)
    columns = min(COLUMNS, len(sounds))
    figure = Figure(figsize=(3.2 * columns, 2.4 * rows + 0.3), dpi=100, layout="constrained")
    spectrogram = Spectrogram(rate, sounds.shape[1], _window(rate))
    x = spectrogram.analyse(torch.from_numpy(sounds).float())
    levels = spectrogram.levels_db(x).numpy()
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes, level, title in zip(grid.flat, levels, titles, strict=False):
        top = level.max()
        axes.imshow(
            level.T,
            origin="lower",
            aspect="auto",
            cmap="magma",
            vmin=top - RANGE_DB,
            vmax=top,
            extent=(0, spectrogram.frames * spectrogram.hop / rate, 0, rate / 2),
        )
        axes.set_title(str(title)[:TITLE], fontsize=9)
        axes.set_xlim(0, sounds.shape[1] / rate)
        axes.set_ylim(0, min(TOP_HZ, rate / 2))
    for axes in list(grid.flat)[len(sounds) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel("Hz")
    for axes in grid[-1]:
        axes.set_xlabel("s")
    write_figure(figure, path)


def _window(rate: int) -> int:
    """Return a window of about 64 ms, a power of two."""
    return max(64, 2 ** round(np.log2(0.064 * rate)))
