"""Vector quantisation: a prior over the codes of a learned codebook, sampled autoregressively.

The latent vector is cut into positions; at each position stands one vector of the codebook, and a
causal transformer gives the probability of each index, given those before it and the condition:
p(z given c) = product over n of p(k_n given k_<n, c). Van den Oord, Vinyals and Kavukcuoglu, NIPS
2017; conditioned on text this is the construction of DALL-E (Ramesh et al., ICML 2021).

CodePrior(16)           one level of codes (VQ-VAE)
TwoLevelCodePrior(16)   coarse codes, then fine codes given those (VQ-VAE-2, Razavi et al., NIPS
                        2019): p(top given c) p(bottom given top, c)
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from core import processes
from core.densities.transformer import CausalTransformer, log_prob_of, sample_logits
from core.networks.buffers import number_in, set_number
from core.networks.hierarchy import HierarchicalDelta, coarse_size
from core.theory.distributions import Distribution, straight_through
from core.theory.shapes import Latents, Losses

CODES = 128
"""Vectors of a codebook."""
NUMBERS = 4
"""Numbers of a code vector, where the latent vector has room for two of that size."""
WIDTH, LAYERS, HEADS = 64, 2, 4

USAGE_DECAY = 0.99
LEAST_USAGE = 0.1
"""A code that is used less, as a share of uniform usage, restarts at an encoded vector."""

Indices = Int[Tensor, "batch position"]
CodeVectors = Float[Tensor, "batch position number"]


def positions_of(latent: int) -> int:
    """Return the number of positions into which z is cut, in equal parts of `NUMBERS` or more.

    >>> positions_of(16), positions_of(2), positions_of(9)
    (4, 2, 1)
    """
    most = max(2, latent // NUMBERS)
    return max(n for n in range(1, most + 1) if latent % n == 0)


class CodePrior(nn.Module):
    """(batch, c) -> p(z given c) over the sequences of code vectors.

    Unlike in the paper, z is a vector instead of a map, a transformer takes the place of its
    PixelCNN, and the prior trains along with the autoencoder instead of after it.
    """

    usage: Tensor
    initialised: Tensor

    def __init__(self, latent: int, condition: int = 0):
        super().__init__()
        self.positions = positions_of(latent)
        self.codebook = nn.Parameter(torch.randn(CODES, latent // self.positions))
        self.register_buffer("usage", torch.ones(CODES))
        self.register_buffer("initialised", torch.zeros(()))
        self.embedding = nn.Embedding(CODES, WIDTH)
        self.position = nn.Parameter(0.02 * torch.randn(self.positions, WIDTH))
        self.start = nn.Linear(max(1, condition), WIDTH)
        self.transformer = CausalTransformer(WIDTH, LAYERS, HEADS)
        self.logits = nn.Linear(WIDTH, CODES)

    def forward(self, batch: int, c: Tensor | None = None) -> "CodeDistribution":
        condition = self.position.new_zeros(batch, 1) if c is None else c
        return CodeDistribution(self, self.start(condition.float()))

    def facts(self) -> dict[str, Tensor]:
        """Return the perplexity of the codes' usage, 1 to `CODES`."""
        return {"perplexity": perplexity(self.usage)}

    def split(self, z: Latents) -> CodeVectors:
        """Cut latent vectors into positions."""
        return z.unflatten(1, (self.positions, -1))  # [batch position number]

    def nearest_indices(self, vectors: CodeVectors) -> Indices:
        """Return the index of the code vector nearest to each vector."""
        codes = self.codebook.detach().expand(len(vectors), -1, -1)  # [batch code number]
        return torch.cdist(vectors.detach().float(), codes).argmin(2)

    @torch.no_grad()
    def count(self, vectors: CodeVectors) -> None:
        """Track the codes' usage; unused codes restart at vectors of this batch.

        Random restarts (Dhariwal et al., Jukebox, 2020, section 3.1); the first batch initialises
        the whole codebook.
        """
        vectors = processes.gathered(vectors)
        if not number_in(self.initialised):
            self._restart(vectors, torch.ones_like(self.usage, dtype=torch.bool))
            set_number(self.initialised, 1)
        indices = self.nearest_indices(vectors).flatten()
        codes = torch.arange(CODES, device=indices.device)
        frequency = CODES * (indices[:, None] == codes).to(self.usage).mean(0)
        self.usage.lerp_(frequency, 1 - USAGE_DECAY)
        self._restart(vectors, self.usage < LEAST_USAGE)

    def _restart(self, vectors: CodeVectors, unused: Bool[Tensor, " code"]) -> None:
        """Move these codes to random ones of the vectors that are finite; reset their usage."""
        pool = vectors.flatten(0, 1).float()  # [batch*position number]
        chosen = torch.randint(len(pool), (CODES,), device=pool.device)
        new = pool[processes.agreed(chosen)]
        moves = unused & new.isfinite().all(1)
        self.codebook.data.copy_(new.where(moves[:, None], self.codebook))
        self.usage.masked_fill_(moves, 1.0)


class CodeDistribution(Distribution):
    """p(z given c), one condition for each of a batch."""

    def __init__(self, prior: CodePrior, start: Float[Tensor, "batch width"]):
        self.prior, self.start = prior, start

    @property
    def representative(self) -> Latents:
        """Return the code vectors of greedy decoding: the likeliest index at each position."""
        return self._generate(lambda logits: logits.argmax(-1))

    def rsample(self) -> Latents:
        """Sample index after index; no gradient leads to the probabilities."""
        return self._generate(sample_logits)

    def _generate(self, choose: Callable[[Tensor], Tensor]) -> Latents:
        kv_caches = self.prior.transformer.caches()
        token, indices = self.start[:, None], []
        for position in self.prior.position:
            hidden = self.prior.transformer(token + position, kv_caches)
            indices.append(choose(self.prior.logits(hidden[:, 0])))
            token = self.prior.embedding(indices[-1])[:, None]
        return self.prior.codebook[torch.stack(indices, 1)].flatten(1)  # [batch latent]

    def log_prob(self, value: Latents) -> Losses:
        """Return log p of the codes nearest to `value`, in nats."""
        indices = self.prior.nearest_indices(self.prior.split(value))
        earlier = torch.cat([self.start[:, None], self.prior.embedding(indices[:, :-1])], 1)
        logits = self.prior.logits(self.prior.transformer(earlier + self.prior.position))
        log_probs = log_prob_of(logits.flatten(0, 1), indices.flatten())  # [batch*position]
        return log_probs.view(indices.shape).sum(1)  # [batch]

    def encode(self, posterior: Distribution) -> Latents:
        """Quantise the encoder's z, with a straight-through gradient; in training count usage."""
        return self.nearest(posterior.representative)

    def nearest(self, value: Latents) -> Latents:
        """Return the code vectors nearest to `value`, with the gradient of `value`."""
        learns = self.prior.training and self.prior.codebook.requires_grad
        if learns and torch.is_grad_enabled():
            self.prior.count(self.prior.split(value))
        return straight_through(self.codes(value).to(value.dtype), value)

    def codes(self, value: Latents) -> Latents:
        """Return the code vectors nearest to `value`, with the gradient of the codebook."""
        indices = self.prior.nearest_indices(self.prior.split(value))
        return self.prior.codebook[indices].flatten(1)  # [batch latent]

    def gap(self, posterior: Distribution) -> Losses:
        """Return |z - e|^2, e the code vectors nearest to the encoder's z."""
        return self.distance(posterior.representative)

    def distance(self, value: Latents) -> Losses:
        """Squared distance of `value` from its code vectors."""
        return (value.float() - self.codes(value)).square().sum(1)


class TwoLevelCodePrior(nn.Module):
    """(batch, c) -> p(top given c) p(bottom given top, c) over coarse and fine codes.

    Each level has a codebook and a causal transformer of its own; that of the bottom level is
    conditioned on the top code vectors (Razavi et al. 2019, section 3.2). Differences from the
    paper are those of `CodePrior`.
    """

    def __init__(self, latent: int, condition: int = 0):
        super().__init__()
        self.coarse = coarse_size(latent)
        self.top = CodePrior(self.coarse, condition)
        self.bottom = CodePrior(latent - self.coarse, condition + self.coarse)

    def forward(self, batch: int, c: Tensor | None = None) -> "TwoLevelCodeDistribution":
        return TwoLevelCodeDistribution(self, batch, c)

    def facts(self) -> dict[str, Tensor]:
        """Return the perplexity of each level's codes."""
        levels = {"top": self.top, "bottom": self.bottom}
        return {f"perplexity_{name}": perplexity(level.usage) for name, level in levels.items()}


class TwoLevelCodeDistribution(Distribution):
    """p(top given c) p(bottom given top, c) over z = [top, bottom]."""

    def __init__(self, prior: TwoLevelCodePrior, batch: int, c: Tensor | None):
        self.prior, self.c = prior, c
        self.top = prior.top(batch, c)

    def bottom(self, top: Latents) -> CodeDistribution:
        """Return p(bottom given top, c); its likelihood trains no top codebook."""
        given = top.detach() if self.c is None else torch.cat([top.detach(), self.c], 1)
        return self.prior.bottom(len(top), given)

    @property
    def representative(self) -> Latents:
        """Return the code vectors of greedy decoding, the top level first."""
        top = self.top.representative
        return torch.cat([top, self.bottom(top).representative], 1)

    def rsample(self) -> Latents:
        """Ancestral sampling: the top codes, then the bottom codes given those."""
        top = self.top.rsample()
        return torch.cat([top, self.bottom(top).rsample()], 1)

    def log_prob(self, value: Latents) -> Losses:
        """Return log p of the codes nearest to `value`, in nats."""
        top, bottom = value.tensor_split([self.prior.coarse], dim=1)
        return self.top.log_prob(top) + self.bottom(self.top.codes(top)).log_prob(bottom)

    def encode(self, posterior: Distribution) -> Latents:
        """Quantise z_1, then z_2 as the encoder computes it given the quantised z_1."""
        assert isinstance(posterior, HierarchicalDelta)
        top = self.top.nearest(posterior.top)
        return torch.cat([top, self.bottom(top).nearest(posterior.bottom(top))], 1)

    def gap(self, posterior: Distribution) -> Losses:
        """Return |z_1 - e_1|^2 + |z_2 - e_2|^2, e the codes' vectors, z_2 given e_1."""
        assert isinstance(posterior, HierarchicalDelta)
        top = straight_through(self.top.codes(posterior.top), posterior.top)
        bottom = posterior.bottom(top)
        return self.top.distance(posterior.top) + self.bottom(top).distance(bottom)


def perplexity(usage: Float[Tensor, " code"]) -> Float[Tensor, ""]:
    """Return exp of the entropy of the usage: the number of codes in use, 1 to all of them."""
    return torch.special.entr(usage / usage.sum()).sum().exp()
