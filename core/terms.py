"""The two statements of which every model is a list.

A term is called with the passes of a batch and returns one loss per sample (MMD: one per batch).
It names the networks it `trains` and its `weight`. Any such callable is a term.
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from core.adversarial import Adversarial
from core.distributions import Delta, sum_events
from core.divergences import KL, MMD, Features, Moments, Nearest
from core.passes import Passes, Space
from core.shapes import Loss, Losses


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
        return sum_events((made.still - made.gist.mean.detach()).abs())


@dataclass(frozen=True)
class Predict:
    """Say x from its condition alone: -log p(x given z drawn, c) (Isola et al., CVPR 2017)."""

    trains: tuple[str, ...] = ("decoder",)
    weight: float = 1.0

    @property
    def name(self) -> str:
        return "predict_x"

    @property
    def networks(self) -> tuple[str, ...]:
        return ("decoder", "prior")

    def __call__(self, passes: Passes) -> Losses:
        return -passes.generation.log_prob(passes.x)


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
        passes = {"x": ("decoder", "prior"), "xc": ("decoder", "prior")}
        needed = passes.get(self.space, ("encoder", "prior", *self.trains))
        return (*needed, f"critic_{self.space}")

    def __call__(self, passes: Passes) -> Losses | Loss:
        return self.by(passes, self.space)
