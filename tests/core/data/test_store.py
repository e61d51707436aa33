"""Shards on disk: whole or absent, found again, and refused once they have changed."""

import errno
import json
import multiprocessing
import os
from multiprocessing.connection import Connection
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from core.data.collection import Prepared
from core.data.preparation import open_preparation
from core.data.store import (
    Store,
    finished,
    read_columns,
    read_metadata,
    remove_unfinished,
    shard_folder,
    write_index,
    write_rejects,
    write_shard,
)
from core.errors import Resumable, UserError
from core.files import locked


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store of two shards: 3 and 1 records of ragged rows."""
    write_shard(tmp_path, 0, {"row": np.array([5, 6, 7, 8]), "rows": np.array([1, 0, 3])}, ["a"])
    write_shard(tmp_path, 1, {"row": np.array([9.5]), "rows": np.array([1])}, ["b", None])
    write_index(tmp_path, 2, {"colour": "red"}, {"shard": np.array([0, 0, 0, 1])})
    return tmp_path


def test_what_was_written_is_read(folder: Path):
    store = Store(folder)
    assert store.facts == {"colour": "red"}
    assert store.shards[0]["row"].tolist() == [5, 6, 7, 8]
    assert store.shards[1]["row"].tolist() == [9.5]
    assert store.whole["shard"].tolist() == [0, 0, 0, 1]
    assert read_metadata(folder, 1) == ["b", None]


def test_a_shards_folder_is_new_with_all_above_it(tmp_path: Path):
    to = tmp_path / "not" / "there"
    write_shard(to, 3, {"row": np.array([5])})
    assert finished(to, 3)


def test_columns_are_mapped_and_cannot_be_changed(folder: Path):
    column = Store(folder).shards[0]["row"]
    assert isinstance(column.base, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        column[0] = 1


def test_the_same_data_has_the_same_bytes_and_digest(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
):
    other = tmp_path_factory.mktemp("other")
    write_shard(other, 1, {"row": np.array([9.5]), "rows": np.array([1])}, ["b", None])
    write_shard(other, 0, {"row": np.array([5, 6, 7, 8]), "rows": np.array([1, 0, 3])}, ["a"])
    write_index(other, 2, {"colour": "red"}, {"shard": np.array([0, 0, 0, 1])})
    assert Store(other).digest == Store(folder).digest
    write_shard(other, 0, {"row": np.array([5, 6, 7, 9]), "rows": np.array([1, 0, 3])}, ["a"])
    write_index(other, 2, {"colour": "red"}, {"shard": np.array([0, 0, 0, 1])})
    assert Store(other).digest != Store(folder).digest


def test_a_store_that_is_written_once_more_can_be_read_meanwhile(folder: Path):
    """The same preparation may finish a second time while a training opens what it prepared."""
    opened, numbers = Store(folder), [path.stat().st_ino for path in sorted(folder.rglob("*.npy"))]
    write_index(folder, 2, {"colour": "red"}, {"shard": np.array([0, 0, 0, 1])})
    assert [path.stat().st_ino for path in sorted(folder.rglob("*.npy"))] == numbers
    assert opened.whole["shard"].tolist() == [0, 0, 0, 1]


FILES = ["shard-00000/row.npy", "shard-00001/shard.json", "shard-00002/shard.npy"]


@pytest.mark.parametrize("name", FILES)
def test_one_flipped_bit_is_refused_by_the_files_name(folder: Path, name: str):
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(UserError, match=name):
        Store(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_shorter_file_is_refused_by_its_name(folder: Path, name: str):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-1])
    with pytest.raises(UserError, match=name):
        Store(folder)
    (folder / name).unlink()
    with pytest.raises(UserError, match=name):
        Store(folder)


@pytest.mark.parametrize("written", ['"format": 2, ', ""])
def test_data_of_another_version_is_refused_with_the_cure(folder: Path, written: str):
    index = folder / "index.json"
    index.write_text(index.read_text().replace('"format": 3,', written))
    with pytest.raises(
        UserError,
        match=rf"{folder} was prepared by another version .* anew \(pianoreel \w+ prepare",
    ):
        Store(folder)


def test_an_unfinished_preparation_of_another_version_is_refused_with_the_cure(tmp_path: Path):
    (tmp_path / "prepare.json").write_text('{"config": {"bars": 2}}')
    opened = open_preparation(tmp_path, {"config": {"bars": 2}})
    with pytest.raises(UserError, match=f"{tmp_path} was prepared by another version .* anew"):
        opened.__enter__()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"facts": {}, "sha256": 3}'])
def test_a_damaged_index_is_refused(folder: Path, text: str):
    (folder / "index.json").write_text(text)
    with pytest.raises(UserError, match=r"index\.json is damaged"):
        Store(folder)


def test_an_index_that_cannot_be_read_is_not_called_damaged(folder: Path, monkeypatch):
    """The data are whole: nobody is to delete them."""
    closed = PermissionError(13, "Permission denied", str(folder / "index.json"))
    monkeypatch.setattr("core.data.store.read_json", Mock(side_effect=closed))
    with pytest.raises(PermissionError):
        Store(folder)


def test_no_index_is_no_store(tmp_path: Path):
    write_shard(tmp_path, 0, {"row": np.zeros(3)})
    with pytest.raises(UserError, match=r"holds no prepared data.*: give a folder that `prepare`"):
        Store(tmp_path)


def test_a_folder_of_stores_is_no_store_and_names_one(tmp_path: Path):
    for name in ("songs", "clips"):
        (tmp_path / name).mkdir()
        write_shard(tmp_path / name, 0, {"row": np.zeros(3)})
        write_index(tmp_path / name, 1, {"domain": "ring"}, {})
    (tmp_path / "a site").mkdir()
    (tmp_path / "a site/index.json").write_text("{}")
    with pytest.raises(UserError, match=r"no prepared data.* give one in it, such as .*/clips$"):
        Store(tmp_path)


def test_a_store_of_another_domain_is_refused_with_the_command_that_writes_one(tmp_path: Path):
    class Rocks(Prepared):
        DOMAIN = "rock"

    write_index(tmp_path, 0, {"domain": "ring"}, {})
    with pytest.raises(UserError, match="no prepared rock: give a folder that `rock prepare`"):
        Rocks.open(tmp_path)


def test_a_shard_is_finished_when_it_is_as_it_was_written(folder: Path):
    assert finished(folder, 0)
    assert not finished(folder, 3)
    (folder / "shard-00000" / "rows.npy").write_bytes(b"")
    assert not finished(folder, 0)
    write_shard(folder, 0, {"row": np.zeros(3)})
    assert finished(folder, 0)


@pytest.mark.parametrize("room", [0, 1, 3])
def test_a_write_that_stops_leaves_the_shard_of_before(
    folder: Path, monkeypatch: pytest.MonkeyPatch, room: int
):
    """Whichever of the files it is that the disk has no room for."""
    save, written = np.save, []

    def save_where_room_is(path: Path, column: np.ndarray) -> None:
        if len(written) == room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(path)
        save(path, column)

    monkeypatch.setattr(np, "save", save_where_room_is)
    with pytest.raises(Resumable, match="No space left"):
        write_shard(folder, 0, dict.fromkeys("abcd", np.ones(9)))
    assert len(written) == room
    assert Store(folder).shards[0]["row"].tolist() == [5, 6, 7, 8]
    folders = sorted(path.name for path in folder.iterdir() if path.is_dir())
    assert folders == ["shard-00000", "shard-00001", "shard-00002"]


def test_a_shard_that_was_left_half_written_is_written_anew(tmp_path: Path):
    aside = tmp_path / ".shard-00000-abcd"
    aside.mkdir()
    (aside / "old.npy").write_bytes(b"half")
    write_shard(tmp_path, 0, {"row": np.ones(2)})
    assert {path.name for path in shard_folder(tmp_path, 0).iterdir()} == {"row.npy", "shard.json"}
    remove_unfinished(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["shard-00000"]


def test_a_column_of_objects_is_no_column(tmp_path: Path):
    """Python objects would be pickled, and unpickling runs code."""
    write_shard(tmp_path, 0, {"row": np.array([{}], dtype=object)})
    write_index(tmp_path, 1, {}, {})
    with pytest.raises(ValueError, match="memory-mapped"):
        _ = Store(tmp_path).shards


def test_rejects_are_one_line_each_whatever_they_say(tmp_path: Path):
    rejects = [
        ("a\nb.mid", "crash", 'it said "no"'),
        ("犬ü", "time", ""),
        ("\u2028\udce9", "", ""),
    ]
    write_rejects(tmp_path, rejects)
    lines = (tmp_path / "rejects.jsonl").read_text().splitlines()
    assert [tuple(json.loads(line).values()) for line in lines] == rejects
    assert "犬ü" in lines[1]
    assert list(json.loads(lines[0])) == ["path", "reason", "detail"]


def hold(folder: Path, pipe: Connection) -> None:
    with locked(folder):
        pipe.send(os.getpid())
        pipe.recv()


def test_a_folder_is_held_by_one_process_that_is_named(tmp_path: Path):
    ours, theirs = multiprocessing.Pipe()
    other = multiprocessing.get_context("spawn").Process(target=hold, args=(tmp_path, theirs))
    other.start()
    holder = ours.recv()
    with pytest.raises(UserError, match=rf"process {holder} on .* works in"), locked(tmp_path):
        pass
    other.kill()  # as the system would: nothing is tidied up
    other.join()
    with locked(tmp_path):
        pass


def test_a_column_in_parts_is_one_array_of_the_first_parts_type(tmp_path: Path):
    """Parts of 2, 0 and 1 rows, one of them a view with strides of its own."""
    view = np.arange(12, dtype=np.int64).reshape(2, 6)[:, ::3]
    parts = [np.array([[1, 2], [3, 4]], np.int16), np.zeros((0, 2), np.int16), view[1:]]
    write_shard(tmp_path, 0, {"pairs": parts})
    (column,) = read_columns(tmp_path, 0).values()
    assert column.dtype == np.int16
    assert column.tolist() == [[1, 2], [3, 4], [6, 9]]
