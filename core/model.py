"""What every model has in common, whatever it makes: configuration, training, loading.

A domain refines `ModelConfig` and `RunConfig` with what is its own, names its presets, and builds
the networks; the rest is here.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from pydantic import Field
from torch import Tensor, nn

from core.aids import Aids
from core.config import ConfigError, Strict, UserError, nearest, override, resolve
from core.distributions import Distribution
from core.latent import LatentSpace
from core.learning import Batches, Learning
from core.memory import keep_freed_memory
from core.passes import Networks, is_critic
from core.precision import computes_bf16
from core.presets import Preset
from core.recipes import RECIPES, Recipe, recipe
from core.run import Run
from core.train import Observe, TrainConfig
from core.train import train as train_run

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


@dataclass(frozen=True)
class Domain:
    """What a domain calls its things.

    `offers`: what of a recipe's needs it can meet. `files`: the suffixes of its users' files.
    """

    name: str
    presets: Mapping[str, Preset]
    shipped: Path
    default: str
    offers: frozenset[str]
    aliases: Mapping[str, str]
    files: tuple[str, ...]

    def configure(
        self,
        config: type[Config],
        model: str,
        preset: str,
        values: Mapping[str, Any],
        assignments: Sequence[str],
    ) -> Config:
        """The preset's configuration for a model, `values` beside it, assignments on top."""
        self.require(model, bool(values.get("other_sha256")))
        name = self.recipe_name(model)
        if preset not in self.presets:
            known = nearest(preset, list(self.presets))
            raise ConfigError(f"no preset is called '{preset}': {known}")
        chosen = {**self.presets[preset].values(name), **values}
        return resolve(config, override(chosen, assignments), "the configuration")

    def recipe_name(self, model: str) -> str:
        """The recipe of a model as this domain calls it; `ConfigError` for an unknown name."""
        name = self.aliases.get(model, model)
        if name not in RECIPES:
            known = nearest(model, [*self.aliases, *RECIPES])
            raise ConfigError(f"no model is called '{model}': {known}")
        return name

    def between_two(self, model: str) -> bool:
        """Whether a model needs a second collection."""
        return recipe(self.recipe_name(model)).other

    def require(self, model: str, has_other: bool) -> None:
        """`ConfigError` where the domain lacks what a model needs, or a second collection is
        missing or in excess."""
        name = self.recipe_name(model)
        missing = sorted(recipe(name).needs - self.offers)
        if missing:
            raise ConfigError(f"{name} needs what {self.name} lacks: {', '.join(missing)}")
        if recipe(name).other and not has_other:
            raise ConfigError(f"{name} goes between two collections: give the second by --other")
        if has_other and not recipe(name).other:
            raise ConfigError(f"{name} learns from one collection: leave --other out")

    def leading_run(self, told: Sequence[str]) -> tuple[str | None, list[str]]:
        """What was told as a run, if it begins with one, and the rest.

        A run is a folder, a shipped model's name, or what can only be a path.
        """
        if not told:
            return None, []
        first = told[0]
        own = Path(first).suffix.lower() in self.files
        path_like = os.sep in first and " " not in first and not own
        named = " " not in first and (self.shipped / first).is_dir()
        if path_like or named or Path(first).is_dir():
            return first, list(told[1:])
        return None, list(told)

    def folder(self, run: str | Path | None) -> Path:
        """A run's folder, or that of a shipped model by its name; None: the default one."""
        shipped = self.shipped / str(run or self.default)
        folder = shipped if shipped.is_dir() else Path(run or shipped)
        if not folder.is_dir():
            raise UserError(
                f"{folder} is no folder: give a run, as `pianoreel {self.name} train` makes it"
            )
        return folder


def fit(
    to: str | Path,
    config: Config,
    build: Callable[[Config], Networks],
    draw: Batches,
    observe: Callable[[Run], Observe],
    device: torch.device,
) -> Networks:
    """Train into the run folder `to`, or go on there; returns the averaged networks."""
    keep_freed_memory()
    torch.manual_seed(config.train.seed)
    train = config.train
    learning = Learning(
        config.model.aids.fit(build(config)).to(device),
        config.model.statements,
        train.learner,
        train.critic,
        train.average_decay,
        train.bf16 and computes_bf16(device),
        config.model.aids.historical_averaging,
    )
    values = config.model_dump(mode="json")
    with Run.open(Path(to), values, CHANGEABLE, partial(_completed, type(config))) as run:
        train_run(run, learning, draw, train, observe(run))
    return learning.averages


def _completed(kind: type[RunConfig], stored: dict[str, Any]) -> dict[str, Any]:
    """Settings of an earlier version, with those that have come since at their defaults."""
    try:
        return resolve(kind, stored, "config.yaml").model_dump(mode="json")
    except ConfigError:
        return stored  # what it says is compared as it stands


def restore(
    domain: Domain,
    kind: type[Config],
    build: Callable[[Config], Networks],
    run: str | Path | None,
    device: str,
) -> tuple[Networks, Config, str]:
    """A run's best averaged weights with its configuration and name, ready to sample.

    Networks that only judge are left out. `run`: see `Domain.folder`.
    """
    folder = domain.folder(run)
    stored = Run.read(folder)
    config = resolve(kind, stored.config, str(folder / "config.yaml"))
    made = Networks({name: part for name, part in build(config).items() if not is_critic(name)})
    stored.fill(made, group="averages")
    return made.eval().to(choose_device(device)), config, folder.name


Loaded = TypeVar("Loaded", bound="Trained")


@dataclass
class Trained:
    """Trained networks with what they need to make samples; a domain says of which kind."""

    networks: Networks
    config: Any
    form: Any
    name: str = ""

    BELONGS: ClassVar[tuple[Domain, type[RunConfig], Callable[..., Networks]]]
    """The domain, its run's configuration, and what builds networks from that."""

    @classmethod
    def load(cls: type[Loaded], run: str | Path | None = None, device: str = "auto") -> Loaded:
        """The best weights of a run folder, or a shipped model by its name; None: the default."""
        domain, kind, build = cls.BELONGS
        made, config, name = restore(domain, kind, build, run, device)
        return cls(made, config.model, config.form, name)  # type: ignore[attr-defined]  # a domain's run has a form

    @property
    def device(self) -> torch.device:
        return next(self.networks.parameters()).device

    @property
    def space(self) -> LatentSpace:
        """Its latent space; `UserError` where it has none."""
        if self.translates:
            raise UserError(f"{self.name} translates and has no latent space: see `translate`")
        return LatentSpace(self.networks, self.name)

    @property
    def translates(self) -> bool:
        """Whether it makes samples of another collection's, and none of its own."""
        return recipe(self.config.recipe).other

    @property
    def draws(self) -> bool:
        """Whether it makes samples from nothing."""
        return recipe(self.config.recipe).draws

    def translator(self, back: bool) -> nn.Module:
        """What translates into the data's manner, or `back` into the other collection's.

        `UserError` where it does not translate.
        """
        if not self.translates:
            raise UserError(f"{self.name} does not translate: train it with --model cyclegan")
        return self.networks["encoder" if back else "decoder"]

    def prior(self, count: int, c: Tensor | None = None) -> Distribution:
        """p(z given c); `UserError` where there is nothing to draw z from."""
        if "prior" in self.networks:
            return self.networks["prior"](count, c)
        if self.translates:
            raise UserError(f"{self.name} translates: give it files, as `translate` does")
        raise UserError(
            f"{self.name} has no prior to draw from: it can `reconstruct` your own files"
        )


def choose_device(name: str) -> torch.device:
    """auto: a CUDA device where there is one, then Apple's, then the CPU."""
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, there in available.items() if there))
    if name.split(":")[0] not in available:
        raise ConfigError(f"no device is called '{name}': there are auto, cpu, cuda, mps")
    if not available[name.split(":")[0]]:
        raise UserError(f"there is no {name} device here: use --device cpu")
    return torch.device(name)
