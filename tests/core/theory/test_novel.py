"""Terms of what is generated for conditions that no sample has."""

import pytest
import torch
from torch import nn

from core.theory.distributions import Delta
from core.theory.passes import Batch, Networks, Passes
from core.theory.terms import Novel, Reconstruct, describe, needs_of
from core.training.memory import split

X, C = torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([[10.0], [20.0], [40.0]])
NOVEL = Batch(X[[1, 2, 0]], torch.tensor([[300.0], [500.0], [700.0]]))


class Sum(nn.Module):
    """A decoder that adds the condition to z, and a prior of zeros."""

    def forward(self, z, c):
        return Delta(torch.zeros_like(c) if isinstance(z, int) else z + c)


class Difference:
    """The difference between what is generated and x."""

    name, trains, networks, weight = "difference", ("decoder",), ("decoder", "prior"), 1.0
    formula, needs = "Difference", frozenset({"maps"})

    def __call__(self, passes):
        return (passes.generated_x - passes.x).sum(1)


def passes_of(batch):
    return Passes(Networks({"decoder": Sum(), "prior": Sum()}), batch)


def test_a_term_meets_what_novel_conditions_generate_beside_their_own_x():
    passes = passes_of(Batch(X, C, novel=NOVEL))
    assert Difference()(passes).tolist() == [9, 18, 36]
    assert Novel(Difference(), ("decoder",))(passes).tolist() == [298, 496, 699]
    assert Difference()(passes).tolist() == [9, 18, 36], "the others keep their conditions"
    assert Novel(Difference(), ("decoder",))(passes.first(2)).tolist() == [298, 496]


def test_parts_of_a_batch_have_their_own_novel_conditions():
    (first, second) = split(Batch(X, C, novel=NOVEL), 2)
    assert first.novel is not None and first.novel.x.tolist() == [[2], [4]]
    assert second.novel is not None and second.novel.c is not None
    assert second.novel.c.tolist() == [[700]]
    assert second.other is None and split(Batch(X, C), 2)[0].novel is None


def test_a_batch_without_them_is_refused_by_name():
    with pytest.raises(ValueError, match="novel conditions are needed"):
        Novel(Difference(), ("decoder",))(passes_of(Batch(X, C)))


def test_the_term_says_what_it_is_of_and_needs():
    term = Novel(Difference(), ("decoder",), weight=10.0)
    assert (term.name, describe(term)) == ("novel_difference", "10 Novel(Difference)")
    assert needs_of(term) == {"maps", "novel"}
    assert term.networks == ("decoder", "prior")
    assert describe(Novel(Reconstruct("z", weight=2.0), ())) == "Novel(2 Reconstruct(z))"
