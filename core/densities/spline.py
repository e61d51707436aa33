"""Couplings by splines: flows whose densities have edges and holes.

neural_spline(2)      a network (batch, c) -> FlowDistribution, over vectors [batch 2]

Durkan, Bekasov, Murray and Papamakarios, Neural Spline Flows, NeurIPS 2019.
"""

import math
from dataclasses import dataclass

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
REACH = 4.0
"""The spline maps [-REACH, REACH] to itself; beyond, it is the identity."""

LEAST_SHARE, LEAST_SLOPE = 1e-3, 1e-3
"""The least width and height of a bin, as a share of all, and the least slope at a knot."""


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
        """Build splines from as many numbers as `count_of` says; zeros are the identity."""
        bins = (parameters.shape[2] + 1) // 3
        widths, heights, slopes = parameters.split([bins, bins, bins - 1], 2)
        one = math.log(math.expm1(1 - LEAST_SLOPE))  # whose softplus makes a slope of 1
        slope = LEAST_SLOPE + F.softplus(slopes + one)
        return cls(_knots(widths), _knots(heights), F.pad(slope, (1, 1), value=1.0))

    @staticmethod
    def count_of(bins: int) -> int:
        """Return how many parameters a spline of so many bins has."""
        return 3 * bins - 1

    def __call__(self, x: Float[Tensor, "batch number"]) -> tuple[Tensor, Tensor]:
        """Return y and log dy/dx (eqs. 4 and 5)."""
        inside = x.clamp(-REACH, REACH)
        x0, width, y0, height, slope0, slope1 = self._bin(self.x, inside)
        at = (inside - x0) / width
        y = y0 + height * self._risen(at, height / width, slope0, slope1)
        return self._inside(x, y, self._log_slope(at, height / width, slope0, slope1))

    def inverse(self, y: Float[Tensor, "batch number"]) -> Tensor:
        """Return the x whose image is y (eqs. 6 to 8)."""
        inside = y.clamp(-REACH, REACH)
        x0, width, y0, height, slope0, slope1 = self._bin(self.y, inside)
        rise, risen = height / width, inside - y0
        curved = risen * (slope0 + slope1 - 2 * rise)
        a, b, c = height * (rise - slope0) + curved, height * slope0 - curved, -rise * risen
        root = (b.square() - 4 * a * c).clamp(min=0).sqrt()
        x = x0 + width * 2 * c / (-b - root)
        return self._inside(y, x, x)[0]

    def _bin(self, knots: Tensor, value: Tensor) -> tuple[Tensor, ...]:
        """Return the first knot and the size of each value's bin, and the slopes at its ends."""
        number = torch.searchsorted(knots[..., 1:-1].contiguous(), value[..., None])
        pairs = [of.gather(2, number + n)[..., 0] for of in (self.x, self.y) for n in (0, 1)]
        slope0, slope1 = (self.slope.gather(2, number + n)[..., 0] for n in (0, 1))
        x0, x1, y0, y1 = pairs
        return x0, x1 - x0, y0, y1 - y0, slope0, slope1

    @staticmethod
    def _risen(at: Tensor, rise: Tensor, slope0: Tensor, slope1: Tensor) -> Tensor:
        between = at * (1 - at)
        below = rise + (slope0 + slope1 - 2 * rise) * between
        return (rise * at.square() + slope0 * between) / below

    @staticmethod
    def _log_slope(at: Tensor, rise: Tensor, slope0: Tensor, slope1: Tensor) -> Tensor:
        between = at * (1 - at)
        above = slope1 * at.square() + 2 * rise * between + slope0 * (1 - at).square()
        below = rise + (slope0 + slope1 - 2 * rise) * between
        return 2 * rise.log() + above.log() - 2 * below.log()

    @staticmethod
    def _inside(value: Tensor, image: Tensor, log_slope: Tensor) -> tuple[Tensor, Tensor]:
        """Return the image and log slope within reach; beyond, those of the identity."""
        inside = value.abs() < REACH
        return torch.where(inside, image, value), torch.where(inside, log_slope, 0.0)


def _knots(sizes: Float[Tensor, "batch number bin"]) -> Float[Tensor, "batch number knot"]:
    """Return where bins of these unnormalised sizes begin and end, from -REACH to REACH."""
    bins = sizes.shape[2]
    share = LEAST_SHARE + (1 - LEAST_SHARE * bins) * sizes.softmax(2)
    ends = F.pad(share.cumsum(2)[..., :-1], (1, 0))
    knots = REACH * (2 * ends - 1)
    return F.pad(knots, (0, 1), value=REACH)


class SplineCoupling(Bijection):
    """Half of the numbers stay; a network of them scales, shifts and bends the others.

    `conditioner` reads x * stays and c. `stays`: mask of what stays, 1 or 0.
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


def spline_coupling(
    size: int, number: int, condition: int = 0, width: int = WIDTH, bins: int = BINS
) -> SplineCoupling:
    """Build coupling `number` of a flow, initialised as the identity: every other number stays."""
    net = VectorNet(size + condition, width, width, size * (2 + Spline.count_of(bins)))
    zero(net[-1])
    return SplineCoupling(torch.arange(size) % 2 == number % 2, net)


def neural_spline(
    size: int,
    condition: int = 0,
    couplings: int = COUPLINGS,
    width: int = WIDTH,
    bins: int = BINS,
) -> Flow:
    """Couplings by splines, with masks by turns."""
    layers = [spline_coupling(size, n, condition, width, bins) for n in range(couplings)]
    return Flow(size, Chain(layers))
