"""Terms of decoders that generate a gist, one picture, before the clip.

Li, Min, Shen, Carlson and Carin, Video Generation from Text, AAAI 2018.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional as F

from core.theory.contracts import require
from core.theory.distributions import Delta, sum_events
from core.theory.passes import TEACHER, Passes
from core.theory.shapes import Loss, Losses, Samples
from core.theory.terms import mean_absolute_error

PATCH, STRIDE = 4, 2
"""Pixels along a side of the patches that are compared, and from one patch to the next."""

SIDES = (2, 4, 8, 16)
"""Sides of the squares, in pixels, over which differences are averaged."""

FAINTEST = 0.03
"""Difference of neighbouring pixels, in [-1, 1], below which sharpness hardly counts."""


@runtime_checkable
class GistDecoder(Protocol):
    """A decoder that generates a gist of x first."""

    def gist_of(self, x: Samples) -> Samples:
        """Return the gist that belongs to data x."""
        ...


@runtime_checkable
class GistDistribution(Protocol):
    """p(x given z, c) by way of a gist."""

    @property
    def gist(self) -> Delta:
        """Return p(gist given z, c)."""
        ...


@runtime_checkable
class LayeredDistribution(GistDistribution, Protocol):
    """p(x given z, c) by way of a gist and of a static background."""

    @property
    def background(self) -> Samples:
        """Return the part of x that does not move, of the gist's shape."""
        ...


@runtime_checkable
class MaskedDistribution(Protocol):
    """p(x given z, c) of a foreground over a background."""

    @property
    def mask(self) -> Samples:
        """Return the share of the foreground in each pixel."""
        ...


@dataclass(frozen=True)
class ReconstructGist:
    """-log p(gist of x given z, c), z ~ q(z given x, c): the conditional VAE of the paper."""

    name = "reconstruct_gist"
    formula = "ReconstructGist"
    needs = frozenset({"gist"})
    networks = ("encoder", "decoder")

    trains: tuple[str, ...] = ("encoder", "decoder")
    weight: float = 1.0

    def __call__(self, passes: Passes) -> Losses:
        decoder = passes.network("decoder", GistDecoder)
        reconstruction = require(passes.reconstruction, GistDistribution)
        return -reconstruction.gist.log_prob(decoder.gist_of(passes.x))


@dataclass(frozen=True)
class ReconstructMaps(ABC):
    """A loss of a clip's maps and those of its reconstruction, beside its likelihood."""

    needs = frozenset({"maps"})
    networks = ("encoder", "decoder")

    trains: tuple[str, ...] = ("encoder", "decoder")
    weight: float = 1.0

    def __call__(self, passes: Passes) -> Losses:
        return self.loss(passes.x, passes.reconstruction.representative)

    @abstractmethod
    def loss(self, x: Samples, drawn: Samples) -> Losses:
        """Return the loss of reconstructions `drawn` of x, both [batch *any row column]."""


@dataclass(frozen=True)
class ReconstructEdges(ReconstructMaps):
    """Half the squared difference of |gradient| between a clip and its reconstruction.

    Summed over the differences of neighbouring pixels, along rows and columns. Where a likelihood
    is uncertain it takes the mean, of which the gradient is small; the size of the gradient has a
    mean of its own. The gradient difference loss with alpha = 2 of Mathieu, Couprie and LeCun,
    Deep Multi-Scale Video Prediction Beyond Mean Square Error, ICLR 2016.
    """

    name = "reconstruct_edges"
    formula = "ReconstructEdges"

    def loss(self, x: Samples, drawn: Samples) -> Losses:
        rows, columns = (self.edges(x, axis) - self.edges(drawn, axis) for axis in (-2, -1))
        return 0.5 * (sum_events(rows**2) + sum_events(columns**2))

    def edges(self, x: Samples, axis: int) -> Tensor:
        """Return the size of the differences of neighbours along an axis."""
        return x.diff(dim=axis).abs()


@dataclass(frozen=True)
class ReconstructSharpness(ReconstructEdges):
    """Half the squared difference of sharpness, in each patch of a clip and its reconstruction.

    Sharpness is the root mean square of the differences of neighbouring pixels in a patch of
    `PATCH` x `PATCH` of them, along rows and along columns; patches overlap by half, and each
    counts as the pixels that it adds. Where a likelihood is uncertain it takes the mean, whose
    edges are weak: where exactly an edge is may be unknown, but that the patch has one is not.
    After the contrast of structural similarity (Wang et al., IEEE TIP 2004, section III.B), here
    of gradients. For a decoder that knows by a likelihood where edges are; else it draws dots,
    which are edges too. So it does not train the encoder.
    """

    name = "reconstruct_sharpness"
    formula = "ReconstructSharpness"

    trains: tuple[str, ...] = ("decoder",)

    def edges(self, x: Samples, axis: int) -> Tensor:
        """Return the sharpness of each patch along an axis, times the root of its own pixels."""
        return sharpness(x, axis)


def sharpness(x: Samples, axis: int) -> Tensor:
    """Return the sharpness of each patch along an axis, times the root of its own pixels.

    It is the root mean square of the differences of neighbouring pixels, of `PATCH` x `PATCH` of
    them; patches overlap by half.
    """
    squares = x.diff(dim=axis).square().flatten(0, -3)  # [_ row column]
    means = F.avg_pool2d(squares, PATCH, STRIDE, ceil_mode=True)
    rms = (means + FAINTEST**2).sqrt()
    return STRIDE * rms.unflatten(0, x.shape[:-2])  # [*any patch patch]


@dataclass(frozen=True)
class MatchSharpness:
    """Half the squared Wasserstein distance between the sharpness of clips and of generated ones.

    At each place of a frame apart, along rows and along columns, over the frames of a batch, or
    over those of each of its groups: of numbers that is the squared difference of both in order
    (Villani, Topics in Optimal Transportation, 2003, section 2.2). It says how often a patch at a
    place has an edge, not in which clip: so clips can be generated for captions of which there is
    no real one. Of several processes each compares its own part of a batch.
    """

    name = "match_sharpness"
    formula = "MatchSharpness"
    needs = frozenset({"maps"})
    networks = ("decoder", "prior")

    trains: tuple[str, ...] = ("decoder",)
    weight: float = 1.0

    def __call__(self, passes: Passes) -> Loss:
        return (self.distance(passes, -2) + self.distance(passes, -1)) / len(passes.x)

    def distance(self, passes: Passes, axis: int) -> Loss:
        """Return the distance of all patches along an axis, summed."""
        clips, group = (passes.x, passes.generation.representative), passes.batch.group
        real, own = (self.in_order(sharpness(one, axis), group) for one in clips)
        return 0.5 * (real - own).square().sum()

    def in_order(self, patches: Tensor, group: Int[Tensor, " batch"] | None) -> Tensor:
        """Return the numbers of each place and colour [batch rgb time ...] in their order, those
        of one group after those of another."""
        numbers = patches.transpose(1, 2).flatten(0, 1)  # [(batch time) rgb ...]
        ordered = numbers.sort(0)
        if group is None:
            return ordered.values
        groups = group.repeat_interleave(patches.shape[2])  # [(batch time)]
        return ordered.values.gather(0, groups[ordered.indices].argsort(dim=0, stable=True))


@dataclass(frozen=True)
class ReconstructPyramid(ReconstructMaps):
    """Half the squared difference of a clip and its reconstruction, in squares of many pixels.

    Differences are averaged over squares of `SIDES` pixels a side, and each average counts as the
    pixels of its square, times the side. The place and the size of a shape are sums over all its
    pixels, to a tenth of a pixel; in errors of single pixels they hardly count beside those of its
    edge. After the Laplacian pyramid loss of Bojanowski, Joulin, Lopez-Paz and Szlam, Optimizing
    the Latent Space of Generative Networks, ICML 2018.
    """

    name = "reconstruct_pyramid"
    formula = "ReconstructPyramid"

    def loss(self, x: Samples, drawn: Samples) -> Losses:
        maps = (x - drawn).flatten(1, -3)  # [batch map row column]
        levels = [self.level(maps, side) for side in SIDES]
        return torch.stack(levels).sum(0)  # [batch]

    def level(self, maps: Tensor, side: int) -> Losses:
        """Return the loss of errors [batch map row column], averaged over squares."""
        means = F.avg_pool2d(maps, side, ceil_mode=True)
        return 0.5 * side**3 * sum_events(means**2)


@dataclass(frozen=True)
class KeepPyramid(ReconstructPyramid):
    """ReconstructPyramid of what the teacher generates from the same z and c, not of a clip.

    Where there is no clip to learn from, so that the decoder would forget what it knew. After Li
    and Hoiem, Learning without Forgetting, ECCV 2016.
    """

    name = "keep_pyramid"
    formula = "KeepPyramid"
    networks = ("decoder", "prior", TEACHER)

    trains: tuple[str, ...] = ("decoder",)

    def __call__(self, passes: Passes) -> Losses:
        with torch.no_grad():
            kept = passes.taught.representative
        return self.loss(kept, passes.generation.representative)


@dataclass(frozen=True)
class Coherence:
    """Mean of |background - gist| over the pixels of generated clips.

    No gradient reaches the gist. Its weight is 1, where the paper's is 0.1.
    """

    name = "coherence"
    formula = "Coherence"
    needs = frozenset({"gist"})
    networks = ("decoder", "prior")

    trains: tuple[str, ...] = ("decoder",)
    weight: float = 1.0

    def __call__(self, passes: Passes) -> Losses:
        generation = require(passes.generation, LayeredDistribution)
        gist = generation.gist.mean.detach()
        return mean_absolute_error(gist, generation.background)


@dataclass(frozen=True)
class SparseMask:
    """Mean of the mask over the pixels of generated clips (Vondrick et al., NIPS 2016, section 3).

    The background then shows whatever does not move.
    """

    name = "sparse_mask"
    formula = "SparseMask"
    needs = frozenset({"streams"})
    networks = ("decoder", "prior")

    trains: tuple[str, ...] = ("decoder",)
    weight: float = 1.0

    def __call__(self, passes: Passes) -> Losses:
        mask = require(passes.generation, MaskedDistribution).mask
        return mask.flatten(1).mean(1)  # [batch]
