"""Configuration of a model and of a run; a domain adds what is its own."""

from typing import TypeVar

from pydantic import Field

from core.config import Strict
from core.recipes import Recipe, recipe
from core.training.loop import TrainConfig
from core.training.stabilisers import Aids

CHANGEABLE = tuple(
    f"train.{name}"
    for name in (
        "steps",
        "minutes",
        "log_every_steps",
        "sample_every_steps",
        "save_every_steps",
        "save_every_minutes",
    )
)
"""What may differ when a run is resumed: how long and how often, not what."""


class ModelConfig(Strict):
    """A model: its recipe, and what differs from it."""

    recipe: str
    weights: dict[str, float] = {}
    critic_steps: int | None = Field(default=None, gt=0)
    game: str | None = None
    aids: Aids = Aids()

    @property
    def statements(self) -> Recipe:
        statements = recipe(self.recipe)
        statements = statements.playing(self.game) if self.game else statements
        statements = statements.paced(self.critic_steps) if self.critic_steps else statements
        return self.aids.on(statements.weighted(self.weights))


class RunConfig(Strict):
    """All that a run needs to be understood and repeated, but for what the domain adds."""

    train: TrainConfig
    data_sha256: str = ""
    other_sha256: str = ""
    model: ModelConfig


Config = TypeVar("Config", bound=RunConfig)
