"""Times in frames, and numbers between those of two frames."""

import torch
from jaxtyping import Float
from torch import Tensor

Times = Float[Tensor, " moment"]
"""In frames, from 0; between two frames lie the moments that training did not show."""


def between(numbers: Float[Tensor, "*any"], times: Times, axis: int) -> Float[Tensor, "*moments"]:
    """Return numbers at times between their places along an axis, by linear interpolation.

    They stay at their ends.

    >>> between(torch.tensor([[0.0, 4.0]]), torch.tensor([0.0, 0.25, 9.0]), 1).tolist()
    [[0.0, 1.0, 4.0]]
    """
    last = numbers.shape[axis] - 1
    before = times.floor().long().clamp(0, last)
    after = (before + 1).clamp(max=last)
    shape = [-1, *[1] * (numbers.ndim - 1 - axis)]
    share = (times - before).clamp(0, 1).view(shape)  # [moment *1]
    ends = numbers.index_select(axis, before), numbers.index_select(axis, after)
    return torch.lerp(*ends, share.expand_as(ends[0]))
