"""One batch seen both ways; each quantity is computed once, and only when a term asks for it.

    inference   x --encoder--> z --decoder--> x^
    generation  z --decoder--> x --encoder--> z^

Hu, Yang, Salakhutdinov and Xing, On Unifying Deep Generative Models, ICLR 2018.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from core.theory.distributions import Delta, Distribution
from core.theory.shapes import Samples, Scores

Space = Literal["x", "z", "xz", "xc", "domain"]
"""Where samples are compared: data, latents, the two joints, data with its condition, and the
latents of two collections of data."""

Point = tuple[Tensor, ...]
"""A sample of a space: (x,), (z,), (x, z) or (x, c)."""

Networks = nn.ModuleDict
"""The networks of a model by the theory's names: encoder, decoder, prior, density, critic_x ..."""


def critic_of(space: str) -> str:
    """The name of the network that judges samples of a space."""
    return f"critic_{space}"


def is_critic(name: str) -> bool:
    """Whether a network of this name only judges, so that nothing is sampled with it."""
    return name.startswith("critic_")


@runtime_checkable
class Gradual(Protocol):
    """A decoder that draws ever finer."""

    def as_fine(self, x: Samples) -> Samples:
        """Data with the detail that it draws by now."""
        ...


@dataclass(frozen=True)
class Batch:
    """Data x [batch *event] with its condition c, if any, and samples of another collection."""

    x: Samples
    c: Tensor | None = None
    other: Samples | None = None


class Passes:
    """The two passes of one batch through `networks`.

    Each network returns a distribution: encoder(x, c) is q(z given x, c), decoder(z, c) is
    p(x given z, c), prior(batch_size, c) is p(z given c), density(batch_size, c) is p(x given c).
    Where there is a network `condition`, it reads the batch's raw condition for all of them; a
    critic of "xc" reads it itself.
    """

    def __init__(self, networks: Networks, batch: Batch, corruption: float = 0.0):
        self.networks, self.x, self.condition = networks, batch.x, batch.c
        self.corruption, self.other = corruption, batch.other

    @cached_property
    def x_seen(self) -> Samples:
        """What the encoder sees of x: with Gaussian noise where the model says so."""
        return self.x + self.corruption * torch.randn_like(self.x) if self.corruption else self.x

    @cached_property
    def x_as_fine(self) -> Samples:
        """x as it is compared with what is generated: as fine as that is by now."""
        if "decoder" not in self.networks:
            return self.x
        decoder = self.networks["decoder"]
        return decoder.as_fine(self.x) if isinstance(decoder, Gradual) else self.x

    @cached_property
    def c(self) -> Tensor | None:
        """The condition as encoder, decoder and prior are given it."""
        if self.condition is None or "condition" not in self.networks:
            return self.condition
        return self.networks["condition"](self.condition)

    @cached_property
    def posterior(self) -> Distribution:
        """q(z given x, c)."""
        return self.networks["encoder"](self.x_seen, self.c)

    @cached_property
    def prior(self) -> Distribution:
        """p(z given c); a second collection, where the batch brings samples of one."""
        if self.other is not None:
            return Delta(self.other)
        return self.networks["prior"](len(self.x), self.c)

    @cached_property
    def density(self) -> Distribution:
        """p(x given c) of a model whose likelihood is exact."""
        return self.networks["density"](len(self.x), self.c)

    @cached_property
    def z_encoded(self) -> Samples:
        """z sampled from the posterior; quantised where the prior is over codes."""
        if "prior" in self.networks:
            return self.prior.encode(self.posterior)
        return self.posterior.rsample()

    @cached_property
    def z_drawn(self) -> Samples:
        return self.prior.rsample()

    @cached_property
    def reconstruction(self) -> Distribution:
        """p(x given z encoded, c)."""
        return self.networks["decoder"](self.z_encoded, self.c)

    @cached_property
    def generation(self) -> Distribution:
        """p(x given z drawn, c)."""
        return self.networks["decoder"](self.z_drawn, self.c)

    @cached_property
    def z_of_source(self) -> Samples:
        """z of labelled data, by an encoder of its own where the model keeps one."""
        name = "source" if "source" in self.networks else "encoder"
        return self.networks[name](self.x, None).rsample()

    @cached_property
    def z_of_target(self) -> Samples:
        """z of the other collection's data, which has no labels."""
        if self.other is None:
            raise ValueError("space 'domain' needs another collection, and this batch has none")
        return self.networks["encoder"](self.other, None).rsample()

    @cached_property
    def imagined(self) -> "Passes":
        """The passes of what was generated, as if it were data."""
        x = self.x_generated.detach()
        return Passes(self.networks, Batch(x, self.condition), self.corruption)

    @cached_property
    def x_generated(self) -> Samples:
        return self.generation.rsample()

    @cached_property
    def dream(self) -> Distribution:
        """q(z given x generated, c)."""
        return self.networks["encoder"](self.x_generated, self.c)

    def reference(self, space: Space) -> Point:
        """Samples of `space` as they should be."""
        if space == "domain":
            return (self.z_of_source,)
        if space == "z":
            return (self.z_drawn,)
        return self._point(space, self.x_as_fine, lambda: self.z_encoded)

    def produced(self, space: Space) -> Point:
        """Samples of `space` as the model makes them."""
        if space == "domain":
            return (self.z_of_target,)
        if space == "z":
            return (self.z_encoded,)
        return self._point(space, self.x_generated, lambda: self.z_drawn)

    def _point(self, space: Space, x: Samples, z: Callable[[], Samples]) -> Point:
        if space == "x":
            return (x,)
        if space == "xz":
            return (x, z())
        if self.condition is None:
            raise ValueError("space 'xc' needs a condition, and this batch has none")
        return (x, self.condition)

    def score(self, space: Space, point: Point) -> Scores:
        """The critic of `space` on one of its points."""
        return self.networks[critic_of(space)](*point)
