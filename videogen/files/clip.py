"""The clip, x [batch rgb time height width] in [-1, 1], and the files it is written to.

On disk and on the way to a file a clip is frames: uint8 [time height width rgb].
"""

import contextlib
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import torch
from av.filter import Graph
from av.video.reformatter import ColorRange
from jaxtyping import Float, UInt8
from torch import Tensor

from core.config import positive
from core.errors import ConfigError
from core.files import NO_TAGS, address, unwritten
from videogen.files.frame import BT709, FrameBatch, Frames, assumed_matrix

Clips = Float[Tensor, "batch 3 time height width"]
"""In [-1, 1]."""

Images = Float[Tensor, "batch 3 height width"]
"""In [-1, 1]."""

Image = Float[Tensor, "3 height width"]
"""In [-1, 1]."""

Sound = Float[np.ndarray, "channel sample"]
"""In [-1, 1], one or two channels."""


class Coding(NamedTuple):
    """A kind of file, the codecs of its pictures and its sound, and their settings.

    `file`: settings of the container; bitexact writes neither random numbers nor times of day.
    """

    kind: str
    video: str
    options: Mapping[str, str]
    audio: str
    sample: str
    rate_hz: int
    file: Mapping[str, str]


MP4 = Coding(
    "mp4",
    "libx264",
    {"crf": "16", "preset": "medium"},
    "aac",
    "fltp",
    44_100,
    {"movflags": "+faststart", "fflags": "+bitexact"},
)
WEBM = Coding(
    "webm",
    "libvpx-vp9",
    {"crf": "18", "b": "0", "deadline": "good", "cpu-used": "4"},
    "libopus",
    "flt",
    48_000,
    {"fflags": "+bitexact"},
)
SAMPLE_RATE_HZ = 44_100

LEAST_RATE = 0.01
"""Frames a second; a delay of a GIF has 16 bits of hundredths of a second."""

GIF_GRAPH = (
    ("split", ""),
    ("palettegen", "reserve_transparent=0:stats_mode=full"),
    ("paletteuse", "dither=sierra2_4a"),
)


def to_clips(frames: FrameBatch) -> Clips:
    """Scale frames from [0, 255] to [-1, 1]."""
    clips = torch.from_numpy(np.ascontiguousarray(frames))  # [batch time height width rgb]
    clips = clips.permute(0, 4, 1, 2, 3)  # [batch rgb time height width]
    return clips.float().div(127.5).sub(1)


def to_frames(clips: Clips) -> FrameBatch:
    """Invert `to_clips` exactly; values out of range are clamped."""
    scaled = clips.detach().float().add(1).mul(127.5).round().clamp(0, 255)
    frames = scaled.to(torch.uint8).permute(0, 2, 3, 4, 1)  # [batch time height width rgb]
    return frames.cpu().numpy()


def write_mp4(
    frames: Frames,
    path: str | Path,
    frames_per_second: float,
    sound: Sound | None = None,
    tags: Mapping[str, str] = NO_TAGS,
) -> None:
    """Write H.264 as browsers play it: 4:2:0, even size (the edge is repeated), header first.

    `sound`, at 44.1 kHz, becomes an AAC track, cut at the end of the clip. `tags`: title, comment
    and the like, as players show them. `ConfigError` for what is no film, `UserError` where it
    cannot be written.
    """
    _write(MP4, frames, path, frames_per_second, sound, tags)


def write_webm(
    frames: Frames,
    path: str | Path,
    frames_per_second: float,
    sound: Sound | None = None,
    tags: Mapping[str, str] = NO_TAGS,
) -> None:
    """Write VP9, with `sound` as Opus; otherwise as `write_mp4`."""
    _write(WEBM, frames, path, frames_per_second, sound, tags)


def _write(
    coding: Coding,
    frames: Frames,
    path: str | Path,
    frames_per_second: float,
    sound: Sound | None,
    tags: Mapping[str, str],
) -> None:
    rate = Fraction(_film_rate(frames, frames_per_second)).limit_denominator(10_000)
    even = np.pad(frames, ((0, 0), *((0, side % 2) for side in frames.shape[1:3]), (0, 0)), "edge")
    with _opened(path, coding.kind, coding.file) as file:
        file.metadata.update(tags)
        video = _video_track(file, coding, rate, *even.shape[1:3])
        track = None if sound is None else _sound_track(file, coding, len(sound))
        for number, image in enumerate(even):
            file.mux(video.encode(_frame(image, number, rate)))
        file.mux(video.encode(None))
        if sound is not None and track is not None:
            samples = round(len(frames) / rate * SAMPLE_RATE_HZ)
            _encode_sound(file, track, coding, sound[:, :samples])


def _film_rate(frames: Frames, frames_per_second: float) -> float:
    """Return the frames a second; `ConfigError` for frames or a rate that make no film."""
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or not frames.size:
        raise ConfigError(
            "frames must be uint8 [time height width 3], at least one, not "
            f"{frames.dtype} {list(frames.shape)}: videogen.files.clip.to_frames makes them"
        )
    if (rate := positive("frames_per_second", frames_per_second)) < LEAST_RATE:
        raise ConfigError(f"frames_per_second must be at least {LEAST_RATE}, not {rate}")
    return rate


@contextlib.contextmanager
def _opened(path: str | Path, kind: str, options: Mapping[str, str]) -> Iterator[Any]:
    """Open a film to write; `UserError` where it cannot be written."""
    try:
        with av.open(address(path), "w", format=kind, options=dict(options)) as file:
            yield file
    except OSError as error:
        raise unwritten(Path(path), error) from error


def _video_track(file: Any, coding: Coding, rate: Fraction, height: int, width: int) -> Any:
    video = file.add_stream(coding.video, rate=rate, options=dict(coding.options))
    video.height, video.width = height, width
    video.pix_fmt = "yuv420p"
    context = video.codec_context
    context.thread_count = 1  # the same frames give the same bytes
    context.color_range, context.colorspace = ColorRange.MPEG, assumed_matrix(height)
    context.color_primaries = context.color_trc = BT709
    return video


def _frame(image: UInt8[np.ndarray, "height width 3"], number: int, rate: Fraction) -> Any:
    """Convert an image to a frame of 4:2:0, by the matrix that its film states."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    frame = frame.reformat(format="yuv420p", dst_colorspace=assumed_matrix(len(image)))
    frame.pts, frame.time_base = number, 1 / rate
    return frame


def _sound_track(file: Any, coding: Coding, channels: int) -> Any:
    layout = {1: "mono", 2: "stereo"}[channels]
    track = file.add_stream(coding.audio, rate=coding.rate_hz, layout=layout)
    track.codec_context.format = coding.sample
    track.codec_context.open()
    return track


def _encode_sound(file: Any, track: Any, coding: Coding, sound: Sound) -> None:
    layout, size = track.layout.name, track.codec_context.frame_size
    convert = av.AudioResampler(coding.sample, layout, coding.rate_hz, size)
    whole = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound, np.float32), "fltp", layout)
    whole.sample_rate, whole.pts, whole.time_base = SAMPLE_RATE_HZ, 0, Fraction(1, SAMPLE_RATE_HZ)
    for frame in (*convert.resample(whole), *convert.resample(None), None):
        file.mux(track.encode(frame))


def write_gif(
    frames: Frames,
    path: str | Path,
    frames_per_second: float,
    tags: Mapping[str, str] = NO_TAGS,
) -> None:
    """Write a looping GIF with a palette of its own colours; of `tags` it holds the comment.

    Its delays are whole hundredths of a second, at least two: browsers slow down shorter ones.
    Errors are those of `write_mp4`.
    """
    rate = _film_rate(frames, frames_per_second)
    numbers = np.arange(len(frames) + 1)
    times = np.maximum(np.round(numbers * 100 / rate), 2 * numbers).astype(int)
    options = {"loop": "0", "final_delay": str(times[-1] - times[-2])}
    with _opened(path, "gif", options) as file:
        video = file.add_stream("gif", rate=Fraction(100), options={"gifflags": "-transdiff"})
        video.height, video.width = frames.shape[1:3]
        video.pix_fmt = "pal8"
        video.time_base = video.codec_context.time_base = Fraction(1, 100)
        for number, frame in enumerate(_paletted(frames)):
            frame.pts, frame.time_base = int(times[number]), Fraction(1, 100)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
    if comment := tags.get("comment"):
        Path(path).write_bytes(_commented(Path(path).read_bytes(), comment.encode()))


def _commented(gif: bytes, comment: bytes) -> bytes:
    """Return a GIF with a comment before its first frame (GIF89a, section 24)."""
    colours = gif[10]
    begin = 13 + (3 << (colours & 7) + 1 if colours & 0x80 else 0)  # after the common palette
    parts = [comment[at : at + 255] for at in range(0, len(comment), 255)]
    blocks = b"".join(bytes([len(part)]) + part for part in parts)
    return gif[:begin] + b"\x21\xfe" + blocks + b"\0" + gif[begin:]


def _paletted(frames: Frames) -> Iterator[Any]:
    """Yield the frames in 256 colours, chosen for all frames together."""
    graph = Graph()
    height, width = frames.shape[1:3]
    entry = graph.add_buffer(
        width=width, height=height, format=av.VideoFormat("rgb24"), time_base=Fraction(1, 100)
    )
    split, palette, output = (graph.add(name, options) for name, options in GIF_GRAPH)
    end = graph.add("buffersink")
    entry.link_to(split)
    split.link_to(output, 0, 0)
    split.link_to(palette, 1, 0)
    palette.link_to(output, 0, 1)
    output.link_to(end)
    graph.configure()
    for number, image in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, 100)
        entry.push(frame)
    entry.push(None)
    for _ in frames:
        yield end.pull()
