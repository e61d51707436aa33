"""Normalising flows: densities by invertible maps, p(x) = N(f(x)) |det df/dx|.

nice(2), realnvp(2), glow(2)      networks (batch, c) -> FlowDistribution, over vectors [batch 2];
                                  over maps see `map_flow`

Dinh, Krueger and Bengio, ICLR Workshop 2015 (NICE); Dinh, Sohl-Dickstein and Bengio, ICLR 2017
(RealNVP); Kingma and Dhariwal, NIPS 2018 (Glow). A flow is a density over x or, over z, a prior.
Libraries of flows were left aside: few bijections are needed, and each is shorter than an adapter
of a library's distributions to these.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from core import processes
from core.networks.buffers import number_in, set_number
from core.networks.heads import MLP
from core.theory.distributions import Distribution, Gaussian, sum_events
from core.theory.shapes import Losses

Reals = Float[Tensor, "batch number *position"]
"""Vectors, or maps whose numbers are channels."""
Mapped = Float[Tensor, "batch _ *_"]
"""The image of a bijection, possibly of another shape."""

WIDTH = 128
SCALE_BOUND = 2.0
"""Bound on the log of a coupling's scales, so that no inverse explodes."""


class Bijection(nn.Module):
    """An invertible map, which may depend on a condition c [batch condition]."""

    def forward(self, x: Reals, c: Tensor | None = None) -> tuple[Mapped, Losses]:
        """Return f(x) and log |det df/dx|."""
        raise NotImplementedError

    def inverse(self, y: Reals, c: Tensor | None = None) -> Mapped:
        """Return the x with f(x) = y."""
        raise NotImplementedError


class Chain(Bijection):
    """The composition of bijections, the first one applied to x first."""

    def __init__(self, bijections: Sequence[Bijection]):
        super().__init__()
        self.bijections = nn.ModuleList(bijections)

    def forward(self, x: Reals, c: Tensor | None = None) -> tuple[Mapped, Losses]:
        total = x.new_zeros(len(x))
        for bijection in self.bijections:
            x, log_det = bijection(x, c)
            total = total + log_det
        return x, total

    def inverse(self, y: Reals, c: Tensor | None = None) -> Mapped:
        for bijection in reversed(list(self.bijections)):
            assert isinstance(bijection, Bijection)
            y = bijection.inverse(y, c)
        return y


class Coupling(Bijection):
    """Some numbers stay; a network of them scales and shifts the others (RealNVP, eq. 9).

    `stays`: mask of what stays, 1 or 0, of a shape that broadcasts to x. `net` reads x * stays
    and c, and returns log scales and shifts, twice as many as x has numbers. Without `affine` it
    returns shifts only (NICE, eq. 10). `bound`: of the log scales.
    """

    stays: Tensor

    def __init__(
        self, stays: Tensor, net: nn.Module, affine: bool = True, bound: float = SCALE_BOUND
    ):
        super().__init__()
        self.net, self.affine, self.bound = net, affine, bound
        self.register_buffer("stays", stays.float())

    def forward(self, x: Reals, c: Tensor | None = None) -> tuple[Mapped, Losses]:
        log_scale, shift = self._scale_and_shift(x, c)
        return x * torch.exp(log_scale) + shift, sum_events(log_scale)

    def inverse(self, y: Reals, c: Tensor | None = None) -> Mapped:
        log_scale, shift = self._scale_and_shift(y, c)
        return (y - shift) * torch.exp(-log_scale)

    def _scale_and_shift(self, x: Reals, c: Tensor | None) -> tuple[Reals, Reals]:
        out = self.net(x * self.stays, c).to(x.dtype)
        if not self.affine:
            return torch.zeros_like(x), out * (1 - self.stays)
        log_scale, shift = out.chunk(2, 1)
        return bounded(log_scale, self.bound) * (1 - self.stays), shift * (1 - self.stays)


def bounded(log_scale: Tensor, bound: float = SCALE_BOUND) -> Tensor:
    """Return log scales within the bound, near 0 as they are."""
    return bound * torch.tanh(log_scale / bound)


def channelwise(values: Float[Tensor, "*_ _"], x: Reals) -> Tensor:
    """Append an axis of size 1 for each position axis of x, so that values broadcast to x."""
    return values.view(*values.shape, *[1] * (x.ndim - 2))  # [*_ _ *1]


class Scaling(Bijection):
    """A learned scale for each number, as volume-preserving maps need it (NICE, eq. 14)."""

    def __init__(self, size: int):
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(size))

    def forward(self, x: Reals, c: Tensor | None = None) -> tuple[Mapped, Losses]:
        return x * self.log_scale.exp(), self.log_scale.sum().expand(len(x))

    def inverse(self, y: Reals, c: Tensor | None = None) -> Mapped:
        return y * torch.exp(-self.log_scale)


class ActNorm(Bijection):
    """A scale and shift of each number (channel), initialised so that the first batch has mean 0
    and variance 1 (Glow, section 3.1)."""

    initialised: Tensor

    def __init__(self, size: int):
        super().__init__()
        self.shift, self.log_scale = (nn.Parameter(torch.zeros(size)) for _ in range(2))
        self.register_buffer("initialised", torch.zeros(()))

    def forward(self, x: Reals, c: Tensor | None = None) -> tuple[Mapped, Losses]:
        if self.training and self.shift.requires_grad and not number_in(self.initialised):
            self._initialise(processes.gathered(x.detach()))
        log_det = self.log_scale.sum() * math.prod(x.shape[2:])
        shifted = x + channelwise(self.shift, x)
        return shifted * channelwise(self.log_scale.exp(), x), log_det.expand(len(x))

    def inverse(self, y: Reals, c: Tensor | None = None) -> Mapped:
        return y * channelwise(torch.exp(-self.log_scale), y) - channelwise(self.shift, y)

    @torch.no_grad()
    def _initialise(self, x: Reals) -> None:
        values = x.transpose(0, 1).flatten(1)  # [number batch*position]
        self.shift.copy_(-values.mean(1))
        self.log_scale.copy_(-values.std(1, correction=0).clamp(min=1e-3).log())
        set_number(self.initialised, 1)


class InvertibleLinear(Bijection):
    """A learned matrix on the numbers, at initialisation a rotation.

    Over maps it is Glow's invertible 1x1 convolution (section 3.2).
    """

    def __init__(self, size: int):
        super().__init__()
        self.weight = nn.Parameter(nn.init.orthogonal_(torch.empty(size, size)))

    def forward(self, x: Reals, c: Tensor | None = None) -> tuple[Mapped, Losses]:
        log_det = torch.linalg.slogdet(self._matrix()).logabsdet * math.prod(x.shape[2:])
        return self._on_numbers(self.weight, x), log_det.expand(len(x))

    def inverse(self, y: Reals, c: Tensor | None = None) -> Mapped:
        return self._on_numbers(torch.linalg.inv(self._matrix()).to(y.dtype), y)

    def _matrix(self) -> Tensor:
        """Return the weight in single precision at least, for what divides by it."""
        return self.weight.to(torch.promote_types(self.weight.dtype, torch.float32))

    @staticmethod
    def _on_numbers(weight: Tensor, x: Tensor) -> Tensor:
        last = x.movedim(1, -1)  # [batch *position number]
        with torch.autocast(x.device.type, enabled=False):  # a density of x itself, not rounded
            return (last @ weight.T).movedim(-1, 1)  # [batch number *position]


class FlowDistribution(Distribution):
    """p(x given c) of a bijection to vectors [batch size], one condition for each sample."""

    def __init__(self, bijection: Bijection, batch: int, size: int, c: Tensor | None):
        self.bijection, self.c, self.shape = bijection, c, (batch, size)

    @property
    def representative(self) -> Mapped:
        """Return the inverse of the base distribution's mode."""
        return self.bijection.inverse(self._base().mean, self.c)

    def rsample(self) -> Mapped:
        return self.from_noise(self._base().rsample())

    def from_noise(self, noise: Mapped) -> Mapped:
        """Return the inverse of the bijection at standard normal noise."""
        return self.bijection.inverse(noise, self.c)

    def to_noise(self, value: Reals) -> Mapped:
        """Return the bijection of a sample, standard normal noise where it is of this density."""
        return self.bijection(value, self.c)[0]

    def log_prob(self, value: Reals) -> Losses:
        mapped, log_det = self.bijection(value, self.c)
        return self._base().log_prob(mapped) + log_det

    def _base(self) -> Gaussian:
        at = next(self.bijection.parameters())
        zeros = torch.zeros(self.shape, device=at.device)
        return Gaussian(zeros, zeros)


class Flow(nn.Module):
    """(batch, c) -> p(x given c), by a bijection of x to vectors [batch size]."""

    def __init__(self, size: int, bijection: Bijection):
        super().__init__()
        self.size, self.bijection = size, bijection

    def forward(self, batch: int, c: Tensor | None = None) -> FlowDistribution:
        return FlowDistribution(self.bijection, batch, self.size, c)


COUPLINGS = 8


class VectorNet(MLP):
    """x where it stays, with c as further numbers -> log scales and shifts of a coupling.

    It is not rounded to half precision: a density is as exact as its shifts.
    """

    def forward(self, x: Reals, c: Tensor | None = None) -> Mapped:  # type: ignore[override]  # c
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x if c is None else torch.cat([x, c.to(x.dtype)], 1))


def vector_coupling(
    size: int,
    number: int,
    affine: bool = True,
    condition: int = 0,
    width: int = WIDTH,
    bound: float = SCALE_BOUND,
) -> Coupling:
    """Build coupling `number` of a flow: every other number stays.

    An affine one is initialised as the identity. There an additive one has no gradient where each
    number's mean is 0 whatever the others are, as on a ring: it would stay. It shifts at random.
    """
    net = VectorNet(size + condition, width, width, 2 * size if affine else size)
    if affine:
        zero(net[-1])
    return Coupling(torch.arange(size) % 2 == number % 2, net, affine, bound)


def zero(layer: nn.Module) -> None:
    """Set a layer's parameters to 0, so that its coupling is initialised as the identity."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


def nice(size: int, condition: int = 0, couplings: int = COUPLINGS, width: int = WIDTH) -> Flow:
    """Additive couplings, of which the paper has four, then a scale for each number."""
    layers = [vector_coupling(size, n, False, condition, width) for n in range(couplings)]
    return Flow(size, Chain([*layers, Scaling(size)]))


def realnvp(
    size: int,
    condition: int = 0,
    couplings: int = COUPLINGS,
    width: int = WIDTH,
    bound: float = SCALE_BOUND,
) -> Flow:
    """Affine couplings with masks by turns; `bound`: of the log scales."""
    layers = [vector_coupling(size, n, True, condition, width, bound) for n in range(couplings)]
    return Flow(size, Chain(layers))


def glow(
    size: int,
    condition: int = 0,
    couplings: int = COUPLINGS,
    width: int = WIDTH,
    bound: float = SCALE_BOUND,
) -> Flow:
    """Steps of actnorm, a linear map and an affine coupling."""

    def step(number: int) -> Chain:
        coupling = vector_coupling(size, number, True, condition, width, bound)
        return Chain([ActNorm(size), InvertibleLinear(size), coupling])

    return Flow(size, Chain([step(number) for number in range(couplings)]))
