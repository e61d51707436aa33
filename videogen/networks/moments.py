"""Clips as codes of moments, and a path that generates these codes (a game in latent space).

    code_t = E(moment t), moment t = D(code_t)       an autoencoder; a moment is two frames
    h_0 = H([content, y_motion])                     the prior, which a game trains
    h_t = GRU([noise_t, y_motion], h_(t-1))
    code_t = P([content, y_content, h_t])

The critic of the game sees codes and captions. Achlioptas, Diamanti, Mitliagkas and Guibas,
Learning Representations and Generative Models for 3D Point Clouds, ICML 2018 (a GAN over the
latents of an autoencoder), with the path of `path`.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.heads import MLP, PosteriorHead
from core.theory.distributions import Delta, Distribution
from core.theory.shapes import Features, Latents, Losses, Samples, Scores
from videogen.files.clip import Clips
from videogen.networks.chunks import FRAMES_PER_CHUNK, RGB, chunks_of, join_chunks, split_chunks
from videogen.networks.config import VideoConfig
from videogen.networks.path import beside_content, split_condition, walked
from videogen.networks.resampling import Downsampler, Grid, generator
from videogen.networks.text import Condition, Tokens, caption_encoder

NOISE = 0.1
"""Standard deviation of the noise on codes in training, so that near codes are near moments."""


def normalised(codes: Float[Tensor, "*any code"]) -> Float[Tensor, "*any code"]:
    """Return codes of mean 0 and variance 1 over their numbers."""
    return F.layer_norm(codes, codes.shape[-1:])


class MomentEncoder(nn.Module):
    """Map each moment of a clip to a point: its code."""

    def __init__(self, config: VideoConfig, size: int, kind: type[Distribution]):
        super().__init__()
        self.downsample = Downsampler(RGB * FRAMES_PER_CHUNK, config.channels, size)
        self.body = nn.Sequential(MLP(self.downsample.features, config.width), nn.LeakyReLU(0.2))
        self.head = PosteriorHead(config.width, config.latent, kind)

    def forward(self, clips: Clips, c: Condition | None) -> Delta:
        chunks = split_chunks(clips)
        read = self.body(self.downsample(chunks.flatten(0, 1)))  # [(batch moment) feature]
        codes = normalised(self.head(read).representative)
        codes = codes.unflatten(0, chunks.shape[:2])  # [batch moment code]
        return Delta(codes.flatten(1))  # of [batch (moment code)]


class MomentDecoder(nn.Module):
    """Map codes to the clip: each moment from its own."""

    def __init__(self, config: VideoConfig, size: int, frames: int):
        super().__init__()
        self.latent, self.frames, self.pixel_std = config.latent, frames, config.pixel_std
        self.grid = Grid.of(size)
        self.code = nn.Sequential(MLP(config.latent, config.width), nn.LeakyReLU(0.2))
        self.moment = generator(config, self.grid, FRAMES_PER_CHUNK * RGB)

    def forward(self, z: Latents, c: Condition | None) -> Delta:
        codes = z.unflatten(1, (-1, self.latent))  # [batch moment code]
        if self.training:
            codes = codes + NOISE * torch.randn_like(codes)
        every = codes.flatten(0, 1)  # [(batch moment) code]
        moments = self.grid.crop(self.moment(self.code(every)).float())
        moments = moments.unflatten(0, codes.shape[:2])  # [batch moment channel height width]
        return Delta(join_chunks(moments, self.frames), self.pixel_std)


class PathOfCodes(Distribution):
    """p(z given c) of a path: it can be sampled, and has no density."""

    def __init__(self, prior: "PathPrior", batch: int, c: Condition | None):
        self._prior, self._batch, self._c = prior, batch, c

    @property
    def representative(self) -> Latents:
        """Return the codes of noise 0."""
        return self._prior.codes(self._prior.no_noise(self._batch), self._c)

    def rsample(self) -> Latents:
        return self._prior.codes(self._prior.noise(self._batch), self._c)

    def log_prob(self, value: Samples) -> Losses:
        raise NotImplementedError("a path that a game has trained has no density")


class PathPrior(nn.Module):
    """Map noise and c to the codes of a clip's moments."""

    def __init__(self, config: VideoConfig, frames: int):
        super().__init__()
        self.moments, self.content, self.motion = chunks_of(frames), config.latent, config.motion
        y, width = config.condition // 2, config.width
        self.first = nn.Sequential(nn.Linear(config.latent + y, width), nn.Tanh())
        self.step = nn.GRUCell(config.motion + y, width)
        self.code = MLP(config.latent + y + width, width, width, config.latent)

    def forward(self, batch: int, c: Condition | None = None) -> PathOfCodes:
        return PathOfCodes(self, batch, c)

    def noise(self, batch: int) -> Float[Tensor, "batch noise"]:
        """Draw noise of the content, and then of each moment."""
        return torch.randn_like(self.no_noise(batch))

    def no_noise(self, batch: int) -> Float[Tensor, "batch noise"]:
        """Return zeros in place of noise: the codes that follow are the representative ones."""
        return self.step.bias_ih.new_zeros(batch, self.content + self.moments * self.motion)

    def codes(self, noise: Float[Tensor, "batch noise"], c: Condition | None) -> Latents:
        """Return the codes that follow from noise."""
        content, motion = split_condition(c, noise)
        each = noise[:, self.content :].unflatten(1, (-1, self.motion))  # [batch moment noise]
        drawn = noise[:, : self.content]
        whole = torch.cat([drawn, content], 1)
        path = walked(self.step, each, motion, self.first(torch.cat([drawn, motion], 1)))
        codes = normalised(self.code(beside_content(whole, path)))
        return codes.flatten(1)  # [batch (moment code)]


class CodeCritic(nn.Module):
    """Score the codes of a clip beside its caption: neighbours first, then all moments.

    The score is that of the codes plus an inner product with the projected caption, see `Critic`.
    """

    def __init__(self, config: VideoConfig, frames: int, words: int | None):
        super().__init__()
        self.moments, self.width = chunks_of(frames), config.width
        self.near = nn.Sequential(
            nn.Conv1d(config.latent, self.width, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv1d(self.width, self.width, 3, padding=1),
            nn.LeakyReLU(0.2),
        )
        self.whole = nn.Sequential(
            nn.Linear(self.width * self.moments, self.width), nn.LeakyReLU(0.2)
        )
        self.head = nn.Linear(self.width, 1)
        if words is not None:
            self.caption = caption_encoder(config.text, words)
            self.projection = nn.Linear(config.caption, self.width)

    def features(self, z: Latents, tokens: Tokens | None = None) -> Features:
        """Return the last hidden layer, which does not depend on the caption."""
        codes = z.unflatten(1, (self.moments, -1))  # [batch moment code]
        return self.whole(self.near(codes.mT).flatten(1))  # [batch feature]

    def augment(self, z: Latents) -> Latents:
        """Return z unchanged: no augmentation is known that keeps codes plausible."""
        return z

    def features_and_scores(
        self, z: Latents, tokens: Tokens | None = None
    ) -> tuple[Features, Scores]:
        features = self.features(z, tokens)
        score = self.head(features).squeeze(1)  # [batch]
        if tokens is None:
            return features, score
        match = (features * self.projection(self.caption(tokens))).sum(1)
        return features, score + match / math.sqrt(self.width)

    def forward(self, z: Latents, tokens: Tokens | None = None) -> Scores:
        return self.features_and_scores(z, tokens)[1]
