"""Moving shapes as a data set: clips and captions, drawn as they are needed."""

import hashlib
from collections.abc import Sequence

import numpy as np

from core.config import nearest
from core.errors import ConfigError
from videogen.files.clip import FrameBatch, to_frames
from videogen.shapes.drawing import FRAMES_PER_SECOND, SWING, SWINGS, TRAVEL, draw
from videogen.shapes.grammar import COLOURS, SHAPES, SIZES, WORDS, Split, split_of


class MovingShapes:
    """Moving shapes as data to train on: drawn anew in every batch, never stored.

    `counts`: how many shapes a clip may show; each number is as frequent as the others. `showing`:
    a word that each caption has.
    """

    splits: tuple[Split, ...] = ("train", "test")

    def __init__(
        self, size: int = 64, frames: int = 16, counts: Sequence[int] = (1,), showing: str = ""
    ):
        if showing and showing not in WORDS:
            raise ConfigError(f"no caption says '{showing}': {nearest(showing, WORDS)}")
        self.size, self.frames, self.counts, self.showing = size, frames, tuple(counts), showing
        self.frames_per_second, self.words = FRAMES_PER_SECOND, WORDS

    @property
    def digest(self) -> str:
        """Stands for the data: what is drawn follows from these."""
        settings = (self.size, self.frames, self.counts, SIZES, COLOURS, TRAVEL, SWING, SWINGS)
        told = f"{settings!r}{self.showing}"
        return hashlib.sha256(told.encode()).hexdigest()

    def captions(self, count: int, generator: np.random.Generator, split: Split) -> list[str]:
        """Draw captions of a split; the shapes of one clip differ in colour."""
        found: list[str] = []
        while len(found) < count:
            shapes = self.counts[generator.integers(len(self.counts))]
            chosen = [SHAPES[n] for n in generator.integers(len(SHAPES), size=shapes)]
            caption = " and ".join([chosen[0].caption, *(_joined(s.caption) for s in chosen[1:])])
            said = not self.showing or self.showing in caption.lower().split()
            different = len({s.colour for s in chosen}) == shapes
            if said and different and split_of(caption) == split:
                found.append(caption)
        return found

    def batch(
        self, number: int, size: int, seed: int, split: Split = "train"
    ) -> tuple[FrameBatch, list[str]]:
        """Batch `number`: a function of the number, the seed and the split alone."""
        captions = self.captions(size, np.random.default_rng([seed, number, 1]), split)
        clips = draw(captions, [seed, number, 2], self.size, self.frames)
        return to_frames(clips), captions


def _joined(caption: str) -> str:
    return caption[0].lower() + caption[1:]
