"""Files and folders are listed as a shell gives them, or what there is instead is said."""

import os
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import pytest
from listings import clips, of, write

from core.errors import UserError
from videogen.data.sources.listing import listing
from videogen.data.sources.unread import advice


def test_what_macos_writes_beside_files_is_no_file_of_another_kind(folder: Path):
    write(folder, **{"__MACOSX__b_dot_mkv": "x", "._b_dot_mkv": "x"})
    assert set(listing([str(folder)]).passed_over) == {".md"}


def test_files_that_are_given_one_by_one_keep_the_captions_of_their_table(folder: Path):
    write(folder, x_dot_csv="path,caption\nb.mkv,one\n")
    given = [str(path) for path in sorted(folder.iterdir())]  # as a shell expands clips/*
    found = {clip.name: clip.caption for clip in listing(given).clips if not clip.fault}
    assert found[str(folder / "b.mkv")] == "one"
    only = listing([str(folder / "*.mkv"), str(folder / "a_red_dog.mp4")])
    assert of(only, folder) == {
        "b.mkv": ("one", "manifest"),
        "a_red_dog.mp4": ("a red dog", "name"),
    }
    assert not only.passed_over
    write(folder, y_dot_csv="dateiname,text_de\nb.mkv,ein Hund\n", z_dot_json="{}")
    with pytest.raises(UserError, match=r"y\.csv names b\.mkv, but is not understood"):
        listing([str(folder / "b.mkv")])
    assert of(listing([str(folder / "b.mkv")], "text"), folder)["b.mkv"][0] == "two lines"
    (folder / "y.csv").unlink()
    (folder / "x.csv").unlink()
    assert str(folder / "b.txt") not in {clip.name for clip in listing(given[:3]).clips}


def test_what_training_wrote_is_passed_over_in_silence(folder: Path):
    """Its previews are numbered pictures; files of the user in the folder stay what they are."""
    before, others = clips(folder), listing([str(folder)]).passed_over
    run = {
        "config_dot_yaml": "# pianoreel run, format 2\ntrain: {steps: 1}\n",
        "metrics_dot_jsonl": '{"step": 1, "match_x": 2.0}\n',
        "checkpoints__best__ema_dot_safetensors": "x",
        "samples__step-00000001_dot_png": "x",
        "samples__step-00000002_dot_png": "x",
    }
    write(folder / "runs" / "dogs", **run)
    assert clips(folder) == before and listing([str(folder)]).passed_over == others
    write(folder / "runs" / "dogs", a_cat_dot_mp4="x", notes_dot_yaml="x")
    write(folder / "mine", config_dot_yaml="train: 1", metrics_dot_jsonl="{}")
    assert clips(folder) == before | {"runs/dogs/a_cat.mp4": ("dogs", "folder")}
    assert listing([str(folder)]).passed_over == others + Counter({".yaml": 2, ".jsonl": 1})


@pytest.mark.parametrize("place", ["pipe", "/dev/zero"])
def test_nobody_waits_for_a_pipe_or_a_device(folder: Path, place: str):
    """A text is one reject; a table stops all, so that no other caption stands in."""

    def put(name: str) -> Path:
        path = folder / name
        os.mkfifo(path) if place == "pipe" else path.symlink_to(place)
        return path

    text = put("a_red_dog.txt")
    assert clips(folder)["a_red_dog.mp4"] == ("no-caption", None)
    text.unlink()
    archive = put("more.zip")
    assert clips(folder)["more.zip"] == ("unreadable", None)
    archive.unlink()
    table = put("clips.csv")
    sentence = f"{table} lies beside a_red_dog.mp4, but is not understood: neither a file nor"
    with pytest.raises(UserError, match=sentence):
        clips(folder)
    assert clips(folder, "folder")["dogs/max.gif"] == ("dogs", "folder")


def test_a_file_of_any_suffix_can_be_named(folder: Path):
    assert of(listing([str(folder / "notes.md")]), folder) == {"notes.md": ("notes", "name")}


def test_a_folder_without_videos_is_refused(tmp_path: Path):
    write(tmp_path, a_dot_txt="x", b_dot_png="x")
    with pytest.raises(UserError, match=r"no video in .*, only 1 \.txt, 1 \.png\. Pictures"):
        listing([str(tmp_path)])
    with pytest.raises(UserError, match="does not exist"):
        listing([str(tmp_path / "absent")])


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("x.parquet", "save tables as CSV"),
        ("x.jxl", "save pictures as PNG or JPEG"),
        ("x.h264", r"convert videos to mp4 \(H.264\)"),
        ("x.srt", r"write captions into rex\.txt beside rex\.mp4"),
    ],
)
def test_what_is_not_read_is_answered_with_what_to_do(tmp_path: Path, name: str, cure: str):
    (tmp_path / name).touch()
    for start in (tmp_path, tmp_path / name):
        with pytest.raises(UserError, match=f"{cure}: {Path(name).suffix} is not read"):
            listing([str(start)])
    write(tmp_path, a_dot_mp4="x")
    is_table = name == "x.parquet"  # which may name the clips beside it
    with pytest.raises(UserError, match="save it as CSV") if is_table else nullcontext():
        assert len(advice(listing([str(tmp_path)]).passed_over)) == 1


@pytest.mark.parametrize("suffix", [".webp", ".avif"])
def test_of_a_picture_that_may_move_it_is_said_what_helps(tmp_path: Path, suffix: str):
    (tmp_path / f"x{suffix}").touch()
    with pytest.raises(UserError, match=rf"as one clip; if a \{suffix} moves, convert it to GIF"):
        listing([str(tmp_path)])
    write(tmp_path, a_dot_mp4="x")
    assert len(advice(listing([str(tmp_path)]).passed_over)) == 1
