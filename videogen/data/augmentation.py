"""Augmentation of training clips: flips, crops, speeds and colours that captions allow.

A clip is changed in no way of which its caption speaks: with the word left it is not flipped, with
red its colours stay. All frames of a clip are changed in the same way.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field

from core.config import Strict
from videogen.files.frame import Frames
from videogen.words import words_of

DIRECTIONS = words_of(
    "left right leftward rightward leftwards rightwards east west eastward westward eastwards "
    "westwards eastern western northeast northwest southeast southwest clockwise anticlockwise "
    "counterclockwise mirrored links rechts gauche droite izquierda derecha"
)
PLACES = words_of(
    "top bottom upper lower corner edge centre center middle near far close closeup distant zoom "
    "small smaller little tiny large larger big bigger huge giant tall short wide narrow"
)
SPEEDS = words_of(
    "slow slower slowly fast faster quick quickly rapid rapidly swift swiftly speed hurriedly "
    "timelapse motion lapse"
)
COLOURS = words_of(
    "red green blue yellow orange purple violet pink brown black white grey gray golden gold "
    "silver beige turquoise cyan magenta colour coloured color colored colourful colorful bright "
    "dark light pale blond blonde night day sunny dawn dusk"
)
"""Words of captions that speak of what a change would change."""

SPOKEN: Mapping[str, Sequence[str]] = {
    "flip": DIRECTIONS,
    "crop": PLACES,
    "speed": SPEEDS,
    "colour": COLOURS,
}

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue in grey (BT.601)."""

Pixels = Float[np.ndarray, "time height width 3"]


class Augmentation(Strict):
    """The changes of training clips; 0 is none.

    `flip`: half of the clips are mirrored, and what their captions say must not depend on it.
    `until`: training ends with clips as they are, though some are mirrored: what is generated is
    as sharp and as fast as they are (as Ge et al., YOLOX, 2021, end their training).
    """

    flip: Literal["auto", "always", "never"] = Field(
        default="auto",
        description="auto: where no caption of the collection has a word of direction; always: "
        "all clips whose own captions have none",
    )
    crop: float = Field(default=0, ge=0, le=0.5, description="largest share of a side cut away")
    speed: float = Field(default=0, ge=0, le=1, description="largest change of speed")
    colour: float = Field(
        default=0, ge=0, le=0.5, description="largest change of brightness, contrast, saturation"
    )
    until: float = Field(
        default=0.6,
        ge=0,
        le=1,
        description="share of the budget after which clips are mirrored only",
    )

    def at(self, used: float) -> "Augmentation":
        """Return the changes where this share of a training's budget is used."""
        return self if used < self.until else Augmentation(flip=self.flip, until=self.until)

    def allowed(self, captions: Iterable[str]) -> dict[str, np.ndarray]:
        """Return for each change which of the captions of a collection allow it."""
        words = [set(words_of(caption)) for caption in captions]
        allowed = {
            name: np.array([one.isdisjoint(spoken) for one in words], bool)
            for name, spoken in SPOKEN.items()
        }
        if self.flip == "auto":
            allowed["flip"][:] = allowed["flip"].all()
        wanted = {
            "flip": self.flip != "never",
            "crop": bool(self.crop),
            "speed": bool(self.speed),
            "colour": bool(self.colour),
        }
        return {name: of & wanted[name] for name, of in allowed.items()}


def times(
    begin: int,
    length: int,
    available: tuple[int, int],
    speed: float,
    generator: np.random.Generator,
) -> Int[np.ndarray, " time"]:
    """Return the frames of a clip that is faster or slower by up to `speed`.

    It begins at `begin`, or earlier if the frames of `available` (first, end) would not suffice.
    """
    low, end = available
    factor = (1 + speed) ** generator.uniform(-1, 1)
    span = min((length - 1) * factor, end - 1 - low)
    start = min(begin, end - 1 - span)
    return np.round(start + np.linspace(0, span, length)).astype(np.int64)


def changes(
    settings: Augmentation, allowed: Mapping[str, bool], generator: np.random.Generator
) -> list[Callable[[Frames], Frames]]:
    """Sample what is done to one clip; each choice takes its numbers, done or not."""
    mirrored = generator.random() < 0.5
    share, down, across = generator.random(3)
    contrast, brightness, saturation = generator.uniform(-1, 1, 3) * settings.colour
    chosen: list[Callable[[Frames], Frames]] = []
    if allowed["flip"] and mirrored:
        chosen.append(flip)
    if allowed["crop"]:
        chosen.append(lambda frames: crop(frames, share * settings.crop, down, across))
    if allowed["colour"]:
        chosen.append(lambda frames: colour(frames, contrast, brightness, saturation))
    return chosen


def flip(frames: Frames) -> Frames:
    """Mirror frames: left becomes right."""
    return frames[:, :, ::-1]


def crop(frames: Frames, share: float, down: float, across: float) -> Frames:
    """Cut a share of both sides away and enlarge the rest to the size of the frames.

    `down` and `across`, in [0, 1], say where it lies: 0 at the top and the left.
    """
    pixels = frames.astype(np.float32)
    pixels = _enlarged(pixels, 1, share, down)  # [time height width rgb]
    pixels = _enlarged(pixels, 2, share, across)  # [time height width rgb]
    return pixels.round().clip(0, 255).astype(np.uint8)


def _enlarged(pixels: Pixels, axis: int, share: float, place: float) -> Pixels:
    """Interpolate linearly from a part of one axis to the whole of it."""
    size = pixels.shape[axis]
    at = place * share * size + (np.arange(size) + 0.5) * (1 - share) - 0.5
    before = np.floor(at.clip(0, size - 1)).astype(np.int64)
    after = np.minimum(before + 1, size - 1)
    weight = (at.clip(0, size - 1) - before).astype(np.float32)
    weight = weight.reshape([-1 if n == axis else 1 for n in range(4)])  # [*1 size *1]
    first, second = pixels.take(before, axis), pixels.take(after, axis)
    return first + weight * (second - first)


def colour(frames: Frames, contrast: float, brightness: float, saturation: float) -> Frames:
    """Change colours by shares: contrast about the middle grey, brightness of all of it."""
    pixels = frames.astype(np.float32)
    grey = (pixels @ LUMA)[..., None]  # [time height width 1]
    pixels = grey + (1 + saturation) * (pixels - grey)
    pixels = 127.5 + (1 + contrast) * (pixels - 127.5) + 255 * brightness
    return pixels.round().clip(0, 255).astype(np.uint8)
