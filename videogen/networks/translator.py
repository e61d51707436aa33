"""The translator of clips, for CycleGAN."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.theory.distributions import Delta
from videogen.files.clip import Clips
from videogen.networks.sampling import BLOCKS, FRAMES_PER_CHUNK, RGB, VideoConfig, convolution
from videogen.networks.text import Condition


def _begin_with_nothing(layer: nn.Module) -> None:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


class Residual(nn.Module):
    """Two convolutions, added to what they read; they also hear the mean over all moments."""

    def __init__(self, channels: int):
        super().__init__()
        self.convolutions = nn.Sequential(
            convolution(2 * channels, channels), nn.Conv2d(channels, channels, 3, 1, 1)
        )
        _begin_with_nothing(self.convolutions[1])

    def forward(self, maps: Float[Tensor, "batch moment channel row column"]) -> Tensor:
        whole = maps.mean(1, keepdim=True).expand_as(maps)
        heard = torch.cat([maps, whole], 2).flatten(0, 1)
        return maps + self.convolutions(heard).unflatten(0, maps.shape[:2])


class Translator(nn.Module):
    """Clips of one collection -> p(the same in the manner of another), for CycleGAN.

    A few frames at a time, at a quarter of the size, and so on from what was read (Zhu et al.,
    ICCV 2017, section 7.1): what is made is added to it.
    """

    def __init__(self, config: VideoConfig):
        super().__init__()
        channels, self.pixel_std = config.channels, config.pixel_std
        self.read = nn.Sequential(
            convolution(RGB * FRAMES_PER_CHUNK, channels, 2), convolution(channels, channels, 2)
        )
        self.blocks = nn.Sequential(*[Residual(channels) for _ in range(BLOCKS)])
        self.write = nn.Sequential(
            nn.Upsample(scale_factor=2),
            convolution(channels, channels),
            nn.Conv2d(channels, 4 * RGB * FRAMES_PER_CHUNK, 3, 1, 1),
            nn.PixelShuffle(2),
        )
        _begin_with_nothing(self.write[2])

    def forward(self, clips: Clips, c: Condition | None = None) -> Delta:
        chunks = clips.unflatten(2, (-1, FRAMES_PER_CHUNK)).permute(0, 2, 1, 3, 4, 5)
        flat = chunks.flatten(0, 1).flatten(1, 2)
        maps = self.blocks(self.read(flat).unflatten(0, chunks.shape[:2]))
        made = self.write(maps.flatten(0, 1)).float().view_as(chunks)
        return Delta(clips + made.permute(0, 2, 1, 3, 4, 5).flatten(2, 3), self.pixel_std)
