"""Networks that any domain can use: each ends in a distribution, in a score or in maps.

Maps [batch channel *place] lie over one to three axes; generators double them from a few places:

DCGAN(16, 32, (4, 4), 2, 3)         transposed convolutions, batch normalisation
StyleBased(16, 32, (4, 4), 2, 3)    convolutions that a style scales, level after level
Growing(16, 32, (4, 4), 2, 3, 500)  the same, whose levels join one after the other

Each of these reads a code [batch 16] and makes 3 channels of 16 x 16 places; (4,) makes sequences,
(2, 4, 4) clips. What the channels mean (logits, pixels) is for the domain to say.

Radford, Metz and Chintala, ICLR 2016 (DCGAN); Karras, Laine, Aittala, Hellsten, Lehtinen and Aila,
CVPR 2020 (StyleGAN2); Karras, Aila, Laine and Lehtinen, ICLR 2018 (progressive growing).
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.heads import MLP

Codes = Float[Tensor, "batch code"]
Maps = Float[Tensor, "batch channel *place"]
Made = Float[Tensor, "batch _ *_"]
"""Maps of other channels or places than those that were read."""

CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
NORM = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
POOL = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
"""By the number of axes."""

KERNEL = 3
EPSILON = 1e-8
LEAK = 0.2
GAIN = math.sqrt(2 / (1 + LEAK**2))
"""What LeakyReLU takes from the mean square of a normal distribution (He et al., 2015)."""


def widths(channels: int, doublings: int) -> list[int]:
    """Channels of each level, coarse to fine: halved as places double.

    >>> widths(32, 2)
    [128, 64, 32]
    """
    return [channels * 2**level for level in reversed(range(doublings + 1))]


class UpBlock(nn.Sequential):
    """Twice as many places along each axis: transposed convolution, normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, axes: int):
        convolution = TRANSPOSED[axes](inputs, outputs, 4, stride=2, padding=1, bias=False)
        super().__init__(convolution, NORM[axes](outputs), nn.ReLU())


class DCGAN(nn.Module):
    """code -> maps of `coarsest` places, doubled so many times (Radford et al., figure 1)."""

    def __init__(
        self, code: int, channels: int, coarsest: Sequence[int], doublings: int, outputs: int
    ):
        super().__init__()
        first, *_ = levels = widths(channels, doublings)
        axes = len(coarsest)
        self.first = nn.Sequential(
            nn.Linear(code, first * math.prod(coarsest), bias=False),
            nn.Unflatten(1, (first, *coarsest)),
            NORM[axes](first),
            nn.ReLU(),
        )
        self.doublings = nn.Sequential(
            *(UpBlock(a, b, axes) for a, b in itertools.pairwise(levels))
        )
        self.last = TRANSPOSED[axes](channels, outputs, KERNEL, padding=1)

    def forward(self, code: Codes) -> Made:
        return self.last(self.doublings(self.first(code)))


class ModulatedConv(nn.Module):
    """A convolution whose weights a style scales by input channel, then brought back to norm 1.

    w' = s_i w_oik, w'' = w' / sqrt(sum over i, k of w'^2) (StyleGAN2, eq. 1 and 3): independent
    inputs of variance 1 leave with variance 1, whatever the style. As both scales are of whole
    channels, they are put on inputs and outputs, and all samples share one convolution.
    """

    def __init__(self, inputs: int, outputs: int, axes: int, style: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, *[KERNEL] * axes))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = nn.Linear(style, inputs)
        nn.init.ones_(self.scale.bias)
        self.convolve = CONVOLVE[axes]

    def forward(self, maps: Maps, style: Float[Tensor, "batch style"]) -> Made:
        scale = self.scale(style)
        made = self.convolve(_per_channel(scale, maps) * maps, self.weight, padding=KERNEL // 2)
        squares = scale.square() @ self.weight.square().flatten(2).sum(2).T
        return made * _per_channel((squares + EPSILON).rsqrt(), made) + _per_channel(
            self.bias[None], made
        )


def _per_channel(values: Float[Tensor, "_ channel"], maps: Tensor) -> Tensor:
    """Values as they multiply maps: with an axis of one for each of the maps' axes."""
    return values.view(*values.shape, *[1] * (maps.dim() - 2))


class StyleBased(nn.Module):
    """A learned constant, to which the code comes only as a style, at each level.

    The code is mapped to a style by an MLP. Noise, blurred doubling and sums over the levels'
    pictures are left out: what is here is what modulation itself does.
    """

    def __init__(
        self, code: int, channels: int, coarsest: Sequence[int], doublings: int, outputs: int
    ):
        super().__init__()
        levels = widths(channels, doublings)
        axes, style = len(coarsest), levels[0]
        self.style = nn.Sequential(MLP(code, style, style), nn.LeakyReLU(LEAK))
        self.constant = nn.Parameter(torch.randn(levels[0], *coarsest))
        self.first = ModulatedConv(levels[0], levels[0], axes, style)
        self.doublings = nn.ModuleList(
            ModulatedConv(a, b, axes, style) for a, b in itertools.pairwise(levels)
        )
        self.last = ModulatedConv(channels, outputs, axes, style)

    def forward(self, code: Codes) -> Made:
        style = self.style(code)
        *_, finest = self.levels(style)
        return self.last(finest, style)

    def levels(self, style: Float[Tensor, "batch style"]) -> Iterator[Made]:
        """Maps, coarse to fine."""
        maps = self.constant.expand(len(style), *self.constant.shape)
        yield (maps := _activate(self.first(maps, style)))
        for convolution in self.doublings:
            yield (maps := _activate(convolution(_enlarged(maps, 2), style)))


class Growing(StyleBased):
    """Levels that join one after the other, each slowly (progressive growing).

    Every level makes a picture of its own. While one grows in, what is made is a mixture of its
    picture and the one before, doubled (Karras et al. 2018, figure 2); those that are yet to come
    cost nothing. `level_steps`: steps in which a level grows in; the first one is there at once.
    """

    grown: Tensor

    def __init__(
        self,
        code: int,
        channels: int,
        coarsest: Sequence[int],
        doublings: int,
        outputs: int,
        level_steps: int,
    ):
        super().__init__(code, channels, coarsest, doublings, outputs)
        *coarser, _ = levels = widths(channels, doublings)
        self.level_steps = level_steps
        self.pictures = nn.ModuleList(
            ModulatedConv(width, outputs, len(coarsest), levels[0]) for width in coarser
        )
        self.register_buffer("grown", torch.zeros(()))

    def grow(self, steps: int) -> None:
        """Be as a network that was trained for so many steps."""
        self.grown.fill_(min(steps / self.level_steps, len(self.doublings)))

    def forward(self, code: Codes) -> Made:
        style = self.style(code)
        finest, share = self._detail()
        maps = list(itertools.islice(self.levels(style), finest + 1))
        pictures = (*self.pictures, self.last)
        made = pictures[finest](maps[finest], style)
        if share < 1:
            coarse = pictures[finest - 1](maps[finest - 1], style)
            made = torch.lerp(_enlarged(coarse, 2), made, share)
        return _enlarged(made, 2 ** (len(self.doublings) - finest))

    def as_fine(self, maps: Maps) -> Made:
        """Maps of full size with the detail that it has grown to: means over blocks of places."""
        finest, share = self._detail()
        block = 2 ** (len(self.doublings) - finest)
        fine = _blurred(maps, block)
        return torch.lerp(_blurred(maps, 2 * block), fine, share) if share < 1 else fine

    def _detail(self) -> tuple[int, float]:
        """The finest level that counts, and how much it does."""
        grown = self.grown.item()
        finest = math.ceil(grown)
        return finest, grown - finest + 1


def _activate(maps: Maps) -> Maps:
    return GAIN * F.leaky_relu(maps, LEAK)


def _enlarged(maps: Maps, factor: int) -> Made:
    """Every place as a block of so many along each axis."""
    return F.interpolate(maps, scale_factor=float(factor)) if factor > 1 else maps


def _blurred(maps: Maps, block: int) -> Maps:
    """Every block of places as its mean."""
    return _enlarged(POOL[maps.dim() - 2](maps, block), block)


Blocks = Literal["paper", "dcgan", "style"]
"""What a domain's generators are made of: what its paper says, or one of those here."""

MADE_OF = {"dcgan": DCGAN, "style": StyleBased}
