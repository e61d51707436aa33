"""Moving shapes as a data set: captions are sampled and clips drawn on demand."""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch

from core.data.collection import Split
from core.errors import ConfigError
from core.wording import nearest
from videogen.files.clip import Clips, FrameBatch, to_frames
from videogen.shapes.drawing import AMPLITUDE, FRAMES_PER_SECOND, PERIODS, TRAVEL, draw
from videogen.shapes.grammar import CAPTIONS, COLOURS, SHAPES, SIZES, WORDS, split_of


class MovingShapes:
    """A data set of moving shapes, drawn anew for every batch and never stored.

    `counts`: possible numbers of shapes in a clip, equally frequent. `showing`: a word that all
    captions contain.
    """

    splits: tuple[Split, ...] = ("train", "test")

    def __init__(
        self, size: int = 64, frames: int = 16, counts: Sequence[int] = (1,), showing: str = ""
    ):
        if showing and showing not in WORDS:
            raise ConfigError(f"no caption contains '{showing}': {nearest(showing, WORDS)}")
        self.size, self.frames, self.counts, self.showing = size, frames, tuple(counts), showing
        self.frames_per_second, self.words = FRAMES_PER_SECOND, WORDS

    @property
    def digest(self) -> str:
        """Return a digest of all settings that the data depend on."""
        settings = (
            self.size,
            self.frames,
            self.counts,
            SIZES,
            COLOURS,
            TRAVEL,
            AMPLITUDE,
            PERIODS,
        )
        return hashlib.sha256(f"{settings!r}{self.showing}".encode()).hexdigest()

    def captions(self, count: int, generator: np.random.Generator, split: Split) -> list[str]:
        """Sample captions of a split; the shapes of one clip differ in colour."""
        samples: list[str] = []
        while len(samples) < count:
            number = self.counts[generator.integers(len(self.counts))]
            shapes = [SHAPES[n] for n in generator.integers(len(SHAPES), size=number)]
            first, *others = (shape.caption for shape in shapes)
            caption = " and ".join([first, *map(_lower_first, others)])
            distinct = len({shape.colour for shape in shapes}) == number
            if self._shows(caption) and distinct and split_of(caption) == split:
                samples.append(caption)
        return samples

    def captions_in_training(self, most: int) -> list[str]:
        """Return distinct captions of training clips: all of one shape, and samples of two."""
        singles = [c for c in CAPTIONS if self._shows(c) and split_of(c) == "train"]
        distinct = dict.fromkeys(singles if 1 in self.counts else ())
        if max(self.counts) > 1:
            distinct |= dict.fromkeys(self.captions(most, np.random.default_rng(0), "train"))
        return list(distinct)[:most]

    def _shows(self, caption: str) -> bool:
        return not self.showing or self.showing in caption.lower().split()

    def batch(
        self, number: int, size: int, seed: int, split: Split = "train"
    ) -> tuple[FrameBatch, list[str]]:
        """Return a batch of frames and captions, a function of the arguments alone."""
        clips, captions = self.clips(number, size, seed, split)
        return to_frames(clips), captions

    def clips(
        self,
        number: int,
        size: int,
        seed: int,
        split: Split = "train",
        device: torch.device | str = "cpu",
    ) -> tuple[Clips, list[str]]:
        """Return the same batch as clips, drawn on the device: of 256 levels, as frames are."""
        captions = self.captions(size, np.random.default_rng([seed, number, 1]), split)
        clips = draw(captions, [seed, number, 2], self.size, self.frames, device)
        return clips.add(1).mul(127.5).round().div(127.5).sub(1), captions


def _lower_first(caption: str) -> str:
    return caption[0].lower() + caption[1:]
