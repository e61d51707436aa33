"""Latin hypercube sampling: samples that are spread as their distribution is.

Of n uniform numbers one lies in each n-th of the interval, in random order (McKay, Beckman and
Conover, Technometrics 1979). Each alone is uniform, but what a set of songs has on average varies
less from set to set: of 64 songs, about as many have a piano as the density says.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from core.theory.shapes import Samples

EDGE = 1e-6
"""The least distance of a number to 0 and 1, whose normal quantiles are infinite."""


def uniform(count: int, *numbers: int, device: torch.device) -> Samples:
    """Return uniform numbers in (0, 1), [count *numbers], each spread over the samples."""
    shape = count, *numbers
    interval = torch.rand(shape, device=device).argsort(0)
    within = (interval + torch.rand(shape, device=device)) / count
    return within.clamp(EDGE, 1 - EDGE)


def normal(count: int, *numbers: int, device: torch.device) -> Samples:
    """Return samples of N(0, I), [count *numbers], each number spread over the samples."""
    return math.sqrt(2) * torch.erfinv(2 * uniform(count, *numbers, device=device) - 1)


def classes(chances: Float[Tensor, "sample class"]) -> Int[Tensor, " sample"]:
    """Return a class of each sample by its chances; those of equal chances are spread.

    >>> classes(torch.tensor([0.25, 0.0, 0.75]).expand(8, 3)).bincount().tolist()
    [2, 0, 6]
    """
    below = chances.cumsum(1)
    drawn = uniform(len(chances), 1, device=chances.device) * below[:, -1:]
    return (below <= drawn).sum(1)
