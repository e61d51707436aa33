"""The Lakh Pianoroll Dataset's files: read as they are, refused where they mean harm."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from note_rows import notes, rows

from core.data.sources import RejectedFile
from musegen.files.limits import MusicLimits
from musegen.files.pianoroll import _dense_bytes, read_lpd, write_lpd
from musegen.reading.metres import Meter
from musegen.reading.song import Song
from musegen.roll import HOLD, ONSET, Grid, Roll
from musegen.tracks import LAKH

LIMITS = MusicLimits()
DRUMS, PIANO, GUITAR, BASS, STRINGS = range(5)


def read(
    path: Path, grid: Grid = Grid(), meter: Meter = "kept", limits: MusicLimits = LIMITS
) -> Song:
    return read_lpd(path.read_bytes(), LAKH, grid, meter, limits, "song")


def pianoroll(steps: int, notes: dict[tuple[int, int, int], int]) -> np.ndarray:
    """Velocities [step 128] from (first step, end, pitch): velocity."""
    pianoroll = np.zeros((steps, 128), np.uint8)
    for (first, end, pitch), velocity in notes.items():
        pianoroll[first:end, pitch] = velocity
    return pianoroll


def save(path: Path, rolls: dict[int, np.ndarray], **facts: Any) -> Path:
    """A file of the dataset's form: 24 steps a beat, tracks by their program; -1 is drums."""
    import pypianoroll

    tracks = [
        pypianoroll.StandardTrack(program=max(0, p), is_drum=p < 0, pianoroll=roll)
        for p, roll in rolls.items()
    ]
    pypianoroll.Multitrack(name="x", resolution=24, tracks=tracks, **facts).save(str(path))
    return path


def test_velocities_become_cells_on_half_as_many_steps(tmp_path: Path):
    """A held note, a repeat by another velocity, a repeat after a rest; middle C is 60."""
    notes = {(0, 24, 60): 90, (24, 36, 60): 70, (48, 60, 60): 70, (95, 100, 62): 1}
    rolls = {0: pianoroll(192, notes), -1: pianoroll(10, {(2, 9, 36): 99})}
    path = save(tmp_path / "a.npz", rolls)
    song = read(path)
    assert (song.bars, song.stretches) == (2, ((0, 2),))
    cells = song.roll().cells.reshape(5, 96, 84)
    c = cells[PIANO, :, 60 - 24]
    assert c[:12].tolist() == [ONSET] + 11 * [HOLD]
    assert c[12:18].tolist() == [ONSET] + 5 * [HOLD]
    assert c[18:24].tolist() == 6 * [0]
    assert c[24:31].tolist() == [ONSET] + 5 * [HOLD] + [0]
    assert cells[PIANO, 46:51, 62 - 24].tolist() == [0, ONSET, HOLD, HOLD, 0], "over the bar line"
    assert np.argwhere(cells[DRUMS]).tolist() == [[1, 36 - 24]]
    assert cells[DRUMS, 1, 12] == ONSET
    played = song.notes
    of_piano = zip(played.start.tolist(), played.velocity.tolist(), strict=True)
    assert list(of_piano) == [(0, 90), (1, 99), (12, 70), (24, 70), (47, 1)]


def test_tracks_of_one_family_are_merged_and_others_left_out(tmp_path: Path):
    rolls = {25: pianoroll(96, {(0, 24, 50): 90}), 30: pianoroll(96, {(24, 48, 50): 90})}
    rolls |= {120: pianoroll(96, {(0, 96, 70): 90}), 33: pianoroll(96, {(0, 2, 3): 90})}
    song = read(save(tmp_path / "a.npz", rolls))
    assert set(song.notes.track.tolist()) == {GUITAR}
    assert song.notes.start.tolist() == [0, 12]


def test_the_tempo_of_a_bar_is_its_mean_over_time(tmp_path: Path):
    tempo = np.concatenate([np.full(48, 60.0), np.full(48, 120.0), np.full(96, 100.0)])
    song = read(save(tmp_path / "a.npz", {0: pianoroll(192, {(0, 192, 60): 9})}, tempo=tempo))
    assert song.tempo_bpm.tolist() == pytest.approx([240 / 3, 100.0]), "2 beats in 2 s, 2 in 1 s"


def test_bars_of_another_metre_are_left_out(tmp_path: Path):
    """Bars of 4, 3, 4 and 4 beats, a note held through all."""
    downbeat = np.zeros(15 * 24, bool)
    downbeat[[0, 96, 168, 264]] = True
    path = save(tmp_path / "a.npz", {0: pianoroll(15 * 24, {(0, 360, 60): 9})}, downbeat=downbeat)
    song = read(path)
    assert (song.bars, song.stretches) == (3, ((0, 1), (1, 2)))
    assert song.notes.start.tolist() == [0, 48]
    assert song.notes.length.tolist() == [48, 96]
    assert read(path, meter="any").bars == 4
    with pytest.raises(RejectedFile, match="time-signature"):
        read(path, Grid(beats_per_bar=5))


def test_a_roll_survives_the_way_to_a_file_and_back(tmp_path: Path):
    chance = np.random.default_rng(0)
    sounding = chance.random((5, 2, 48, 84)) < 0.3
    cells = np.where(sounding, ONSET, 0).astype(np.uint8)
    flat = cells.reshape(5, 96, 84)
    flat[1:, 1:][(flat[1:, :-1] > 0) & (chance.random((4, 95, 84)) < 0.5)] = HOLD
    legal = (flat[:, 1:] != HOLD) | (flat[:, :-1] > 0)
    flat[:, 1:] *= legal
    flat[:, 1:][(flat[:, 1:] == HOLD) & (flat[:, :-1] == 0)] = 0
    roll = Roll.of_cells(cells, LAKH, Grid(), np.array([90.0, 91.5]), "song")
    write_lpd(roll, tmp_path / "a.npz")
    reread = read(tmp_path / "a.npz").roll()
    assert np.array_equal(reread.cells, cells)
    assert reread.tempo_bpm.tolist() == pytest.approx([90.0, 91.5])


def test_velocities_survive_and_a_repeat_of_the_same_velocity_differs_by_one(tmp_path: Path):
    played = notes(
        (PIANO, 0, 40, 3, 60), (PIANO, 3, 40, 2, 60), (PIANO, 5, 40, 1, 61), (PIANO, 7, 40, 9, 61),
        (BASS, 2, 9, 1, 127), (BASS, 3, 9, 1, 127), (DRUMS, 1, 12, 1, 5),
    )  # fmt: skip
    write_lpd(Roll.of(played, LAKH, Grid(), np.array([90.0])), tmp_path / "a.npz")
    reread = read(tmp_path / "a.npz").notes
    assert rows(reread) == rows(played.ordered())
    by_start = dict(zip(rows(reread), reread.velocity.tolist(), strict=True))
    of_piano = [by_start[row] for row in rows(played)[:4]]
    assert of_piano == [60, 61, 62, 61]
    assert [by_start[row] for row in rows(played)[4:]] == [127, 126, 5]


def test_sevens_are_kept_in_a_pianoroll(tmp_path: Path):
    """Two bars of 7/8 on 6 steps an eighth, and back."""
    seven = Grid(steps_per_beat=6, beats_per_bar=7, beat_unit=8)
    played = notes((PIANO, 5, 40, 40, 60), (PIANO, 83, 40, 1, 61))
    write_lpd(Roll.of(played, LAKH, seven, np.array([90.0, 80.0])), tmp_path / "a.npz")
    song = read(tmp_path / "a.npz", seven)
    assert rows(song.notes) == rows(played)
    assert song.stretches == ((0, 2),)


def packed(path: Path, **members: np.ndarray | bytes | dict) -> Path:
    """An archive of arrays, of bytes as they are, and of JSON."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in members.items():
            if isinstance(value, np.ndarray):
                file = io.BytesIO()
                np.save(file, value)
                archive.writestr(f"{name}.npy", file.getvalue())
            else:
                data = value if isinstance(value, bytes) else json.dumps(value).encode()
                archive.writestr(name.replace("_json", ".json"), data)
    return path


def refused(path: Path, limits: MusicLimits = LIMITS) -> str:
    with pytest.raises(RejectedFile) as caught:
        read(path, limits=limits)
    return caught.value.reason


def test_what_is_no_pianoroll_is_refused(tmp_path: Path):
    (tmp_path / "a.npz").write_bytes(b"no archive")
    assert refused(tmp_path / "a.npz") == "unreadable"
    assert refused(packed(tmp_path / "b.npz", x=np.zeros(3))) == "unreadable"
    empty = {"resolution": 24, "name": "x"}
    assert refused(packed(tmp_path / "c.npz", info_json=empty)) == "no-notes"
    assert refused(packed(tmp_path / "d.npz", info_json=empty | {"resolution": 5})) == "resolution"


def sparse(shape: list[int], **others: np.ndarray) -> dict[str, np.ndarray]:
    """A pianoroll without a note, as its sparse parts."""
    parts = {"data": np.zeros(0, np.uint8), "indices": np.zeros(0, np.int32)}
    parts |= {"indptr": np.zeros(129, np.int32), "shape": np.array(shape)}
    return {f"pianoroll_0_csc_{name}": part for name, part in {**parts, **others}.items()}


INFO = {"resolution": 24, "name": "x", "0": {"name": "", "program": 0, "is_drum": False}}


def test_a_pianoroll_of_gigabytes_is_refused_by_its_shape(tmp_path: Path):
    for shape in ([10**9, 128], [2**62, 2**62]):
        path = packed(tmp_path / "a.npz", info_json=INFO, **sparse(shape))
        assert path.stat().st_size < 3000
        assert refused(path) == "too-large"
    path = packed(tmp_path / "c.npz", info_json=INFO, **sparse([240, 128]))
    assert refused(path, MusicLimits(beats=9)) == "too-long"
    assert refused(path) == "no-notes"


def test_only_shapes_count_as_memory(tmp_path: Path):
    """A shape of 1 x 1 and six other arrays: 7 numbers of which one is a cell."""
    path = packed(tmp_path / "a.npz", info_json=INFO, **sparse([1, 1]))
    with zipfile.ZipFile(path) as archive:
        assert sum(_dense_bytes(archive, info) for info in archive.infolist()) == 1


def test_an_array_that_unpacks_to_gigabytes_is_refused(tmp_path: Path):
    path = packed(tmp_path / "a.npz", info_json=INFO, zeros=np.zeros(20 << 20, np.uint8))
    assert refused(path, MusicLimits(memory_mb=10)) == "too-large"


def test_a_header_that_lies_is_refused(tmp_path: Path):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "|u1", "fortran_order": False, "shape": (10**12,)}
    )
    lying = packed(tmp_path / "a.npz", **{"tempo.npy": file.getvalue(), "info.json": INFO})
    assert refused(lying) == "unreadable"


def test_an_array_of_objects_is_refused_and_no_code_runs(tmp_path: Path):
    class Harm:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "harm",)

    file = io.BytesIO()
    np.save(file, np.array([Harm()], dtype=object), allow_pickle=True)
    path = packed(tmp_path / "a.npz", **{"tempo.npy": file.getvalue(), "info.json": INFO})
    assert refused(path) == "unreadable"
    assert not (tmp_path / "harm").exists()
