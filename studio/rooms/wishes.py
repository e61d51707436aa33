"""The wishes of a user for songs: the settings of the room, in the order of its fields."""

from collections.abc import Sequence
from typing import NamedTuple

from core.errors import ConfigError
from musegen.composition.judge import Judge, judge_of
from musegen.model import DOMAIN, Model
from musegen.playing.orchestra import ALL, Orchestra
from musegen.steering import Steering, density_of
from musegen.tonality import MODES, TONICS, Key
from musegen.voice.model import DOMAIN as VOICES
from musegen.voice.model import Model as VoiceModel
from studio.components.fields import optional_number, seeds, whole
from studio.folder import StudioFolder
from studio.rooms.models import learned_from, names_of

MOST_SONGS, MOST_BARS, MOST_TRIES = 16, 128, 64
"""The most that one press of a button makes, also of songs of which most are thrown away."""

AS_LEARNED = "as learned"
KEYS = [AS_LEARNED, *(f"{tonic} {mode}" for mode in MODES for tonic in TONICS[mode])]
INSTRUMENTS = "its instruments"
"""The choice of no voice."""


class Wishes(NamedTuple):
    """The settings of the room, in the order of its components."""

    model: str
    count: int
    bars: int
    seed: int
    tracks: list[str]
    form: str
    tempo: str
    temperature: str
    key: str
    density: str
    ending: bool
    best_of: int
    voice: str
    timbre: int
    voiced: list[str]

    def steering(self, form: str = "") -> Steering:
        """Return what steers the model; `ConfigError` for a key or density that there is not."""
        return Steering(
            temperature=optional_number("temperature", self.temperature, 0.01, 10),
            key=None if self.key == AS_LEARNED else Key.parse(self.key),
            density=density_of(self.density),
            form=form,
        )

    @property
    def tempo_bpm(self) -> float | None:
        """Return the tempo; None for those that the model has learned."""
        return optional_number("tempo", self.tempo, 10, 400)

    @property
    def letters(self) -> str:
        """Return the letters of the form; empty for those that the model has learned."""
        form = self.form.strip()
        return "" if form.lower() == "auto" else form

    @property
    def seeds(self) -> range:
        """Return a seed for each song; `ConfigError` beyond the limits."""
        return seeds(self.seed, whole("songs", self.count, 1, MOST_SONGS))

    @property
    def of_each(self) -> int:
        """Return of how many each song is the best; `ConfigError` beyond the limits."""
        songs = len(self.seeds)
        name = f"best of, for {songs} songs" if songs > 1 else "best of"
        return whole(name, self.best_of, 1, MOST_TRIES // songs)

    def composing(self, model: Model, besides: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the tracks to compose, without those that stay; none are all."""
        names = [track.name.lower() for track in model.spec.tracks]
        chosen = [name for name in self.tracks or names if name not in besides]
        if not chosen:
            raise ConfigError("all tracks are locked or off: leave one to compose")
        return () if chosen == names else tuple(chosen)

    def judge(self, folder: StudioFolder, model: Model) -> Judge | None:
        """Return who chooses the best songs; None where each is the only one.

        `ConfigError` for a model that has no judge, and whose collection the studio has not.
        """
        if self.of_each == 1:
            return None
        run = folder.model(DOMAIN, self.model)
        known = Judge.read(run)
        against = None if known else learned_from(folder, DOMAIN, run)
        if not (known or against):
            every = (name for name in names_of(folder, DOMAIN) if _has_judge(folder, name))
            raise ConfigError(
                f"{self.model} has no judge that could choose the best of several: leave it at 1, "
                f"or use {' or '.join(every)}"
            )
        return judge_of(model, run, against)

    def orchestra(self, folder: StudioFolder) -> Orchestra | None:
        """Return who plays; None where these are the tracks' instruments."""
        if self.voice == INSTRUMENTS:
            return None
        timbre = whole("timbre", self.timbre, 0, 2**31)
        voice = VoiceModel.load(folder.model(VOICES, self.voice)).voice(timbre)
        return Orchestra(None, dict.fromkeys(self.voiced or [ALL], voice))


def _has_judge(folder: StudioFolder, name: str) -> bool:
    return Judge.read(folder.model(DOMAIN, name)) is not None
