"""Generators that any domain can use: a latent code [batch code] -> maps.

Maps [batch channel *position] have one to three axes; generators upsample them from a coarse
resolution, by 2 along each axis:

DCGAN(16, 32, (4, 4), 2, 3)                       transposed convolutions, batch normalisation
StyleBased(16, 32, (4, 4), 2, 3)                  convolutions modulated by a style on each level
ProgressiveGenerator(16, 32, (4, 4), 2, 3, 500)   the same, grown from coarse to fine in training

Each of these reads a code [batch 16] and returns 3 channels of 16 x 16 positions; (4,) gives
sequences, (2, 4, 4) volumes. The domain defines what the channels are, such as logits.

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

from core.networks.buffers import number_in, set_number
from core.networks.convolutions import CONVOLVE
from core.networks.heads import MLP

Codes = Float[Tensor, "batch code"]
Maps = Float[Tensor, "batch channel *position"]
Output = Float[Tensor, "batch _ *_"]
"""Maps with other channels or another resolution than the input."""

TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
NORM = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
POOL = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
"""By the number of axes."""

KERNEL = 3
EPSILON = 1e-8
LEAK = 0.2
GAIN = math.sqrt(2 / (1 + LEAK**2))
"""Gain that keeps the mean square of a normal distribution under LeakyReLU (He et al., 2015)."""


def widths(channels: int, upsamplings: int) -> list[int]:
    """Return the channels of each level, coarse to fine: halved as the resolution doubles.

    >>> widths(32, 2)
    [128, 64, 32]
    """
    return [channels * 2**level for level in reversed(range(upsamplings + 1))]


class UpBlock(nn.Sequential):
    """Upsampling by 2 along each axis: transposed convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, axes: int):
        convolution = TRANSPOSED[axes](inputs, outputs, 4, stride=2, padding=1, bias=False)
        super().__init__(convolution, NORM[axes](outputs), nn.ReLU())


class DCGAN(nn.Module):
    """code -> maps of the `coarsest` resolution -> maps upsampled by 2^upsamplings (figure 1)."""

    def __init__(
        self, code: int, channels: int, coarsest: Sequence[int], upsamplings: int, outputs: int
    ):
        super().__init__()
        first, *_ = levels = widths(channels, upsamplings)
        axes = len(coarsest)
        self.first = nn.Sequential(
            nn.Linear(code, first * math.prod(coarsest), bias=False),
            nn.Unflatten(1, (first, *coarsest)),  # [batch channel *position]
            NORM[axes](first),
            nn.ReLU(),
        )
        self.upsamplings = nn.Sequential(
            *(UpBlock(a, b, axes) for a, b in itertools.pairwise(levels))
        )
        self.last = TRANSPOSED[axes](channels, outputs, KERNEL, padding=1)

    def forward(self, code: Codes) -> Output:
        return self.last(self.upsamplings(self.first(code)))


class ModulatedConv(nn.Module):
    """A convolution modulated by a style for each sample, then demodulated.

    w' = s_i w_oik, w'' = w' / sqrt(sum over i, k of w'^2) (StyleGAN2, eq. 1 and 3): independent
    inputs of variance 1 give outputs of variance 1, whatever the style. Both factors are per
    channel, so they scale inputs and outputs, and all samples share one convolution.
    """

    def __init__(self, inputs: int, outputs: int, axes: int, style: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, *[KERNEL] * axes))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = nn.Linear(style, inputs)
        nn.init.ones_(self.scale.bias)
        self.convolve = CONVOLVE[axes]

    def forward(self, maps: Maps, style: Float[Tensor, "batch style"]) -> Output:
        scale = self.scale(style)
        modulated = _per_channel(scale, maps) * maps
        output = self.convolve(modulated, self.weight, padding=KERNEL // 2)
        squares = scale.square() @ self.weight.square().flatten(2).sum(2).T  # [batch output]
        demodulated = output * _per_channel((squares + EPSILON).rsqrt(), output)
        return demodulated + _per_channel(self.bias[None], output)


def _per_channel(values: Float[Tensor, "_ channel"], maps: Tensor) -> Tensor:
    """Append an axis of size 1 for each position axis of the maps, so that values broadcast."""
    return values.view(*values.shape, *[1] * (maps.dim() - 2))  # [batch channel *1]


class StyleBased(nn.Module):
    """A learned constant, upsampled by convolutions that a style modulates on each level.

    An MLP maps the code to the style. Unlike in StyleGAN2 there is no noise, no blur in the
    upsampling and no sum of outputs over the levels.
    """

    def __init__(
        self, code: int, channels: int, coarsest: Sequence[int], upsamplings: int, outputs: int
    ):
        super().__init__()
        levels = widths(channels, upsamplings)
        axes, style = len(coarsest), levels[0]
        self.style = nn.Sequential(MLP(code, style, style), nn.LeakyReLU(LEAK))
        self.constant = nn.Parameter(torch.randn(levels[0], *coarsest))
        self.first = ModulatedConv(levels[0], levels[0], axes, style)
        self.upsamplings = nn.ModuleList(
            ModulatedConv(a, b, axes, style) for a, b in itertools.pairwise(levels)
        )
        self.last = ModulatedConv(channels, outputs, axes, style)

    def forward(self, code: Codes) -> Output:
        style = self.style(code)
        *_, finest = self.levels(style)
        return self.last(finest, style)

    def levels(self, style: Float[Tensor, "batch style"]) -> Iterator[Output]:
        """Yield the maps of each level, coarse to fine."""
        maps = self.constant.expand(
            style.shape[0], *self.constant.shape
        )  # [batch channel *position]
        yield (maps := _activate(self.first(maps, style)))
        for convolution in self.upsamplings:
            yield (maps := _activate(convolution(_upsample(maps, 2), style)))


class ProgressiveGenerator(StyleBased):
    """A style-based generator that is grown from coarse to fine (progressive growing).

    Each level has an output convolution of its own. While a level fades in, the output mixes its
    own with the upsampled one of the level before (Karras et al. 2018, figure 2); later levels are
    not computed. `level_steps`: steps over which a level fades in; the first one is there at once.
    """

    stage: Tensor

    def __init__(
        self,
        code: int,
        channels: int,
        coarsest: Sequence[int],
        upsamplings: int,
        outputs: int,
        level_steps: int,
    ):
        super().__init__(code, channels, coarsest, upsamplings, outputs)
        *coarser, _ = levels = widths(channels, upsamplings)
        self.level_steps = level_steps
        self.to_output = nn.ModuleList(
            ModulatedConv(width, outputs, len(coarsest), levels[0]) for width in coarser
        )
        self.register_buffer("stage", torch.zeros(()))

    def set_stage(self, step: int) -> None:
        """Set the growth stage for this step: the number of levels that have joined the first."""
        set_number(self.stage, min(step / self.level_steps, len(self.upsamplings)))

    def forward(self, code: Codes) -> Output:
        style = self.style(code)
        finest, share = finest_level(self.stage)
        maps = list(itertools.islice(self.levels(style), finest + 1))
        to_output = (*self.to_output, self.last)
        output = to_output[finest](maps[finest], style)
        if share < 1:
            coarse = to_output[finest - 1](maps[finest - 1], style)
            output = torch.lerp(_upsample(coarse, 2), output, share)
        return _upsample(output, 2 ** (len(self.upsamplings) - finest))

    def to_current_resolution(self, maps: Maps) -> Output:
        """Return maps of full size with the detail of the growth stage: means over blocks."""
        finest, share = finest_level(self.stage)
        block = 2 ** (len(self.upsamplings) - finest)
        fine = _average(maps, block)
        return torch.lerp(_average(maps, 2 * block), fine, share) if share < 1 else fine


def finest_level(stage: Tensor) -> tuple[int, float]:
    """Return the finest level of a growth stage and its share of the output, in (0, 1].

    >>> finest_level(torch.tensor(1.25)), finest_level(torch.tensor(2.0))
    ((2, 0.25), (2, 1.0))
    """
    number = number_in(stage)
    finest = math.ceil(number)
    return finest, number - finest + 1


def _activate(maps: Maps) -> Maps:
    return GAIN * F.leaky_relu(maps, LEAK)


def _upsample(maps: Maps, factor: int) -> Output:
    """Repeat every position `factor` times along each axis."""
    return F.interpolate(maps, scale_factor=float(factor)) if factor > 1 else maps


def _average(maps: Maps, block: int) -> Maps:
    """Replace every block of positions by its mean."""
    return _upsample(POOL[maps.dim() - 2](maps, block), block)


Blocks = Literal["paper", "dcgan", "style"]
"""The architecture of a domain's generators: that of its paper, or one of those here."""

GENERATORS = {"dcgan": DCGAN, "style": StyleBased}
