"""The two passes of a batch; each quantity is computed once, and only when a term asks for it.

    inference   x --encoder--> z --decoder--> reconstruction
    generation  z --decoder--> x --encoder--> posterior of what was generated

Hu, Yang, Salakhutdinov and Xing, On Unifying Deep Generative Models, ICLR 2018.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from core.theory.contracts import (
    Contract,
    OutliningDecoder,
    ProgressiveDecoder,
    QuantisingPrior,
    require,
)
from core.theory.distributions import Delta, Distribution
from core.theory.shapes import Samples, Scores

Space = Literal["x", "reconstruction", "z", "prior", "prior_c", "xz", "xc", "domain"]
"""The spaces in which samples are compared: data, data beside their reconstructions alone,
latents, latents the other way round (the prior is what is trained, and encoded data are its
reference), those with their condition, the joint of data and latents, data with its condition, and
the latents of two collections of data."""

Point = tuple[Tensor, ...]
"""Samples of a space: (x,), (z,), (z, outline of z), (z, c), (x, z) or (x, c)."""

Networks = nn.ModuleDict
"""The networks of a model by their role: encoder, decoder, prior, density, critic_x ..."""

SAMPLERS: Mapping[Space, tuple[str, ...]] = {
    "x": ("decoder", "prior"),
    "reconstruction": ("encoder", "decoder"),
    "xc": ("decoder", "prior"),
    "z": ("encoder", "prior"),
    "prior": ("encoder", "decoder", "prior"),
    "prior_c": ("encoder", "prior"),
    "xz": ("encoder", "decoder", "prior"),
    "domain": ("encoder",),
}
"""The networks that sample the reference and the generated points of each space."""


TEACHER = "teacher"
"""The network that stays as the decoder was with which a training began, see `start_from`."""


def critic_of(space: str) -> str:
    """Return the name of a space's default critic."""
    return f"critic_{space}"


def is_critic(name: str) -> bool:
    """Return whether a network of this name is a critic."""
    return name.startswith("critic_")


def is_for_training(name: str) -> bool:
    """Return whether sampling does without a network of this name: a critic, or the teacher."""
    return is_critic(name) or name == TEACHER


def read_condition(networks: nn.ModuleDict, c: Tensor | None) -> Tensor | None:
    """Return the condition as encoder, decoder and prior take it.

    The network `condition` embeds the raw one, where there is such a network.
    """
    if c is None or "condition" not in networks:
        return c
    return networks["condition"](c)


@dataclass(frozen=True)
class Batch:
    """Data x [batch *event] with its condition c, if any, and samples of another collection.

    `novel`: conditions composed of parts of those of two samples, together maybe in none; its x
    are the samples whose last part each has, and its `group` numbers these parts. Where samples
    have groups, distributions are compared within each.
    """

    x: Samples
    c: Tensor | None = None
    other: Samples | None = None
    novel: "Batch | None" = None
    group: Int[Tensor, " batch"] | None = None

    def __getitem__(self, rows: slice) -> "Batch":
        """Return some of the samples, with all that belongs to them."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        cut = {name: column[rows] for name, column in columns.items() if column is not None}
        return replace(self, **cut)


class Passes:
    """The two passes of one batch through `networks`.

    Each network returns a distribution: encoder(x, c) is q(z given x, c), decoder(z, c) is
    p(x given z, c), prior(batch_size, c) is p(z given c), density(batch_size, c) is p(x given c).
    The network `condition` embeds the raw condition for these; a critic of "xc" is given the raw
    one. `corruption`: standard deviation of Gaussian noise on the encoder's input.
    """

    def __init__(self, networks: Networks, batch: Batch, corruption: float = 0.0):
        self.networks, self.batch, self.corruption = networks, batch, corruption
        self.x, self.condition, self.other = batch.x, batch.c, batch.other
        self._first: dict[int, Passes] = {}

    def first(self, count: int) -> "Passes":
        """Return the passes of the first samples of the batch alone, the same at each call."""
        if count >= len(self.x):
            return self
        if count not in self._first:
            self._first[count] = Passes(self.networks, self.batch[:count], self.corruption)
        return self._first[count]

    def network(self, name: str, contract: type[Contract]) -> Contract:
        """Return a network as one of this contract; `UserError` where it does not fulfil it."""
        return require(self.networks[name], contract)

    @cached_property
    def encoder_input(self) -> Samples:
        """x, with Gaussian noise where the recipe corrupts it (Vincent et al. 2008: zeros)."""
        return self.x + self.corruption * torch.randn_like(self.x) if self.corruption else self.x

    @cached_property
    def x_at_resolution(self) -> Samples:
        """x at the resolution of what is generated: a progressive decoder begins coarse."""
        if "decoder" not in self.networks:
            return self.x
        decoder = self.networks["decoder"]
        if isinstance(decoder, ProgressiveDecoder):
            return decoder.to_current_resolution(self.x)
        return self.x

    @cached_property
    def c(self) -> Tensor | None:
        """The condition as encoder, decoder and prior take it."""
        return read_condition(self.networks, self.condition)

    @cached_property
    def posterior(self) -> Distribution:
        """q(z given x, c)."""
        return self.networks["encoder"](self.encoder_input, self.c)

    @cached_property
    def prior(self) -> Distribution:
        """p(z given c); the samples of another collection, where the batch brings some."""
        if self.other is not None:
            return Delta(self.other)
        return self.networks["prior"](len(self.x), self.c)

    @cached_property
    def density(self) -> Distribution:
        """p(x given c) of a model whose likelihood is exact."""
        return self.networks["density"](len(self.x), self.c)

    @cached_property
    def posterior_sample(self) -> Samples:
        """z ~ q(z given x, c), quantised where the prior is a codebook."""
        if "prior" in self.networks and isinstance(self.prior, QuantisingPrior):
            return self.prior.encode(self.posterior)
        return self.posterior.rsample()

    @cached_property
    def prior_sample(self) -> Samples:
        """z ~ p(z given c)."""
        return self.prior.rsample()

    def prior_samples(self, count: int) -> Float[Tensor, "draw batch latent"]:
        """Draw z ~ p(z given c) `count` times for each sample."""
        c = None if self.c is None else torch.cat([self.c] * count)
        drawn = self.networks["prior"](count * len(self.x), c).rsample()
        return drawn.unflatten(0, (count, -1))  # [draw batch latent]

    @cached_property
    def reconstruction(self) -> Distribution:
        """p(x given z, c), z ~ q(z given x, c)."""
        return self.networks["decoder"](self.posterior_sample, self.c)

    @cached_property
    def reconstructed_x(self) -> Samples:
        """x ~ p(x given z, c), z ~ q(z given x, c)."""
        return self.reconstruction.rsample()

    @cached_property
    def generation(self) -> Distribution:
        """p(x given z, c), z ~ p(z given c)."""
        return self.networks["decoder"](self.prior_sample, self.c)

    @cached_property
    def taught(self) -> Distribution:
        """p(x given z, c) of the decoder with which training began, for the z of `generation`."""
        c = None if self.c is None else self.c.detach()
        return self.networks[TEACHER](self.prior_sample.detach(), c)

    @cached_property
    def generated_x(self) -> Samples:
        """x ~ p(x given z, c), z ~ p(z given c)."""
        return self.generation.rsample()

    @cached_property
    def generated_posterior(self) -> Distribution:
        """q(z given x, c) of generated x (the sleep phase of Hinton et al., Science 1995)."""
        return self.networks["encoder"](self.generated_x, self.c)

    @cached_property
    def generated_passes(self) -> "Passes":
        """The passes of generated x in place of data; no gradient reaches the generator."""
        x = self.generated_x.detach()
        return Passes(self.networks, Batch(x, self.condition), self.corruption)

    @cached_property
    def novel(self) -> "Passes":
        """The passes of novel conditions, for what is generated by them."""
        if self.batch.novel is None:
            raise ValueError("novel conditions are needed, and this batch has none")
        return Passes(self.networks, self.batch.novel, self.corruption)

    @cached_property
    def source_latents(self) -> Samples:
        """z of the labelled collection, by the network `source` where there is one (ADDA)."""
        name = "source" if "source" in self.networks else "encoder"
        return self.networks[name](self.x, None).rsample()

    @cached_property
    def target_latents(self) -> Samples:
        """z of the other collection, which has no labels."""
        if self.other is None:
            raise ValueError("space 'domain' needs another collection, and this batch has none")
        return self.networks["encoder"](self.other, None).rsample()

    @cached_property
    def outlined_posterior(self) -> Point:
        """z ~ q(z given x, c) with its outline; no gradient reaches what a prior is to match."""
        z = self.posterior_sample.detach()
        with torch.no_grad():
            return self._outlined(z)

    @cached_property
    def outlined_prior(self) -> Point:
        """z ~ p(z given c) with its outline."""
        return self._outlined(self.prior_sample)

    def reference(self, space: Space) -> Point:
        """Return the samples of a space that the produced ones are to match."""
        if space == "domain":
            return (self.source_latents,)
        if space == "z":
            return (self.prior_sample,)
        if space == "prior":
            return self.outlined_posterior
        if space == "prior_c":
            return (self.posterior_sample.detach(), self._known_condition(space))
        return self._point(space, self.x_at_resolution, lambda: self.posterior_sample)

    def produced(self, space: Space) -> Point:
        """Return the samples of a space that the model produces."""
        if space == "domain":
            return (self.target_latents,)
        if space == "z":
            return (self.posterior_sample,)
        if space == "prior":
            return self.outlined_prior
        if space == "prior_c":
            return (self.prior_sample, self._known_condition(space))
        if space == "reconstruction":
            return (self.reconstructed_x,)
        return self._point(space, self.generated_x, lambda: self.prior_sample)

    def _point(self, space: Space, x: Samples, z: Callable[[], Samples]) -> Point:
        if space in ("x", "reconstruction"):
            return (x,)
        if space == "xz":
            return (x, z())
        return (x, self._known_condition(space))

    def _known_condition(self, space: Space) -> Tensor:
        if self.condition is None:
            raise ValueError(f"space '{space}' needs a condition, and this batch has none")
        return self.condition

    def _outlined(self, z: Samples) -> Point:
        """Return latents with the decoder's outline of them, where it gives one."""
        decoder = self.networks["decoder"]
        if not isinstance(decoder, OutliningDecoder):
            return (z,)
        return z, decoder.outline(z, self.c)

    def score(self, critic: str, point: Point) -> Scores:
        """Return the scores of a critic, by its name, for samples of its space.

        In single precision at least: their losses are averaged, and near to each other.
        """
        scores = self.networks[critic](*point)
        return scores.to(torch.promote_types(scores.dtype, torch.float32))
