"""Pictures of rolls.

draw_roll(roll, "song.png")            one piece: a lane for each track, bars and beats, note names
draw_phrases(rolls, "phrases.png")     many phrases, all tracks in one panel
"""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

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
    boxes = _boxes(start, row, np.maximum(length - 0.03, 0.06), 0.84)
    colour = COLOURS[number % len(COLOURS)]
    axes.add_collection(PolyCollection(boxes, facecolor=colour, edgecolor="white", linewidth=0.3))
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


def _boxes(
    start: np.ndarray, row: np.ndarray, length: np.ndarray, height: float
) -> Float[np.ndarray, "note corner xy"]:
    """Return the corners of the box of each note."""
    end, low, high = start + length, row - height / 2, row + height / 2
    corners = np.array([[start, start, end, end], [low, high, high, low]])  # [xy corner note]
    return corners.T  # [note corner xy]


def _draw_beats(axes: Axes, bars: int, beats_per_bar: int) -> None:
    beats = np.arange(bars * beats_per_bar)
    strong = beats % beats_per_bar == 0
    height = axes.get_xaxis_transform()
    for shown, colour, width in ((strong, "#9aa3b2", 0.9), (~strong, "#e8ecf2", 0.5)):
        axes.vlines(beats[shown], 0, 1, colour, lw=width, zorder=0, transform=height)


def _number_bars(axes: Axes, roll: Roll, first: int) -> None:
    shown = range(min(BARS_PER_LINE, roll.bars - first))
    beats = [bar * roll.grid.beats_per_bar for bar in shown]
    axes.set_xticks(beats, [f"bar {first + bar + 1}" for bar in shown], fontsize=8, ha="left")


def draw_phrases(rolls: Sequence[Roll], path: Path | str, columns: int = 4) -> None:
    """Draw a panel for each phrase of the same number of bars, with all tracks over one another.

    All panels stand in one system of axes, in steps and in pitches above the grid's lowest, which
    is drawn in a fifth of the time that axes of their own take.
    """
    columns = min(columns, len(rolls))
    rows = -(-len(rolls) // columns)
    first = rolls[0]
    across, down = 1.08 * first.bars * first.grid.steps_per_bar, 1.25 * first.grid.pitches
    corners = [(n % columns * across, -(n // columns) * down) for n in range(len(rolls))]
    height = 2.4 * rows + 0.3  # inches
    figure = Figure(figsize=(4.2 * columns, height), dpi=90)
    axes = figure.add_axes((0, 0, 1, 1 - 0.3 / height))
    axes.set_axis_off()
    right, top = (columns - 0.06) * across, 0.88 * down
    axes.set(xlim=(right - columns * across, right), ylim=(top - rows * down, top))
    for number in reversed(range(len(first.tracks))):
        parts = [_panel(roll, number) + at for roll, at in zip(rolls, corners, strict=True)]
        notes, colour = np.concatenate(parts), COLOURS[number % len(COLOURS)]
        axes.add_collection(PolyCollection(notes, facecolor=colour, linewidth=0, alpha=0.85))
    for roll, corner in zip(rolls, corners, strict=True):
        _draw_frame(axes, roll, corner)
    _add_legend(figure, first)
    figure.savefig(path)


def _panel(roll: Roll, number: int) -> Float[np.ndarray, "note corner xy"]:
    """Return the corners of the notes of a track, with a gap before the note that follows."""
    notes = roll.notes.of(number)
    return _boxes(notes.start, notes.pitch, np.maximum(notes.length - 0.3, 0.5), 0.9)


def _draw_frame(axes: Axes, roll: Roll, corner: tuple[float, float]) -> None:
    """Draw a panel's bars, octaves and title around its notes."""
    left, low = corner
    right, high = left + roll.bars * roll.grid.steps_per_bar, low + roll.grid.pitches
    bars = left + roll.grid.steps_per_bar * np.arange(roll.bars)
    octaves = [p for p in range(0, 128, 12) if 0 <= p - roll.grid.lowest_pitch < roll.grid.pitches]
    lines = [((bar, low - 1), (bar, high)) for bar in bars]
    for pitch in octaves:
        y = low + pitch - roll.grid.lowest_pitch
        lines.append(((left, y), (right, y)))
        axes.text(left, y, f"C{pitch // 12 - 1} ", fontsize=6, ha="right", va="center")
    for number, bar in enumerate(bars, 1):
        axes.text(bar, low - 3, str(number), fontsize=6, ha="center", va="top")
    axes.add_collection(LineCollection(lines, color="#e3e7ee", linewidth=0.6, zorder=0))
    axes.add_patch(Rectangle(corner, right - left, high - low, fill=False, linewidth=0.8))
    title = axes.text((left + right) / 2, high + 2, roll.name, fontsize=7, ha="center")
    title.set_parse_math(False)


def _add_legend(figure: Figure, roll: Roll) -> None:
    patches = [Rectangle((0, 0), 1, 1, color=c) for c in COLOURS[: len(roll.tracks)]]
    names = [track.name for track in roll.tracks]
    figure.legend(patches, names, loc="upper center", ncols=len(names), frameon=False)
