"""The clip, x [batch rgb time height width] in [-1, 1], and the files it is written to.

On disk and on the way to a file a clip is frames: uint8 [time height width rgb].
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from av.filter import Graph
from av.video.reformatter import Colorspace
from jaxtyping import Float, UInt8
from torch import Tensor

Clips = Float[Tensor, "batch 3 time height width"]
"""In [-1, 1]."""

Images = Float[Tensor, "batch 3 height width"]
"""In [-1, 1]."""

Frames = UInt8[np.ndarray, "time height width 3"]
FrameBatch = UInt8[np.ndarray, "batch time height width 3"]
Sound = Float[np.ndarray, "channel sample"]
"""In [-1, 1], one or two channels."""

MP4 = {"crf": "16", "preset": "medium"}
SOUND_FRAME = 1024
"""Samples in one AAC frame."""

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
    sample_rate_hz: int = 44100,
) -> None:
    """Write H.264 as browsers play it: 4:2:0, even size (the edge is repeated), header first.

    `sound` becomes an AAC track, cut at the end of the clip.
    """
    rate = Fraction(frames_per_second).limit_denominator(10_000)
    even = np.pad(frames, ((0, 0), *((0, side % 2) for side in frames.shape[1:3]), (0, 0)), "edge")
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as file:
        video = file.add_stream("libx264", rate=rate, options=MP4)
        video.height, video.width = even.shape[1:3]
        video.pix_fmt = "yuv420p"
        video.codec_context.thread_count = 1  # the same frames give the same bytes
        track = None if sound is None else _sound_track(file, sound, sample_rate_hz)
        for number, image in enumerate(even):
            file.mux(video.encode(_frame(image, number, rate)))
        file.mux(video.encode(None))
        if sound is not None and track is not None:
            samples = round(len(frames) / rate * sample_rate_hz)
            _encode_sound(file, track, sound[:, :samples], sample_rate_hz)


def _frame(image: UInt8[np.ndarray, "height width 3"], number: int, rate: Fraction) -> Any:
    """Convert an image to a frame for H.264, by ITU 601 as players assume of small clips."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU601)
    frame.pts, frame.time_base = number, 1 / rate
    return frame


def _sound_track(file: Any, sound: Sound, sample_rate_hz: int) -> Any:
    layout = {1: "mono", 2: "stereo"}[len(sound)]
    return file.add_stream("aac", rate=sample_rate_hz, layout=layout)


def _encode_sound(file: Any, track: Any, sound: Sound, sample_rate_hz: int) -> None:
    edges = [*range(0, sound.shape[1], SOUND_FRAME), sound.shape[1]]
    for begin, end in pairwise(edges):
        part = np.ascontiguousarray(sound[:, begin:end], np.float32)
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=track.layout.name)
        frame.sample_rate, frame.pts = sample_rate_hz, begin
        frame.time_base = Fraction(1, sample_rate_hz)
        file.mux(track.encode(frame))
    file.mux(track.encode(None))


def write_gif(frames: Frames, path: str | Path, frames_per_second: float) -> None:
    """Write a looping GIF with a palette of its own colours.

    Its delays are whole hundredths of a second, at least two: browsers slow down shorter ones.
    """
    numbers = np.arange(len(frames) + 1)
    times = np.maximum(np.round(numbers * 100 / frames_per_second), 2 * numbers).astype(int)
    options = {"loop": "0", "final_delay": str(times[-1] - times[-2])}
    with av.open(str(path), "w", format="gif", options=options) as file:
        video = file.add_stream("gif", rate=Fraction(100), options={"gifflags": "-transdiff"})
        video.height, video.width = frames.shape[1:3]
        video.pix_fmt = "pal8"
        video.time_base = video.codec_context.time_base = Fraction(1, 100)
        for number, frame in enumerate(_paletted(frames)):
            frame.pts, frame.time_base = int(times[number]), Fraction(1, 100)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))


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
