"""Terms of priors that generate pieces."""

import pytest
import torch

from core.theory.passes import Batch, Networks, Passes
from musegen.terms import MomentsOfPieces


class Itself(torch.nn.Module):
    def statistics(self, z: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (z,)


class Drawn(Passes):
    """Pieces that are given as their statistics."""

    def __init__(self, produced: torch.Tensor, real: torch.Tensor):
        super().__init__(Networks({"critic_prior": Itself()}), Batch(real))
        self.drawn = produced, real

    def produced(self, space):
        return self.drawn[:1]

    def reference(self, space):
        return self.drawn[1:]


def loss(produced: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    return MomentsOfPieces()(Drawn(produced, real), "prior", "critic_prior")


def test_moments_of_pieces_by_hand():
    """Means 4 and 2, variances 8 and 2, each of two: (4 - 8/2 - 2/2) / 2.001.

    The second statistic has means 0 and 0, variances 0 and 2: (0 - 0/2 - 2/2) / 2.001.
    """
    produced = torch.tensor([[2.0, 0.0], [6.0, 0.0]])
    real = torch.tensor([[1.0, 1.0], [3.0, -1.0]])
    expected = ((4 - 4 - 1) / 2.001 + (0 - 0 - 1) / 2.001) / 2
    assert loss(produced, real).item() == pytest.approx(expected, rel=1e-5)


def test_moments_of_statistics_in_bfloat16_are_taken_in_single_precision():
    """From 256 on bfloat16 has steps of 2, in which means of neighbours are equal."""
    produced, real = torch.tensor([[256.0], [258.0]]), torch.tensor([[255.0], [257.0]])
    halves = loss(produced.bfloat16(), real.bfloat16())
    assert torch.equal(halves, loss(produced.bfloat16().float(), real.bfloat16().float()))


def test_equal_pieces_gain_nothing_on_average():
    """The mean over all pairs of pieces from {0, 2} is that of two pieces of 1."""
    real = torch.tensor([[0.0], [2.0]])
    pairs = [torch.tensor([[a], [b]]) for a in (0.0, 2.0) for b in (0.0, 2.0)]
    spread = torch.stack([loss(pair, real) for pair in pairs]).mean()
    equal = loss(torch.ones(2, 1), real)
    assert spread.item() == pytest.approx(equal.item(), abs=1e-6)
