"""Codes: a prior whose points are rows of a learned table, told one after the other.

The latent vector is cut into places; each place is one of the table's rows, and a causal
transformer says how likely each row is, given the places before it and the condition:
p(z given c) = product over places of p(row_n given rows_<n, c). Van den Oord, Vinyals and
Kavukcuoglu, NIPS 2017; with a caption as the condition this is the construction of DALL-E (Ramesh
et al., ICML 2021), with two tables, coarse and fine, that of VQ-VAE-2 (Razavi et al., NIPS 2019).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from core.densities.transformer import CausalTransformer, log_prob_of, sample_logits
from core.theory.distributions import Distribution, straight_through
from core.theory.shapes import Latents, Losses

CODES = 128
"""Rows of a table."""
NUMBERS = 4
"""Numbers of a place, where the latent vector has room for more than two."""
WIDTH, LAYERS, HEADS = 64, 2, 4

USE_DECAY = 0.99
LEAST_USE = 0.1
"""Of its fair share: a row that is used less begins anew where an encoded place lies."""

Rows = Int[Tensor, "batch place"]
CodeVectors = Float[Tensor, "batch place number"]


class CodePrior(nn.Module):
    """(batch, c) -> p(z given c) over the vectors that the tables can write."""

    use: Tensor
    begun: Tensor

    def __init__(self, latent: int, condition: int = 0, tables: int = 1):
        super().__init__()
        self.places = max(2, latent // NUMBERS)
        self.tables = nn.Parameter(torch.randn(tables, CODES, latent // self.places))
        self.register_buffer("use", torch.ones(tables, CODES))
        self.register_buffer("begun", torch.zeros(()))
        self.row = nn.Embedding(tables * CODES, WIDTH)
        self.place = nn.Parameter(0.02 * torch.randn(self.places, WIDTH))
        self.begin = nn.Linear(max(1, condition), WIDTH)
        self.transformer = CausalTransformer(WIDTH, LAYERS, HEADS)
        self.out = nn.Linear(WIDTH, CODES)

    def forward(self, batch: int, c: Tensor | None = None) -> "CodeDistribution":
        told = self.place.new_zeros(batch, 1) if c is None else c
        return CodeDistribution(self, self.begin(told.float()))

    def facts(self) -> dict[str, float]:
        """How many rows of each table are in use."""
        return {f"perplexity_{n + 1}": perplexity(use) for n, use in enumerate(self.use)}

    @property
    def table_of(self) -> Int[Tensor, " place"]:
        """Which table each place is written with: the first places with the first one."""
        place = torch.arange(self.places, device=self.place.device)
        return place * len(self.tables) // self.places

    def nearest_rows(self, places: CodeVectors) -> Rows:
        """The row nearest to each place."""
        tables = self.tables[self.table_of].detach()
        distance = torch.cdist(places.detach().float().transpose(0, 1), tables)
        return distance.argmin(2).T

    def written(self, rows: Rows) -> CodeVectors:
        """What rows stand for."""
        return self.tables[self.table_of, rows]

    def cut(self, z: Latents) -> CodeVectors:
        """A latent vector as its places."""
        return z.unflatten(1, (self.places, -1))

    @torch.no_grad()
    def count(self, places: CodeVectors, rows: Rows) -> None:
        """Count how often rows are used; those that are not begin anew among these places."""
        if not self.begun:
            self._scatter(places, torch.ones_like(self.use, dtype=torch.bool))
            self.begun.fill_(1)
        for table in range(len(self.tables)):
            mine = rows[:, self.table_of == table].flatten()
            share = torch.bincount(mine, minlength=CODES) * CODES / max(1, len(mine))
            self.use[table].lerp_(share.to(self.use), 1 - USE_DECAY)
        self._scatter(places, self.use < LEAST_USE)

    def _scatter(self, places: CodeVectors, rows: Tensor) -> None:
        """Put these rows [table row] where some of the places lie, and count them as used."""
        for table in range(len(self.tables)):
            pool = places[:, self.table_of == table].flatten(0, 1).float()
            wanted = int(rows[table].sum())
            chosen = torch.randint(len(pool), (wanted,), device=pool.device)
            self.tables.data[table, rows[table]] = pool[chosen]
        self.use[rows] = 1.0


class CodeDistribution(Distribution):
    """p(z given c), one condition for each of a batch."""

    def __init__(self, prior: CodePrior, begin: Float[Tensor, "batch width"]):
        self.prior, self.begin = prior, begin

    @property
    def mean(self) -> Latents:
        """A draw: the mean of codes is no code."""
        return self.rsample()

    def rsample(self) -> Latents:
        """Draw row after row; no gradient leads to the probabilities."""
        kv_caches = self.prior.transformer.kv_caches()
        told, rows = self.begin[:, None], []
        for place in range(self.prior.places):
            read = self.prior.transformer(told + self.prior.place[place], kv_caches)
            rows.append(sample_logits(self.prior.out(read[:, 0])))
            table = int(self.prior.table_of[place])
            told = self.prior.row(rows[-1] + table * CODES)[:, None]
        return self.prior.written(torch.stack(rows, 1)).flatten(1)

    def log_prob(self, value: Latents) -> Losses:
        """Of the rows nearest to `value`, in nats."""
        rows = self.prior.nearest_rows(self.prior.cut(value))
        told = self.prior.row(rows[:, :-1] + self.prior.table_of[:-1] * CODES)
        heard = torch.cat([self.begin[:, None], told], 1) + self.prior.place
        logits = self.prior.out(self.prior.transformer(heard))
        return log_prob_of(logits.flatten(0, 1), rows.flatten()).view(rows.shape).sum(1)

    def nearest(self, value: Latents) -> Latents:
        """What the tables can write that is nearest to `value`, with the gradient of `value`."""
        places = self.prior.cut(value)
        rows = self.prior.nearest_rows(places)
        if self.prior.training and torch.is_grad_enabled():
            self.prior.count(places, rows)
            rows = self.prior.nearest_rows(places)
        return straight_through(self.prior.written(rows).flatten(1).to(value.dtype), value)

    def gap(self, value: Latents) -> Losses:
        """Squared distance of `value` from the vector that the tables write for it."""
        places = self.prior.cut(value)
        written = self.prior.written(self.prior.nearest_rows(places))
        return ((places.float() - written) ** 2).flatten(1).sum(1)


def two_tables(latent: int, condition: int = 0) -> CodePrior:
    """The coarse half of the places with one table, the fine half with another."""
    return CodePrior(latent, condition, tables=2)


def perplexity(use: Float[Tensor, " row"]) -> float:
    """How many rows are in use: exp of the entropy of their frequencies, 1 to their number."""
    return float(torch.special.entr(use / use.sum()).sum().exp())
