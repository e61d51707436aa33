"""A trained model: load it, look into its latent space, translate."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from core.app.configuration import Config, RunConfig
from core.app.domain import Domain
from core.app.latent import LatentSpace
from core.config import resolve
from core.errors import UserError
from core.theory.distributions import Distribution
from core.theory.passes import Networks, is_critic
from core.training.device import choose_device
from core.training.run import Run


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
    stored.fill(made, group="ema")
    return made.eval().to(choose_device(device)), config, folder.name


Loaded = TypeVar("Loaded", bound="Trained")


@dataclass
class Trained:
    """Trained networks with what they need to make samples; a domain says of which kind."""

    networks: Networks
    config: Any
    spec: Any
    name: str = ""

    BELONGS: ClassVar[tuple[Domain, type[RunConfig], Callable[..., Networks]]]
    """The domain, its run's configuration, and what builds networks from that."""

    @classmethod
    def load(cls: type[Loaded], run: str | Path | None = None, device: str = "auto") -> Loaded:
        """The best weights of a run folder, or a shipped model by its name; None: the default."""
        domain, kind, build = cls.BELONGS
        made, config, name = restore(domain, kind, build, run, device)
        return cls(made, config.model, config.spec, name)  # type: ignore[attr-defined]  # a domain's run has a form

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
        return self.config.base_recipe.other

    @property
    def draws(self) -> bool:
        """Whether it makes samples from nothing."""
        return self.config.base_recipe.draws

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
