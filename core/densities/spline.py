"""Couplings by splines: flows whose densities have edges and holes.

neural_spline(2)      a network (batch, c) -> FlowDistribution, over vectors [batch 2]

Durkan, Bekasov, Murray and Papamakarios, Neural Spline Flows, NeurIPS 2019.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from core.densities.flow import (
    COUPLINGS,
    WIDTH,
    Bijection,
    Chain,
    Flow,
    Mapped,
    Reals,
    VectorNet,
    bounded,
    zero,
)
from core.theory.distributions import sum_events
from core.theory.shapes import Losses

BINS = 8
PARAMETERS = 2 + 3 * BINS - 1
"""Numbers that a coupling has for each number of x: log scale, shift, and those of its spline."""
REACH = 4.0
"""The spline maps [-REACH, REACH] to itself; beyond, it is the identity."""

LEAST_SHARE, LEAST_SLOPE = 1e-3, 1e-3
"""The least width and height of a bin, as a share of all, and the least slope at a knot."""


class Bin(NamedTuple):
    """The pieces of splines in which values lie: where they begin, sizes, slopes at both ends."""

    x: Tensor
    y: Tensor
    width: Tensor
    height: Tensor
    slope: Tensor
    next_slope: Tensor

    @property
    def bend(self) -> tuple[Tensor, Tensor]:
        """Return the mean slope, s of the paper, and what both ends' slopes exceed it by."""
        rise = self.height / self.width
        return rise, self.slope + self.next_slope - 2 * rise

    def image(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return y and log dy/dx (eqs. 4 and 5)."""
        rise, excess = self.bend
        at = (x - self.x) / self.width
        between = at * (1 - at)
        above = rise * at.square() + self.slope * between
        below = rise + excess * between
        ends = self.next_slope * at.square() + self.slope * (1 - at).square()
        log_slope = (ends + 2 * rise * between).log() - 2 * below.log()
        return self.y + self.height * above / below, 2 * rise.log() + log_slope

    def origin(self, y: Tensor) -> Tensor:
        """Return the x whose image is y: a root of a quadratic equation (eqs. 6 to 8)."""
        rise, excess = self.bend
        risen = y - self.y
        a = self.height * (rise - self.slope) + risen * excess
        b = self.height * self.slope - risen * excess
        c = -rise * risen
        root = (b.square() - 4 * a * c).clamp(min=0).sqrt()
        return self.x + self.width * 2 * c / (-b - root)


@dataclass
class Spline:
    """Monotone rational-quadratic splines, one for each number of x [batch number].

    `x`, `y` [batch number knot]: where the knots are; `slope`: dy/dx there, 1 at the ends.
    """

    x: Tensor
    y: Tensor
    slope: Tensor

    @classmethod
    def of(cls, parameters: Float[Tensor, "batch number parameter"]) -> "Spline":
        """Build splines from widths, heights and inner slopes; zeros are the identity."""
        widths, heights, slopes = parameters.split([BINS, BINS, BINS - 1], 2)
        one = math.log(math.expm1(1 - LEAST_SLOPE))  # whose softplus makes a slope of 1
        slope = LEAST_SLOPE + F.softplus(slopes + one)
        return cls(_knots(widths), _knots(heights), F.pad(slope, (1, 1), value=1.0))

    def __call__(self, x: Float[Tensor, "batch number"]) -> tuple[Tensor, Tensor]:
        """Return y and log dy/dx; beyond the reach those of the identity."""
        inside = x.clamp(-REACH, REACH)
        y, log_slope = self._bin(self.x, inside).image(inside)
        is_inside = inside == x
        return torch.where(is_inside, y, x), torch.where(is_inside, log_slope, 0.0)

    def inverse(self, y: Float[Tensor, "batch number"]) -> Tensor:
        """Return the x whose image is y."""
        inside = y.clamp(-REACH, REACH)
        return torch.where(inside == y, self._bin(self.y, inside).origin(inside), y)

    def _bin(self, knots: Tensor, value: Tensor) -> Bin:
        number = (value[..., None] > knots[..., 1:-1]).sum(2, keepdim=True)
        columns = [
            of.gather(2, number + n)[..., 0] for of in (self.x, self.y, self.slope) for n in (0, 1)
        ]
        x, next_x, y, next_y, slope, next_slope = columns
        return Bin(x, y, next_x - x, next_y - y, slope, next_slope)


def _knots(sizes: Float[Tensor, "batch number bin"]) -> Float[Tensor, "batch number knot"]:
    """Return where bins of these unnormalised sizes begin and end, from -REACH to REACH."""
    bins = sizes.shape[2]
    share = LEAST_SHARE + (1 - LEAST_SHARE * bins) * sizes.softmax(2)
    ends = F.pad(share.cumsum(2)[..., :-1], (1, 0))
    knots = REACH * (2 * ends - 1)
    return F.pad(knots, (0, 1), value=REACH)


class SplineCoupling(Bijection):
    """Half of the numbers stay; a network of them scales, shifts and bends the others.

    `stays`: mask of what stays, 1 or 0. `conditioner` reads x * stays and c. It is not called
    `net`: a training that starts from a run with affine couplings takes over none of theirs.
    """

    stays: Tensor

    def __init__(self, stays: Tensor, conditioner: nn.Module):
        super().__init__()
        self.conditioner = conditioner
        self.register_buffer("stays", stays.float())

    def forward(self, x: Reals, c: Tensor | None = None) -> tuple[Mapped, Losses]:
        log_scale, shift, spline = self._parts(x, c)
        y, log_slope = spline(x * log_scale.exp() + shift)
        moves = self.stays < 1
        return torch.where(moves, y, x), sum_events((log_scale + log_slope) * moves)

    def inverse(self, y: Reals, c: Tensor | None = None) -> Mapped:
        log_scale, shift, spline = self._parts(y, c)
        x = (spline.inverse(y) - shift) * torch.exp(-log_scale)
        return torch.where(self.stays < 1, x, y)

    def _parts(self, x: Reals, c: Tensor | None) -> tuple[Tensor, Tensor, Spline]:
        out = self.conditioner(x * self.stays, c).to(x.dtype)
        out = out.unflatten(1, (x.shape[1], -1))  # [batch number parameter]
        return bounded(out[:, :, 0]), out[:, :, 1], Spline.of(out[:, :, 2:])


def spline_coupling(size: int, number: int, condition: int = 0) -> SplineCoupling:
    """Build coupling `number` of a flow, initialised as the identity: every other number stays."""
    conditioner = VectorNet(size + condition, WIDTH, WIDTH, size * PARAMETERS)
    zero(conditioner[-1])
    return SplineCoupling(torch.arange(size) % 2 == number % 2, conditioner)


def neural_spline(size: int, condition: int = 0) -> Flow:
    """Couplings by splines, with masks by turns."""
    layers = [spline_coupling(size, number, condition) for number in range(COUPLINGS)]
    return Flow(size, Chain(layers))
