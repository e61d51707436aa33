"""MIDI file <-> notes on a grid.

Reading is by symusic, behind guards: a file is refused with its reason before anything large is
made of it. Writing is by pretty_midi.
"""

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import symusic
from jaxtyping import Float

from core.config import Limits
from musegen.roll import Grid, Notes, Roll, fill, notes_of, separate
from musegen.tracks import TRACK_LISTS, Part, Track, assign

TICKS_PER_BEAT = 480
"""Of written files: a multiple of 4, 12 and 24 steps a beat."""

Meter = Literal["kept", "any"]
"""kept: only bars in the grid's metre. any: the beats are divided anew, whatever the file says."""


class RejectedFile(Exception):
    """Why a file is left out: a short reason, and the sentence that explains it."""

    def __init__(self, reason: str, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Song:
    """A file on the grid: the kept bars in a row.

    `stretches` are (first bar, bars) between which bars of another metre were left out.
    """

    notes: Notes
    bars: int
    tempo_bpm: Float[np.ndarray, " bar"]
    stretches: tuple[tuple[int, int], ...]
    tracks: tuple[Track, ...]
    grid: Grid
    name: str = ""
    dropped_notes: int = 0

    def roll(self) -> Roll:
        cells = fill(self.notes, len(self.tracks), self.bars, self.grid)
        return Roll(cells, self.tracks, self.grid, self.tempo_bpm, self.name)


def read_midi(
    source: Path | bytes,
    tracks: tuple[Track, ...] = TRACK_LISTS["lakh"],
    grid: Grid = Grid(),
    meter: Meter = "kept",
    limits: Limits = Limits(),
    name: str = "",
) -> Song:
    """Read a file, or its bytes; `RejectedFile` says why one cannot be used."""
    data = _bytes(source, limits)
    ticks_per_beat = _check(data, limits)
    try:
        score = symusic.Score.from_midi(data)
    except Exception as error:  # the parser raises many kinds, all meaning the same to the user
        raise RejectedFile("unreadable", f"the MIDI parser says: {error}") from error
    found = _Found.of(score, ticks_per_beat, limits)
    return found.song(tracks, grid, meter, name or (source.stem if isinstance(source, Path) else ""))


def _bytes(source: Path | bytes, limits: Limits) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        size = source.stat().st_size
        if size > limits.file_bytes:
            raise RejectedFile("too-large", f"{size} bytes, at most {limits.file_bytes} are read")
        return source.read_bytes()
    except OSError as error:
        raise RejectedFile("unreadable", f"{error.strerror}") from error


def _check(data: bytes, limits: Limits) -> int:
    """Look at the header and the times; returns ticks per beat."""
    if not data:
        raise RejectedFile("empty-file", "the file has no bytes")
    if len(data) > limits.file_bytes:
        raise RejectedFile("too-large", f"{len(data)} bytes, at most {limits.file_bytes} are read")
    begin = data.find(b"MThd", 0, 4096)
    if begin < 0 or len(data) < begin + 14:
        raise RejectedFile("not-midi", "no MIDI header (MThd) at its beginning")
    kind, _, division = struct.unpack(">HHH", data[begin + 8 : begin + 14])
    if kind > 1:
        raise RejectedFile("format", f"MIDI format {kind} is not read, only 0 and 1 are")
    if division >= 0x8000:
        raise RejectedFile("smpte", "times are in SMPTE frames, not in beats")
    if division == 0:
        raise RejectedFile("division", "0 ticks a beat")
    if _LONG_DELTA.search(data) and _ticks(data) > limits.beats * division:
        raise RejectedFile("too-long", f"more than {limits.beats} beats")
    return division


_LONG_DELTA = re.compile(rb"[\x80-\xff]{3}[\x00-\x7f]")
"""Time steps above 2 million ticks look like this; so do some texts, hence the closer look."""


def _ticks(data: bytes) -> int:
    """Ticks to the end of the longest track, read event by event: slow, for suspects only."""
    longest, at = 0, data.find(b"MTrk")
    while at >= 0:
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        longest = max(longest, _track_ticks(data[at + 8 : at + 8 + size]))
        at = data.find(b"MTrk", at + 8)
    return longest


def _track_ticks(events: bytes) -> int:
    """The sum of a track's time steps, up to its end or to what cannot be read."""
    total = at = 0
    lengths = {0xC: 1, 0xD: 1}
    status = 0
    try:
        while at < len(events):
            delta, at = _variable_length(events, at)
            total += delta
            if events[at] >= 0x80:
                status, at = events[at], at + 1
            if status >= 0xF0:
                at += status == 0xFF  # the kind of a meta event
                skipped, at = _variable_length(events, at)
                at += skipped
            else:
                at += lengths.get(status >> 4, 2)
    except IndexError:
        pass
    return total


def _variable_length(data: bytes, at: int) -> tuple[int, int]:
    """A number of 7 bits a byte, and where it ends."""
    value = 0
    while data[at] & 0x80:
        value, at = value << 7 | data[at] & 0x7F, at + 1
    return value << 7 | data[at], at + 1


@dataclass
class _Found:
    """What the parser found, as columns in ticks."""

    parts: list[Part]
    part: np.ndarray
    start: np.ndarray
    duration: np.ndarray
    pitch: np.ndarray
    velocity: np.ndarray
    tempo_at: np.ndarray
    microseconds_per_beat: np.ndarray
    signature_at: np.ndarray
    beats: np.ndarray
    ticks_per_beat: int

    @classmethod
    def of(cls, score: symusic.core.ScoreTick, ticks_per_beat: int, limits: Limits) -> "_Found":
        sounding = [track for track in score.tracks if len(track.notes)]
        columns = [track.notes.numpy() for track in sounding]
        notes = sum(len(c["time"]) for c in columns)
        if notes == 0:
            raise RejectedFile("no-notes", "there is no note in it")
        if notes > limits.notes:
            raise RejectedFile("too-many-notes", f"{notes} notes, at most {limits.notes} are read")

        def column(key: str) -> np.ndarray:
            return np.concatenate([c[key] for c in columns]).astype(np.int64)

        tempi = score.tempos.numpy()
        meters = score.time_signatures.numpy()
        found = cls(
            [Part(n, t.name, t.program, t.is_drum) for n, t in enumerate(sounding)],
            np.repeat(np.arange(len(columns)), [len(c["time"]) for c in columns]),
            column("time"),
            column("duration"),
            column("pitch"),
            column("velocity"),
            tempi["time"].astype(np.int64),
            tempi["mspq"].astype(np.float64),
            meters["time"].astype(np.int64),
            4 * meters["numerator"] / np.maximum(meters["denominator"], 1),
            ticks_per_beat,
        )
        found._guard(limits)
        return found

    def _guard(self, limits: Limits) -> None:
        end = int((self.start + self.duration).max())
        if self.start.min() < 0 or self.duration.min() < 0 or end > limits.beats * self.ticks_per_beat:
            raise RejectedFile("too-long", f"more than {limits.beats} beats")
        if (self.microseconds_per_beat <= 0).any():
            raise RejectedFile("tempo", "a tempo of 0 microseconds a beat")
        if (self.beats <= 0).any():
            raise RejectedFile("time-signature", "a time signature of 0 beats")

    def song(self, tracks: tuple[Track, ...], grid: Grid, meter: Meter, name: str) -> Song:
        """Place the notes on the bars of the wanted metre."""
        starts, stretches = self._bars(grid, meter)
        if not len(starts):
            wanted = f"{grid.beats_per_bar}/4"
            raise RejectedFile("time-signature", f"no bar is in {wanted}; --meter any would use it")
        notes = self._placed(starts, stretches, tracks, grid)
        if not len(notes):
            raise RejectedFile("no-notes", "no note belongs to a track within the pitch range")
        kept = separate(notes, grid)
        bars = 1 + int((kept.start + kept.length - 1).max()) // grid.steps_per_bar
        cut = tuple((first, min(n, bars - first)) for first, n in stretches if first < bars)
        tempo = self._tempo(starts[:bars], grid)
        return Song(kept, bars, tempo, cut, tracks, grid, name, len(self.start) - len(notes))

    def _bars(self, grid: Grid, meter: Meter) -> tuple[np.ndarray, list[tuple[int, int]]]:
        """Ticks at which the kept bars start, and the stretches that follow without a gap."""
        bar_ticks = grid.beats_per_bar * self.ticks_per_beat
        end = int((self.start + np.maximum(self.duration, 1)).max())
        starts: list[np.ndarray] = []
        stretches: list[tuple[int, int]] = []
        count = 0
        for begin, until, beats in self._metres(end, meter, grid):
            if beats != grid.beats_per_bar:
                continue
            whole = -(-(until - begin) // bar_ticks) if until >= end else (until - begin) // bar_ticks
            if whole <= 0:
                continue
            starts.append(begin + bar_ticks * np.arange(whole))
            joins = count and begin == starts[-2][-1] + bar_ticks
            first, bars = stretches.pop() if joins else (count, 0)
            stretches.append((first, bars + whole))
            count += whole
        return np.concatenate(starts or [np.zeros(0, np.int64)]), stretches

    def _metres(self, end: int, meter: Meter, grid: Grid) -> list[tuple[int, int, float]]:
        """(from tick, until tick, beats a bar); 4/4 where the file does not say."""
        if meter == "any":
            return [(0, end, grid.beats_per_bar)]
        at, beats = self.signature_at, self.beats
        if not len(at) or at[0] > 0:
            at, beats = np.concatenate([[0], at]), np.concatenate([[4.0], beats])
        until = np.concatenate([at[1:], [max(end, at[-1])]])
        return list(zip(at.tolist(), np.minimum(until, end).tolist(), beats.tolist(), strict=True))

    def _placed(
        self,
        starts: np.ndarray,
        stretches: list[tuple[int, int]],
        tracks: tuple[Track, ...],
        grid: Grid,
    ) -> Notes:
        """The notes that belong to a track, the pitch range and a kept bar."""
        step_ticks = self.ticks_per_beat / grid.steps_per_beat
        track = np.array(assign(self.parts, tracks))[self.part]
        pitch = self.pitch - grid.lowest_pitch
        bar = np.searchsorted(starts, self.start + step_ticks / 2, side="right") - 1
        offset = self.start - starts[np.maximum(bar, 0)]
        step = np.floor(offset / step_ticks + 0.5).astype(np.int64)
        end = np.floor((offset + self.duration) / step_ticks + 0.5).astype(np.int64)
        last = np.array([first + bars for first, bars in stretches]) * grid.steps_per_bar
        begin = bar * grid.steps_per_bar + step
        limit = last[np.searchsorted(last, begin, side="right").clip(max=len(last) - 1)]
        length = np.minimum(np.maximum(end - step, 1), limit - begin)
        drums = np.array([t.is_drum for t in tracks])[np.maximum(track, 0)]
        inside = (pitch >= 0) & (pitch < grid.pitches) & (step >= 0) & (step < grid.steps_per_bar)
        kept = (track >= 0) & (bar >= 0) & inside & (length > 0)
        length = np.where(drums, 1, length)
        return Notes(track, begin, pitch, length, self.velocity)[kept]

    def _tempo(self, starts: np.ndarray, grid: Grid) -> np.ndarray:
        """Mean tempo of each bar in beats a minute, weighted by time."""
        at, per_beat = self.tempo_at, self.microseconds_per_beat / 1e6
        if not len(at) or at[0] > 0:
            at, per_beat = np.concatenate([[0], at]), np.concatenate([[0.5], per_beat])
        at, index = np.unique(at[::-1], return_index=True)  # the last of those at one tick counts
        per_beat = per_beat[::-1][index]
        elapsed = np.concatenate([[0], np.cumsum(np.diff(at) / self.ticks_per_beat * per_beat[:-1])])

        def seconds(tick: np.ndarray) -> np.ndarray:
            piece = np.searchsorted(at, tick, side="right") - 1
            return elapsed[piece] + (tick - at[piece]) / self.ticks_per_beat * per_beat[piece]

        bar_ticks = grid.beats_per_bar * self.ticks_per_beat
        return 60.0 * grid.beats_per_bar / (seconds(starts + bar_ticks) - seconds(starts))


def song_of(roll: Roll, name: str = "") -> Song:
    """A roll as a song of one stretch."""
    notes = notes_of(roll.cells)
    whole = ((0, roll.bars),)
    return Song(
        notes, roll.bars, roll.tempo_bpm, whole, roll.tracks, roll.grid, name or roll.name
    )


def write_midi(roll: Roll, path: Path | str, velocity: int = 100) -> None:
    """Write a roll: named tracks with their programs, drums on channel 10, a tempo for each bar."""
    import pretty_midi

    changes = np.concatenate([[True], np.diff(roll.tempo_bpm) != 0])
    midi = pretty_midi.PrettyMIDI(
        resolution=TICKS_PER_BEAT, initial_tempo=float(roll.tempo_bpm[0])
    )
    ticks_per_bar = TICKS_PER_BEAT * roll.grid.beats_per_bar
    scales = 60.0 / (roll.tempo_bpm[changes] * TICKS_PER_BEAT)
    bars = np.flatnonzero(changes)
    midi._tick_scales = [  # pretty_midi has no public way to set tempo changes
        (int(bar * ticks_per_bar), float(scale)) for bar, scale in zip(bars, scales, strict=True)
    ]
    midi._update_tick_to_time(roll.bars * ticks_per_bar + TICKS_PER_BEAT)
    midi.time_signature_changes.append(
        pretty_midi.TimeSignature(roll.grid.beats_per_bar, 4, 0.0)
    )
    for track, cells in zip(roll.tracks, roll.cells, strict=True):
        midi.instruments.append(_instrument(midi, track, cells, roll.grid, velocity))
    midi.write(str(path))


def _instrument(midi: object, track: Track, cells: np.ndarray, grid: Grid, velocity: int) -> object:
    import pretty_midi

    instrument = pretty_midi.Instrument(track.program, track.is_drum, track.name)
    step_ticks = TICKS_PER_BEAT / grid.steps_per_beat
    notes = notes_of(cells[None], velocity)
    begin = np.rint(notes.start * step_ticks).astype(int).tolist()
    end = np.rint((notes.start + notes.length) * step_ticks).astype(int).tolist()
    times = midi._PrettyMIDI__tick_to_time  # type: ignore[attr-defined]
    for pitch, first, last in zip(notes.pitch.tolist(), begin, end, strict=True):
        instrument.notes.append(
            pretty_midi.Note(velocity, pitch + grid.lowest_pitch, times[first], times[last])
        )
    return instrument
