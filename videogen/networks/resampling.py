"""Convolutional networks between images and vectors: `Upsampler` and `Downsampler`."""

import itertools
import math

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.generators import GENERATORS, ProgressiveGenerator
from core.theory.shapes import Features
from videogen.networks.config import VideoConfig

Maps = Float[Tensor, "batch channel row column"]

COARSEST = 4
"""Height and width of the coarsest maps."""


def doublings_to(size: int) -> int:
    """Return the number of doublings from the coarsest maps to half of `size`."""
    return int(math.log2(size // COARSEST)) - 1


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
    """Return a 3 x 3 convolution with LeakyReLU 0.2."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.LeakyReLU(0.2))


class Upsampler(nn.Module):
    """Map a code to an image: maps are doubled up to half its size, then pixel-shuffled."""

    def __init__(self, code: int, channels: int, size: int, outputs: int):
        super().__init__()
        widths = [channels * min(2, 2**n) for n in reversed(range(doublings_to(size) + 1))]
        self.first = nn.Sequential(nn.Linear(code, widths[0] * COARSEST**2), nn.LeakyReLU(0.2))
        self.doublings = nn.ModuleList(
            nn.Sequential(nn.Upsample(scale_factor=2), convolution(a, b))
            for a, b in itertools.pairwise(widths)
        )
        self.last = nn.Sequential(
            convolution(channels, channels), nn.Conv2d(channels, 4 * outputs, 3, 1, 1)
        )

    def forward(self, code: Features) -> Maps:
        maps = self.first(code).unflatten(
            1, (-1, COARSEST, COARSEST)
        )  # [batch channel row column]
        for double in self.doublings:
            maps = double(maps)
        return F.pixel_shuffle(self.last(maps), 2)  # [batch output height width]


def generator(config: VideoConfig, size: int, outputs: int) -> nn.Module:
    """Return a network from a code to maps of `size` x `size`, built of the configured blocks."""
    if config.blocks == "paper":
        return Upsampler(config.width, config.channels, size, outputs)
    sizes = (config.width, config.channels, (COARSEST, COARSEST), doublings_to(size) + 1, outputs)
    if config.blocks == "growing":
        return ProgressiveGenerator(*sizes, config.level_steps)
    return GENERATORS[config.blocks](*sizes)


class Downsampler(nn.Module):
    """Map an image to a vector of features: strided convolutions halve it to the coarsest maps."""

    def __init__(self, inputs: int, channels: int, size: int):
        super().__init__()
        halvings = doublings_to(size) + 1
        widths = [inputs, *[channels * min(4, 2**n) for n in range(halvings)]]
        self.layers = nn.Sequential(*[convolution(a, b, 2) for a, b in itertools.pairwise(widths)])
        self.features = widths[-1] * COARSEST**2

    def forward(self, images: Maps) -> Features:
        return self.layers(images).flatten(1)  # [batch (channel row column)]
