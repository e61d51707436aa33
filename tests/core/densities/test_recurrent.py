"""A recurrent body: position after position as all at once, and rows that leave."""

import pytest
import torch

from core.densities.recurrent import CausalGRU, RecurrentSteps


@pytest.fixture
def gru() -> CausalGRU:
    return CausalGRU(width=6, layers=2).double()


@pytest.mark.parametrize("cuts", [(7,), (1, 1, 5), (3, 4)])
def test_a_state_changes_nothing(gru: CausalGRU, cuts: tuple[int, ...]):
    x = torch.randn(3, 7, 6, dtype=torch.double)
    caches = gru.caches()
    pieces = [gru(piece, caches) for piece in x.split(cuts, dim=1)]
    torch.testing.assert_close(torch.cat(pieces, 1), gru(x))


def test_later_positions_do_not_change_earlier_ones(gru: CausalGRU):
    x = torch.randn(2, 5, 6, dtype=torch.double)
    other = x.clone()
    other[:, 3] += 1
    assert torch.equal(gru(x)[:, :3], gru(other)[:, :3])
    assert not torch.allclose(gru(x)[:, 3], gru(other)[:, 3])


def test_a_state_of_some_sequences_goes_on_without_the_others(gru: CausalGRU):
    x, kept = torch.randn(4, 5, 6, dtype=torch.double), torch.tensor([0, 3])
    caches = gru.caches()
    caches[0].keep(kept)  # nothing yet
    gru(x[:, :4], caches)
    caches[0].keep(kept)
    torch.testing.assert_close(gru(x[kept, 4:], caches)[:, 0], gru(x)[kept, 4])


@torch.no_grad()
def test_rows_that_go_on_alone_leave_the_others_as_they_were(gru: CausalGRU):
    """Two rows read three positions, one a fourth alone, and both a last one."""
    x, steps = torch.randn(2, 5, 6, dtype=torch.double), RecurrentSteps(gru)
    taken = steps.taken(x) + steps.bias
    steps.read(x[:, :3])
    torch.testing.assert_close(steps.move(torch.tensor([1]), taken[1:, 3]), gru(x)[1:, 3])
    last = steps(taken[:, 4])
    torch.testing.assert_close(last[1], gru(x)[1, 4])
    torch.testing.assert_close(last[0], gru(x[:1, [0, 1, 2, 4]])[0, 3])
