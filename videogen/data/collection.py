"""A prepared collection: clips with their captions, ready to be drawn in batches.

On disk a video is its frames and its caption, one record; clips begin in it and may overlap.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int

from core.data.collection import Prepared, Split
from core.data.store import Store
from videogen.files.clip import FrameBatch


@dataclass(frozen=True)
class Video:
    """What is known of a video of the collection."""

    name: str
    source: str
    split: Split
    caption: str


class Collection(Prepared):
    """Prepared clips of one form."""

    DOMAIN = "video"

    def __init__(self, store: Store):
        super().__init__(store)
        facts = store.facts
        self.frames, self.size = int(facts["frames"]), int(facts["size"])
        self.frames_per_second = float(facts["frames_per_second"])
        self.words: tuple[str, ...] = tuple(facts["words"])

    @classmethod
    def open(cls, folder: str | Path) -> "Collection":
        """Open a folder that `prepare` has written; its digests are checked."""
        return cls(Store(Path(folder)))

    @cached_property
    def videos(self) -> list[Video]:
        whole = self.store.whole
        texts = np.split(whole["captions"], np.cumsum(whole["captions_of_source"])[:-1])
        return [
            Video(**source, caption=text.tobytes().decode())
            for source, text in zip(self.store.facts["sources"], texts, strict=True)
        ]

    def frames_of(self, indices: Int[np.ndarray, " clip"]) -> FrameBatch:
        """The frames of clips."""
        whole, shards = self.store.whole, self.store.shards
        frames = np.empty((len(indices), self.frames, self.size, self.size, 3), np.uint8)
        for number, clip in enumerate(indices):
            begin = whole["begin"][clip]
            frames[number] = shards[whole["shard"][clip]]["frames"][begin : begin + self.frames]
        return frames

    def captions_of(self, indices: Int[np.ndarray, " clip"]) -> list[str]:
        """The captions of clips."""
        return [self.videos[source].caption for source in self.store.whole["source"][indices]]

    def batch(
        self, number: int, size: int, seed: int, split: Split = "train"
    ) -> tuple[FrameBatch, list[str]]:
        """Batch `number`: a function of its arguments alone, so that runs resume.

        Clips are drawn with replacement.
        """
        generator = np.random.default_rng([seed, number])
        chosen = generator.choice(self.indices(split), size)
        return self.frames_of(chosen), self.captions_of(chosen)
