"""The classifier that evaluation measures with: which caption belongs to which real clip.

Two encoders, of clips and of captions, are trained contrastively to embed a clip near its caption
(CLIP; Radford et al., ICML 2021). It is trained on the real clips of a collection, once, and
cached: public networks would have to be downloaded, and were trained on other clips.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from core.data.preparation import Tick
from core.theory.shapes import Features, Loss
from core.training.checkpoint import fill_from_cache
from core.training.device import isolated_random_state
from core.training.optimisation import steps_for, train_in_one_cycle
from videogen.captioned_clips import CaptionedClips
from videogen.data.collection import Collection
from videogen.files.clip import Clips, to_clips
from videogen.measures.augmentation import shifted_clips
from videogen.networks.config import VideoConfig
from videogen.networks.critic import ClipFeatures
from videogen.networks.text import Captions, TextConfig, Tokens, caption_encoder

Embeddings = Float[Tensor, "batch embedding"]
"""Unit vectors."""

SIZES = VideoConfig(critic_channels=16, width=64, text=TextConfig(width=64))
FEWEST_STEPS, STEPS, BATCH = 150, 600, 64
LEARNING_RATE = 2e-3
SCALE = 10.0
"""Initial logit of a cosine of 1, in nats."""
VERSION = 2
"""Version of this file; classifiers cached by other versions are not used."""


class Classifier(nn.Module):
    """Embed clips and captions in one space; its clip encoder provides features."""

    def __init__(self, size: int, frames: int, words: Sequence[str]):
        super().__init__()
        self.captions = Captions(words)
        self.clip = ClipFeatures(SIZES, size, frames)
        self.caption = caption_encoder(SIZES.text, len(words))
        self.clip_out = nn.Linear(SIZES.width, SIZES.width)
        self.caption_out = nn.Linear(SIZES.text.width, SIZES.width)
        self.log_scale = nn.Parameter(torch.tensor(SCALE).log())

    def embed_clips(self, clips: Clips) -> Embeddings:
        """Return unit vectors, near those of the clips' captions."""
        return F.normalize(self.clip_out(self.clip(clips)), dim=1)

    def embed_captions(self, tokens: Tokens) -> Embeddings:
        """Return unit vectors, near those of the captions' clips."""
        return F.normalize(self.caption_out(self.caption(tokens)), dim=1)

    def loss(self, clips: Clips, tokens: Tokens) -> Loss:
        """Return the cross-entropy of each clip's caption and each caption's clip, in nats.

        Clips of the same caption share the target equally.
        """
        logits = self.log_scale.exp() * self.embed_clips(clips) @ self.embed_captions(tokens).T
        same = (tokens[:, None] == tokens[None]).all(-1).all(-1).float()  # [clip caption]
        target = same / same.sum(1, keepdim=True)
        return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2

    @torch.no_grad()
    def features(self, clips: Clips) -> Float[np.ndarray, "batch feature"]:
        """Return features of whole clips, with their motion."""
        return _to_numpy(self._in_batches(clips, self.clip))

    @torch.no_grad()
    def chunk_features(self, clips: Clips) -> Float[np.ndarray, "batch feature"]:
        """Return features of one chunk of each clip: chunk k modulo their number for clip k."""
        chunks = self._in_batches(clips, self.clip.chunks)
        number = torch.arange(len(clips))
        return _to_numpy(chunks[number, number % chunks.shape[1]])

    @torch.no_grad()
    def similarity(
        self, clips: Clips, captions: Sequence[str]
    ) -> Float[np.ndarray, "batch caption"]:
        """Return the cosine similarity of each clip and each caption."""
        tokens = self.captions.encode(captions).to(self._device)
        embeddings = self._in_batches(clips, self.embed_clips)
        return _to_numpy(embeddings @ self.embed_captions(tokens).T)

    def _in_batches(self, clips: Clips, network: Callable[[Clips], Tensor]) -> Tensor:
        return torch.cat([network(batch.to(self._device)) for batch in clips.split(BATCH)])

    @property
    def _device(self) -> torch.device:
        return self.log_scale.device


def _to_numpy(values: Features) -> np.ndarray:
    return values.float().cpu().numpy()


def load_classifier(
    data: CaptionedClips, device: torch.device, tick: Tick = lambda done, total: None
) -> Classifier:
    """Return the cached classifier of this data; train and cache it if there is none."""
    classifier = _untrained(data)
    steps = steps_of(data)
    settings = (VERSION, data.digest, SIZES.model_dump(), steps, BATCH, LEARNING_RATE)
    fill_from_cache(classifier, settings, lambda: train(classifier.to(device), data, steps, tick))
    return classifier.to(device).eval()


def steps_of(data: CaptionedClips) -> int:
    """Return how many steps a classifier is trained: fewer for a small collection."""
    if not isinstance(data, Collection):
        return STEPS
    return steps_for(len(data.indices("train")), BATCH, FEWEST_STEPS, STEPS)


def _untrained(data: CaptionedClips) -> Classifier:
    """Return a classifier whose initial weights do not depend on the caller's random state."""
    with isolated_random_state(torch.device("cpu")):
        torch.manual_seed(0)
        return Classifier(data.size, data.frames, data.words)


def train(classifier: Classifier, data: CaptionedClips, steps: int, tick: Tick) -> None:
    """Train on the training clips; the same data give the same weights."""
    device = classifier.log_scale.device

    def loss(step: int) -> Loss:
        frames, captions = data.batch(step, BATCH, seed=0)
        clips = shifted_clips(to_clips(frames).to(device), step)
        return classifier.loss(clips, classifier.captions.encode(captions).to(device))

    train_in_one_cycle(classifier, loss, steps, LEARNING_RATE, 0.01, tick)
