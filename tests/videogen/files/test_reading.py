"""Video files as they are seen: by their times, upright, in shape, and none trusted."""

import os
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from films import corners, greys, turn, write_film

from core.data.sources import RejectedFile
from videogen.files.clip import write_gif, write_mp4
from videogen.files.limits import VideoLimits
from videogen.files.reading import View, read_frames

QUARTERS = {(0, 0): (255, 0, 0), (0, 1): (0, 255, 0), (1, 0): (0, 0, 255), (1, 1): (255, 255, 255)}


def levels(path: Path, **view: object) -> list[int]:
    """The grey of each frame, to the nearest ten."""
    frames = read_frames(path, View.model_validate({"size": 8, **view}))
    return (np.round(frames.mean((1, 2, 3)) / 10) * 10).astype(int).tolist()


def quarters(path: Path, **view: object) -> dict[tuple[int, int], tuple[int, ...]]:
    """The colours in the middle of the four quarters of the first frame."""
    first = read_frames(path, View.model_validate({"size": 32, **view}))[0]
    pixels = {(y, x): first[8 + 16 * y, 8 + 16 * x] for y in (0, 1) for x in (0, 1)}
    return {place: tuple((np.round(p / 255) * 255).tolist()) for place, p in pixels.items()}


def refused(path: Path, limits: VideoLimits = VideoLimits(), **view: object) -> str:
    with pytest.raises(RejectedFile) as caught:
        read_frames(path, View.model_validate({"size": 8, **view}), limits)
    return caught.value.reason


@pytest.mark.parametrize("suffix", ["mp4", "gif", "mkv", "webm"])
def test_at_its_own_rate_a_file_is_its_frames(tmp_path: Path, suffix: str):
    path, greys_of = tmp_path / f"x.{suffix}", range(10, 170, 10)
    if suffix == "mp4":
        write_mp4(greys(*greys_of), path, 8)
    elif suffix == "gif":
        write_gif(greys(*greys_of), path, 8)
    else:
        codec = {"mkv": "libx264", "webm": "libvpx-vp9"}[suffix]
        write_film(path, greys(*greys_of), codec=codec, rate=Fraction(8))
    assert levels(path) == list(greys_of)


def test_frames_are_taken_at_the_wanted_rate(tmp_path: Path):
    write_mp4(greys(*range(10, 250, 10)), tmp_path / "x.mp4", 24)
    assert levels(tmp_path / "x.mp4", frames_per_second=8) == list(range(20, 250, 30))
    assert len(levels(tmp_path / "x.mp4", frames_per_second=48)) == 48
    assert len(levels(tmp_path / "x.mp4", frames_per_second=0.1)) == 1, "one at least"


def test_delays_that_vary_are_kept(tmp_path: Path):
    path = write_film(
        tmp_path / "x.gif", greys(50, 100, 150), codec="gif", picture="rgb8", times=[0, 50, 60]
    )
    assert [level > 75 for level in levels(path, frames_per_second=10)][:6] == [False] * 5 + [True]
    path = write_film(tmp_path / "y.mkv", greys(50, 100, 150), times=[0, 5, 6], rate=Fraction(10))
    assert levels(path, frames_per_second=10) == [50] * 5 + [100, 150]


def test_a_picture_is_cut_framed_or_stretched(tmp_path: Path):
    wide = corners(32, 96)
    wide[:, :, :16], wide[:, :, -16:] = 0, 0
    write_mp4(wide, tmp_path / "x.mp4", 8)
    assert quarters(tmp_path / "x.mp4") == QUARTERS
    framed = read_frames(tmp_path / "x.mp4", View(size=96, fit="fit", background="#00ffff"))[0]
    assert (framed[:32] == (0, 255, 255)).all() and (framed[64:] == (0, 255, 255)).all()
    assert np.abs(framed[36, 30].astype(int) - (255, 0, 0)).max() < 12
    stretched = read_frames(tmp_path / "x.mp4", View(size=96, fit="stretch"))[0]
    assert stretched[:, :14].mean() < 10 and stretched[:45, 20:44, 0].mean() > 240


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_film_is_shown_upright(tmp_path: Path, degrees: int):
    lying = np.rot90(corners(), degrees // 90, axes=(1, 2))  # turned to the left
    write_mp4(lying, tmp_path / "x.mp4", 8)
    assert quarters(tmp_path / "x.mp4") != QUARTERS
    assert quarters(turn(tmp_path / "x.mp4", degrees)) == QUARTERS


def test_a_turn_that_is_nonsense_is_passed_over(tmp_path: Path):
    write_mp4(corners(), tmp_path / "x.mp4", 8)
    turn(tmp_path / "x.mp4", 45)
    with av.open(str(tmp_path / "x.mp4")) as file:
        assert next(file.decode(video=0)).rotation not in (0, 90, -90, 180, -180)
    assert quarters(tmp_path / "x.mp4") == QUARTERS


def test_pixels_that_are_not_square_become_square(tmp_path: Path):
    path = write_film(tmp_path / "x.mkv", corners(64, 32), pixel=Fraction(2))
    shown = read_frames(path, View(size=64, fit="fit"))[0]
    assert shown[:, 2].max() > 200 and shown[:, -3].max() > 200, "no bars: it is 64x64"
    path = write_film(tmp_path / "y.mkv", corners(64, 32), pixel=Fraction(100))
    shown = read_frames(path, View(size=64, fit="fit"))[0]
    assert shown[:, :14].max() == 0, "nothing is filmed with such pixels"


@pytest.mark.parametrize(
    ("name", "codec", "picture"),
    [("x.mov", "png", "rgba"), ("x.webm", "libvpx-vp9", "yuva420p")],
)
def test_what_is_transparent_shows_the_background(
    tmp_path: Path, name: str, codec: str, picture: str
):
    solid = np.full((2, 64, 64, 1), 255, np.uint8)
    frames = np.concatenate([corners(64, 64), solid], axis=-1)
    frames[:, :32, :32, 3] = 0
    write_film(tmp_path / name, frames, codec=codec, picture=picture)
    seen = quarters(tmp_path / name, background="#ffff00")
    assert seen == {**QUARTERS, (0, 0): (255, 255, 0)}


def test_of_two_streams_the_larger_is_read(tmp_path: Path):
    path = write_film(tmp_path / "x.mkv", greys(50, height=16, width=16), greys(200))
    assert levels(path) == [200]


def test_ten_bits_and_one_pixel(tmp_path: Path):
    path = write_film(tmp_path / "x.mkv", greys(120), picture="yuv420p10le")
    assert levels(path) == [120]
    write_gif(greys(120, 60, height=1, width=1), tmp_path / "x.gif", 8)
    assert levels(tmp_path / "x.gif") == [120, 60]


def test_a_name_leads_nowhere(tmp_path: Path):
    write_mp4(greys(120), tmp_path / "x.mp4", 8)
    for name in (b"-x.mp4", b"%03d.mp4", b"concat:a|b.mp4", b"\xff\xfe.mp4"):
        odd = tmp_path / os.fsdecode(name)
        shutil.copyfile(tmp_path / "x.mp4", odd)
        assert levels(odd) == [120]


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{other}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {other}\n",
        "no video",
    ],
)
def test_a_list_of_other_files_is_not_followed(tmp_path: Path, text: str):
    write_mp4(greys(120), tmp_path / "other.mp4", 8)
    (tmp_path / "x.mp4").write_text(text.format(other=tmp_path / "other.mp4"))
    assert refused(tmp_path / "x.mp4") == "unreadable"


def test_files_without_video_are_rejected(tmp_path: Path):
    assert refused(tmp_path / "absent.mp4") == "unreadable"
    (tmp_path / "x.mp4").touch()
    assert refused(tmp_path / "x.mp4") == "empty-file"
    with av.open(str(tmp_path / "x.m4a"), "w", format="mp4") as file:
        track: Any = file.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 44100
        file.mux(track.encode(frame))
        file.mux(track.encode(None))
    assert refused(tmp_path / "x.m4a") == "no-video"


def test_a_truncated_video_is_rejected(tmp_path: Path):
    chance = np.random.default_rng(0)
    write_mp4(chance.integers(0, 256, (40, 48, 64, 3)).astype(np.uint8), tmp_path / "x.mp4", 8)
    data = (tmp_path / "x.mp4").read_bytes()
    (tmp_path / "x.mp4").write_bytes(data[: len(data) // 2])
    assert refused(tmp_path / "x.mp4") == "damaged"
    (tmp_path / "x.mp4").write_bytes(data[: data.index(b"mdat") + 4])
    assert refused(tmp_path / "x.mp4") in ("damaged", "no-frames")
    (tmp_path / "x.mp4").write_bytes(data[: data.index(b"moov") + 50])
    assert refused(tmp_path / "x.mp4") in ("unreadable", "no-video")


def test_a_bomb_is_refused_by_its_header(tmp_path: Path):
    write_gif(greys(50), tmp_path / "x.gif", 8)
    data = bytearray((tmp_path / "x.gif").read_bytes())
    for claimed in (12_000, 65_535):
        data[6:10] = claimed.to_bytes(2, "little") * 2
        (tmp_path / "x.gif").write_bytes(data)
        assert refused(tmp_path / "x.gif") in ("too-large", "damaged")
    write_mp4(np.zeros((1, 2048, 2048, 3), np.uint8), tmp_path / "x.mp4", 8)
    assert refused(tmp_path / "x.mp4", VideoLimits(pixels=2_000_000)) == "too-large"
    assert refused(tmp_path / "x.mp4", VideoLimits(file_bytes=100)) == "too-large"


def test_a_header_that_says_less_than_its_pictures_is_not_believed(tmp_path: Path):
    write_gif(greys(50), tmp_path / "x.gif", 8)
    write_film(
        tmp_path / "x.avi", greys(50, height=256, width=256), codec="mjpeg", picture="yuvj420p"
    )
    data = bytearray((tmp_path / "x.avi").read_bytes())
    for start in (data.index(b"strf") + 12, data.index(b"avih") + 40):
        data[start : start + 8] = (16).to_bytes(4, "little") * 2
    (tmp_path / "x.avi").write_bytes(data)
    assert refused(tmp_path / "x.avi", VideoLimits(pixels=10_000)) in ("too-large", "damaged")


def test_a_film_may_not_keep_more_than_its_share(tmp_path: Path):
    write_mp4(greys(*range(10, 170, 10)), tmp_path / "x.mp4", 8)
    assert refused(tmp_path / "x.mp4", VideoLimits(frames_bytes=15 * 8 * 8 * 3)) == "too-long"
    assert len(levels(tmp_path / "x.mp4")) == 16
    write_film(tmp_path / "y.mkv", greys(50, 60), times=[0, 360_000])
    assert refused(tmp_path / "y.mkv", VideoLimits(frames_bytes=1_000_000)) == "too-long"


def test_a_picture_that_is_a_line_is_refused(tmp_path: Path):
    write_gif(greys(50, height=2, width=200), tmp_path / "x.gif", 8)
    assert refused(tmp_path / "x.gif") == "shape"
    assert levels(tmp_path / "x.gif", fit="stretch") == [50]
