"""The critic of clips, with or without their captions, and the features that it computes."""

import math

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.augmentation import shifted
from core.theory.shapes import Features, Scores
from videogen.files.clip import Clips
from videogen.networks.chunks import FRAMES_PER_CHUNK, RGB, chunks_of, split_chunks
from videogen.networks.config import VideoConfig
from videogen.networks.resampling import Downsampler, convolution
from videogen.networks.text import Tokens, caption_encoder

ChunkFeatures = Float[Tensor, "batch chunk feature"]

SHIFT = 1 / 8
"""The largest shift of an augmented clip, as a share of its width."""

DETAIL_GAIN = 4.0
"""Details are some four times as weak as the pictures that they are in."""


class ClipFeatures(nn.Module):
    """Map clips to features: each chunk is downsampled by itself, then all chunks are joined."""

    def __init__(self, config: VideoConfig, size: int, frames: int):
        super().__init__()
        self.downsample = Downsampler(RGB * FRAMES_PER_CHUNK, config.critic_channels, size)
        self.chunk = nn.Sequential(
            nn.Linear(self.downsample.features, config.width), nn.LeakyReLU(0.2)
        )
        self.whole = nn.Sequential(
            nn.Linear(config.width * chunks_of(frames), config.width), nn.LeakyReLU(0.2)
        )

    def forward(self, clips: Clips) -> Features:
        return self.whole(self.chunks(clips).flatten(1))  # [batch feature]

    def chunks(self, clips: Clips) -> ChunkFeatures:
        """Return the features of each chunk; they do not depend on the order of the chunks."""
        chunks = split_chunks(clips)
        features = self.chunk(self.downsample(chunks.flatten(0, 1)))  # [(batch chunk) feature]
        return features.unflatten(0, chunks.shape[:2])  # [batch chunk feature]


def shift_clips(clips: Clips) -> Clips:
    """Shift a random half of the clips, with wrap-around (differentiable augmentation)."""
    most = int(SHIFT * clips.shape[-1])
    return shifted(clips, {-1: most, -2: most})


class Critic(nn.Module):
    """Score clips, or pairs of a clip and its caption.

    The score of a pair is the clip's own plus an inner product of the clip's features with the
    projected caption (projection discriminator; Miyato and Koyama, ICLR 2018).
    """

    def __init__(self, config: VideoConfig, size: int, frames: int, words: int | None = None):
        super().__init__()
        self.clip_features, self.width = ClipFeatures(config, size, frames), config.width
        self.head = nn.Linear(config.width, 1)
        if words is not None:
            self.caption = caption_encoder(config.text, words)
            self.projection = nn.Linear(config.condition, config.width)

    def features(self, clips: Clips, tokens: Tokens | None = None) -> Features:
        """Return the clips' features, which do not depend on the captions."""
        return self.clip_features(clips)

    def augment(self, clips: Clips) -> Clips:
        """Return the clips as training shows them with augmentation: half of them shifted."""
        return shift_clips(clips)

    def features_and_scores(
        self, clips: Clips, tokens: Tokens | None = None
    ) -> tuple[Features, Scores]:
        features = self.clip_features(clips)
        score = self.head(features).squeeze(1)  # [batch]
        if tokens is None:
            return features, score
        match = (features * self.projection(self.caption(tokens))).sum(1)
        return features, score + match / math.sqrt(features.shape[1])

    def forward(self, clips: Clips, tokens: Tokens | None = None) -> Scores:
        return self.features_and_scores(clips, tokens)[1]


class PatchCritic(nn.Module):
    """Score each patch of a clip (Isola et al., CVPR 2017, section 3.2.2).

    A score for each place of a map at a quarter of the size and for each chunk of frames sees
    15 x 15 pixels of 2 frames: on 64 x 64 pixels the share of a picture that the paper's 70 x 70
    see on 256 x 256. With captions the features of every patch are also compared with the
    caption, see `Critic`.
    """

    def __init__(self, config: VideoConfig, words: int | None = None):
        super().__init__()
        channels = config.critic_channels
        self.width = 4 * channels
        self.patch_features = nn.Sequential(
            convolution(RGB * FRAMES_PER_CHUNK, channels, 2),
            convolution(channels, 2 * channels, 2),
            convolution(2 * channels, self.width),
        )
        self.head = nn.Linear(self.width, 1)
        if words is not None:
            self.caption = caption_encoder(config.text, words)
            self.projection = nn.Linear(config.condition, self.width)

    def features(self, clips: Clips, tokens: Tokens | None = None) -> Features:
        """Return the mean of the patches' features, which do not depend on the captions."""
        return self._of_patches(clips).mean(1)  # [batch feature]

    def augment(self, clips: Clips) -> Clips:
        """Return the clips as training shows them with augmentation: half of them shifted."""
        return shift_clips(clips)

    def features_and_scores(
        self, clips: Clips, tokens: Tokens | None = None
    ) -> tuple[Features, Float[Tensor, "batch patch"]]:
        features = self._of_patches(clips)
        scores = self.head(features).squeeze(2)  # [batch patch]
        if tokens is not None:
            match = (features * self.projection(self.caption(tokens))[:, None]).sum(2)
            scores = scores + match / math.sqrt(self.width)
        return features.mean(1), scores

    def forward(self, clips: Clips, tokens: Tokens | None = None) -> Float[Tensor, "batch patch"]:
        return self.features_and_scores(clips, tokens)[1]

    def _of_patches(self, clips: Clips) -> Float[Tensor, "batch patch feature"]:
        """Return the features of each patch: chunk by chunk, row by row, column by column."""
        chunks = split_chunks(clips)
        maps = self.patch_features(chunks.flatten(0, 1))  # [(batch chunk) feature row column]
        maps = maps.unflatten(0, chunks.shape[:2])  # [batch chunk feature row column]
        return maps.movedim(2, 4).flatten(1, 3)  # [batch patch feature]


def details(clips: Clips) -> Clips:
    """Return the difference of each pixel to the mean of the 3 x 3 pixels around it, enlarged.

    >>> line = Tensor([0.0, 0.0, 9.0, 0.0, 0.0]).expand(1, 3, 1, 5, 5)
    >>> details(line)[0, 0, 0, 0].tolist()
    [0.0, -12.0, 24.0, -12.0, 0.0]
    """
    around = F.pad(clips, (1, 1, 1, 1, 0, 0), mode="replicate")
    return DETAIL_GAIN * (clips - F.avg_pool3d(around, (1, 3, 3), 1))


class DetailCritic(PatchCritic):
    """Score the details of each patch of a clip, whatever its colours are.

    Beside a likelihood, which gets everything else right, a critic of patches is needed for high
    frequencies alone (Isola et al., CVPR 2017, section 3.2.2): this one sees nothing else.
    """

    def _of_patches(self, clips: Clips) -> Float[Tensor, "batch patch feature"]:
        return super()._of_patches(details(clips))
