"""The wishes of a user for clips: the settings of the room, in the order of its fields."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from core.errors import ConfigError
from musegen.composition.soundtrack import compose_seconds
from musegen.model import DOMAIN as MUSIC
from studio.components.fields import optional_number, optional_whole, seeds, whole
from studio.folder import StudioFolder
from videogen.files.clip import Sound
from videogen.model import Model
from videogen.rendering.enlargement import Enlargement
from videogen.rendering.output import FORMATS, ClipOutput
from videogen.rendering.take import Take

MOST_CLIPS, MOST_FRAMES, MOST_THEN = 16, 256, 8
"""The most that one press of a button makes, and sentences that follow in a clip."""
LONGEST_CAPTION = 500
NO_MUSIC = "none"
SHOWN = "mp4"
"""The format that the page plays, which is always written."""


class Wishes(NamedTuple):
    """The settings of the room, in the order of its components."""

    model: str
    captions: str
    count: int
    seed: int
    then: str
    into: str
    start: str | None
    frames: str
    rate: str
    loop: bool
    music: str
    formats: list[str]
    scale: str
    parts: bool

    def takes(self, model: Model) -> list[Take]:
        """Return a take of each clip; `ConfigError` beyond the limits."""
        sentences = sentences_of(self.captions) if model.reads_captions else [""]
        each = whole("clips", self.count, 1, MOST_CLIPS)
        total = whole("clips", len(sentences) * each, 1, MOST_CLIPS)
        captions = [one for one in sentences for _ in range(each)]
        usual = Take(
            caption="",
            seed=0,
            frames=self.length,
            frames_per_second=optional_number("frames a second", self.rate, 1, 60),
            then=self.following,
            start=model.first_frame(Path(self.start)) if self.start else None,
            into=self.into.strip()[:LONGEST_CAPTION] or None,
            loop=self.loop and model.has_clock,
        )
        numbered = zip(captions, seeds(self.seed, total), strict=True)
        return [replace(usual, caption=caption, seed=seed) for caption, seed in numbered]

    @property
    def length(self) -> int | None:
        """Return the frames of a clip; None for as many as the model has learned."""
        return optional_whole("frames", self.frames, 1, MOST_FRAMES)

    @property
    def following(self) -> tuple[str, ...]:
        """Return the sentences that follow in each clip; `ConfigError` for too many."""
        found = sentences_of(self.then) if self.then.strip() else []
        whole("sentences that follow", len(found), 0, MOST_THEN)
        return tuple(found)

    def output(self, folder: Path) -> ClipOutput:
        """Return where and how clips are written; `ConfigError` for a format that there is not."""
        if wrong := [one for one in self.formats if one not in FORMATS]:
            raise ConfigError(f"clips are not written as '{wrong[0]}': {', '.join(FORMATS)}")
        formats = tuple(dict.fromkeys([SHOWN, *self.formats]))
        factor = optional_number("scale", self.scale, 0.05, 64)
        return ClipOutput(folder, formats, Enlargement(factor), self.loop)

    def shoot(self, model: Model, take: Take, to: ClipOutput, folder: StudioFolder) -> None:
        """Make a clip, its music and its layers, and write them."""
        song = None if self.music == NO_MUSIC else folder.model(MUSIC, self.music)
        about = {"start": "a picture" if self.start else None, "music": song and song.name}
        label = take.label(model, **to.settings, **about)

        def compose(seconds: float) -> Sound:
            return compose_seconds(song, seconds, take.seed).sound

        for _ in take.write(model, label, to, compose if song else None, self.parts):
            pass


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a text, one in each line; `ConfigError` where there is none."""
    found = [line.strip() for line in text.splitlines() if line.strip()]
    if not found:
        raise ConfigError("type a sentence, or choose a suggestion")
    if any(len(one) > LONGEST_CAPTION for one in found):
        raise ConfigError(f"a sentence has at most {LONGEST_CAPTION} letters")
    return found
