"""A trained model: load it, sample, encode and decode, translate.

A domain refines it by two maps between its items and tensors x, and by how its conditions are
read.
"""

import copy
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence, Sized
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, cast

import torch
from torch import Tensor, nn

from core.app.configuration import ModelConfig, RunConfig
from core.app.domain import Domain, Examples, Items
from core.app.latent import Kept, LatentPoints, LatentSpace, standard_noise, variations
from core.app.sampling import Rows, in_chunks
from core.config import resolve
from core.errors import ConfigError, UserError
from core.exchange.graph import Graph, generator
from core.files import as_text
from core.theory.distributions import Distribution
from core.theory.passes import Networks, is_for_training, read_condition
from core.theory.shapes import Latents, Samples
from core.training.device import choose_device
from core.training.run import Run

LOG = logging.getLogger("pianoreel")

Loaded = TypeVar("Loaded", bound="Model")


class Model(ABC, Generic[Items]):
    """Trained networks, and what is needed to turn their output into a domain's items.

    `config`: the run's model, `spec`: its data's specification, `name`: that of the run's folder.
    """

    domain: ClassVar[Domain]
    config: ModelConfig

    def __init__(self, networks: Networks, config: ModelConfig, spec: Any, name: str = ""):
        self.networks, self.config, self.spec, self.name = networks, config, spec, name

    def __repr__(self) -> str:
        return (
            f"{self.domain.name} model {self.name} ({self.config.recipe}, {self.size:,} weights)"
        )

    @classmethod
    def load(cls: type[Loaded], run: str | Path | None = None, device: str = "auto") -> Loaded:
        """Load the best EMA weights of a run, or a shipped model by its name; None: the default.

        Critics are left out: nothing is sampled with them.
        """
        folder = cls.domain.folder(run)
        stored = Run.read(folder)
        config: Any = cls.domain.configuration_of(stored)
        networks = cls._built(config)
        stored.fill(networks, group="ema")
        return cls(networks.to(choose_device(device)), config.model, config.spec, folder.name)

    @classmethod
    def _built(cls, config: RunConfig) -> Networks:
        """Build its networks, without those of training alone."""
        parts = cls.domain.networks(config).items()
        return Networks({name: part for name, part in parts if not is_for_training(name)}).eval()

    @abstractmethod
    def to_x(self, items: Items) -> Samples:
        """Convert items to a tensor on the model's device."""

    @abstractmethod
    def from_x(self, x: Samples) -> Items:
        """Convert a tensor to items."""

    def join(self, parts: Sequence[Items]) -> Items:
        """Concatenate items; by default they are tensors."""
        tensors = cast(list[Tensor], list(parts))
        return cast(Items, torch.cat(tensors))

    def read_conditions(self, conditions: Sequence[str] | None) -> Tensor | None:
        """Return the raw condition c of each item; None where the domain has none."""
        return None

    def objection(self, condition: str) -> str:
        """Return why the model may not understand a condition; empty where it should."""
        return ""

    def warn_of(self, conditions: Sequence[str] | None) -> None:
        """Log the objection to each condition, once in the life of the model."""
        for condition in conditions or ():
            if condition not in self._warned and (objection := self.objection(condition)):
                LOG.warning(objection)
            self._warned.add(condition)

    @cached_property
    def _warned(self) -> set[str]:
        return set()

    def conditioning(self, conditions: Sequence[str] | None) -> Tensor | None:
        """Return the conditions as the networks take them; None where they take none."""
        return read_condition(self.networks, self.read_conditions(conditions))

    def output(self, distribution: Distribution) -> Samples:
        """Return one sample of the decoder's distribution, as the domain shows it."""
        return distribution.representative

    def graph(self) -> Graph:
        """Return what it generates with as a graph of noise, and of a condition if it reads one.

        `UserError` where it has none: then its weights alone can be exported.
        """
        if self.translates:
            raise UserError(f"{self.name} translates: export its weights, as .safetensors")
        return generator(self.networks, self.example_conditions, self.domain.axes)

    def example_conditions(self, count: int) -> Tensor | None:
        """Return raw conditions to try the networks with; None where they read none."""
        return None

    def export(
        self, path: str | Path, form: str | None = None, overwrite: bool = True
    ) -> float | None:
        """Write the generator (.onnx, .pt for torchscript) or the weights (.safetensors).

        `form`: onnx, torchscript or safetensors, by default that of the suffix. Returns the
        largest difference between the graph and the model, None of weights. A graph is that of a
        copy on the processor, on which other programs run it. Without `overwrite`, `ConfigError`
        where there is a file. See `core.exchange.export`.
        """
        from core.exchange.export import format_of, write_graph, write_weights

        path, form = Path(path), format_of(Path(path), form)
        if form == "safetensors":
            write_weights(self.networks, self.facts, path, overwrite)
            return None
        copied = copy.deepcopy(self.networks).cpu()
        on_cpu = type(self)(copied, self.config, self.spec, self.name)
        return write_graph(on_cpu.graph(), self.facts, path, form, overwrite)

    @property
    def facts(self) -> dict[str, str]:
        """Return what explains its weights to others: name, domain, settings, specification."""
        return {
            "name": as_text(self.name),
            "domain": self.domain.name,
            "pianoreel": version("pianoreel"),
            "model": self.config.model_dump_json(),
            "spec": self.spec.model_dump_json(),
        }

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write a folder as the Hugging Face hub has it: config.json, weights and a card."""
        from core.exchange.pretrained import save

        words = f"{self.domain.item}s", self.domain.tags
        card = self.config.base_recipe, *words, self.size, type(self).__module__
        return save(Path(folder), self.facts, self.networks, *card)

    @classmethod
    def from_pretrained(cls: type[Loaded], folder: str | Path, device: str = "auto") -> Loaded:
        """Load what `save_pretrained` wrote, equal to the bit; nothing is downloaded."""
        from core.exchange.pretrained import Pretrained

        stored = Pretrained.read(Path(folder), cls.domain.name)
        config: Any = resolve(cls.domain.config, stored.run, str(stored.folder / "config.json"))
        networks = cls._built(config)
        stored.fill(networks)
        return cls(networks.to(choose_device(device)), config.model, config.spec, stored.name)

    @property
    def device(self) -> torch.device:
        return next(self.networks.parameters()).device

    @property
    def size(self) -> int:
        """Number of weights that take part in sampling."""
        return sum(p.numel() for p in self.networks.parameters())

    @property
    def space(self) -> LatentSpace:
        """Return its latent space; `UserError` where it has none."""
        if self.translates:
            raise UserError(f"{self.name} translates and has no latent space: see `translate`")
        return LatentSpace(self.networks, self.name)

    @property
    def translates(self) -> bool:
        """True for a model that translates items of another collection."""
        return self.config.base_recipe.other

    @property
    def draws(self) -> bool:
        """True for a model that samples from noise alone."""
        return self.config.base_recipe.draws

    def source(self, data: Any, other: Any) -> Any:
        """Return what it is given: `other` where it translates, else `data`.

        `UserError` where it translates and there is no other.
        """
        if not self.translates:
            return data
        if other is None:
            raise UserError(f"{self.name} translates: name the data to translate by --other")
        return other

    def prior(self, count: int, c: Tensor | None = None) -> Distribution:
        """Return p(z given c), c as the networks take it; `UserError` where there is no prior."""
        if "prior" in self.networks:
            return self.networks["prior"](count, c)
        if self.translates:
            raise UserError(f"{self.name} translates: give it files, as `translate` does")
        raise UserError(
            f"{self.name} has no prior to sample from: it can `reconstruct` your own files"
        )

    @torch.no_grad()
    def encode(self, items: Items, conditions: Sequence[str] | None = None) -> LatentPoints:
        """Encode items as latent points: the means of q(z given x, c).

        `ConfigError` without items, and where a model reads conditions and there is not one for
        each item.
        """
        self._require_any("encode", items)
        count = None if conditions is None else len(conditions)
        if "condition" in self.networks and count != len(items):
            raise ConfigError(
                f"{self.name} reads a condition of each {self.domain.item}: give {len(items)}, "
                f"not {count or 'none'}"
            )
        return self.space.encode(self.to_x(items), self.read_conditions(conditions))

    @torch.no_grad()
    def decode(self, points: LatentPoints, seed: int = 0) -> Items:
        """Decode latent points to items; a decoder that samples does so by the seed.

        `ConfigError` without points.
        """
        if not (isinstance(points, LatentPoints) and len(points)):
            raise ConfigError("there is nothing to decode: give latent points, as encode does")

        def draw(rows: Rows) -> Samples:
            return self.output(self.space.decode(points[rows]))

        return self.from_x(in_chunks(len(points), seed, self.device, draw))

    def _require_any(self, deed: str, items: Any) -> None:
        if not (isinstance(items, Sized) and len(items)):
            raise ConfigError(f"there is nothing to {deed}: give at least one {self.domain.item}")

    def variations(
        self, point: LatentPoints, strength: float, count: int, seed: int = 0, keep: str = ""
    ) -> LatentPoints:
        """Return points around one, from strength 0 (itself) to 1 (any sample of the prior).

        `keep`: the part of the latents that stays, one of `latent_parts`.
        """
        kept = self._part(keep) if keep else None
        varied = variations(point, strength, self.noise(point, count, seed))
        return varied if kept is None else self.space.keeping(point, varied, kept)

    @property
    def latent_parts(self) -> Mapping[str, Kept]:
        """Return the parts of z that have a meaning of their own, by name."""
        return {}

    def _part(self, name: str) -> Kept:
        parts = self.latent_parts
        if name in parts:
            return parts[name].to(self.device)
        known = f"it has {' and '.join(parts)}" if parts else "its latents have no named parts"
        raise ConfigError(f"{self.name} cannot keep '{name}': {known}")

    def noise(self, point: LatentPoints, count: int, seed: int) -> Latents:
        """Draw what variations of a point are mixed with: samples of the prior, in its units."""
        return standard_noise(point, count, seed)

    @torch.no_grad()
    def translate(self, items: Items, back: bool = False) -> Items:
        """Translate items into the style of the data, or `back` into that of the other data.

        `ConfigError` without items.
        """
        self._require_any("translate", items)
        x, network = self.to_x(items), self._translator(back)

        def draw(rows: Rows) -> Samples:
            return network(x[rows]).representative

        return self.from_x(in_chunks(len(x), 0, self.device, draw))

    def _translator(self, back: bool) -> nn.Module:
        if not self.translates:
            raise UserError(f"{self.name} does not translate: train it with --model cyclegan")
        return self.networks["encoder" if back else "decoder"]

    def transform(
        self, items: Items, conditions: Sequence[str] | None = None, seed: int = 0
    ) -> Items:
        """Translate items, or reconstruct them through the latent space."""
        if self.translates:
            return self.translate(items)
        return self.decode(self.encode(items, conditions), seed)

    def reconstruct(
        self, items: Items, conditions: Sequence[str] | None = None, seed: int = 0
    ) -> Items:
        """Reconstruct the data's items: through z, or there and back by translation."""
        if self.translates:
            return self.translate(self.translate(items, back=True))
        return self.transform(items, conditions, seed)

    @abstractmethod
    def sampled_like(self, examples: Examples[Items], seed: int) -> Items:
        """Sample as many items as there are examples, under their conditions."""

    def generate(self, examples: Examples[Items], seed: int = 0) -> Items:
        """Generate items: samples where the model draws, else transforms of the examples."""
        if self.draws:
            return self.sampled_like(examples, seed)
        return self.transform(examples.items, examples.conditions, seed)
