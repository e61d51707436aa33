"""Takes: one clip of a sentence, of any length and rate."""

from dataclasses import dataclass
from typing import Any

from videogen.files.clip import Frames, to_frames
from videogen.files.label import Label
from videogen.model import Model


@dataclass(frozen=True)
class Take:
    """The sentence and the seed of a clip, its number of frames and their rate.

    `frames` and `frames_per_second`: None for those of the training data. More frames a second
    show the same motion more smoothly, more frames at the same rate go on with it.
    """

    caption: str
    seed: int
    frames: int | None = None
    frames_per_second: float | None = None

    def rate(self, model: Model) -> float:
        """Return the frames a second."""
        return self.frames_per_second or model.spec.frames_per_second

    def label(self, model: Model, **settings: Any) -> Label:
        """Return the clip's label; `settings`: those of its files."""
        length = {"frames": self.frames, "fps": self.frames_per_second}
        return Label.of(model.name, self.seed, self.caption, **length, **settings)

    def shoot(self, model: Model) -> Frames:
        """Sample the clip."""
        length = {"frames": self.frames, "fps": self.frames_per_second}
        asked = {name: value for name, value in length.items() if value is not None}
        return to_frames(model.clips([self.caption], self.seed, **asked))[0]
