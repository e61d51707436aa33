"""A prepared collection: batches of clips with their captions.

A video is stored once, as its frames and its caption; clips are windows of it and may overlap.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int

from core.data.collection import Prepared, Split
from core.data.store import Store
from videogen.files.clip import FrameBatch


@dataclass(frozen=True)
class Video:
    """A video of the collection."""

    name: str
    source: str
    split: Split
    caption: str


class Collection(Prepared):
    """Prepared clips of one size, length and frame rate."""

    DOMAIN = "video"

    def __init__(self, store: Store):
        super().__init__(store)
        facts = store.facts
        self.frames, self.size = int(facts["frames"]), int(facts["size"])
        self.frames_per_second = float(facts["frames_per_second"])
        self.words: tuple[str, ...] = tuple(facts["words"])

    @cached_property
    def videos(self) -> list[Video]:
        whole = self.store.whole
        texts = np.split(whole["captions"], np.cumsum(whole["captions_of_source"])[:-1])
        return [
            Video(**source, caption=text.tobytes().decode())
            for source, text in zip(self.store.facts["sources"], texts, strict=True)
        ]

    def frames_of(self, indices: Int[np.ndarray, " clip"]) -> FrameBatch:
        """Return the frames of clips."""
        whole, shards = self.store.whole, self.store.shards
        frames = np.empty((len(indices), self.frames, self.size, self.size, 3), np.uint8)
        for number, clip in enumerate(indices):
            start = whole["begin"][clip]
            frames[number] = shards[whole["shard"][clip]]["frames"][start : start + self.frames]
        return frames

    def captions_of(self, indices: Int[np.ndarray, " clip"]) -> list[str]:
        """Return the captions of clips."""
        return [self.videos[source].caption for source in self.store.whole["source"][indices]]

    def captions_in_training(self, most: int) -> list[str]:
        """Return distinct captions of training clips, evenly chosen where there are more."""
        training = (video.caption for video in self.videos if video.split == "train")
        distinct = list(dict.fromkeys(training))
        chosen = np.linspace(0, len(distinct) - 1, min(most, len(distinct))).round()
        return [distinct[number] for number in chosen.astype(int)]

    def batch(
        self, number: int, size: int, seed: int, split: Split = "train"
    ) -> tuple[FrameBatch, list[str]]:
        """Sample a batch of frames and captions with replacement.

        It is a function of the arguments alone, so that a resumed run sees the same batches.
        """
        generator = np.random.default_rng([seed, number])
        sample = generator.choice(self.indices(split), size)
        return self.frames_of(sample), self.captions_of(sample)
