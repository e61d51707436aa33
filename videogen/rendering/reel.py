"""Reels: a film of several sentences, a scene of each, cut at given times, with sound."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from core.app.label import origin
from core.errors import ConfigError
from videogen.files.clip import Frames, Sound
from videogen.files.label import Label
from videogen.files.limits import MOST_FRAMES
from videogen.model import Model
from videogen.rendering.film import cut_frames, cut_sound, stretched
from videogen.rendering.filmstrip import COLUMNS, draw_rows, evenly_spaced
from videogen.rendering.output import SOUNDING, ClipOutput, write_clip
from videogen.rendering.take import Take

Scene = UInt8[np.ndarray, "_ height width 3"]
"""Frames of a scene, of its own number."""


def format_of(path: Path) -> tuple[str, ...]:
    """Return the format of a film by its suffix; `ConfigError` for one without sound."""
    kind = path.suffix.lower().removeprefix(".")
    if kind not in SOUNDING:
        raise ConfigError(f"a film is written as mp4 or webm: --to {path.stem}.mp4")
    return (kind,)


def scene(model: Model, caption: str, seed: int, frames: int) -> Frames:
    """Sample the clip of a sentence, slower or faster, in some number of frames.

    They are moments of the model's own clock, where it has one, else its frames repeated.
    """
    if not model.has_clock:
        return stretched(Take(caption, seed).shoot(model), frames)
    return Take(caption, seed, frames, frames / model.spec.seconds).shoot(model)


@dataclass(frozen=True)
class Reel:
    """The sentences of a film, and the times at which its scenes begin, its end included.

    Scene n has the seed `seed` + n, so that it is the clip of that seed and sentence.
    """

    captions: Sequence[str]
    cut_seconds: Float[np.ndarray, " cut"]
    frames_per_second: float = 24.0
    seed: int = 0

    def label(self, name: str, model: Model, *more: str) -> Label:
        """Return its label; `more`: what else made it."""
        source = origin(model.name, *self.captions, *more, seed=self.seed)
        return Label(name, "; ".join(self.captions), source)

    def scenes(
        self, model: Model, tick: Callable[[int, int], None] = lambda done, total: None
    ) -> list[Frames]:
        """Sample the scenes, each as long as it is from its cut to the next.

        `ConfigError` where one has no frame, or more than the model samples.
        """
        scenes = []
        counts = cut_frames(self.cut_seconds, self.frames_per_second)
        if min(counts) < 1:
            raise ConfigError("a scene would have no frame: raise --fps or --bars-per-clip")
        if model.has_clock and max(counts) > MOST_FRAMES:
            raise ConfigError(
                f"a scene would have {max(counts)} frames, and at most {MOST_FRAMES} are sampled: "
                "lower --fps or --bars-per-clip"
            )
        for number, (caption, count) in enumerate(zip(self.captions, counts, strict=True)):
            scenes.append(scene(model, caption, self.seed + number, count))
            tick(number + 1, len(counts))
        return scenes

    def write(
        self, scenes: Sequence[Scene], sound: Sound, label: Label, to: ClipOutput
    ) -> Iterator[Path]:
        """Write the film, with the sound faded out at its end, and a picture of the scenes."""
        film = np.concatenate(list(scenes))
        faded = cut_sound(sound, len(film) / self.frames_per_second)
        stream = BytesIO()
        shown = [to.enlargement.fine(evenly_spaced(scene, COLUMNS)) for scene in scenes]
        draw_rows(list(zip(self.captions, shown, strict=True)), stream)
        to.require_same(picture := to.path(label, ".png"), stream.getvalue())
        yield from write_clip(film, label, to, self.frames_per_second, faded)
        yield to.write(picture, stream.getvalue())
