"""Decode video files to frames of a given size and rate.

Headers are not trusted, except for the frame size, which is checked before the first frame is
decoded. Formats that refer to other files (playlists) are not opened.
"""

import errno
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from av.error import FFmpegError
from av.stream import Disposition
from av.video.reformatter import Interpolation, VideoReformatter
from jaxtyping import UInt8
from pydantic import Field

from core.config import Strict
from core.data.sources import RejectedFile
from videogen.files.limits import VideoLimits

VIDEO = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".gif", ".avi", ".mpg", ".mpeg"),
    *(".ts", ".mts", ".flv", ".wmv", ".ogv"),
)
"""Suffixes of video files."""

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,gif,avi,mpeg,mpegts,mpegvideo,flv,asf,ogg,mp3,aac"
"""FFmpeg's demuxers of formats that contain their own data."""

WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Decoders that support the alpha channel of these codecs."""

NARROWEST = 16
"""Largest ratio of the longer side of a frame to the shorter one."""

Frame = UInt8[np.ndarray, "height width 3"]
SquareFrame = UInt8[np.ndarray, "size size 3"]
SquareFrames = UInt8[np.ndarray, "time size size 3"]


class View(Strict):
    """The size, rate and framing to which videos are decoded."""

    size: int = Field(default=64, ge=4, le=1024, description="height and width of a frame")
    frames_per_second: float = Field(
        default=8.0, gt=0, le=1000, description="frames a second after decoding"
    )
    fit: Literal["crop", "fit", "stretch"] = Field(
        default="crop", description="crop to the centre; fit with bars; stretch to a square"
    )
    background: str = Field(
        default="#000000",
        pattern="^#[0-9a-fA-F]{6}$",
        description="colour behind transparent pixels, and of the bars",
    )

    @property
    def colour(self) -> UInt8[np.ndarray, "3"]:
        return np.frombuffer(bytes.fromhex(self.background[1:]), np.uint8)


def read_frames(path: Path, view: View, limits: VideoLimits = VideoLimits()) -> SquareFrames:
    """Decode a video to the size and rate of `view`.

    Output frame k is the one on display at (k + 1/2) / rate seconds. Raises `RejectedFile` with
    the reason.
    """
    try:
        _check_size(path.stat().st_size, limits)
        with path.open("rb") as file:
            return np.stack(list(_read(file, view, limits)))
    except FFmpegError as error:
        if error.errno == errno.ENOMEM:
            raise RejectedFile("memory", "asked for more memory than the limit") from error
        raise RejectedFile("unreadable", f"not a readable video: {error.strerror}") from error
    except OSError as error:
        raise RejectedFile("unreadable", str(error.strerror)) from error


def _check_size(size: int, limits: VideoLimits) -> None:
    if not size:
        raise RejectedFile("empty-file", "the file has no bytes")
    if size > limits.file_bytes:
        raise RejectedFile("too-large", f"{size} bytes, at most {limits.file_bytes} are read")


def _read(file: Any, view: View, limits: VideoLimits) -> Iterator[SquareFrame]:
    options = {"format_whitelist": FORMATS, "protocol_whitelist": ""}
    most = limits.frames_bytes // (view.size**2 * 3)
    with av.open(file, options=options, metadata_errors="replace") as container:
        stream = _largest_stream(container)
        _check_pixels(stream.width, stream.height, limits)
        convert = _Converter(view, _pixel_shape(stream), limits)
        decoded = _decoded(container, stream, limits)
        source, converted = None, None
        for number, frame in enumerate(_resample(decoded, view.frames_per_second)):
            if number >= most:
                raise RejectedFile("too-long", f"more than {most} frames of this size")
            if frame is not source or converted is None:
                source, converted = frame, convert(frame)
            yield converted


def _largest_stream(container: Any) -> Any:
    """Return the video stream with the largest frames; the cover art of a sound file is none."""
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise RejectedFile("no-video", f"none of its {len(container.streams)} streams is a video")
    known = [stream for stream in streams if stream.codec_context]
    if not known:
        raise RejectedFile("no-decoder", "its codec is unknown")
    return max(known, key=lambda stream: stream.width * stream.height)


def _check_pixels(width: int, height: int, limits: VideoLimits) -> None:
    if width * height > limits.pixels:
        raise RejectedFile(
            "too-large", f"frames of {width}x{height}, at most {limits.pixels} pixels are read"
        )


def _pixel_shape(stream: Any) -> float:
    """Return the width of a pixel over its height; implausible values count as 1."""
    ratio = stream.sample_aspect_ratio
    return float(ratio) if ratio and 0.25 <= ratio <= 4 else 1.0


def _decoded(
    container: Any, stream: Any, limits: VideoLimits
) -> Iterator[tuple[float, float, Any]]:
    """Yield the time and duration of each frame in seconds (0: unknown), and the frame."""
    decoder = _decoder(stream, limits)
    interval = 1 / stream.average_rate if stream.average_rate else 0.04
    count, time = 0, 0.0
    try:
        for packet in container.demux(stream):
            for frame in decoder.decode(packet):
                base = frame.time_base or stream.time_base or 0
                known = frame.pts is not None
                time = float(frame.pts * base if known else time + interval * bool(count))
                yield time, float((frame.duration or 0) * base), frame
                count += 1
    except FFmpegError as error:
        if error.errno == errno.ENOMEM:
            raise
        reason = f"decoding fails after {count} frames: {error.strerror}"
        raise RejectedFile("damaged", reason) from error
    if not count:
        raise RejectedFile("no-frames", f"no frame can be decoded of {stream.frames}")


def _decoder(stream: Any, limits: VideoLimits) -> Any:
    """Return a decoder with one thread, which refuses frames beyond the limit of pixels."""
    alpha = WITH_ALPHA.get(stream.codec_context.name)
    if alpha and stream.metadata.get("alpha_mode") == "1" and alpha in av.codecs_available:
        decoder = av.CodecContext.create(alpha, "r")
    else:
        decoder = stream.codec_context
    decoder.thread_count = 1
    decoder.options = {"max_pixels": str(limits.pixels)}
    return decoder


def _resample(frames: Iterable[tuple[float, float, Any]], rate: float) -> Iterator[Any]:
    """Yield the frame on display at (k + 1/2) / rate seconds after the first, for each k; one at
    least.

    A frame is on display until the time of the next one, the last for its duration, else for as
    long as the one before it. Times that decrease are replaced.
    """
    count, end, gap, start, current = 0, 0.0, 1 / rate, None, None
    for time, duration, frame in frames:
        start = time if start is None else start
        now = max(end if current is None else current[0], time - start)
        while current and (count + 0.5) / rate < now:
            yield current[1]
            count += 1
        gap = now - current[0] if current and now > current[0] else gap
        current, end = (now, frame), now + (duration or gap)
    while current and ((count + 0.5) / rate < end or not count):
        yield current[1]
        count += 1


class _Converter:
    """Convert the frames of one file to squares."""

    def __init__(self, view: View, pixel_shape: float, limits: VideoLimits):
        self.view, self.pixel_shape, self.limits = view, pixel_shape, limits
        self.reformatter = VideoReformatter()

    def __call__(self, frame: Any) -> SquareFrame:
        _check_pixels(frame.width, frame.height, self.limits)
        quarter_turns = frame.rotation // 90 % 4 if frame.rotation % 90 == 0 else 0
        height, width = self._scaled(frame)
        scaled = self.reformatter.reformat(
            _opaque(frame, self.view.colour),
            width,
            height,
            "rgb24",
            interpolation=Interpolation.AREA,
            threads=1,
        )
        return self._square(np.rot90(scaled.to_ndarray(), quarter_turns))

    def _scaled(self, frame: Any) -> tuple[int, int]:
        """Return the height and width of the frame before it is rotated and cropped."""
        size, fit = self.view.size, self.view.fit
        if fit == "stretch":
            return size, size
        width, height = frame.width * self.pixel_shape, frame.height
        if max(width, height) > NARROWEST * min(width, height):
            raise RejectedFile("shape", f"frames of {frame.width}x{frame.height}")
        scale = size / (min(width, height) if fit == "crop" else max(width, height))
        return max(1, round(height * scale)), max(1, round(width * scale))

    def _square(self, frame: Frame) -> SquareFrame:
        """Crop the frame to its centre, or add bars."""
        size = self.view.size
        top, left = ((side - size) // 2 for side in frame.shape[:2])
        if min(top, left) >= 0:
            return frame[top : top + size, left : left + size]
        square = np.empty((size, size, 3), np.uint8)
        square[:] = self.view.colour
        height, width = frame.shape[:2]
        square[-top : height - top, -left : width - left] = frame
        return square


def _opaque(frame: Any, colour: UInt8[np.ndarray, "3"]) -> Any:
    """Return the frame composited over a colour, if any pixel is transparent."""
    if not any(component.is_alpha for component in frame.format.components):
        return frame
    pixels = frame.reformat(format="rgba", threads=1).to_ndarray()
    alpha = pixels[..., 3:].astype(np.uint32)
    if alpha.min() == 255:
        return frame
    blended = (pixels[..., :3] * alpha + colour * (255 - alpha) + 127) // 255
    return av.VideoFrame.from_ndarray(blended.astype(np.uint8), format="rgb24")
