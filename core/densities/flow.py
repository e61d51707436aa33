"""Flows: densities by invertible maps, p(x) = N(f(x)) |det df/dx|.

nice(2), realnvp(2), glow(2)      networks (batch, c) -> FlowDistribution, over vectors [batch 2]

Dinh, Krueger and Bengio, ICLR Workshop 2015 (NICE); Dinh, Sohl-Dickstein and Bengio, ICLR 2017
(RealNVP); Kingma and Dhariwal, NIPS 2018 (Glow). A flow is a density over x or, over z, what plays
the prior. Libraries of flows were left aside: four maps are all that is needed, and each is
shorter than what would adapt a library's distributions to these.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.networks.heads import MLP
from core.theory.distributions import Distribution, Gaussian
from core.theory.shapes import Losses

Vectors = Float[Tensor, "batch number"]
Image = tuple[Vectors, Losses]
"""Where vectors are mapped to, and log |det| of the map there."""

WIDTH = 128
SCALE_BOUND = 2.0
"""Bound on the log of a coupling's scales, so that no inverse explodes."""


class Bijection(nn.Module):
    """An invertible map of vectors, which a condition c [batch condition] may bend."""

    def forward(self, x: Vectors, c: Tensor | None = None) -> Image:
        """f(x), log |det df/dx|."""
        raise NotImplementedError

    def inverse(self, y: Vectors, c: Tensor | None = None) -> Vectors:
        """The x with f(x) = y."""
        raise NotImplementedError


class Coupling(Bijection):
    """Some numbers stay, and decide how the others are scaled and moved (RealNVP, eq. 7 and 8).

    `turned`: which part stays. Without `affine` the others are only moved (NICE, eq. 10).
    """

    stays: Tensor

    def __init__(self, size: int, turned: bool, affine: bool = True, condition: int = 0):
        super().__init__()
        self.affine = affine
        self.register_buffer("stays", (torch.arange(size) % 2 == int(turned)).float())
        self.net = MLP(size + condition, WIDTH, WIDTH, 2 * size if affine else size)
        for parameter in self.net[-1].parameters():
            nn.init.zeros_(parameter)  # it begins as the identity

    def forward(self, x: Vectors, c: Tensor | None = None) -> Image:
        log_scale, shift = self._decide(x, c)
        return x * torch.exp(log_scale) + shift, log_scale.sum(1)

    def inverse(self, y: Vectors, c: Tensor | None = None) -> Vectors:
        log_scale, shift = self._decide(y, c)
        return (y - shift) * torch.exp(-log_scale)

    def _decide(self, x: Vectors, c: Tensor | None) -> tuple[Vectors, Vectors]:
        seen = x * self.stays
        out = self.net(seen if c is None else torch.cat([seen, c], 1))
        if not self.affine:
            return torch.zeros_like(x), out * (1 - self.stays)
        log_scale, shift = out.chunk(2, 1)
        bounded = SCALE_BOUND * torch.tanh(log_scale / SCALE_BOUND)
        return bounded * (1 - self.stays), shift * (1 - self.stays)


class Scaling(Bijection):
    """Each number scaled by its own factor, as volume-preserving maps need it (NICE, eq. 14)."""

    def __init__(self, size: int):
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(size))

    def forward(self, x: Vectors, c: Tensor | None = None) -> Image:
        return x * self.log_scale.exp(), self.log_scale.sum().expand(len(x))

    def inverse(self, y: Vectors, c: Tensor | None = None) -> Vectors:
        return y * torch.exp(-self.log_scale)


class ActNorm(Bijection):
    """Scale and shift that give the first batch mean 0 and variance 1 (Glow, section 3.1)."""

    begun: Tensor

    def __init__(self, size: int):
        super().__init__()
        self.shift, self.log_scale = (nn.Parameter(torch.zeros(size)) for _ in range(2))
        self.register_buffer("begun", torch.zeros(()))

    def forward(self, x: Vectors, c: Tensor | None = None) -> Image:
        if self.training and not self.begun:
            self._begin(x.detach())
        return (x + self.shift) * self.log_scale.exp(), self.log_scale.sum().expand(len(x))

    def inverse(self, y: Vectors, c: Tensor | None = None) -> Vectors:
        return y * torch.exp(-self.log_scale) - self.shift

    @torch.no_grad()
    def _begin(self, x: Vectors) -> None:
        self.shift.copy_(-x.mean(0))
        self.log_scale.copy_(-x.std(0, correction=0).clamp(min=1e-3).log())
        self.begun.fill_(1)


class InvertibleLinear(Bijection):
    """A learned rotation to begin with: Glow's 1x1 convolution, of vectors (Glow, section 3.2)."""

    def __init__(self, size: int):
        super().__init__()
        self.weight = nn.Parameter(nn.init.orthogonal_(torch.empty(size, size)))

    def forward(self, x: Vectors, c: Tensor | None = None) -> Image:
        log_det = torch.linalg.slogdet(self.weight.float()).logabsdet
        return x @ self.weight.T, log_det.expand(len(x))

    def inverse(self, y: Vectors, c: Tensor | None = None) -> Vectors:
        return torch.linalg.solve(self.weight.float(), y.float().T).T


class FlowDistribution(Distribution):
    """p(x given c) of a chain of bijections, one condition for each sample."""

    def __init__(self, maps: nn.ModuleList, batch: int, size: int, c: Tensor | None):
        self.maps, self.c, self.shape = maps, c, (batch, size)

    @property
    def mean(self) -> Vectors:
        """Where the middle of the normal distribution lies: no mean, but a sample to look at."""
        return self._sample(self._base().mean)

    def rsample(self) -> Vectors:
        return self._sample(self._base().rsample())

    def log_prob(self, value: Vectors) -> Losses:
        log_det = value.new_zeros(len(value))
        for bijection in self.maps:
            value, added = bijection(value, self.c)
            log_det = log_det + added
        return self._base().log_prob(value) + log_det

    def _sample(self, value: Vectors) -> Vectors:
        for bijection in reversed(list(self.maps)):
            assert isinstance(bijection, Bijection)
            value = bijection.inverse(value, self.c)
        return value

    def _base(self) -> Gaussian:
        at = next(self.maps.parameters())
        zeros = torch.zeros(self.shape, device=at.device)
        return Gaussian(zeros, zeros)


class Flow(nn.Module):
    """(batch, c) -> p(x given c); to a domain it is a density or a prior like any other."""

    def __init__(self, size: int, maps: Iterator[Bijection]):
        super().__init__()
        self.size, self.maps = size, nn.ModuleList(maps)

    def forward(self, batch: int, c: Tensor | None = None) -> FlowDistribution:
        return FlowDistribution(self.maps, batch, self.size, c)


COUPLINGS = 8


def nice(size: int, condition: int = 0) -> Flow:
    """Additive couplings, then a scale for each number."""
    couplings = [Coupling(size, n % 2 == 1, False, condition) for n in range(COUPLINGS)]
    return Flow(size, iter([*couplings, Scaling(size)]))


def realnvp(size: int, condition: int = 0) -> Flow:
    """Affine couplings in turn."""
    return Flow(size, (Coupling(size, n % 2 == 1, True, condition) for n in range(COUPLINGS)))


def glow(size: int, condition: int = 0) -> Flow:
    """Steps of actnorm, a linear map and an affine coupling."""

    def steps() -> Iterator[Bijection]:
        for number in range(COUPLINGS):
            yield ActNorm(size)
            yield InvertibleLinear(size)
            yield Coupling(size, number % 2 == 1, True, condition)

    return Flow(size, steps())
