"""Decoders of notes: harmonics of the pitch over a floor of noise, or maps from coarse to fine."""

import itertools
import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.buffers import set_number
from core.networks.generators import StyleBased, finest_level, widths
from core.networks.heads import MLP
from core.theory.distributions import Delta
from core.theory.shapes import Features, Latents
from musegen.voice.networks.config import VoiceConfig
from musegen.voice.networks.harmonics import (
    HARMONICS,
    LOG_DB,
    HarmonicRows,
    lobe,
    spread,
)
from musegen.voice.networks.tones import Tones
from musegen.voice.spectrogram import Maps, Spectrogram

UPSAMPLINGS = 3
"""Doublings of the maps of harmonics and of noise; frames are multiples of 2^3."""
BANDS = 64
"""Bands of the noise, interpolated to rows."""
DETUNED = 0.25
"""Frequency of a harmonic's output 1, in units of two bins."""
QUIET = -0.8
"""Level of noise where its output is 0."""
CLEAR = 3.0
"""Log concentration of a harmonic whose output is 0."""


class HarmonicDecoder(nn.Module):
    """z and a pitch -> harmonics of that pitch, over noise.

    A row's amplitude is that of the nearest harmonic by the window's lobe, plus that of the noise
    in the row: log(exp(tone) + exp(noise)). Its frequency is the harmonic's, and all rows of a
    harmonic have one frequency, so that they stay in phase. A harmonic's level is a line over
    time, as of a string that fades, plus a map that is smooth over harmonics. It is additive
    synthesis as a decoder, as in DDSP (Engel et al., ICLR 2020), whose oscillators are here rows
    of x.
    """

    time: Tensor

    def __init__(self, config: VoiceConfig, spectrogram: Spectrogram):
        super().__init__()
        self.rows = HarmonicRows(spectrogram)
        self.nats = -spectrogram.floor_db * LOG_DB / 2
        self.std = 2 * config.level_db / -spectrogram.floor_db
        code, coarse = config.latent + config.condition, 2**UPSAMPLINGS
        frames = spectrogram.frames // coarse
        self.harmonics = StyleBased(
            code, config.channels, (frames, HARMONICS // coarse), UPSAMPLINGS, 5
        )
        self.noise = StyleBased(
            code, max(2, config.channels // 2), (frames, BANDS // coarse), UPSAMPLINGS, 1
        )
        self.lines = MLP(code, config.width, 2 * HARMONICS)
        self.bands = MLP(code, config.width, BANDS)
        self.register_buffer("time", torch.linspace(0, 1, spectrogram.frames), persistent=False)
        self.noisy_log_concentration = nn.Parameter(torch.tensor(-2.0))
        self.width = nn.Parameter(torch.tensor(-1.0))

    def level_out(self) -> None:
        """Begin with lines and bands of level 0, which learn from there."""
        for layer in (self.lines[-1], self.bands[-1]):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

    def forward(self, z: Latents, c: Features) -> Tones:
        code = torch.cat([z, c], 1)
        number, offset = self.rows.nearest(c)
        level, sharpness, detuning, clarity, phase = spread(self.harmonics(code), number).unbind(1)
        lines = self.lines(code).unflatten(1, (2, 1, HARMONICS))  # [batch 2 1 harmonic]
        first, slope = spread(lines, number).unbind(1)
        level = level + first + slope * self.time[:, None]
        shape = lobe(offset)[:, None] / self.nats
        tone = level + 2 * torch.sigmoid(sharpness) * shape
        noise = self.noise(code) + self.bands(code)[:, None, None]  # [batch 1 frame band]
        noise = F.interpolate(noise, tone.shape[1:], mode="bilinear")[:, 0] + QUIET
        mixed = torch.logaddexp(self.nats * tone, self.nats * noise) / self.nats
        tonal = torch.sigmoid(self.nats * (tone - noise))
        clear = CLEAR + clarity - F.softplus(self.width) * offset[:, None] ** 2
        log_concentration = torch.lerp(self.noisy_log_concentration.expand_as(clear), clear, tonal)
        advance = offset[:, None] / 2 + DETUNED * detuning
        advance = torch.cat([phase[:, :1], advance[:, 1:]], 1)
        return Tones(mixed, advance, log_concentration.clamp(-4, 9), self.std)


Coarse = Float[Tensor, "note 2 coarse_frame coarse_row"]


class PixelNorm(nn.Module):
    """Channels of each place divided by their root mean square (Karras et al., ICLR 2018, 4.2)."""

    def forward(self, maps: Float[Tensor, "batch channel *place"]) -> Tensor:
        return maps * torch.rsqrt(maps.square().mean(1, keepdim=True) + 1e-8)


class Block(nn.Sequential):
    """Upsampling by 2, a convolution, LeakyReLU and pixel normalisation."""

    def __init__(self, inputs: int, outputs: int, factor: int = 2):
        up = nn.Upsample(scale_factor=factor) if factor > 1 else nn.Identity()
        convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
        super().__init__(up, convolution, nn.LeakyReLU(0.2), PixelNorm())


class MapDecoder(nn.Module):
    """z and a pitch -> maps, doubled level by level (GANSynth, appendix B.1).

    It is grown from coarse to fine, where `level_steps` is not 0: see
    `core.networks.generators.ProgressiveGenerator`. Half of the paper's convolutions: one a level.
    """

    stage: Tensor

    def __init__(self, config: VoiceConfig, spectrogram: Spectrogram):
        super().__init__()
        sides = spectrogram.frames, spectrogram.rows
        ups = upsamplings(*sides)
        first, *_ = levels = widths(config.channels, ups)
        self.coarsest = (first, *(side // 2**ups for side in sides))
        self.first = nn.Linear(config.latent + config.condition, math.prod(self.coarsest))
        self.normalise = PixelNorm()
        self.blocks = nn.ModuleList(
            [Block(first, first, 1), *(Block(a, b) for a, b in itertools.pairwise(levels))]
        )
        self.to_x = nn.ModuleList(nn.Conv2d(width, 2, 1) for width in levels)
        self.level_steps = config.level_steps
        self.register_buffer("stage", torch.tensor(float(ups if not self.level_steps else 0)))

    def set_stage(self, step: int) -> None:
        """Set the growth stage for this step: the number of levels that have joined the first."""
        if self.level_steps:
            set_number(self.stage, min(step / self.level_steps, len(self.blocks) - 1))

    def forward(self, z: Latents, c: Features) -> Delta:
        code = self.normalise(torch.cat([z, c], 1))
        coarser = maps = self.first(code).unflatten(1, self.coarsest)  # [batch channel frame row]
        finest, share = finest_level(self.stage)
        for block in itertools.islice(self.blocks, finest + 1):
            coarser, maps = maps, block(maps)
        x = self.to_x[finest](maps)
        if share < 1:
            x = torch.lerp(_doubled(self.to_x[finest - 1](coarser)), x, share)
        return Delta(torch.tanh(_doubled(x, len(self.blocks) - 1 - finest)))

    def to_current_resolution(self, x: Maps) -> Maps:
        """Return x with the detail of the growth stage: means over blocks."""
        finest, share = finest_level(self.stage)
        block = 2 ** (len(self.blocks) - 1 - finest)
        fine = _averaged(x, block)
        return torch.lerp(_averaged(x, 2 * block), fine, share) if share < 1 else fine


def upsamplings(frames: int, rows: int, most: int = 5) -> int:
    """Return how often both sides can be halved, at most 5 times.

    >>> upsamplings(64, 512), upsamplings(40, 64)
    (5, 3)
    """
    both = math.gcd(frames, rows)
    return min(most, (both & -both).bit_length() - 1)


def _doubled(x: Coarse, times: int = 1) -> Float[Tensor, "note 2 _ _"]:
    return F.interpolate(x, scale_factor=float(2**times)) if times else x


def _averaged(x: Maps, block: int) -> Maps:
    return F.interpolate(F.avg_pool2d(x, block), scale_factor=float(block)) if block > 1 else x
