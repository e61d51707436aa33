"""The files of a clip: what is written, what it says, and what is not overwritten."""

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from typing import Any

import av
import numpy as np
import pytest
from matplotlib.image import imread

from core.errors import ConfigError, UserError
from core.files import read_json_lines
from videogen.data.sources.listing import listing
from videogen.files.label import Label, origin_of
from videogen.rendering.enlargement import Enlargement
from videogen.rendering.output import DEFAULT_FORMATS, FORMATS, ClipOutput, write_clip

LABEL = Label.of("shapes", 7, "a dog runs", fps=8)


def moving(count: int = 4, level: int = 200) -> np.ndarray:
    """A square that moves to the right."""
    frames = np.zeros((count, 32, 32, 3), np.uint8)
    for number in range(count):
        frames[number, 8:20, 4 * number : 4 * number + 8] = level
    return frames


def written(to: ClipOutput, frames: np.ndarray | None = None, label: Label = LABEL) -> list[str]:
    to.create()
    found = write_clip(moving() if frames is None else frames, label, to, 8.0)
    return [str(path.relative_to(to.folder)) for path in found]


def test_every_format_is_written_under_the_name_of_the_clip(tmp_path: Path):
    name = "shapes-seed7-a-dog-runs"
    usual = written(ClipOutput(tmp_path / "usual"))
    assert usual == [f"{name}{suffix}" for suffix in (".mp4", ".gif", ".png", ".txt")]
    every = written(ClipOutput(tmp_path / "every", FORMATS))
    sequence = [f"{name}/{number:04d}.png" for number in (1, 2, 3, 4)]
    films = [f"{name}{suffix}" for suffix in (".mp4", ".webm", ".gif", ".png")]
    assert every == [*films, *sequence, "metadata.jsonl", f"{name}.txt"]
    for film in (films[0], films[1], films[2]):
        with av.open(str(tmp_path / "every" / film)) as file:
            images = [f.to_ndarray(format="rgb24") for f in file.decode(video=0)]
        assert np.abs(np.stack(images).astype(int)[:, 4::8, 4::8] - moving()).mean() < 4


def test_a_sequence_is_the_frames_to_the_bit(tmp_path: Path):
    to = ClipOutput(tmp_path, ("png-sequence",), Enlargement(1))
    frames = np.random.default_rng(0).integers(0, 256, (2, 9, 7, 3)).astype(np.uint8)
    written(to, frames)
    for number, frame in enumerate(frames, 1):
        image = imread(tmp_path / LABEL.name / f"{number:04d}.png")[..., :3]
        assert np.array_equal((image * 255).round().astype(np.uint8), frame)


def test_of_a_longer_clip_no_frame_stays(tmp_path: Path):
    """Else the folder would be a clip that ends as another one does."""
    to = ClipOutput(tmp_path, ("png-sequence",))
    written(to, moving(6))
    (tmp_path / LABEL.name / "notes.png").write_text("mine")
    with pytest.raises(UserError, match=r"0005\.png is there and holds another clip"):
        written(to, moving(4)[:4])
    written(replace(to, overwrite=True), moving(4))
    left = sorted(path.name for path in (tmp_path / LABEL.name).iterdir())
    assert left == ["0001.png", "0002.png", "0003.png", "0004.png", "notes.png"]


def test_files_of_a_clip_are_all_written_or_none(tmp_path: Path):
    """Else a film of one clip would stand beside the filmstrip of another."""
    written(ClipOutput(tmp_path, ("png",)), moving(level=90))
    with pytest.raises(UserError, match=r"\.png is there and holds another clip"):
        written(ClipOutput(tmp_path, ("mp4", "png")))
    assert {path.suffix for path in tmp_path.iterdir()} == {".png", ".txt"}


def test_a_clip_has_its_caption_beside_it_and_its_origin_within(tmp_path: Path):
    written(ClipOutput(tmp_path, ("mp4", "webm")))
    assert (tmp_path / f"{LABEL.name}.txt").read_text() == "a dog runs\n"
    for suffix in (".mp4", ".webm"):
        path = tmp_path / f"{LABEL.name}{suffix}"
        assert origin_of(path) == LABEL.origin
        with av.open(str(path)) as file:
            assert file.metadata["title"] == "a dog runs"


def test_a_clip_without_a_caption_has_no_side_text(tmp_path: Path):
    assert written(ClipOutput(tmp_path, ("gif",)), label=Label("x", "50%", "")) == ["x.gif"]


def test_a_caption_that_no_file_can_hold_is_written_with_its_other_letters(tmp_path: Path):
    label = Label.of("shapes", 7, "a dog \ud800 runs")
    written(ClipOutput(tmp_path, ("gif", "jsonl")), label=label)
    (text,) = tmp_path.glob("*.txt")
    assert text.read_bytes() == b"a dog ? runs\n"
    row = json.loads((tmp_path / "metadata.jsonl").read_text())
    assert (row["file_name"], row["caption"]) == (f"{label.name}.gif", "a dog ? runs")


def test_pictures_are_wanted_where_png_is_a_format():
    assert ClipOutput(Path("a"), ("png",)).has_pictures
    assert not ClipOutput(Path("a"), ("mp4", "gif")).has_pictures


@pytest.mark.parametrize("formats", [FORMATS, ("png", "gif")])
def test_the_same_clip_gives_the_same_bytes(tmp_path: Path, formats: tuple[str, ...]):
    one, other = (ClipOutput(tmp_path / name, formats) for name in ("one", "other"))
    for name in written(one):
        assert name in written(other)
        assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes(), name


def test_another_clip_of_that_name_is_not_overwritten_unasked(tmp_path: Path):
    to = ClipOutput(tmp_path)
    assert written(to) == written(to), "the same clip can be written again"
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for kind in DEFAULT_FORMATS:
        with pytest.raises(UserError, match=rf"{kind} is there and .* another clip.*--overwrite"):
            written(replace(to, formats=(kind,)), moving(level=90))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    written(replace(to, overwrite=True), moving(level=90))
    assert all(
        (tmp_path / name).read_bytes() != before[name] for name in before if ".t" not in name
    )


def test_a_taken_name_is_known_before_the_clip_is_sampled(tmp_path: Path):
    to = ClipOutput(tmp_path, ("mp4",))
    to.require_free(LABEL)
    written(to)
    to.require_free(LABEL)
    for other in (
        Label.of("shapes", 7, "a dog runs", fps=9),
        Label.of("shapes", 7, "A dog runs!"),
    ):
        with pytest.raises(UserError, match="holds another clip"):
            to.require_free(other)
        replace(to, overwrite=True).require_free(other)
    to.require_free(Label.of("shapes", 8, "a dog runs"))


def test_a_folder_that_cannot_be_is_named(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write to .*file"):
        ClipOutput(tmp_path / "file" / "to").create()


def test_a_folder_with_its_table_is_one_that_datasets_load(tmp_path: Path):
    """`file_name` and `file_names` are relative to the table, and `prepare` reads both."""
    other = Label.of("shapes", 8, 'a "cat" sleeps', fps=8)
    films = ClipOutput(tmp_path / "films", ("mp4", "png-sequence", "jsonl"))
    for label in (LABEL, other, LABEL):  # the same again is no other row
        written(films, label=label)
        with (films.folder / "metadata.jsonl").open("a") as file:
            file.write("\n")  # as editors leave one
    table = (films.folder / "metadata.jsonl").read_text().rstrip("\n")
    assert list(map(json.loads, table.splitlines())) == [
        {"file_name": f"{other.name}.mp4", "caption": 'a "cat" sleeps'},
        {"file_name": f"{LABEL.name}.mp4", "caption": "a dog runs"},
    ]
    frames = ClipOutput(tmp_path / "frames", ("png-sequence", "jsonl"))
    written(frames)
    (row,) = map(json.loads, (frames.folder / "metadata.jsonl").read_text().splitlines())
    names = [f"{LABEL.name}/{number:04d}.png" for number in (1, 2, 3, 4)]
    assert row == {"file_names": names, "caption": "a dog runs"}
    for to, kinds in ((films, [1, 1]), (frames, [4])):
        found = listing([str(to.folder)]).clips
        assert [len(clip.files) for clip in found] == kinds
        assert {(clip.origin, clip.fault) for clip in found} == {("manifest", None)}
    assert [clip.caption for clip in listing([str(films.folder)]).clips] == [
        'a "cat" sleeps',
        "a dog runs",
    ]


def test_two_commands_that_write_clips_to_a_folder_both_enter_its_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Neither writes the table before the other has read it, unless they take turns."""
    both = Barrier(2)

    def read_together(path: Path) -> list[Any]:
        rows = read_json_lines(path)
        with contextlib.suppress(BrokenBarrierError):
            both.wait(0.5)
        return rows

    monkeypatch.setattr("videogen.rendering.output.read_json_lines", read_together)
    to = ClipOutput(tmp_path, ("png-sequence", "jsonl"))
    labels = [Label.of("shapes", seed, "a dog runs") for seed in (1, 2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda label: written(to, moving(1), label), labels))
    rows = read_json_lines(tmp_path / "metadata.jsonl")
    assert sorted(row["file_names"] for row in rows) == [
        [f"{one.name}/0001.png"] for one in labels
    ]


def test_a_table_alone_names_nothing(tmp_path: Path):
    with pytest.raises(ConfigError, match="add one of mp4, webm, gif, png-sequence"):
        ClipOutput(tmp_path, ("png", "jsonl"))
