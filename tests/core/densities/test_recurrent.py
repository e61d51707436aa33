"""A recurrent body: position after position as all at once, and rows that leave."""

import numpy as np
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


@torch.no_grad()
def test_rows_that_are_kept_go_on_without_the_others(gru: CausalGRU):
    x, kept, steps = (
        torch.randn(4, 5, 6, dtype=torch.double),
        np.array([3, 0]),
        RecurrentSteps(gru),
    )
    steps.keep(kept)  # nothing yet
    steps.read(x[:, :4])
    steps.keep(kept)
    last = steps(steps.taken(x[kept, 4].numpy()) + steps.bias)
    np.testing.assert_allclose(last, gru(x)[kept, 4])


@torch.no_grad()
def test_rows_that_go_on_alone_leave_the_others_as_they_were(gru: CausalGRU):
    """Two rows read three positions, one a fourth alone, and both a last one."""
    x, steps = torch.randn(2, 5, 6, dtype=torch.double), RecurrentSteps(gru)
    taken = np.stack([steps.taken(row) for row in x.numpy()]) + steps.bias
    steps.read(x[:, :3])
    alone = steps.move(np.array([1]), taken[1:, 3])
    np.testing.assert_allclose(alone, gru(x)[1:, 3])
    last = steps(taken[:, 4])
    np.testing.assert_allclose(last[1], gru(x)[1, 4])
    np.testing.assert_allclose(last[0], gru(x[:1, [0, 1, 2, 4]])[0, 3])
