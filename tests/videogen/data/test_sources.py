"""Clips and where their captions come from, in a clear order."""

import gzip
import io
import math
import os
import tarfile
import time
import zipfile
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from core.errors import UserError
from videogen.data.sources import Captioned, CaptionSource, Listing, advice, listing
from videogen.files.clip import write_gif, write_mp4, write_webm
from videogen.files.label import Label
from videogen.files.limits import VideoLimits
from videogen.files.tree import Tree


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
    assert listing([str(folder)]).passed_over == Counter({".md": 1})


def test_a_generated_clip_in_several_formats_is_found_once(tmp_path: Path):
    """Two films of one name that pianoreel did not generate are two."""
    label = Label.of("shapes", 7, "a dog runs")
    frames = np.zeros((2, 16, 16, 3), np.uint8)
    for write_film, suffix in ((write_webm, "webm"), (write_mp4, "mp4")):
        write_film(frames, tmp_path / f"{label.name}.{suffix}", 8, tags=label.tags)
    write_gif(frames, tmp_path / f"{label.name}.gif", 8, label.tags)
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


def test_pictures_of_films_and_frames_of_generated_clips_are_no_clips(tmp_path: Path):
    """Write them as interpolations are: numbered, each with its filmstrip; and as a sequence."""
    label = Label.of("shapes", 7, "a dog runs")
    frames = np.zeros((2, 16, 16, 3), np.uint8)
    for number in (1, 2):
        write_mp4(frames, tmp_path / f"path-{number}.mp4", 8)
        (tmp_path / f"path-{number}.png").touch()
    write_mp4(frames, tmp_path / f"{label.name}.mp4", 8, tags=label.tags)
    write_mp4(frames, tmp_path / "rex.mp4", 8)
    for folder in (label.name, "rex"):
        (tmp_path / folder).mkdir()
        for number in (1, 2):
            (tmp_path / folder / f"{number:04d}.png").touch()
    found = [clip.name.removeprefix(f"{tmp_path}/") for clip in listing([str(tmp_path)]).clips]
    films = ["path-1.mp4", "path-2.mp4", "rex.mp4", f"{label.name}.mp4"]
    assert sorted(found) == sorted(["rex", *films]), "frames beside a film of one's own are a clip"


def test_one_origin_can_be_chosen(folder: Path):
    assert clips(folder, "name")["dogs/max.gif"] == ("max", "name")
    assert clips(folder, "folder")["b.mkv"] == ("clips", "folder")
    assert clips(folder, "text")["dogs/rex.gif"] == ("no-caption", None)
    with pytest.raises(UserError, match="no manifest"):
        listing([str(folder)], "manifest")


def test_a_clip_of_a_faulty_row_is_rejected_once(folder: Path):
    write(folder, dogs__clips_dot_csv="path,caption\nrex.gif,\nmax.gif,max runs\n")
    found = listing([str(folder / "dogs")]).clips
    faults = [clip.fault for clip in found if clip.fault]
    assert len(found) == 2 and faults == [("no-caption", "row 2, rex.gif: the caption is empty")]


def test_what_macos_writes_beside_files_is_no_file_of_another_kind(folder: Path):
    write(folder, **{"__MACOSX__b_dot_mkv": "x", "._b_dot_mkv": "x"})
    assert set(listing([str(folder)]).passed_over) == {".md"}


def test_what_systems_hide_is_no_clip(tmp_path: Path):
    """Trash, previews of network disks, caches; but a folder that is given is read."""
    hidden = (".Trash-1000/files", "$RECYCLE.BIN", "@eaDir/a.mp4", ".cache/x", "#recycle")
    for folder in ("clips", *hidden):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.mp4").touch()
    (tmp_path / "clips" / ".b.mp4").touch()
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        for name in (".Trashes/a.mp4", "./dogs/rex.mp4"):
            archive.writestr(name, "x")
    found = listing([str(tmp_path)])
    assert set(of(found, tmp_path)) == {"clips/a.mp4", "z.zip!./dogs/rex.mp4"}
    assert not found.passed_over
    assert set(clips(tmp_path / ".cache")) == {"x/a.mp4"}


def test_an_archive_may_be_packed_on_windows(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        for name in ("dogs\\rex.mp4", "cats\\tom.mp4", "cats\\tom.txt"):
            archive.writestr(name, "a cat")
    found = listing([str(tmp_path)]).clips
    assert [(clip.caption, clip.origin) for clip in found] == [
        ("dogs", "folder"),
        ("a cat", "text"),
    ]
    assert found[1].files[0].read(VideoLimits(), 9) == b"a cat"
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("..\\..\\rex.mp4", "x")
    assert listing([str(tmp_path)]).clips[0].fault == ("path", "it names '..\\\\..\\\\rex.mp4'")


def test_a_manifest_is_all_that_counts_in_its_folder(folder: Path):
    write(folder, dogs__clips_dot_csv="path,caption\nrex.gif,rex runs\n../../b.mkv,no\n")
    assert clips(folder) == {
        "dogs/rex.gif": ("rex runs", "manifest"),
        "dogs/clips.csv, row 3": ("path", None),
        "a_red_dog.mp4": ("a red dog", "name"),
        "b.mkv": ("two lines", "text"),
        "dogs/max.gif": ("no-caption", None),
    }
    assert clips(folder, "text")["dogs/max.gif"] == ("max", "text")
    assert clips(folder, "manifest")["b.mkv"] == ("no-caption", None)


@pytest.mark.parametrize("encoding", ["cp850", "cp1251", "gbk"])
def test_a_table_in_no_known_encoding_stops_where_it_names_clips_below(
    folder: Path, encoding: str
):
    text = {"cp850": "er hört", "cp1251": "собака бежит", "gbk": "一只狗在跑"}[encoding]
    table = folder / "clips.csv"
    table.write_bytes(f"path,caption\ndogs/rex.gif,{text}\n".encode(encoding))
    (folder / "a_red_dog.mp4").unlink()
    (folder / "b.mkv").unlink()
    with pytest.raises(UserError, match=r"clips\.csv names rex\.gif, .*: save it as UTF-8"):
        clips(folder)


def test_texts_lie_in_a_folder_of_their_own_or_in_that_of_a_clip(tmp_path: Path):
    """Texts of videos, as of CogVideoX, and of frames; one of several clips is no caption."""
    folder = write(
        tmp_path / "x",
        videos__1_dot_mp4="x",
        videos__2_dot_mp4="x",
        Labels__1_dot_TXT="a dog runs",
        videos__caption_dot_txt="of none",
        frames__v1__1_dot_png="x",
        frames__v1__2_dot_png="x",
        frames__v1__caption_dot_txt="he runs",
        frames__v2__1_dot_png="x",
        frames__v2__2_dot_png="x",
        captions__v2_dot_txt="she runs",
        rex__clip_dot_gif="x",
        rex__prompt_dot_txt="rex runs",
    )
    assert clips(folder) == {
        "videos/1.mp4": ("a dog runs", "text"),
        "videos/2.mp4": ("videos", "folder"),
        "frames/v1": ("he runs", "text"),
        "frames/v2": ("she runs", "text"),
        "rex/clip.gif": ("rex runs", "text"),
    }
    assert listing([str(folder)]).passed_over == Counter({".txt": 1})


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


def test_a_table_that_names_clips_is_understood_or_stops(folder: Path):
    write(folder, y_dot_csv="dateiname,text_de\nb.mkv,ein Hund\n")
    with pytest.raises(UserError, match=r"y\.csv names b\.mkv, but is not .*dateiname"):
        listing([str(folder)])
    assert clips(folder, "text")["b.mkv"] == ("two lines", "text")
    write(folder, y_dot_csv='path,caption\nb.mkv,"ein Hund\ndogs/rex.gif,rex\n')
    with pytest.raises(UserError, match=r"quotation mark in row 2 is not closed.*--captions"):
        listing([str(folder)])
    write(folder, y_dot_csv="", rejects_dot_jsonl='{"path": "b.mkv", "reason": "damaged"}')
    assert clips(folder)["b.mkv"] == ("two lines", "text"), "a report of prepare is no table"
    write(folder, videos_dot_txt="b.mkv\n")
    with pytest.raises(UserError, match=r"videos\.txt names b\.mkv.*no prompts\.txt beside it"):
        listing([str(folder)])


def test_a_table_of_ids_is_understood_or_stops(tmp_path: Path):
    """Ids without suffixes name clips, too; short numbers and words may be anything."""
    write(tmp_path, v_1aB_dot_mp4="x", _7_dot_mp4="x", dog_dot_mp4="x")
    (tmp_path / "_7.mp4").rename(tmp_path / "7.mp4")
    write(tmp_path, x_dot_json='{"v_1aB": {"subset": "training", "frames": 70}}')
    with pytest.raises(UserError, match=r"x\.json names v_1aB, but is not understood"):
        listing([str(tmp_path)])
    write(tmp_path, x_dot_json='{"frames": [7, 8], "classes": "dog"}')
    assert set(clips(tmp_path)) == {"v_1aB.mp4", "7.mp4", "dog.mp4"}


def test_facts_of_a_clip_hold_its_caption(tmp_path: Path):
    """rex.json beside rex.mp4 is no table; one without a caption changes nothing."""
    write(tmp_path, a_dot_mp4="x", a_dot_json='{"caption": "a dog", "key": "a"}')
    write(tmp_path, b_dot_mp4="x", b_dot_json='{"key": "b", "url": "x"}', b_dot_txt="a cat")
    write(tmp_path, c_dot_mp4="x", c_dot_json='{"captions": [null, "a bird"], "fps": 8}')
    write(tmp_path, d_dot_mp4="x", d_dot_cls="3", d_dot_json="[]")
    write(tmp_path, e_dot_mp4="x", e_dot_json='{"videoid": 7, "caption": "a fox"}')
    write(tmp_path, f_dot_mp4="x", f_dot_json='{"video": "http://x/y?v=1", "text": "an owl"}')
    assert clips(tmp_path) == {
        "a.mp4": ("a dog", "text"),
        "b.mp4": ("a cat", "text"),
        "c.mp4": ("a bird", "text"),
        "d.mp4": ("3", "text"),
        "e.mp4": ("a fox", "text"),
        "f.mp4": ("an owl", "text"),
    }
    assert clips(tmp_path, "name")["a.mp4"] == ("a", "name")
    write(tmp_path, e_dot_json='{"video": "f.mp4", "caption": "a bird"}')
    assert clips(tmp_path)["f.mp4"] == ("a bird", "manifest"), "it names another clip"


def test_a_table_names_clips_of_other_folders(tmp_path: Path):
    """Those that it does not name have no caption, as in its own folder."""
    write(tmp_path, annotations__x_dot_csv="path,caption\na.mp4,a dog\nvideos/b,a cat\n")
    write(tmp_path, videos__a_dot_mp4="x", videos__b_dot_mp4="x", videos__c_dot_mp4="x")
    table = "annotations/x.csv"
    assert clips(tmp_path) == {
        "videos/a.mp4": ("a dog", "manifest"),
        "videos/b.mp4": ("a cat", "manifest"),
        "videos/c.mp4": ("no-caption", None),
    }
    write(tmp_path, other__a_dot_mp4="x", other__b_dot_mp4="x")
    found = clips(tmp_path)
    assert found[f"{table}, row 2"] == ("no-file", None), "which of the two is not known"
    assert found["videos/b.mp4"] == ("a cat", "manifest")


@pytest.mark.parametrize("root", ["..", "{}", "/home/bob/clips", "C:\\clips"])
def test_a_path_out_of_the_tables_folder_is_that_of_a_clip_or_refused(tmp_path: Path, root: str):
    """Either way the clips do not get the name of their folder as caption."""
    write(tmp_path, videos__a_dot_mp4="x", videos__b_dot_mp4="x", meta__x_dot_csv="")
    rows = "".join(f"{root}/videos/{name}.mp4,{name} runs\n" for name in "ab")
    (tmp_path / "meta" / "x.csv").write_text("path,caption\n" + rows.format(*[tmp_path] * 2))
    if root in ("..", "{}"):
        assert {caption for caption, _ in clips(tmp_path).values()} == {"a runs", "b runs"}
    else:
        found = [clip.fault or ("", "") for clip in listing([str(tmp_path)]).clips]
        assert [reason for reason, _ in found] == ["path", "path"]
        assert found[0][1].startswith("row 2, a.mp4: ")
    assert not listing([str(tmp_path)]).passed_over


def test_a_table_may_be_a_text_of_excel(tmp_path: Path):
    write(tmp_path, a_dot_mp4="x", notes_dot_txt="a.mp4 is mine", b_dot_mp4="x", b_dot_txt="cat")
    table = "path\tcaption\r\na.mp4\tein Hund\r\nb.mp4\teine Katze\r\n"
    (tmp_path / "Clips.txt").write_bytes(table.encode("utf-16"))
    assert clips(tmp_path) == {
        "a.mp4": ("ein Hund", "manifest"),
        "b.mp4": ("eine Katze", "manifest"),
    }
    assert len(listing([str(tmp_path / "Clips.txt")]).clips) == 2


def test_a_link_in_a_circle_is_left_out(folder: Path):
    (folder / "round.mp4").symlink_to("round.mp4")
    assert clips(folder)["round.mp4"] == ("unreadable", None)
    with pytest.raises(UserError, match="no-one"):
        listing([str(folder / "no-one*.mp4")])
    found = listing([str(folder / "r*.mp4")])
    assert [clip.fault and clip.fault[0] for clip in found.clips] == ["unreadable"]


def test_two_lists_are_a_manifest(folder: Path):
    write(folder, videos_dot_txt="b.mkv\ndogs/rex.gif\n", prompts_dot_txt="one\ntwo\n")
    found = listing([str(folder)])
    assert [(clip.caption, clip.origin) for clip in found.clips[:2]] == [
        ("one", "manifest"),
        ("two", "manifest"),
    ]
    assert {clip.fault[0] for clip in found.clips[2:] if clip.fault} == {"no-caption"}
    assert found.passed_over == Counter({".md": 1, ".txt": 2}), "side texts that are not used"
    [one, two] = listing([str(folder / "videos.txt")]).clips
    assert (one.caption, two.caption) == ("one", "two")


def test_names_of_clips_and_texts_may_differ_in_case(tmp_path: Path):
    folder = write(tmp_path / "x", REX_dot_MP4="x", REX_dot_TXT="one", max_dot_mov="x")
    write(folder, max_dot_TXT="two", moe_dot_mp4="x", moe_dot_mp4_dot_txt="three")
    write(folder, meg_dot_mp4="x", meg_dot_caption="four", max_dot_mp4="x")
    assert {name: text for name, (text, _) in clips(folder).items()} == {
        "REX.MP4": "one",
        "max.mov": "two",
        "max.mp4": "two",
        "moe.mp4": "three",
        "meg.mp4": "four",
    }
    assert not listing([str(folder)]).passed_over
    assert of(listing([str(folder / "REX.MP4")]), folder) == {"REX.MP4": ("one", "text")}


def test_a_text_may_be_of_windows_and_long(folder: Path):
    for encoding in ("utf-16", "cp1252", "utf-8-sig"):
        (folder / "b.txt").write_bytes("ein Hund läuft".encode(encoding))
        assert clips(folder)["b.mkv"] == ("ein Hund läuft", "text")
    long = "\n\n".join([" ".join(["word"] * 90)] * 4)
    (folder / "b.txt").write_text(long)
    assert clips(folder)["b.mkv"] == (" ".join(["word"] * 360), "text")


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


def test_links_to_folders_are_entered_once(tmp_path: Path):
    write(tmp_path / "disk", dogs__rex_dot_gif="x")
    folder = write(tmp_path / "clips", a_dot_gif="x")
    (folder / "linked").symlink_to(tmp_path / "disk")
    (folder / "again").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "loop").symlink_to(folder)
    (folder / "z.gif").symlink_to(tmp_path / "disk" / "dogs" / "rex.gif")
    (folder / "gone.gif").symlink_to(tmp_path / "gone")
    assert clips(folder) == {
        "a.gif": ("a", "name"),
        "gone.gif": ("unreadable", None),
        "z.gif": ("z", "name"),
        "again/dogs/rex.gif": ("dogs", "folder"),
    }
    (tmp_path / "said").symlink_to(folder)
    assert len(listing([str(tmp_path / "said")]).clips) == 4


def test_a_table_names_clips_behind_links(tmp_path: Path):
    """A collection on another disk: links are followed, as they are without a table."""
    disk = write(tmp_path / "disk", rex_dot_gif="x", v1__1_dot_png="x", v1__2_dot_png="x")
    rows = "path,caption\nlinked/rex.gif,rex runs\nlinked\\v1,he runs\nMAX.gif,max sleeps\n"
    folder = write(tmp_path / "clips", clips_dot_csv=rows)
    (folder / "linked").symlink_to(disk)
    (folder / "max.gif").symlink_to(disk / "rex.gif")
    assert clips(folder) == {
        "linked/rex.gif": ("rex runs", "manifest"),
        "linked/v1": ("he runs", "manifest"),
        "max.gif": ("max sleeps", "manifest"),
    }


def test_numbered_pictures_are_one_clip(tmp_path: Path):
    files = {f"dogs__v1__{n}_dot_jpg": "x" for n in (1, 2, 10)}
    folder = write(tmp_path / "x", **files, dogs__v2__a_0_dot_png="x", dogs__v2__a_1_dot_png="x")
    write(folder, dogs__v2__b_0_dot_png="x", dogs__v2__b_1_dot_png="x", dogs__v2_dot_txt="no")
    write(folder, run__f1_dot_png="x", run__f2_dot_png="x", run_dot_txt="he runs")
    write(folder, photo_dot_png="x", set__1_dot_png="x", set__1_dot_txt="a", set__2_dot_png="x")
    found = listing([str(folder)])
    assert of(found, folder) == {
        "dogs/v1": ("dogs", "folder"),
        "dogs/v2/a": ("v2", "folder"),
        "dogs/v2/b": ("v2", "folder"),
        "run": ("he runs", "text"),
    }
    names = [[file.place.stem for file in clip.files] for clip in found.clips]
    assert names[0] == ["1", "2", "10"], "by their numbers"
    assert found.passed_over == Counter({".png": 3, ".txt": 2}), "those with texts are no film"
    assert [clip.name for clip in listing([str(folder / "run")]).clips] == [str(folder / "run")]
    write(folder, all_dot_jsonl='{"video_path": "dogs/v1", "caption": "rex"}')
    assert clips(folder)["dogs/v1"] == ("rex", "manifest")


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


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_an_archive_is_as_a_folder(folder: Path, suffix: str):
    write(folder, dogs__clips_dot_csv="path,caption\nREX.gif,rex runs\n../../b.mkv,no\n")
    inner = folder.parent / f"inner{suffix}"
    pack(folder, inner)
    outer = folder.parent / "outer"
    outer.mkdir()
    with zipfile.ZipFile(outer / "all.zip", "w") as archive:
        archive.write(inner, inner.name)
        archive.writestr("../evil.mp4", "x")
        archive.writestr("__MACOSX/._a.mp4", "x")
    found = clips(outer)
    top = f"all.zip!{inner.name}!"
    assert found == {
        f"{top}dogs/rex.gif": ("rex runs", "manifest"),
        f"{top}dogs/clips.csv, row 3": ("path", None),
        f"{top}a_red_dog.mp4": ("inner", "folder"),
        f"{top}b.mkv": ("two lines", "text"),
        f"{top}dogs/max.gif": ("no-caption", None),
        "all.zip": ("path", None),
    }


def test_a_member_of_an_archive_may_have_a_name_that_no_disk_has(tmp_path: Path):
    long, deep = "a" * 5000 + ".mp4", "b/" * 3000 + "c.mp4"
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr(long, "x")
        archive.writestr(deep, "x")
        archive.writestr("clips.csv", f"path,caption\n{long},a dog\n{deep},a cat\n")
    assert clips(tmp_path) == {
        f"all.zip!{long}": ("a dog", "manifest"),
        f"all.zip!{deep}": ("a cat", "manifest"),
    }


def pack(folder: Path, archive: Path) -> None:
    if archive.suffix == ".tar":
        with tarfile.open(archive, "w") as tarred:
            tarred.add(folder, ".")
        return
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*")):
            file.write(path, path.relative_to(folder))


def test_a_shard_of_samples_is_read_by_their_keys(tmp_path: Path):
    """A link, which holds no bytes of its own, is not read."""
    with tarfile.open(tmp_path / "shard-000.tar", "w") as archive:
        for name, data in {"0.mp4": b"x", "0.txt": b"a dog runs", "1.mp4": b"x"}.items():
            add(archive, tarfile.TarInfo(name), data)
        add(archive, tarfile.TarInfo("1.txt"), b"replaced")
        add(archive, tarfile.TarInfo("1.txt"), b"a cat sleeps")
        link = tarfile.TarInfo("2.mp4")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        add(archive, link, b"")
        add(archive, tarfile.TarInfo("../3.mp4"), b"x")
    found = clips(tmp_path)
    assert found == {
        "shard-000.tar!0.mp4": ("a dog runs", "text"),
        "shard-000.tar!1.mp4": ("a cat sleeps", "text"),
        "shard-000.tar!2.mp4": ("link", None),
        "shard-000.tar": ("path", None),
    }
    data = (tmp_path / "shard-000.tar").read_bytes()
    (tmp_path / "shard-000.tar").write_bytes(gzip.compress(data))
    assert clips(tmp_path) == {"shard-000.tar": ("archive", None)}


def add(archive: tarfile.TarFile, info: tarfile.TarInfo, data: bytes) -> None:
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def test_a_file_of_any_suffix_can_be_named(folder: Path):
    assert of(listing([str(folder / "notes.md")]), folder) == {"notes.md": ("notes", "name")}


def test_captions_that_are_no_text_are_refused(folder: Path):
    (folder / "b.txt").write_bytes("狗在跑".encode("gbk"))
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


@pytest.mark.parametrize(
    ("cell", "caption"),
    [
        (r'"a \"red\" dog, \"no\" cat"', 'a "red" dog, "no" cat'),
        (r'"\"a dog\""', '"a dog"'),
        (r'"a ""\"" of a font"', r'a "\" of a font'),
    ],
)
def test_quotation_marks_within_a_caption_are_doubled_or_after_a_backslash(
    tmp_path: Path, cell: str, caption: str
):
    write(tmp_path, a_dot_mp4="x", clips_dot_csv=f'path,caption\n".\\a.mp4",{cell}\n')
    assert clips(tmp_path) == {"a.mp4": (caption, "manifest")}


def read_rows(folder: Path) -> list[tuple[str, str, tuple[float, float] | None]]:
    found = listing([str(folder)]).clips
    assert not [clip.fault for clip in found if clip.fault]
    return [(Path(clip.name).name, clip.caption, clip.excerpt) for clip in found]


def test_tables_with_times_name_excerpts(tmp_path: Path):
    """ActivityNet, YouCook2, Kinetics, InternVid, MSVD, Panda-70M and Charades-STA."""
    for name in ("v_1aB", "2aB", "3aB_000005_000015", "4aB_8_15"):
        write(tmp_path, **{f"{name}_dot_mp4": "x"})
    of = {
        "a.json": '{"v_1aB": {"duration": 9, "timestamps": [[0, 4.5], [4, 9]], '
        '"sentences": ["a dog", "a cat"]}}',
        "b.json": '{"database": {"1aB": {"annotations": [{"segment": [1, 3], "label": "run", '
        '"id": 7}]}}, "version": "1.3"}',
        "c.csv": "label,youtube_id,time_start,time_end,split\nrun,2aB,5,15,x\nsit,3aB,5,15,x\n",
        "d.csv": "VideoID,Start,End,Language,Description\n4aB,8,15,English,a cat\n",
        "e.jsonl": '{"YoutubeID": "2aB", "Start_timestamp": "00:00:01.500", '
        '"End_timestamp": "00:01:03.000", "Caption": "a dog"}\n',
        "f.csv": "videoID,timestamp,caption\n2aB,\"[['0:00:01.000', '0:00:03.000'], "
        "['0:00:03.000', '0:00:05.000']]\",\"['a dog', 'a cat']\"\n",
        "g.txt": "v_1aB 0.0 4.3##a dog runs.\n2aB 1 2##a cat, too.\n",
        "h.json": '[{"videoID": "2aB_000001_000011", "enCap": ["a dog"]}]',
    }
    expected = {
        "a.json": [("v_1aB.mp4", "a dog", (0, 4.5)), ("v_1aB.mp4", "a cat", (4, 9))],
        "b.json": [("v_1aB.mp4", "run", (1, 3))],
        "c.csv": [("2aB.mp4", "run", (5, 15)), ("3aB_000005_000015.mp4", "sit", None)],
        "d.csv": [("4aB_8_15.mp4", "a cat", None)],
        "e.jsonl": [("2aB.mp4", "a dog", (1.5, 63))],
        "f.csv": [("2aB.mp4", "a dog", (1, 3)), ("2aB.mp4", "a cat", (3, 5))],
        "g.txt": [("v_1aB.mp4", "a dog runs.", (0, 4.3)), ("2aB.mp4", "a cat, too.", (1, 2))],
        "h.json": [("2aB.mp4", "a dog", (1, 11))],
    }
    for name, text in of.items():
        (tmp_path / name).write_text(text)
        found = [clip for clip in listing([str(tmp_path)]).clips if not clip.fault]
        rows = [(Path(clip.name).name, clip.caption, clip.excerpt) for clip in found]
        assert rows == expected[name], name
        films = [clip.film for clip in found if not clip.excerpt]
        of_cuts = {"c.csv": [("3aB.mp4", 5)], "d.csv": [("4aB.mp4", 8)]}.get(name, [])
        assert films == [(str(tmp_path / film), begin) for film, begin in of_cuts]
        (tmp_path / name).unlink()


def test_clips_of_youtube_are_parts_of_their_films():
    def film(name: str, times: tuple[float, float] | None = None) -> tuple[str, float]:
        return Captioned(name, "", excerpt=times).film

    assert film("run/mv89psg6zh4_33_46.avi") == ("run/mv89psg6zh4.avi", 33)
    assert film("mv89psg6zh4_33_46.avi", (2, 5)) == ("mv89psg6zh4.avi", 35)
    assert film("mv89psg6zh4_33_46.avi", (33, 46)) == ("mv89psg6zh4.avi", 33)
    assert film("person_walk_1_2.mp4") == ("person_walk_1_2.mp4", 0), "no id"
    assert film("mv89psg6zh4.avi", (2, 5)) == ("mv89psg6zh4.avi", 2)


@pytest.mark.parametrize(
    ("columns", "times"),
    [
        ("start;end", "0,5;1,5"),
        ("start;end", "00:00:00,500;00:00:01,500"),
        ("start;stop", "0.5s;1.5 sec"),
        ("from;to", "0.5;1.5"),
        ("start_timestamp;stop_timestamp;start_frame;stop_frame", "0:00.5;0:01.5;30;90"),
        ("start;duration", "0.5;1"),
        ("start;end;duration", "0.5;1.5;60"),
        ("span", "['0.5', '1.5']"),
    ],
)
def test_times_are_read_in_other_columns_and_notations(tmp_path: Path, columns: str, times: str):
    """German Excel, subtitles, EPIC-KITCHENS and lists of shots."""
    write(tmp_path, a_dot_mp4="x", x_dot_csv=f"path;narration;{columns}\na.mp4;a dog;{times}\n")
    assert read_rows(tmp_path) == [("a.mp4", "a dog", (0.5, 1.5))]


def test_a_time_in_frames_is_answered_with_what_to_write(tmp_path: Path):
    """The rate of its frames is not in the table; the whole film would not be what is meant."""
    table = "path,caption,start,end\na.mp4,a dog,00:00:01:12,00:00:02:00\n"
    write(tmp_path, a_dot_mp4="x", x_dot_csv=table)
    fault = listing([str(tmp_path)]).clips[0].fault
    why = "'00:00:01:12' in column start is no time: write seconds, as 72.5 or 1:12.5"
    assert fault == ("times", f"row 2, a.mp4: {why}")


def test_times_that_are_none_are_no_excerpt(tmp_path: Path):
    write(tmp_path, a_dot_mp4="x", b_dot_mp4="x", c_dot_mp4="x")
    table = "path,caption,start,end\na.mp4,one,,\nb.mp4,two,0,0\nc.mp4,three,2026-01-01,x\n"
    write(tmp_path, x_dot_csv=table)
    names = [("a.mp4", "one", None), ("b.mp4", "two", None), ("c.mp4", "three", None)]
    assert read_rows(tmp_path) == names
    write(tmp_path, x_dot_csv="path,caption,start,end\na.mp4,one,7,3\n")
    fault = listing([str(tmp_path)]).clips[0].fault
    assert fault == ("times", "row 2, a.mp4: its excerpt begins at 7 s and ends at 3 s")
    write(tmp_path, x_dot_csv="", x_dot_json='{"a": {"timestamps": [[0, 1], [1, 2]], '
          '"sentences": ["one", "two", "three"]}}')  # fmt: skip
    (tmp_path / "a.mp4").rename(tmp_path / "a1.mp4")
    (tmp_path / "x.json").write_text((tmp_path / "x.json").read_text().replace('"a"', '"a1"'))
    fault = listing([str(tmp_path)]).clips[0].fault
    assert fault == ("times", "row 1, a1.mp4: it has 2 times for 3 captions")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.csv", "1aB.mp4,a dog\n2aB.mp4,a cat\n"),
        ("x.csv", "1aB.mp4;a dog\r\n2aB.mp4;a cat\r\n"),
        ("x.txt", "1aB.mp4|a dog\n2aB.mp4|a cat\n"),
        ("x.txt", "1aB\ta dog\n2aB\ta cat\n"),
        ("x.txt", "# my clips\n\n1aB a dog\n2aB a cat\n"),
        ("x.txt", "clips\\1aB.mp4 a dog\nclips\\2aB.mp4 a cat\n"),
        ("x.txt", "1aB.mp4: a dog\n2aB.MP4:a cat\n"),
        ("x.txt", "1aB.mp4 = a dog\n2aB.mp4 = a cat\n"),
        ("x.txt", "1aB.mp4 - a dog\n2aB.mp4 -> a cat\n"),
    ],
)
def test_a_table_without_its_first_line_is_read(tmp_path: Path, name: str, text: str):
    write(tmp_path / "clips", _1aB_dot_mp4="x", _2aB_dot_mp4="x")
    for number in (1, 2):
        (tmp_path / "clips" / f"_{number}aB.mp4").rename(tmp_path / "clips" / f"{number}aB.mp4")
    (tmp_path / name).write_text(text)
    assert read_rows(tmp_path) == [("1aB.mp4", "a dog", None), ("2aB.mp4", "a cat", None)]


@pytest.mark.parametrize(
    "text",
    [
        "dog/1.mp4 1\ndog/2.mp4 1\n",  # a split of UCF101, which has no captions
        "1 dog\n2 cat\n",  # names of classes
        "dog is a word\ncat is another\n",
        "dog/1.mp4 is the best of all\n",
        "dog/1.mp4 train\ndog/2.mp4 test\n",
        "dog/1.mp4: d41d8cd98f00b204e9800998ecf8427e\ndog/2.mp4: aaaad98f00b204e9800998ecf8427e\n",
        "dog/1.mp4 12.5 s\ndog/2.mp4 3 sec\n",
        "dog/1.mp4: cat/3.mp4\ndog/2.mp4: cat/3.mp4\n",
        "dog/1.mp4|val\ndog/2.mp4|train\n",
        "file 'dog/1.mp4'\nfile 'dog/2.mp4'\n",
    ],
)
def test_a_text_of_other_things_is_no_table(tmp_path: Path, text: str):
    write(tmp_path, dog__1_dot_mp4="x", dog__2_dot_mp4="x", cat__3_dot_mp4="x", list_dot_txt=text)
    assert {caption for caption, _ in clips(tmp_path).values()} == {"dog", "cat"}


def test_a_name_with_spaces_stands_before_its_caption(tmp_path: Path):
    text = "my dog.mp4 a dog - or two\nmy cat.mp4: a cat\n"
    write(tmp_path, **{"my dog_dot_mp4": "x", "my cat_dot_mp4": "x", "x_dot_txt": text})
    names = [("my dog.mp4", "a dog - or two", None), ("my cat.mp4", "a cat", None)]
    assert read_rows(tmp_path) == names


@pytest.mark.parametrize("between", [" ", "|"])
def test_a_part_of_a_collection_is_no_caption(tmp_path: Path, between: str):
    parts = ("train", "Training", "test", "testing", "val", "valid", "validation", "dev")
    for part in parts:
        text = f"dog/1.mp4{between}{part}\ncat/2.mp4{between}{part}\n"
        folder = tmp_path / part
        folder.mkdir()
        write(folder, dog__1_dot_mp4="x", cat__2_dot_mp4="x", list_dot_txt=text)
        assert {caption for caption, _ in clips(folder).values()} == {"dog", "cat"}, part
        (folder / "list.txt").write_text(text.replace(f"{between}{part}", f"{between}{part}s run"))
        assert {caption for caption, _ in clips(folder).values()} == {f"{part}s run"}


def test_a_table_of_a_kind_that_is_not_read_stops(tmp_path: Path):
    """Otherwise the names of files would stand in for its captions."""
    write(tmp_path, a_dot_mp4="x", x_dot_yaml="a.mp4: a dog runs\n")
    with pytest.raises(UserError, match=r"x\.yaml names a\.mp4, .*save it as CSV: \.yaml is not"):
        listing([str(tmp_path)])
    write(tmp_path, x_dot_yaml="resolution: 64\n")
    assert clips(tmp_path) == {"a.mp4": ("a", "name")}


def test_a_workbook_that_names_clips_stops(tmp_path: Path):
    """In the folder above the clips too; one about other things does not."""
    write(tmp_path, videos__a_dot_mp4="x")
    for name, cell in (("a.mp4", "videos/a.mp4"), ("", "cameras")):
        with zipfile.ZipFile(tmp_path / "x.xlsx", "w") as book:
            book.writestr("xl/sharedStrings.xml", f"<sst><si><t>{cell}</t></si></sst>")
        if name:
            with pytest.raises(UserError, match=r"x\.xlsx names a\.mp4, .*\.xlsx is not read"):
                listing([str(tmp_path)])
    assert clips(tmp_path) == {"videos/a.mp4": ("videos", "folder")}
    (tmp_path / "videos" / "metadata.parquet").write_bytes(b"PAR1 PAR1")
    with pytest.raises(UserError, match=r"metadata\.parquet lies beside a\.mp4"):
        listing([str(tmp_path)])


def test_captions_without_a_list_of_their_clips_stop(tmp_path: Path):
    write(tmp_path, videos__a_dot_mp4="x", videos__b_dot_mp4="x", prompts_dot_txt="one\ntwo\n")
    with pytest.raises(UserError, match=r"has 2 lines for 2 clips, .* write videos\.txt beside"):
        clips(tmp_path)
    assert clips(tmp_path, "folder")["videos/a.mp4"] == ("videos", "folder")
    write(tmp_path, videos__a_dot_txt="mine")
    assert clips(tmp_path)["videos/a.mp4"] == ("mine", "text")
    write(tmp_path, videos__a_dot_txt="", videos_dot_txt="videos/b.mp4\nvideos/a.mp4\n")
    assert clips(tmp_path)["videos/a.mp4"] == ("two", "manifest")


def test_rows_for_missing_files_are_looked_up_without_asking_the_disk_for_each(tmp_path: Path):
    for number in range(300):
        (tmp_path / f"id{number:06d}.mp4").touch()
    rows = "".join(f"id{number:06d},run,5,15\n" for number in range(3000))
    write(tmp_path, x_dot_csv=f"youtube_id,label,time_start,time_end\n{rows}")
    begin = time.process_time()
    found = listing([str(tmp_path)]).clips
    assert time.process_time() - begin < 20, "65 ms a row would be 175 s"
    assert sum(not clip.fault for clip in found) == 300 and len(found) == 3000


def test_a_comma_within_a_caption_of_a_text_is_pointed_out(tmp_path: Path):
    write(tmp_path, a_dot_mp4="x", b_dot_mp4="x")
    write(tmp_path, x_dot_txt='a.mp4,a dog, running\nb.mp4,"a cat, sitting"\n')
    found = listing([str(tmp_path)]).clips
    assert found[0].fault and "3 cells for 2 columns: set a caption" in found[0].fault[1]
    assert found[1].caption == "a cat, sitting"


def test_a_row_without_an_end_leads_to_that_of_its_film_unless_another_begins(tmp_path: Path):
    write(tmp_path, a_dot_mp4="x", b_dot_mp4="x")
    write(tmp_path, x_dot_csv="path,caption,start\na.mp4,one,2\nb.mp4,two,3\n")
    assert read_rows(tmp_path) == [
        ("a.mp4", "one", (2, math.inf)),
        ("b.mp4", "two", (3, math.inf)),
    ]
    write(tmp_path, x_dot_csv="path,caption,start\na.mp4,one,2\nb.mp4,x,0\na.mp4,two,9\n")
    with pytest.raises(
        UserError, match=r"row 2 says when its part of a\.mp4 begins, but not when"
    ):
        listing([str(tmp_path)])


@pytest.mark.parametrize("name", ["x.csv", "x.txt", "x.jsonl"])
def test_times_in_an_unknown_unit_stop_whatever_the_table_is_called(tmp_path: Path, name: str):
    """Without them the whole film would be shown; without the table, its name."""
    table = "path,caption,start_tick,end_tick\na.mp4,a dog,96,192\n"
    if name == "x.jsonl":
        table = '{"path": "a.mp4", "caption": "a dog", "start_tick": 96, "end_tick": 192}\n'
    write(tmp_path, **{"a_dot_mp4": "x", name: table})
    with pytest.raises(UserError, match=r"start_tick and end_tick count: name them start and end"):
        listing([str(tmp_path)])


def test_times_may_lie_in_an_object_of_a_row(tmp_path: Path):
    write(tmp_path, a_dot_mp4="x")
    write(tmp_path, x_dot_json='[{"video": {"path": "a.mp4", "start_ms": 500, "end_ms": 1500}, '
          '"caption": "a dog"}]')  # fmt: skip
    assert read_rows(tmp_path) == [("a.mp4", "a dog", (0.5, 1.5))]
    write(tmp_path, x_dot_json='[{"path": "a.mp4", "time": {"from": 1, "to": 2}, "text": "x"}]')
    assert read_rows(tmp_path) == [("a.mp4", "x", (1, 2))]
    write(tmp_path, x_dot_json='[{"path": "a.mp4", "captions": [{"start": 1, "end": 2, "text": '
          '"one"}, {"start": 2, "end": 3, "text": "two"}]}]')  # fmt: skip
    assert read_rows(tmp_path) == [("a.mp4", "one", (1, 2)), ("a.mp4", "two", (2, 3))]


def test_a_clip_of_another_suffix_is_found_where_it_alone_can_be_meant(tmp_path: Path):
    """Films that were converted after the table was written."""
    write(tmp_path, a_dot_webm="x", clips__b_dot_MOV="x", c_dot_mkv="x", d_dot_mp4="x")
    write(tmp_path, d_dot_mov="x", e_dot_mov="x", f_dot_webm="x")
    rows = (
        "a.mp4,one\nclips/b.avi,two\nC.MP4,three\nd.avi,four\ne.mp4,five\ne.mov,own\nf.ogg,six\n"
    )
    write(tmp_path, x_dot_csv=f"path,caption\n{rows}")
    found = [(clip.caption, clip.other_name) for clip in listing([str(tmp_path)]).clips]
    assert found[:3] == [("one", "a.mp4"), ("two", "clips/b.avi"), ("three", "C.MP4")]
    faults = {clip.fault[1] for clip in listing([str(tmp_path)]).clips[:7] if clip.fault}
    assert faults == {
        "row 5: there is no file 'd.avi', but d.mov and d.mp4: name one of them",
        "row 6: there is no file 'e.mp4', and e.mov is that of another row",
        "row 8: there is no file 'f.ogg'",
    }
    only = [str(tmp_path / "a.webm")]
    assert [clip.caption for clip in listing(only).clips] == ["one"]


SIGNS = ("^", "~", "#", "\x01", "||", "::", "##", "<>", " - ", " => ", "   ", " ")


@pytest.mark.parametrize("name", ["x.csv", "x.txt", "x.psv", "captions"])
@pytest.mark.parametrize("sign", SIGNS)
def test_any_sign_separates_columns(tmp_path: Path, sign: str, name: str):
    text = f"path{sign}caption\n1-a.mp4{sign}a dog runs\n2-b.mp4{sign}two cats\n"
    write(tmp_path, **{"1-a_dot_mp4": "x", "2-b_dot_mp4": "x"})
    (tmp_path / name).write_text(text)
    assert read_rows(tmp_path) == [("1-a.mp4", "a dog runs", None), ("2-b.mp4", "two cats", None)]


@pytest.mark.parametrize("sign", ["^", "~", ": ", " : ", "::", "->", " -> ", "=", "\x1f"])
def test_any_sign_stands_between_an_id_and_its_caption(tmp_path: Path, sign: str):
    write(tmp_path, a1B_dot_mp4="x", a2B_dot_mp4="x")
    write(tmp_path, x_dot_txt=f"a1B{sign}a dog\na2B{sign}two cats\n")
    assert read_rows(tmp_path) == [("a1B.mp4", "a dog", None), ("a2B.mp4", "two cats", None)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.csv", "film,untertitel\nrex.mp4,ein Hund\nmax.mp4,zwei\n"),
        ("x.csv", "film/untertitel\nrex.mp4/ein Hund\nmax.mp4/zwei\n"),
        ("x.csv", "film,untertitel\nrex,ein Hund\nmax,zwei\n"),
        ("x.csv", "film,untertitel\nREX.avi,ein Hund\n"),
        ("x.csv", "film@untertitel\nrex.mp4@ein Hund\n"),
        ("x.csv", "Ab1dEf2hIj3,30,ein Hund,train\n"),
        ("x.json", '{"datei": "caf\\u00e9.mp4", "text_de": "ein Hund"}'),
        ("x.toml", '"rex.mp4" = "ein Hund"\n'),
        ("x.xml", "<c f='caf&#233;.mp4'>ein Hund</c>"),
        ("x.csv", "film,untertitel\nhttps://x.org/caf%C3%A9.mp4,ein Hund\n"),
    ],
)
def test_a_table_is_tied_to_its_clips_however_it_writes_their_names(
    tmp_path: Path, name: str, text: str
):
    films = ("rex", "max", "caf\u00e9", "Ab1dEf2hIj3_000030")
    write(tmp_path / "dogs", **{f"{film}_dot_mp4": "x" for film in films})
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=r"x\.\w+ names .*, but is not understood"):
        listing([str(tmp_path)])
    (tmp_path / name).write_text(text.replace("rex", "brex").replace("max", "bmax")
                                 .replace("caf", "bcaf").replace("Ab1", "bAb1"))  # fmt: skip
    (tmp_path / name).write_text((tmp_path / name).read_text().replace("REX", "bREX"))
    assert {caption for caption, _ in clips(tmp_path).values()} == {"dogs"}, "of other clips"


def test_a_text_whose_first_line_only_looks_like_that_of_a_table_is_none(tmp_path: Path):
    write(tmp_path, a_dot_mp4="x", README="video / caption\n\nThese are mine: see there.\n")
    assert clips(tmp_path) == {"a.mp4": ("a", "name")}


def test_addresses_name_the_files_that_were_downloaded(tmp_path: Path):
    write(tmp_path, **{"my clip_dot_mp4": "x", "a1B_dot_mp4": "x", "c_dot_mp4": "x"})
    rows = "https://x.org/v/my%20clip.mp4?dl=1,one\nhttps://youtube.com/watch?v=a1B&t=3,two\n"
    write(tmp_path, x_dot_csv=f"url,caption\n{rows}gs://mine/v/c.mp4,three\n")
    captions = [("my clip.mp4", "one"), ("a1B.mp4", "two"), ("c.mp4", "three")]
    assert [row[:2] for row in read_rows(tmp_path)] == captions


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.csv.gz", gzip.compress(b"path,caption\na.mp4,a dog\n")),
        ("x.jsonl.GZ", gzip.compress(b'{"path": "a.mp4", "caption": "a dog"}\n')),
        ("x.xls", b"\xd0\xcf\x11\xe0" + "a.mp4 a dog".encode("utf-16-le")),
        ("x.db", b"SQLite format 3\0\0\x17\x15aa.mp4a dog"),
        ("x.pkl", b"\x80\x04}\x8c\x05a.mp4\x8c\x05a dog."),
        ("x.feather", b"ARROW1\0\0"),
        ("x.numbers", b"PK\x03\x04"),
        ("a.yaml", b"caption: a dog\n"),
        ("a.csv", b"caption\na dog\n"),
        ("a.xml", b"<description>a dog</description>"),
        ("a.json", b'{"caption": "a dog'),
    ],
)
def test_captions_that_cannot_be_read_stop(tmp_path: Path, name: str, data: bytes):
    write(tmp_path, a_dot_mp4="x")
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=r"(names|lies beside) a\.mp4, but is not understood"):
        listing([str(tmp_path)])
    assert clips(tmp_path, "name") == {"a.mp4": ("a", "name")}


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


def test_an_empty_caption_of_a_clip_is_not_replaced(tmp_path: Path):
    write(tmp_path, a_dot_mp4="x", a_dot_json='{"caption": ""}')
    assert clips(tmp_path) == {"a.mp4": ("no-caption", None)}


def test_a_collection_beside_its_clips_holds_no_table(tmp_path: Path):
    write(tmp_path, a1B_dot_mp4="x", out__prepare_dot_json="{}")
    write(tmp_path, out__index_dot_json='{"sources": ["a1B", "a1B.mp4"]}')
    assert clips(tmp_path) == {"a1B.mp4": ("a1B", "name")}


def test_a_name_may_be_points(tmp_path: Path):
    write(tmp_path, x="x")
    (tmp_path / "x").rename(tmp_path / "..mp4")
    assert [c.fault and c.fault[0] for c in listing([str(tmp_path / "..mp4")]).clips] == [
        "no-caption"
    ]


def test_texts_of_many_clips_are_looked_up_only_where_there_are_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked, find = [], Tree.find
    monkeypatch.setattr(Tree, "find", lambda tree, place: asked.append(place) or find(tree, place))
    write(tmp_path, **{f"{number}_dot_mp4": "x" for number in range(100)})
    assert len(listing([str(tmp_path)]).clips) == 100
    assert len(asked) < 100 * 20, "in each folder they would be 120 a clip"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("captions.csv", "caption\none\ntwo\n"),
        ("captions.json", '["one", "two"]'),
        ("prompts.txt", "one\n"),
        ("Prompts.TXT", "one\ntwo\nthree\n"),
    ],
)
def test_a_list_of_captions_in_any_file_and_of_any_length_stops(
    tmp_path: Path, name: str, text: str
):
    write(tmp_path, a_dot_mp4="x", b_dot_mp4="x")
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=r"has \d lines? for 2 clips, but nothing says which is"):
        listing([str(tmp_path)])
    write(tmp_path, captions__a_dot_txt="mine", captions__b_dot_txt="mine")
    assert {caption for caption, _ in clips(tmp_path).values()} == {"mine"}


def test_an_id_of_two_files_names_neither(tmp_path: Path):
    write(tmp_path, a_dot_mp4="x", a_dot_mov="x", x_dot_csv="path,caption\na,one\n")
    fault = "row 2: there is no file 'a', but a.mov and a.mp4: name one of them"
    assert ("no-file", fault) in [clip.fault for clip in listing([str(tmp_path)]).clips]


def test_a_table_and_a_link_to_it_are_one(tmp_path: Path):
    write(tmp_path, d__a_dot_mp4="x", x_dot_csv="path,caption\na.mp4,one\n")
    (tmp_path / "d" / "x.csv").symlink_to("../x.csv")
    assert [clip.caption for clip in listing([str(tmp_path)]).clips] == ["one"]
