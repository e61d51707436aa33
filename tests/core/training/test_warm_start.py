"""Wider networks begin as the smaller ones whose weights they take over."""

import torch
from torch import nn

from core.training.warm_start import widened


def test_a_wider_network_computes_what_the_smaller_one_did():
    """Three more inputs, two more hidden units: the first outputs stay as they were."""
    torch.manual_seed(0)
    small = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    wide = nn.Sequential(nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 4))
    known, own = small.state_dict(), wide.state_dict()
    wide.load_state_dict({name: widened(own[name], known[name]) for name in own})
    x = torch.randn(7, 2)
    torch.testing.assert_close(wide(torch.cat([x, torch.randn(7, 3)], 1))[:, :2], small(x))


def test_new_outputs_keep_their_own_weights():
    torch.manual_seed(0)
    new = torch.randn(4, 3, 3, 3)
    wide = widened(new, torch.ones(2, 1, 3, 3))
    assert torch.equal(wide[2:], new[2:])
    assert wide[:2, 0].eq(1).all()
    assert not wide[:2, 1:].any()
