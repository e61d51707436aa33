"""Named configurations: what a preset is, and the schedules that presets begin from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from core.config import Strict
from core.recipes import Recipe
from core.theory.terms import Match
from core.training.loop import TrainConfig
from core.training.step import game

TRIAL = TrainConfig(steps=20, batch_size=4, log_every_steps=1, sample_every_steps=10)
"""Enough to see that all parts work."""

GENTLE = TrainConfig(
    minutes=60,
    batch_size=64,
    warmup_steps=200,
    decay="cosine",
    ema_decay=0.99,
    bf16=True,
    sample_every_steps=500,
)
"""A rate that rises at first and falls to nothing: for what has no opponent."""


@dataclass(frozen=True)
class Preset:
    """A named, captioned configuration, for models with critics and for models without.

    `networks`: sizes, by the key under which the domain's model holds them. `models`: what differs
    for a recipe in this domain, by its name.
    """

    caption: str
    paper: str
    expected: str
    cost: str
    networks: Mapping[str, Strict]
    games: TrainConfig
    likelihoods: TrainConfig
    models: Mapping[str, Mapping[str, Any]]

    def values(self, name: str, recipe: Recipe) -> dict[str, Any]:
        """Return the configuration for a recipe of this name."""
        sizes = {key: config.model_dump(mode="json") for key, config in self.networks.items()}
        train = self.games if recipe.critics else self.likelihoods
        if recipe.optimisation:
            train = train.replace(learner=recipe.optimisation, critic=recipe.optimisation)
        model = {"recipe": name, **sizes, **self.models.get(name, {})}
        return {"model": model, "train": train.model_dump(mode="json")}


def calm(names: Iterable[str], r1: float) -> dict[str, dict[str, Any]]:
    """What differs for games whose critic would otherwise be right before anything is learned."""
    return {name: {"stabilisers": {"r1": r1}} for name in names}


def _is_steep(term: Match) -> bool:
    by = game(term)
    return term.space != "z" and not (by.penalties or by.clip)


def steep(recipes: Mapping[str, Recipe]) -> tuple[str, ...]:
    """Return the recipes with a critic of data whose gradient is neither penalised nor clipped."""
    return tuple(name for name, one in recipes.items() if any(map(_is_steep, one.critics)))
