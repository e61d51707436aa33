"""The picture of a collection: its tracks, pitches, tempi and density."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from core.files import write_figure
from core.wording import counted
from musegen.data.collection import Collection
from musegen.files.picture import COLOURS

TEMPI_BPM = np.arange(30, 331, 6)
DENSITIES = np.arange(0, 121, 2)
"""Edges of the histograms; values beyond them are counted in the first and last class."""


@dataclass
class Counts:
    """The counts that the picture shows, added up shard by shard.

    use [track]: bars in which a track starts a note; pitch [track pitch]: notes;
    tempo, density: bars in each class.
    """

    bars: int
    use: np.ndarray
    pitch: np.ndarray
    tempo: np.ndarray
    density: np.ndarray

    @classmethod
    def of(cls, data: Collection) -> "Counts":
        """Count a whole collection."""
        tracks = len(data.tracks)
        pitch = np.zeros((tracks, data.grid.pitches), np.int64)
        classes = np.zeros(len(TEMPI_BPM) - 1, np.int64), np.zeros(len(DENSITIES) - 1, np.int64)
        counts = cls(0, np.zeros(tracks, np.int64), pitch, *classes)
        for shard in data.store.each():
            counts.add(shard)
        return counts

    def add(self, shard: dict[str, np.ndarray]) -> None:
        """Add the counts of one shard."""
        starts = ~shard["held"]
        bars, tracks = len(shard["notes_in_bar"]), len(self.use)
        bar = np.repeat(np.arange(bars), shard["notes_in_bar"])[starts]
        track, pitch = shard["track"][starts].astype(np.int64), shard["pitch"][starts]
        notes = np.bincount(bar * tracks + track, minlength=bars * tracks)
        notes = notes.reshape(bars, tracks)  # [bar track]
        self.bars += bars
        self.use += (notes > 0).sum(0)
        np.add.at(self.pitch, (track, pitch), 1)
        self.tempo += _histogram(shard["tempo_bpm"], TEMPI_BPM)
        self.density += _histogram(notes.sum(1), DENSITIES)


def _histogram(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]


def draw_collection(data: Collection, path: Path) -> None:
    """Draw track use, pitches, tempi and notes a bar into one PNG."""
    counts = Counts.of(data)
    figure = Figure(figsize=(12, 7), dpi=110)
    figure.suptitle(_title(data), fontsize=13)
    letters = max(len(track.name) for track in data.tracks)
    figure.subplots_adjust(left=0.03 + letters / 150, right=0.98, bottom=0.08, top=0.88)
    use, pitch, tempo, density = figure.subplots(2, 2, gridspec_kw={"hspace": 0.4}).flat
    _draw_use(use, data, counts)
    _draw_pitches(pitch, data, counts)
    _draw_classes(tempo, TEMPI_BPM, counts.tempo, COLOURS[4])
    tempo.set(title="tempo", xlabel="beats a minute", ylabel="bars")
    _draw_classes(density, DENSITIES, counts.density, COLOURS[1])
    density.set(title="density", xlabel="notes a bar, all tracks", ylabel="bars")
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    write_figure(figure, path)


def _title(data: Collection) -> str:
    train, test = (len(data.indices(split)) for split in ("train", "test"))
    songs, phrases = counted(len(data.songs), "song"), counted(train, "phrase")
    bars = counted(data.bars, "bar")
    return f"{songs}: {phrases} of {bars} to train on, {test:,} held out"


def _colour(track: int) -> str:
    return COLOURS[track % len(COLOURS)]


def _draw_use(axes: Axes, data: Collection, counts: Counts) -> None:
    tracks = range(len(data.tracks))
    share = 100 * counts.use / max(1, counts.bars)
    bars = axes.barh(tracks, share, color=[_colour(track) for track in tracks])
    axes.set_yticks(tracks, [track.name for track in data.tracks])
    axes.bar_label(bars, fmt="%.0f %%", padding=3)
    axes.set(title="bars in which a track starts a note", xlim=(0, 112), xlabel="% of all bars")
    axes.invert_yaxis()


def _draw_pitches(axes: Axes, data: Collection, counts: Counts) -> None:
    pitches = data.grid.lowest_pitch + np.arange(data.grid.pitches)
    for number, track in enumerate(data.tracks):
        notes = counts.pitch[number]
        if notes.any() and not track.is_drum:
            share = 100 * notes / notes.sum()
            axes.plot(pitches, share, color=_colour(number), label=track.name)
    octaves = [pitch for pitch in pitches.tolist() if pitch % 12 == 0]
    axes.set_xticks(octaves, [f"C{pitch // 12 - 1}" for pitch in octaves])
    axes.set(title="pitches", ylabel="% of the track's notes", ylim=(0, None))
    if axes.lines:
        axes.legend(frameon=False)


def _draw_classes(axes: Axes, edges: np.ndarray, counts: np.ndarray, colour: str) -> None:
    axes.stairs(counts, edges, fill=True, color=colour)
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, None))
