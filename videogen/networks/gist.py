"""Text to video by way of a gist: the networks of Li, Min, Shen, Carlson and Carin (AAAI 2018).

    caption --condition--> c        clip --encoder--> z
    z, c --gist--> a picture, the first frame's
    gist, filtered by the caption (Text2Filter) --> what the clip is made of
    --> clip = mask * foreground + (1 - mask) * background

The paper names the parts and not their sizes. Here they are cheap enough for a CPU: frames are
folded into the batch, convolutions are two-dimensional, and most of the work is done at a quarter
of the size.
"""

import math
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.generators import Growing
from core.networks.heads import MLP, PosteriorHead
from core.theory.distributions import Delta, Distribution, Gaussian, as_gaussian
from core.theory.shapes import Features, Latents, Losses, Samples
from videogen.files.clip import Clips
from videogen.networks.sampling import (
    FRAMES_PER_CHUNK,
    HARMONICS,
    RGB,
    Downsampler,
    Maps,
    Masks,
    Pictures,
    VideoConfig,
    generator,
)
from videogen.networks.text import Condition


class Text2Filter(nn.Module):
    """A picture, filtered as the caption asks.

    The caption's filter is a mixture of a few learned ones; as filtering is linear, the picture
    goes through those and the caption mixes the answers.
    """

    def __init__(self, condition: int, filters: int, by_caption: bool):
        super().__init__()
        self.basis = nn.Conv2d(RGB, filters, 5, 2, 2)
        self.mixture = nn.Linear(condition, filters * filters)
        self.by_caption = by_caption

    def forward(self, picture: Pictures, c: Condition) -> Maps:
        answers = self.basis(picture)
        code = c if self.by_caption else torch.zeros_like(c)
        count = answers.shape[1]
        mixture = self.mixture(code).view(-1, count, count) / math.sqrt(count)
        mixed = torch.bmm(mixture.to(answers.dtype), answers.flatten(2))
        return F.leaky_relu(mixed.view_as(answers), 0.2)


class ClipByGist(Distribution):
    """p(clip given z, c): the gist is drawn first, the clip when it is asked for."""

    def __init__(self, decoder: "Decoder", z: Latents, c: Condition):
        self._decoder, self._z, self._c = decoder, z, c

    @cached_property
    def gist(self) -> Delta:
        """p(gist given z, c)."""
        return Delta(self._decoder.picture(self._z, self._c), self._decoder.pixel_std)

    @cached_property
    def streams(self) -> tuple[Clips, Masks, Pictures]:
        """Foreground, mask in [0, 1], background."""
        gist = self.gist.mean if self._decoder.has_gist else None
        return self._decoder.streams(self._z, self._c, gist)

    @property
    def parts(self) -> dict[str, Tensor]:
        """What the clip is made of, by name; all in [-1, 1] but the mask, in [0, 1]."""
        foreground, mask, background = self.streams
        parts = {"background": background, "mask": mask, "foreground": foreground}
        return {"gist": self.gist.mean, **parts} if self._decoder.has_gist else parts

    @property
    def background(self) -> Pictures:
        return self.streams[2]

    @cached_property
    def mean(self) -> Clips:
        foreground, mask, background = self.streams
        return torch.lerp(
            background[:, :, None].expand_as(foreground), foreground, mask.expand_as(foreground)
        )

    def rsample(self) -> Clips:
        return self.mean

    def log_prob(self, value: Samples) -> Losses:
        return Delta(self.mean, self._decoder.pixel_std).log_prob(value)


class Decoder(nn.Module):
    """z, c -> p(clip given z, c), by a gist and two streams (Vondrick et al., NIPS 2016)."""

    def __init__(self, config: VideoConfig, size: int, frames: int):
        super().__init__()
        self.frames, self.pixel_std, self.has_gist = frames, config.pixel_std, config.gist
        self.gist_latent = config.latent // 2
        width, c = config.width, config.text.width
        read = config.latent + c
        if config.gist:
            self.gist_code = nn.Sequential(MLP(self.gist_latent + c, width), nn.LeakyReLU(0.2))
            self.gist = generator(config, size, RGB)
            self.filter = Text2Filter(c, config.filters, config.text_filter)
            self.downsample = Downsampler(config.filters, config.channels, size // 2)
            read = config.latent - self.gist_latent + c + self.downsample.features
        self.whole = nn.Sequential(MLP(read, width, width), nn.LeakyReLU(0.2))
        self.chunk = nn.Sequential(MLP(width + 2 * HARMONICS, width, width), nn.LeakyReLU(0.2))
        self.foreground = generator(config, size, FRAMES_PER_CHUNK * (RGB + 1))
        self.background = generator(config, size, RGB)

    def forward(self, z: Latents, c: Condition) -> ClipByGist:
        return ClipByGist(self, z, c)

    def as_fine(self, clips: Clips) -> Clips:
        """Clips with the detail that it draws by now: all of it, where nothing grows."""
        if not isinstance(self.foreground, Growing):
            return clips
        frames = clips.transpose(1, 2)
        fine = self.foreground.as_fine(frames.flatten(0, 1))
        return fine.unflatten(0, frames.shape[:2]).transpose(1, 2)

    def gist_of(self, clips: Clips) -> Pictures:
        """What the gist of these clips should be: their first frames."""
        return clips[:, :, 0]

    def picture(self, z: Latents, c: Condition) -> Pictures:
        code = self.gist_code(torch.cat([z[:, : self.gist_latent], c], 1))
        return self.gist(code).float()

    def streams(
        self, z: Latents, c: Condition, gist: Pictures | None
    ) -> tuple[Clips, Masks, Pictures]:
        """Foreground, mask in [0, 1] and background."""
        whole = self.whole(self._read(z, c, gist))
        chunks = self._chunks(whole)
        made = self.foreground(chunks.flatten(0, 1)).float()
        made = made.unflatten(0, chunks.shape[:2]).unflatten(2, (FRAMES_PER_CHUNK, RGB + 1))
        made = made.flatten(1, 2).transpose(1, 2).contiguous()
        background = self.background(whole).float()
        foreground, mask = made.split((RGB, 1), 1)
        return foreground, torch.sigmoid(mask), background

    def _read(self, z: Latents, c: Condition, gist: Pictures | None) -> Features:
        if gist is None:
            return torch.cat([z, c], 1)
        seen = self.downsample(self.filter(gist, c))
        return torch.cat([z[:, self.gist_latent :], c, seen], 1)

    def _chunks(self, whole: Features) -> Float[Tensor, "batch moment code"]:
        """A code for every few frames: the whole and the time."""
        count = self.frames // FRAMES_PER_CHUNK
        time = torch.linspace(0, math.pi, count, device=whole.device)
        angles = time[:, None] * torch.arange(1, HARMONICS + 1, device=whole.device)
        time_embedding = torch.cat([angles.sin(), angles.cos()], 1).expand(len(whole), -1, -1)
        return self.chunk(torch.cat([whole[:, None].expand(-1, count, -1), time_embedding], 2))


class Encoder(nn.Module):
    """Some frames of a clip, and c -> q(z given x, c)."""

    def __init__(self, config: VideoConfig, size: int, kind: type[Distribution]):
        super().__init__()
        self.seen = config.seen_frames
        self.downsample = Downsampler(RGB * self.seen, config.channels, size)
        self.body = nn.Sequential(
            MLP(self.downsample.features + config.text.width, config.width), nn.LeakyReLU(0.2)
        )
        self.head = PosteriorHead(config.width, config.latent, kind)

    def forward(self, clips: Clips, c: Condition) -> Distribution:
        last = clips.shape[2] - 1
        chosen = torch.linspace(0, last, self.seen).round().long() if self.seen > 1 else [0]
        features = self.downsample(clips[:, :, chosen].flatten(1, 2))
        return self.head(self.body(torch.cat([features, c], 1)))


class CaptionPrior(nn.Module):
    """p(z given c): a Gaussian for each caption."""

    def __init__(self, config: VideoConfig):
        super().__init__()
        self.layers = MLP(config.text.width, config.width, 2 * config.latent)

    def forward(self, batch: int, c: Condition) -> Gaussian:
        return as_gaussian(self.layers(c))
