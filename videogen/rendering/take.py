"""Takes: one clip of a sentence, of any length and rate."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from core.errors import ConfigError
from videogen.files.clip import Frames, Image, Sound, to_frames
from videogen.files.label import Label
from videogen.model import Model
from videogen.rendering.film import cut_sound
from videogen.rendering.output import ClipOutput, write_clip, write_parts


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

    def write(
        self,
        model: Model,
        label: Label,
        to: ClipOutput,
        compose: Callable[[float], Sound] | None = None,
        parts: bool = False,
    ) -> Iterator[Path]:
        """Sample the clip and write its files; yield each path once written.

        `compose`: returns the sound to lay under it, stereo at 44.1 kHz, at least so many seconds
        long. `parts`: also draw its layers; nothing is written where it has none.
        """
        layers = self.layers(model) if parts else None
        frames, rate = self.shoot(model), self.rate(model)
        clip = frames if self.loop else to.finished(frames)
        seconds = len(clip) / rate
        sound = cut_sound(compose(seconds), seconds) if compose else None
        yield from write_clip(clip, label, to, rate, sound)
        if layers:
            yield write_parts(layers, label, to)

    def layers(self, model: Model) -> dict[str, Tensor]:
        """Sample the layers of the clip, each a picture or a clip.

        `ConfigError` where it is not as the model was trained to generate clips, `UserError` where
        the model's clips have none.
        """
        asked = (self.frames, self.frames_per_second, self.then, self.into, self.loop)
        if any(asked) or self.start is not None:
            raise ConfigError(
                "--parts draws the layers of a clip as in training: leave out --frames, --fps, "
                "--then, --into, --start and --loop"
            )
        layers = model.parts([self.caption], self.seed)
        return {name: part[0] for name, part in layers.items()}
