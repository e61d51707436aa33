"""Named configurations, each with what it is for and what it costs."""

from dataclasses import dataclass

from core.learning import Optimisation
from core.recipes import RECIPES
from core.train import TrainConfig
from musegen.networks import MuseGANConfig
from musegen.notes import DensityConfig

DEFAULT_PRESET = "small"


@dataclass(frozen=True)
class Settings:
    """What a preset decides."""

    musegan: MuseGANConfig
    density: DensityConfig
    train: TrainConfig


@dataclass(frozen=True)
class Preset:
    """A size of the models, for a machine and a time."""

    caption: str
    musegan: MuseGANConfig
    density: DensityConfig
    games: TrainConfig
    densities: TrainConfig

    def of(self, recipe: str) -> Settings:
        """The settings for a recipe: games and densities are trained differently."""
        density = "density" in RECIPES[recipe].networks
        return Settings(
            self.musegan, self.density, self.densities if density else self.games
        )


GAME = Optimisation(learning_rate=5e-4, betas=(0.5, 0.9))
LIKELIHOOD = Optimisation(
    learning_rate=1e-3, betas=(0.9, 0.95), weight_decay=0.01, clip_norm=150.0
)

PRESETS: dict[str, Preset] = {
    "tiny": Preset(
        "for tests: seconds on a CPU; what it makes is noise",
        MuseGANConfig(latent=8, temporal_width=8, generator_width=16, critic_width=16),
        DensityConfig(width=16, layers=1, heads=2),
        TrainConfig(steps=20, batch_size=4, sample_every_steps=10, log_every_steps=1),
        TrainConfig(steps=20, batch_size=4, sample_every_steps=10, log_every_steps=1),
    ),
    "small": Preset(
        "for two CPU cores: an hour",
        MuseGANConfig(),
        DensityConfig(),
        TrainConfig(
            minutes=60, batch_size=32, learner=GAME, critic=GAME, sample_every_steps=500
        ),
        TrainConfig(
            minutes=60,
            batch_size=32,
            learner=LIKELIHOOD,
            warmup_steps=200,
            decay="cosine",
            average_decay=0.99,
            bf16=True,
            sample_every_steps=500,
        ),
    ),
    "base": Preset(
        "for one GPU: the paper's latent sizes (MuseGAN, AAAI 2018), wider networks",
        MuseGANConfig(temporal_width=1024, generator_width=512, critic_width=512),
        DensityConfig(width=512, layers=8, heads=8),
        TrainConfig(steps=50_000, batch_size=64, learner=GAME, critic=GAME),
        TrainConfig(
            steps=20_000,
            batch_size=64,
            learner=LIKELIHOOD,
            warmup_steps=500,
            decay="cosine",
            bf16=True,
        ),
    ),
}
