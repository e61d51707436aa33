"""The contracts between theory and domains: what terms ask of networks and distributions.

A domain's critic fulfils `Critic`, so that every game and every stabiliser runs with it. The other
contracts are needed by some terms only.
"""

from typing import Protocol, TypeVar, runtime_checkable

from torch import Tensor

from core.errors import UserError
from core.theory.distributions import Distribution
from core.theory.shapes import Features, Losses, Samples, Scores


@runtime_checkable
class FeatureExtractor(Protocol):
    """A critic whose last hidden layer can be read (feature matching, VAE/GAN)."""

    def features(self, *point: Tensor) -> Features:
        """Return the last hidden layer for samples of the critic's space."""
        ...


@runtime_checkable
class Augmenter(Protocol):
    """A critic with an augmentation that keeps samples plausible (Zhao et al., NeurIPS 2020)."""

    def augment(self, x: Samples) -> Samples:
        """Return x, or z, transformed at random; differentiable."""
        ...


@runtime_checkable
class StatisticsCounter(Protocol):
    """A critic that computes fixed statistics of its input besides its learned features."""

    def statistics(self, *point: Tensor) -> tuple[Tensor, ...]:
        """Return groups of statistics, each [count statistic]."""
        ...


@runtime_checkable
class Critic(FeatureExtractor, Augmenter, Protocol):
    """A network that scores samples of one space: higher is more like the reference.

    It gives one score for each sample, or one for each of its patches. `width`: the size of its
    features, for minibatch discrimination.
    """

    width: int

    def features_and_scores(self, *point: Tensor) -> tuple[Features, Scores]:
        """Return both for samples of the critic's space, which it reads once."""
        ...

    def __call__(self, *point: Tensor) -> Scores: ...


@runtime_checkable
class ProgressiveDecoder(Protocol):
    """A decoder that generates ever finer detail while it trains (Karras et al., ICLR 2018)."""

    def to_current_resolution(self, x: Samples) -> Samples:
        """Return data without the detail that the decoder does not generate yet."""
        ...


@runtime_checkable
class Staged(Protocol):
    """A network that is another one later in training: it grows, or its neurons become steeper."""

    def set_stage(self, step: int) -> None:
        """Set what depends on the step, counted from 0, and on nothing else."""
        ...


@runtime_checkable
class OutliningDecoder(Protocol):
    """A decoder that outlines what it will generate from z, at little cost.

    A critic of latents sees the outline beside them.
    """

    def outline(self, z: Samples, c: Tensor | None) -> Tensor:
        """Return the outline of each z, given c, [batch *outline]; differentiable."""
        ...


@runtime_checkable
class QuantisingPrior(Protocol):
    """A prior over the vectors of a codebook, to which posteriors are quantised."""

    def encode(self, posterior: Distribution) -> Samples:
        """Return the nearest code vectors of a sample of the posterior, straight-through."""
        ...

    def gap(self, posterior: Distribution) -> Losses:
        """Return the squared distance of the posterior from its nearest code vectors."""
        ...


@runtime_checkable
class Reparametrised(Protocol):
    """A distribution whose samples are a function of standard normal noise."""

    def rsample(self) -> Samples:
        """Draw one sample each."""
        ...

    def from_noise(self, noise: Samples) -> Samples:
        """Return the sample of this noise, [batch noise]."""
        ...


@runtime_checkable
class Invertible(Reparametrised, Protocol):
    """A distribution whose noise is a function of its samples, too."""

    def to_noise(self, value: Samples) -> Samples:
        """Return the noise of which `from_noise` makes this sample."""
        ...


@runtime_checkable
class EMDensity(Protocol):
    """A density whose parameters are estimated by expectation maximisation."""

    def em_step(self, x: Samples) -> None:
        """Update the parameters by one E-step and M-step on a batch."""
        ...


Contract = TypeVar("Contract")


def require(value: object, contract: type[Contract]) -> Contract:
    """Return the value as one of this contract; `UserError` where it does not fulfil it."""
    if isinstance(value, contract):
        return value
    purpose = (contract.__doc__ or "").strip().splitlines()[0]
    raise UserError(f"{type(value).__name__} does not fulfil {contract.__name__}: {purpose}")
