"""Pictures of rolls.

draw_roll(roll, "song.png")            one piece: a lane for each track, bars and beats, note names
draw_phrases(rolls, "phrases.png")     many phrases, all tracks in one panel
"""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from core.files import write_figure
from core.wording import counted
from musegen.roll import Roll

COLOURS = ("#4c566a", "#d08770", "#6f9d4f", "#8f5f8a", "#3f6fa3", "#c79a2b", "#3d9aa8", "#bf616a")

DRUMS = {
    27: "laser", 28: "whip", 29: "scratch", 30: "scratch 2", 31: "sticks", 32: "square click",
    33: "click", 34: "click bell", 35: "kick 2", 36: "kick", 37: "rim", 38: "snare", 39: "clap",
    40: "snare 2", 41: "low tom", 42: "closed hat", 43: "floor tom", 44: "pedal hat", 45: "tom",
    46: "open hat", 47: "mid tom", 48: "high tom", 49: "crash", 50: "high tom 2", 51: "ride",
    52: "china", 53: "bell", 54: "tambourine", 55: "splash", 56: "cowbell", 57: "crash 2",
    58: "vibraslap", 59: "ride 2", 60: "high bongo", 61: "low bongo", 62: "mute conga",
    63: "open conga", 64: "low conga", 65: "high timbale", 66: "low timbale", 67: "high agogo",
    68: "low agogo", 69: "cabasa", 70: "maracas", 71: "short whistle", 72: "long whistle",
    73: "short guiro", 74: "long guiro", 75: "claves", 76: "wood block", 77: "low block",
    78: "mute cuica", 79: "open cuica", 80: "mute triangle", 81: "triangle", 82: "shaker",
    83: "sleigh bells", 84: "bell tree", 85: "castanets", 86: "surdo", 87: "open surdo",
}  # fmt: skip
"""Short names of the drums of General MIDI 2, whose first 47 from 35 are those of General MIDI."""

BARS_PER_LINE = 8

ROW_INCHES = 0.075
"""Height of a pitch."""

DPI = 100

HIGHEST = 10_000
"""Pixels of a picture from top to bottom, beyond which lines hold twice as many bars."""

HEAD, GAP, FOOT = 7, 1, 6
"""Rows of the title, below each lane, and of the numbers of bars."""

SHADE = 0.15
"""Opacity of the ground on which composed bars stand."""


def draw_roll(roll: Roll, path: Path | str | BytesIO) -> None:
    """Draw one piece: a lane for each track that plays, eight bars a line, of long pieces more.

    Bars that were composed beside a user's own are shaded.
    """
    lanes = [_Lane.of(roll, number) for number in np.unique(roll.notes.track).tolist()]
    line = sum(lane.height + GAP for lane in lanes) + FOOT
    across = _bars_per_line(roll.bars, line)
    lines = range(0, roll.bars, across)
    rows = len(lines) * line + HEAD
    figure = Figure(figsize=(15, ROW_INCHES * rows), dpi=DPI)
    axes = figure.add_axes((0.06, 0, 0.93, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, min(across, roll.bars) * roll.grid.beats_per_bar), ylim=(-rows, 0))
    title = _title(roll, across)
    figure.text(0.5, 1 - HEAD / 2 / rows, title, fontsize=12, ha="center", va="center")
    for first in lines:
        floor = -HEAD - first // across * line
        for lane in lanes:
            floor -= lane.height
            _draw_lane(axes, roll, lane, range(first, first + across), floor)
            floor -= GAP
        _number_bars(axes, roll, range(first, min(first + across, roll.bars)), across, floor)
    write_figure(figure, path)


def _bars_per_line(bars: int, line: int) -> int:
    """Return how many bars a line holds, so that lines of so many rows make no endless picture."""
    across = BARS_PER_LINE
    while across < bars and ROW_INCHES * DPI * (-(-bars // across) * line + HEAD) > HIGHEST:
        across *= 2
    return across


def _title(roll: Roll, across: int) -> str:
    low, high = roll.tempo_bpm.min(), roll.tempo_bpm.max()
    tempo = f"{low:.0f}" if high - low < 1 else f"{low:.0f}-{high:.0f}"
    shaded = "" if roll.composed is None else "   shaded: composed"
    length = f"{counted(roll.bars, 'bar')}   {roll.seconds:.1f} s"
    long = "" if across == BARS_PER_LINE else f"   {across} bars a line"
    return f"{roll.name}   {tempo} bpm   {length}{long}{shaded}"


class _Lane(NamedTuple):
    """The rows of one track: the drums in use, or semitones.

    rows: what is written at some of them; lowest: the row on the floor; height: in rows.
    """

    number: int
    drums: list[int]
    rows: dict[int, str]
    lowest: int
    height: int

    @classmethod
    def of(cls, roll: Roll, number: int) -> "_Lane":
        used = (np.unique(roll.notes.of(number).pitch) + roll.grid.lowest_pitch).tolist()
        if roll.tracks[number].is_drum:
            rows = {row: DRUMS.get(pitch, str(pitch)) for row, pitch in enumerate(used)}
            return cls(number, used, rows, -1, len(used) + 1)
        low, height = used[0] - 2, max(used[-1] - used[0] + 5, 12)
        octaves = range(-12 * (-low // 12), low + height + 1, 12)
        return cls(number, [], {pitch: _octave(pitch) for pitch in octaves}, low, height)


def _octave(pitch: int) -> str:
    return f"C{pitch // 12 - 1}"


def _draw_lane(axes: Axes, roll: Roll, lane: _Lane, bars: range, floor: float) -> None:
    """Draw the notes of one track in the bars of one line."""
    steps = roll.grid.steps_per_bar
    beats, shown = roll.grid.beats_per_bar, min(len(bars), roll.bars)
    notes = roll.notes.of(lane.number).between(bars.start * steps, bars.stop * steps)
    pitch = notes.pitch + roll.grid.lowest_pitch
    row = np.searchsorted(lane.drums, pitch) if lane.drums else pitch
    start = notes.start / roll.grid.steps_per_beat
    length = notes.length / roll.grid.steps_per_beat
    y = floor + row - lane.lowest
    boxes = _boxes(start, np.maximum(length - 0.03, 0.06), y, 0.84)
    colour = COLOURS[lane.number % len(COLOURS)]
    _add_notes(axes, boxes, colour, edgecolor="white", linewidth=0.3)
    _draw_lines(axes, roll, lane, shown, floor)
    if roll.composed is not None:
        for bar in np.flatnonzero(roll.composed[lane.number, bars.start : bars.stop]).tolist():
            ground = Rectangle((bar * beats, floor), beats, lane.height, color=colour, lw=0)
            ground.set(alpha=SHADE, zorder=0)
            axes.add_patch(ground)
    aside = {"transform": axes.get_yaxis_transform(), "va": "center", "ha": "right"}
    for at, name in lane.rows.items():
        size = 5 if lane.drums else 7
        axes.text(-0.004, floor + at - lane.lowest, name, fontsize=size, **aside)
    name = {"color": colour, "fontweight": "bold", "fontsize": 9, "rotation": 90}
    axes.text(-0.045, floor + lane.height / 2, roll.tracks[lane.number].name, **name, **aside)


def _draw_lines(axes: Axes, roll: Roll, lane: _Lane, bars: int, floor: float) -> None:
    """Draw a lane's beats, its bars stronger, its octaves, and its edges."""
    top, right = floor + lane.height, bars * roll.grid.beats_per_bar
    octaves = [] if lane.drums else [floor + at - lane.lowest for at in lane.rows]
    edges = [[(0, top), (0, floor), (right, floor)]]
    each = 1 if bars <= 2 * BARS_PER_LINE else roll.grid.beats_per_bar  # beats, or bars alone
    beats = {beat: [(beat, floor), (beat, top)] for beat in range(0, right, each)}
    strong = [line for beat, line in beats.items() if beat % roll.grid.beats_per_bar == 0]
    for lines, colour, width in (
        (list(beats.values()), "#e8ecf2", 0.5),
        ([[(0, y), (right, y)] for y in octaves], "#d8dee9", 0.6),
        (strong, "#9aa3b2", 0.9),
        (edges, "black", 0.8),
    ):
        axes.add_collection(LineCollection(lines, color=colour, linewidth=width, zorder=0))


def _number_bars(axes: Axes, roll: Roll, bars: range, across: int, floor: float) -> None:
    """Number the bars of one line, of those that hold more than eight every so many."""
    for bar in bars[:: across // BARS_PER_LINE]:
        beat = (bar - bars.start) * roll.grid.beats_per_bar
        axes.text(beat, floor, f"bar {bar + 1}", fontsize=8, va="top")


def _boxes(
    left: np.ndarray, length: np.ndarray, middle: np.ndarray, height: float
) -> Float[np.ndarray, "note corner xy"]:
    """Return the corners of notes."""
    right, low, high = left + length, middle - height / 2, middle + height / 2
    corners = np.stack([left, low, left, high, right, high, right, low], -1)  # [note 8]
    return corners.reshape(-1, 4, 2)  # [note corner xy]


def _add_notes(
    axes: Axes, boxes: Float[np.ndarray, "note corner xy"], colour: str, **style: Any
) -> None:
    notes = PolyCollection(boxes, facecolor=colour, **style)  # type: ignore[arg-type]  # an array
    axes.add_collection(notes)


def draw_phrases(rolls: Sequence[Roll], path: Path | str, columns: int = 4) -> None:
    """Draw a panel for each phrase, up to its last sound, with all tracks over one another.

    All panels stand in one system of axes, in steps and in pitches above the grid's lowest, which
    is drawn in a fifth of the time that axes of their own take.
    """
    rolls = [roll.first(max(roll.sounding_bars, 1)) for roll in rolls]
    columns, bars = min(columns, len(rolls)), max(roll.bars for roll in rolls)
    rows = -(-len(rolls) // columns)
    first = rolls[0]
    across, down = 1.08 * bars * first.grid.steps_per_bar, 1.25 * first.grid.pitches
    corners = [(n % columns * across, -(n // columns) * down) for n in range(len(rolls))]
    height = 2.4 * rows + 0.3  # inches
    figure = Figure(figsize=(4.2 * columns, height), dpi=90)
    axes = figure.add_axes((0, 0, 1, 1 - 0.3 / height))
    axes.set_axis_off()
    right, top = (columns - 0.06) * across, 0.88 * down
    axes.set(xlim=(right - columns * across, right), ylim=(top - rows * down, top))
    for number in reversed(range(len(first.tracks))):
        boxes = []
        for roll, corner in zip(rolls, corners, strict=True):
            notes = roll.notes.of(number)
            length = np.maximum(notes.length - 0.3, 0.5)
            boxes.append(_boxes(notes.start, length, notes.pitch, 0.9) + corner)
        colour = COLOURS[number % len(COLOURS)]
        _add_notes(axes, np.concatenate(boxes), colour, linewidth=0, alpha=0.85)
    for roll, corner in zip(rolls, corners, strict=True):
        _draw_frame(axes, roll, corner)
    _add_legend(figure, first)
    write_figure(figure, path)


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
        axes.text(left, y, f"{_octave(pitch)} ", fontsize=6, ha="right", va="center")
    for number, bar in enumerate(bars, 1):
        axes.text(bar, low - 3, str(number), fontsize=6, ha="center", va="top")
    axes.add_collection(LineCollection(lines, color="#e3e7ee", linewidth=0.6, zorder=0))
    axes.add_patch(Rectangle(corner, right - left, high - low, fill=False, linewidth=0.8))
    axes.text(left, high + 2, roll.name, fontsize=7)


def _add_legend(figure: Figure, roll: Roll) -> None:
    patches = [Rectangle((0, 0), 1, 1, color=c) for c in COLOURS[: len(roll.tracks)]]
    names = [track.name for track in roll.tracks]
    figure.legend(patches, names, loc="upper center", ncols=len(names), frameon=False)
