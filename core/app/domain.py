"""A domain: what a kind of data hands over to the applications.

From that `core.app` builds train, sample, evaluate, compare, interpolate, arithmetic, reconstruct,
vary and translate. A new domain is one subclass of `Domain` and one of `core.app.model.Model`,
which know each other by `DOMAIN = Model.domain = Points(Model)`:

specification   spec_of(data)                   tensors     Model.to_x, Model.from_x
files           read(model, path), write(...)   networks    networks(config)
batches         batches(data, config, device)   picture     show(model, items, titles, path)
measures        measures(...), evaluate(...)
"""

import contextlib
import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

import torch

from core.app.configuration import Config
from core.app.output import Output
from core.config import resolve
from core.data.collection import Split
from core.data.preparation import Tasks, Tick, unshown
from core.data.sources import is_source
from core.errors import ConfigError, UserError
from core.files import is_folder
from core.recipe import Recipe
from core.recipes import LISTING, RECIPES, recipe
from core.theory.passes import Networks
from core.training.loop import UNMONITORED, Monitor
from core.training.presets import Preset
from core.training.run import Run
from core.training.step import Batches
from core.wording import nearest

if TYPE_CHECKING:
    from core.app.evaluation import Evaluation
    from core.app.model import Model

LOG = logging.getLogger("pianoreel")


@runtime_checkable
class TrainingData(Protocol):
    """Data to train on and to measure against: of which splits, and a digest of all it holds."""

    @property
    def digest(self) -> str: ...
    @property
    def splits(self) -> tuple[Split, ...]: ...


@runtime_checkable
class Sliceable(Protocol):
    """Items along a first axis: an array, a tensor, or what is sliced as one."""

    def __len__(self) -> int: ...
    def __getitem__(self, rows: slice, /) -> Any: ...


Data = TypeVar("Data", bound=TrainingData)
"""The data of a domain."""
Items = TypeVar("Items", bound=Sliceable)
"""Items of a domain, as its models take and return them."""
Trained = TypeVar("Trained", bound="Model")
"""The class of a domain's trained models."""


@dataclass(frozen=True)
class Examples(Generic[Items]):
    """Items of a domain, as its models take them, with their conditions, if any.

    `conditions`: one for each item. `sources`: of each, what its file says beyond the item and
    `Domain.write` can use again.
    """

    items: Items
    conditions: Sequence[str] | None = None
    sources: Sequence[Any] | None = None

    def __len__(self) -> int:
        return len(self.items)

    def first(self, count: int) -> "Examples[Items]":
        """Return the first `count` of them."""
        conditions = None if self.conditions is None else self.conditions[:count]
        sources = None if self.sources is None else self.sources[:count]
        return Examples(self.items[:count], conditions, sources)


class Domain(ABC, Generic[Data, Config, Items, Trained]):
    """Everything that the shared commands ask of a domain.

    `item`: the word for one sample. `recipes`: those of every domain and its own. `offers`: which
    of a recipe's needs it meets. `suffixes`: of its users' files. `shipped`: the folder of the
    weights that ship, None where there are none; `default_run`: those that are used where no run
    is named, `default_latent_run`: by the latent commands. `default_model`: what `train` trains.
    `axes`: of x and, where it has one, the condition, for other programs; `tags`: of its models.
    """

    name: ClassVar[str]
    item: ClassVar[str]
    presets: ClassVar[Mapping[str, Preset]]
    default_preset: ClassVar[str] = "small"
    shipped: ClassVar[Path | None] = None
    default_run: ClassVar[str] = ""
    default_latent_run: ClassVar[str] = ""
    default_model: ClassVar[str]
    offers: ClassVar[frozenset[str]]
    recipes: ClassVar[Mapping[str, Recipe]] = RECIPES
    aliases: ClassVar[Mapping[str, str]] = {}
    suffixes: ClassVar[tuple[str, ...]]
    config: type[Config]
    axes: ClassVar[Mapping[str, str]]
    tags: ClassVar[tuple[str, ...]]
    measures_folders: ClassVar[bool] = False
    """True where `evaluate` measures folders of users' files as well."""
    EXAMPLES_OF_A_MODEL: ClassVar[int] = 1
    """Items that show what a model generates, beside those of others."""

    def __init__(self, model: type[Trained]):
        self.model = model

    @abstractmethod
    def open(self, folder: Path) -> Data:
        """Open a prepared collection; `UserError` for a folder that is none."""

    @abstractmethod
    def spec_of(self, data: Data) -> dict[str, Any]:
        """Return the specification that networks are built for, as plain values."""

    def settings_of(self, data: Data) -> dict[str, Any]:
        """Return the settings in which this data differ from the preset, none by default."""
        return {}

    @abstractmethod
    def require_same_spec(self, data: Data, other: Data) -> None:
        """Raise `UserError` unless two collections hold items of one specification."""

    @abstractmethod
    def networks(self, config: Config) -> Networks:
        """Build the recipe's networks for data of the run's specification."""

    @abstractmethod
    def batches(
        self, data: Data, config: Config, device: torch.device, other: Data | None = None
    ) -> Batches:
        """Return the batches to train on; each is a function of its number and the seed."""

    @abstractmethod
    def examples(self, data: Data, count: int, seed: int) -> Examples[Items]:
        """Select real items to encode or translate: held-out ones where the data has any."""

    @abstractmethod
    def read(self, model: Trained, path: Path) -> Examples[Items]:
        """Read a user's file as items; `UserError` where it cannot be read."""

    @abstractmethod
    def condition(self, text: str, seed: int) -> tuple[Sequence[str] | None, int]:
        """Parse an argument that is no file: its conditions, and the seed to sample with."""

    @abstractmethod
    def write(
        self,
        model: Trained,
        items: Items,
        titles: Sequence[str],
        name: str,
        to: Output,
        sources: Sequence[Any] | None = None,
    ) -> Iterator[Path]:
        """Write items as the user's kind of files, named after `name`; yields each path.

        `sources`: for each item that of the example that it comes from, or the condition that
        was sampled for, None where it has neither.
        """

    def common_source(self, sources: Sequence[Any]) -> Any:
        """Return the source of an item that is made of several: by default the first known one.

        `sources`: the nearest first, None for what has none.
        """
        return next((source for source in sources if source is not None), None)

    @abstractmethod
    def show(self, model: Trained, items: Items, titles: Sequence[str], path: Path) -> None:
        """Draw items side by side as a .png."""

    def contrast(self, model: Trained, items: Mapping[str, Items], path: Path) -> None:
        """Draw `EXAMPLES_OF_A_MODEL` items of each of several origins, by their names."""
        self.show(model, model.join([*items.values()]), [*items], path)

    def preview(self, model: Trained, items: Items, titles: Sequence[str], stem: Path) -> None:
        """Leave STEM.png, and what else is quick to write, while a model trains."""
        self.show(model, items, titles, stem.with_name(f"{stem.name}.png"))

    def sound(self, model: Trained, items: Items) -> bytes | None:
        """Return the .wav of items for TensorBoard; None where `preview` leaves all there is."""
        return None

    def measures(
        self, data: Data, config: Config, other: Data | None = None
    ) -> Callable[[Trained], dict[str, float]]:
        """Return the metrics that are logged while a model trains.

        The checkpoint with the least `distance` is the best.
        """
        return lambda model: {}

    def finish(
        self,
        model: Trained,
        data: Data,
        to: Path,
        tick: Tick = lambda done, total: None,
    ) -> Trained:
        """Return a run's model with what sampling needs beside its weights, kept in the run.

        By default nothing does. It is called at the end of a training; `tick` raises `Stopped`
        where a stop is asked for.
        """
        return model

    def train(
        self,
        data: str | Path | Data,
        to: str | Path,
        model: str | None = None,
        preset: str | None = None,
        device: str = "auto",
        assignments: Sequence[str] = (),
        other: str | Path | Data | None = None,
        monitor: Monitor = UNMONITORED,
        start: str | Path | None = None,
    ) -> Trained:
        """Train on data into the run folder `to`; the same call resumes there.

        `data`: a collection, or its folder. `other`: the second one of a model that translates.
        `start`: a run whose weights the new one begins with. See `core.app.fit`.
        """
        from core.app import fit

        return fit.train(
            self, data, to, model, preset, device, assignments, other, monitor=monitor, start=start
        )

    @abstractmethod
    def evaluate(
        self,
        models: Sequence[Any],
        data: Data,
        count: int,
        seed: int,
        other: Data | None = None,
        tasks: Tasks = unshown,
    ) -> "Evaluation":
        """Measure models beside real items and beside chance."""

    def subject(self, name: str | None, device: str = "auto") -> Any:
        """Open what `evaluate` measures: a run's model, or the path of a folder of files.

        `UserError` for a single file, which nothing can be measured of.
        """
        folder = Path(name or "")
        is_run = not name or self._shipped(name) or (folder / "config.yaml").exists()
        if self.measures_folders and folder.is_dir() and not is_run:
            return folder
        if self.measures_folders and folder.is_file():
            raise UserError(
                f"{folder} is a single file: give a run, a folder that `train` wrote, or a folder "
                "of files to measure beside those of --against"
            )
        return self.open_run(name, device)

    def data_of(self, subject: Any) -> Data:
        """Open the data to measure a model against by default; `UserError` where there is none."""
        raise UserError("give the collection to measure against: --against DATA")

    def open_run(self, run: str | Path | None, device: str = "auto") -> Trained:
        """Load a run's model: a folder, a shipped model's name, or None for the default."""
        return self.model.load(run, device)

    def recipe_name(self, model: str) -> str:
        """Resolve a model's name or alias to its recipe's; `ConfigError` for an unknown one."""
        name = self.aliases.get(model, model)
        if name not in self.recipes and self._shipped(model):
            raise ConfigError(
                f"'{model}' names weights that ship, not a model: --from {model} starts from them"
            )
        if name not in self.recipes:
            able = (own for own, known in self.recipes.items() if known.needs <= self.offers)
            known = nearest(model, [*self.aliases, *able], LISTING)
            raise ConfigError(f"no model is called '{model}': {known}")
        return name

    def recipe(self, model: str) -> Recipe:
        """Return the recipe of a model by its name or alias."""
        return self.recipes[self.recipe_name(model)]

    def is_translation(self, model: str) -> bool:
        """Return True for a model that translates between two collections."""
        return self.recipe(model).other

    def require(self, model: str, has_other: bool) -> None:
        """Raise `ConfigError` for a model whose needs the domain does not meet, or for a second
        collection that is missing or superfluous."""
        name = self.recipe_name(model)
        known = self.recipes[name]
        missing = sorted(known.needs - self.offers)
        if missing:
            raise ConfigError(f"{name} needs what {self.name} lacks: {', '.join(missing)}")
        if known.other and not has_other:
            raise ConfigError(
                f"{name} translates between two collections: give the second by --other"
            )
        if has_other and not known.other:
            raise ConfigError(f"{name} learns from one collection: leave --other out")

    def leading_run(self, arguments: Sequence[str]) -> tuple[str | None, list[str]]:
        """Split off the run that the arguments begin with, if any.

        A run is a folder, a shipped model's name, or what can only be a path.
        """
        if not arguments:
            return None, []
        first = arguments[0]
        own_file = is_source(first, self.suffixes)
        path_like = os.sep in first and " " not in first and not own_file
        named = " " not in first and self._shipped(first) is not None
        if path_like or named or is_folder(first):
            return first, list(arguments[1:])
        return None, list(arguments)

    @property
    def _ships(self) -> dict[str, Path]:
        """Return the folders of the shipped models by their names."""
        folders = self.shipped.iterdir() if self.shipped else ()
        return {path.name: path for path in folders if path.is_dir()}

    def _shipped(self, name: str) -> Path | None:
        """Return the folder of a shipped model, by its name or alias; None for any other."""
        recipe, there = self.aliases.get(name), self._ships
        names = (name, *(alias for alias, own in self.aliases.items() if own == recipe))
        return next((there[known] for known in names if known in there), None)

    def folder(self, run: str | Path | None) -> Path:
        """Return the folder of a run or of a shipped model by its name; None: the default one.

        `ConfigError` for an empty name, `UserError` where there is no folder.
        """
        if run == "":
            raise ConfigError(
                "the name of a run is empty: give its folder, or the name of weights that ship"
            )
        if run is None and not self.default_run:
            raise UserError(f"no weights of {self.name} ship: give the folder of a run")
        shipped = self._shipped(str(run or self.default_run))
        if run and shipped and is_folder(run):
            LOG.warning("%s are the weights that ship; the folder here is ./%s", run, run)
        folder = shipped or Path(run or self.default_run)
        if not is_folder(folder):
            raise _no_folder(folder, f"pianoreel {self.name} train", self._ships)
        return folder

    def configuration_of(self, run: Run) -> Config:
        """Return the settings of a run; `UserError` where they are of another domain or version.

        What a run of another domain says of its data has none of the names of this one.
        """
        own, stored = self.config.model_fields["spec"].annotation, run.config.get("spec")
        names = getattr(own, "model_fields", {}).keys()
        if isinstance(stored, Mapping) and stored and not names & stored.keys():
            raise UserError(
                f"{run.folder} is a run of another domain: give one that `pianoreel {self.name} "
                "train` wrote"
            )
        return resolve(self.config, run.config, str(run.folder / "config.yaml"))


def recipes_of(domains: Sequence[Domain]) -> dict[str, Recipe]:
    """Return the recipes of several domains by their names."""
    return {name: known for domain in domains for name, known in domain.recipes.items()}


def find_recipe(domains: Sequence[Domain], model: str) -> Recipe:
    """Return the recipe of a model by its name, of weights that ship, or of a run's folder.

    A name that is also a folder here is the model's. `ConfigError` for an unknown name.
    """
    known = recipes_of(domains)
    for domain in domains:
        known |= {alias: domain.recipes[name] for alias, name in domain.aliases.items()}
    if model not in known and any(domain.leading_run([model])[0] for domain in domains):
        domain = find_domain(domains, model)
        return domain.configuration_of(Run.read(domain.folder(model))).model.base_recipe
    return recipe(model, known)


def _no_folder(folder: Path, command: str, ships: Iterable[str]) -> UserError:
    """Return what to give in place of a missing folder of a run, which `command` writes."""
    wanted, known = f"give a run, as `{command}` writes it", sorted(ships)
    if known and folder.name == str(folder):
        wanted += f", or a model that ships: {nearest(folder.name, known)}"
    return UserError(f"{folder} is no folder: {wanted}")


def find_domain(domains: Sequence[Domain], run: str | Path) -> Domain:
    """Return the domain of a run or of shipped weights; `UserError` where it is of none.

    A run's settings fit those of its domain alone.
    """
    for domain in domains:
        with contextlib.suppress(UserError):
            domain.configuration_of(Run.read(domain.folder(run)))
            return domain
    if run and not is_folder(run):
        every = (name for domain in domains for name in domain._ships)
        raise _no_folder(Path(run), "train", every)
    domains[0].folder(run)  # refuses an empty name
    Run.read(Path(run))
    raise UserError(f"{run} is a run of another version: its settings fit no domain")
