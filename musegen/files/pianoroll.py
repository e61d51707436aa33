"""The `.npz` of the Lakh Pianoroll Dataset, read and written by pypianoroll."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from core.data.sources import RejectedFile
from musegen.files.limits import MusicLimits
from musegen.files.midi import DEFAULT_BPM, Meter, Song
from musegen.roll import HOLD, ONSET, Grid, Roll, notes_of
from musegen.tracks import Part, Track, assign

LPD = (".npz",)
"""What such files are called."""

VELOCITY = 100
PITCHES = 128


def read_lpd(
    data: bytes,
    tracks: tuple[Track, ...],
    grid: Grid,
    meter: Meter,
    limits: MusicLimits,
    name: str = "",
) -> Song:
    """Bytes of a `.npz` -> a song; `RejectedFile` says why one cannot be used.

    A pianoroll does not tell a repeated note from a held one: a change of velocity, or silence, is
    what separates two. Bars begin at its downbeats, or from its first step where it has none.
    """
    import pypianoroll

    _check(data, limits)
    try:
        multitrack = pypianoroll.load(io.BytesIO(data))  # type: ignore[arg-type]  as np.load does
    except Exception as error:  # pypianoroll passes on whatever numpy, scipy and json raise
        raise RejectedFile("unreadable", f"pypianoroll says: {error}") from error
    return _Multitrack(multitrack, grid, limits).song(tracks, meter, name)


def _check(data: bytes, limits: MusicLimits) -> None:
    """Refuse, by its headers, what would unpack to more than the limits allow."""
    most = limits.memory_mb << 20
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sizes = [info.file_size for info in archive.infolist()]
            if sum(sizes) > most:
                raise RejectedFile("too-large", f"unpacks to {sum(sizes)} bytes")
            dense = sum(_dense_bytes(archive, info) for info in archive.infolist())
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError) as error:
        raise RejectedFile("unreadable", f"no .npz archive: {error}") from error
    if dense > most:
        raise RejectedFile("too-large", f"its pianorolls are {dense} bytes")


def _dense_bytes(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> int:
    """The size of a pianoroll where this is its shape; `ValueError` for a header that lies."""
    if not info.filename.endswith(".npy"):
        return 0
    with archive.open(info) as file:
        version = npy.read_magic(file)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, kind = read_header(file)
        size = kind.itemsize * int(np.prod(shape, dtype=object))
        if kind.hasobject or size > info.file_size:
            raise ValueError(f"{info.filename} is not what its header says")
        if not info.filename.endswith("_csc_shape.npy"):
            return 0
        return int(np.prod(np.frombuffer(file.read(size), kind).astype(object)))


class _Multitrack:
    """A pianoroll of pypianoroll, on the grid."""

    def __init__(self, multitrack: Any, grid: Grid, limits: MusicLimits):
        self.played, self.grid = multitrack.tracks, grid
        self.resolution = multitrack.resolution
        if not self.resolution or self.resolution % grid.steps_per_beat:
            raise RejectedFile(
                "resolution",
                f"{self.resolution} steps a beat do not divide into {grid.steps_per_beat}",
            )
        self.factor = self.resolution // grid.steps_per_beat
        if any(track.pianoroll.shape[1:] != (PITCHES,) for track in self.played):
            raise RejectedFile("unreadable", f"a pianoroll that has not {PITCHES} pitches")
        self.steps = max((len(track.pianoroll) for track in self.played), default=0)
        if not self.steps:
            raise RejectedFile("no-notes", "there is no note in it")
        if self.steps > limits.beats * self.resolution:
            raise RejectedFile("too-long", f"more than {limits.beats} beats")
        self.tempo, self.downbeat = multitrack.tempo, multitrack.downbeat

    def song(self, tracks: tuple[Track, ...], meter: Meter, name: str) -> Song:
        starts = self._bars(meter)
        bar_steps = self.resolution * self.grid.beats_per_bar
        within = starts[:, None] + np.arange(bar_steps)
        cells = self._cells(tracks, within.ravel())
        borders = 1 + np.flatnonzero(np.diff(starts) != bar_steps)
        firsts = np.concatenate([[0], borders])
        for first in firsts * self.grid.steps_per_bar:  # nothing is held over what was left out
            cells[:, first][cells[:, first] == HOLD] = ONSET
        shape = (len(tracks), len(starts), self.grid.steps_per_bar, self.grid.pitches)
        notes = notes_of(cells.reshape(shape))
        if not len(notes):
            raise RejectedFile("no-notes", "no note is in the pitch range and in a track's part")
        counts = np.diff(np.append(firsts, len(starts)))
        stretches = tuple(zip(firsts.tolist(), counts.tolist(), strict=True))
        return Song(notes, len(starts), self._tempo(within), stretches, tracks, self.grid, name)

    def _bars(self, meter: Meter) -> np.ndarray:
        """The first steps of bars of the wanted metre; the last is as long as the one before."""
        bar_steps = self.resolution * self.grid.beats_per_bar
        beats = np.flatnonzero(self.downbeat) if self.downbeat is not None else np.zeros(0, int)
        if meter == "any" or not len(beats):
            return np.arange(0, self.steps, bar_steps)
        lengths = np.diff(beats)
        starts = beats[np.append(lengths, lengths[-1] if len(lengths) else bar_steps) == bar_steps]
        if not len(starts):
            wanted = f"{self.grid.beats_per_bar}/4"
            raise RejectedFile(
                "time-signature", f"no bar is in {wanted}; with meter 'any' it counts"
            )
        return starts

    def _cells(self, tracks: tuple[Track, ...], steps: np.ndarray) -> np.ndarray:
        """The cells of these steps in a row, [track coarser step pitch]."""
        parts = [Part(n, t.name or "", t.program, t.is_drum) for n, t in enumerate(self.played)]
        cells = np.zeros((len(tracks), len(steps) // self.factor, self.grid.pitches), np.uint8)
        for track, owner in zip(self.played, assign(parts, tracks), strict=True):
            if owner >= 0 and len(track.pianoroll):
                heard = self._heard(np.asarray(track.pianoroll), steps, tracks[owner].is_drum)
                np.maximum(cells[owner], heard, out=cells[owner])
        return cells

    def _heard(self, pianoroll: np.ndarray, steps: np.ndarray, is_drum: bool) -> np.ndarray:
        """Velocities [step 128] -> cells [coarser step, pitch]."""
        low, top = self.grid.lowest_pitch, self.grid.lowest_pitch + self.grid.pitches
        loud = pianoroll[:, low:top].astype(np.int16)
        before = np.vstack([np.zeros_like(loud[:1]), loud[:-1]])
        there = steps < len(loud)
        chosen = np.where(there, steps, 0)
        states = ((loud > 0)[chosen], ((loud > 0) & (loud != before))[chosen])
        sounding, struck = (
            (state & there[:, None]).reshape(-1, self.factor, top - low).any(1) for state in states
        )
        held = np.uint8(0 if is_drum else HOLD)
        return np.maximum(struck * np.uint8(ONSET), sounding * held)

    def _tempo(self, within: np.ndarray) -> np.ndarray:
        """Mean tempo of each bar in beats a minute, weighted by time."""
        if self.tempo is None or not np.size(self.tempo):
            return np.full(len(within), DEFAULT_BPM)
        tempo = np.clip(np.nan_to_num(np.ravel(self.tempo), nan=DEFAULT_BPM), 1, 10_000)
        return 1 / np.mean(1 / tempo[np.minimum(within, len(tempo) - 1)], axis=1)


def write_lpd(roll: Roll, path: Path | str) -> None:
    """Write a roll as `.npz` for pypianoroll; touching notes differ in velocity by one."""
    import pypianoroll

    played = []
    for track, cells in zip(roll.tracks, roll.cells, strict=True):
        flat = cells.reshape(-1, roll.grid.pitches)
        loud = np.zeros((len(flat), PITCHES), np.uint8)
        notes = np.cumsum(flat == ONSET, 0) % 2
        loud[:, roll.grid.lowest_pitch : roll.grid.lowest_pitch + roll.grid.pitches] = np.where(
            flat > 0, VELOCITY + notes, 0
        )
        played.append(
            pypianoroll.StandardTrack(
                name=track.name, program=track.program, is_drum=track.is_drum, pianoroll=loud
            )
        )
    steps = roll.grid.steps_per_bar
    pypianoroll.Multitrack(
        name=roll.name,
        resolution=roll.grid.steps_per_beat,
        tempo=np.repeat(roll.tempo_bpm, steps),
        downbeat=np.arange(roll.bars * steps) % steps == 0,
        tracks=played,
    ).save(str(path))
