"""Enlarge and shrink frames: as a model has learned, each pixel as a square, or by Lanczos's
kernel."""

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from core.errors import ConfigError
from videogen.files.clip import Frames

Resized = UInt8[np.ndarray, "time rows columns 3"]
Weights = Float[np.ndarray, "target source"]

PLAYER_PX = 256
"""Height to which small clips are enlarged unasked."""
MOST_PX = 4096
"""Largest side of an enlarged frame, about the largest that players decode."""
SMALL_PX = 64
"""From this height on a clip shows more than its pixels, and is enlarged smoothly."""
LOBES = 3
"""Zeros of Lanczos's kernel on each side."""

Kernel = Literal["nearest", "lanczos"]


@runtime_checkable
class Enlarges(Protocol):
    """A model of super-resolution."""

    def enlarged(self, frames: Frames) -> Resized: ...


@dataclass(frozen=True)
class Enlargement:
    """A factor, and how pixels between pixels are computed.

    `factor`: by default the whole one that leads to about `PLAYER_PX`. `kernel`: nearest makes
    each pixel a square, lanczos interpolates; by default nearest for whole factors of clips below
    `SMALL_PX`, otherwise lanczos. `model`: enlarges frames as a model of super-resolution has
    learned, before they are resized to the factor.
    """

    factor: float | None = None
    kernel: Kernel | None = None
    model: Enlarges | None = None

    def fine(self, frames: Frames) -> Resized:
        """Return frames as large as the model of super-resolution makes them, if there is one."""
        return self.model.enlarged(frames) if self.model else frames

    def __call__(self, frames: Frames) -> Resized:
        """Resize frames; `ConfigError` beyond `MOST_PX`."""
        return self.resized(self.fine(frames), frames.shape[1])

    def resized(
        self, frames: Resized, height_px: int
    ) -> UInt8[np.ndarray, "time target_rows target_columns 3"]:
        """Resize frames, which are the `fine` ones of clips of this height."""
        wanted = self.factor or max(1, round(PLAYER_PX / height_px))
        height, width = frames.shape[1:3]
        factor = wanted * height_px / height
        if factor == 1:
            return frames
        if factor * max(height, width) > MOST_PX:
            most = f"{MOST_PX / max(height, width) * wanted / factor:g}"
            raise ConfigError(
                f"clips of {height_px} pixels are written at most {most} times as large, and not "
                f"{wanted:g} times: --scale {most}"
            )
        is_whole = factor == int(factor)
        usual = "nearest" if is_whole and height < SMALL_PX else "lanczos"
        if (self.kernel or usual) == "lanczos":
            return lanczos(frames, factor)
        return repeated(frames, int(factor)) if is_whole else nearest(frames, factor)


def repeated(frames: Frames, factor: int) -> Resized:
    """Enlarge by a whole factor: each pixel becomes a square."""
    return frames.repeat(factor, 1).repeat(factor, 2)


def nearest(frames: Frames, factor: float) -> Resized:
    """Resize by any factor: each pixel is the one below its centre."""
    rows, columns = (
        np.minimum((np.arange(_target(side, factor)) + 0.5) / factor, side - 1).astype(int)
        for side in frames.shape[1:3]
    )
    return frames[:, rows][:, :, columns]


def lanczos(frames: Frames, factor: float) -> Resized:
    """Resize by any factor with Lanczos's kernel, rows and columns in turn.

    C. E. Duchon, Lanczos filtering in one and two dimensions, Journal of Applied Meteorology 1979.
    """
    rows, columns = (lanczos_weights(side, _target(side, factor)) for side in frames.shape[1:3])
    resized = [
        np.einsum("rh,hwc,vw->rvc", rows, image.astype(np.float32), columns, optimize=True)
        for image in frames
    ]
    return np.stack(resized).round().clip(0, 255).astype(np.uint8)


def lanczos_weights(source: int, target: int) -> Weights:
    """Return the share of each source pixel in each target pixel: sinc(d) sinc(d / 3), normalised.

    d is the distance of their centres in the larger pixels of the two.
    """
    step = source / target  # of the target's centres, in source pixels
    centres = (np.arange(target) + 0.5) * step - 0.5
    d = (np.arange(source) - centres[:, None]) / max(step, 1.0)
    kernel = np.where(np.abs(d) < LOBES, np.sinc(d) * np.sinc(d / LOBES), 0.0)
    return (kernel / kernel.sum(1, keepdims=True)).astype(np.float32)


def _target(side: int, factor: float) -> int:
    return max(1, round(side * factor))
