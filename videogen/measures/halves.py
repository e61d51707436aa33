"""Classifiers of the two halves of captions, who and what: as "a dog" and "runs".

They say whether each half of a caption is seen in a clip, also where the two were never together
in training: composition. They are trained on the earlier clips of every real video, held-out ones
too, and their own accuracy is that on the later clips. What one of them says of composed clips
depends on its seed, so that the probabilities of several are averaged (Lakshminarayanan, Pritzel
and Blundell, NIPS 2017): each has its own initial weights and batches.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from core.data.preparation import Tick
from core.theory.shapes import Loss
from core.training.checkpoint import fill_from_cache
from core.training.device import isolated_random_state
from core.training.optimisation import steps_for, train_in_one_cycle
from videogen.data.collection import Collection
from videogen.data.division import Halves, halves_of
from videogen.files.clip import Clips, to_clips
from videogen.measures.augmentation import shifted_clips
from videogen.networks.config import VideoConfig
from videogen.networks.critic import ClipFeatures

SIZES = VideoConfig(critic_channels=24, width=128)
MEMBERS = 3
"""Classifiers whose probabilities are averaged."""
FEWEST_STEPS, STEPS, BATCH = 200, 1000, 32
LEARNING_RATE = 2e-3
NOISE = 0.05
"""Standard deviation of the noise on training clips, in [-1, 1]."""
VERSION = 2
"""Version of this file; classifiers cached by other versions are not used."""
EARLIER = 0.75
"""Share of a video's clips that are trained on, the earlier ones."""


@dataclass(frozen=True)
class Seen:
    """The shares of clips in which each half of the caption is seen, and both are."""

    beginning: float
    ending: float
    both: float


class HalvesClassifier(nn.Module):
    """Recognise the beginning and the ending of a clip's caption among all that there are."""

    def __init__(self, size: int, frames: int, halves: Mapping[str, Halves]):
        super().__init__()
        self.halves = halves
        self.names = [sorted({pair[n] for pair in halves.values()}) for n in range(2)]
        self.clip = ClipFeatures(SIZES, size, frames)
        self.heads = nn.ModuleList(nn.Linear(SIZES.width, len(names)) for names in self.names)

    def forward(self, clips: Clips) -> list[Float[Tensor, "batch half"]]:
        features = self.clip(clips)
        return [head(features) for head in self.heads]

    def numbers(self, captions: Sequence[str]) -> Int[Tensor, "2 batch"]:
        """Return the numbers of the halves of captions."""
        numbers = [
            [names.index(self.halves[caption][n]) for caption in captions]
            for n, names in enumerate(self.names)
        ]
        return torch.tensor(numbers)

    def loss(self, clips: Clips, captions: Sequence[str]) -> Loss:
        """Return the cross-entropy of both halves, in nats."""
        numbers = self.numbers(captions).to(clips.device)
        return sum(
            (F.cross_entropy(*pair) for pair in zip(self(clips), numbers, strict=True)),
            start=torch.zeros((), device=clips.device),
        )

    @torch.no_grad()
    def probabilities(self, clips: Clips) -> list[Float[Tensor, "batch half"]]:
        """Return the probabilities of all beginnings and of all endings."""
        device = next(self.parameters()).device
        read = [self(batch.to(device)) for batch in clips.split(BATCH)]
        return [torch.cat(half).softmax(1).cpu() for half in zip(*read, strict=True)]


@dataclass(frozen=True)
class JudgeOfHalves:
    """Trained classifiers with their common accuracy on later clips of each split."""

    members: Sequence[HalvesClassifier]
    own: Mapping[str, Seen]

    @property
    def halves(self) -> Mapping[str, Halves]:
        return self.members[0].halves

    def seen(self, clips: Clips, captions: Sequence[str]) -> Seen:
        """Return the shares of clips whose captions are recognised, of those that have halves."""
        judged = [number for number, caption in enumerate(captions) if caption in self.halves]
        clips, captions = clips[judged], [captions[number] for number in judged]
        read = zip(*(one.probabilities(clips) for one in self.members), strict=True)
        best = torch.stack([sum(half, torch.zeros(())).argmax(1) for half in read])
        right = best == self.members[0].numbers(captions)  # [half batch]
        shares = [right[0], right[1], right.all(0)]
        return Seen(*(float(share.float().mean()) for share in shares))


def judge_of_halves(
    data: Collection, device: torch.device, tick: Tick = lambda done, total: None
) -> JudgeOfHalves | None:
    """Train the classifiers of a collection, on the clips whose captions have two halves.

    None where these are fewer than half of the captions.
    """
    indices = np.sort(np.concatenate([data.indices(split) for split in data.splits]))
    captions = data.captions_of(indices)
    halves = halves_of(captions)
    if 2 * len(halves) < len(set(captions)):
        return None
    indices = indices[[caption in halves for caption in captions]]
    earlier = is_earlier(data.store.whole["source"][indices])
    seeds = range(MEMBERS)
    members = [_member(data, halves, indices[earlier], device, seed, tick) for seed in seeds]
    judge = JudgeOfHalves(members, {})
    later = indices[~earlier]
    own = {}
    for split in data.splits:
        tested = np.intersect1d(later, data.indices(split))
        if len(tested):
            clips = to_clips(data.frames_of(tested))
            own[split] = judge.seen(clips, data.captions_of(tested))
    return replace(judge, own=own)


def is_earlier(sources: Int[np.ndarray, " clip"]) -> Bool[np.ndarray, " clip"]:
    """Return which clips are among the first three quarters of their video's, in order.

    >>> is_earlier(np.array([0, 0, 0, 0, 7, 7])).tolist()
    [True, True, True, False, True, False]
    """
    earlier = np.zeros(len(sources), bool)
    for source in np.unique(sources):
        own = np.flatnonzero(sources == source)
        earlier[own[: max(1, int(EARLIER * len(own)))]] = True
    return earlier


def _member(
    data: Collection,
    halves: Mapping[str, Halves],
    indices: Int[np.ndarray, " clip"],
    device: torch.device,
    seed: int,
    tick: Tick,
) -> HalvesClassifier:
    """Return the classifier of a seed, trained on these clips once and cached."""
    with isolated_random_state(torch.device("cpu")):
        torch.manual_seed(seed)
        classifier = HalvesClassifier(data.size, data.frames, halves)
        steps = steps_for(len(indices), BATCH, FEWEST_STEPS, STEPS)
        settings = ("halves", VERSION, data.digest, SIZES.model_dump(), steps, EARLIER, seed)
        fill_from_cache(
            classifier,
            settings,
            lambda: _train(classifier.to(device), data, indices, steps, seed, tick),
        )
    return classifier.to(device).eval()


def _train(
    classifier: HalvesClassifier,
    data: Collection,
    indices: Int[np.ndarray, " clip"],
    steps: int,
    seed: int,
    tick: Tick,
) -> None:
    device = next(classifier.parameters()).device

    def loss(step: int) -> Loss:
        chosen = np.random.default_rng([seed, step]).choice(indices, BATCH)
        clips = shifted_clips(to_clips(data.frames_of(chosen)).to(device), step)
        noisy = clips + NOISE * torch.randn_like(clips)
        return classifier.loss(noisy, data.captions_of(chosen))

    def of_all(done: int, total: int) -> None:
        tick(seed * total + done, MEMBERS * total)

    train_in_one_cycle(classifier, loss, steps, LEARNING_RATE, 0.01, of_all)
