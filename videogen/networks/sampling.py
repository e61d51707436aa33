"""Downsampling and upsampling of pictures, with the sizes of all networks of clips."""

import itertools
import math
from typing import Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import Strict
from core.networks.generators import MADE_OF, Growing
from core.theory.shapes import Features
from videogen.networks.text import TextConfig

Pictures = Float[Tensor, "batch 3 height width"]
Maps = Float[Tensor, "batch channel row column"]
Chunks = Float[Tensor, "batch moment feature"]
Masks = Float[Tensor, "batch 1 time height width"]

RGB = 3
COARSEST = 4
"""Height and width of the coarsest maps."""
FRAMES_PER_CHUNK = 2
"""Frames that are made by one map, in its channels: they differ little."""
BLOCKS = 3
"""Of residual convolutions in a translation."""
HARMONICS = 6
"""Sines and cosines that tell a generator the time."""


class VideoConfig(Strict):
    """Sizes of the networks, and what is left out for comparison.

    `latent`: of z; its first half makes the gist. `channels`: of the finest maps of the generator,
    `critic_channels` of the critic. `seen_frames`: what the encoder sees, evenly spaced (the
    paper: 1, the first). `pixel_std`: the error of a pixel, in [-1, 1], that reconstructions
    overlook. `gist` and `text_filter`: without the one DT2V, without the other GT2V. `blocks`:
    what generators are made of. `level_steps`: steps in which a level of growing ones joins.
    """

    latent: int = Field(default=16, ge=4)
    channels: int = Field(default=32, ge=4)
    critic_channels: int = Field(default=24, ge=4)
    width: int = Field(default=256, ge=16)
    seen_frames: int = Field(default=4, gt=0)
    filters: int = Field(default=32, gt=0)
    pixel_std: float = Field(default=1.0, gt=0)
    gist: bool = True
    text_filter: bool = True
    blocks: Literal["paper", "dcgan", "style", "growing"] = "paper"
    level_steps: int = Field(default=500, gt=0)
    text: TextConfig = TextConfig()


def doublings_to(size: int) -> int:
    """Steps from the coarsest maps to half the size."""
    return int(math.log2(size // COARSEST)) - 1


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
    """Apply a 3 x 3 convolution and LeakyReLU 0.2."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.LeakyReLU(0.2))


class Upsampler(nn.Module):
    """A code -> maps of half the wanted size -> pixels, by doubling."""

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
        maps = self.first(code).unflatten(1, (-1, COARSEST, COARSEST))
        for double in self.doublings:
            maps = double(maps)
        return F.pixel_shuffle(self.last(maps), 2)


def generator(config: VideoConfig, size: int, outputs: int) -> nn.Module:
    """A code -> maps of the wanted size, made of the chosen blocks."""
    if config.blocks == "paper":
        return Upsampler(config.width, config.channels, size, outputs)
    sizes = (config.width, config.channels, (COARSEST, COARSEST), doublings_to(size) + 1, outputs)
    if config.blocks == "growing":
        return Growing(*sizes, config.level_steps)
    return MADE_OF[config.blocks](*sizes)


class Downsampler(nn.Module):
    """Pictures -> features, by halving down to the coarsest maps."""

    def __init__(self, inputs: int, channels: int, size: int):
        super().__init__()
        halvings = doublings_to(size) + 1
        widths = [inputs, *[channels * min(4, 2**n) for n in range(halvings)]]
        self.layers = nn.Sequential(*[convolution(a, b, 2) for a, b in itertools.pairwise(widths)])
        self.features = widths[-1] * COARSEST**2

    def forward(self, pictures: Maps) -> Features:
        return self.layers(pictures).flatten(1)
