"""Dropped files: only where they belong, and only so many."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.errors import UserError
from studio import uploads
from studio.folder import StudioFolder
from studio.uploads import Reception, place_of

BATCH = "00000000000000aa"


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@given(st.text(st.sampled_from("a./\\\0 ~%é"), max_size=20).map(lambda text: f"{text}.mid"))
@example("../../a.mid")
@example("a/../../../a.mid")
@example("/a.mid")
def test_a_dropped_file_lies_in_its_batch_or_is_refused(name: str):
    folder = StudioFolder(Path("/nowhere/mine"), Path("/nowhere/mine/runs"))
    home = folder.root / "uploads" / BATCH
    try:
        place = place_of(folder, BATCH, name)
    except UserError:
        return
    assert place.is_relative_to(home) and ".." not in place.parts


def test_a_file_that_is_too_large_leaves_nothing(tmp_path: Path):
    reception = Reception(StudioFolder.of(tmp_path), most_bytes=5)
    assert asyncio.run(reception.receive(BATCH, "a.mid", chunks(b"123", b"45"))) == 5
    with pytest.raises(UserError, match="larger than"):
        asyncio.run(reception.receive(BATCH, "b.mid", chunks(b"123", b"456")))
    assert [path.name for path in (tmp_path / "uploads" / BATCH).iterdir()] == ["a.mid"]


def test_a_file_that_is_called_as_a_folder_is_refused(tmp_path: Path):
    reception = Reception(StudioFolder.of(tmp_path), most_bytes=5)
    asyncio.run(reception.receive(BATCH, "a.mid/b.mid", chunks(b"1")))
    with pytest.raises(UserError) as refused:
        asyncio.run(reception.receive(BATCH, "a.mid", chunks(b"1")))
    assert str(refused.value) == "a.mid is a folder of what you dropped: rename one of them"


def test_a_flood_of_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(uploads, "MOST_FILES", 2)
    reception = Reception(StudioFolder.of(tmp_path), most_bytes=5)
    for name in ("a.mid", "b.mid"):
        asyncio.run(reception.receive(BATCH, name, chunks(b"1")))
    with pytest.raises(UserError, match="at most 2 files"):
        asyncio.run(reception.receive(BATCH, "c.mid", chunks(b"1")))


def test_a_file_lies_under_its_name_once_it_is_whole(tmp_path: Path):
    """A browser that goes away leaves nothing, and nothing of a name is there before its end."""
    home = tmp_path / "uploads" / BATCH

    async def broken() -> AsyncIterator[bytes]:
        yield b"123"
        assert not (home / "a.mid").exists()
        raise ConnectionError

    reception = Reception(StudioFolder.of(tmp_path), most_bytes=5)
    with pytest.raises(UserError, match=r"a\.mid could not be written"):
        asyncio.run(reception.receive(BATCH, "a.mid", broken()))
    assert list(home.iterdir()) == []
