"""Densities with closed forms: baselines for the others.

GaussianMixture(2)      a mixture of diagonal Gaussians, trained by EM (Dempster, Laird and Rubin,
                        JRSS B 1977; on-line: Cappe and Moulines, JRSS B 2009)
LinearGaussian(2)       probabilistic PCA: x = W z + mean + noise (Tipping and Bishop, JRSS B 1999)
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from core import processes
from core.theory.distributions import LOG_STD_BOUND, Distribution
from core.theory.shapes import Losses

Vectors = Float[Tensor, "batch number"]
Components = Float[Tensor, "component number"]
LOG_2PI = math.log(2 * math.pi)

FORGETTING = 0.6
"""Exponent of the step sizes of on-line EM, in (1/2, 1] (Cappe and Moulines 2009, section 3)."""
LEAST_SHARE, LEAST_VARIANCE = 1e-8, 1e-6
"""Bounds that keep an empty component, or one of a single sample, finite."""


class MixtureOfGaussians(Distribution):
    """sum over k of share_k N(mean_k, diag(std_k^2)), the same for each of a batch."""

    def __init__(
        self,
        batch: int,
        logits: Float[Tensor, " component"],
        means: Float[Tensor, "component number"],
        log_stds: Float[Tensor, "component number"],
    ):
        self.batch, self.logits, self.means, self.log_stds = batch, logits, means, log_stds

    @property
    def mean(self) -> Vectors:
        return (self.logits.softmax(0) @ self.means).expand(self.batch, -1)

    @property
    def representative(self) -> Vectors:
        """Return the mean of the largest component."""
        return self.means[self.logits.argmax()].expand(self.batch, -1)

    def rsample(self) -> Vectors:
        """Sample a component, then from it; no gradient leads to the shares."""
        chosen = torch.multinomial(self.logits.softmax(0), self.batch, replacement=True)
        std = self.log_stds.exp()[chosen]
        return self.means[chosen] + std * torch.randn_like(std)

    def log_prob(self, value: Vectors) -> Losses:
        return torch.logsumexp(self.joint(value), 1)

    def joint(self, value: Vectors) -> Float[Tensor, "batch component"]:
        """log of share_k N(x; mean_k, std_k^2), in nats."""
        standard = (value[:, None] - self.means) * torch.exp(-self.log_stds)
        each = (-0.5 * standard**2 - self.log_stds - 0.5 * LOG_2PI).sum(2)
        return each + self.logits.log_softmax(0)

    def responsibilities(self, value: Vectors) -> Float[Tensor, "batch component"]:
        """p(component given x): the E-step."""
        return self.joint(value).softmax(1)


class GaussianMixture(nn.Module):
    """(batch, c) -> p(x), the same for every condition; trained by EM and not by gradients.

    Its parameters are the expected sufficient statistics, E r_k, E r_k x and E r_k x^2 with the
    responsibilities r_k = p(k given x). The E-step takes those of a batch, s; the M-step reads
    shares, means and variances from their running average S <- S + t^-0.6 (s - S) over the steps
    t = 1, 2 ... (Cappe and Moulines 2009, eq. 13), where Dempster et al. average over all data. On
    one batch the likelihood never falls.
    """

    steps: Tensor

    def __init__(self, size: int, components: int = 16):
        super().__init__()
        self.share, self.first, self.second = (
            nn.Parameter(torch.empty(shape), requires_grad=False)
            for shape in ((components,), (components, size), (components, size))
        )
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        self.initialise(2 * torch.randn(components, size), torch.ones(size))

    def forward(self, batch: int, c: Tensor | None = None) -> MixtureOfGaussians:
        """The M-step: share_k = S_k, mean_k = S_k(x) / S_k, var_k = S_k(x^2) / S_k - mean_k^2."""
        share = self.share.clamp(min=LEAST_SHARE)
        means = self.first / share[:, None]
        variances = (self.second / share[:, None] - means**2).clamp(min=LEAST_VARIANCE)
        return MixtureOfGaussians(batch, share.log(), means, 0.5 * variances.log())

    def initialise(self, means: Components, variance: Float[Tensor, " number"]) -> None:
        """Set equal shares, these means and one variance."""
        self.share.fill_(1 / len(means))
        self.first.copy_(means / len(means))
        self.second.copy_((means**2 + variance) / len(means))

    @torch.no_grad()
    def em_step(self, x: Vectors) -> None:
        """Take one step on a batch; the first initialises the means by k-means++."""
        x = processes.gathered(x)
        steps, finite = torch.stack([self.steps, x.isfinite().all()]).cpu().tolist()
        if not finite:
            return
        if steps == 0:
            self.initialise(*map(processes.agreed, seed_means(x, len(self.share))))
        self.steps += 1
        rate = (steps + 1) ** -FORGETTING
        r = self(len(x)).responsibilities(x)
        with torch.autocast(x.device.type, enabled=False):  # a variance is a small difference
            expected = r.mean(0), r.T @ x / len(x), r.T @ x**2 / len(x)
        for average, batch in zip((self.share, self.first, self.second), expected, strict=True):
            average.lerp_(batch, rate)


def seed_means(x: Vectors, count: int) -> tuple[Components, Float[Tensor, " number"]]:
    """Choose means among the samples and a variance around them (Arthur and Vassilvitskii 2007).

    k-means++: each next mean is sampled in proportion to the squared distance from those before.
    """
    means = x[torch.randint(len(x), (1,), device=x.device)]
    while len(means) < count:
        squared = torch.cdist(x, means).amin(1).square() + LEAST_VARIANCE
        means = torch.cat([means, x[torch.multinomial(squared, 1)]])
    nearest = means[torch.cdist(x, means).argmin(1)]
    return means, (x - nearest).square().mean(0) + LEAST_VARIANCE


class FullGaussian(Distribution):
    """N(mean, covariance), the same for each of a batch."""

    def __init__(
        self,
        batch: int,
        mean: Float[Tensor, " number"],
        covariance: Float[Tensor, "number number"],
    ):
        self.batch, self._mean = batch, mean
        self.root = torch.linalg.cholesky(covariance.float())

    @property
    def mean(self) -> Vectors:
        return self._mean.expand(self.batch, -1)

    @property
    def representative(self) -> Vectors:
        """Return the mean."""
        return self.mean

    def rsample(self) -> Vectors:
        return self._mean + torch.randn(self.batch, len(self._mean)).to(self.root) @ self.root.T

    def log_prob(self, value: Vectors) -> Losses:
        centred = (value - self._mean).float()
        standard = torch.linalg.solve_triangular(self.root, centred.T, upper=False).T
        log_det = self.root.diagonal().log().sum()
        return -0.5 * (standard**2).sum(1) - log_det - 0.5 * centred.shape[1] * LOG_2PI


class LinearGaussian(nn.Module):
    """(batch, c) -> p(x) = N(mean, W W' + std^2 I), x = W z + mean + noise with z ~ N(0, I).

    Trained by gradients, though the paper's optimum has a closed form (eq. 7 and 8).
    """

    def __init__(self, size: int, latent: int = 1):
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(size))
        self.weight = nn.Parameter(torch.randn(size, latent))
        self.log_std = nn.Parameter(torch.zeros(()))

    def forward(self, batch: int, c: Tensor | None = None) -> FullGaussian:
        noise = (2 * self.log_std.clamp(-LOG_STD_BOUND, LOG_STD_BOUND)).exp()
        identity = torch.eye(len(self.mean), device=noise.device)
        return FullGaussian(batch, self.mean, self.weight @ self.weight.T + noise * identity)
