"""Generators of maps [batch channel *place] over one to three axes, by doubling from a few places.

DCGAN(16, 32, (4, 4), 2, 3)         transposed convolutions, batch normalisation
StyleBased(16, 32, (4, 4), 2, 3)    convolutions that a style scales, level after level

Both read a code [batch 16] and make 3 channels of 16 x 16 places; (4,) makes sequences, (2, 4, 4)
clips. What the channels mean (logits, pixels) is for the domain to say.

Radford, Metz and Chintala, ICLR 2016 (DCGAN); Karras, Laine, Aittala, Hellsten, Lehtinen and Aila,
CVPR 2020 (StyleGAN2).
"""

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks import MLP

Codes = Float[Tensor, "batch code"]
Maps = Float[Tensor, "batch channel *place"]
Made = Float[Tensor, "batch _ *_"]
"""Maps of other channels or places than those that were read."""

CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
NORM = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
"""By the number of axes."""

KERNEL = 3
EPSILON = 1e-8
LEAK = 0.2
GAIN = math.sqrt(2 / (1 + LEAK**2))
"""What LeakyReLU takes from the mean square of a normal distribution (He et al., 2015)."""


def widths(channels: int, doublings: int) -> list[int]:
    """Channels of each level, coarse to fine: halved as places double.

    >>> widths(32, 2)
    [128, 64, 32]
    """
    return [channels * 2**level for level in reversed(range(doublings + 1))]


class Double(nn.Sequential):
    """Twice as many places along each axis: transposed convolution, normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, axes: int):
        convolution = TRANSPOSED[axes](inputs, outputs, 4, stride=2, padding=1, bias=False)
        super().__init__(convolution, NORM[axes](outputs), nn.ReLU())


class DCGAN(nn.Module):
    """code -> maps of `coarsest` places, doubled so many times (Radford et al., figure 1)."""

    def __init__(
        self, code: int, channels: int, coarsest: Sequence[int], doublings: int, outputs: int
    ):
        super().__init__()
        first, *_ = levels = widths(channels, doublings)
        axes = len(coarsest)
        self.first = nn.Sequential(
            nn.Linear(code, first * math.prod(coarsest), bias=False),
            nn.Unflatten(1, (first, *coarsest)),
            NORM[axes](first),
            nn.ReLU(),
        )
        self.doublings = nn.Sequential(
            *(Double(a, b, axes) for a, b in itertools.pairwise(levels))
        )
        self.last = TRANSPOSED[axes](channels, outputs, KERNEL, padding=1)

    def forward(self, code: Codes) -> Made:
        return self.last(self.doublings(self.first(code)))


class Modulated(nn.Module):
    """A convolution whose weights a style scales by input channel, then brought back to norm 1.

    w' = s_i w_oik, w'' = w' / sqrt(sum over i, k of w'^2) (StyleGAN2, eq. 1 and 3): independent
    inputs of variance 1 leave with variance 1, whatever the style. As both scales are of whole
    channels, they are put on inputs and outputs, and all samples share one convolution.
    """

    def __init__(self, inputs: int, outputs: int, axes: int, style: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, *[KERNEL] * axes))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = nn.Linear(style, inputs)
        nn.init.ones_(self.scale.bias)
        self.convolve = CONVOLVE[axes]

    def forward(self, maps: Maps, style: Float[Tensor, "batch style"]) -> Made:
        scale = self.scale(style)
        made = self.convolve(_per_channel(scale, maps) * maps, self.weight, padding=KERNEL // 2)
        squares = scale.square() @ self.weight.square().flatten(2).sum(2).T
        return made * _per_channel((squares + EPSILON).rsqrt(), made) + _per_channel(
            self.bias[None], made
        )


def _per_channel(values: Float[Tensor, "_ channel"], maps: Tensor) -> Tensor:
    """Values as they multiply maps: with an axis of one for each of the maps' axes."""
    return values.view(*values.shape, *[1] * (maps.dim() - 2))


class StyleBased(nn.Module):
    """A learned constant, to which the code comes only as a style, at each level.

    The code is mapped to a style by an MLP. Noise, blurred doubling and sums over the levels'
    pictures are left out: what is here is what modulation itself does.
    """

    def __init__(
        self, code: int, channels: int, coarsest: Sequence[int], doublings: int, outputs: int
    ):
        super().__init__()
        levels = widths(channels, doublings)
        axes, style = len(coarsest), levels[0]
        self.style = nn.Sequential(MLP(code, style, style), nn.LeakyReLU(LEAK))
        self.constant = nn.Parameter(torch.randn(levels[0], *coarsest))
        self.first = Modulated(levels[0], levels[0], axes, style)
        self.doublings = nn.ModuleList(
            Modulated(a, b, axes, style) for a, b in itertools.pairwise(levels)
        )
        self.last = Modulated(channels, outputs, axes, style)

    def forward(self, code: Codes) -> Made:
        style = self.style(code)
        maps = self.constant.expand(len(code), *self.constant.shape)
        maps = _activate(self.first(maps, style))
        for convolution in self.doublings:
            maps = _activate(convolution(F.interpolate(maps, scale_factor=2.0), style))
        return self.last(maps, style)


Blocks = Literal["paper", "dcgan", "style"]
"""What a domain's generators are made of: what its paper says, or one of the two here."""

MADE_OF = {"dcgan": DCGAN, "style": StyleBased}


def _activate(maps: Maps) -> Maps:
    return GAIN * F.leaky_relu(maps, LEAK)
