"""The `.npz` of the Lakh Pianoroll Dataset, read and written by pypianoroll."""

import io
import zipfile
from pathlib import Path

import numpy as np

from core.config import Limits
from musegen.midi import Meter, RejectedFile, Song, song_of
from musegen.roll import HOLD, ONSET, Grid, Roll
from musegen.tracks import Part, Track, assign

VELOCITY = 100


def read_lpd(
    data: bytes,
    tracks: tuple[Track, ...],
    grid: Grid,
    meter: Meter,
    limits: Limits,
    name: str = "",
) -> Song:
    """Bytes of a `.npz` -> a song. A pianoroll does not tell a repeated note from a held one: a
    change of velocity, or silence, is what separates two."""
    import pypianoroll

    _check(data, limits)
    try:
        multitrack = pypianoroll.load(io.BytesIO(data))  # pyright: ignore[reportArgumentType]
    except Exception as error:  # pypianoroll passes on whatever numpy and json raise
        raise RejectedFile("unreadable", f"pypianoroll says: {error}") from error
    if not multitrack.resolution or multitrack.resolution % grid.steps_per_beat:
        raise RejectedFile(
            "resolution",
            f"{multitrack.resolution} steps a beat do not divide into {grid.steps_per_beat}",
        )
    return song_of(_roll(multitrack, tracks, grid, limits), name)


def _check(data: bytes, limits: Limits) -> None:
    """Refuse an archive that would unpack to more than the limits allow."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(info.file_size for info in archive.infolist())
    except zipfile.BadZipFile as error:
        raise RejectedFile("unreadable", "no .npz archive") from error
    if size > limits.memory_mb << 20:
        raise RejectedFile("too-large", f"unpacks to {size} bytes")


def _roll(multitrack: object, tracks: tuple[Track, ...], grid: Grid, limits: Limits) -> Roll:
    resolution, played = multitrack.resolution, multitrack.tracks  # type: ignore[attr-defined]
    factor = resolution // grid.steps_per_beat
    parts = [Part(n, t.name or "", t.program, t.is_drum) for n, t in enumerate(played)]
    length = max((len(t.pianoroll) for t in played), default=0)
    steps = -(-length // factor)
    if not steps:
        raise RejectedFile("no-notes", "there is no note in it")
    if steps > limits.beats * grid.steps_per_beat:
        raise RejectedFile("too-long", f"more than {limits.beats} beats")
    bars = -(-steps // grid.steps_per_bar)
    cells = np.zeros((len(tracks), bars * grid.steps_per_bar, grid.pitches), np.uint8)
    for track, owner in zip(played, assign(parts, tracks), strict=True):
        if owner >= 0 and len(track.pianoroll):
            coarse = _cells(np.asarray(track.pianoroll), factor, grid, tracks[owner].is_drum)
            view = cells[owner, : len(coarse)]
            np.maximum(view, coarse, out=view)
    tempo = np.asarray(multitrack.tempo if multitrack.tempo is not None else [120.0])  # type: ignore[attr-defined]
    return Roll(
        cells.reshape(len(tracks), bars, grid.steps_per_bar, grid.pitches),
        tracks,
        grid,
        np.full(bars, float(tempo.flat[0])),
    )


def _cells(pianoroll: np.ndarray, factor: int, grid: Grid, is_drum: bool) -> np.ndarray:
    """Velocities [step 128] -> cells [coarser step, pitch]."""
    top = grid.lowest_pitch + grid.pitches
    loud = pianoroll[:, grid.lowest_pitch : top].astype(np.int16)
    before = np.vstack([np.zeros_like(loud[:1]), loud[:-1]])
    onset = (loud > 0) & (loud != before)
    padded = [np.pad(a, ((0, -len(a) % factor), (0, 0))) for a in (loud > 0, onset)]
    sounding, struck = (a.reshape(-1, factor, a.shape[1]).any(1) for a in padded)
    if is_drum:
        return struck.astype(np.uint8) * ONSET
    return np.maximum(struck * ONSET, sounding * HOLD).astype(np.uint8)


def write_lpd(roll: Roll, path: Path | str) -> None:
    """Write a roll as `.npz` for pypianoroll; touching notes differ in velocity by one."""
    import pypianoroll

    played = []
    for track, cells in zip(roll.tracks, roll.cells, strict=True):
        flat = cells.reshape(-1, roll.grid.pitches)
        loud = np.zeros((len(flat), 128), np.uint8)
        notes = np.cumsum(flat == ONSET, 0) % 2
        loud[:, roll.grid.lowest_pitch : roll.grid.lowest_pitch + roll.grid.pitches] = np.where(
            flat > 0, VELOCITY + notes, 0
        )
        played.append(
            pypianoroll.StandardTrack(
                name=track.name, program=track.program, is_drum=track.is_drum, pianoroll=loud
            )
        )
    tempo = np.repeat(roll.tempo_bpm, roll.grid.steps_per_bar)
    pypianoroll.Multitrack(
        name=roll.name, resolution=roll.grid.steps_per_beat, tempo=tempo, tracks=played
    ).save(str(path))
