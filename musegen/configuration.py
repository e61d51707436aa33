"""Configuration of a music model and of its run: recipe, sizes of networks, form of a phrase."""

import numpy as np
from pydantic import Field, model_validator

from core.app.configuration import CHANGEABLE, ModelConfig, RunConfig
from core.config import Strict
from core.recipe import Recipe
from musegen.bar_latents.autoencoder import BarLatentsConfig
from musegen.densities.lookback_network import LookbackConfig
from musegen.densities.note_transformer import DensityConfig
from musegen.networks.accompaniment import Accompaniment
from musegen.networks.bar_generators import MuseGANConfig
from musegen.recipes import RECIPES
from musegen.roll import Grid
from musegen.tracks import Track

DEFAULT_TEMPO_BPM = 120.0


class DataSpec(Strict):
    """The specification of a phrase. Networks are built for one.

    `tempi_bpm`: tempi that are equally frequent among the training songs.
    """

    grid: Grid
    tracks: tuple[Track, ...]
    bars: int
    tempi_bpm: tuple[float, ...] = ()

    def tempo_bpm(self, seed: int, number: int) -> float:
        """Draw the tempo of song `number`, from 0; 120 where none were learned."""
        chance = np.random.default_rng([seed, number])
        return float(chance.choice(self.tempi_bpm or (DEFAULT_TEMPO_BPM,)))

    @property
    def usual_tempo_bpm(self) -> float:
        """Return the median tempo; 120 where none were learned."""
        return float(np.median(self.tempi_bpm or (DEFAULT_TEMPO_BPM,)))


class MusicModel(ModelConfig):
    """A model of music: its recipe, what differs from it, its networks' sizes.

    `tries`: samples of a song of which one is drawn, by the odds that the run's judge gives; see
    `musegen.composition.judge`. A finished training fits the judge where there are several.
    """

    known_recipes = RECIPES

    tries: int = Field(default=1, ge=1, le=256)

    musegan: MuseGANConfig = MuseGANConfig()
    density: DensityConfig = DensityConfig()
    lookback: LookbackConfig = LookbackConfig()
    bar_latents: BarLatentsConfig = BarLatentsConfig()

    @property
    def has_form(self) -> bool:
        """True for a model whose prior generates along a form."""
        return "form" in self.base_recipe.needs

    @property
    def is_density(self) -> bool:
        """True for a density of notes; other networks, and densities of maps, have cells as x."""
        recipe = self.base_recipe
        return "density" in recipe.networks and recipe.map_density is None

    @property
    def resolved_recipe(self) -> Recipe:
        """Return the changed recipe, which compares tracks beside the given ones, if any."""
        resolved = super().resolved_recipe
        return resolved.beside_condition() if self.musegan.given else resolved

    @property
    def learns_to_listen(self) -> bool:
        """True for a density of notes that learns what kept notes say of the others."""
        return self.recipe == "lookback_rnn" and self.lookback.listens

    @model_validator(mode="after")
    def _can_accompany(self) -> "MusicModel":
        if self.musegan.given:
            critics = {term.critic_name for term in self.base_recipe.critics}
            if not critics or {*self.base_recipe.networks} - critics != {"decoder", "prior"}:
                raise ValueError(
                    f"{self.recipe} accompanies no given tracks: leave them out, or use musegan"
                )
            if self.stabilisers.augment:
                raise ValueError(
                    "model.stabilisers.augment moves tracks away from the given ones: leave it off"
                )
        return self

    @model_validator(mode="after")
    def _is_wired(self) -> "MusicModel":
        if self.is_density and self.musegan.wiring != MuseGANConfig().wiring:
            raise ValueError(
                f"{self.recipe} has no wiring: leave it out, or use musegan or latent_musegan"
            )
        return self


class MusicRun(RunConfig):
    """All that a run needs in order to be understood and repeated."""

    changeable = (*CHANGEABLE, "spec.tempi_bpm", "model.tries")

    model: MusicModel
    spec: DataSpec

    @property
    def parts(self) -> Accompaniment:
        """Return which tracks are given, and which are made."""
        return Accompaniment.of(self.model.musegan.given, self.spec.tracks)

    @model_validator(mode="after")
    def _given_tracks_are_there(self) -> "MusicRun":
        _ = self.parts
        return self
