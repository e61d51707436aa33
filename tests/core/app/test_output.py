"""Commands write whole files or none, and never over another item without a word."""

import os
import resource
from functools import partial
from pathlib import Path
from threading import Thread

import pytest
from faults import in_a_child

from core.app.output import Output
from core.errors import UserError
from core.files import write_whole


def test_an_item_is_not_written_over_another(tmp_path: Path):
    path = Output(tmp_path).write(tmp_path / "a.txt", b"first")
    assert Output(tmp_path).write(path, b"first") == path  # the same command again
    with pytest.raises(UserError, match=f"{path} is there and holds another item: give another"):
        Output(tmp_path).write(path, b"second")
    assert path.read_bytes() == b"first"
    Output(tmp_path, overwrite=True).write(path, b"second")
    assert path.read_bytes() == b"second"


def test_an_item_is_not_written_over_one_that_is_written_at_once(tmp_path: Path, monkeypatch):
    said: list[str] = []

    def write_other() -> None:
        try:
            Output(tmp_path).write(tmp_path / "a.txt", b"second")
        except UserError as error:
            said.append(str(error))

    other = Thread(target=write_other)

    def write(path: Path, content: bytes) -> None:
        monkeypatch.undo()
        other.start()
        other.join(0.2)
        write_whole(path, content)

    monkeypatch.setattr("core.app.output.write_whole", write)
    Output(tmp_path).write(tmp_path / "a.txt", b"first")
    other.join()
    assert ["is there and holds another item" in one for one in said] == [True]
    assert (tmp_path / "a.txt").read_bytes() == b"first"


def test_of_files_that_belong_together_none_is_written_beside_another_item(tmp_path: Path):
    (tmp_path / "b.txt").write_bytes(b"mine")
    files = {tmp_path / "a.txt": b"first", tmp_path / "b.txt": b"second"}
    with pytest.raises(UserError, match=r"b\.txt is there and holds another item"):
        list(Output(tmp_path).write_all(files))
    assert [path.name for path in tmp_path.iterdir()] == ["b.txt"]
    assert list(Output(tmp_path, overwrite=True).write_all(files)) == [*files]
    assert (tmp_path / "b.txt").read_bytes() == b"second"


def test_a_full_disk_leaves_no_half_of_a_file(tmp_path: Path):
    """The kernel refuses the byte after the hundredth: the one before stays, nothing beside it."""
    output = Output(tmp_path, overwrite=True)
    output.write(tmp_path / "a.txt", b"first")

    def write() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        output.write(tmp_path / "a.txt", bytes(101))

    assert in_a_child(write) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_bytes() == b"first"


def test_neither_a_folder_nor_a_device_is_written_over(tmp_path: Path):
    (tmp_path / "a.txt").mkdir()
    output = Output(tmp_path, overwrite=True)
    for path in (tmp_path / "a.txt", Path(os.devnull)):
        with pytest.raises(UserError, match=f"{path} is there and no file: choose another name"):
            output.write(path, b"first")
    assert (tmp_path / "a.txt").is_dir()


def test_a_picture_is_not_drawn_over_another(tmp_path: Path):
    path, output = tmp_path / "a.png", Output(tmp_path)

    def show(text: str, drawn: Path) -> None:
        drawn.write_text(text)

    assert output.draw(path, partial(show, "mine")) == path
    with pytest.raises(UserError, match="holds another item"):
        output.draw(path, partial(show, "another"))
    assert [one.name for one in tmp_path.iterdir()] == ["a.png"] and path.read_bytes() == b"mine"
