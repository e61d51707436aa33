"""Clips and where their captions come from, in a clear order."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from core.errors import UserError
from videogen.files.clip import write_gif, write_mp4, write_webm
from videogen.files.label import Label
from videogen.files.sources import CaptionSource, Listing, listing


def clips(folder: Path, captions: CaptionSource = "auto") -> dict[str, tuple[str, str | None]]:
    """By each clip's name: its caption, or the reason against it, and its origin."""
    return of(listing([str(folder)], captions), folder)


def of(found: Listing, folder: Path) -> dict[str, tuple[str, str | None]]:
    return {
        clip.name.removeprefix(f"{folder}/"): (
            clip.fault[0] if clip.fault else clip.caption,
            clip.origin,
        )
        for clip in found.clips
    }


def write(folder: Path, **files: str) -> Path:
    """Files with their text; `__` stands for a slash and `_dot_` for a dot."""
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(
        tmp_path / "clips",
        a_red_dog_dot_mp4="x",
        b_dot_mkv="x",
        b_dot_txt=" two\n lines ",
        dogs__rex_dot_gif="x",
        dogs__max_dot_gif="x",
        dogs__max_dot_txt="max",
        notes_dot_md="x",
    )


def test_side_text_goes_before_the_folder_and_that_before_the_name(folder: Path):
    assert clips(folder) == {
        "a_red_dog.mp4": ("a red dog", "name"),
        "b.mkv": ("two lines", "text"),
        "dogs/max.gif": ("max", "text"),
        "dogs/rex.gif": ("dogs", "folder"),
    }
    assert listing([str(folder)]).passed_over == Counter({".txt": 2, ".md": 1})


def test_a_generated_clip_in_several_formats_is_found_once(tmp_path: Path):
    """Two films of one name that pianoreel did not generate are two."""
    label = Label.of("shapes", 7, "a dog runs")
    frames = np.zeros((2, 16, 16, 3), np.uint8)
    for write_film, suffix in ((write_webm, "webm"), (write_mp4, "mp4")):
        write_film(frames, tmp_path / f"{label.name}.{suffix}", 8, tags=label.tags)
    write_gif(frames, tmp_path / f"{label.name}.gif", 8)
    texts = {f"{label.name}_dot_txt": "a dog runs", "rex_dot_txt": "rex"}
    write(tmp_path, **texts, rex_dot_gif="x", rex_dot_mp4="x")
    assert clips(tmp_path) == {
        "rex.gif": ("rex", "text"),
        "rex.mp4": ("rex", "text"),
        "shapes-seed7-a-dog-runs.mp4": ("a dog runs", "text"),
    }
    write_gif(frames, tmp_path / f"{label.name}.gif", 8)
    gif = str(tmp_path / f"{label.name}.gif")
    assert [clip.caption for clip in listing([gif]).clips] == ["a dog runs"], "named by itself"


def test_one_origin_can_be_chosen(folder: Path):
    assert clips(folder, "name")["dogs/max.gif"] == ("max", "name")
    assert clips(folder, "folder")["b.mkv"] == ("clips", "folder")
    assert clips(folder, "text")["dogs/rex.gif"] == ("no-caption", None)
    with pytest.raises(UserError, match="no manifest"):
        listing([str(folder)], "manifest")


def test_a_manifest_is_all_that_counts_in_its_folder(folder: Path):
    write(folder, dogs__clips_dot_csv="path,caption\nrex.gif,rex runs\n../b.mkv,no\n")
    assert clips(folder) == {
        "dogs/rex.gif": ("rex runs", "manifest"),
        "dogs/clips.csv, row 3": ("path", None),
        "a_red_dog.mp4": ("a red dog", "name"),
        "b.mkv": ("two lines", "text"),
        "dogs/max.gif": ("no-caption", None),
    }
    assert clips(folder, "text")["dogs/max.gif"] == ("max", "text")
    assert clips(folder, "manifest")["b.mkv"] == ("no-caption", None)


def test_a_manifest_can_be_the_source(folder: Path):
    write(
        folder, x_dot_jsonl='{"path": "b.mkv", "caption": "one"}\n{"path": "b.mkv", "text": "two"}'
    )
    found = listing([str(folder / "x.jsonl")]).clips
    assert [(clip.name, clip.caption) for clip in found] == [
        (str(folder / "b.mkv"), "one"),
        (str(folder / "b.mkv"), "two"),
    ]
    write(folder, y_dot_csv="name,length\n1,2\n")
    with pytest.raises(UserError, match="is not a manifest"):
        listing([str(folder / "y.csv")])
    assert listing([str(folder)]).passed_over[".csv"] == 1


def test_a_file_of_any_suffix_can_be_named(folder: Path):
    assert of(listing([str(folder / "notes.md")]), folder) == {"notes.md": ("notes", "name")}


def test_captions_that_are_no_text_are_refused(folder: Path):
    (folder / "b.txt").write_bytes(b"caf\xe9")
    write(folder, a_red_dog_dot_txt="  \n", dogs__rex_dot_txt="x" * 100_000)
    found = clips(folder)
    assert [found[name][0] for name in ("a_red_dog.mp4", "b.mkv", "dogs/rex.gif")] == [
        "no-caption",
        "caption",
        "caption",
    ]


def test_a_change_of_a_caption_or_a_clip_changes_the_digest(folder: Path):
    seen = {listing([str(folder)]).sha256}
    write(folder, b_dot_txt="other words")
    seen.add(listing([str(folder)]).sha256)
    write(folder, b_dot_mkv="longer")
    seen.add(listing([str(folder)]).sha256)
    assert len(seen) == 3


def test_a_folder_without_videos_is_refused(tmp_path: Path):
    write(tmp_path, a_dot_txt="x", b_dot_zip="x")
    with pytest.raises(UserError, match=r"no video in .*, only 1 \.txt, 1 \.zip"):
        listing([str(tmp_path)])
    with pytest.raises(UserError, match="does not exist"):
        listing([str(tmp_path / "absent")])
