"""Takes: one clip of a sentence, of any length and rate."""

from dataclasses import dataclass
from typing import Any

from videogen.files.clip import Frames, Image, to_frames
from videogen.files.label import Label
from videogen.model import Model


@dataclass(frozen=True)
class Take:
    """The sentence and the seed of a clip, its number of frames and their rate.

    `frames` and `frames_per_second`: None for those of the training data. More frames a second
    show the same motion more smoothly, more frames at the same rate go on with it. `then`:
    sentences that follow; `start`: the first frame; `into`: the sentence into which it changes;
    `loop`: end as it begins.
    """

    caption: str
    seed: int
    frames: int | None = None
    frames_per_second: float | None = None
    then: tuple[str, ...] = ()
    start: Image | None = None
    into: str | None = None
    loop: bool = False

    def rate(self, model: Model) -> float:
        """Return the frames a second."""
        return self.frames_per_second or model.spec.frames_per_second

    def label(self, model: Model, **settings: Any) -> Label:
        """Return the clip's label; `settings`: those of its files."""
        length = {"frames": self.frames, "fps": self.frames_per_second}
        caption = ", then ".join([self.caption, *self.then])
        caption = f"{caption}, into {self.into}" if self.into else caption
        return Label.of(model.name, self.seed, caption, **length, **settings)

    def shoot(self, model: Model) -> Frames:
        """Sample the clip."""
        clips = model.clips(
            [self.caption],
            self.seed,
            self.frames,
            self.frames_per_second,
            self.then,
            self.start,
            self.into,
            self.loop,
        )
        return to_frames(clips)[0]
