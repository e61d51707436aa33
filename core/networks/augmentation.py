"""Differentiable augmentation: what a critic sees of real and made samples is moved alike.

Zhao, Liu, Lin, Zhu and Han, NeurIPS 2020. Only some samples are moved, so that it cannot leak into
what is made: of two distributions that look alike through it, one is the other (Karras et al.,
NeurIPS 2020, section 2.2).
"""

from collections.abc import Mapping

import torch

from core.theory.shapes import Samples

SHARE = 0.5
"""Of the samples that are moved."""


def shifted(x: Samples, most: Mapping[int, int]) -> Samples:
    """Half of the samples, each moved around by up to `most` places along each axis (of x).

    What leaves at one end comes in at the other one; gradients go with it.
    """
    moved = torch.rand(len(x), device=x.device) < SHARE
    for axis, places in most.items():
        steps = torch.randint(-places, places + 1, (len(x),), device=x.device) * moved
        size = x.shape[axis]
        index = (torch.arange(size, device=x.device) - steps[:, None]) % size
        shape = [1] * x.ndim
        shape[0], shape[axis] = len(x), size
        x = x.gather(axis, index.view(shape).expand_as(x))
    return x
