"""Little films for tests: frames that can be distinguished, and files of every odd kind."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

IDENTITY = bytes.fromhex("00010000" + "0" * 16 + "0" * 8 + "00010000" + "0" * 24 + "40000000")
"""The matrix of a track in mp4 that turns nothing."""
MINUS_ONE = "ffff0000"


def greys(*levels: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Frames that are one grey each."""
    frames = np.empty((len(levels), height, width, 3), np.uint8)
    frames[:] = np.array(levels, np.uint8)[:, None, None, None]
    return frames


def corners(height: int = 48, width: int = 64, count: int = 2) -> np.ndarray:
    """Frames whose top left quarter is red, top right green, bottom left blue, the rest white."""
    frames = np.full((count, height, width, 3), 255, np.uint8)
    half, middle = height // 2, width // 2
    frames[:, :half, :middle] = (255, 0, 0)
    frames[:, :half, middle:] = (0, 255, 0)
    frames[:, half:, :middle] = (0, 0, 255)
    return frames


def write_film(
    path: Path,
    *streams: np.ndarray,
    codec: str = "libx264",
    picture: str = "yuv420p",
    times: Sequence[int] | None = None,
    rate: Fraction = Fraction(100),
    pixel: Fraction | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Each stream's frames, [time height width rgb(a)], at `times` in units of 1 / rate."""
    with av.open(str(path), "w") as file:
        tracks: list[Any] = [file.add_stream(codec, rate=rate, options=options) for _ in streams]
        for track, frames in zip(tracks, streams, strict=True):
            track.height, track.width = frames.shape[1:3]
            track.pix_fmt = picture
            track.codec_context.time_base = track.time_base = 1 / rate
            if pixel:
                track.codec_context.sample_aspect_ratio = pixel
        for track, frames in zip(tracks, streams, strict=True):
            for number, pixels in enumerate(frames):
                form = "rgba" if pixels.shape[-1] == 4 else "rgb24"
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=form)
                frame = frame.reformat(format=picture)
                frame.pts, frame.time_base = times[number] if times else number, 1 / rate
                file.mux(track.encode(frame))
            file.mux(track.encode(None))
    return path


def turn(path: Path, degrees: int) -> Path:
    """Let an mp4 say that it is to be shown turned clockwise; 45 makes it nonsense."""
    cosine, sine = {90: (0, 1), 180: (-1, 0), 270: (0, -1), 45: (0, 0)}[degrees]
    return display(path, cosine, sine, -sine, cosine)


def display(path: Path, a: int, b: int, c: int, d: int) -> Path:
    """Let an mp4 say that its pixel (x, y) is to be shown at (a x + c y, b x + d y)."""
    cell = {0: "00000000", 1: "00010000", -1: MINUS_ONE}
    rows = [cell[a], cell[b], cell[0], cell[c], cell[d], cell[0]]
    matrix = bytes.fromhex("".join([*rows, cell[0], cell[0], "40000000"]))
    data = path.read_bytes()
    at = data.rindex(IDENTITY)  # the first is the whole film's, the last the track's
    path.write_bytes(data[:at] + matrix + data[at + len(matrix) :])
    return path


def woven(frames: np.ndarray) -> np.ndarray:
    """Interlace: each frame shows its even lines, and the odd lines of the next one."""
    fields = frames[::2].copy()
    fields[:, 1::2] = frames[1::2, 1::2]
    return fields


def write_ten_bits(path: Path, signal: np.ndarray, transfer: int, primaries: int) -> Path:
    """A film of ten bits in the colours of BT.2020; signal [time height width rgb] in [0, 1]."""
    with av.open(str(path), "w") as file:
        track: Any = file.add_stream("libx264", rate=8, options={"crf": "1"})
        track.height, track.width = signal.shape[1:3]
        track.pix_fmt = "yuv420p10le"
        context = track.codec_context
        context.color_trc, context.color_primaries, context.colorspace = transfer, primaries, 9
        for pixels in signal:
            luma = pixels @ (0.2627, 0.6780, 0.0593)
            blue, red = (pixels[..., 2] - luma) / 1.8814, (pixels[..., 0] - luma) / 1.4746
            planes = [luma * 876 + 64, blue[::2, ::2] * 896 + 512, red[::2, ::2] * 896 + 512]
            flat = np.concatenate([plane.round().astype(np.uint16).ravel() for plane in planes])
            frame = av.VideoFrame.from_ndarray(
                flat.reshape(-1, signal.shape[2]), format="yuv420p10le"
            )
            file.mux(track.encode(frame))
        file.mux(track.encode(None))
    return path
