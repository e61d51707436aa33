"""Video files -> frames: decoded straight to the size and rate that are wanted.

Nothing that a header says is believed but the size of a picture, and that is checked before one
is decoded. A file is read as data: formats that name other files are not opened.
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
"""What video files are called."""

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,gif,avi,mpeg,mpegts,mpegvideo,flv,asf,ogg,mp3,aac"
"""Formats that hold their pictures themselves; playlists would lead to other files."""

WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Decoders that see the transparency which these formats keep beside their pictures."""

NARROWEST = 16
"""Times that a picture may be longer than wide, or wider than long."""

Picture = UInt8[np.ndarray, "height width 3"]
Square = UInt8[np.ndarray, "size size 3"]
Film = UInt8[np.ndarray, "time size size 3"]


class View(Strict):
    """How a video is seen."""

    size: int = Field(default=64, ge=4, le=1024, description="pixels of a side")
    frames_per_second: float = Field(default=8.0, gt=0, le=1000)
    fit: Literal["crop", "fit", "stretch"] = Field(
        default="crop", description="crop: its centre; fit: with bars; stretch: out of shape"
    )
    background: str = Field(
        default="#000000",
        pattern="^#[0-9a-fA-F]{6}$",
        description="behind what is transparent, and of the bars",
    )

    @property
    def colour(self) -> UInt8[np.ndarray, "3"]:
        return np.frombuffer(bytes.fromhex(self.background[1:]), np.uint8)


def read_frames(path: Path, view: View, limits: VideoLimits = VideoLimits()) -> Film:
    """All of a video's frames, at the rate and size of `view`.

    A frame is shown until the next one's time; each wanted frame is what is shown in the middle of
    its own time. Raises `RejectedFile` with the reason.
    """
    try:
        _check_size(path.stat().st_size, limits)
        with path.open("rb") as file:
            return np.stack(list(_read(file, view, limits)))
    except FFmpegError as error:
        if error.errno == errno.ENOMEM:
            raise RejectedFile("memory", "asked for more memory than the limit") from error
        raise RejectedFile("unreadable", f"no video can be read: {error.strerror}") from error
    except OSError as error:
        raise RejectedFile("unreadable", str(error.strerror)) from error


def _check_size(size: int, limits: VideoLimits) -> None:
    if not size:
        raise RejectedFile("empty-file", "the file has no bytes")
    if size > limits.file_bytes:
        raise RejectedFile("too-large", f"{size} bytes, at most {limits.file_bytes} are read")


def _read(file: Any, view: View, limits: VideoLimits) -> Iterator[Square]:
    options = {"format_whitelist": FORMATS, "protocol_whitelist": ""}
    most = limits.frames_bytes // (view.size**2 * 3)
    with av.open(file, options=options, metadata_errors="replace") as container:
        stream = _best(container)
        _check_pixels(stream.width, stream.height, limits)
        convert = _Converter(view, _pixel_shape(stream), limits)
        decoded = _decoded(container, stream, limits)
        shown, picture = None, None
        for number, frame in enumerate(_held(decoded, view.frames_per_second)):
            if number >= most:
                raise RejectedFile("too-long", f"more than {most} frames of this size are kept")
            if frame is not shown or picture is None:
                shown, picture = frame, convert(frame)
            yield picture


def _best(container: Any) -> Any:
    """The stream with the largest picture; the cover of a record is none."""
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise RejectedFile("no-video", f"{len(container.streams)} streams, and no video in them")
    known = [stream for stream in streams if stream.codec_context]
    if not known:
        raise RejectedFile("no-decoder", "its pictures are in a format that is not known")
    return max(known, key=lambda stream: stream.width * stream.height)


def _check_pixels(width: int, height: int, limits: VideoLimits) -> None:
    if width * height > limits.pixels:
        raise RejectedFile(
            "too-large", f"pictures of {width}x{height}, at most {limits.pixels} pixels are read"
        )


def _pixel_shape(stream: Any) -> float:
    """How much wider than high a pixel is; what nothing is filmed with is not believed."""
    ratio = stream.sample_aspect_ratio
    return float(ratio) if ratio and 0.25 <= ratio <= 4 else 1.0


def _decoded(
    container: Any, stream: Any, limits: VideoLimits
) -> Iterator[tuple[float, float, Any]]:
    """Each frame with its time and how long it lasts, in seconds; 0 where that is not said."""
    decoder = _decoder(stream, limits)
    usual = 1 / stream.average_rate if stream.average_rate else 0.04
    count, at = 0, 0.0
    try:
        for packet in container.demux(stream):
            for frame in decoder.decode(packet):
                base = frame.time_base or stream.time_base or 0
                at = float(frame.pts * base if frame.pts is not None else at + usual * bool(count))
                yield at, float((frame.duration or 0) * base), frame
                count += 1
    except FFmpegError as error:
        if error.errno == errno.ENOMEM:
            raise
        why = f"breaks off after {count} frames: {error.strerror}"
        raise RejectedFile("damaged", why) from error
    if not count:
        raise RejectedFile("no-frames", f"none can be decoded; its header counts {stream.frames}")


def _decoder(stream: Any, limits: VideoLimits) -> Any:
    """With one thread, and no picture beyond the limit even where the header says otherwise."""
    other = WITH_ALPHA.get(stream.codec_context.name)
    if other and stream.metadata.get("alpha_mode") == "1" and other in av.codecs_available:
        decoder = av.CodecContext.create(other, "r")
    else:
        decoder = stream.codec_context
    decoder.thread_count = 1
    decoder.options = {"max_pixels": str(limits.pixels)}
    return decoder


def _held(frames: Iterable[tuple[float, float, Any]], rate: float) -> Iterator[Any]:
    """What is shown at (k + 1/2) / rate seconds from the first frame on, and once at least.

    A time that goes back is not believed. The last frame lasts as it says, or as the one before.
    """
    given, end, gap, begin, shown = 0, 0.0, 1 / rate, None, None
    for at, lasts, frame in frames:
        begin = at if begin is None else begin
        now = max(end if shown is None else shown[0], at - begin)
        while shown and (given + 0.5) / rate < now:
            yield shown[1]
            given += 1
        gap = now - shown[0] if shown and now > shown[0] else gap
        shown, end = (now, frame), now + (lasts or gap)
    while shown and ((given + 0.5) / rate < end or not given):
        yield shown[1]
        given += 1


class _Converter:
    """Frames of one file -> square pictures."""

    def __init__(self, view: View, pixel_shape: float, limits: VideoLimits):
        self.view, self.pixel_shape, self.limits = view, pixel_shape, limits
        self.reformatter = VideoReformatter()

    def __call__(self, frame: Any) -> Square:
        _check_pixels(frame.width, frame.height, self.limits)
        turns = frame.rotation // 90 % 4 if frame.rotation % 90 == 0 else 0
        height, width = self._scaled(frame)
        small = self.reformatter.reformat(
            _opaque(frame, self.view.colour),
            width,
            height,
            "rgb24",
            interpolation=Interpolation.AREA,
            threads=1,
        )
        return self._square(np.rot90(small.to_ndarray(), turns))

    def _scaled(self, frame: Any) -> tuple[int, int]:
        """Height and width to which the frame is scaled, before it is turned and cut."""
        size, fit = self.view.size, self.view.fit
        if fit == "stretch":
            return size, size
        width, height = frame.width * self.pixel_shape, frame.height
        if max(width, height) > NARROWEST * min(width, height):
            raise RejectedFile("shape", f"pictures of {frame.width}x{frame.height}")
        scale = size / (min(width, height) if fit == "crop" else max(width, height))
        return max(1, round(height * scale)), max(1, round(width * scale))

    def _square(self, picture: Picture) -> Square:
        """Its centre, or the whole with bars."""
        size = self.view.size
        top, left = ((side - size) // 2 for side in picture.shape[:2])
        if min(top, left) >= 0:
            return picture[top : top + size, left : left + size]
        square = np.empty((size, size, 3), np.uint8)
        square[:] = self.view.colour
        height, width = picture.shape[:2]
        square[-top : height - top, -left : width - left] = picture
        return square


def _opaque(frame: Any, colour: UInt8[np.ndarray, "3"]) -> Any:
    """The frame before a colour, where it is transparent anywhere."""
    if not any(part.is_alpha for part in frame.format.components):
        return frame
    pixels = frame.reformat(format="rgba", threads=1).to_ndarray()
    alpha = pixels[..., 3:].astype(np.uint32)
    if alpha.min() == 255:
        return frame
    mixed = (pixels[..., :3] * alpha + colour * (255 - alpha) + 127) // 255
    return av.VideoFrame.from_ndarray(mixed.astype(np.uint8), format="rgb24")
