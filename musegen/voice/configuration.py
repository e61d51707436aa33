"""Configuration of a model of notes and of its run: recipe, sizes of networks, form of a note."""

from pydantic import Field

from core.app.configuration import ModelConfig, RunConfig
from core.config import Strict
from core.recipe import Recipe
from musegen.voice.networks.config import VoiceConfig
from musegen.voice.recipes import RECIPES
from musegen.voice.spectrogram import Spectrogram
from musegen.voice.terms import Auxiliary


class DataSpec(Strict):
    """The specification of notes. Networks are built for one.

    `lowest` and `highest`: pitches as MIDI numbers. `timbres`: the names of the instruments.
    """

    sample_rate_hz: int = Field(gt=0)
    samples: int = Field(gt=0)
    lowest: int = Field(ge=0, le=127)
    highest: int = Field(ge=0, le=127)
    timbres: tuple[str, ...] = ()

    @property
    def pitches(self) -> int:
        """Return how many pitches there are."""
        return self.highest - self.lowest + 1

    @property
    def seconds(self) -> float:
        return self.samples / self.sample_rate_hz


class VoiceModel(ModelConfig):
    """A model of notes: its recipe, what differs from it, its networks' sizes."""

    known_recipes = RECIPES

    voice: VoiceConfig = VoiceConfig()

    @property
    def resolved_recipe(self) -> Recipe:
        """Return the recipe for networks that are all conditioned on the pitch.

        Another game in place of one whose critic names the pitch still has such a critic.
        """
        recipe = super().resolved_recipe.conditional()
        named = any(isinstance(term.by, Auxiliary) for term in self.base_recipe.critics)
        return recipe.with_games(lambda space, by: Auxiliary.of(by)) if named else recipe

    def spectrogram(self, spec: DataSpec) -> Spectrogram:
        """Return the map between notes and x."""
        voice = self.voice
        return Spectrogram(
            sample_rate_hz=spec.sample_rate_hz,
            samples=spec.samples,
            window=voice.window,
            scale=voice.scale,
            floor_db=voice.floor_db,
        )


class VoiceRun(RunConfig):
    """All that a run needs in order to be understood and repeated."""

    model: VoiceModel
    spec: DataSpec
