"""Seamless loops: the end of a clip is blended into its beginning.

After the last frame of the loop comes its first one, as if the clip went on; the blend then leads
from the clip's end to its beginning (A. Schödl et al., Video textures, SIGGRAPH 2000).
"""

import numpy as np
from jaxtyping import Float, UInt8

from videogen.files.clip import Frames

Loop = UInt8[np.ndarray, "loop height width 3"]


def looped(frames: Frames) -> Loop:
    """Return a clip that repeats seamlessly, shorter by the frames of the blend.

    The blend is the shortest in which no two frames in a row differ more (root mean square) than
    frames of the clip usually do, and at most half of the clip.
    """
    usual = steps_of(frames)[:-1].mean() if len(frames) > 1 else 0.0
    candidate = frames
    for overlap in range(len(frames) // 2 + 1):
        candidate = blended(frames, overlap)
        steps = steps_of(candidate)
        if np.append(steps[:overlap], steps[-1]).max() <= usual:
            break
    return candidate


def blended(frames: Frames, overlap: int) -> Loop:
    """Blend the last `overlap` frames into the first ones, in equal steps.

    y_i = a_i x_i + (1 - a_i) x_(i + L), a_i = (i + 1) / (overlap + 1), for the first `overlap` of
    the L = len(frames) - overlap frames that remain.
    """
    length = len(frames) - overlap
    share = (np.arange(1, overlap + 1) / (overlap + 1))[:, None, None, None]
    first, last = frames[:overlap].astype(np.float64), frames[length:].astype(np.float64)
    mixed = (share * first + (1 - share) * last).round().astype(np.uint8)
    return np.concatenate([mixed, frames[overlap:length]])


def steps_of(frames: Frames) -> Float[np.ndarray, " time"]:
    """Return the root mean square difference of each frame to the next, of the last to the first.

    In levels of 0 to 255.
    """
    difference = np.roll(frames, -1, 0).astype(np.float64) - frames
    return np.sqrt((difference**2).mean((1, 2, 3)))
