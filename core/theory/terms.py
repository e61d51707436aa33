"""The two statements of which every model is a list.

A term is called with the passes of a batch and returns one loss per sample (MMD: one per batch).
It names the networks it `trains` and its `weight`. Any such callable is a term.
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import torch

from core.theory.adversarial import Adversarial
from core.theory.distributions import Delta, sum_events
from core.theory.divergences import KL, MMD, Features, Moments, Nearest
from core.theory.passes import Passes, Space, critic_of
from core.theory.shapes import Loss, Losses


@runtime_checkable
class Term(Protocol):
    """What a model states."""

    @property
    def name(self) -> str: ...
    @property
    def trains(self) -> tuple[str, ...]:
        """The networks that this statement moves."""
        ...

    @property
    def weight(self) -> float: ...
    @property
    def networks(self) -> tuple[str, ...]:
        """The networks that this statement looks through."""
        ...

    def __call__(self, passes: Passes) -> Losses | Loss: ...


@dataclass(frozen=True)
class Reconstruct:
    """Come back to where you started.

    x:        -log p(x given z), z ~ q(z given x)
    z:        -log q(z given x), x ~ p(x given z), z ~ p(z)
    features: the same as x, measured in the features of the critic (Larsen et al. 2016, eq. 8)
    gist:     -log p(gist of x given z): what the decoder draws before the rest (Li et al. 2018)
    """

    space: Literal["x", "z", "features", "gist"]
    trains: tuple[str, ...] = ("encoder", "decoder")
    weight: float = 1.0

    @property
    def name(self) -> str:
        return f"reconstruct_{self.space}"

    @property
    def networks(self) -> tuple[str, ...]:
        extra = {"x": (), "z": ("prior",), "features": ("critic_x",), "gist": ()}
        return ("encoder", "decoder", *extra[self.space])

    def __call__(self, passes: Passes) -> Losses:
        if self.space == "x":
            return -passes.reconstruction.log_prob(passes.x)
        if self.space == "gist":
            decoder: Any = passes.networks["decoder"]
            drawn_first: Any = passes.reconstruction
            return -drawn_first.gist.log_prob(decoder.gist_of(passes.x))
        if self.space == "z":
            return -passes.dream.log_prob(passes.z_drawn)
        critic: Any = passes.networks["critic_x"]
        made = Delta(critic.features(passes.reconstruction.rsample()))
        return -made.log_prob(critic.features(passes.x).detach())


@dataclass(frozen=True)
class Coherence:
    """What the decoder keeps still is what it drew first: |still - gist|_1 (Li et al. 2018).

    Of the generation; the gist itself is not moved by it.
    """

    space: Literal["gist"] = "gist"
    trains: tuple[str, ...] = ("decoder",)
    weight: float = 0.1

    @property
    def name(self) -> str:
        return "coherence"

    @property
    def networks(self) -> tuple[str, ...]:
        return ("decoder", "prior")

    def __call__(self, passes: Passes) -> Losses:
        made: Any = passes.generation
        return sum_events((made.background - made.gist.mean.detach()).abs())


@dataclass(frozen=True)
class L1:
    """Say x from its condition alone: |x - mean of p(x given z drawn, c)|_1.

    Isola et al., CVPR 2017, eq. 3.
    """

    trains: tuple[str, ...] = ("decoder",)
    weight: float = 1.0

    @property
    def name(self) -> str:
        return "l1_x"

    @property
    def networks(self) -> tuple[str, ...]:
        return ("decoder", "prior")

    def __call__(self, passes: Passes) -> Losses:
        return sum_events((passes.x - passes.generation.mean).abs())


@dataclass(frozen=True)
class Classify:
    """Say the label c from z: -log p(c given z), z of labelled data, as `encoder` has it."""

    space: Literal["labels"] = "labels"
    trains: tuple[str, ...] = ("classifier", "encoder")
    weight: float = 1.0
    encoder: str = "encoder"

    @property
    def name(self) -> str:
        return "classify"

    @property
    def networks(self) -> tuple[str, ...]:
        return (self.encoder, "classifier")

    def __call__(self, passes: Passes) -> Losses:
        if passes.condition is None:
            raise ValueError("labels are needed, and this batch has none")
        return -passes.networks["classifier"](passes.z_of_source).log_prob(passes.condition)


Comparison = KL | MMD | Moments | Features | Nearest | Adversarial


@dataclass(frozen=True)
class Match:
    """Make the produced samples of a space look like its reference samples."""

    space: Space
    by: Comparison
    trains: tuple[str, ...]
    weight: float = 1.0

    @property
    def name(self) -> str:
        return f"{self.by.verb}_{self.space}"

    @property
    def networks(self) -> tuple[str, ...]:
        if not isinstance(self.by, Adversarial):
            return self.by.networks[self.space]
        passes = {"x": ("decoder", "prior"), "xc": ("decoder", "prior"), "domain": ("encoder",)}
        needed = passes.get(self.space, ("encoder", "prior", *self.trains))
        return (*needed, critic_of(self.space))

    def __call__(self, passes: Passes) -> Losses | Loss:
        return self.by(passes, self.space)


@dataclass(frozen=True)
class CriticWeighted:
    """A statement over data and over what is generated, each sample weighted by the critic's
    probability that it is data (Hu et al., ICLR 2018, eq. 11).

    What is generated, and the weights, are taken as they are: no gradient goes through them. Of a
    critic that knows data by heart the statement over data alone is left.
    """

    inner: Reconstruct | Match
    trains: tuple[str, ...]
    weight: float = 1.0

    @property
    def space(self) -> str:
        return self.inner.space

    @property
    def name(self) -> str:
        return f"critic_weighted_{self.inner.name}"

    @property
    def networks(self) -> tuple[str, ...]:
        return (*self.inner.networks, "decoder", "prior", "critic_x")

    def __call__(self, passes: Passes) -> Losses:
        sides = (passes, passes.imagined)
        return sum((_probability(p) * self.inner(p) for p in sides), torch.zeros(()))


@torch.no_grad()
def _probability(passes: Passes) -> Losses:
    """That x is data, as the critic says: sigmoid(score)."""
    return torch.sigmoid(passes.score("x", (passes.x,)))
