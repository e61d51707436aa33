"""A domain: its names, its presets, and which needs of a recipe it meets."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.app.configuration import Config
from core.config import nearest, override, resolve
from core.errors import ConfigError, UserError
from core.recipes import RECIPES, Recipe
from core.training.presets import Preset


@dataclass(frozen=True)
class Domain:
    """What a domain calls its things.

    `offers`: what of a recipe's needs it can meet. `files`: the suffixes of its users' files.
    `recipes`: those of every domain and its own.
    """

    name: str
    presets: Mapping[str, Preset]
    shipped: Path
    default: str
    offers: frozenset[str]
    aliases: Mapping[str, str]
    files: tuple[str, ...]
    recipes: Mapping[str, Recipe] = field(default_factory=lambda: RECIPES)

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
        chosen = {**self.presets[preset].values(name, self.recipes[name]), **values}
        return resolve(config, override(chosen, assignments), "the configuration")

    def recipe_name(self, model: str) -> str:
        """The recipe of a model as this domain calls it; `ConfigError` for an unknown name."""
        name = self.aliases.get(model, model)
        if name not in self.recipes:
            known = nearest(model, [*self.aliases, *self.recipes])
            raise ConfigError(f"no model is called '{model}': {known}")
        return name

    def is_translation(self, model: str) -> bool:
        """Whether a model needs a second collection."""
        return self.recipes[self.recipe_name(model)].other

    def require(self, model: str, has_other: bool) -> None:
        """`ConfigError` where the domain lacks what a model needs, or a second collection is
        missing or in excess."""
        name = self.recipe_name(model)
        known = self.recipes[name]
        missing = sorted(known.needs - self.offers)
        if missing:
            raise ConfigError(f"{name} needs what {self.name} lacks: {', '.join(missing)}")
        if known.other and not has_other:
            raise ConfigError(f"{name} goes between two collections: give the second by --other")
        if has_other and not known.other:
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
