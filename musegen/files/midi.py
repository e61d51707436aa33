"""MIDI files: read as notes on a grid, and written.

A file is rejected with its reason before much memory is allocated for it. pretty_midi writes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from core.config import positive, whole
from core.data.sources import RejectedFile, stem_of_file
from core.errors import ConfigError
from core.files import as_text, write_whole
from musegen.controls import Controls
from musegen.files.controls import send
from musegen.files.limits import MusicLimits
from musegen.files.parts import CHANNELS
from musegen.performance import Performance
from musegen.reading.metres import Meter
from musegen.reading.score import Score, first_text
from musegen.reading.song import Song
from musegen.roll import KEY_SIGNATURE, Grid, Notes, Roll
from musegen.smf.chunks import midi_bytes
from musegen.smf.events import check_events, scan
from musegen.smf.kinds import END, MARKER, NAME, OF_A_PROGRAM, TEXT
from musegen.smf.writing import ending_at, with_metas, with_ports
from musegen.tonality import signature_of
from musegen.tracks import LAKH, Track

TICKS_PER_BEAT = 480
"""The resolution of written files: a multiple of 4, 12 and 24 steps a beat."""

MELODIC = CHANNELS - 1
"""The channels of a port that are not of drums, which pretty_midi gives to tracks in turn."""

SLOWEST_BPM, FASTEST_BPM = 4.0, 6e7
"""The tempi that 24 bits of microseconds a beat can hold, one microsecond at least."""

GRID = Grid()
LIMITS = MusicLimits()


def read_midi(
    source: Path | str | bytes,
    tracks: tuple[Track, ...] = LAKH,
    grid: Grid = GRID,
    meter: Meter = "kept",
    limits: MusicLimits = LIMITS,
    name: str = "",
    pedal: bool = True,
    pickup_beats: float = 0.0,
    names: bool = False,
    bends: bool = True,
) -> Song:
    """Read a file, or its bytes; raise `RejectedFile` with the reason if it cannot be used.

    Onsets and ends go to the nearest step; a note is at least one step long. A file without time
    signature is in 4/4. Metres are the same as `Metre` says (2/2 is 4/4, 6/8 is not 3/4), and bars
    are regrouped where 2 or 4 of one metre are one of the other, as 2/4 and 4/2 in 4/4. `pedal`:
    notes sound until their channel's pedal goes up. `pickup_beats`: quarter notes before the first
    bar, for a file that has no signature of their own for them. `names`: parts whose names alone
    say what they are have those instruments, see `by_names`. `bends`: those that are held over
    whole notes are in their pitches, see `HeldBends`; else all are controls alone.
    """
    events = scan(midi_bytes(source, limits))
    check_events(events)
    title = "" if isinstance(source, bytes) else stem_of_file(Path(source))
    score = Score.of(events, limits, pedal, names, bends)
    return score.song(tracks, grid, meter, pickup_beats, name or title)


def read_performance(
    source: Path | str | bytes,
    tracks: tuple[Track, ...] = LAKH,
    limits: MusicLimits = LIMITS,
    name: str = "",
) -> Performance:
    """Read all notes of a file, or of its bytes, as they are played; `RejectedFile` as above.

    Each part is a track of its own, with the name of that of `tracks` which claims it, else its
    own name. Nothing is quantised or left out, and the controllers of its channel are followed.
    Parts whose names alone say what they are have those instruments, see `by_names`.
    """
    events = scan(midi_bytes(source, limits))
    check_events(events)
    title = "" if isinstance(source, bytes) else stem_of_file(Path(source))
    return Score.of(events, limits, names=True).performance(tracks, name or title)


def require_tempo(name: str, tempo_bpm: Any) -> float:
    """Return a tempo that a MIDI file can hold; `ConfigError` for any other value.

    >>> require_tempo("tempo_bpm", 1e9)
    Traceback (most recent call last):
    core.errors.ConfigError: tempo_bpm is from 4 to 60,000,000 beats a minute, not 1e+09
    """
    tempo = positive(name, tempo_bpm)
    if not SLOWEST_BPM <= tempo <= FASTEST_BPM:
        raise ConfigError(
            f"{name} is from {SLOWEST_BPM:g} to {FASTEST_BPM:,.0f} beats a minute, not {tempo:g}"
        )
    return tempo


def write_midi(
    roll: Roll, path: Path | str | BytesIO, tracks: Sequence[int] | None = None
) -> None:
    """Write a roll: named tracks with their programs, drums on channel 10, the velocity of each
    note, the controls and the tempo of each bar; its title, origin, key, marks and a marker at
    each section of its form.

    `tracks`: the numbers of those that are written; all by default. `ConfigError` for a number
    that no track has, `UserError` where the file cannot be written. Each layer of a track is a
    MIDI track of its part's name, with a channel of its own.

    All tracks end where the roll does, and an event that others pass over says so to `read_midi`,
    which else counts bars up to the last note. From the 16th track on, tracks have ports of their
    own (FF 21), so that each plays its own program; so have drums of other kits or controls.
    """
    import pretty_midi

    grid = roll.grid
    bar_ticks = int(TICKS_PER_BEAT * grid.metre.quarters)
    midi = pretty_midi.PrettyMIDI(resolution=TICKS_PER_BEAT, charset="utf-8")
    # pretty_midi reads changes of tempo but has no public way to make them
    midi._tick_scales = _tick_scales(roll, bar_ticks)
    midi._update_tick_to_time(roll.bars * bar_ticks)
    seconds = midi._PrettyMIDI__tick_to_time  # pyright: ignore[reportAttributeAccessIssue]
    signature = pretty_midi.TimeSignature(grid.beats_per_bar, grid.beat_unit, 0.0)
    midi.time_signature_changes.append(signature)
    layer, ports, kits = roll.in_layers(), list[int](), dict[tuple[object, ...], int]()
    for number in range(len(roll.tracks)) if tracks is None else tracks:
        if whole("a track", number, 0) >= len(roll.tracks):
            raise ConfigError(f"a track is 0 to {len(roll.tracks) - 1}, not {number}")
        for track, notes, controls in _channels_of(roll, number, layer):
            instrument = pretty_midi.Instrument(track.program, track.is_drum, track.name)
            instrument.notes = _midi_notes(notes, roll.grid, seconds)
            if controls:
                mine = replace(controls, at=_ticks_of(controls.at, grid))
                send(mine, instrument, seconds)
            columns = fields(controls) if controls else ()
            turned = tuple(getattr(controls, column.name).tobytes() for column in columns)
            kit = (track.program, *turned)
            own = kits.setdefault(kit, len(kits)) if track.is_drum else len(ports) // MELODIC
            ports.append(own)
            midi.instruments.append(instrument)
    midi.write(stream := BytesIO())
    as_long = ending_at(stream.getvalue(), roll.bars * bar_ticks)
    described = with_metas(as_long, _metas(roll, bar_ticks))
    write_whole(path, with_ports(described, ports))


def _channels_of(
    roll: Roll, number: int, layer: np.ndarray
) -> Iterator[tuple[Track, Notes, Controls | None]]:
    """Yield a track, its notes and controls, then those of its layers that have notes.

    layer: that of each note, see `Roll.in_layers`.
    """
    own = (roll.notes.track == number) & (layer == 0)
    controls = roll.controls[number] if roll.controls else None
    yield roll.tracks[number], roll.notes[own], controls
    for other, one in enumerate(roll.layers, 1):
        if one.track == number and (layer == other).any():
            yield one.part_in(roll.tracks), roll.notes[layer == other], one.controls


def _metas(roll: Roll, bar_ticks: int) -> list[tuple[int, int, bytes]]:
    """Return (tick, kind, data) of the title, origin, key, sections, marks and end of a roll.

    A roll without a form has no sections. A chosen form takes the place of its markers, and a
    chosen key that of its keys.
    """
    has_own = any(mark.at == 0 and mark.kind == KEY_SIGNATURE for mark in roll.marks)
    key = None if has_own and not roll.key else signature_of(roll)
    about = [
        (NAME, as_text(roll.name).encode()),
        (TEXT, as_text(roll.origin).encode()),
        (KEY_SIGNATURE, bytes([key.sharps % 256, key.mode == "minor"]) if key else b""),
    ]
    length = bar_ticks * (roll.bars // max(1, len(roll.form)))
    markers = [(n * length, MARKER, letter.encode()) for n, letter in enumerate(roll.form)]
    over = {KEY_SIGNATURE: roll.key, MARKER: roll.form}
    kept = [mark for mark in roll.marks if not over.get(mark.kind)]
    ticks = _ticks_of(np.array([mark.at for mark in kept]), roll.grid).tolist()
    texts = [(tick, mark.kind, mark.data) for tick, mark in zip(ticks, kept, strict=True)]
    end = (roll.bars * bar_ticks, OF_A_PROGRAM, END)
    return [*((0, kind, data) for kind, data in about if data), *markers, *texts, end]


def origin_of(path: Path) -> str:
    """Return the text in which `write_midi` says where a file comes from; empty without one."""
    try:
        events = scan(midi_bytes(path, LIMITS))
    except RejectedFile:
        return ""
    return first_text(events)


def _tick_scales(roll: Roll, bar_ticks: int) -> list[tuple[int, float]]:
    """Return (tick, seconds a tick) of the first bar and of each bar with a new tempo."""
    for tempo in np.unique(roll.tempo_bpm).tolist():
        require_tempo("a tempo", tempo)
    microseconds = np.rint(6e7 / roll.tempo_bpm)
    changes = np.flatnonzero(np.append(True, np.diff(microseconds) != 0))
    scales = (microseconds[changes] + 0.25) / 1e6 / TICKS_PER_BEAT  # pretty_midi cuts fractions
    return list(zip((changes * bar_ticks).tolist(), scales.tolist(), strict=True))


def _midi_notes(notes: Notes, grid: Grid, seconds: np.ndarray) -> list[Any]:
    """Convert the notes of one track to `pretty_midi.Note`s; `seconds` is each tick's time."""
    from pretty_midi import Note

    steps = np.stack([notes.start, notes.start + notes.length])
    begin, end = seconds[_ticks_of(steps, grid)].tolist()
    pitch = (notes.pitch + grid.lowest_pitch).tolist()
    return list(map(Note, notes.velocity.tolist(), pitch, begin, end))


def _ticks_of(steps: np.ndarray, grid: Grid) -> np.ndarray:
    """Return the ticks of steps in a written file."""
    return np.rint(steps * TICKS_PER_BEAT / grid.steps_per_quarter).astype(np.int64)
