"""Convolutions by their number of axes; those over three are not rounded on a processor.

In bfloat16 oneDNN's gradient of their kernels reads memory that nothing was written to, so that it
is NaN at times: in torch 2.11 on a processor with AVX512_BF16, for kernels of 3 x 3 x 3.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def conv3d(maps: Tensor, weight: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Convolve as `F.conv3d` does, on a processor in single precision at least."""
    if maps.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return F.conv3d(maps, weight, *args, **kwargs)
    with torch.autocast("cpu", enabled=False):
        return F.conv3d(maps.float(), weight.float(), *args, **kwargs)


class Conv3d(nn.Conv3d):
    """A convolution over three axes, on a processor in single precision at least."""

    def forward(self, maps: Tensor) -> Tensor:  # type: ignore[override]  # its name of it is input
        return conv3d(
            maps, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )


CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: conv3d}
CONVOLUTION = {1: nn.Conv1d, 2: nn.Conv2d, 3: Conv3d}
"""By the number of axes."""
