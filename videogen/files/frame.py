"""A frame as it is seen: of one moment, upright, opaque, in the light of a standard screen."""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from jaxtyping import Int, UInt8, UInt16
from pydantic import AfterValidator, Field

from core.config import Strict
from core.data.sources import RejectedFile
from videogen.files.clock import Timed
from videogen.files.light import is_standard, on_standard_screen
from videogen.files.limits import VideoLimits
from videogen.files.profile import as_srgb

NARROWEST = 16
"""Largest ratio of the longer side of a frame to the shorter one."""
STEEPEST = 4
"""Least ratio of the larger entries of a display matrix to the others, which count as 0."""
LARGEST_16_BIT = 255 << 8
"""Value of white in 16 bits of a colour, as swscale converts it."""
BLACK, WHITE = 16, 235
"""Levels of black and white in the limited range of 8 bits (ITU-R BT.601)."""
BT709, UNKNOWN, BT601 = 1, 2, 6
"""Codes of the matrices of high definition, of none, and of standard definition (ITU-T H.273)."""
HIGH_DEFINITION = 720
"""Least height of a film of which players assume the matrix of high definition."""
EXIF, PROFILE = 31, 15
"""Codes of the properties of a photograph and of its colours (FFmpeg's AV_FRAME_DATA_EXIF and
AV_FRAME_DATA_ICC_PROFILE). PyAV lacks the first; the second has a name in PNG, which it frees
twice."""
OF_PNG = (
    *("rgb24", "rgba", "pal8", "gray", "ya8", "monob"),
    *("rgb48be", "rgba64be", "gray16be", "ya16be"),
)
"""Formats to which PNG is decoded."""

Frame = UInt8[np.ndarray, "height width 3"]
SquareFrame = UInt8[np.ndarray, "size size 3"]
Frames = UInt8[np.ndarray, "time height width 3"]
FrameBatch = UInt8[np.ndarray, "batch time height width 3"]


def _colour(text: str) -> str:
    """Return a colour as it is written; `ValueError` for anything but #rrggbb."""
    if not re.fullmatch("#[0-9a-fA-F]{6}", text):
        raise ValueError("a colour is # and six digits, each 0-9 or a-f: #ff0000 is red")
    return text


class View(Strict):
    """The size, rate and framing to which videos are decoded."""

    size: int = Field(default=64, ge=4, le=1024, description="height and width of a frame")
    frames_per_second: float = Field(
        default=8.0, gt=0, le=1000, description="frames a second after decoding"
    )
    pictures_per_second: float | None = Field(
        default=None,
        gt=0,
        le=1000,
        description="pictures a second of a folder of numbered pictures (default: each a frame)",
    )
    fit: Literal["crop", "fit", "stretch"] = Field(
        default="crop", description="crop to the centre; fit with bars; stretch to a square"
    )
    background: Annotated[str, AfterValidator(_colour)] = Field(
        default="#000000", description="colour behind transparent pixels, and of the bars"
    )
    damaged: Literal["drop", "keep"] = Field(
        default="drop", description="a damaged video: reject it, or keep what comes before"
    )

    @property
    def colour(self) -> UInt8[np.ndarray, "3"]:
        return np.frombuffer(bytes.fromhex(self.background[1:]), np.uint8)


def require_pixels(width: int, height: int, limits: VideoLimits) -> None:
    """Raise `RejectedFile` for frames of more pixels than the limit allows."""
    if width * height > limits.pixels:
        raise RejectedFile(
            "too-large",
            f"frames of {width}x{height}, at most {limits.pixels} pixels are read: scale them "
            f"down, or raise the limit: --set limits.pixels={width * height}",
        )


def assumed_matrix(height: int) -> int:
    """Return the matrix that players assume of a film of a height, where it states none."""
    return BT709 if height >= HIGH_DEFINITION else BT601


def deinterlaced(frames: Iterable[Timed]) -> Iterator[Timed]:
    """Yield the frames, each showing the moment of its first field.

    From the first interlaced frame on they pass through FFmpeg's bwdif, which leaves those that
    are not interlaced as they are.
    """
    weave: _Deinterlacer | None = None
    for time, duration, frame in frames:
        if weave and not weave.fits(frame):
            yield from weave.end()
            weave = None
        if weave is None and frame.interlaced_frame:
            weave = _Deinterlacer(frame)
        if weave is None:
            yield time, duration, frame
        else:
            yield from weave(time, duration, frame)
    if weave:
        yield from weave.end()


class _Deinterlacer:
    """A filter that returns as many frames as it is given, each some frames later."""

    def __init__(self, frame: Any):
        self.form = _form(frame)
        self.times: deque[tuple[float, float]] = deque()
        self.graph = Graph()
        entry = _entry(self.graph, frame)
        bwdif = self.graph.add("bwdif", "mode=send_frame:deint=interlaced")
        sink = self.graph.add("buffersink")
        entry.link_to(bwdif)
        bwdif.link_to(sink)
        self.graph.configure()
        self.count = 0

    def fits(self, frame: Any) -> bool:
        return _form(frame) == self.form

    def __call__(self, time: float, duration: float, frame: Any) -> Iterator[Timed]:
        self.times.append((time, duration))
        frame.pts, self.count = self.count, self.count + 1  # the filter may not mend the times
        self.graph.push(frame)
        return self._pull()

    def end(self) -> Iterator[Timed]:
        self.graph.push(None)
        return self._pull()

    def _pull(self) -> Iterator[Timed]:
        while self.times:
            try:
                frame = self.graph.pull()
            except (BlockingIOError, EOFError):
                return
            yield (*self.times.popleft(), frame)


def _form(frame: Any) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name


STANDARD, HIGH_RANGE = "gbrp", "gbrp16le"
"""RGB in planes of 8 and 16 bits: to packed RGB, FFmpeg scales colours to half the width."""


class Converter:
    """Convert the frames of one file to squares; `opaque` of a picture is its `Profile`."""

    def __init__(self, view: View, pixel_shape: float, limits: VideoLimits):
        self.view, self.pixel_shape, self.limits = view, pixel_shape, limits
        self.reformatter = VideoReformatter()

    def __call__(self, frame: Any) -> SquareFrame:
        require_pixels(frame.width, frame.height, self.limits)
        matrix = display_matrix(frame)
        if frame.colorspace == UNKNOWN and not frame.format.is_rgb:
            frame.colorspace = assumed_matrix(frame.height)
        if is_standard(frame):
            shown = opaque(frame, self.view.colour)
            pixels = as_srgb(self._scaled(shown, STANDARD), shown.opaque or b"")
        else:
            signal = self._scaled(frame, HIGH_RANGE) / LARGEST_16_BIT
            pixels = on_standard_screen(signal.clip(0, 1), frame.color_trc, frame.color_primaries)
        return self._square(displayed(pixels, matrix))

    def _scaled(self, frame: Any, form: str) -> np.ndarray:
        height, width = self._size(frame)
        scaled = self.reformatter.reformat(
            frame, width, height, form, interpolation=Interpolation.AREA, threads=1
        )
        pixels = scaled.to_ndarray()
        return widened(pixels) if is_limited_grey(frame) else pixels

    def _size(self, frame: Any) -> tuple[int, int]:
        """Return the height and width of the frame before it is turned and cropped."""
        size, fit = self.view.size, self.view.fit
        if fit == "stretch":
            return size, size
        width, height = frame.width * self.pixel_shape, frame.height
        if max(width, height) > NARROWEST * min(width, height):
            raise RejectedFile(
                "shape",
                f"frames of {frame.width}x{frame.height}, one side over {NARROWEST} times the "
                "other: crop them",
            )
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


def is_limited_grey(frame: Any) -> bool:
    """Return whether a frame without colours is of limited range, which swscale takes as full."""
    is_grey = len(frame.format.components) == 1 and not frame.format.has_palette
    return is_grey and frame.color_range == ColorRange.MPEG


def widened(pixels: Frame | UInt16[np.ndarray, "height width 3"]) -> Any:
    """Return pixels of limited range in the full one, in the same 8 or 16 bits."""
    level = 256 ** (pixels.itemsize - 1)
    wide = (pixels.astype(np.float32) - BLACK * level) * (255 / (WHITE - BLACK))
    return wide.clip(0, 255 * level).round().astype(pixels.dtype)


def display_matrix(frame: Any) -> Int[np.ndarray, "2 2"]:
    """Return where a frame's display matrix (ISO/IEC 14496-12, 6.2.2) shows its axes.

    Row 0 is where the pixels that lie to the right are shown, row 1 those that lie below: to the
    right and below by 1, 0 or -1. A matrix that is none of the eight counts as the identity.
    """
    identity = np.eye(2, dtype=np.int64)
    try:
        data = _side_data(frame).get("DISPLAYMATRIX")
    except ValueError:  # data of another kind that PyAV does not know
        turns = frame.rotation // 90 % 4 if frame.rotation % 90 == 0 else 0
        return np.linalg.matrix_power(np.array([[0, -1], [1, 0]]), turns)
    if data is None:
        return identity
    a, b, _, c, d, *_ = np.frombuffer(data, np.int32, 9).tolist()
    straight, across = (abs(a), abs(d)), (abs(b), abs(c))
    if min(straight) > STEEPEST * max(across):
        return np.diag(np.sign([a, d]))
    if min(across) > STEEPEST * max(straight):
        return np.array([[0, np.sign(b)], [np.sign(c), 0]])
    return identity


def profile_of(frame: Any) -> bytes:
    """Return the ICC profile of a decoded picture that is no PNG, whose side data end PyAV."""
    try:
        return bytes(_without_exif(frame).get("ICC_PROFILE") or b"")
    except ValueError:  # data of another kind that PyAV does not know
        return b""


def _side_data(frame: Any) -> Any:
    """Return what comes with a frame, but for what PyAV cannot read: EXIF, and profiles of PNG."""
    if frame.format.name in OF_PNG:
        frame = _filtered(frame, "sidedata", f"mode=delete:type={PROFILE}")
    return _without_exif(frame)


def _without_exif(frame: Any) -> Any:
    try:
        return frame.side_data
    except ValueError:
        return _filtered(frame, "sidedata", f"mode=delete:type={EXIF}").side_data


def _filtered(frame: Any, name: str, options: str) -> Any:
    """Return a frame as one of FFmpeg's filters makes it."""
    graph = Graph()
    entry = _entry(graph, frame)
    change, sink = graph.add(name, options), graph.add("buffersink")
    entry.link_to(change)
    change.link_to(sink)
    graph.configure()
    graph.push(frame)
    return graph.pull()


def _entry(graph: Graph, frame: Any) -> Any:
    return graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )


def displayed(frame: Frame, matrix: Int[np.ndarray, "2 2"]) -> UInt8[np.ndarray, "_ _ 3"]:
    """Return the frame as the matrix of `display_matrix` shows it."""
    upright = frame if matrix[0, 0] else frame.transpose(1, 0, 2)  # [height width rgb]
    right, below = matrix.sum(0)
    return upright[::below, ::right]


def opaque(frame: Any, colour: UInt8[np.ndarray, "3"]) -> Any:
    """Return the frame composited over a colour of sRGB, if any pixel is transparent."""
    if not frame.format.has_palette and not any(c.is_alpha for c in frame.format.components):
        return frame
    pixels = frame.reformat(format="rgba", threads=1).to_ndarray()
    alpha = pixels[..., 3:].astype(np.uint32)
    if alpha.min() == 255:
        return frame
    colours = as_srgb(pixels[..., :3], frame.opaque or b"")
    blended = (colours * alpha + colour * (255 - alpha) + 127) // 255
    return av.VideoFrame.from_ndarray(blended.astype(np.uint8), format="rgb24")
