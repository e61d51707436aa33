"""Augmentation of the clips that classifiers are trained on."""

import numpy as np
from torch.nn import functional as F

from videogen.files.clip import Clips

SHIFT_PX = 2
"""Largest random shift of training clips, in pixels."""


def shifted_clips(clips: Clips, step: int) -> Clips:
    """Shift all clips of a step by one offset; pixels at the border are repeated."""
    down, right = np.random.default_rng(step).integers(-SHIFT_PX, SHIFT_PX + 1, 2)
    padded = F.pad(clips, (SHIFT_PX,) * 4 + (0, 0), mode="replicate")
    height, width = clips.shape[3:]
    top, left = SHIFT_PX + down, SHIFT_PX + right
    return padded[..., top : top + height, left : left + width]
