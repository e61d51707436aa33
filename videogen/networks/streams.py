"""Two streams: a foreground that moves over a background that does not (VGAN).

    clip = mask * foreground + (1 - mask) * background

Foreground and mask are one volume of three-dimensional transposed convolutions, the background is
a picture. Vondrick, Pirsiavash and Torralba, Generating Videos with Scene Dynamics, NIPS 2016,
section 3. Their clips have 32 frames of 64 x 64 pixels, and no captions.
"""

import torch
from torch import nn

from core.networks.generators import DCGAN
from core.theory.shapes import Latents
from videogen.networks.chunks import RGB, Times, between
from videogen.networks.config import VideoConfig
from videogen.networks.layers import LayeredClip, Streams
from videogen.networks.resampling import Grid
from videogen.networks.text import Condition


class StreamsDecoder(nn.Module):
    """Map z, and c where there are captions, to p(clip given z, c)."""

    def __init__(self, config: VideoConfig, size: int, frames: int):
        super().__init__()
        self.frames, self.pixel_std, self.grid = frames, config.pixel_std, Grid.of(size)
        code = config.latents(frames) + config.condition
        doublings = self.grid.doublings
        time, side = -(-frames // 2**doublings), self.grid.coarsest
        channels = config.channels
        self.background = DCGAN(code, channels, (side, side), doublings, RGB)
        self.foreground = DCGAN(code, channels, (time, side, side), doublings, RGB + 1)

    def forward(self, z: Latents, c: Condition | None, times: Times | None = None) -> LayeredClip:
        """Return the clip at `times`, by default at those of its frames.

        Between two frames numbers are interpolated before they become colours and masks.
        """
        code = z if c is None else torch.cat([z, c], 1)
        background = self.grid.crop(self.background(code).float()).tanh()
        volume = self.grid.crop(self.foreground(code).float())[:, None, :, : self.frames]
        if times is not None:
            volume = between(volume, times, 3)
        foreground, logit = volume.split((RGB, 1), 2)  # [batch 1 channel time height width]
        streams: Streams = (foreground.tanh(), logit.sigmoid(), background)
        return LayeredClip(lambda: streams, self.pixel_std)
