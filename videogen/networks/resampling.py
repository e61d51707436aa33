"""Convolutional networks between images and vectors: `Upsampler` and `Downsampler`.

Images are square, of any size from 16 pixels. The coarsest maps have 4 to 7 rows and columns; the
sizes to which they double are the powers of two and their like (20, 24, 28, 40, ...), and of the
next larger one the middle is taken.

>>> Grid.of(32), Grid.of(33)
(Grid(size=32, coarsest=4, doublings=3), Grid(size=33, coarsest=5, doublings=3))
"""

import itertools
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.generators import GENERATORS, ProgressiveGenerator
from core.theory.shapes import Features
from videogen.networks.config import VideoConfig

Maps = Float[Tensor, "batch channel row column"]
Resized = Float[Tensor, "batch channel _ _"]

COARSEST = 4
"""Fewest rows and columns of the coarsest maps."""


@dataclass(frozen=True)
class Grid:
    """The coarsest maps of images of `size` pixels, and how often they are doubled."""

    size: int
    coarsest: int
    doublings: int

    @classmethod
    def of(cls, size: int) -> "Grid":
        """Return the grid of the most doublings."""
        doublings = (size // COARSEST).bit_length() - 1
        return cls(size, -(-size // 2**doublings), doublings)

    @property
    def side(self) -> int:
        """Return the height and width of doubled maps, at least `size`."""
        return self.coarsest * 2**self.doublings

    def crop(self, maps: Float[Tensor, "*any row column"]) -> Float[Tensor, "*any height width"]:
        """Return the middle, of the size of the images."""
        start = (self.side - self.size) // 2
        stop = start + self.size
        return maps[..., start:stop, start:stop]

    def pad(self, images: Maps) -> Resized:
        """Repeat the edges so that the images have the size of doubled maps."""
        start = (self.side - self.size) // 2
        end = self.side - self.size - start
        return F.pad(images, (start, end, start, end), "replicate") if end else images


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
    """Return a 3 x 3 convolution with LeakyReLU 0.2."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.LeakyReLU(0.2))


class Upsampler(nn.Module):
    """Map a code to an image: maps are doubled up to half its size, then pixel-shuffled."""

    def __init__(self, code: int, channels: int, grid: Grid, outputs: int):
        super().__init__()
        self.coarsest = grid.coarsest
        widths = [channels * min(2, 2**n) for n in reversed(range(grid.doublings))]
        self.first = nn.Sequential(
            nn.Linear(code, widths[0] * grid.coarsest**2), nn.LeakyReLU(0.2)
        )
        self.doublings = nn.ModuleList(
            nn.Sequential(nn.Upsample(scale_factor=2), convolution(a, b))
            for a, b in itertools.pairwise(widths)
        )
        self.last = nn.Sequential(
            convolution(channels, channels), nn.Conv2d(channels, 4 * outputs, 3, 1, 1)
        )

    def forward(self, code: Features) -> Maps:
        maps = self.first(code).unflatten(
            1, (-1, self.coarsest, self.coarsest)
        )  # [batch channel row column]
        for double in self.doublings:
            maps = double(maps)
        return F.pixel_shuffle(self.last(maps), 2)  # [batch output height width]


def generator(config: VideoConfig, grid: Grid, outputs: int) -> nn.Module:
    """Return a network from a code to maps of the grid's side, built of the configured blocks."""
    if config.blocks == "paper":
        return Upsampler(config.width, config.channels, grid, outputs)
    coarsest = (grid.coarsest, grid.coarsest)
    sizes = (config.width, config.channels, coarsest, grid.doublings, outputs)
    if config.blocks == "growing":
        return ProgressiveGenerator(*sizes, config.level_steps)
    return GENERATORS[config.blocks](*sizes)


class Downsampler(nn.Module):
    """Map an image to a vector of features: strided convolutions halve it to the coarsest maps."""

    def __init__(self, inputs: int, channels: int, size: int):
        super().__init__()
        grid = Grid.of(size)
        widths = [inputs, *[channels * min(4, 2**n) for n in range(grid.doublings)]]
        self.layers = nn.Sequential(*[convolution(a, b, 2) for a, b in itertools.pairwise(widths)])
        self.features = widths[-1] * grid.coarsest**2

    def forward(self, images: Maps) -> Features:
        return self.layers(images).flatten(1)  # [batch (channel row column)]
