"""Differentiable augmentation: the critic sees real and generated samples under one augmentation.

Zhao, Liu, Lin, Zhu and Han, NeurIPS 2020. Only a share of the samples is augmented, so that the
augmentation does not leak into what is generated: equal distributions of augmented samples then
imply equal distributions of samples (Karras et al., NeurIPS 2020, section 2.2).
"""

from collections.abc import Mapping

import torch

from core.theory.shapes import Samples

SHARE = 0.5
"""Share of the samples that are augmented."""


def shifted(x: Samples, most: Mapping[int, int]) -> Samples:
    """Translate half of the samples at random, cyclically, by up to `most` steps along each axis.

    `most`: axis of x -> largest shift. Differentiable.
    """
    augmented = torch.rand(len(x), device=x.device) < SHARE
    for axis, largest in most.items():
        steps = torch.randint(-largest, largest + 1, (len(x),), device=x.device) * augmented
        size = x.shape[axis]
        index = (torch.arange(size, device=x.device) - steps[:, None]) % size
        shape = [1] * x.ndim
        shape[0], shape[axis] = len(x), size
        x = x.gather(axis, index.view(shape).expand_as(x))  # [batch *event]
    return x
