"""The critic of notes: it scores spectrograms, and classifies their pitches."""

import itertools

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.augmentation import shifted
from core.theory.shapes import Features, Scores
from musegen.voice.networks.config import VoiceConfig
from musegen.voice.networks.decoder import upsamplings
from musegen.voice.networks.harmonics import Pitches
from musegen.voice.spectrogram import Maps, Spectrogram

SHIFT = 2
"""Largest shift of an augmented note, in frames."""
WIDEST = 8
"""Factor by which channels grow at most."""


def minibatch_std(maps: Float[Tensor, "batch channel frame row"]) -> Tensor:
    """Return maps with one more: the mean standard deviation over the batch (Karras et al. 2018).

    Samples that are all the same show in it.
    """
    spread = torch.sqrt(maps.var(0, correction=0) + 1e-8).mean()
    return torch.cat([maps, spread.expand(len(maps), 1, *maps.shape[2:])], 1)


class NoteFeatures(nn.Module):
    """Map spectrograms to features, by convolutions that halve both sides."""

    def __init__(self, config: VoiceConfig, spectrogram: Spectrogram):
        super().__init__()
        times = upsamplings(spectrogram.frames, spectrogram.rows)
        widths = [config.critic_channels * min(2**n, WIDEST) for n in range(times)]
        self.maps = nn.ModuleList(
            nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in itertools.pairwise([2, *widths])
        )
        places = (spectrogram.frames >> times) * (spectrogram.rows >> times)
        self.hidden = nn.Linear((widths[-1] + 1) * places, config.width)

    def forward(self, x: Maps) -> Features:
        for convolution in self.maps:
            x = F.leaky_relu(convolution(x), 0.2)
        return F.leaky_relu(self.hidden(minibatch_std(x).flatten(1)), 0.2)  # [batch feature]


def shift_notes(x: Maps) -> Maps:
    """Shift a random half of the notes in time, with wrap-around (differentiable augmentation)."""
    return shifted(x, {-2: SHIFT})


class NoteCritic(nn.Module):
    """Score notes, or pairs of a note and its pitch, and classify their pitches.

    The score of a pair is the note's own plus the logit of its pitch: a projection discriminator
    (Miyato and Koyama, ICLR 2018) whose projection is also the auxiliary classifier (AC-GAN;
    Odena, Olah and Shlens, ICML 2017).
    """

    def __init__(self, config: VoiceConfig, spectrogram: Spectrogram, pitches: int):
        super().__init__()
        self.note_features, self.width = NoteFeatures(config, spectrogram), config.width
        self.score = nn.Linear(config.width, 1)
        self.classify = nn.Linear(config.width, pitches)

    def features(self, x: Maps, pitches: Pitches | None = None) -> Features:
        """Return the features of notes, which do not depend on their conditions."""
        return self.note_features(x)

    def augment(self, x: Maps) -> Maps:
        return shift_notes(x)

    def pitch_logits(self, x: Maps) -> Float[Tensor, "batch pitch"]:
        """Return the logits of the pitches."""
        return self.classify(self.note_features(x))

    def features_and_scores(
        self, x: Maps, pitches: Pitches | None = None
    ) -> tuple[Features, Scores]:
        features = self.note_features(x)
        score = self.score(features).squeeze(1)  # [batch]
        if pitches is None:
            return features, score
        return features, score + (self.classify(features) * pitches).sum(1)

    def forward(self, x: Maps, pitches: Pitches | None = None) -> Scores:
        return self.features_and_scores(x, pitches)[1]
