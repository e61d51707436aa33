"""Configuration of a model and of a run; a domain adds what is its own."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, TypeVar

from pydantic import Field

from core.config import Strict
from core.errors import ConfigError
from core.recipe import Recipe
from core.recipes import RECIPES, recipe
from core.training.loop import TrainConfig
from core.training.stabilisers import Stabilisers

CHANGEABLE = tuple(
    f"train.{name}"
    for name in (
        "steps",
        "minutes",
        "clock",
        "batch_size",
        "learner.learning_rate",
        "learner.clip_norm",
        "critic.learning_rate",
        "critic.clip_norm",
        "warmup_steps",
        "decay",
        "skips_allowed",
        "setbacks_allowed",
        "log_every_steps",
        "sample_every_steps",
        "save_every_steps",
        "save_every_minutes",
        "tensorboard",
    )
)
"""Settings that can differ when a run is resumed: lengths, rates and intervals of a training, and
where it is shown."""


Share = Annotated[float, Field(ge=0, le=1)]


class ModelConfig(Strict):
    """A model: its recipe, and what differs from it; a domain can extend `known_recipes`.

    `late`: the share of the budget after which a term joins, by its name.
    """

    known_recipes: ClassVar[Mapping[str, Recipe]] = RECIPES

    recipe: str
    weights: dict[str, float] = {}
    late: dict[str, Share] = {}
    critic_steps: int | None = Field(default=None, gt=0)
    game: str | None = None
    stabilisers: Stabilisers = Stabilisers()

    @property
    def base_recipe(self) -> Recipe:
        """Return the recipe as it is named, before any change."""
        return recipe(self.recipe, self.known_recipes)

    @property
    def resolved_recipe(self) -> Recipe:
        """Return the recipe with these games, weights and stabilisers.

        `ConfigError` for what is of games where the recipe plays none.
        """
        changed = self.base_recipe
        if self.game:
            changed = changed.playing(self.game)
        if (self.game or self.critic_steps) and not changed.critics:
            raise ConfigError(
                f"model.game and model.critic_steps are for games, and {self.recipe} plays none: "
                "leave them out"
            )
        if self.critic_steps:
            changed = changed.paced(self.critic_steps)
        return self.stabilisers.on(changed.weighted(self.weights).later(self.late))


class RunConfig(Strict):
    """All that a run needs to be understood and repeated, but for what the domain adds.

    `start`: the run whose weights it began with, if any. `changeable`: settings that can differ
    when it is resumed.
    """

    changeable: ClassVar[tuple[str, ...]] = CHANGEABLE

    train: TrainConfig
    data_sha256: str = ""
    other_sha256: str = ""
    start: str = ""
    model: ModelConfig


Config = TypeVar("Config", bound=RunConfig)
