"""Streams: the random numbers of each sequence are its own."""

import numpy as np
import pytest

from core.densities.streams import BLOCK, Streams


def test_a_stream_depends_on_its_seed_alone_also_when_others_leave():
    """Over more than two blocks, in the middle of which the first and the third leave."""
    count, leaves = 2 * BLOCK + 5, BLOCK + 7
    streams, found = Streams([4, [5, 1], 6], width=3), []
    for position in range(count):
        if position == leaves:
            streams.keep(np.array([1]))
        found.append(streams.next()[:, 1 if position < leaves else 0])
    generator = np.random.default_rng([5, 1])
    blocks = [generator.random((BLOCK, 3), np.float32) for _ in range(3)]
    assert np.array_equal(found, np.concatenate(blocks)[:count])


def test_numbers_are_uniform_and_those_of_two_seeds_independent():
    streams = Streams([1, 2], width=2)
    numbers = np.array([streams.next() for _ in range(4000)])  # [position number sequence]
    assert numbers.min() >= 0 and numbers.max() < 1
    assert numbers.mean(0) == pytest.approx(np.full((2, 2), 0.5), abs=0.02)
    flat = numbers.reshape(-1, 4).T  # [number*sequence position]
    assert np.corrcoef(flat) == pytest.approx(np.eye(4), abs=0.06)
