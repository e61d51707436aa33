"""Numbers in buffers: the one that is there, read where it has changed."""

import copy

import pytest
import torch
from pretended import pretended_device, reads
from torch import nn

from core.networks.buffers import number_in, set_number


def test_a_number_is_that_of_the_buffer_whatever_changed_it():
    network = nn.BatchNorm1d(1)
    count = network.num_batches_tracked
    assert count is not None
    assert number_in(count) == 0
    network(torch.randn(3, 1))
    assert number_in(count) == 1
    count.copy_(torch.tensor(7))
    assert number_in(count) == 7
    network.load_state_dict({**network.state_dict(), "num_batches_tracked": torch.tensor(3)})
    assert number_in(count) == 3
    set_number(count, 5)
    assert (number_in(count), count.item()) == (5, 5)


def test_a_copy_has_a_number_of_its_own():
    one = torch.tensor(2.0)
    assert number_in(one) == 2
    other = copy.deepcopy(one)
    set_number(other, 3)
    set_number(one, 4)
    assert (number_in(one), number_in(other)) == (4, 3)


def test_a_number_that_was_set_is_what_the_buffer_holds_of_it():
    stage = torch.tensor(0.0)
    set_number(stage, 0.1)
    assert number_in(stage) == stage.item() != 0.1


def test_a_device_is_read_only_after_a_change():
    with pretended_device() as device:
        stage = torch.zeros((), device=device)
        before = reads()
        for _ in range(3):
            assert number_in(stage) == 0
        assert reads() == before + 1
        set_number(stage, 2)
        assert number_in(stage) == 2
        assert reads() == before + 1
        stage += 1
        assert number_in(stage) == pytest.approx(3)
        assert reads() == before + 2
