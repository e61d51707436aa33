"""Clips frame by frame along a path of latents: what stays is drawn once, what moves each frame.

    z = [content, noise_0, noise_1, ...]    noise_t is fresh at each frame
    h_t = GRU([noise_t, y_motion], h_(t-1))
    frame_t = G([content, y_content, h_t])

[y_content, y_motion] is the caption's condition, read by two encoders. Without captions this is
MoCoGAN (Tulyakov, Liu, Yang and Kautz, CVPR 2018), with them the generator of TFGAN (Balaji, Min,
Bai, Chellappa and Graf, IJCAI 2019). A path has any length: each frame needs one more noise.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.networks.heads import MLP, PosteriorHead
from core.theory.distributions import Delta, Distribution, Gaussian
from core.theory.shapes import Latents
from videogen.files.clip import Clips
from videogen.networks.chunks import RGB, Times, between
from videogen.networks.config import VideoConfig
from videogen.networks.resampling import Downsampler, Grid, generator
from videogen.networks.text import CaptionEncoder, Condition, Tokens, caption_encoder

Path = Float[Tensor, "batch time motion"]
Tower = Float[Tensor, "batch tower"]
"""A caption as one of the two encoders reads it."""


class Towers(nn.Module):
    """Read a caption twice: its condition is [y_content, y_motion].

    What generates reads the content once, and the motion at each frame.
    """

    def __init__(self, content: CaptionEncoder, motion: CaptionEncoder):
        super().__init__()
        self.content, self.motion = content, motion

    @classmethod
    def of(cls, config: VideoConfig, words: int) -> "Towers":
        """Build both for captions of `words` words."""
        return cls(caption_encoder(config.text, words), caption_encoder(config.text, words))

    def forward(self, tokens: Tokens) -> Condition:
        return torch.cat([self.content(tokens), self.motion(tokens)], 1)


def split_condition(c: Condition | None, z: Latents) -> tuple[Tower, Tower]:
    """Return y_content and y_motion; without captions both are empty."""
    y = z[:, :0] if c is None else c
    content, motion = y.chunk(2, 1)
    return content, motion


class PathDecoder(nn.Module):
    """Map z and c to p(clip given z, c), of as many frames as z has noises."""

    def __init__(self, config: VideoConfig, size: int, frames: int):
        super().__init__()
        self.content, self.motion = config.latent, config.motion
        self.frames, self.pixel_std, self.grid = frames, config.pixel_std, Grid.of(size)
        y = config.condition // 2
        self.step = nn.GRUCell(config.motion + y, config.width)
        self.code = nn.Sequential(
            MLP(config.latent + y + config.width, config.width), nn.LeakyReLU(0.2)
        )
        self.frame = generator(config, self.grid, RGB)

    def forward(self, z: Latents, c: Condition | None, times: Times | None = None) -> Delta:
        """Return the clip at `times`, by default at those of its frames."""
        content, motion = split_condition(c, z)
        path = self.path(z, motion)
        if times is not None:
            path = between(path, times, 1)
        whole = torch.cat([z[:, : self.content], content], 1)
        codes = self.code(beside_content(whole, path))
        every = codes.flatten(0, 1)  # [(batch time) code]
        frames = self.grid.crop(self.frame(every).float())
        frames = frames.unflatten(0, codes.shape[:2])  # [batch time rgb height width]
        return Delta(frames.transpose(1, 2), self.pixel_std)  # of [batch rgb time height width]

    def path(self, z: Latents, motion: Tower) -> Path:
        """Return h_t for each noise of z."""
        noises = z[:, self.content :].unflatten(1, (-1, self.motion))  # [batch time noise]
        return walked(self.step, noises, motion)

    def longer(
        self, z: Latents, further: Float[Tensor, "batch further"]
    ) -> Float[Tensor, "batch longer"]:
        """Return z with the noises of `further` after its own: a path that goes on."""
        return torch.cat([z, further[:, self.content :]], 1)


def walked(
    step: nn.GRUCell,
    noises: Float[Tensor, "batch time noise"],
    motion: Tower,
    first: Float[Tensor, "batch motion"] | None = None,
) -> Path:
    """Return h_t for each noise, after h_0 = `first`, or 0."""
    h = noises.new_zeros(noises.shape[0], step.hidden_size) if first is None else first
    path = []
    for noise in noises.unbind(1):
        h = step(torch.cat([noise, motion], 1), h)
        path.append(h)
    return torch.stack(path, 1)


def beside_content(
    content: Float[Tensor, "batch content"], path: Path
) -> Float[Tensor, "batch time code"]:
    """Return [content, h_t] at each time."""
    each = content[:, None].expand(-1, path.shape[1], -1)  # [batch time content]
    return torch.cat([each, path], 2)


class PathEncoder(nn.Module):
    """Map a clip and c to q(z given x, c): content of all frames, each noise of those around."""

    def __init__(self, config: VideoConfig, size: int, kind: type[Distribution]):
        super().__init__()
        width = config.width
        self.downsample = Downsampler(RGB, config.channels, size)
        self.frame = nn.Sequential(
            MLP(self.downsample.features + config.condition, width), nn.LeakyReLU(0.2)
        )
        self.around = nn.GRU(width, width // 2, batch_first=True, bidirectional=True)
        self.content = PosteriorHead(width, config.latent, kind)
        self.noise = PosteriorHead(width, config.motion, kind)

    def forward(self, clips: Clips, c: Condition | None) -> Distribution:
        frames = clips.transpose(1, 2)  # [batch time rgb height width]
        features = self.downsample(frames.flatten(0, 1))  # [(batch time) feature]
        features = features.unflatten(0, frames.shape[:2])  # [batch time feature]
        if c is not None:
            beside = c[:, None].expand(-1, frames.shape[1], -1)  # [batch time condition]
            features = torch.cat([features, beside], 2)
        read = self.frame(features)  # [batch time feature]
        around, _ = self.around(read)
        noises = self.noise(around.flatten(0, 1))  # of [(batch time) noise]
        return along(self.content(read.mean(1)), noises)


def along(content: Distribution, noises: Distribution) -> Distribution:
    """Return the distribution of z from those of its content and of each noise [(batch time) n].

    `TypeError` for other kinds than Gaussians and points.
    """
    if isinstance(content, Gaussian) and isinstance(noises, Gaussian):
        return Gaussian(
            _joined(content.mean, noises.mean), _joined(content.log_std, noises.log_std)
        )
    if isinstance(content, Delta) and isinstance(noises, Delta):
        return Delta(_joined(content.point, noises.point), content.std)
    raise TypeError(f"a path of latents is no {type(content).__name__}")


def _joined(content: Tensor, noises: Float[Tensor, "_ motion"]) -> Latents:
    rows = noises.unflatten(0, (len(content), -1)).flatten(1)  # [batch (time motion)]
    return torch.cat([content, rows], 1)
