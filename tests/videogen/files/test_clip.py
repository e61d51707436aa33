"""Clips and frames are one; what is written plays everywhere and decodes to what it was."""

from pathlib import Path
from typing import Any

import av
import jaxtyping
import numpy as np
import pytest
import torch

from core.app.label import SIGNATURE
from core.errors import ConfigError, UserError
from videogen.files.clip import to_clips, to_frames, write_gif, write_mp4, write_webm
from videogen.files.label import origin_of

CHANCE = np.random.default_rng(0)


def moving(count: int = 12, height: int = 48, width: int = 64) -> np.ndarray:
    """A square that moves to the right."""
    frames = np.full((count, height, width, 3), (60, 0, 90), np.uint8)
    for number in range(count):
        frames[number, 8:24, 2 * number : 2 * number + 16] = (250, 200, 20)
    return frames


def decoded(path: Path) -> tuple[np.ndarray, list[float]]:
    """The frames of a file and their times."""
    with av.open(str(path)) as file:
        frames = list(file.decode(video=0))
    return np.stack([f.to_ndarray(format="rgb24") for f in frames]), [f.time for f in frames]


def test_a_clip_is_its_frames_to_the_bit():
    frames = CHANCE.integers(0, 256, (2, 3, 5, 7, 3)).astype(np.uint8)
    frames[0, 0, 0, 0] = (0, 128, 255)
    clips = to_clips(frames)
    assert clips.shape == (2, 3, 3, 5, 7)
    assert clips[0, :, 0, 0, 0].tolist() == pytest.approx([-1, 1 / 255, 1], abs=1e-6)
    assert (to_frames(clips) == frames).all()
    every = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 1, 16, 16, 3)
    assert (to_frames(to_clips(every)) == every).all()


def test_what_is_out_of_range_is_clamped():
    clips = torch.tensor([-3.0, 0.0, 3.0]).reshape(1, 3, 1, 1, 1)
    assert to_frames(clips).ravel().tolist() == [0, 128, 255]


@pytest.mark.parametrize("rate", [0.5, 8, 29.97, 60])
def test_written_files_decode_to_as_many_frames_at_their_times(tmp_path: Path, rate: float):
    frames = moving()
    frames[5:8] = frames[5]  # a picture that stays is not left out
    write_mp4(frames, tmp_path / "x.mp4", rate)
    write_gif(frames, tmp_path / "x.gif", min(rate, 50))
    for name, played, late in (("x.mp4", rate, 1e-3), ("x.gif", min(rate, 50), 0.0051)):
        seen, times = decoded(tmp_path / name)
        assert seen.shape == frames.shape
        assert np.abs(seen.astype(int) - frames).mean() < 3
        assert times == pytest.approx((np.arange(12) / played).tolist(), abs=late)


def test_the_last_frame_of_a_gif_is_shown_as_long_as_the_others(tmp_path: Path):
    write_gif(moving(), tmp_path / "x.gif", 8)
    with av.open(str(tmp_path / "x.gif")) as file:
        assert file.duration == pytest.approx(12 / 8 * av.time_base)


@pytest.mark.parametrize("length", [1, 255, 256, 700])
def test_a_gif_holds_a_comment_and_the_same_frames(tmp_path: Path, length: int):
    comment = "made with pianoreel: é"[:length].ljust(length, "x")
    frames = np.random.default_rng(0).integers(0, 256, (3, 16, 17, 3)).astype(np.uint8)
    write_gif(frames, tmp_path / "plain.gif", 8)
    write_gif(frames, tmp_path / "said.gif", 8, {"comment": comment, "title": "x"})
    shown = []
    for name in ("plain", "said"):
        with av.open(str(tmp_path / f"{name}.gif")) as file:
            assert file.metadata.get("comment", "") == (comment if name == "said" else "")
            shown.append([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)])
    assert np.array_equal(*shown) and len(shown[0]) == 3


@pytest.mark.parametrize("write", [write_mp4, write_webm, write_gif])
def test_what_is_no_film_or_cannot_be_written_is_said(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as where it is installed
    frames = np.zeros((4, 16, 16, 3), np.uint8)
    for rate, fault in ((0, "above 0"), (-3, "above 0"), (1e-9, "at least 0.01"), ("8", "number")):
        with pytest.raises(ConfigError, match=f"frames_per_second must be .*{fault}"):
            write(frames, tmp_path / "x", rate)
    for other in (frames[:0], frames[None], frames / 255, frames[..., :1]):
        with pytest.raises(ConfigError, match=r"frames must be uint8 \[time height width 3\]"):
            write(other, tmp_path / "x", 8.0)
    with pytest.raises(UserError, match=f"there is no folder {tmp_path / 'none'}: create it"):
        write(frames, tmp_path / "none" / "x", 8.0)
    assert not list(tmp_path.iterdir())


def test_a_gif_has_its_own_colours(tmp_path: Path):
    frames = CHANCE.integers(0, 256, (5, 1, 1, 3)).astype(np.uint8).repeat(8, 1).repeat(8, 2)
    write_gif(frames, tmp_path / "x.gif", 10)
    assert (decoded(tmp_path / "x.gif")[0] == frames).all()


@pytest.mark.parametrize("count", [1, 2])
def test_a_clip_of_one_frame_and_of_odd_size(tmp_path: Path, count: int):
    frames = moving(count, height=33, width=45)
    write_mp4(frames, tmp_path / "x.mp4", 8)
    write_gif(frames, tmp_path / "x.gif", 8)
    assert decoded(tmp_path / "x.gif")[0].shape == (count, 33, 45, 3)
    seen = decoded(tmp_path / "x.mp4")[0]
    assert seen.shape == (count, 34, 46, 3)
    assert np.abs(seen[:, :33, :45].astype(int) - frames).mean() < 3


def test_mp4_is_what_browsers_play(tmp_path: Path):
    write_mp4(moving(), tmp_path / "x.mp4", 8)
    with av.open(str(tmp_path / "x.mp4")) as file:
        video = file.streams.video[0]
        assert (video.codec_context.name, video.pix_fmt) == ("h264", "yuv420p")
        assert video.average_rate == 8
    data = (tmp_path / "x.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat"), "it plays before it is loaded"
    write_mp4(moving(), tmp_path / "y.mp4", 8)
    assert (tmp_path / "y.mp4").read_bytes() == data


@pytest.mark.parametrize(("write", "name"), [(write_mp4, "x.mp4"), (write_webm, "x.webm")])
@pytest.mark.parametrize(("height", "matrix"), [(64, 6), (720, 1)])
def test_colours_are_those_of_players_of_films_of_that_height(
    tmp_path: Path, write: Any, name: str, height: int, matrix: int
):
    """The matrix is stated, and the one that a player assumes which reads no statement."""
    write(np.full((1, height, 32, 3), (20, 200, 40), np.uint8), tmp_path / name, 8)
    with av.open(str(tmp_path / name)) as file:
        frame = next(file.decode(video=0))
    assert (frame.colorspace, frame.color_primaries, frame.color_trc) == (matrix, 1, 1)
    assert frame.color_range == 1
    seen = frame.to_ndarray(format="rgb24")
    assert np.abs(seen - [20.0, 200, 40]).max() < 5


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("write", "name", "codec"), [(write_mp4, "x.mp4", "aac"), (write_webm, "x.webm", "opus")]
)
def test_sound_goes_with_the_picture_and_ends_with_it(
    tmp_path: Path, write: Any, name: str, codec: str, channels: int
):
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(3 * 44100) / 44100).astype(np.float32)
    write(moving(), tmp_path / name, 8, np.stack([wave] * channels))
    assert len(decoded(tmp_path / name)[0]) == 12
    with av.open(str(tmp_path / name)) as file:
        sound = np.concatenate([f.to_ndarray() for f in file.decode(audio=0)], axis=1)
        rate = file.streams.audio[0].rate
        assert file.streams.audio[0].codec_context.name == codec
    assert sound.shape[0] == channels
    assert sound.shape[1] / rate == pytest.approx(12 / 8, abs=0.05)
    spectrum = np.abs(np.fft.rfft(sound[0, 10_000 : 10_000 + rate]))
    assert spectrum.argmax() == 440
    assert spectrum.max() == pytest.approx(0.25 * rate, rel=0.03)  # of an amplitude of 1/2


@pytest.mark.parametrize("rate", [0.5, 8, 29.97, 60])
def test_webm_decodes_to_as_many_frames_at_their_times(tmp_path: Path, rate: float):
    """Its times are whole milliseconds."""
    write_webm(moving(), tmp_path / "x.webm", rate)
    seen, times = decoded(tmp_path / "x.webm")
    assert np.abs(seen.astype(int) - moving()).mean() < 3
    assert times == pytest.approx((np.arange(12) / rate).tolist(), abs=1e-3)
    write_webm(moving(), tmp_path / "y.webm", rate)
    assert (tmp_path / "y.webm").read_bytes() == (tmp_path / "x.webm").read_bytes()


def test_a_colon_in_a_name_is_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A folder of takes can be called take:2, and be named from where one is."""
    monkeypatch.chdir(tmp_path)
    Path("take:2").mkdir()
    write_mp4(moving(2), "take:2/clip.mp4", 8, tags={"comment": f"{SIGNATURE} with seed 2"})
    write_gif(moving(2), "take:2/clip.gif", 8)
    assert origin_of(Path("take:2/clip.mp4")) == f"{SIGNATURE} with seed 2"
