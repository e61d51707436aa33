"""Pictures of rolls.

draw_roll(roll, "song.png")            one piece: a lane for each track, bars and beats, note names
draw_phrases(rolls, "phrases.png")     many phrases, all tracks in one panel
"""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from core.files import write_figure
from musegen.roll import Roll

COLOURS = ("#4c566a", "#d08770", "#6f9d4f", "#8f5f8a", "#3f6fa3", "#c79a2b", "#3d9aa8", "#bf616a")

DRUMS = {
    35: "kick 2", 36: "kick", 37: "rim", 38: "snare", 39: "clap", 40: "snare 2", 41: "low tom",
    42: "closed hat", 43: "floor tom", 44: "pedal hat", 45: "tom", 46: "open hat", 47: "mid tom",
    48: "high tom", 49: "crash", 50: "high tom 2", 51: "ride", 52: "china", 53: "bell",
    54: "tambourine", 55: "splash", 56: "cowbell", 57: "crash 2", 59: "ride 2",
    69: "cabasa", 70: "maracas", 75: "claves", 76: "wood block",
}  # fmt: skip

BARS_PER_LINE = 8

SHADE = 0.15
"""Opacity of the ground on which composed bars stand."""


def draw_roll(roll: Roll, path: Path | str | BytesIO) -> None:
    """Draw one piece: a lane for each track that plays, eight bars a line.

    Bars that were composed beside a user's own are shaded.
    """
    playing = np.unique(roll.notes.track).tolist()
    lines = range(0, roll.bars, BARS_PER_LINE)
    heights = [_lane(roll, number)[2] for number in playing] or [1.0]
    figure = Figure(
        figsize=(15, 1 + len(lines) * (0.6 + 0.075 * sum(heights))), dpi=100, layout="constrained"
    )
    figure.suptitle(_title(roll), fontsize=12)
    parts = figure.subfigures(len(lines), 1, squeeze=False)[:, 0]
    for part, first in zip(parts, lines, strict=True):
        lanes = part.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)
        for axes, number in zip(lanes[:, 0], playing, strict=False):
            _draw_lane(axes, roll, number, first)
        _number_bars(lanes[-1, 0], roll, first)
    figure.savefig(path)


def _title(roll: Roll) -> str:
    low, high = roll.tempo_bpm.min(), roll.tempo_bpm.max()
    tempo = f"{low:.0f}" if high - low < 1 else f"{low:.0f}-{high:.0f}"
    shaded = "" if roll.composed is None else "   shaded: composed"
    return f"{roll.name}   {tempo} bpm   {roll.bars} bars   {roll.seconds:.1f} s{shaded}"


def _lane(roll: Roll, number: int) -> tuple[list[int], int, float]:
    """Return the drum pitches in use, the lowest pitch and the height in rows of a lane."""
    used = np.unique(roll.notes.of(number).pitch) + roll.grid.lowest_pitch
    if roll.tracks[number].is_drum:
        return used.tolist(), 0, len(used) + 2.0
    low, high = (int(used.min()), int(used.max())) if len(used) else (60, 60)
    return [], low - 2, max(high - low + 5.0, 12.0)


def _draw_lane(axes: Axes, roll: Roll, number: int, first: int) -> None:
    """Draw the notes of one track in the bars of one line."""
    drums, low, height = _lane(roll, number)
    bars, steps = slice(first, first + BARS_PER_LINE), roll.grid.steps_per_bar
    shown = min(BARS_PER_LINE, roll.bars)
    notes = roll.notes.of(number).between(bars.start * steps, bars.stop * steps)
    pitch = notes.pitch + roll.grid.lowest_pitch
    row = np.searchsorted(drums, pitch) if drums else pitch
    start = notes.start / roll.grid.steps_per_beat
    length = notes.length / roll.grid.steps_per_beat
    boxes = [
        Rectangle((s, r - 0.42), max(n - 0.03, 0.06), 0.84)
        for s, r, n in zip(start, row, length, strict=True)
    ]
    colour = COLOURS[number % len(COLOURS)]
    axes.add_collection(PatchCollection(boxes, facecolor=colour, edgecolor="white", linewidth=0.3))
    bottom = -1 if drums else low
    axes.set(xlim=(0, shown * roll.grid.beats_per_bar), ylim=(bottom, bottom + height))
    axes.set_ylabel(roll.tracks[number].name, color=colour, fontweight="bold", fontsize=9)
    if drums:
        axes.set_yticks(range(len(drums)), [DRUMS.get(p, str(p)) for p in drums], fontsize=6)
    else:
        octaves = [p for p in range(0, 128, 12) if low <= p <= low + height]
        axes.set_yticks(octaves, [f"C{p // 12 - 1}" for p in octaves], fontsize=7)
        axes.grid(axis="y", color="#d8dee9", linewidth=0.6)
    _draw_beats(axes, shown, roll.grid.beats_per_bar)
    if roll.composed is not None:
        for bar in np.flatnonzero(roll.composed[number, bars]).tolist():
            beats = roll.grid.beats_per_bar
            axes.axvspan(bar * beats, (bar + 1) * beats, color=colour, alpha=SHADE, zorder=0, lw=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)


def _draw_beats(axes: Axes, bars: int, beats_per_bar: int) -> None:
    for beat in range(bars * beats_per_bar):
        strong = beat % beats_per_bar == 0
        style = {"color": "#9aa3b2", "lw": 0.9} if strong else {"color": "#e8ecf2", "lw": 0.5}
        axes.axvline(beat, zorder=0, **style)


def _number_bars(axes: Axes, roll: Roll, first: int) -> None:
    shown = range(min(BARS_PER_LINE, roll.bars - first))
    beats = [bar * roll.grid.beats_per_bar for bar in shown]
    axes.set_xticks(beats, [f"bar {first + bar + 1}" for bar in shown], fontsize=8, ha="left")


def draw_phrases(rolls: Sequence[Roll], path: Path | str, columns: int = 4) -> None:
    """Draw a panel for each phrase, with all tracks over one another."""
    columns = min(columns, len(rolls))
    rows = -(-len(rolls) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.6 * rows), dpi=90, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for roll, axes in zip(rolls, panels, strict=False):
        for number in reversed(range(len(roll.tracks))):
            _draw_track(axes, roll, number)
        _number_octaves(axes, roll)
    for axes in panels:  # the unused ones
        axes.set_axis_off()
    _add_legend(figure, rolls[0])
    write_figure(figure, path)


def _draw_track(axes: Axes, roll: Roll, number: int) -> None:
    notes = roll.notes.of(number)
    boxes = [
        Rectangle((s, p - 0.45), max(n - 0.3, 0.5), 0.9)
        for s, p, n in zip(notes.start, notes.pitch, notes.length, strict=True)
    ]
    colour = COLOURS[number % len(COLOURS)]
    axes.add_collection(PatchCollection(boxes, facecolor=colour, linewidth=0, alpha=0.85))


def _number_octaves(axes: Axes, roll: Roll) -> None:
    steps = roll.bars * roll.grid.steps_per_bar
    axes.set(xlim=(0, steps), ylim=(-1, roll.grid.pitches))
    low = roll.grid.lowest_pitch
    octaves = [p for p in range(0, 128, 12) if 0 <= p - low < roll.grid.pitches]
    axes.set_yticks([p - low for p in octaves], [f"C{p // 12 - 1}" for p in octaves], fontsize=6)
    axes.set_xticks(
        range(0, steps, roll.grid.steps_per_bar),
        [str(bar + 1) for bar in range(roll.bars)],
        fontsize=6,
    )
    axes.grid(color="#e3e7ee", linewidth=0.6)
    axes.set_title(roll.name, fontsize=7)


def _add_legend(figure: Figure, roll: Roll) -> None:
    patches = [Rectangle((0, 0), 1, 1, color=c) for c in COLOURS[: len(roll.tracks)]]
    names = [track.name for track in roll.tracks]
    figure.legend(patches, names, loc="outside upper center", ncols=len(names), frameon=False)
