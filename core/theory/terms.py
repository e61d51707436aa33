"""The two terms of which every model is a list, and the contract that any term fulfils.

A term is called with the passes of a batch and returns one loss per sample (MMD: one per batch).
It names the networks that it `trains` and its `weight`. Any such callable is a term, a plain
function with these attributes included:

    def sparsity(passes):
        return passes.posterior_sample.abs().sum(1)

    sparsity.name, sparsity.trains = "sparsity", ("encoder",)
    sparsity.networks, sparsity.weight = ("encoder",), 0.1
"""

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Literal, Protocol, cast, runtime_checkable

import torch

from core.errors import ConfigError
from core.theory.adversarial import mean_over_patches
from core.theory.codes import CodePart, CodePosterior
from core.theory.comparison import Comparison
from core.theory.contracts import FeatureExtractor, require
from core.theory.distributions import Delta, sum_events
from core.theory.passes import Passes, Space, critic_of, is_critic
from core.theory.shapes import Loss, Losses, Samples


@runtime_checkable
class Term(Protocol):
    """A loss of a model with the networks that it trains."""

    @property
    def name(self) -> str:
        """The name under which the loss is logged and its weight is set."""
        ...

    @property
    def trains(self) -> tuple[str, ...]:
        """The networks that receive the gradient of this term."""
        ...

    @property
    def weight(self) -> float: ...
    @property
    def networks(self) -> tuple[str, ...]:
        """The networks that are evaluated to compute this term."""
        ...

    def __call__(self, passes: Passes) -> Losses | Loss: ...


@runtime_checkable
class DomainDependent(Protocol):
    """A term that not every domain can compute."""

    @property
    def needs(self) -> frozenset[str]:
        """Return what a domain must offer: "condition", "labels", "statistics" ..."""
        ...


@runtime_checkable
class Formulated(Protocol):
    """A term with a formula to be shown to users."""

    @property
    def formula(self) -> str: ...


def needs_of(term: Term) -> frozenset[str]:
    """Return what a term needs of a domain beyond x; nothing where the term does not say."""
    return term.needs if isinstance(term, DomainDependent) else frozenset()


def describe(term: Term) -> str:
    """Return a term as it is read, with its weight where that is not 1: `4 Match(z, KL)`."""
    formula = term.formula if isinstance(term, Formulated) else term.name
    return formula if term.weight == 1 else f"{term.weight:g} {formula}"


@dataclass(frozen=True)
class Adjusted:
    """Any term with other trained networks or another weight."""

    term: Term
    trains: tuple[str, ...]
    weight: float

    @property
    def name(self) -> str:
        return self.term.name

    @property
    def networks(self) -> tuple[str, ...]:
        return self.term.networks

    @property
    def needs(self) -> frozenset[str]:
        return needs_of(self.term)

    @property
    def formula(self) -> str:
        return self.term.formula if isinstance(self.term, Formulated) else self.term.name

    def __call__(self, passes: Passes) -> Losses | Loss:
        return self.term(passes)


def adjust(
    term: Term, *, trains: tuple[str, ...] | None = None, weight: float | None = None
) -> Term:
    """Return the term with other trained networks or another weight.

    A dataclass with these fields keeps its type, any other term is wrapped in `Adjusted`.
    """
    trains = term.trains if trains is None else trains
    weight = term.weight if weight is None else weight
    if (trains, weight) == (term.trains, term.weight):
        return term
    if is_dataclass(term) and {"trains", "weight"} <= {f.name for f in fields(term) if f.init}:
        return cast(Term, replace(term, trains=trains, weight=weight))
    return Adjusted(term, trains, weight)


@dataclass(frozen=True)
class Reconstruct:
    """Return to the start of a pass.

    x:        -log p(x given z), z ~ q(z given x)
    z:        -log q(z given x), x ~ p(x given z), z ~ p(z)
    features: as x, measured in the features of `critic` (Larsen et al. 2016, eq. 8), of its last
              hidden layer instead of an earlier one
    """

    space: Literal["x", "z", "features"]
    trains: tuple[str, ...] = ("encoder", "decoder")
    weight: float = 1.0
    critic: str = "critic_x"

    @property
    def name(self) -> str:
        return f"reconstruct_{self.space}"

    @property
    def formula(self) -> str:
        return f"Reconstruct({self.space})"

    @property
    def networks(self) -> tuple[str, ...]:
        extra = {"x": (), "z": ("prior",), "features": (self.critic,)}
        return ("encoder", "decoder", *extra[self.space])

    def __call__(self, passes: Passes) -> Losses:
        if self.space == "x":
            return -passes.reconstruction.log_prob(passes.x)
        if self.space == "z":
            return -passes.generated_posterior.log_prob(passes.prior_sample)
        extractor = passes.network(self.critic, FeatureExtractor)
        reconstruction = Delta(extractor.features(passes.reconstructed_x))
        return -reconstruction.log_prob(extractor.features(passes.x).detach())


@dataclass(frozen=True)
class L1:
    """Predict x from its condition: mean of |x - mean of p(x given z, c)|, z ~ p(z given c).

    Isola et al., CVPR 2017, eq. 3, as a mean over the elements of x.
    """

    name = "l1_x"
    formula = "L1(x)"
    networks = ("decoder", "prior")

    trains: tuple[str, ...] = ("decoder",)
    weight: float = 1.0

    def __call__(self, passes: Passes) -> Losses:
        return mean_absolute_error(passes.x, passes.generation.representative)


@dataclass(frozen=True)
class Classify:
    """Predict the label c from z: -log p(c given z), z of labelled data by `encoder`."""

    name = "classify"
    formula = "Classify(labels)"
    needs = frozenset({"labels"})

    trains: tuple[str, ...] = ("classifier", "encoder")
    weight: float = 1.0
    encoder: str = "encoder"

    @property
    def networks(self) -> tuple[str, ...]:
        return (self.encoder, "classifier")

    def __call__(self, passes: Passes) -> Losses:
        if passes.condition is None:
            raise ValueError("labels are needed, and this batch has none")
        return -passes.networks["classifier"](passes.source_latents).log_prob(passes.condition)


@dataclass(frozen=True)
class Match:
    """Match the distribution of a space's produced samples with that of its reference samples.

    `critic`: the network that compares them, where the comparison has one; by default the critic
    of the space. Two games on one space have two critics, as a critic of patches beside one of
    the whole: Match("x", game, ("decoder",), critic="critic_patches") is match_x_patches.
    """

    space: Space
    by: Comparison
    trains: tuple[str, ...]
    weight: float = 1.0
    critic: str = ""

    def __post_init__(self) -> None:
        if self.critic and not is_critic(self.critic):
            raise ConfigError(f"a critic's name begins with 'critic_': not '{self.critic}'")

    @property
    def critic_name(self) -> str:
        return self.critic or critic_of(self.space)

    @property
    def name(self) -> str:
        return f"{self.by.verb}_{self.space}{self._suffix('_')}"

    @property
    def formula(self) -> str:
        return f"Match({self.space}, {self.by.formula}{self._suffix(', ')})"

    def _suffix(self, separator: str) -> str:
        """Return the critic's own name, where it is not the critic of the space."""
        if self.critic_name == critic_of(self.space):
            return ""
        return separator + self.critic_name.removeprefix("critic_")

    @property
    def needs(self) -> frozenset[str]:
        condition = {"condition"} if self.space in ("xc", "prior_c") else set()
        own_critic = {self.critic_name} if self._suffix("_") else set()
        return self.by.needs | condition | own_critic

    @property
    def networks(self) -> tuple[str, ...]:
        return self.by.networks(self.space, self.critic_name)

    def __call__(self, passes: Passes) -> Losses | Loss:
        return self.by(passes, self.space, self.critic_name)


@dataclass(frozen=True)
class CriticWeighted:
    """A term over data and over generated samples, each weighted by the critic's probability that
    it is data (Hu et al., ICLR 2018, eq. 11).

    No gradient reaches the generated samples or the weights. With a critic that separates the two
    with certainty, the term over data alone is left. The two are summed, where the paper's
    expectation takes their mean. Of a critic of patches the weight is the mean of the patches'
    probabilities.
    """

    inner: Reconstruct | Match
    trains: tuple[str, ...]
    weight: float = 1.0
    critic: str = "critic_x"

    @property
    def name(self) -> str:
        return f"critic_weighted_{self.inner.name}"

    @property
    def formula(self) -> str:
        return f"CriticWeighted({describe(self.inner)})"

    @property
    def needs(self) -> frozenset[str]:
        return needs_of(self.inner)

    @property
    def networks(self) -> tuple[str, ...]:
        return (*self.inner.networks, "decoder", "prior", self.critic)

    def __call__(self, passes: Passes) -> Losses:
        data, generated = (self._weighted(p) for p in (passes, passes.generated_passes))
        return data + generated

    def _weighted(self, passes: Passes) -> Losses:
        with torch.no_grad():
            scores = passes.score(self.critic, (passes.x,))
        return mean_over_patches(torch.sigmoid(scores)) * self.inner(passes)


@dataclass(frozen=True)
class Novel:
    """A term of what is generated for conditions composed of parts of those of several samples.

    With it a model sees in training what it is asked for later: parts that were trained on apart.
    """

    inner: Term
    trains: tuple[str, ...]
    weight: float = 1.0

    @property
    def name(self) -> str:
        return f"novel_{self.inner.name}"

    @property
    def formula(self) -> str:
        return f"Novel({describe(self.inner)})"

    @property
    def needs(self) -> frozenset[str]:
        return needs_of(self.inner) | {"novel"}

    @property
    def networks(self) -> tuple[str, ...]:
        return self.inner.networks

    def __call__(self, passes: Passes) -> Losses | Loss:
        return self.inner(passes.novel)


def mean_absolute_error(target: Samples, prediction: Samples) -> Losses:
    """Compute the L1 distance of each sample divided by its number of elements.

    Weights of it are then comparable between data of any size.
    """
    return sum_events((target - prediction).abs()) / target[0].numel()


@dataclass(frozen=True)
class Cycle:
    """Translate and return: the mean absolute error after both ways (Zhu et al. 2017, eq. 2).

    x: x to z and back to x; z, which is data of the other collection: to x and back to z.
    """

    space: Literal["x", "z"]
    trains: tuple[str, ...] = ("encoder", "decoder")
    weight: float = 1.0

    @property
    def name(self) -> str:
        return f"cycle_{self.space}"

    @property
    def formula(self) -> str:
        return f"Cycle({self.space})"

    @property
    def networks(self) -> tuple[str, ...]:
        return ("encoder", "decoder", *(("prior",) if self.space == "z" else ()))

    def __call__(self, passes: Passes) -> Losses:
        if self.space == "x":
            return mean_absolute_error(passes.x, passes.reconstruction.rsample())
        return mean_absolute_error(passes.prior_sample, passes.generated_posterior.rsample())


@dataclass(frozen=True)
class Identity:
    """Leave what is of the target collection already: mean of |x - G(x)| (Zhu et al. 2017, 5.2).

    x: G is the decoder, which translates to x; z: the encoder, which translates to z.
    """

    space: Literal["x", "z"]
    trains: tuple[str, ...]
    weight: float = 1.0

    @property
    def name(self) -> str:
        return f"identity_{self.space}"

    @property
    def formula(self) -> str:
        return f"Identity({self.space})"

    @property
    def networks(self) -> tuple[str, ...]:
        return ("decoder",) if self.space == "x" else ("encoder", "prior")

    def __call__(self, passes: Passes) -> Losses:
        if self.space == "x":
            same, translator = passes.x, passes.networks["decoder"]
        else:
            same, translator = passes.prior_sample, passes.networks["encoder"]
        return mean_absolute_error(same, translator(same, passes.c).rsample())


@dataclass(frozen=True)
class MutualInformation:
    """-log Q(part of the code given x), x generated from it (Chen et al., NIPS 2016, eq. 5).

    Up to the code's entropy, a constant, an upper bound of minus the mutual information of code
    and x. The gradient reaches Q, which is the encoder, and the decoder; in the paper Q shares its
    layers with the critic, which this term then trains too.
    """

    networks = ("encoder", "decoder", "prior")

    part: CodePart
    trains: tuple[str, ...] = ("encoder", "decoder")
    weight: float = 1.0

    @property
    def name(self) -> str:
        return f"information_{self.part}"

    @property
    def formula(self) -> str:
        return f"MutualInformation({self.part})"

    def __call__(self, passes: Passes) -> Losses:
        posterior = require(passes.generated_posterior, CodePosterior)
        return -posterior.log_prob_of(self.part, passes.prior_sample)
