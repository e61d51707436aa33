"""The presets of the ring: the settings by which each recipe learns it, and a quick trial."""

from dataclasses import dataclass
from typing import Any

from core.papers import GOODFELLOW_2014
from core.recipe import Recipe
from core.ring.settings import GAME, LIKELIHOOD, settings_of
from core.training.presets import SMOKE_TEST, Preset


@dataclass(frozen=True)
class RingPreset(Preset):
    """The settings by which each recipe learns the ring, see `core.ring.settings`."""

    def values(self, name: str, recipe: Recipe) -> dict[str, Any]:
        settings = settings_of(name).model_dump(mode="json")
        chosen = ("weights", "stabilisers", "latent", "frequencies", "bandwidths", "flow")
        model: dict[str, Any] = {"recipe": name, **{key: settings[key] for key in chosen}}
        if settings["critic_steps"]:
            model["critic_steps"] = settings["critic_steps"]
        return {"model": model, "train": settings["train"]}


PAPER = GOODFELLOW_2014.title

PRESETS = {
    "tiny": Preset(
        purpose="a few steps: for tests and for trying a command",
        paper=PAPER,
        expected="noise",
        cost="a second",
        networks={},
        adversarial=SMOKE_TEST,
        non_adversarial=SMOKE_TEST,
        models={},
    ),
    "small": RingPreset(
        purpose="the ring in minutes",
        paper=PAPER,
        expected="all eight modes by most models",
        cost="a minute on one CPU core",
        networks={},
        adversarial=GAME.train,
        non_adversarial=LIKELIHOOD.train,
        models={},
    ),
}
