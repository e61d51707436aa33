"""Multi-scale flows over maps [batch channel *position], of one to three position axes.

realnvp_maps((3, 8, 8)), glow_maps((3, 4, 8, 8))      networks (batch, c) -> FlowDistribution

On each scale, maps are squeezed (each block of two positions an axis becomes channels), flow
through couplings, and half of their channels are factored out to the base distribution N(0, I);
the other half goes on to the next scale. Dinh, Sohl-Dickstein and Bengio, ICLR 2017 (RealNVP,
sections 3.4 to 3.6), with actnorm in place of batch normalisation; Kingma and Dhariwal, NIPS 2018
(Glow), whose base distributions of the scales are learned, and here standard normal.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from core.densities.flow import (
    ActNorm,
    Bijection,
    Chain,
    Coupling,
    Flow,
    InvertibleLinear,
    Mapped,
    Reals,
    channelwise,
    zero,
)
from core.errors import ConfigError
from core.networks.convolutions import CONVOLUTION
from core.theory.shapes import Losses

Shape = Sequence[int]
"""Channels, then positions of each axis."""

WIDTH = 64
"""Hidden channels of a coupling's network."""
STEPS = 4
"""Couplings of a scale on each side of RealNVP's squeeze, and steps of a scale of Glow."""
SCALES = 3
"""At most; fewer where an axis cannot be halved as often."""


class Squeeze(Bijection):
    """Space to channel: each block of 2 positions an axis becomes 2^axes channels (figure 3)."""

    def forward(self, x: Reals, c: Tensor | None = None) -> tuple[Mapped, Losses]:
        axes = range(x.ndim - 2)
        for axis in axes:
            x = x.unflatten(2 + 2 * axis, (-1, 2))  # [batch channel (half two)...]
        halves, twos = [2 + 2 * axis for axis in axes], [3 + 2 * axis for axis in axes]
        blocks = x.permute(0, 1, *twos, *halves)  # [batch channel two... half...]
        return blocks.flatten(1, 1 + len(axes)), x.new_zeros(len(x))  # [batch channel*two half]

    def inverse(self, y: Reals, c: Tensor | None = None) -> Mapped:
        axes = y.ndim - 2
        blocks = y.unflatten(1, (-1, *[2] * axes))  # [batch channel two... half...]
        pairs = [dim for axis in range(axes) for dim in (2 + axes + axis, 2 + axis)]
        x = blocks.permute(0, 1, *pairs)  # [batch channel (half two)...]
        for axis in range(axes):
            x = x.flatten(2 + axis, 3 + axis)  # [batch channel position... (half two)...]
        return x


class Flatten(Bijection):
    """Maps of a shape as vectors [batch size]."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = tuple(shape)

    def forward(self, x: Reals, c: Tensor | None = None) -> tuple[Mapped, Losses]:
        return x.flatten(1), x.new_zeros(len(x))  # [batch size]

    def inverse(self, y: Reals, c: Tensor | None = None) -> Mapped:
        return y.unflatten(1, self.shape)  # [batch channel *position]


class FactorOut(Bijection):
    """The first half of the channels goes through `rest`, the other one is left as it is.

    Maps of `shape` -> vectors [rest, other half] (RealNVP, eq. 13 to 16).
    """

    def __init__(self, shape: Shape, rest: Bijection):
        super().__init__()
        self.half_shape = (shape[0] // 2, *shape[1:])
        self.rest = rest

    def forward(self, x: Reals, c: Tensor | None = None) -> tuple[Mapped, Losses]:
        kept, factored = x.chunk(2, 1)
        mapped, log_det = self.rest(kept, c)
        return torch.cat([mapped, factored.flatten(1)], 1), log_det  # [batch size]

    def inverse(self, y: Reals, c: Tensor | None = None) -> Mapped:
        mapped, factored = y.chunk(2, 1)
        other_half = factored.unflatten(1, self.half_shape)  # [batch channel *position]
        return torch.cat([self.rest.inverse(mapped, c), other_half], 1)


def checkerboard(shape: Shape, number: int) -> Tensor:
    """Mask [1 *position] of the positions whose indices have an even (odd) sum, by turns."""
    indices = torch.meshgrid(*[torch.arange(n) for n in shape[1:]], indexing="ij")
    return (torch.stack(indices).sum(0) % 2 == number % 2)[None]


def channel_mask(shape: Shape, number: int) -> Tensor:
    """Mask [channel *1] of the first (second) half of the channels, by turns."""
    first = torch.arange(shape[0]) < shape[0] // 2
    return (first == (number % 2 == 0)).view(-1, *[1] * (len(shape) - 1))  # [channel *1]


class MapNet(nn.Module):
    """x where it stays, and c -> log scales and shifts of a coupling, by convolutions.

    c is a bias of the first hidden channels: as maps of its own it would cost many times as much.
    At initialisation all are 0, so that the coupling is the identity (Glow, section 4).
    """

    def __init__(self, shape: Shape, condition: int, width: int):
        super().__init__()
        channels, convolution = shape[0], CONVOLUTION[len(shape) - 1]
        self.first = convolution(channels, width, 3, padding=1)
        self.condition = nn.Linear(condition, width, bias=False) if condition else None
        self.second = convolution(width, width, 1)
        self.last = convolution(width, 2 * channels, 3, padding=1)
        zero(self.last)

    def forward(self, x: Reals, c: Tensor | None = None) -> Mapped:
        hidden = self.first(x)
        if self.condition is not None and c is not None:
            hidden = hidden + channelwise(self.condition(c), x)
        return self.last(self.second(hidden.relu()).relu())


def map_coupling(stays: Tensor, shape: Shape, condition: int, width: int = WIDTH) -> Coupling:
    """Build an affine coupling of convolutions."""
    return Coupling(stays, MapNet(shape, condition, width))


Steps = Callable[[Shape], list[Bijection]]
"""The bijections of a scale, of the shape of its maps."""


def multi_scale(shape: Shape, before: Steps, after: Steps, scales: int) -> Chain:
    """Build scales of steps before and after a squeeze, factoring out half of the channels."""
    squeezed = (shape[0] * 2 ** len(shape[1:]), *(n // 2 for n in shape[1:]))
    end: Bijection = Flatten(squeezed)
    if scales > 1:
        half = (squeezed[0] // 2, *squeezed[1:])
        end = FactorOut(squeezed, multi_scale(half, before, after, scales - 1))
    return Chain([*before(shape), Squeeze(), *after(squeezed), end])


def scales_of(shape: Shape) -> int:
    """Return how often all axes can be halved, at most `SCALES`; `ConfigError` if one is odd.

    >>> scales_of((3, 8, 12))
    2
    """
    halvings = (next(n for n in range(SCALES + 1) if n == SCALES or s >> n & 1) for s in shape[1:])
    scales = min(halvings)
    if not scales:
        sizes = " x ".join(map(str, shape[1:]))
        raise ConfigError(
            f"a flow over maps halves each of their axes, and these have {sizes} positions: "
            "prepare the data with even numbers, or train another model"
        )
    return scales


def realnvp_maps(shape: Shape, condition: int = 0, width: int = WIDTH) -> Flow:
    """Couplings with checkerboard masks before, with channel masks after each squeeze.

    Each such group begins with an actnorm, so that the first batch has mean 0 and variance 1.
    """

    def couplings(mask: Callable[[Shape, int], Tensor]) -> Steps:
        def steps(s: Shape) -> list[Bijection]:
            group = [map_coupling(mask(s, n), s, condition, width) for n in range(STEPS)]
            return [ActNorm(s[0]), *group]

        return steps

    bijection = multi_scale(
        shape, couplings(checkerboard), couplings(channel_mask), scales_of(shape)
    )
    return Flow(math.prod(shape), bijection)


def glow_maps(shape: Shape, condition: int = 0, width: int = WIDTH) -> Flow:
    """Steps of actnorm, invertible 1x1 convolution and channel coupling after each squeeze."""

    def step(s: Shape, number: int) -> Chain:
        coupling = map_coupling(channel_mask(s, number), s, condition, width)
        return Chain([ActNorm(s[0]), InvertibleLinear(s[0]), coupling])

    def steps(s: Shape) -> list[Bijection]:
        return [step(s, number) for number in range(STEPS)]

    return Flow(math.prod(shape), multi_scale(shape, lambda s: [], steps, scales_of(shape)))
