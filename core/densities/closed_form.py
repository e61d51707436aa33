"""Densities with closed forms: the baselines that others are measured by.

GaussianMixture(2)      a mixture of Gaussians, each with a spread for every number
LinearGaussian(2)       probabilistic PCA: x = W z + mean + noise (Tipping and Bishop, JRSS B 1999)
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from core.theory.distributions import LOG_STD_BOUND, Distribution
from core.theory.shapes import Losses

Vectors = Float[Tensor, "batch number"]
LOG_2PI = math.log(2 * math.pi)


class MixtureOfGaussians(Distribution):
    """sum over k of share_k N(mean_k, std_k^2), the same for each of a batch."""

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

    def rsample(self) -> Vectors:
        """Draws; no gradient leads to the shares."""
        chosen = self._choose()
        spread = self.log_stds.exp()[chosen]
        return self.means[chosen] + spread * torch.randn_like(spread)

    def log_prob(self, value: Vectors) -> Losses:
        standard = (value[:, None] - self.means) * torch.exp(-self.log_stds)
        each = (-0.5 * standard**2 - self.log_stds - 0.5 * LOG_2PI).sum(2)
        return torch.logsumexp(each + self.logits.log_softmax(0), 1)

    def _choose(self) -> Int[Tensor, " batch"]:
        return torch.multinomial(self.logits.softmax(0), self.batch, replacement=True)


class GaussianMixture(nn.Module):
    """(batch, c) -> p(x): learned shares, means and spreads; the condition does not move them."""

    def __init__(self, size: int, components: int = 16):
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(components))
        self.means = nn.Parameter(2 * torch.randn(components, size))
        self.log_stds = nn.Parameter(torch.zeros(components, size))

    def forward(self, batch: int, c: Tensor | None = None) -> MixtureOfGaussians:
        log_stds = self.log_stds.clamp(-LOG_STD_BOUND, LOG_STD_BOUND)
        return MixtureOfGaussians(batch, self.logits, self.means, log_stds)


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

    def rsample(self) -> Vectors:
        return self._mean + torch.randn(self.batch, len(self._mean)).to(self.root) @ self.root.T

    def log_prob(self, value: Vectors) -> Losses:
        away = (value - self._mean).float()
        standard = torch.linalg.solve_triangular(self.root, away.T, upper=False).T
        log_det = self.root.diagonal().log().sum()
        return -0.5 * (standard**2).sum(1) - log_det - 0.5 * away.shape[1] * LOG_2PI


class LinearGaussian(nn.Module):
    """(batch, c) -> p(x) = N(mean, W W' + std^2): what a linear decoder of z ~ N(0, I) makes."""

    def __init__(self, size: int, latent: int = 1):
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(size))
        self.weight = nn.Parameter(torch.randn(size, latent))
        self.log_std = nn.Parameter(torch.zeros(()))

    def forward(self, batch: int, c: Tensor | None = None) -> FullGaussian:
        noise = (2 * self.log_std.clamp(-LOG_STD_BOUND, LOG_STD_BOUND)).exp()
        identity = torch.eye(len(self.mean), device=noise.device)
        return FullGaussian(batch, self.mean, self.weight @ self.weight.T + noise * identity)


def best_log_likelihood(x: Float[Tensor, "sample number"], latent: int) -> float:
    """The most that probabilistic PCA can reach on x, in nats a sample (eq. 8 of its paper).

    By the eigenvalues of the covariance: the noise is the mean of those left out.
    """
    size = x.shape[1]
    eigenvalues = torch.linalg.eigvalsh(torch.cov(x.T, correction=0)).flip(0)
    noise = eigenvalues[latent:].mean()
    log_det = eigenvalues[:latent].log().sum() + (size - latent) * noise.log()
    return float(-0.5 * (size * LOG_2PI + log_det + size))
