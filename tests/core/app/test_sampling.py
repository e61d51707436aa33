"""Sampling in chunks: a sample depends on the seed and on its number, and on nothing else."""

import pytest
import torch

from core.app.sampling import Rows, in_chunks, seeded
from core.errors import ConfigError

CPU = torch.device("cpu")
LARGEST = 2**63 - 1


def noise(rows: Rows) -> torch.Tensor:
    """Two random numbers beside the number of each sample."""
    return torch.cat([rows[:, None].float(), torch.randn(len(rows), 2)], 1)


def sampled(count: int, seed: int = 4) -> torch.Tensor:
    return in_chunks(count, seed, CPU, noise)


def test_samples_are_numbered_from_0_and_none_is_left_out():
    assert sampled(19)[:, 0].tolist() == list(range(19))


@pytest.mark.parametrize("count", [1, 7, 8, 9, 16])
def test_a_sample_is_the_same_among_any_number_of_others(count):
    assert torch.equal(sampled(count), sampled(40)[:count])


def test_every_sample_and_every_seed_has_numbers_of_its_own():
    numbers = torch.cat([sampled(40, seed)[:, 1:] for seed in (0, 1, 2, LARGEST)])
    assert len(numbers.flatten().unique()) == 4 * 40 * 2


def test_the_callers_random_state_is_kept_and_does_not_matter():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = sampled(9)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(sampled(9), one)
    with seeded(3, 5, CPU):
        first = torch.rand(3)
    with seeded(3, 5, CPU):
        assert torch.equal(torch.rand(3), first)
    with seeded(3, 6, CPU):
        assert not torch.equal(torch.rand(3), first)


@pytest.mark.parametrize(
    ("count", "seed", "sentence"),
    [
        (0, 0, "count must be at least 1, not 0"),
        (1, -1, "a seed is from 0 to"),
        (1, LARGEST + 1, "a seed is from 0"),
    ],
)
def test_what_cannot_be_sampled_is_refused(count, seed, sentence):
    with pytest.raises(ConfigError, match=sentence):
        sampled(count, seed)
