"""Video files as they are seen: by their times, upright, in shape, and none trusted."""

import math
import os
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from films import corners, display, greys, turn, woven, write_film, write_ten_bits
from PIL import Image

from core.data.sources import RejectedFile
from videogen.files.clip import write_gif, write_mp4
from videogen.files.clock import InFrames
from videogen.files.frame import View, deinterlaced
from videogen.files.gif import CONTROL, blocks
from videogen.files.light import HLG, P3, PQ, on_standard_screen
from videogen.files.limits import VideoLimits
from videogen.files.reading import read_film, read_frames

CLUSTER = bytes.fromhex("1f43b675")
"""First bytes of the pictures of Matroska."""
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


def test_an_edit_list_hides_what_it_leaves_out(tmp_path: Path):
    write_mp4(greys(*range(10, 170, 10)), tmp_path / "x.mp4", 8)
    data = bytearray((tmp_path / "x.mp4").read_bytes())
    at = data.index(b"elst") + 16  # of one edit: its length, then its begin on the track's clock
    begin = int.from_bytes(data[at : at + 4], "big")
    second = int.from_bytes(data[(clock := data.index(b"mdhd") + 16) : clock + 4], "big")
    data[at : at + 4] = (begin + 3 * second // 8).to_bytes(4, "big")
    (tmp_path / "x.mp4").write_bytes(data)
    assert levels(tmp_path / "x.mp4") == list(range(40, 170, 10))


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


def test_colours_are_as_fine_as_the_pixels(tmp_path: Path):
    """Columns of red and blue, one pixel each at the size that is read, and no purple."""
    columns = np.zeros((2, 16, 16, 3), np.uint8)
    columns[:, :, ::2, 0] = columns[:, :, 1::2, 2] = 255
    write_mp4(columns.repeat(16, 1).repeat(16, 2), tmp_path / "x.mp4", 8)
    seen = read_frames(tmp_path / "x.mp4", View(size=16, frames_per_second=8))
    assert np.abs(seen.astype(int) - columns).max() < 24


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


def seen(path: Path, a: int, b: int, c: int, d: int) -> str:
    """The letters of the colours that lie above and below, of a film whose matrix is given."""
    write_mp4(corners(64, 64), path, 8)
    shown = quarters(display(path, a, b, c, d))
    names: dict[tuple[int, ...], str] = dict(zip(QUARTERS.values(), "rgbw", strict=True))
    return "".join(names[shown[place]] for place in QUARTERS)


@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((1, 0, 0, 1), "rgbw"),
        ((-1, 0, 0, 1), "grwb"),
        ((1, 0, 0, -1), "bwrg"),
        ((-1, 0, 0, -1), "wbgr"),
        ((0, 1, 1, 0), "rbgw"),
        ((0, 1, -1, 0), "brwg"),
        ((0, -1, 1, 0), "gwrb"),
        ((0, -1, -1, 0), "wgbr"),
    ],
)
def test_a_matrix_turns_and_mirrors(tmp_path: Path, matrix: tuple[int, int, int, int], shown: str):
    assert seen(tmp_path / "x.mp4", *matrix) == shown


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", {"x264-params": "interlaced=1", "crf": "1"}),
        ("mpeg2video", {"flags": "+ilme+ildct", "qscale": "1"}),
    ],
)
def test_an_interlaced_frame_shows_one_moment(tmp_path: Path, codec: str, options: dict[str, str]):
    frames = np.zeros((16, 64, 64, 3), np.uint8)
    for time, frame in enumerate(frames):
        frame[16:48, 8 + 2 * time : 16 + 2 * time] = 255
    assert (woven(frames)[3, 20:22, 20] == [[255] * 3, [0] * 3]).all(), "a comb"
    path = write_film(
        tmp_path / "x.mkv", woven(frames), codec=codec, rate=Fraction(25), options=options
    )
    shown = read_frames(path, View(size=64, frames_per_second=25))[..., 0] > 128
    assert len(shown) == 8
    for time, frame in enumerate(shown):
        lines = {tuple(np.flatnonzero(line)) for line in frame[18:46]}
        assert len(lines) == 1, "all lines agree where the block is"
        left, right = min(lines.pop()), max(np.flatnonzero(frame[30]))
        assert left in (8 + 4 * time, 10 + 4 * time) and right == left + 7


def test_progressive_frames_pass_the_filter_untouched(tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3)).astype(np.uint8)
    path = write_film(tmp_path / "x.mkv", noise, options={"crf": "1"})
    with av.open(str(path)) as file:
        frames = [(0.0, 0.0, frame) for frame in file.decode(video=0)]
    passed = [frame for _, _, frame in deinterlaced(frames)]
    assert all(a is b for (_, _, a), b in zip(frames, passed, strict=True))


def turned_bars(path: Path, transfer: int, signal: list[float], primaries: int = 9) -> list[int]:
    """The colour that is seen of a film of one colour of BT.2020."""
    frames = np.empty((2, 32, 32, 3))
    frames[:] = signal
    shown = read_frames(write_ten_bits(path, frames, transfer, primaries), View(size=16))
    return shown[0, 8, 8].tolist()


def test_light_of_high_range_is_seen_as_on_a_standard_screen(tmp_path: Path):
    path = tmp_path / "x.mp4"
    # grey of 75 %: 101.7 cd/m2, that is a scene light of 0.1488 of 1
    assert turned_bars(path, HLG, [0.6326] * 3) == pytest.approx([191] * 3, abs=2)
    assert turned_bars(path, HLG, [0.5897, 0.2007, 0.0973]) == pytest.approx([191, 0, 0], abs=3)
    assert turned_bars(path, PQ, [0.5093] * 3) == pytest.approx([191] * 3, abs=2)
    assert turned_bars(path, PQ, [0.5807] * 3)[0] > 235, "white on paper"
    assert turned_bars(path, PQ, [0.7518] * 3) == [255] * 3
    assert turned_bars(path, 14, [0.5, 0.5, 0.5]) == pytest.approx([128] * 3, abs=1)
    assert turned_bars(path, 14, [1.0, 1.0, 1.0]) == pytest.approx([255] * 3, abs=1)
    # red of BT.709 in BT.2020: light of 0.6274, 0.0691 and 0.0164
    red = [light ** (1 / 2.4) for light in (0.6274, 0.0691, 0.0164)]
    assert turned_bars(path, 14, red) == pytest.approx([255, 0, 0], abs=8)


def test_wide_colours_of_phones_are_those_of_a_standard_screen(tmp_path: Path):
    """Standard range in the primaries of P3: through the light, by the published matrix."""
    signal = np.array([0.7, 0.45, 0.3])
    to_bt709 = [[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]]
    expected = 255 * (to_bt709 @ signal**2.4) ** (1 / 2.4)
    shown = turned_bars(tmp_path / "x.mp4", 1, signal.tolist(), P3)
    assert shown == pytest.approx(expected.tolist(), abs=2)
    assert np.abs(255 * signal - expected).max() > 8, "and not its numbers"


def test_colours_of_high_range_are_as_fine_as_the_pixels(tmp_path: Path):
    """Columns of red and blue, one pixel each at the size that is read."""
    signal = np.full((2, 16, 16, 3), 0.1)
    signal[:, :, ::2, 0] = signal[:, :, 1::2, 2] = 0.6
    path = write_ten_bits(tmp_path / "x.mp4", signal.repeat(16, 1).repeat(16, 2), HLG, 9)
    seen = read_frames(path, View(size=16, frames_per_second=8))
    expected = on_standard_screen(signal[0], HLG, 9).astype(int)
    assert np.abs(seen - expected).max() < 24


@pytest.mark.parametrize("matrix", ["ITU601", "ITU709"])
def test_the_matrix_that_a_film_states_is_used(tmp_path: Path, matrix: str):
    red = np.full((2, 32, 32, 3), (200, 40, 40), np.uint8)
    with av.open(str(tmp_path / "x.mkv"), "w") as file:
        track: Any = file.add_stream("libx264", rate=8, options={"crf": "1"})
        track.height = track.width = 32
        track.pix_fmt = "yuv420p"
        track.codec_context.colorspace = {"ITU601": 5, "ITU709": 1}[matrix]
        for pixels in red:
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            file.mux(track.encode(frame.reformat(format="yuv420p", dst_colorspace=matrix)))
        file.mux(track.encode(None))
    assert np.abs(read_frames(tmp_path / "x.mkv", View(size=16)) - [200.0, 40, 40]).max() < 5


@pytest.mark.parametrize(("height", "matrix"), [(704, "ITU601"), (720, "ITU709")])
def test_a_film_that_states_no_matrix_is_seen_as_players_show_it(
    tmp_path: Path, height: int, matrix: str
):
    green = np.full((height, 720, 3), (20, 200, 40), np.uint8)
    with av.open(str(tmp_path / "x.mkv"), "w") as file:
        track: Any = file.add_stream(
            "libx264", rate=8, options={"crf": "1", "preset": "ultrafast"}
        )
        track.height, track.width = green.shape[:2]
        track.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(green, format="rgb24")
        file.mux(track.encode(frame.reformat(format="yuv420p", dst_colorspace=matrix)))
        file.mux(track.encode(None))
    assert np.abs(read_frames(tmp_path / "x.mkv", View(size=16)) - [20.0, 200, 40]).max() < 5


@pytest.mark.parametrize(
    ("form", "level", "stated", "seen"),
    [
        ("gray", 235, 0, 235),
        ("gray", 235, 1, 255),
        ("gray", 16, 1, 0),
        ("gray", 235, 2, 235),
        ("gray10le", 940, 1, 255),
        ("gray10le", 64, 1, 0),
    ],
)
def test_films_without_colours_are_as_bright_as_others(
    tmp_path: Path, form: str, level: int, stated: int, seen: float
):
    """Films of heat and of microscopes. A range: 0 none, 1 limited, which HEVC's is, 2 full."""
    picture: Any = np.full((64, 64), level, np.uint8 if form == "gray" else np.uint16)
    frame = av.VideoFrame.from_ndarray(picture, format=form)
    with av.open(str(tmp_path / "x.mkv"), "w") as file:
        track: Any = file.add_stream("ffv1", rate=8)
        track.height = track.width = 64
        track.pix_fmt, track.codec_context.color_range = form, stated
        frame.color_range, frame.pts = stated, 0
        file.mux(track.encode(frame))
        file.mux(track.encode(None))
    assert abs(read_frames(tmp_path / "x.mkv", View(size=8)).mean() - seen) < 2


@pytest.mark.parametrize(
    ("codec", "options"),
    [("libx264", {"bf": "3", "crf": "1"}), ("mpeg4", {"bf": "2", "qscale": "1"})],
)
def test_times_of_stored_frames_are_given_to_shown_ones(
    tmp_path: Path, codec: str, options: dict[str, str]
):
    path = tmp_path / "x.avi"
    rate = Fraction(30)
    write_film(path, greys(*range(20, 200, 2)), codec=codec, rate=rate, options=options)
    frames = read_frames(path, View(size=16, frames_per_second=30)).mean((1, 2, 3))
    assert len(frames) == 90
    assert (np.diff(frames) > -1).all() and np.abs(frames - np.arange(20, 200, 2)).max() < 6
    assert len(read_frames(path, View(size=16))) == 24


def test_a_container_that_knows_only_the_order_of_storing(tmp_path: Path):
    """The times of packets in this mkv are those at which they are decoded, as in AVI."""
    with av.open(str(tmp_path / "x.mkv"), "w") as file:
        track: Any = file.add_stream("libx264", rate=8, options={"bf": "3", "crf": "1"})
        track.height, track.width = 48, 64
        track.pix_fmt = "yuv420p"
        for number, pixels in enumerate(greys(*range(20, 180, 10))):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = number
            for packet in track.encode(frame):
                packet.pts = packet.dts
                file.mux(packet)
        for packet in track.encode(None):
            packet.pts = packet.dts
            file.mux(packet)
    assert levels(tmp_path / "x.mkv") == list(range(20, 180, 10))


def test_tapes_of_cameras_are_read(tmp_path: Path):
    frames = greys(*[100] * 4, height=576, width=720)
    frames[:, :, :360] = 40
    for name, codec in (("x.dv", "dvvideo"), ("x.mxf", "mpeg2video"), ("x.vob", "mpeg2video")):
        write_film(tmp_path / name, frames, codec=codec, rate=Fraction(25))
        shown = read_frames(tmp_path / name, View(size=16, fit="stretch"))
        left, right = shown[0, :, :6].mean(), shown[0, :, 10:].mean()
        assert abs(left - 40) < 6 and abs(right - 100) < 6


def test_two_recordings_in_one_file_follow_each_other(tmp_path: Path):
    for name, levels_of in (("a.ts", range(10, 90, 10)), ("b.ts", range(90, 170, 10))):
        many = [level for level in levels_of for _ in range(3)]
        write_film(tmp_path / name, greys(*many), codec="mpeg2video", rate=Fraction(24))
    both = (tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes()
    (tmp_path / "x.ts").write_bytes(both)
    seen_levels = levels(tmp_path / "x.ts")
    assert sorted(seen_levels) == seen_levels and {10, 80, 90, 160} <= set(seen_levels)


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
    ("pixel", "height"),
    [
        (Fraction(4), 16),
        (Fraction(9, 2), 64),
        (Fraction(1, 4), 64),
        (Fraction(2, 9), 64),
        (Fraction(2), 32),
    ],
)
def test_pixels_of_up_to_four_to_one_are_believed(tmp_path: Path, pixel: Fraction, height: int):
    """A square film in a square view: its picture is as high as its pixels say, or fills it."""
    path = write_film(tmp_path / "x.mkv", np.full((2, 32, 32, 3), 250, np.uint8), pixel=pixel)
    shown = read_frames(path, View(size=64, fit="fit"))[0] > 128
    width = 16 if pixel == Fraction(1, 4) else 64
    assert (shown[:, 32, 0].sum(), shown[32, :, 0].sum()) == (height, width)


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


def test_a_picture_beside_a_film_is_not_the_film(tmp_path: Path):
    large, small = greys(200, height=96, width=128), greys(*range(10, 90, 10))
    path = write_film(tmp_path / "x.mp4", large, small, rate=Fraction(8))
    assert levels(path) == list(range(10, 90, 10))


@pytest.mark.parametrize(("kind", "suffix"), [("GIF", ".gif"), ("PNG", ".apng")])
def test_delays_that_browsers_lengthen_are_longer(tmp_path: Path, kind: str, suffix: str):
    """A delay of 10 ms, or none, is shown as 100 ms, one of 20 ms as it is."""
    first, *others = [Image.fromarray(frame) for frame in greys(50, 100, 150)]
    path, options = tmp_path / f"x{suffix}", {"save_all": True, "append_images": others}
    for duration, shown in ((0, [50, 100, 150]), (10, [50, 100, 150]), (20, [150])):
        first.save(path, kind, duration=duration, **options)
        assert levels(path, frames_per_second=10)[:3] == shown


@pytest.mark.parametrize(("without", "shown"), [((0, 1, 2), [1, 1, 1]), ((1,), [5, 1, 5])])
def test_pictures_of_a_gif_without_a_delay_are_shown_for_100_ms(
    tmp_path: Path, without: tuple[int, ...], shown: list[int]
):
    """Those that have one keep it: FFmpeg took pictures without for one with that before."""
    first, *others = [Image.fromarray(frame) for frame in greys(50, 100, 150)]
    path = tmp_path / "x.gif"
    first.save(path, save_all=True, append_images=others, duration=500)
    with path.open("rb") as file:
        controls = [(begin, end) for begin, end, kind in blocks(file) if kind == CONTROL]
    data = path.read_bytes()
    for number in reversed(without):
        begin, end = controls[number]
        data = data[:begin] + data[end:]
    path.write_bytes(data)
    frames = [level for level, n in zip((50, 100, 150), shown, strict=True) for _ in range(n)]
    assert levels(path, frames_per_second=10) == frames


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


@pytest.mark.parametrize(
    ("name", "codec", "picture"),
    [
        ("x.mkv", "libx264", "yuv420p"),
        ("x.webm", "libvpx-vp9", "yuv420p"),
        ("x.avi", "mpeg4", "yuv420p"),
        ("x.mpg", "mpeg2video", "yuv420p"),
        ("x.wmv", "wmv2", "yuv420p"),
        ("x.ts", "mpeg2video", "yuv420p"),
        ("x.m2ts", "mpeg2video", "yuv420p"),
        ("x.mxf", "mpeg2video", "yuv420p"),
        ("x.flv", "flv", "yuv420p"),
        ("x.gif", "gif", "rgb8"),
        ("x.y4m", "rawvideo", "yuv422p"),
        ("x.apng", "apng", "rgb24"),
    ],
)
def test_a_film_that_is_cut_short_is_damaged_in_every_container(
    tmp_path: Path, name: str, codec: str, picture: str
):
    """No decoder need notice; the frames before the cut are kept as they are."""
    noise = np.random.default_rng(0).integers(0, 256, (24, 48, 64, 3)).astype(np.uint8)
    rate, path = Fraction(25), tmp_path / name
    data = write_film(path, noise, codec=codec, picture=picture, rate=rate).read_bytes()
    whole = read_film(path, View(size=16, damaged="keep", frames_per_second=25))
    assert (whole.decoded, whole.damage) == (24, "")
    path.write_bytes(data[: 2 * len(data) // 3 - 7])
    with pytest.raises(RejectedFile, match=r"it is cut short after \d+ frames: copy the file"):
        read_film(path, View(size=16))
    kept = read_film(path, View(size=16, damaged="keep", frames_per_second=25))
    assert 8 < kept.decoded < 20
    assert kept.damage.startswith(f"it is cut short after {kept.decoded} frames")
    assert np.array_equal(kept.frames, whole.frames[: len(kept.frames)])


@pytest.mark.parametrize("codec", ["mpeg2video", "libx264"])
@pytest.mark.parametrize("name", ["x.ts", "x.m2ts"])
def test_a_part_of_a_recording_has_the_whole_pictures_in_it(tmp_path: Path, codec: str, name: str):
    """Recorders stop between any two packets; the rest of half a picture would be grey."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 48, 64, 3)).astype(np.uint8)
    path, packet = tmp_path / name, 192 if name == "x.m2ts" else 188
    write_film(path, noise, codec=codec, rate=Fraction(25), options={"g": "8", "bf": "2"})
    data, view = path.read_bytes(), View(size=16, frames_per_second=25)
    whole = read_film(path, view)
    assert whole.decoded == 40
    packets, counts = len(data) // packet, set[int]()
    for last in range(2 * packets // 3, 2 * packets // 3 + 40, 3):
        path.write_bytes(data[packets // 3 * packet : last * packet])
        film = read_film(path, view)
        counts.add(film.decoded)
        same = (film.frames[:, None] == whole.frames).all((2, 3, 4))  # [read whole]
        assert same.any(1).all() and film.damage == ""
    assert 0 < min(counts) < max(counts) < 30


def test_a_film_whose_index_is_cut_is_answered_with_what_to_do(tmp_path: Path):
    """FFmpeg says "End of file" where the last bytes of the index are missing."""
    data = write_film(tmp_path / "x.mp4", greys(*range(10, 90))).read_bytes()
    index = len(data) - data.rindex(b"moov")
    for missing in (index // 3, index // 2, index - 60):
        (tmp_path / "x.mp4").write_bytes(data[:-missing])
        with pytest.raises(RejectedFile, match="copy the file again, or export it anew"):
            read_film(tmp_path / "x.mp4", View(size=8))


@pytest.mark.parametrize("broken", ["x.mp4", "x.png"])
def test_a_file_of_damaged_data_is_answered_with_what_to_do(tmp_path: Path, broken: str):
    """A film without its index, as of a recorder that was switched off, and half a picture."""
    write_mp4(greys(*range(10, 90)), tmp_path / "x.mp4", 8)
    film = (tmp_path / "x.mp4").read_bytes()
    kind, content = film[: film.index(b"ftyp") + 28], film[film.index(b"mdat") - 4 :]
    (tmp_path / "x.mp4").write_bytes(kind + content)
    Image.fromarray(greys(50)[0]).save(tmp_path / "x.png")
    picture = (tmp_path / "x.png").read_bytes()
    (tmp_path / "x.png").write_bytes(picture[: len(picture) // 2])
    with pytest.raises(RejectedFile, match="copy the file again, or export it anew"):
        read_film(tmp_path / broken, View(size=8))


def test_a_film_that_breaks_off_before_its_pictures_is_answered_with_what_to_do(tmp_path: Path):
    """FFmpeg says "Input/output error" of a Matroska file, as of a disk."""
    noise = np.random.default_rng(0).integers(0, 255, (8, 48, 64, 3)).astype(np.uint8)
    path = write_film(tmp_path / "x.webm", noise, codec="libvpx-vp9")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(CLUSTER) - 20])
    with pytest.raises(RejectedFile, match="its data are damaged or cut short: copy the file"):
        read_film(path, View(size=8))


@pytest.mark.parametrize("name", ["x.mp4", "x.png"])
def test_what_a_download_left_in_place_of_a_file_is_said(tmp_path: Path, name: str):
    for text, cure in (
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "run git lfs pull"),
        ("<!DOCTYPE html>\n<html>404</html>", "download the file again"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(RejectedFile, match=cure):
            read_film(tmp_path / name, View(size=8))


def test_the_error_of_a_decoder_is_not_called_a_lack_of_permission(tmp_path: Path):
    """ProRes's decoder answers zeros with -1, which is also the number of that error."""
    noise = np.random.default_rng(0).integers(0, 255, (12, 48, 64, 3)).astype(np.uint8)
    path = write_film(tmp_path / "x.mov", noise, codec="prores_ks", picture="yuv422p10le")
    data = bytearray(path.read_bytes())
    half = len(data) // 2
    data[half : half + len(data) // 8] = bytes(len(data) // 8)
    path.write_bytes(data)
    with pytest.raises(RejectedFile, match="its data are damaged or cut short: copy the file"):
        read_film(path, View(size=8))


def test_the_good_part_of_a_damaged_video_can_be_kept(tmp_path: Path):
    many = [level for level in range(10, 210, 10) for _ in range(4)]
    noise = np.random.default_rng(0).integers(-9, 10, (80, 48, 64, 3))
    frames = (greys(*many) + noise).clip(0, 255).astype(np.uint8)
    write_mp4(frames, tmp_path / "x.mp4", 32)
    data = (tmp_path / "x.mp4").read_bytes()
    (tmp_path / "x.mp4").write_bytes(data[: len(data) // 2])
    assert refused(tmp_path / "x.mp4") == "damaged"
    film = read_film(tmp_path / "x.mp4", View(size=16, damaged="keep"))
    whole = [*range(10, 210, 10)]
    shown = (np.round(film.frames.mean((1, 2, 3)) / 10) * 10).astype(int).tolist()
    assert shown == whole[: len(shown)] and 5 < len(shown) < 15
    assert film.decoded < 60 and film.damage.startswith("it is cut short after")
    (tmp_path / "y.mp4").write_bytes(data)
    assert read_film(tmp_path / "y.mp4", View(size=16, damaged="keep")).damage == ""


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


def test_frames_beyond_the_limit_are_answered_with_the_limit(tmp_path: Path):
    path = write_film(tmp_path / "x.mp4", greys(0, 9, height=48, width=64), rate=Fraction(8))
    with pytest.raises(RejectedFile, match=r"or raise the limit: --set limits\.pixels=3072"):
        read_film(path, View(size=8), VideoLimits(pixels=3000))


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


def test_the_beginning_of_a_film_of_any_length_can_be_read(tmp_path: Path):
    """A start needs no more than the first frame of a film of hours."""
    write_mp4(greys(*range(10, 170, 10)), tmp_path / "x.mp4", 8)
    few, view = VideoLimits(frames_bytes=2 * 8 * 8 * 3), View(size=8)
    frames = read_frames(tmp_path / "x.mp4", view, few, most=2)
    assert np.round(frames.mean((1, 2, 3)) / 10).tolist() == [1, 2]
    assert len(read_frames(tmp_path / "x.mp4", view, most=99)) == 16


def test_a_picture_that_is_a_line_is_refused(tmp_path: Path):
    write_gif(greys(50, height=2, width=200), tmp_path / "x.gif", 8)
    assert refused(tmp_path / "x.gif") == "shape"
    assert levels(tmp_path / "x.gif", fit="stretch") == [50]


def excerpt(path: Path, begin: float, end: float) -> list[int]:
    film = read_film(path, View(size=8), excerpt=(begin, end))
    return (np.round(film.frames.mean((1, 2, 3)) / 10) * 10).astype(int).tolist()


def test_an_excerpt_is_what_is_on_display_between_its_times(tmp_path: Path):
    """Two seconds at 8 a second, the k-th of which is as bright as 10 (k + 1)."""
    write_mp4(greys(*range(10, 170, 10)), tmp_path / "x.mp4", 8)
    assert excerpt(tmp_path / "x.mp4", 0, 0.5) == [10, 20, 30, 40]
    assert excerpt(tmp_path / "x.mp4", 0.5, 1) == [50, 60, 70, 80]
    assert excerpt(tmp_path / "x.mp4", 1.5, 2.4) == [130, 140, 150, 160], "as far as it goes"
    assert excerpt(tmp_path / "x.mp4", 1.75, math.inf) == [150, 160]
    assert excerpt(tmp_path / "x.mp4", 0.5, 0.55) == [50], "one frame at least"
    late = write_film(tmp_path / "y.mkv", greys(50, 100), times=[700, 800])
    assert excerpt(late, 0.5, 1.25) == [50] * 4 + [100] * 2, "from the first frame on"


def test_a_film_that_was_cut_to_its_excerpt_is_read_whole(tmp_path: Path):
    """Kinetics' ten seconds from 5 s on are often stored as ID.mp4, too."""
    write_mp4(greys(*range(10, 170, 10)), tmp_path / "x.mp4", 8)
    whole = list(range(10, 170, 10))
    assert excerpt(tmp_path / "x.mp4", 5, 7) == whole
    assert excerpt(tmp_path / "x.mp4", 1.5, 3.5) == whole
    with pytest.raises(RejectedFile, match=r"no-excerpt: it ends at 2\.0 s, and .* 20 to 30 s"):
        excerpt(tmp_path / "x.mp4", 20, 30)
    with pytest.raises(RejectedFile, match=r"at 2\.0 s, and its row names from 20 s on: give the"):
        excerpt(tmp_path / "x.mp4", 20, math.inf)


def test_a_film_that_lacks_most_of_an_excerpt_is_another_or_its_unit_is(tmp_path: Path):
    """Milliseconds in a column of seconds; or a film that was cut to another part."""
    write_mp4(greys(*range(10, 170, 10)), tmp_path / "x.mp4", 8)
    for begin, end in ((0, 1500), (1.5, 9)):
        with pytest.raises(RejectedFile, match=r"it ends at 2\.0 s, .* or correct the times"):
            excerpt(tmp_path / "x.mp4", begin, end)


def test_frames_are_counted_as_the_film_has_them(tmp_path: Path):
    """Film at 29.97 and at 10 frames a second, one whose rate varies, and one cut before."""
    ntsc = write_film(
        tmp_path / "x.mkv", greys(*range(10, 250, 10)), rate=Fraction(30000, 1001), codec="ffv1"
    )
    varying = write_film(
        tmp_path / "y.mkv", greys(10, 50, 90, 130, 170), times=[7, 9, 100, 150, 200]
    )

    def levels_of(first: float, last: float, path: Path = varying, rate: float = 4) -> list[int]:
        view = View(size=8, frames_per_second=rate)
        film = read_film(path, view, excerpt=InFrames(first, last))
        assert film.excerpt is None or film.excerpt[0] < film.excerpt[1]
        return (np.round(film.frames.mean((1, 2, 3)) / 10) * 10).astype(int).tolist()

    assert levels_of(15, 18, ntsc, 30000 / 1001) == [160, 170, 180]
    assert levels_of(2, 4) == [90] * 2 + [130] * 2
    assert levels_of(3, math.inf) == [130] * 2 + [170] * 2
    assert levels_of(100, 105) == levels_of(0, 5), "cut before"
    with pytest.raises(RejectedFile, match=r"has 5 frames, and its row names 100 to 200\. frame"):
        levels_of(100, 200)


def test_an_excerpt_of_a_long_film_needs_no_more_of_it(tmp_path: Path):
    write_mp4(greys(*range(10, 170, 10)), tmp_path / "x.mp4", 8)
    assert read_film(tmp_path / "x.mp4", View(size=8), excerpt=(0, 0.5)).decoded == 5
    few = VideoLimits(frames_bytes=4 * 8 * 8 * 3)
    assert len(read_film(tmp_path / "x.mp4", View(size=8), few, excerpt=(1, 1.5)).frames) == 4
