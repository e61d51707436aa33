"""The critic of clips, with or without captions."""

import math

from torch import nn

from core.networks.augmentation import shifted
from core.theory.shapes import Features, Scores
from videogen.files.clip import Clips
from videogen.networks.sampling import FRAMES_PER_CHUNK, RGB, Chunks, Downsampler, VideoConfig
from videogen.networks.text import CaptionEncoder, Tokens


class ClipFeatures(nn.Module):
    """Clip -> features: pictures of a few frames each, folded, then brought together in time."""

    def __init__(self, config: VideoConfig, size: int, frames: int):
        super().__init__()
        self.downsample = Downsampler(RGB * FRAMES_PER_CHUNK, config.critic_channels, size)
        self.chunk = nn.Sequential(
            nn.Linear(self.downsample.features, config.width), nn.LeakyReLU(0.2)
        )
        self.whole = nn.Sequential(
            nn.Linear(config.width * (frames // FRAMES_PER_CHUNK), config.width), nn.LeakyReLU(0.2)
        )

    def forward(self, clips: Clips) -> Features:
        return self.whole(self.chunks(clips).flatten(1))

    def chunks(self, clips: Clips) -> Chunks:
        """What each few frames show, without the order in time."""
        chunks = clips.unflatten(2, (-1, FRAMES_PER_CHUNK)).permute(0, 2, 3, 1, 4, 5)
        read = self.chunk(self.downsample(chunks.flatten(0, 1).flatten(1, 2)))
        return read.unflatten(0, chunks.shape[:2])


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
