"""A collection as a picture: which tracks sound, in which register, how fast, how densely."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from musegen.collection import Collection

COLOURS = ("#4c566a", "#d08770", "#a3be8c", "#b48ead", "#5e81ac", "#ebcb8b", "#88c0d0", "#bf616a")


def draw_collection(data: Collection, path: Path) -> None:
    """Track use, pitches, tempi and notes a bar, as one PNG."""
    figure = Figure(figsize=(12, 7), dpi=110, layout="constrained")
    figure.suptitle(_title(data), fontsize=13)
    use, pitch, tempo, density = figure.subplots(2, 2).flat
    _draw_use(use, data)
    _draw_pitches(pitch, data)
    _draw_tempo(tempo, data)
    _draw_density(density, data)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def _title(data: Collection) -> str:
    train, test = (len(data.indices(split)) for split in ("train", "test"))
    return f"{len(data.songs)} songs, {train} phrases of {data.bars} bars ({test} more held out)"


def _column(data: Collection, name: str) -> np.ndarray:
    return np.concatenate([shard[name] for shard in data.store.shards])


def _notes_in_bars(data: Collection) -> np.ndarray:
    """Notes that begin in each bar, [bar track]."""
    notes = _column(data, "notes_in_bar").astype(np.int64)
    bar = np.repeat(np.arange(len(notes)), notes)[~_column(data, "held")]
    track = _column(data, "track")[~_column(data, "held")]
    tracks = len(data.tracks)
    counts = np.bincount(bar * tracks + track, minlength=len(notes) * tracks)
    return counts.reshape(-1, tracks)


def _draw_use(axes: Axes, data: Collection) -> None:
    share = 100 * (_notes_in_bars(data) > 0).mean(0)
    names = [track.name for track in data.tracks]
    bars = axes.barh(names, share, color=COLOURS)
    axes.bar_label(bars, fmt="%.0f %%", padding=3)
    axes.set(title="bars in which a track begins a note", xlim=(0, 112), xlabel="% of all bars")
    axes.invert_yaxis()


def _draw_pitches(axes: Axes, data: Collection) -> None:
    track, pitch = _column(data, "track"), _column(data, "pitch")
    for number, (one, colour) in enumerate(zip(data.tracks, COLOURS, strict=False)):
        if not one.is_drum and (track == number).any():
            counts = np.bincount(pitch[track == number], minlength=data.grid.pitches)
            axes.plot(
                data.grid.lowest_pitch + np.arange(len(counts)),
                100 * counts / counts.sum(),
                color=colour,
                label=one.name,
            )
    octaves = [p for p in range(0, 128, 12) if 0 <= p - data.grid.lowest_pitch < data.grid.pitches]
    axes.set_xticks(octaves, [f"C{p // 12 - 1}" for p in octaves])
    axes.set(title="pitches", ylabel="% of the track's notes")
    axes.legend(frameon=False)


def _draw_tempo(axes: Axes, data: Collection) -> None:
    axes.hist(np.clip(_column(data, "tempo_bpm"), 40, 240), bins=50, color=COLOURS[4])
    axes.set(title="tempo", xlabel="beats a minute", ylabel="bars")


def _draw_density(axes: Axes, data: Collection) -> None:
    total = _notes_in_bars(data).sum(1)
    axes.hist(np.clip(total, 0, 120), bins=60, color=COLOURS[1])
    axes.set(title="density", xlabel="notes a bar, all tracks", ylabel="bars")
