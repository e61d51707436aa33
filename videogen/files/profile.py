"""The colours of a picture by its ICC profile (ISO 15076-1), as a standard screen shows them.

A PNG may state a gamma instead, as old Macs and renderers do (PNG, 11.3.2.2).
Phones and cameras write Display P3 and Adobe RGB, in which a number stands for a stronger colour
than in sRGB. Profiles are not trusted: one that Little CMS does not read, that has more than
`MOST_BYTES`, or that is not of red, green and blue, is passed over.
"""

import functools
import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsTransform

MOST_BYTES = 4_000_000
"""Bytes of a profile; those of screens and cameras have fewer than a million."""
SIGNATURE_BYTES = 8
"""Bytes of a PNG before its chunks."""
COLOURS = slice(16, 20)
"""Bytes of a profile that name the colours which it is of (7.2.8)."""
NEAR = 2
"""Levels by which a profile of sRGB, of whichever maker, changes a colour at most."""
LEVELS = np.linspace(0, 255, 9).astype(np.uint8)
CUBE = np.stack(np.meshgrid(LEVELS, LEVELS, LEVELS), -1).reshape(9, 81, 3)  # [row column rgb]
"""Colours evenly spaced."""

SCREEN = 2.2
"""Exponent of the screens on which a PNG without a gamma is right."""
NEAR_GAMMA = 0.05
"""Share by which a gamma differs from one that changes nothing, at most (that of libpng)."""
LARGEST_EXPONENT = 10.0
"""Exponent of values, or of its inverse, beyond which a gamma is passed over."""

Profile = bytes | float
"""An ICC profile, empty for none, or the exponent of values in [0, 1] that are not of one."""
Pixels = UInt8[np.ndarray, "height width 3"]


def profile_of_png(data: Any) -> Profile:
    """Return the profile of a PNG (its iCCP chunk), at most `MOST_BYTES`, or that of its gamma.

    b"" if it has none, and where it states by which standard its colours are (sRGB, cICP).
    """
    data.seek(SIGNATURE_BYTES)
    kind, found = b"", b""
    while kind != b"IDAT" and len(head := data.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        begin = data.tell()
        if kind in (b"sRGB", b"cICP"):
            return b""
        if kind == b"iCCP":
            packed = data.read(min(size, MOST_BYTES)).partition(b"\0")[2][1:]
            try:
                return zlib.decompressobj().decompress(packed, MOST_BYTES)
            except zlib.error:
                return b""
        if kind == b"gAMA":
            found = _exponent(int.from_bytes(data.read(4), "big") / 100_000)
        data.seek(begin + size + 4)
    return found


def _exponent(gamma: float) -> Profile:
    """Return the exponent of values of a gamma; b"" if it changes nothing, or cannot be.

    >>> _exponent(1.0) == 1 / 2.2, _exponent(0.45455)
    (True, b'')
    """
    exponent = 1 / (gamma * SCREEN) if gamma else LARGEST_EXPONENT
    if abs(exponent - 1) < NEAR_GAMMA or not 1 < LARGEST_EXPONENT * exponent < LARGEST_EXPONENT**2:
        return b""
    return exponent


def as_srgb(pixels: Pixels, profile: Profile) -> Pixels:
    """Return pixels with the colours of sRGB; as they are, if they have these already."""
    if not isinstance(profile, bytes):
        levels = 255 * (np.arange(256) / 255) ** profile
        return levels.round().astype(np.uint8)[pixels]
    transform = _to_srgb(profile) if 0 < len(profile) < MOST_BYTES else None
    if transform is None:
        return pixels
    return _transformed(pixels, transform)


def _transformed(pixels: Pixels, transform: "ImageCmsTransform") -> Pixels:
    from PIL import Image, ImageCms

    return np.asarray(ImageCms.applyTransform(Image.fromarray(pixels), transform))


@functools.lru_cache(maxsize=1)
def _to_srgb(profile: bytes) -> "ImageCmsTransform | None":
    """Return the transform of a profile; None if it changes no colour, or is passed over."""
    from PIL import ImageCms  # few pictures have a profile: films do not wait for it

    if profile[COLOURS] != b"RGB ":
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), "RGB", "RGB")
        shown = _transformed(CUBE, transform)
    except (OSError, ImageCms.PyCMSError):
        return None
    change = np.abs(shown.astype(int) - CUBE).max()
    return transform if change > NEAR else None
