"""The encoder of notes: the levels of the harmonics of the pitch, and those of bands."""

import itertools

import torch
from torch import nn
from torch.nn import functional as F

from core.networks.heads import PosteriorHead
from core.theory.distributions import Distribution
from core.theory.shapes import Features
from musegen.voice.networks.config import VoiceConfig
from musegen.voice.networks.harmonics import HARMONICS, HarmonicRows
from musegen.voice.spectrogram import Maps, Spectrogram

LEAK = 0.2


class NoteEncoder(nn.Module):
    """x and a pitch -> q(z given x, c).

    It reads the levels of harmonics, which are those of a timbre whatever the pitch is, beside
    the mean levels of as many bands.
    """

    def __init__(self, config: VoiceConfig, spectrogram: Spectrogram, kind: type[Distribution]):
        super().__init__()
        self.rows = HarmonicRows(spectrogram)
        channels = 2 * config.channels
        sizes = (2, channels, 2 * channels, 2 * channels)
        self.maps = nn.ModuleList(
            nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in itertools.pairwise(sizes)
        )
        features = sizes[-1] * (spectrogram.frames // 8) * (HARMONICS // 8)
        self.hidden = nn.Linear(features + config.condition, config.width)
        self.head = PosteriorHead(config.width, config.latent, kind)

    def forward(self, x: Maps, c: Features) -> Distribution:
        level = x[:, 0]
        index = self.rows.rows(c)[:, None].expand(-1, level.shape[1], -1)
        bands = F.adaptive_avg_pool1d(level, HARMONICS)
        maps = torch.stack([level.gather(2, index), bands], 1)  # [batch 2 frame harmonic]
        for convolution in self.maps:
            maps = F.leaky_relu(convolution(maps), LEAK)
        features = torch.cat([maps.flatten(1), c], 1)  # [batch feature]
        return self.head(F.leaky_relu(self.hidden(features), LEAK))
