"""The translator between two collections of clips, for CycleGAN and pix2pix.

It has the layout of Zhu et al. (ICCV 2017, section 7.1), with fewer blocks: two strided
convolutions, residual blocks at a quarter of the size, two upsamplings. Frames are translated in
chunks. The output is added to the input, so that an untrained translator is the identity.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from core.theory.distributions import Delta
from videogen.files.clip import Clips
from videogen.networks.chunks import FRAMES_PER_CHUNK, RGB, join_chunks, split_chunks
from videogen.networks.config import VideoConfig
from videogen.networks.resampling import convolution
from videogen.networks.text import Condition

BLOCKS = 3
"""Residual blocks."""
QUARTER = 4
"""Pixels of a side that become one position of the blocks' maps."""


def _zero(layer: nn.Module) -> None:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


class ResidualBlock(nn.Module):
    """Two convolutions with a skip connection; they also read the mean over all chunks."""

    def __init__(self, channels: int):
        super().__init__()
        self.convolutions = nn.Sequential(
            convolution(2 * channels, channels), nn.Conv2d(channels, channels, 3, 1, 1)
        )
        _zero(self.convolutions[1])

    def forward(self, maps: Float[Tensor, "batch chunk channel row column"]) -> Tensor:
        mean = maps.mean(1, keepdim=True).expand_as(maps)  # [batch chunk channel row column]
        inputs = torch.cat([maps, mean], 2).flatten(0, 1)  # [(batch chunk) 2*channel row column]
        changes = self.convolutions(inputs)
        return maps + changes.unflatten(0, maps.shape[:2])  # [batch chunk channel row column]


class Translator(nn.Module):
    """Map clips x of one collection to p(y given x), their translation into the other."""

    def __init__(self, config: VideoConfig):
        super().__init__()
        channels, self.pixel_std = config.channels, config.pixel_std
        self.downsample = nn.Sequential(
            convolution(RGB * FRAMES_PER_CHUNK, channels, 2), convolution(channels, channels, 2)
        )
        self.blocks = nn.Sequential(*[ResidualBlock(channels) for _ in range(BLOCKS)])
        self.upsample = nn.Sequential(
            nn.Upsample(scale_factor=2),
            convolution(channels, channels),
            nn.Conv2d(channels, 4 * RGB * FRAMES_PER_CHUNK, 3, 1, 1),
            nn.PixelShuffle(2),
        )
        _zero(self.upsample[2])

    def forward(self, clips: Clips, c: Condition | None = None) -> Delta:
        size = clips.shape[-1]
        beyond = -size % QUARTER  # its sides are halved twice
        chunks = split_chunks(F.pad(clips, (0, beyond, 0, beyond, 0, 0), "replicate"))
        maps = self.downsample(chunks.flatten(0, 1))  # [(batch chunk) channel row column]
        maps = self.blocks(maps.unflatten(0, chunks.shape[:2]))  # [batch chunk channel row column]
        change = self.upsample(maps.flatten(0, 1))  # [(batch chunk) (frame rgb) height width]
        change = change.float().view_as(chunks)
        changes = join_chunks(change, clips.shape[2])[..., :size, :size]
        return Delta(clips + changes, self.pixel_std)
