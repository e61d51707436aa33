"""Clauses: the parts of a caption that "and" joins, each with a condition and latents of its own.

The condition c [batch condition] is the concatenation of the clauses' conditions; that of a clause
which a caption does not have is 0. z [batch latent] is the concatenation of their latents.

>>> import torch
>>> c = torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 0.0, 0.0]])
>>> present(c, 2).tolist()
[[True, True], [True, False]]
>>> others(c, 2).tolist()
[[[3.0, 4.0], [1.0, 2.0]], [[0.0, 0.0], [5.0, 6.0]]]
"""

from jaxtyping import Bool, Float
from torch import Tensor

from core.errors import ConfigError
from core.theory.distributions import Delta, Distribution, Gaussian

ByClause = Float[Tensor, "batch clause number"]
Present = Bool[Tensor, "batch clause"]
"""True where a caption has the clause."""


def by_clause(numbers: Float[Tensor, "batch _"], clauses: int) -> ByClause:
    """Return the condition, or the latents, of each clause."""
    return numbers.unflatten(1, (clauses, -1))  # [batch clause number]


def present(c: Float[Tensor, "batch condition"], clauses: int) -> Present:
    """Return which clauses the captions have; the first is always there."""
    there = by_clause(c, clauses).ne(0).any(2)  # [batch clause]
    there[:, 0] = True
    return there


def others(c: Float[Tensor, "batch condition"], clauses: int) -> ByClause:
    """Return for each clause the sum of the others' conditions; no numbers for a single one."""
    own = by_clause(c, clauses)
    return own.sum(1, keepdim=True) - own if clauses > 1 else own[..., :0]


def joined(each: Distribution, clauses: int) -> Distribution:
    """Return the distribution of all clauses' latents from that of each [(batch clause) latent].

    `ConfigError` for latents that are no vector of numbers, such as codes.
    """

    def rows(numbers: Float[Tensor, "_ latent"]) -> Float[Tensor, "batch _"]:
        return numbers.unflatten(0, (-1, clauses)).flatten(1)  # [batch (clause latent)]

    if clauses == 1:
        return each
    if isinstance(each, Gaussian):
        return Gaussian(rows(each.mean), rows(each.log_std))
    if isinstance(each, Delta):
        return Delta(rows(each.point), each.std)
    raise ConfigError("this model has one z for a caption: --set model.video.clauses=1")
