"""Captions come from texts, folders and names, in a clear order."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from listings import clips, write

from core.errors import UserError
from videogen.data.sources.listing import listing


def test_side_text_goes_before_the_folder_and_that_before_the_name(folder: Path):
    assert clips(folder) == {
        "a_red_dog.mp4": ("a red dog", "name"),
        "b.mkv": ("two lines", "text"),
        "dogs/max.gif": ("max", "text"),
        "dogs/rex.gif": ("dogs", "folder"),
    }
    assert listing([str(folder)]).passed_over == Counter({".md": 1})


def test_one_origin_can_be_chosen(folder: Path):
    assert clips(folder, "name")["dogs/max.gif"] == ("max", "name")
    assert clips(folder, "folder")["b.mkv"] == ("clips", "folder")
    assert clips(folder, "text")["dogs/rex.gif"] == ("no-caption", None)
    with pytest.raises(UserError, match="no manifest"):
        listing([str(folder)], "manifest")


def test_a_text_may_be_of_windows_and_long(folder: Path):
    for encoding in ("utf-16", "cp1252", "utf-8-sig"):
        (folder / "b.txt").write_bytes("ein Hund läuft".encode(encoding))
        assert clips(folder)["b.mkv"] == ("ein Hund läuft", "text")
    long = "\n\n".join([" ".join(["word"] * 90)] * 4)
    (folder / "b.txt").write_text(long)
    assert clips(folder)["b.mkv"] == (" ".join(["word"] * 360), "text")


def test_captions_that_are_no_text_are_refused(folder: Path):
    (folder / "b.txt").write_bytes("狗在跑".encode("gbk"))
    write(folder, a_red_dog_dot_txt="  \n", dogs__rex_dot_txt="x" * 100_000)
    found = clips(folder)
    assert [found[name][0] for name in ("a_red_dog.mp4", "b.mkv", "dogs/rex.gif")] == [
        "no-caption",
        "caption",
        "caption",
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.text", "a dog"),
        ("a.prompt", "a dog"),
        ("a.json", '["a dog", "a cat"]'),
        ("a.json", '"a dog"'),
        ("captions/a.txt", "a dog"),
        ("Caption/a.txt", "a dog"),
        ("x.md", "# Mine\n\n| path | caption |\n|:---|---|\n| a.mp4 | a dog |\n"),
    ],
)
def test_captions_beside_clips_are_read_in_other_files(tmp_path: Path, name: str, text: str):
    write(tmp_path, a_dot_mp4="x")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    assert [clip.caption for clip in listing([str(tmp_path)]).clips] == ["a dog"]


def test_a_name_may_be_points(tmp_path: Path):
    write(tmp_path, x="x")
    (tmp_path / "x").rename(tmp_path / "..mp4")
    assert [c.fault and c.fault[0] for c in listing([str(tmp_path / "..mp4")]).clips] == [
        "no-caption"
    ]


@pytest.mark.parametrize(
    ("folders", "captions"),
    [
        (("10_dog", "5_cat_runs"), ["dog", "cat runs"]),
        (("10_dog",), ["dog"]),
        (("2_dogs", "3_dogs"), ["2 dogs", "3 dogs"]),
        (("10_dog", "cat"), ["10 dog", "cat"]),
    ],
)
def test_a_number_before_every_class_is_no_part_of_it(
    tmp_path: Path, folders: Sequence[str], captions: Sequence[str]
):
    """It counts repetitions in kohya's trainers, or is an order."""
    for name in folders:
        write(tmp_path / name, rex_dot_mp4="x")
    named = zip(folders, captions, strict=True)
    assert clips(tmp_path) == {f"{name}/rex.mp4": (one, "folder") for name, one in named}
