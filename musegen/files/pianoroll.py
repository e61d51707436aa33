"""The `.npz` of the Lakh Pianoroll Dataset, read and written by pypianoroll."""

import io
import zipfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from core.data.sources import UNREADABLE, RejectedFile
from core.files import write_whole
from musegen.files.limits import MusicLimits
from musegen.reading.claims import Claims
from musegen.reading.metres import Meter
from musegen.reading.song import Song
from musegen.roll import HOLD, ONSET, Grid, Notes, Roll, fill_velocities, notes_of
from musegen.smf.events import DEFAULT_BPM
from musegen.tracks import Part, Track, assign

LPD = (".npz",)
"""Suffixes of pianoroll archives."""

PITCHES = 128
LOUDEST = 127


def read_lpd(
    data: bytes,
    tracks: tuple[Track, ...],
    grid: Grid,
    meter: Meter,
    limits: MusicLimits,
    name: str = "",
) -> Song:
    """Read the bytes of a `.npz` as a song; raise `RejectedFile` if it cannot be used.

    A pianoroll does not distinguish a repeated note from a held one: a note ends at silence or at
    a change of velocity. Bars begin at its downbeats, or from step 0 on if it has none.
    """
    import pypianoroll

    _check(data, limits)
    try:
        multitrack = pypianoroll.load(io.BytesIO(data))  # type: ignore[arg-type]  as np.load does
    except Exception as error:  # pypianoroll passes on whatever numpy, scipy and json raise
        raise RejectedFile("unreadable", f"pypianoroll fails: {error}") from error
    return _Multitrack(multitrack, grid, limits).song(tracks, meter, name)


def _check(data: bytes, limits: MusicLimits) -> None:
    """Reject, by its headers, an archive that would unpack to more than the limits allow."""
    most = limits.memory_mb << 20
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sizes = [info.file_size for info in archive.infolist()]
            if sum(sizes) > most:
                raise RejectedFile("too-large", f"unpacks to {sum(sizes)} bytes")
            dense = sum(_dense_bytes(archive, info) for info in archive.infolist())
    except UNREADABLE as error:
        raise RejectedFile("unreadable", f"no .npz archive: {error}") from error
    if dense > most:
        raise RejectedFile("too-large", f"its pianorolls are {dense} bytes")


def _dense_bytes(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> int:
    """Return the size of the pianoroll whose shape this entry holds, 0 for other entries.

    `ValueError` for a wrong header.
    """
    if not info.filename.endswith(".npy"):
        return 0
    with archive.open(info) as file:
        version = npy.read_magic(file)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, kind = read_header(file)
        size = kind.itemsize * int(np.prod(shape, dtype=object))
        if kind.hasobject or size > info.file_size:
            raise ValueError(f"{info.filename} does not match its header")
        if not info.filename.endswith("_csc_shape.npy"):
            return 0
        return int(np.prod(np.frombuffer(file.read(size), kind).astype(object)))


class _Multitrack:
    """The tracks of pypianoroll with their resolution, to be converted to the grid."""

    def __init__(self, multitrack: Any, grid: Grid, limits: MusicLimits):
        self.instruments, self.grid = multitrack.tracks, grid
        self.resolution = multitrack.resolution
        if not self.resolution or self.resolution % grid.steps_per_quarter:
            raise RejectedFile(
                "resolution",
                f"{self.resolution} steps a beat do not divide into {grid.steps_per_quarter:g}",
            )
        self.factor = int(self.resolution // grid.steps_per_quarter)
        self.bar_steps = self.factor * grid.steps_per_bar
        if any(track.pianoroll.shape[1:] != (PITCHES,) for track in self.instruments):
            raise RejectedFile("unreadable", f"a pianoroll without {PITCHES} pitches")
        self.steps = max((len(track.pianoroll) for track in self.instruments), default=0)
        if not self.steps:
            raise RejectedFile("no-notes", "the file has no notes")
        if self.steps > limits.beats * self.resolution:
            raise RejectedFile("too-long", f"more than {limits.beats} beats")
        self.tempo, self.downbeat = multitrack.tempo, multitrack.downbeat

    def song(self, tracks: tuple[Track, ...], meter: Meter, name: str) -> Song:
        """Convert the kept bars to notes on the grid."""
        starts = self._bars(meter)
        bar_steps = self.bar_steps
        within = starts[:, None] + np.arange(bar_steps)
        cells, velocity = self._cells(tracks, within.ravel())
        borders = 1 + np.flatnonzero(np.diff(starts) != bar_steps)
        firsts = np.concatenate([[0], borders])
        for first in firsts * self.grid.steps_per_bar:  # no note is held across a border
            cells[:, first][cells[:, first] == HOLD] = ONSET
        shape = (len(tracks), len(starts), self.grid.steps_per_bar, self.grid.pitches)
        notes = notes_of(cells.reshape(shape), velocity.reshape(shape))  # [track bar step pitch]
        if not len(notes):
            raise RejectedFile("no-notes", "no note is in the pitch range and in a track's part")
        counts = np.diff(np.append(firsts, len(starts)))
        stretches = tuple(zip(firsts.tolist(), counts.tolist(), strict=True))
        return Song(
            notes=notes,
            bars=len(starts),
            tempo_bpm=self._tempo(within),
            stretches=stretches,
            grid=self.grid,
            claims=Claims(tracks),
            name=name,
        )

    def _bars(self, meter: Meter) -> np.ndarray:
        """Return the first steps of bars in the grid's metre.

        The last downbeat's bar is taken to be as long as the bar before it.
        """
        bar_steps = self.bar_steps
        beats = np.flatnonzero(self.downbeat) if self.downbeat is not None else np.zeros(0, int)
        if meter == "any" or not len(beats):
            return np.arange(0, self.steps, bar_steps)
        lengths = np.diff(beats)
        starts = beats[np.append(lengths, lengths[-1] if len(lengths) else bar_steps) == bar_steps]
        if not len(starts):
            metre = self.grid.metre.name
            raise RejectedFile("time-signature", f"no bar is in {metre}", "--meter any")
        return starts

    def _cells(
        self, tracks: tuple[Track, ...], steps: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the cells and velocities of these steps, [track coarse_step pitch]."""
        parts = [
            Part(n, t.name or "", t.program, t.is_drum) for n, t in enumerate(self.instruments)
        ]
        cells = np.zeros((len(tracks), len(steps) // self.factor, self.grid.pitches), np.uint8)
        velocity = np.zeros_like(cells)
        for track, owner in zip(self.instruments, assign(parts, tracks), strict=True):
            if owner >= 0 and len(track.pianoroll):
                part, loud = self._part(np.asarray(track.pianoroll), steps, tracks[owner].is_drum)
                np.maximum(cells[owner], part, out=cells[owner])
                np.maximum(velocity[owner], loud, out=velocity[owner])
        return cells, velocity

    def _part(
        self, pianoroll: np.ndarray, steps: np.ndarray, is_drum: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Convert velocities [step 128] to cells and velocities [coarse_step pitch]."""
        low, top = self.grid.lowest_pitch, self.grid.lowest_pitch + self.grid.pitches
        velocity = pianoroll[:, low:top].astype(np.int16)
        previous = np.vstack([np.zeros_like(velocity[:1]), velocity[:-1]])
        inside = steps < len(velocity)
        index = np.where(inside, steps, 0)
        by_step = (-1, self.factor, top - low)
        is_onset = (velocity > 0) & (velocity != previous)
        at_onset, at_any = (
            np.where(inside[:, None], loud[index], 0).reshape(by_step).max(1)  # [coarse pitch]
            for loud in (velocity * is_onset, velocity)
        )
        hold = np.uint8(0 if is_drum else HOLD)
        cells = np.maximum((at_onset > 0) * np.uint8(ONSET), (at_any > 0) * hold)
        loud = np.where(at_onset > 0, at_onset, at_any)
        return cells, np.minimum(loud, LOUDEST).astype(np.uint8)

    def _tempo(self, within: np.ndarray) -> np.ndarray:
        """Return the mean tempo of each bar in beats a minute, weighted by time."""
        if self.tempo is None or not np.size(self.tempo):
            return np.full(len(within), DEFAULT_BPM)
        tempo = np.clip(np.nan_to_num(np.ravel(self.tempo), nan=DEFAULT_BPM), 1, 10_000)
        return 1 / np.mean(1 / tempo[np.minimum(within, len(tempo) - 1)], axis=1)


def write_lpd(roll: Roll, path: Path | str | io.BytesIO) -> None:
    """Write a roll as `.npz` for pypianoroll, with the velocity of each note.

    A note that follows one of its velocity on its pitch without a gap gets one that differs by 1:
    a pianoroll would show the two as one note. `UserError` where it cannot be written.
    """
    import pypianoroll

    notes = _distinguishable(roll.notes)
    velocity = fill_velocities(notes, len(roll.tracks), roll.bars, roll.grid)
    low, steps = roll.grid.lowest_pitch, roll.grid.steps_per_bar
    instruments = []
    for track, loud in zip(roll.tracks, velocity, strict=True):
        line = loud.reshape(-1, roll.grid.pitches)  # [step pitch]
        pianoroll = np.pad(line, ((0, 0), (low, PITCHES - low - roll.grid.pitches)))
        instruments.append(
            pypianoroll.StandardTrack(
                name=track.name, program=track.program, is_drum=track.is_drum, pianoroll=pianoroll
            )
        )
    multitrack = pypianoroll.Multitrack(
        name=roll.name,
        resolution=int(roll.grid.steps_per_quarter),
        tempo=np.repeat(roll.tempo_bpm, steps),
        downbeat=np.arange(roll.bars * steps) % steps == 0,
        tracks=instruments,
    )
    stream, written = io.BytesIO(), io.BytesIO()
    multitrack.save(stream)  # type: ignore[arg-type]  as np.savez does
    with zipfile.ZipFile(stream) as dated, zipfile.ZipFile(written, "w") as archive:
        for name in dated.namelist():  # without the time of writing: equal rolls, equal bytes
            archive.writestr(zipfile.ZipInfo(name), dated.read(name), zipfile.ZIP_DEFLATED)
    write_whole(path, written.getvalue())


def _distinguishable(notes: Notes) -> Notes:
    """Change velocities by 1 where a note would run into the next one."""
    order = np.lexsort((notes.start, notes.pitch, notes.track))
    velocity = notes.velocity.copy()
    for one, following in pairwise(order.tolist()):
        touches = notes.start[one] + notes.length[one] == notes.start[following]
        same_line = (notes.track[one], notes.pitch[one]) == (
            notes.track[following],
            notes.pitch[following],
        )
        if touches and same_line and velocity[one] == velocity[following]:
            velocity[following] += -1 if velocity[following] == LOUDEST else 1
    return replace(notes, velocity=velocity)
