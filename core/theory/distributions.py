"""Distributions over one batch of samples, as networks return them.

`rsample` carries gradients back to the network, `log_prob` is in nats and summed over the event's
axes, `representative` is one sample to look at or to decode to. A distribution whose expectation
has a closed form also offers it as `mean`. Randomness is torch's global generator, which
`core.training.step` seeds in each step.
"""

import math
from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from core.theory.shapes import Losses, Samples

Binarisation = Literal["stochastic", "deterministic", "probability"]
"""Binarisation of a Bernoulli: sampled, rounded at one half, or left as its probability."""


def sum_events(values: Samples) -> Losses:
    """Sum over every axis but the batch's, in single precision at least."""
    values = values.to(torch.promote_types(values.dtype, torch.float32))
    return values.flatten(1).sum(1) if values.ndim > 1 else values  # [batch]


class Distribution(ABC):
    """One distribution for each sample of a batch."""

    @property
    @abstractmethod
    def representative(self) -> Samples:
        """Return one sample without chance, [batch *event]: the mean or the mode, if there is one.

        Each class says which. It is the same at every call and carries gradients where it can.
        """

    @abstractmethod
    def rsample(self) -> Samples:
        """Draw one sample each, [batch *event], with gradients to the parameters."""

    @abstractmethod
    def log_prob(self, value: Samples) -> Losses:
        """Return log p(value) in nats, [batch]."""


class Gaussian(Distribution):
    """N(mean, exp(log_std)^2), independent over the event's axes.

    >>> standard = Gaussian(torch.zeros(1, 2), torch.zeros(1, 2))
    >>> round(standard.log_prob(torch.zeros(1, 2)).item(), 4)   # -log(2 pi)
    -1.8379
    """

    def __init__(self, mean: Samples, log_std: Samples):
        self._mean, self.log_std = mean, log_std

    @property
    def mean(self) -> Samples:
        return self._mean

    @property
    def representative(self) -> Samples:
        """Return the mean."""
        return self._mean

    def rsample(self) -> Samples:
        return self.from_noise(torch.randn_like(self._mean))

    def from_noise(self, noise: Samples) -> Samples:
        """Return mean + std * noise (Kingma and Welling, ICLR 2014, section 2.4)."""
        return self._mean + self.log_std.exp() * noise

    def to_noise(self, value: Samples) -> Samples:
        """Return (value - mean) / std."""
        return (value - self._mean) * torch.exp(-self.log_std)

    def log_prob(self, value: Samples) -> Losses:
        standard = self.to_noise(value)
        return sum_events(-0.5 * standard**2 - self.log_std - 0.5 * math.log(2 * math.pi))


LOG_STD_BOUND = 6.0
"""Log standard deviations are kept in [-bound, bound], so that no exponential overflows."""


def as_gaussian(numbers: Samples) -> Gaussian:
    """Return the Gaussian of means and log standard deviations, concatenated in the last axis."""
    mean, log_std = numbers.float().chunk(2, -1)
    return Gaussian(mean, log_std.clamp(-LOG_STD_BOUND, LOG_STD_BOUND))


class Delta(Distribution):
    """All mass at one point: the output of a deterministic network.

    Its log_prob is that of N(point, std^2) up to a constant: half the squared error in units of
    `std`, negated.
    """

    def __init__(self, point: Samples, std: float = 1.0):
        self.point, self.std = point, std

    @property
    def mean(self) -> Samples:
        return self.point

    @property
    def representative(self) -> Samples:
        """Return the point."""
        return self.point

    def rsample(self) -> Samples:
        return self.point

    def log_prob(self, value: Samples) -> Losses:
        return -0.5 / self.std**2 * sum_events((value - self.point) ** 2)


class Bernoulli(Distribution):
    """Binary events with these logits, sampled by straight-through binary neurons.

    Forward, a neuron is 1 when its probability exceeds a uniform number (stochastic) or one half
    (deterministic); backward it is its probability sigmoid(slope * logit). Bengio, Leonard and
    Courville, arXiv 1308.3432; the slope is that of Dong and Yang, arXiv 1804.09399.
    """

    def __init__(
        self, logits: Samples, binarisation: Binarisation = "stochastic", slope: float = 1.0
    ):
        self.logits, self.binarisation, self.slope = logits, binarisation, slope

    @property
    def mean(self) -> Samples:
        return torch.sigmoid(self.logits)

    @property
    def representative(self) -> Samples:
        """Return the mode, with the gradient of the mean (straight-through)."""
        return straight_through((self.logits > 0).to(self.logits.dtype), self.mean)

    def rsample(self) -> Samples:
        probability = torch.sigmoid(self.slope * self.logits)
        if self.binarisation == "probability":
            return probability
        binary = self._threshold() < torch.sigmoid(self.logits)
        return straight_through(binary.to(probability.dtype), probability)

    def _threshold(self) -> Tensor:
        if self.binarisation == "deterministic":
            return torch.full_like(self.logits, 0.5)
        return torch.rand_like(self.logits)

    def log_prob(self, value: Samples) -> Losses:
        return sum_events(
            -F.binary_cross_entropy_with_logits(self.logits, value, reduction="none")
        )


class Categorical(Distribution):
    """One of n classes at each position of the event; the last axis of `logits` is the class.

    A sample is one-hot in that axis, with the softmax's gradient (straight-through).
    """

    def __init__(self, logits: Samples):
        self.logits = logits

    @property
    def mean(self) -> Samples:
        return self.logits.softmax(-1)

    @property
    def representative(self) -> Samples:
        """Return the mode, one-hot, with the gradient of the mean (straight-through)."""
        return self._one_hot(self.logits.argmax(-1))

    def rsample(self) -> Samples:
        gumbel = -torch.empty_like(self.logits).exponential_().log()
        return self._one_hot((self.logits + gumbel).argmax(-1))

    def _one_hot(self, classes: Tensor) -> Samples:
        one_hot = F.one_hot(classes, self.logits.shape[-1]).to(self.logits.dtype)
        return straight_through(one_hot, self.mean)

    def log_prob(self, value: Samples) -> Losses:
        return sum_events(value * self.logits.log_softmax(-1))


def straight_through(forward: Samples, backward: Samples) -> Samples:
    """Return the values of `forward`, to the bit, with the gradient of `backward`."""
    return forward.detach() + (backward - backward.detach())
