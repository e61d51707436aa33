"""Video files, decoded to frames of a given size and rate.

Headers are not trusted, except for the frame size, which is checked before the first frame is
decoded. Formats that refer to other files (playlists) are not opened.
"""

import contextlib
import errno
import itertools
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import (
    ArgumentError,
    BugError,
    DecoderNotFoundError,
    ExternalError,
    FFmpegError,
    InvalidDataError,
    PatchWelcomeError,
    UnknownError,
)
from av.stream import Disposition
from jaxtyping import UInt8

from core.data.sources import MISTAKEN_BYTES, RejectedFile, mistaken_for, require_size
from core.errors import UserError
from core.wording import counted
from videogen.files.clock import (
    Excerpt,
    InFrames,
    OutOfOrder,
    Timed,
    Waiting,
    Window,
    join,
    require_order,
    resample,
)
from videogen.files.ending import ends_early, ends_in_picture
from videogen.files.frame import (
    Converter,
    SquareFrame,
    View,
    deinterlaced,
    profile_of,
    require_pixels,
)
from videogen.files.gif import with_times
from videogen.files.label import origin_in
from videogen.files.limits import VideoLimits
from videogen.files.pictures import PICTURES
from videogen.files.profile import profile_of_png
from videogen.files.stills import TO_FILM, TO_PNG, formats_of, require_still, require_whole
from videogen.files.tree import File

VIDEO = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".gif", ".avi", ".mpg", ".mpeg"),
    *(".ts", ".mts", ".m2ts", ".vob", ".dv", ".mxf", ".flv", ".f4v", ".wmv", ".asf", ".ogv"),
    *(".divx", ".qt", ".3g2", ".m2v", ".ogm", ".y4m", ".apng", ".mpe", ".m1v", ".m2p", ".tod"),
)
"""Suffixes of video files."""

FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,gif,avi,mpeg,mpegts,mpegvideo,dv,mxf,flv,asf,ogg,"
    "mp3,aac,apng,yuv4mpegpipe"
)
"""FFmpeg's demuxers of formats that contain their own data."""

WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Decoders that support the alpha channel of these codecs."""

DAMAGED = InvalidDataError, EOFError, ExternalError, BugError, UnknownError
"""Errors of decoders that meet data which no encoder writes."""
BROKEN = errno.EPERM, errno.EIO
"""Numbers of others: -1 of some decoders, and that of files and disks that break off."""
CURE = "copy the file again, or export it anew"
UNREAD = ArgumentError, PatchWelcomeError, DecoderNotFoundError
"""Errors of formats and codecs that are not read."""
NO_SUPPORT = errno.ENOSYS, errno.EOPNOTSUPP
"""Numbers of others."""
TRANSPORT = "mpegts"
"""The format of recordings, which begin and end anywhere."""
SILENT = "gif", "dv"
"""Formats of which a last frame that is cut through is decoded without an error."""

ANIMATIONS = "gif", "apng"
"""Formats of animations in browsers."""
FASTEST, LENGTHENED = 0.02, 0.1
"""Their least delay in seconds, and how long browsers show a frame whose delay is less."""

REORDERED = 17
"""More frames than a codec moves before others that are shown earlier."""

SquareFrames = UInt8[np.ndarray, "time size size 3"]


class NoFrames(Exception):
    """Raised for an excerpt in which no frame is on display."""


@dataclass(frozen=True)
class Film:
    """A decoded video: its frames at the wanted size and rate.

    `decoded`: how many frames the file has. `damage`: why there are no more, if it is damaged.
    `excerpt`: the seconds that were read, if not all. `origin`: how pianoreel generated it, if so.
    """

    frames: SquareFrames
    decoded: int
    damage: str = ""
    excerpt: tuple[float, float] | None = None
    origin: str = ""


def read_frames(
    source: Path | Sequence[File],
    view: View,
    limits: VideoLimits = VideoLimits(),
    most: int | None = None,
) -> SquareFrames:
    """Decode a video, or the pictures of a sequence, to the size and rate of `view`.

    Output frame k is the one on display at (k + 1/2) / rate seconds; no more than `most` are
    decoded. Raises `RejectedFile` with the reason.
    """
    return read_film(source, view, limits, most).frames


def read_first_frames(
    path: Path, source: Path | Sequence[File], view: View, most: int
) -> SquareFrames:
    """Read up to `most` frames of what a user names; `UserError` names the path."""
    try:
        return read_frames(source, view, most=most)
    except RejectedFile as error:
        named = path.suffix.lower() in (*VIDEO, *PICTURES) or not path.is_file()
        why = error.detail if named else "it is neither a film nor a picture, such as .mp4, .png"
        raise UserError(f"{path}: {why}") from error


def read_film(
    source: Path | Sequence[File],
    view: View,
    limits: VideoLimits = VideoLimits(),
    most: int | None = None,
    excerpt: Excerpt | None = None,
) -> Film:
    """Decode as `read_frames` does, and say what is particular about the video.

    `excerpt`: the part that is read; all, if the file was cut to it before.
    """
    if excerpt is None:
        return _read(source, view, limits, most)
    window = Window(excerpt)
    try:
        film = _read(source, view, limits, most, window)
    except NoFrames:
        film = None
    if window.is_of_a_cut:
        return _read(source, view, limits, most)
    if film is None or not (window.is_there or film.damage):
        raise RejectedFile("no-excerpt", _absent(window))
    return replace(film, excerpt=(window.begin, window.end))


def _absent(window: Window) -> str:
    """Return why a film does not contain an excerpt."""
    (begin, end), unit = window.excerpt, " s"
    has = f"it ends at {window.seconds:.1f} s"
    if isinstance(window.excerpt, InFrames):
        has, unit = f"it has {counted(window.count, 'frame')}", ". frame"
    named = f"{begin:g} to {end:g}{unit}" if end < math.inf else f"from {begin:g}{unit} on"
    return f"{has}, and its row names {named}: give the whole film, or correct the times"


def _read(
    source: Path | Sequence[File],
    view: View,
    limits: VideoLimits,
    most: int | None,
    window: Window | None = None,
) -> Film:
    first, *others = [File(source)] if isinstance(source, Path) else source
    try:
        if others or first.suffix in PICTURES:
            pictures = _Pictures([first, *others], view, limits)
            return _film(pictures, view, 1.0, limits, most, window)
        try:
            return _read_film(first, view, limits, most, window)
        except OutOfOrder:
            return _read_film(first, view, limits, most, window, stored=True)
    except FFmpegError as error:
        if error.errno == errno.ENOMEM:
            raise RejectedFile("memory", "asked for more memory than the limit") from error
        raise RejectedFile("unreadable", f"not a readable video: {_said(error)}") from error
    except OSError as error:
        raise RejectedFile("unreadable", str(error.strerror)) from error


def _said(error: FFmpegError) -> str:
    """Return the reason of an error of FFmpeg, with a cure."""
    if _is_unread(error):
        film, picture = TO_FILM.format("clip.avi"), TO_PNG.format("picture.heic")
        return f"this kind of file is not read: convert a video, {film}; a picture, {picture}"
    if isinstance(error, DAMAGED) or error.errno in BROKEN:
        return f"its data are damaged or cut short: {CURE}"
    return str(error.strerror)


def _is_unread(error: FFmpegError) -> bool:
    """Return whether an error says that a format or a codec is not read."""
    return isinstance(error, UNREAD) or error.errno in NO_SUPPORT


def _read_film(
    file: File,
    view: View,
    limits: VideoLimits,
    most: int | None,
    window: Window | None,
    stored: bool = False,
) -> Film:
    """Read a file; `stored`: the times that it gives are those of frames as they are stored."""
    with file.open(limits) as data:
        is_cut = ends_early(data)
        with _opened(with_times(data), FORMATS, limits) as container:
            if is_cut and not container.streams:
                raise RejectedFile("unreadable", f"it is cut short before its index: {CURE}")
            stream = _largest_stream(container)
            require_pixels(stream.width, stream.height, limits)
            keep = view.damaged == "keep"
            decoder = _Decoder(container, stream, limits, stored, keep, is_cut)
            if container.format.name == TRANSPORT:
                decoder.is_last_unfinished = ends_in_picture(data, stream.id)
            film = _film(decoder, view, _pixel_shape(stream), limits, most, window)
            return replace(film, origin=origin_in(container))


def _opened(data: Any, formats: str, limits: VideoLimits) -> Any:
    """Open a file that has bytes, and no more than are read."""
    size = data.seek(0, os.SEEK_END)
    data.seek(0)
    if not size:
        raise RejectedFile("empty-file", "the file has no bytes")
    require_size(size, limits)
    head = data.read(MISTAKEN_BYTES)
    data.seek(0)
    if why := mistaken_for(head):
        raise RejectedFile("unreadable", f"it is {why}")
    options = {"format_whitelist": formats, "protocol_whitelist": ""}
    options["default_fps"] = f"{1 / LENGTHENED:g}"  # of an APNG, for frames without a delay
    return av.open(_Nameless(data), options=options, metadata_errors="replace")


class _Nameless:
    """A file without its name, by which FFmpeg would take a JPEG for a pattern of many files."""

    def __init__(self, data: Any):
        self.read, self.seek, self.tell = data.read, data.seek, data.tell


def _film(
    source: "_Decoder | _Pictures",
    view: View,
    pixel_shape: float,
    limits: VideoLimits,
    most: int | None,
    window: Window | None,
) -> Film:
    timed = window.watch(source.frames()) if window else source.frames()
    shown = resample(timed, view.frames_per_second)
    shown = window(shown, view.frames_per_second) if window else shown
    frames = list(itertools.islice(_convert(shown, view, pixel_shape, limits), most))
    if not frames:
        raise NoFrames
    return Film(np.stack(frames), source.count, source.damage)


def _convert(
    frames: Iterable[Any], view: View, pixel_shape: float, limits: VideoLimits
) -> Iterator[SquareFrame]:
    most = limits.frames_bytes // (view.size**2 * 3)
    convert = Converter(view, pixel_shape, limits)
    source, converted = None, None
    for number, frame in enumerate(frames):
        if number >= most:
            raise RejectedFile("too-long", f"more than {most} frames of this size")
        if frame is not source or converted is None:
            source, converted = frame, convert(frame)
        yield converted


def _largest_stream(container: Any) -> Any:
    """Return the video stream with the largest frames.

    The cover art of a sound file is none, and a single picture beside a film is not the film.
    """
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise RejectedFile("no-video", f"none of its {len(container.streams)} streams is a video")
    known = [stream for stream in streams if stream.codec_context]
    if not known:
        raise RejectedFile("no-decoder", "its codec is unknown")
    return max(known, key=lambda stream: (stream.frames != 1, stream.width * stream.height))


def _pixel_shape(stream: Any) -> float:
    """Return the width of a pixel over its height; implausible values count as 1."""
    ratio = stream.sample_aspect_ratio
    return float(ratio) if ratio and 0.25 <= ratio <= 4 else 1.0


class _Decoder:
    """The frames of a stream in the order in which they are shown, with their times.

    `stored`: give the times in the order of the file to the frames in the order of display.
    `keep`: where decoding fails after some frames, end there and set `damage`. `is_cut`: the file
    ends before its container does, so that its last frames are missing or damaged.
    `is_last_unfinished`: the last packet is a part of one, as where a recording was stopped.
    """

    is_last_unfinished = False

    def __init__(
        self,
        container: Any,
        stream: Any,
        limits: VideoLimits,
        stored: bool,
        keep: bool,
        is_cut: bool,
    ):
        self.container, self.stream, self.stored, self.keep = container, stream, stored, keep
        self.is_cut = is_cut
        self.codec = _codec(stream, limits)
        self.is_animation = container.format.name in ANIMATIONS
        self.interval = float(1 / stream.average_rate) if stream.average_rate else 0.04
        self.restart = max(0.5, REORDERED * self.interval)
        self.count, self.damage = 0, ""

    def frames(self) -> Iterator[Timed]:
        """Yield them one moment each, in times that do not decrease."""
        timed = deinterlaced(self._timed())
        if not self.stored:
            timed = require_order(timed, self.restart)
        return join(timed, self.restart)

    def _timed(self) -> Iterator[Timed]:
        waiting, time, later = Waiting(self.restart), 0.0, 0.0
        for frame in self._decoded(waiting):
            base = float(frame.time_base or self.stream.time_base or 0)
            given = None if frame.pts is None else float(frame.pts * base)
            given = waiting.earliest() if self.stored else given
            time = time + self.interval * bool(self.count) if given is None else given
            self.count += 1
            duration = float((frame.duration or 0) * base)
            is_hasty = self.is_animation and duration < FASTEST
            lengthened = LENGTHENED if is_hasty else duration
            yield time + later, lengthened, frame
            later += lengthened - duration
        if not self.count:
            raise RejectedFile("no-frames", f"no frame can be decoded of {self.stream.frames}")

    def _decoded(self, waiting: Waiting) -> Iterator[Any]:
        """Yield the frames, and let `waiting` know the times of the file."""
        try:
            packets = self._packets(waiting)
            frames = (frame for packet in packets for frame in self._whole(packet))
            if self.is_cut and self.container.format.name in SILENT:
                frames = (frame for frame, _ in itertools.pairwise(frames))
            yield from frames
            is_gif = self.container.format.name == "gif"
            promised = 0 if is_gif else self.stream.frames  # of a GIF: those that are there
            if self.is_cut and not 0 < promised <= self.count:
                self._end_here(f"it is cut short after {counted(self.count, 'frame')}: {CURE}")
        except FFmpegError as error:
            if error.errno == errno.ENOMEM:
                raise
            if self.keep:
                with contextlib.suppress(FFmpegError):
                    yield from self.codec.decode(None)  # what it had not yet shown
            self._end_here(
                f"decoding fails after {counted(self.count, 'frame')}: {_said(error)}", error
            )

    def _packets(self, waiting: Waiting) -> Iterator[Any]:
        """Yield the packets, and let `waiting` know their times."""
        packets = self.container.demux(self.stream)
        for packet in _without_last(packets) if self.is_last_unfinished else packets:
            if packet.pts is not None and packet.time_base and not packet.is_discard:
                waiting.add(float(packet.pts * packet.time_base))
            yield packet

    def _whole(self, packet: Any) -> Iterator[Any]:
        """Yield the frames of a packet, without those that are cut through."""
        if not (self.is_cut and packet.is_corrupt):
            frames = self.codec.decode(packet)
            yield from (frame for frame in frames if not (self.is_cut and frame.is_corrupt))

    def _end_here(self, why: str, error: Exception | None = None) -> None:
        """Keep the frames before a damage, or reject the file."""
        self.damage = why
        if not (self.keep and self.count):
            raise RejectedFile("damaged", why) from error


def _without_last(packets: Iterable[Any]) -> Iterator[Any]:
    """Leave out the last packet that has bytes; the one without, at the end, empties a decoder."""
    held = None
    for packet in packets:
        if packet.size:
            if held is not None:
                yield held
            held = packet
        else:
            yield packet


class _Pictures:
    """The pictures of a sequence, at `View.pictures_per_second`, else each a frame of the clip."""

    def __init__(self, files: Sequence[File], view: View, limits: VideoLimits):
        self.files, self.limits, self.keep = files, limits, view.damaged == "keep"
        self.rate = view.pictures_per_second or view.frames_per_second
        self.count, self.damage = 0, ""

    def frames(self) -> Iterator[Timed]:
        """Yield them in their order."""
        for file in self.files:
            try:
                frame = self._read(file)
            except (FFmpegError, RejectedFile) as error:
                why = error.detail if isinstance(error, RejectedFile) else _said(error)
                self.damage = f"{file.place.name}: {why}" if len(self.files) > 1 else why
                if self.keep and self.count:
                    return
                if isinstance(error, RejectedFile):
                    reason = error.reason
                else:
                    reason = "no-decoder" if _is_unread(error) else "damaged"
                raise RejectedFile(reason, self.damage) from error
            self.count += 1
            yield (self.count - 1) / self.rate, 1 / self.rate, frame

    def _read(self, file: File) -> Any:
        limits = self.limits
        with file.open(limits) as data:
            formats = formats_of(require_still(data))
            with _opened(data, formats, limits) as container:
                require_whole(container)
                stream = _largest_stream(container)
                require_pixels(stream.width, stream.height, limits)
                if (codec := stream.codec_context.name) == "mjpeg":
                    stream.codec_context.options = {"err_detect": "explode"}  # if it is cut short
                frame = next(container.decode(stream), None)
            if frame is None:
                raise RejectedFile("no-frames", "no picture can be decoded")
            frame.opaque = profile_of_png(data) if codec == "png" else profile_of(frame)
        return frame


def _codec(stream: Any, limits: VideoLimits) -> Any:
    """Return a decoder with one thread, which refuses frames beyond the limit of pixels."""
    alpha = WITH_ALPHA.get(stream.codec_context.name)
    if alpha and stream.metadata.get("alpha_mode") == "1" and alpha in av.codecs_available:
        decoder = av.CodecContext.create(alpha, "r")
    else:
        decoder = stream.codec_context
    decoder.thread_count = 1
    decoder.options = {"max_pixels": str(limits.pixels)}
    return decoder
