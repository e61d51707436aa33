"""Text to video by way of a gist: the networks of Li, Min, Shen, Carlson and Carin (AAAI 2018).

    caption --condition--> c        clip --encoder--> z
    z, c --gist--> a picture, the first frame's
    gist, filtered by the caption (Text2Filter) --> what the clip is made of
    --> clip = mask * foreground + (1 - mask) * background

The paper names the parts and not their sizes. Here they are cheap enough for a CPU: frames are
folded into the batch, convolutions are two-dimensional, and most of the work is done at a quarter
of the size.
"""

import itertools
import math
from collections.abc import Callable
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from core.augmentation import shifted
from core.codebook import CodePrior
from core.config import Strict
from core.distributions import Delta, Distribution, Gaussian, as_gaussian
from core.flow import Flow
from core.networks import (
    DCGAN,
    MADE_OF,
    MLP,
    Growing,
    JointCritic,
    LatentCritic,
    PosteriorHead,
    StyleBased,
)
from core.passes import Networks
from core.recipes import Recipe
from core.shapes import Features, Latents, Losses, Samples, Scores
from videogen.clip import Clips
from videogen.text import CaptionEncoder, Condition, TextConfig, Tokens

Pictures = Float[Tensor, "batch 3 height width"]
Maps = Float[Tensor, "batch channel row column"]
Moments = Float[Tensor, "batch moment feature"]
Masks = Float[Tensor, "batch 1 time height width"]

RGB = 3
FINEST = 4
"""Height and width of the coarsest maps."""
TOGETHER = 2
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


def _doublings(size: int) -> int:
    """Steps from the coarsest maps to half the size."""
    return int(math.log2(size // FINEST)) - 1


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.LeakyReLU(0.2))


class Unfold(nn.Module):
    """A code -> maps of half the wanted size -> pixels, by doubling."""

    def __init__(self, code: int, channels: int, size: int, outputs: int):
        super().__init__()
        widths = [channels * min(2, 2**n) for n in reversed(range(_doublings(size) + 1))]
        self.first = nn.Sequential(nn.Linear(code, widths[0] * FINEST**2), nn.LeakyReLU(0.2))
        self.doublings = nn.ModuleList(
            nn.Sequential(nn.Upsample(scale_factor=2), _convolution(a, b))
            for a, b in itertools.pairwise(widths)
        )
        self.last = nn.Sequential(
            _convolution(channels, channels), nn.Conv2d(channels, 4 * outputs, 3, 1, 1)
        )

    def forward(self, code: Features) -> Maps:
        maps = self.first(code).unflatten(1, (-1, FINEST, FINEST))
        for double in self.doublings:
            maps = double(maps)
        return F.pixel_shuffle(self.last(maps), 2)


def _generator(config: VideoConfig, size: int, outputs: int) -> nn.Module:
    """A code -> maps of the wanted size, made of the chosen blocks."""
    if config.blocks == "paper":
        return Unfold(config.width, config.channels, size, outputs)
    sizes = (config.width, config.channels, (FINEST, FINEST), _doublings(size) + 1, outputs)
    if config.blocks == "growing":
        return Growing(*sizes, config.level_steps)
    return MADE_OF[config.blocks](*sizes)


class Fold(nn.Module):
    """Pictures -> features, by halving down to the coarsest maps."""

    def __init__(self, inputs: int, channels: int, size: int):
        super().__init__()
        halvings = _doublings(size) + 1
        widths = [inputs, *[channels * min(4, 2**n) for n in range(halvings)]]
        self.layers = nn.Sequential(
            *[_convolution(a, b, 2) for a, b in itertools.pairwise(widths)]
        )
        self.features = widths[-1] * FINEST**2

    def forward(self, pictures: Maps) -> Features:
        return self.layers(pictures).flatten(1)


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
    def still(self) -> Pictures:
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
            self.gist = _generator(config, size, RGB)
            self.filter = Text2Filter(c, config.filters, config.text_filter)
            self.fold = Fold(config.filters, config.channels, size // 2)
            read = config.latent - self.gist_latent + c + self.fold.features
        self.whole = nn.Sequential(MLP(read, width, width), nn.LeakyReLU(0.2))
        self.moment = nn.Sequential(MLP(width + 2 * HARMONICS, width, width), nn.LeakyReLU(0.2))
        self.foreground = _generator(config, size, TOGETHER * (RGB + 1))
        self.background = _generator(config, size, RGB)

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
        moments = self._moments(whole)
        made = self.foreground(moments.flatten(0, 1)).float()
        made = made.unflatten(0, moments.shape[:2]).unflatten(2, (TOGETHER, RGB + 1))
        made = made.flatten(1, 2).transpose(1, 2).contiguous()
        background = self.background(whole).float()
        foreground, mask = made.split((RGB, 1), 1)
        return foreground, torch.sigmoid(mask), background

    def _read(self, z: Latents, c: Condition, gist: Pictures | None) -> Features:
        if gist is None:
            return torch.cat([z, c], 1)
        seen = self.fold(self.filter(gist, c))
        return torch.cat([z[:, self.gist_latent :], c, seen], 1)

    def _moments(self, whole: Features) -> Float[Tensor, "batch moment code"]:
        """A code for every few frames: the whole and the time."""
        count = self.frames // TOGETHER
        time = torch.linspace(0, math.pi, count, device=whole.device)
        angles = time[:, None] * torch.arange(1, HARMONICS + 1, device=whole.device)
        clock = torch.cat([angles.sin(), angles.cos()], 1).expand(len(whole), -1, -1)
        return self.moment(torch.cat([whole[:, None].expand(-1, count, -1), clock], 2))


class Encoder(nn.Module):
    """Some frames of a clip, and c -> q(z given x, c)."""

    def __init__(self, config: VideoConfig, size: int, kind: type[Distribution]):
        super().__init__()
        self.seen = config.seen_frames
        self.fold = Fold(RGB * self.seen, config.channels, size)
        self.body = nn.Sequential(
            MLP(self.fold.features + config.text.width, config.width), nn.LeakyReLU(0.2)
        )
        self.head = PosteriorHead(config.width, config.latent, kind)

    def forward(self, clips: Clips, c: Condition) -> Distribution:
        last = clips.shape[2] - 1
        chosen = torch.linspace(0, last, self.seen).round().long() if self.seen > 1 else [0]
        features = self.fold(clips[:, :, chosen].flatten(1, 2))
        return self.head(self.body(torch.cat([features, c], 1)))


def _begin_with_nothing(layer: nn.Module) -> None:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


class Residual(nn.Module):
    """Two convolutions, added to what they read; they also hear the mean over all moments."""

    def __init__(self, channels: int):
        super().__init__()
        self.convolutions = nn.Sequential(
            _convolution(2 * channels, channels), nn.Conv2d(channels, channels, 3, 1, 1)
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
            _convolution(RGB * TOGETHER, channels, 2), _convolution(channels, channels, 2)
        )
        self.blocks = nn.Sequential(*[Residual(channels) for _ in range(BLOCKS)])
        self.write = nn.Sequential(
            nn.Upsample(scale_factor=2),
            _convolution(channels, channels),
            nn.Conv2d(channels, 4 * RGB * TOGETHER, 3, 1, 1),
            nn.PixelShuffle(2),
        )
        _begin_with_nothing(self.write[2])

    def forward(self, clips: Clips, c: Condition | None = None) -> Delta:
        moments = clips.unflatten(2, (-1, TOGETHER)).permute(0, 2, 1, 3, 4, 5)
        flat = moments.flatten(0, 1).flatten(1, 2)
        maps = self.blocks(self.read(flat).unflatten(0, moments.shape[:2]))
        made = self.write(maps.flatten(0, 1)).float().view_as(moments)
        return Delta(clips + made.permute(0, 2, 1, 3, 4, 5).flatten(2, 3), self.pixel_std)


class CaptionPrior(nn.Module):
    """p(z given c): a Gaussian for each caption."""

    def __init__(self, config: VideoConfig):
        super().__init__()
        self.layers = MLP(config.text.width, config.width, 2 * config.latent)

    def forward(self, batch: int, c: Condition) -> Gaussian:
        return as_gaussian(self.layers(c))


class ClipFeatures(nn.Module):
    """Clip -> features: pictures of a few frames each, folded, then brought together in time."""

    def __init__(self, config: VideoConfig, size: int, frames: int):
        super().__init__()
        self.fold = Fold(RGB * TOGETHER, config.critic_channels, size)
        self.moment = nn.Sequential(nn.Linear(self.fold.features, config.width), nn.LeakyReLU(0.2))
        self.whole = nn.Sequential(
            nn.Linear(config.width * (frames // TOGETHER), config.width), nn.LeakyReLU(0.2)
        )

    def forward(self, clips: Clips) -> Features:
        return self.whole(self.moments(clips).flatten(1))

    def moments(self, clips: Clips) -> Moments:
        """What each few frames show, without the order in time."""
        moments = clips.unflatten(2, (-1, TOGETHER)).permute(0, 2, 3, 1, 4, 5)
        read = self.moment(self.fold(moments.flatten(0, 1).flatten(1, 2)))
        return read.unflatten(0, moments.shape[:2])


def moved(clips: Clips) -> Clips:
    """Half of the clips up to an eighth of their size elsewhere, for critics that see few."""
    most = clips.shape[-1] // 8
    return shifted(clips, {-1: most, -2: most})


class Critic(nn.Module):
    """Scores clips, or clips with their captions.

    With captions the score has a part for the pair: a projection (Miyato and Koyama, ICLR 2018).
    """

    def __init__(self, config: VideoConfig, size: int, frames: int, words: int | None = None):
        super().__init__()
        self.reader, self.width = ClipFeatures(config, size, frames), config.width
        self.alone = nn.Linear(config.width, 1)
        if words is not None:
            self.read = CaptionEncoder(config.text, words)
            self.pair = nn.Linear(config.text.width, config.width)

    def features(self, clips: Clips, tokens: Tokens | None = None) -> Features:
        """What is seen in clips, before captions are read."""
        return self.reader(clips)

    def augment(self, clips: Clips) -> Clips:
        return moved(clips)

    def forward(self, clips: Clips, tokens: Tokens | None = None) -> Scores:
        features = self.reader(clips)
        score = self.alone(features).squeeze(1)
        if tokens is None:
            return score
        pair = (features * self.pair(self.read(tokens))).sum(1)
        return score + pair / math.sqrt(features.shape[1])


BEGUN = (Flow, CodePrior, Translator, DCGAN, StyleBased)
"""Parts that know how to begin."""


def _keep_variance(part: nn.Module) -> None:
    """Weights with which what enters a network leaves it with its variance (He et al., 2015).

    Without it a clip would follow neither z nor c for the first thousands of steps.
    """
    if isinstance(part, BEGUN):
        return
    if isinstance(part, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(part.weight, a=0.2)
        assert part.bias is not None
        nn.init.zeros_(part.bias)
    for inner in part.children():
        _keep_variance(inner)


def build(config: VideoConfig, size: int, frames: int, words: int, recipe: Recipe) -> Networks:
    """The networks of a recipe, for clips of this size and captions of so many known words."""
    builders: dict[str, Callable[[], nn.Module]] = {
        "encoder": lambda: Encoder(config, size, recipe.posterior),
        "decoder": lambda: Decoder(config, size, frames),
        "prior": lambda: (
            recipe.prior(config.latent, config.text.width)
            if recipe.prior
            else CaptionPrior(config)
        ),
        "condition": lambda: CaptionEncoder(config.text, words),
        "critic_x": lambda: Critic(config, size, frames),
        "critic_xc": lambda: Critic(config, size, frames, words),
        "critic_xz": lambda: JointCritic(
            ClipFeatures(config, size, frames), config.width, config.latent, moved, config.width
        ),
        "critic_z": lambda: LatentCritic(config.latent),
    }
    if recipe.other:  # z is a clip too
        builders |= dict.fromkeys(("encoder", "decoder"), lambda: Translator(config))
        builders["critic_z"] = builders["critic_x"]
    built = Networks({name: builders[name]() for name in recipe.networks})
    _keep_variance(built)
    return built.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a third faster on a CPU
