"""Presets: named configurations, and the schedules and settings that they share."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.config import Strict, merged
from core.recipe import Recipe
from core.theory.terms import Match
from core.training.forecast import Need
from core.training.loop import TrainConfig
from core.training.step import game

SMOKE_TEST = TrainConfig(steps=20, batch_size=4, log_every_steps=1, sample_every_steps=10)
"""A few steps, to see that a model and its data work."""

WARMUP_COSINE = TrainConfig(
    minutes=60,
    batch_size=64,
    warmup_steps=200,
    decay="cosine",
    ema_decay=0.99,
    bf16=True,
    sample_every_steps=500,
)
"""Linear warm-up, then cosine decay to 0."""


@dataclass(frozen=True)
class Preset:
    """A named configuration with its purpose, for models with and without critics.

    `adversarial` and `non_adversarial` are the training settings of the two. `networks`: sizes, by
    their key in the domain's model. `models` and `training`: settings of single recipes in this
    domain, by name, of the model and of its training. `steps`: about how many a model needs until
    its samples can be recognised, as measured (EXPERIMENTS.md), or estimated from a like one; 0:
    not known. `steps_of`: those of single recipes. `before`: what samples are like with far fewer.
    """

    purpose: str
    paper: str
    expected: str
    cost: str
    networks: Mapping[str, Strict]
    adversarial: TrainConfig
    non_adversarial: TrainConfig
    models: Mapping[str, Mapping[str, Any]]
    training: Mapping[str, TrainConfig] = field(default_factory=dict)
    steps: int = 0
    steps_of: Mapping[str, int] = field(default_factory=dict)
    before: str = "noise"

    def values(self, name: str, recipe: Recipe) -> dict[str, Any]:
        """Return the configuration for a recipe of this name."""
        sizes = {key: config.model_dump(mode="json") for key, config in self.networks.items()}
        usual = self.adversarial if recipe.critics else self.non_adversarial
        train = self.training.get(name, usual)
        if recipe.optimisation:
            train = train.replace(learner=recipe.optimisation, critic=recipe.optimisation)
        model = merged({"recipe": name, **sizes}, self.models.get(name, {}))
        return {"model": model, "train": train.model_dump(mode="json")}

    def need(self, name: str) -> Need:
        """Return what a recipe of this name needs."""
        return Need(self.steps_of.get(name, self.steps), self.before)


def with_r1(names: Iterable[str], r1: float) -> dict[str, dict[str, Any]]:
    """Return settings that add an R1 penalty of weight `r1` to these recipes.

    Without one their critic separates real from generated samples before the generator learns.
    """
    return {name: {"stabilisers": {"r1": r1}} for name in names}


def _is_unregularised(term: Match) -> bool:
    by = game(term)
    return term.space != "z" and not (by.penalties or by.clip)


def unregularised(recipes: Mapping[str, Recipe]) -> tuple[str, ...]:
    """Return the recipes with a critic of data whose gradient is neither penalised nor clipped."""
    return tuple(name for name, one in recipes.items() if any(map(_is_unregularised, one.critics)))
