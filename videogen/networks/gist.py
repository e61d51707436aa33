"""Text to video by way of a gist: the networks of Li, Min, Shen, Carlson and Carin (AAAI 2018).

    encoder   q(z given clip, c)    a Gaussian, from a few frames and the caption's condition c
    prior     p(z given c)          a Gaussian for each caption
    decoder   p(clip given z, c)    in three steps:
                  gist        an image, the clip's first frame, from the first half of z and c
                  filter      the gist is convolved with a kernel that depends on c (Text2Filter)
                  streams     clip = mask * foreground + (1 - mask) * background

The paper gives no sizes. These are small enough for a CPU: frames are generated in chunks by
two-dimensional convolutions, mostly at a quarter of the area.
"""

import math
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.generators import ProgressiveGenerator
from core.networks.heads import MLP, PosteriorHead
from core.theory.distributions import Delta, Distribution, Gaussian, as_gaussian
from core.theory.shapes import Features, Latents, Losses, Samples
from videogen.files.clip import Clips, Images
from videogen.networks.chunks import FRAMES_PER_CHUNK, RGB, join_chunks
from videogen.networks.config import VideoConfig
from videogen.networks.resampling import Downsampler, Maps, generator
from videogen.networks.text import Condition

Masks = Float[Tensor, "batch 1 time height width"]
"""Weight of the foreground, in [0, 1]."""

HARMONICS = 6
"""Sines and cosines of the time embedding."""


class Text2Filter(nn.Module):
    """Convolve an image with kernels that depend on the caption (section "Text2Filter").

    Each kernel is a linear combination of a learned basis. As convolution is linear, the image is
    convolved with the basis once and the responses are combined.
    """

    def __init__(self, condition: int, filters: int, by_caption: bool):
        super().__init__()
        self.basis = nn.Conv2d(RGB, filters, 5, 2, 2)
        self.mixture = nn.Linear(condition, filters * filters)
        self.by_caption = by_caption

    def forward(self, image: Images, c: Condition) -> Maps:
        responses = self.basis(image)  # [batch filter row column]
        code = c if self.by_caption else torch.zeros_like(c)
        count = responses.shape[1]
        mixture = self.mixture(code).unflatten(1, (count, count))  # [batch output filter]
        mixture = mixture.to(responses.dtype) / math.sqrt(count)
        mixed = torch.bmm(mixture, responses.flatten(2))  # [batch output (row column)]
        return F.leaky_relu(mixed.view_as(responses), 0.2)  # [batch output row column]


class ClipByGist(Distribution):
    """p(clip given z, c), computed lazily: a term of the gist alone never decodes the clip."""

    def __init__(self, decoder: "Decoder", z: Latents, c: Condition):
        self._decoder, self._z, self._c = decoder, z, c

    @cached_property
    def gist(self) -> Delta:
        """p(gist given z, c)."""
        return Delta(self._decoder.gist_image(self._z, self._c), self._decoder.pixel_std)

    @cached_property
    def streams(self) -> tuple[Clips, Masks, Images]:
        """Return foreground, mask and background."""
        gist = self.gist.mean if self._decoder.has_gist else None
        return self._decoder.streams(self._z, self._c, gist)

    @property
    def parts(self) -> dict[str, Tensor]:
        """Return the layers of the clip by name: the mask in [0, 1], all others in [-1, 1]."""
        foreground, mask, background = self.streams
        parts = {"background": background, "mask": mask, "foreground": foreground}
        return {"gist": self.gist.mean, **parts} if self._decoder.has_gist else parts

    @property
    def background(self) -> Images:
        return self.streams[2]

    @cached_property
    def mean(self) -> Clips:
        foreground, mask, background = self.streams
        background = background[:, :, None].expand_as(foreground)  # [batch rgb time height width]
        return torch.lerp(background, foreground, mask.expand_as(foreground))

    @property
    def representative(self) -> Clips:
        """Return the clip: given z and c it is deterministic."""
        return self.mean

    def rsample(self) -> Clips:
        return self.mean

    def log_prob(self, value: Samples) -> Losses:
        return Delta(self.mean, self._decoder.pixel_std).log_prob(value)


class Decoder(nn.Module):
    """Map z and c to p(clip given z, c): a gist and two streams (Vondrick et al., NIPS 2016)."""

    def __init__(self, config: VideoConfig, size: int, frames: int):
        super().__init__()
        self.frames, self.pixel_std, self.has_gist = frames, config.pixel_std, config.gist
        self.gist_latent = config.latent // 2
        width, c = config.width, config.text.width
        inputs = config.latent + c
        if config.gist:
            self.gist_code = nn.Sequential(MLP(self.gist_latent + c, width), nn.LeakyReLU(0.2))
            self.gist = generator(config, size, RGB)
            self.filter = Text2Filter(c, config.filters, config.text_filter)
            self.downsample = Downsampler(config.filters, config.channels, size // 2)
            inputs = config.latent - self.gist_latent + c + self.downsample.features
        self.whole = nn.Sequential(MLP(inputs, width, width), nn.LeakyReLU(0.2))
        self.chunk = nn.Sequential(MLP(width + 2 * HARMONICS, width, width), nn.LeakyReLU(0.2))
        self.foreground = generator(config, size, FRAMES_PER_CHUNK * (RGB + 1))
        self.background = generator(config, size, RGB)

    def forward(self, z: Latents, c: Condition) -> ClipByGist:
        return ClipByGist(self, z, c)

    def to_current_resolution(self, clips: Clips) -> Clips:
        """Blur clips to the resolution that a progressively grown generator has reached."""
        if not isinstance(self.foreground, ProgressiveGenerator):
            return clips
        frames = clips.transpose(1, 2)  # [batch time rgb height width]
        fine = self.foreground.to_current_resolution(
            frames.flatten(0, 1)  # [(batch time) rgb height width]
        )
        return fine.unflatten(0, frames.shape[:2]).transpose(1, 2)  # [batch rgb time height width]

    def gist_of(self, clips: Clips) -> Images:
        """Return the target of the gist: the first frame."""
        return clips[:, :, 0]

    def gist_image(self, z: Latents, c: Condition) -> Images:
        """Generate the gist."""
        code = self.gist_code(torch.cat([z[:, : self.gist_latent], c], 1))
        return self.gist(code).float()

    def streams(
        self, z: Latents, c: Condition, gist: Images | None
    ) -> tuple[Clips, Masks, Images]:
        """Generate foreground, mask and background."""
        code = self.whole(self._inputs(z, c, gist))
        codes = self._chunk_codes(code)
        maps = self.foreground(codes.flatten(0, 1)).float()  # [(batch chunk) channel height width]
        chunks = maps.unflatten(0, codes.shape[:2])  # [batch chunk channel height width]
        foreground, mask = join_chunks(chunks).contiguous().split((RGB, 1), 1)
        return foreground, torch.sigmoid(mask), self.background(code).float()

    def _inputs(self, z: Latents, c: Condition, gist: Images | None) -> Features:
        if gist is None:
            return torch.cat([z, c], 1)
        filtered = self.downsample(self.filter(gist, c))
        return torch.cat([z[:, self.gist_latent :], c, filtered], 1)

    def _chunk_codes(self, code: Features) -> Float[Tensor, "batch chunk code"]:
        """Return a code for each chunk, from the clip's code and an embedding of the time."""
        count = self.frames // FRAMES_PER_CHUNK
        time = torch.linspace(0, math.pi, count, device=code.device)
        angles = time[:, None] * torch.arange(1, HARMONICS + 1, device=code.device)
        embedding = torch.cat([angles.sin(), angles.cos()], 1)
        embedding = embedding.expand(len(code), -1, -1)  # [batch chunk harmonic]
        codes = code[:, None].expand(-1, count, -1)  # [batch chunk code]
        return self.chunk(torch.cat([codes, embedding], 2))


class Encoder(nn.Module):
    """Map evenly spaced frames of a clip, and c, to q(z given x, c)."""

    def __init__(self, config: VideoConfig, size: int, kind: type[Distribution]):
        super().__init__()
        self.seen_frames = config.seen_frames
        self.downsample = Downsampler(RGB * config.seen_frames, config.channels, size)
        self.body = nn.Sequential(
            MLP(self.downsample.features + config.text.width, config.width), nn.LeakyReLU(0.2)
        )
        self.head = PosteriorHead(config.width, config.latent, kind)

    def forward(self, clips: Clips, c: Condition) -> Distribution:
        last = clips.shape[2] - 1
        times = torch.linspace(0, last, self.seen_frames).round().long()  # a single one: frame 0
        images = clips[:, :, times].flatten(1, 2)  # [batch (rgb frame) height width]
        return self.head(self.body(torch.cat([self.downsample(images), c], 1)))


class CaptionPrior(nn.Module):
    """Map c to p(z given c), a diagonal Gaussian."""

    def __init__(self, config: VideoConfig):
        super().__init__()
        self.layers = MLP(config.text.width, config.width, 2 * config.latent)

    def forward(self, batch: int, c: Condition) -> Gaussian:
        return as_gaussian(self.layers(c))
