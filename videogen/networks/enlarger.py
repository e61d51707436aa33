"""Super-resolution: clips from small versions of themselves, frame by frame.

    encoder   z = the means of squares of `factor` x `factor` pixels of x
    decoder   x = z interpolated, and what convolutions of z add to it

All convolutions see the small frames; the last one has factor^2 outputs for each colour, which
lie side by side in the large frame (Shi et al., Real-Time Single Image and Video Super-Resolution
Using an Efficient Sub-Pixel Convolutional Neural Network, CVPR 2016). Frames of any size are
enlarged.
"""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from core.theory.distributions import Delta
from videogen.files.clip import Clips
from videogen.networks.chunks import RGB
from videogen.networks.config import VideoConfig
from videogen.networks.resampling import Maps
from videogen.networks.text import Condition

LAYERS = 4
"""Convolutions between the first and the last one."""

SmallClips = Float[Tensor, "batch 3 time row column"]


class Shrinker(nn.Module):
    """Map a clip to the clip that is `factor` times smaller."""

    def __init__(self, factor: int):
        super().__init__()
        self.factor = factor

    def forward(self, clips: Clips, c: Condition | None = None) -> Delta:
        return Delta(F.avg_pool3d(clips, (1, self.factor, self.factor)))


class Enlarger(nn.Module):
    """Map a small clip to p(clip given it). At initialisation it is interpolated linearly."""

    def __init__(self, config: VideoConfig):
        super().__init__()
        width = config.channels
        self.factor, self.pixel_std = config.factor, config.pixel_std
        self.first = nn.Conv2d(RGB, width, 5, 1, 2)
        self.middle = nn.ModuleList(nn.Conv2d(width, width, 3, 1, 1) for _ in range(LAYERS))
        self.last = nn.Conv2d(width, RGB * config.factor**2, 3, 1, 1)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 1 or name == "last.weight":
                nn.init.zeros_(parameter)
            else:
                nn.init.kaiming_normal_(parameter, a=0.2)

    def forward(self, z: SmallClips, c: Condition | None = None) -> Delta:
        frames = self.frames(z.transpose(1, 2).flatten(0, 1))  # [(batch time) rgb height width]
        frames = frames.unflatten(0, (len(z), -1))  # [batch time rgb height width]
        return Delta(frames.transpose(1, 2), self.pixel_std)  # of [batch rgb time height width]

    def frames(self, small: Maps) -> Float[Tensor, "batch 3 height width"]:
        """Enlarge pictures."""
        features = F.leaky_relu(self.first(small), 0.2)
        for layer in self.middle:
            features = features + F.leaky_relu(layer(features), 0.2)
        added = F.pixel_shuffle(self.last(features).float(), self.factor)
        return F.interpolate(small, scale_factor=self.factor, mode="bilinear") + added
