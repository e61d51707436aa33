"""Comparing two distributions by a divergence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from core.errors import ConfigError
from core.processes import gathered
from core.theory.comparison import Comparison
from core.theory.contracts import (
    EMDensity,
    FeatureExtractor,
    QuantisingPrior,
    StatisticsCounter,
    require,
)
from core.theory.distributions import Delta, Distribution, Gaussian, sum_events
from core.theory.passes import SAMPLERS, Passes, Space
from core.theory.shapes import Loss, Losses, Samples


def kl(q: Distribution, p: Distribution, sample: Samples) -> Losses:
    """Compute KL(q || p) in nats: in closed form for two Gaussians, else from one sample of q.

    For a point q only -log p remains: its entropy is a constant.

    Gaussians: sum log s_p / s_q + (s_q^2 + (m_q - m_p)^2) / (2 s_p^2) - 1/2
    (Kingma and Welling, ICLR 2014, appendix B).
    """
    if isinstance(q, Delta):
        return -p.log_prob(sample)
    if not (isinstance(q, Gaussian) and isinstance(p, Gaussian)):
        return q.log_prob(sample) - p.log_prob(sample)
    log_ratio = p.log_std - q.log_std
    spread = torch.exp(-2 * log_ratio) + ((q.mean - p.mean) * torch.exp(-p.log_std)) ** 2
    return sum_events(log_ratio + 0.5 * (spread - 1))


@dataclass(frozen=True)
class KL(Comparison):
    """In z: KL(q(z given x) || p(z)), per sample. In x: -log p(x) of a density, per sample."""

    def networks(self, space: Space, critic: str) -> tuple[str, ...]:
        return ("density",) if space == "x" else SAMPLERS["z"]

    def __call__(self, passes: Passes, space: Space, critic: str) -> Losses:
        if space == "x":
            return -passes.density.log_prob(passes.x)
        return kl(passes.posterior, passes.prior, passes.posterior_sample)


@dataclass(frozen=True)
class EM(Comparison):
    """-log p(x) of a density that trains by expectation maximisation, per sample.

    In place of a gradient, the density takes an EM step on the batch (Dempster et al. 1977).
    """

    def networks(self, space: Space, critic: str) -> tuple[str, ...]:
        return ("density",)

    def __call__(self, passes: Passes, space: Space, critic: str) -> Losses:
        losses = -passes.density.log_prob(passes.x)
        density = passes.networks["density"]
        if density.training and torch.is_grad_enabled():
            require(density, EMDensity).em_step(passes.x)
        return losses


BANDWIDTHS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Bandwidths of the kernel mixture, in units of the reference's median squared distance."""


Reference = Float[Tensor, "other *event"]
"""Samples to be compared with others of the same form; there may be more or fewer of them."""


def inverse_multiquadratic(
    a: Samples,
    b: Reference,
    squared_scale: Loss,
    bandwidths: Sequence[float] = BANDWIDTHS,
) -> Float[Tensor, "batch other"]:
    """Kernel sum over bandwidths s of C / (C + |a - b|^2), C = s * squared_scale.

    Its heavy tails keep a gradient far from the prior (Tolstikhin et al., ICLR 2018, section 4;
    there C = 2 dim s, the expected squared distance of two draws of N(0, I)).
    """
    squared = torch.cdist(a.flatten(1), b.flatten(1)) ** 2  # [batch other]
    constants = [bandwidth * squared_scale for bandwidth in bandwidths]
    return torch.stack([c / (c + squared) for c in constants]).sum(0)


@torch.no_grad()
def median_squared_distance(samples: Samples) -> Loss:
    """Compute the median of |s - s'|^2 over all pairs (Gretton et al., JMLR 2012, section 8)."""
    squared = torch.pdist(samples.flatten(1).float()) ** 2  # [pair]
    return squared.median().clamp(min=torch.finfo(squared.dtype).eps)


def mmd(samples: Samples, reference: Reference, bandwidths: Sequence[float] = BANDWIDTHS) -> Loss:
    """Compute the squared maximum mean discrepancy, unbiased: its mean at equality is 0.

    Gretton et al., JMLR 2012, equation 3. At least two samples a side. The kernel's scale is taken
    from the reference: on 53,760 numbers a fixed one sees every pair at distance 0, and noise
    nearer to the data than other data.
    """
    _require_several(samples, reference)
    scale = median_squared_distance(reference)
    within = sum(
        _off_diagonal_mean(inverse_multiquadratic(s, s, scale, bandwidths))
        for s in (samples, reference)
    )
    return within - 2 * inverse_multiquadratic(samples, reference, scale, bandwidths).mean()


def _require_several(*sets: Tensor) -> None:
    """Raise `ConfigError` for a single sample, which has neither pairs nor a variance."""
    if min(map(len, sets)) < 2:
        raise ConfigError(
            "distributions are compared by two samples or more of each: raise train.batch_size "
            "(--set train.batch_size=2), or the --count of an evaluation"
        )


def _off_diagonal_mean(kernel: Tensor) -> Tensor:
    count = len(kernel)
    return (kernel.sum() - kernel.diagonal().sum()) / (count * (count - 1))


@dataclass(frozen=True)
class MMD(Comparison):
    """Maximum mean discrepancy of the aggregates: one value for the batch, none per sample.

    Li et al. (ICML 2015) minimise the root of a biased estimate with Gaussian kernels, Tolstikhin
    et al. (ICLR 2018) an unbiased one with a single kernel.

    `bandwidths`: those of the kernel mixture, in units of the reference's median squared distance.
    """

    bandwidths: tuple[float, ...] = BANDWIDTHS

    def networks(self, space: Space, critic: str) -> tuple[str, ...]:
        return SAMPLERS[space]

    def __call__(self, passes: Passes, space: Space, critic: str) -> Loss:
        (reference,), (produced,) = passes.reference(space), passes.produced(space)
        return mmd(gathered(produced), gathered(reference), self.bandwidths)


Statistics = Float[Tensor, "count statistic"]
OtherStatistics = Float[Tensor, "other statistic"]


@dataclass(frozen=True)
class Moments(Comparison):
    """Feature matching on fixed statistics of x, or of latents, such as counts.

    Sum over statistics of (mean produced - mean real)^2 / (variance real + 0.001), one value for
    the batch. Salimans et al., NIPS 2016, section 3.1, whose features are learned; here they are
    `critic.statistics(*point)`, groups of [count statistic].
    """

    verb = "moments"

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"statistics"})

    def networks(self, space: Space, critic: str) -> tuple[str, ...]:
        return (*SAMPLERS[space], critic)

    def __call__(self, passes: Passes, space: Space, critic: str) -> Loss:
        counter = passes.network(critic, StatisticsCounter)
        reference, produced = passes.reference(space), passes.produced(space)
        with torch.no_grad():
            real = counter.statistics(*reference)
        pairs = zip(counter.statistics(*produced), real, strict=True)
        gaps = [self.gap(*map(_of_all_processes, pair)) for pair in pairs]
        return torch.stack(gaps).sum()

    def gap(self, produced: Statistics, real: OtherStatistics) -> Loss:
        """Return how far the means of two samples are apart, in variances of the real ones."""
        return ((produced.mean(0) - real.mean(0)) ** 2 / (real.var(0) + 1e-3)).sum()


def _of_all_processes(statistics: Statistics) -> OtherStatistics:
    """Return the statistics of several samples in single precision."""
    every = gathered(statistics).float()
    _require_several(every)
    return every


@dataclass(frozen=True)
class Features(Comparison):
    """Feature matching: |mean produced - mean real|^2 of the critic's features, for the batch.

    Salimans et al., NIPS 2016, section 3.1.
    """

    verb = "features"

    def networks(self, space: Space, critic: str) -> tuple[str, ...]:
        return (*SAMPLERS[space], critic)

    def __call__(self, passes: Passes, space: Space, critic: str) -> Loss:
        extractor = passes.network(critic, FeatureExtractor)
        reference, produced = passes.reference(space), passes.produced(space)
        with torch.no_grad():
            real = gathered(extractor.features(*reference).float()).mean(0)
        ours = gathered(extractor.features(*produced).float()).mean(0)
        return ((ours - real) ** 2).sum()


@dataclass(frozen=True)
class Nearest(Comparison):
    """|z - nearest code vectors|^2, per sample (van den Oord et al. 2017, eq. 3).

    With trains=("prior",) the codebook follows the encoder, with trains=("encoder",) this is the
    commitment loss: the two stop-gradients of the paper. VQ-VAE-2 replaces the first by moving
    averages; here both have it. `role` distinguishes the two terms.
    """

    role: str

    @property
    def verb(self) -> str:
        return self.role

    def networks(self, space: Space, critic: str) -> tuple[str, ...]:
        return SAMPLERS[space]

    def __call__(self, passes: Passes, space: Space, critic: str) -> Losses:
        return require(passes.prior, QuantisingPrior).gap(passes.posterior)


@dataclass(frozen=True)
class Cover(Comparison):
    """Mean squared difference of z from the nearest of `count` samples of p(z given c).

    A game forbids what the data have not, and may leave out what they have. This leaves nothing
    out, as a likelihood does, and needs no density. Conditional implicit maximum likelihood
    estimation: Li, Zhang and Malik, Diverse Image Synthesis from Semantic Layouts via Conditional
    IMLE, ICCV 2019; with samples drawn anew for each batch.
    """

    verb = "cover"

    count: int = 10

    def networks(self, space: Space, critic: str) -> tuple[str, ...]:
        return ("encoder", "prior")

    def __call__(self, passes: Passes, space: Space, critic: str) -> Losses:
        z = passes.posterior_sample.detach()
        apart = (passes.prior_samples(self.count) - z).square().mean(2)  # [draw batch]
        return apart.amin(0)


@dataclass(frozen=True)
class Contrast(Comparison):
    """Noise contrastive estimation of r(z, c), the log ratio of q(z given c) to p(z given c).

    q is the mean of the posteriors of all data, and r says of a z whether it is more likely
    encoded or sampled: -log sigmoid(r) of encoded data, -log sigmoid(-r) of samples of the prior,
    summed (Gutmann and Hyvärinen, AISTATS 2010, eq. 3, with as many samples of both). It is for r
    alone: no gradient reaches what encodes or samples. By r a prior that has mass where the data
    have none is resampled (Aneja, Schwing, Kautz and Vahdat, NeurIPS 2021).
    """

    verb = "contrast"

    def networks(self, space: Space, critic: str) -> tuple[str, ...]:
        return ("encoder", "prior", "ratio")

    def __call__(self, passes: Passes, space: Space, critic: str) -> Losses:
        ratio, c = passes.networks["ratio"], None if passes.c is None else passes.c.detach()
        encoded, sampled = passes.posterior_sample.detach(), passes.prior_sample.detach()
        return F.softplus(-ratio(encoded, c)) + F.softplus(ratio(sampled, c))


def frechet_distance(
    one: Float[np.ndarray, "sample feature"], other: Float[np.ndarray, "other feature"]
) -> float:
    """Return the squared Frechet distance of the Gaussians fitted to two samples.

    |m - m'|^2 + tr(S + S' - 2 (S S')^(1/2)) (Dowson and Landau, 1982); 0 for equal mean and
    covariance. Small samples bias it upwards: compare values of equally many samples only. NaN for
    a single one.
    """
    if min(len(one), len(other)) < 2:
        return math.nan
    first, second = (
        np.atleast_2d(np.cov(x.astype(np.float64), rowvar=False)) for x in (one, other)
    )
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    inner = root @ second @ root
    overlap = np.sqrt(np.linalg.eigvalsh((inner + inner.T) / 2).clip(min=0)).sum()
    shift = np.square(one.mean(0) - other.mean(0)).sum()
    return float(shift + np.trace(first) + np.trace(second) - 2 * overlap)
