"""Preparing clips: every file is kept or rejected with a reason, and no caption goes astray."""

import json
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from command import REPOSITORY
from films import greys, write_film
from matplotlib.image import imsave
from peak import CODE

from core.app.label import GENERATED, origin
from core.data.preparation import Part
from core.errors import UserError
from videogen.data.collection import Collection
from videogen.data.preparation import prepare, prepare_part
from videogen.data.records import PrepareConfig
from videogen.files.clip import write_gif, write_mp4
from videogen.files.limits import VideoLimits
from videogen.files.reading import VIDEO

SMALL = PrepareConfig(size=16, frames=4)


def write_clips(folder: Path, count: int, frames: int = 4) -> Path:
    """Gifs of one grey each, 10 apart, that say so in their side text."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        level = 10 * number + 5
        write_gif(greys(*[level] * frames, height=16, width=16), folder / f"{number:03}.gif", 8)
        (folder / f"{number:03}.txt").write_text(f"grey {level}")
    return folder


def rejects(folder: Path) -> dict[str, str]:
    lines = (folder / "rejects.jsonl").read_text().splitlines()
    return {Path(r["path"]).name: r["reason"] for r in map(json.loads, lines)}


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def matched(data: Collection) -> int:
    """Count the clips; each shows the grey that its caption names."""
    both = np.concatenate([data.indices("train"), data.indices("test")])
    for frames, caption in zip(data.frames_of(both), data.captions_of(both), strict=True):
        assert caption == f"grey {round(float(frames.mean()) - 5, -1) + 5:.0f}"
    return len(both)


def test_overlapping_excerpts_share_no_frame_with_held_out_windows(tmp_path: Path):
    clips = tmp_path / "clips"
    clips.mkdir()
    write_gif(greys(*range(5, 245, 6), height=16, width=16), clips / "a.gif", 8)
    rows = "path,caption,start,end\na.gif,up,0,3\na.gif,higher,1.5,5\na.gif,highest,2.25,4.5\n"
    (clips / "clips.csv").write_text(rows)
    config = SMALL.model_copy(update={"hold_out": "windows", "test_share": 0.2, "hop": 1})
    prepare([str(clips)], tmp_path / "to", config, jobs=0)
    data = Collection.open(tmp_path / "to")
    train, test = (data.frames_of(data.indices(split)) for split in ("train", "test"))
    greys_of_both = [set(frames.mean((2, 3, 4)).round().ravel()) for frames in (train, test)]
    assert greys_of_both[1] and greys_of_both[0].isdisjoint(greys_of_both[1])
    assert set(data.captions_of(data.indices("train"))) == {"up", "higher", "highest"}


def test_windows_that_are_most_of_a_collection_are_not_called_whole_videos(tmp_path: Path):
    summary = prepare([str(write_clips(tmp_path / "clips", 1, 8))], tmp_path / "to", SMALL, jobs=0)
    assert summary.pieces == {"train": 1, "test": 1}
    assert "held out: 50% of all: more videos make that less" in summary.lines


def test_a_dropped_clip_takes_its_caption_with_it(tmp_path: Path):
    clips = write_clips(tmp_path / "clips", 12)
    (clips / "000.gif").write_bytes(b"")
    (clips / "004.gif").write_bytes((clips / "004.gif").read_bytes()[:30])
    (clips / "007.txt").write_text("\a")
    shutil.copy(clips / "003.gif", clips / "zzz.gif")
    shutil.copy(clips / "003.txt", clips / "zzz.txt")
    summary = prepare([str(clips)], tmp_path / "data", SMALL)
    found = rejects(tmp_path / "data")
    assert found.pop("004.gif") in ("damaged", "unreadable", "no-frames")
    assert found == {"000.gif": "empty-file", "007.gif": "caption", "zzz.gif": "duplicate"}
    data = Collection.open(tmp_path / "data")
    assert matched(data) == 9 == summary.kept
    assert {int(video.name) for video in data.videos} == set(range(12)) - {0, 4, 7}
    assert summary.lines[0] == "13 files: 9 kept, 4 rejected"
    assert summary.lines[-2:] == ["captions: 9 of text", "36 frames of 16x16: 0.0 MB"]
    assert (tmp_path / "data" / "summary.txt").read_text().splitlines() == summary.lines
    assert (tmp_path / "data" / "collection.png").stat().st_size > 1000


def test_clips_of_a_long_video_are_in_one_split(tmp_path: Path):
    clips = write_clips(tmp_path / "clips", 6, frames=10)
    shutil.copy(clips / "002.gif", clips / "again.gif")
    (clips / "again.txt").write_text("the same pictures in other words")
    config = SMALL.model_copy(update={"hop": 2, "test_share": 0.4, "hold_out": "videos"})
    summary = prepare([str(clips)], tmp_path / "data", config, jobs=0)
    data = Collection.open(tmp_path / "data")
    assert summary.kept == 7, "other words make it another record"
    assert summary.pieces["train"] + summary.pieces["test"] == 7 * 4
    split = {video.name: video.split for video in data.videos}
    assert split["002"] == split["again"]
    assert Counter(split.values())["test"] == 2
    for side in ("train", "test"):
        sources = data.store.whole["source"][data.indices(side)]
        assert {data.videos[source].split for source in sources} == {side}


def test_parts_that_are_read_apart_end_with_the_same_bytes(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("core.data.preparation.SOURCES_PER_SHARD", 2)
    monkeypatch.setattr("videogen.data.preparation._draw", lambda folder: None)
    monkeypatch.setattr("videogen.data.preparation.SPOOLED_BYTES", 0)
    clips = str(write_clips(tmp_path / "clips", 5))
    prepare([clips], tmp_path / "whole", SMALL, jobs=0)
    for number, read in ((2, 2), (1, 3)):  # of the shards of 2, 2 and 1 clips
        part = prepare_part([clips], tmp_path / "parts", Part(number, 2), SMALL, jobs=0)
        assert part.sources == read
    prepare([clips], tmp_path / "parts", SMALL, jobs=0)
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


def test_a_single_video_is_trained_on(tmp_path: Path):
    clips = write_clips(tmp_path / "clips", 1)
    summary = prepare([str(clips)], tmp_path / "data", SMALL, jobs=0)
    assert summary.pieces == {"train": 1, "test": 0}


def test_a_batch_is_a_function_of_its_arguments(tmp_path: Path):
    config = SMALL.model_copy(update={"hold_out": "videos"})
    prepare([str(write_clips(tmp_path / "clips", 8))], tmp_path / "data", config, jobs=0)
    data = Collection.open(tmp_path / "data")
    frames, captions = data.batch(3, 16, seed=1)
    assert frames.shape == (16, 4, 16, 16, 3)
    repeated, same = Collection.open(tmp_path / "data").batch(3, 16, seed=1)
    assert (repeated == frames).all() and same == captions
    assert data.batch(4, 16, seed=1)[1] != captions != data.batch(3, 16, seed=2)[1]
    held = {data.captions_of(data.indices("test"))[0]}
    assert set(data.batch(0, 16, seed=0, split="test")[1]) == held
    assert not held & set(captions)
    numbers = sorted(set(data.captions_of(data.indices("train"))))
    assert data.words == tuple(sorted({"grey", *(c.split()[1] for c in numbers)}))
    assert (data.frames, data.size, data.frames_per_second) == (4, 16, 8.0)
    assert len(data.digest) == 64


def test_a_check_says_the_same_and_writes_nothing(tmp_path: Path):
    clips = write_clips(tmp_path / "clips", 5, frames=9)
    (clips / "002.gif").write_bytes(b"")
    before = files(tmp_path)
    checked = prepare([str(clips)], None, SMALL)
    assert files(tmp_path) == before
    real = prepare([str(clips)], tmp_path / "data", SMALL)
    count = len(real.lines)
    assert checked.lines[:count] == real.lines
    assert checked.lines[count:] == [
        "nothing was written (--check)",
        f"  {clips}/002.gif: empty-file: the file has no bytes",
    ]


def test_videos_whose_captions_come_from_elsewhere_are_named(tmp_path: Path):
    """A text that was forgotten: the caption is the name of the file."""
    clips = write_clips(tmp_path / "clips", 12)
    for name in ("002", "003", "005", "007"):
        (clips / f"{name}.txt").unlink()
    (clips / "a cat").mkdir()
    write_gif(greys(95, height=16, width=16), clips / "a cat" / "tom.gif", 8)
    lines = prepare([str(clips)], None, SMALL, jobs=0).lines
    first = lines.index("captions: 8 of text, 4 of name, 1 of folder")
    assert lines[first + 1 : first + 3] == [
        "  of name: 002, 003, 005 and 1 more",
        "  of folder: tom",
    ]


def test_what_is_particular_about_files_is_reported(tmp_path: Path):
    clips = write_clips(tmp_path / "clips", 2)
    write_gif(greys(95, height=16, width=16), clips / "still.gif", 8)
    (clips / "still.txt").write_text("a still " * 17)
    (clips / "film").mkdir()
    for number in range(5):
        imsave(clips / "film" / f"{number}.png", greys(55)[0])
    tags = {"comment": origin("gist_flow", seed=1)}
    write_mp4(greys(15, 85, 35), clips / "generated.mp4", 8, tags=tags)
    (clips / "generated.txt").write_text("a sample")
    noise = np.random.default_rng(0).integers(0, 256, (40, 48, 64, 3)).astype(np.uint8)
    write_mp4(noise, clips / "cut.mp4", 8)
    (clips / "cut.mp4").write_bytes((clips / "cut.mp4").read_bytes()[:-40_000])
    kept = prepare([str(clips)], None, SMALL.model_copy(update={"damaged": "keep"}), jobs=0).lines
    assert "1 kept: a single picture, which is repeated (--short drop leaves them out)" in kept
    assert "1 kept: damaged: the part before the damage is kept" in kept
    assert "1 kept: a folder of numbered pictures" in kept
    assert f"1 kept: {GENERATED}" in kept
    assert "1 of the captions: longer than the 32 words read" in kept
    dropped = prepare([str(clips)], None, SMALL, jobs=0).lines
    assert any("1 damaged" in line for line in dropped)
    assert not any("part before" in line for line in dropped)


def test_long_captions_are_shortened_in_the_report(tmp_path: Path):
    clips = write_clips(tmp_path / "clips", 3)
    (clips / "001.txt").write_text("grey 15 " + "and so on " * 60)
    config = SMALL.model_copy(update={"hold_out": "videos", "test_share": 0.99})
    lines = prepare([str(clips)], None, config, jobs=0).lines
    shown = next(line for line in lines if line.startswith("  001: grey 15 and so on"))
    assert len(shown) == 120 and shown.endswith("...")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_is_prepared_as_its_folder(tmp_path: Path, kind: str):
    clips = write_clips(tmp_path / "clips", 3)
    archive = shutil.make_archive(str(tmp_path / "packed"), kind, clips)
    prepare([archive], tmp_path / "data", SMALL)
    assert matched(Collection.open(tmp_path / "data")) == 3


def test_a_collection_among_the_videos_is_not_read_as_their_captions(tmp_path: Path):
    clips = write_clips(tmp_path / "clips", 2)
    first = prepare([str(clips)], clips / "data", SMALL, jobs=0)
    for to in (clips / "data", tmp_path / "other"):
        assert prepare([str(clips)], to, SMALL, jobs=0).sources == first.sources == 2
        assert matched(Collection.open(to)) == 2


def test_if_all_are_rejected_the_reasons_are_reported(tmp_path: Path):
    clips = write_clips(tmp_path / "clips", 2, frames=3)
    config = SMALL.model_copy(update={"short": "drop"})
    with pytest.raises(
        UserError, match=r"no clip could be kept of 2 files \(2 too-short\): .*why"
    ):
        prepare([str(clips)], tmp_path / "data", config, jobs=0)
    assert set(rejects(tmp_path / "data")) == {"000.gif", "001.gif"}
    with pytest.raises(UserError, match=r"(?s)2 too-short.*001\.gif: too-short: 3 frames"):
        prepare([str(clips)], None, config, jobs=0)
    assert prepare([str(clips)], tmp_path / "data", SMALL, jobs=0).kept == 2


def test_other_files_or_captions_are_refused(tmp_path: Path):
    clips = write_clips(tmp_path / "clips", 3)
    prepare([str(clips)], tmp_path / "data", SMALL, jobs=0)
    with pytest.raises(UserError, match="other settings"):
        prepare([str(clips)], tmp_path / "data", PrepareConfig(size=16), jobs=0)
    (clips / "001.txt").write_text("other words")
    with pytest.raises(UserError, match="changed since"):
        prepare([str(clips)], tmp_path / "data", SMALL, jobs=0)


PREPARE = """
import os, signal, sys
from core.data import preparation
from videogen.data import preparation as data
from videogen.data.records import PrepareConfig
preparation.SOURCES_PER_SHARD = 2
data.SPOOLED_BYTES = 4000
def tick(done, total):
    if done == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
data.prepare([sys.argv[1]], sys.argv[2], PrepareConfig(size=16, frames=4), jobs=2, tick=tick)
"""


def prepared(clips: Path, to: Path, killed_at: int = -1) -> int:
    """Exit code of a preparation in a process of its own, two files a shard."""
    command = [sys.executable, "-c", PREPARE, str(clips), str(to), str(killed_at)]
    return subprocess.run(command, cwd=REPOSITORY, check=False).returncode


@pytest.mark.slow
def test_a_killed_preparation_goes_on_and_ends_with_the_same_bytes(tmp_path: Path):
    clips = write_clips(tmp_path / "clips", 7, frames=12)
    (clips / "002.gif").write_bytes(b"")
    assert prepared(clips, tmp_path / "whole") == 0
    assert prepared(clips, tmp_path / "killed", killed_at=5) == -signal.SIGKILL
    finished = {path.name for path in (tmp_path / "killed").glob("shard-*")}
    assert finished == {"shard-00000", "shard-00001"}
    with pytest.raises(UserError, match="unfinished"):
        Collection.open(tmp_path / "killed")
    assert prepared(clips, tmp_path / "killed") == 0
    assert files(tmp_path / "killed") == files(tmp_path / "whole")
    assert matched(Collection.open(tmp_path / "whole")) == 6 * 3


def test_many_children_and_none_give_the_same(tmp_path: Path):
    clips = write_clips(tmp_path / "clips", 5, frames=9)
    for jobs in (0, 3):
        prepare([str(clips)], tmp_path / str(jobs), SMALL, jobs=jobs)
    assert files(tmp_path / "0") == files(tmp_path / "3")


def test_what_asks_for_too_much_costs_only_itself(tmp_path: Path):
    clips = write_clips(tmp_path / "clips", 2)
    write_film(clips / "bomb.mkv", np.zeros((3, 3200, 2900, 3), np.uint8))
    (clips / "bomb.txt").write_text("black")
    limits = VideoLimits(memory_mb=90)
    config = SMALL.model_copy(update={"limits": limits})
    prepare([str(clips)], tmp_path / "data", config)
    assert rejects(tmp_path / "data")["bomb.mkv"] in ("memory", "damaged", "unreadable", "crash")
    assert matched(Collection.open(tmp_path / "data")) == 2
    slow = SMALL.model_copy(update={"limits": VideoLimits(seconds=0.02)})
    prepare([str(clips)], tmp_path / "slow", slow)
    assert rejects(tmp_path / "slow")["bomb.mkv"] == "time"


def test_odd_files_end_as_kept_or_with_a_reason(shared_data: Path, tmp_path: Path):
    odd = shared_data / "video" / "odd"
    summary = prepare([str(odd)], tmp_path / "data")
    paths = [path for path in odd.rglob("*") if path.suffix.lower() in VIDEO]
    assert summary.sources == len(paths) == 47
    assert summary.kept + summary.rejects.total() == 47
    assert summary.kept == 35
    assert not {"crash", "time", "memory", "error"} & set(summary.rejects)


READ = (
    CODE
    + """
from core.data.workers import Failure
from videogen.data.records import PrepareConfig, read_clip
from videogen.data.sources.listing import listing
for clip in listing([sys.argv[1]]).clips:
    read_clip(clip, PrepareConfig())
print(peak_mb())
"""
)


@pytest.mark.slow
def test_no_reader_holds_more_than_500_mb(shared_data: Path):
    folder = shared_data / "video" / "odd"
    command = [sys.executable, "-c", READ, str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    assert float(done.stdout) < 500, "and that without the limit that children have"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "clips"), [("signs", 20), ("clips", 32), ("scenes", 35)])
def test_real_clips_are_prepared(shared_data: Path, tmp_path: Path, name: str, clips: int):
    """Scenes of three long videos would outweigh the others: 73 of 108 are left out."""
    summary = prepare([str(shared_data / "video" / name)], tmp_path / "data")
    assert not summary.rejects
    assert sum(summary.pieces.values()) == clips
    data = Collection.open(tmp_path / "data")
    assert data.frames_of(data.indices("train")).std() > 20


def test_names_of_files_are_printed_without_what_would_move_the_cursor(tmp_path: Path):
    write_gif(greys(*range(40), height=16, width=16), tmp_path / "a\nred.gif", 8)
    write_gif(greys(9, 9, 9, 9, height=16, width=16), tmp_path / "\x1b[31mb.gif", 8)
    lines = prepare([str(tmp_path)], None, SMALL, jobs=0).lines
    assert any("a?red" in line for line in lines), "its last clip is held out"
    assert any("?[31mb" in line for line in lines)
    assert all(line.isprintable() for line in lines)
