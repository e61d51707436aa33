"""Moving shapes as a data set: captions are sampled and clips drawn on demand."""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch

from core.data.collection import Split
from core.errors import ConfigError, UserError
from core.wording import nearest
from videogen.files.clip import Clips, FrameBatch, to_frames
from videogen.shapes.drawing import AMPLITUDE, FRAMES_PER_SECOND, PERIODS, TRAVEL, draw
from videogen.shapes.grammar import COLOURS, SHAPES, SIZES, WORDS, Shape, parse, split_of


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
            if self._shows(shapes, split):
                samples.append(_sentence(shapes))
        return samples

    def spelled(self, caption: str, split: Split) -> str | None:
        """Return the caption of a split that describes the same; None where there is none."""
        try:
            shapes = parse(caption)
        except UserError:
            return None
        is_own = len(shapes) in self.counts and self._shows(shapes, split)
        return _sentence(shapes) if is_own else None

    def clips_of(self, captions: Sequence[str], split: Split) -> FrameBatch:
        """Draw a clip of each caption."""
        return to_frames(draw(captions, 0, self.size, self.frames))

    def captions_in_training(self, most: int) -> list[str]:
        """Return distinct captions of training clips: all of one shape, and samples of two."""
        singles = [one.caption for one in SHAPES if self._shows([one], "train")]
        distinct = dict.fromkeys(singles if 1 in self.counts else ())
        if max(self.counts) > 1:
            distinct |= dict.fromkeys(self.captions(most, np.random.default_rng(0), "train"))
        return list(distinct)[:most]

    def _shows(self, shapes: Sequence[Shape], split: Split) -> bool:
        """Return whether clips of a split show these shapes."""
        caption = _sentence(shapes)
        distinct = len({shape.colour for shape in shapes}) == len(shapes)
        shown = not self.showing or self.showing in caption.lower().split()
        return shown and distinct and split_of(caption) == split

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


def _sentence(shapes: Sequence[Shape]) -> str:
    """Return the caption of a clip with these shapes."""
    first, *others = (shape.caption for shape in shapes)
    return " and ".join([first, *(one[0].lower() + one[1:] for one in others)])
