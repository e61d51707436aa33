"""Clips are found in folders, behind links, in archives and as pictures, each once."""

import gzip
import io
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from listings import clips, of, write

from core.errors import UserError
from videogen.data.sources.listing import listing
from videogen.files.clip import write_gif, write_mp4, write_webm
from videogen.files.label import Label
from videogen.files.limits import VideoLimits


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
    assert sorted(found) == sorted(["path-1.mp4", "path-2.mp4", "rex.mp4", f"{label.name}.mp4"])


@pytest.mark.parametrize(
    ("film", "picture"),
    [
        ("rex.mp4", "rex/{}.png"),
        ("rex.mp4", "rex_frames/{}.jpg"),
        ("rex.mp4", "rex_{}.png"),
        ("rex.mp4", "frames/frame_{}.png"),
        ("dogs/rex.mp4", "dogs/{}.png"),
        ("dogs/rex.mp4", "dogs/rex-{}.png"),
        ("dogs/rex.mp4", "dogs/Frames/{}.png"),
        ("videos/rex.mp4", "frames/rex/{}.png"),
        ("videos/REX.mp4", "JPEGImages/rex/{}.png"),
    ],
)
def test_the_frames_of_a_film_beside_it_are_no_second_clip(
    tmp_path: Path, film: str, picture: str
):
    for name in (film, *(picture.format(f"{number:04d}") for number in range(3))):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = listing([str(tmp_path)])
    assert [clip.name for clip in found.clips] == [str(tmp_path / film)]
    assert found.passed_over == Counter({Path(picture).suffix: 3})


@pytest.mark.parametrize(
    ("film", "picture", "text"),
    [
        ("rex.mp4", "max/{}.png", "max.txt"),
        ("rex.mp4", "rex/{}.png", "rex/caption.txt"),
        ("dogs/rex.mp4", "dogs/max_{}.png", "dogs/rex.txt"),
        ("videos/max.mp4", "frames/rex/{}.png", "frames/rex.txt"),
    ],
)
def test_pictures_of_another_name_or_with_a_text_are_a_clip_beside_a_film(
    tmp_path: Path, film: str, picture: str, text: str
):
    for name in (film, text, *(picture.format(f"{number:04d}") for number in range(3))):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("a dog")
    assert len(listing([str(tmp_path)]).clips) == 2


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


def test_a_link_in_a_circle_is_left_out(folder: Path):
    (folder / "round.mp4").symlink_to("round.mp4")
    assert clips(folder)["round.mp4"] == ("unreadable", None)
    with pytest.raises(UserError, match="no-one"):
        listing([str(folder / "no-one*.mp4")])
    found = listing([str(folder / "r*.mp4")])
    assert [clip.fault and clip.fault[0] for clip in found.clips] == ["unreadable"]


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
