"""The studio's folder: takes that never meet, and addresses that stay within it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError, Stopped, UserError
from studio.folder import CLIPS, SONGS, StudioFolder, new_name, safe_name, swept


@pytest.fixture
def folder(tmp_path: Path) -> StudioFolder:
    return StudioFolder.of(tmp_path / "work")


def test_takes_of_one_name_at_one_time_have_folders_of_their_own(folder: StudioFolder):
    takes = [folder.take(SONGS, "vae-seed1") for _ in range(3)]
    assert len(set(takes)) == 3
    assert all(take.parent == folder.root / SONGS for take in takes)


def test_the_newest_take_comes_first(folder: StudioFolder):
    for name in ("2026-01-02_10-00-00_a", "2026-03-01_09-00-00_b", "2026-01-02_11-00-00_c"):
        (folder.root / SONGS / name).mkdir()
    assert [take.name[-1] for take in folder.takes(SONGS)] == ["b", "c", "a"]


def test_a_file_is_found_by_its_address(folder: StudioFolder):
    song = folder.take(SONGS, "one") / "one.mid"
    song.write_bytes(b"x")
    assert folder.find(folder.identity(song)) == song
    assert folder.url(song).startswith("/kept/songs/")


@pytest.mark.parametrize(
    "address",
    ["", ".", "..", "../secret.txt", "/etc/passwd", "songs/../../secret.txt", "songs/\0", "songs"],
)
def test_an_address_that_leads_out_finds_nothing(folder: StudioFolder, address: str):
    (folder.root.parent / "secret.txt").write_text("secret")
    with pytest.raises(UserError, match="no such file"):
        folder.find(address)


def test_a_link_that_leads_out_finds_nothing(folder: StudioFolder):
    secret = folder.root.parent / "secret.txt"
    secret.write_text("secret")
    (folder.root / SONGS / "link.txt").symlink_to(secret)
    with pytest.raises(UserError, match="no such file"):
        folder.find("songs/link.txt")


@given(st.text(max_size=80))
def test_any_text_becomes_the_name_of_one_folder(text: str):
    name = safe_name(text)
    assert name and not name.startswith(".") and Path(name).name == name
    assert safe_name(name) == name


def test_runs_and_collections_are_known_by_name_alone(folder: StudioFolder):
    (folder.runs / "mine").mkdir()
    assert folder.run("mine") == folder.runs / "mine"
    for name in ("../runs/mine", "", "other", "."):
        with pytest.raises(UserError, match="no run of that name"):
            folder.run(name)


def test_a_name_is_free_until_its_folder_is_finished(folder: StudioFolder):
    assert new_name("My songs", folder.root, "summary.txt") == "My-songs"
    (folder.root / "My-songs").mkdir()
    assert new_name("My songs", folder.root, "summary.txt") == "My-songs"
    (folder.root / "My-songs" / "summary.txt").write_text("done")
    with pytest.raises(ConfigError, match="choose another name"):
        new_name("My songs", folder.root, "summary.txt")


@pytest.mark.parametrize(("room", "shown"), [(SONGS, "a.json"), (CLIPS, "a.mp4")])
def test_a_take_of_which_nothing_is_shown_is_removed(folder: StudioFolder, room: str, shown: str):
    for names, stays in (([], False), ([".half"], False), ([".half", shown], True)):
        with pytest.raises(Stopped), swept(folder.take(room, "a")) as take:
            for name in names:
                (take / name).touch()
            raise Stopped("stopped")
        assert take.exists() == stays
