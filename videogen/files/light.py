"""The light of high dynamic range and wide gamut, and how a standard screen shows it.

Frames of phones and televisions state by their transfer function (ITU-R BT.2100) which light a
signal stands for, and by their primaries which colours. The light is brought to the primaries of
BT.709; it is as bright as on a standard screen whose white is `WHITE` cd/m2 (BT.2408), and what is
brighter is compressed into the last tenth of the signal.
"""

from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

Light = Float[np.ndarray, "height width 3"]
"""Red, green and blue in units of the white of a standard screen."""
Signal = Float[np.ndarray, "height width 3"]
"""In [0, 1]."""

PQ, HLG = 16, 18
BT2020, P3 = 9, 12
"""Codes of transfer functions and primaries (ITU-T H.273)."""

WHITE = 203.0
"""Light of white on paper and of captions in HDR, in cd/m2 (BT.2408)."""
BRIGHTEST = 1000.0
"""Light of the brightest HLG signal on the reference screen, in cd/m2 (BT.2100)."""
GAMMA = 2.4
"""Exponent of a standard screen (BT.1886)."""
KNEE = 0.9
"""Signal from which on brighter light is compressed."""

D65 = (0.3127, 0.3290)
CHROMATICITIES = {
    "BT.709": ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    BT2020: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    P3: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
"""The x and y of red, green and blue."""
LUMINANCE = np.array([0.2627, 0.6780, 0.0593])
"""Weights of red, green and blue in the luminance of BT.2020."""


def is_standard(frame: Any) -> bool:
    """Return whether a frame is of standard range and gamut."""
    return frame.color_trc not in (PQ, HLG) and frame.color_primaries not in (BT2020, P3)


def on_standard_screen(
    signal: Signal, transfer: int, primaries: int
) -> UInt8[np.ndarray, "height width 3"]:
    """Return what a standard screen shows of a signal, in BT.709."""
    light = {PQ: pq, HLG: hlg}.get(transfer, standard)(signal)
    light = light @ to_bt709(primaries if primaries in CHROMATICITIES else BT2020).T
    shown = compressed(light) if transfer in (PQ, HLG) else light.clip(0, 1) ** (1 / GAMMA)
    return (255 * shown).round().astype(np.uint8)


def pq(signal: Signal) -> Light:
    """Return the light of a PQ signal: the EOTF of SMPTE ST 2084."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = signal ** (1 / m2)
    light = (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
    return light * 10_000 / WHITE


def hlg(signal: Signal) -> Light:
    """Return the light of an HLG signal: the inverse OETF and the OOTF of BT.2100, gamma 1.2."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    luminance = np.maximum(scene @ LUMINANCE, 1e-9)[..., None]
    return luminance**0.2 * scene * BRIGHTEST / WHITE


def standard(signal: Signal) -> Light:
    """Return the light of a standard signal (BT.1886)."""
    return signal**GAMMA


def to_bt709(primaries: int) -> Float[np.ndarray, "3 3"]:
    """Return the matrix from the light of other primaries to that of BT.709."""
    return np.linalg.inv(_to_xyz("BT.709")) @ _to_xyz(primaries)


def _to_xyz(primaries: int | str) -> Float[np.ndarray, "3 3"]:
    """Return the matrix from light to CIE XYZ (SMPTE RP 177): equal parts are the white D65."""
    x, y = np.array([*CHROMATICITIES[primaries], D65]).T  # red, green, blue and white
    colours = np.stack([x / y, np.ones(4), (1 - x - y) / y])  # [xyz rgbw]
    parts = np.linalg.solve(colours[:, :3], colours[:, 3])  # [rgb]
    return colours[:, :3] * parts


def compressed(light: Light) -> Signal:
    """Return the signal of a standard screen, whose light ends at its white.

    Below `KNEE` it is exact; above, the extended curve of Reinhard et al. (2002), equation 4,
    reaches 1 at the brightest light.
    """
    signal = np.maximum(light, 0) ** (1 / GAMMA)
    brightest = ((BRIGHTEST / WHITE) ** (1 / GAMMA) - KNEE) / (1 - KNEE)
    above = np.clip((signal - KNEE) / (1 - KNEE), 0, brightest)
    curve = above * (1 + above / brightest**2) / (1 + above)
    return np.where(signal > KNEE, KNEE + (1 - KNEE) * curve, signal)
