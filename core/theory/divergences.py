"""Comparing two distributions without a critic.

A divergence is called with the passes and the space it compares: `divergence(passes, space)`.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from core.theory.distributions import Delta, Distribution, Gaussian, sum_events
from core.theory.passes import Passes, Space, critic_of
from core.theory.shapes import Loss, Losses, Samples


def kl(q: Distribution, p: Distribution, drawn: Samples) -> Losses:
    """KL(q || p) in nats, [batch]: in closed form for two Gaussians, else from one draw of q.

    Of a point q only -log p is left: its own part is a constant.

    Gaussians: sum log s_p / s_q + (s_q^2 + (m_q - m_p)^2) / (2 s_p^2) - 1/2
    (Kingma and Welling, ICLR 2014, appendix B).
    """
    if isinstance(q, Delta):
        return -p.log_prob(drawn)
    if not (isinstance(q, Gaussian) and isinstance(p, Gaussian)):
        return q.log_prob(drawn) - p.log_prob(drawn)
    log_ratio = p.log_std - q.log_std
    spread = torch.exp(-2 * log_ratio) + ((q.mean - p.mean) * torch.exp(-p.log_std)) ** 2
    return sum_events(log_ratio + 0.5 * (spread - 1))


@dataclass(frozen=True)
class KL:
    """In z: KL(q(z given x) || p(z)), per sample. In x: -log p(x) of a density, per sample."""

    verb: ClassVar[str] = "match"

    @property
    def networks(self) -> dict[Space, tuple[str, ...]]:
        """The networks that each space needs."""
        return {"z": ("encoder", "prior"), "x": ("density",)}

    def __call__(self, passes: Passes, space: Space) -> Losses:
        if space == "x":
            return -passes.density.log_prob(passes.x)
        return kl(passes.posterior, passes.prior, passes.z_encoded)


BANDWIDTHS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Bandwidths of the kernel mixture, in units of the reference's median squared distance."""


Reference = Float[Tensor, "other *event"]
"""Samples to be compared with others of the same form; there may be more or fewer of them."""


def inverse_multiquadratic(
    a: Samples, b: Reference, squared_scale: Loss
) -> Float[Tensor, "batch other"]:
    """Kernel sum over bandwidths s of C / (C + |a - b|^2), C = s * squared_scale.

    Its heavy tails keep a gradient far from the prior (Tolstikhin et al., ICLR 2018, section 4;
    there C = 2 dim s, the expected squared distance of two draws of N(0, I)).
    """
    squared = torch.cdist(a.flatten(1), b.flatten(1)) ** 2
    constants = [bandwidth * squared_scale for bandwidth in BANDWIDTHS]
    return torch.stack([c / (c + squared) for c in constants]).sum(0)


@torch.no_grad()
def median_squared_distance(samples: Samples) -> Loss:
    """Compute the median of |s - s'|^2 over all pairs (Gretton et al., JMLR 2012, section 8)."""
    squared = torch.pdist(samples.flatten(1).float()) ** 2
    return squared.median().clamp(min=torch.finfo(squared.dtype).eps)


def mmd(samples: Samples, reference: Reference) -> Loss:
    """Compute the squared maximum mean discrepancy, unbiased: its mean at equality is 0.

    Gretton et al., JMLR 2012, equation 3. At least two samples a side. The kernel's scale is taken
    from the reference: on 53,760 cells of a phrase a fixed one sees every pair at distance 0, and
    noise nearer to music than music.
    """
    scale = median_squared_distance(reference)
    within = sum(
        _off_diagonal_mean(inverse_multiquadratic(s, s, scale)) for s in (samples, reference)
    )
    return within - 2 * inverse_multiquadratic(samples, reference, scale).mean()


def _off_diagonal_mean(kernel: Tensor) -> Tensor:
    count = len(kernel)
    return (kernel.sum() - kernel.diagonal().sum()) / (count * (count - 1))


@dataclass(frozen=True)
class MMD:
    """Maximum mean discrepancy of the aggregates: one value for the batch, none per sample."""

    verb: ClassVar[str] = "match"

    @property
    def networks(self) -> dict[Space, tuple[str, ...]]:
        return {"z": ("encoder", "prior"), "x": ("decoder", "prior")}

    def __call__(self, passes: Passes, space: Space) -> Loss:
        (reference,), (produced,) = passes.reference(space), passes.produced(space)
        return mmd(produced, reference)


@dataclass(frozen=True)
class Moments:
    """Feature matching: the mean of what the critic counts in its samples, made against real.

    Sum over statistics of (mean made - mean real)^2 / (variance real + 0.001), one value for the
    batch. Salimans et al., NIPS 2016, section 3.1; there the features are learned, here they are
    what `critic.statistics(x)` tells, groups of [count statistic].
    """

    verb: ClassVar[str] = "moments"

    @property
    def networks(self) -> dict[Space, tuple[str, ...]]:
        return {"x": ("decoder", "prior", "critic_x")}

    def __call__(self, passes: Passes, space: Space) -> Loss:
        critic: Any = passes.networks[critic_of(space)]
        (reference,), (produced,) = passes.reference(space), passes.produced(space)
        with torch.no_grad():
            real = critic.statistics(reference)
        pairs = zip(critic.statistics(produced), real, strict=True)
        return torch.stack([_moment_gap(made, wanted) for made, wanted in pairs]).sum()


def _moment_gap(made: Tensor, real: Tensor) -> Tensor:
    made, real = made.float(), real.float()
    return ((made.mean(0) - real.mean(0)) ** 2 / (real.var(0) + 1e-3)).sum()


@dataclass(frozen=True)
class Features:
    """Feature matching: |mean of the critic's features made - mean of real|^2, one for the batch.

    Salimans et al., NIPS 2016, section 3.1.
    """

    verb: ClassVar[str] = "features"

    @property
    def networks(self) -> dict[Space, tuple[str, ...]]:
        generating = ("decoder", "prior")
        return {
            "x": (*generating, "critic_x"),
            "xc": (*generating, "critic_xc"),
            "z": ("encoder", "prior", "critic_z"),
            "xz": ("encoder", *generating, "critic_xz"),
            "domain": ("encoder", "critic_domain"),
        }

    def __call__(self, passes: Passes, space: Space) -> Loss:
        critic: Any = passes.networks[critic_of(space)]
        with torch.no_grad():
            real = critic.features(*passes.reference(space)).float().mean(0)
        made = critic.features(*passes.produced(space)).float().mean(0)
        return ((made - real) ** 2).sum()


@dataclass(frozen=True)
class Nearest:
    """|z - e|^2, e the prior's nearest code vectors, per sample (van den Oord et al. 2017, eq. 3).

    With trains=("prior",) the codebook follows the encoder, with trains=("encoder",) the encoder
    commits itself: the two stop-gradients of the paper. `verb` tells the two apart.
    """

    verb: str

    @property
    def networks(self) -> dict[Space, tuple[str, ...]]:
        return {"z": ("encoder", "prior")}

    def __call__(self, passes: Passes, space: Space) -> Losses:
        prior: Any = passes.prior
        return prior.gap(passes.posterior)
