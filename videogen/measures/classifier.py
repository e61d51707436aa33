"""A classifier of real clips: which caption belongs to which clip. Evaluation measures with it.

Two towers, one for clips and one for captions, meet in a space where what belongs together lies
together (Radford et al., ICML 2021). It learns from real clips alone, once for each collection,
and is kept: published features would have to be downloaded, and are of other clips.
"""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from core.files import cache_folder
from core.theory.shapes import Features, Loss
from core.training.checkpoint import Checkpoint, Corrupt, save_checkpoint
from videogen.files.clip import Clips, to_clips
from videogen.model import CaptionedClips
from videogen.networks.config import VideoConfig
from videogen.networks.critic import ClipFeatures
from videogen.networks.text import CaptionEncoder, Captions, TextConfig, Tokens

Tick = Callable[[int, int], None]
Directions = Float[Tensor, "batch direction"]
"""Of length 1."""

SIZES = VideoConfig(critic_channels=16, width=64, text=TextConfig(width=64))
STEPS, BATCH = 600, 64
LEARNING_RATE = 2e-3
SHARPNESS = 10.0
"""What a cosine of 1 weighs at first, in nats."""
SHIFT_PX = 2
"""Clips are moved by up to so many pixels while it learns, so that few clips suffice."""
VERSION = 1
"""Of this file's results; a classifier that was kept by another is not used."""


class Classifier(nn.Module):
    """How near a clip is to a caption, and what clips show, as features."""

    def __init__(self, size: int, frames: int, words: Sequence[str]):
        super().__init__()
        self.captions = Captions(words)
        self.clip = ClipFeatures(SIZES, size, frames)
        self.caption = CaptionEncoder(SIZES.text, len(words))
        self.clip_out = nn.Linear(SIZES.width, SIZES.width)
        self.caption_out = nn.Linear(SIZES.text.width, SIZES.width)
        self.log_sharpness = nn.Parameter(torch.tensor(SHARPNESS).log())

    def seen(self, clips: Clips) -> Directions:
        return F.normalize(self.clip_out(self.clip(clips)), dim=1)

    def told(self, tokens: Tokens) -> Directions:
        return F.normalize(self.caption_out(self.caption(tokens)), dim=1)

    def loss(self, clips: Clips, tokens: Tokens) -> Loss:
        """Of choosing the caption of each clip in the batch and the clip of each caption, in nats.

        Clips of the same caption share the choice.
        """
        logits = self.log_sharpness.exp() * self.seen(clips) @ self.told(tokens).T
        same = (tokens[:, None] == tokens[None]).all(-1).all(-1).float()
        share = same / same.sum(1, keepdim=True)
        return (F.cross_entropy(logits, share) + F.cross_entropy(logits.T, share)) / 2

    @torch.no_grad()
    def features(self, clips: Clips) -> Float[np.ndarray, "batch feature"]:
        """Of whole clips."""
        return _numbers(self._in_parts(clips, self.clip))

    @torch.no_grad()
    def chunks(self, clips: Clips) -> Float[np.ndarray, "batch feature"]:
        """Of one moment of each clip, a different one from clip to clip."""
        chunks = self._in_parts(clips, self.clip.chunks)
        number = torch.arange(len(clips))
        return _numbers(chunks[number, number % chunks.shape[1]])

    @torch.no_grad()
    def similarity(
        self, clips: Clips, captions: Sequence[str]
    ) -> Float[np.ndarray, "batch caption"]:
        """Cosine of each clip and each caption."""
        tokens = self.captions.encode(captions).to(self._device)
        return _numbers(self._in_parts(clips, self.seen) @ self.told(tokens).T)

    def _in_parts(self, clips: Clips, read: Callable[[Clips], Tensor]) -> Tensor:
        return torch.cat([read(part.to(self._device)) for part in clips.split(BATCH)])

    @property
    def _device(self) -> torch.device:
        return self.log_sharpness.device


def _numbers(values: Features) -> np.ndarray:
    return values.float().cpu().numpy()


def trained(
    data: CaptionedClips, device: torch.device, tick: Tick = lambda done, total: None
) -> Classifier:
    """The classifier of this data: the one that is kept, or one that is trained now and kept."""
    classifier = Classifier(data.size, data.frames, data.words)
    folder = cache_folder() / "classifiers" / _name(data)
    try:
        Checkpoint.open(folder).fill(classifier, "classifier")
    except Corrupt:
        learn(classifier.to(device), data, STEPS, tick)
        save_checkpoint(folder, {"classifier": classifier.state_dict()}, {"steps": STEPS})
    return classifier.to(device).eval()


def _name(data: CaptionedClips) -> str:
    settings = (VERSION, data.digest, SIZES.model_dump(), STEPS, BATCH, LEARNING_RATE)
    return hashlib.sha256(repr(settings).encode()).hexdigest()[:16]


def learn(classifier: Classifier, data: CaptionedClips, steps: int, tick: Tick) -> None:
    """Train on the data's training clips; the same data give the same weights."""
    torch.manual_seed(0)
    device = classifier.log_sharpness.device
    optimizer = torch.optim.AdamW(classifier.parameters(), LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps)
    for step in range(steps):
        frames, captions = data.batch(step, BATCH, seed=0)
        clips = _moved(to_clips(frames).to(device), step)
        loss = classifier.loss(clips, classifier.captions.encode(captions).to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        tick(step + 1, steps)


def _moved(clips: Clips, step: int) -> Clips:
    """The clips of a step, all moved alike; what was at the border is repeated there."""
    down, right = np.random.default_rng(step).integers(-SHIFT_PX, SHIFT_PX + 1, 2)
    padded = F.pad(clips, (SHIFT_PX,) * 4 + (0, 0), mode="replicate")
    height, width = clips.shape[3:]
    top, left = SHIFT_PX + down, SHIFT_PX + right
    return padded[..., top : top + height, left : left + width]
