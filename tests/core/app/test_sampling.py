"""A sample depends on the seed and on its number alone, and the caller's random state is kept."""

import pytest
import torch

from core.app.sampling import CHUNK, in_chunks, seeded
from core.errors import ConfigError

CPU = torch.device("cpu")


def noise(rows: torch.Tensor) -> torch.Tensor:
    """One random number beside the number of each row."""
    return torch.stack([rows.float(), torch.rand(len(rows))], 1)


def test_a_sample_is_the_same_alone_first_or_among_others():
    many = in_chunks(2 * CHUNK + 3, 5, CPU, noise)
    assert many.shape == (2 * CHUNK + 3, 2)
    for count in (1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK):
        assert torch.equal(in_chunks(count, 5, CPU, noise), many[:count])
    assert many[:, 0].tolist() == list(range(2 * CHUNK + 3))
    assert many[:, 1].unique().numel() == 2 * CHUNK + 3
    assert not torch.equal(many, in_chunks(2 * CHUNK + 3, 6, CPU, noise))


def test_chunks_are_always_full():
    sizes: list[int] = []

    def draw(rows: torch.Tensor) -> torch.Tensor:
        sizes.append(len(rows))
        return rows.float()

    assert in_chunks(CHUNK + 2, 0, CPU, draw).tolist() == list(range(CHUNK + 2))
    assert sizes == [CHUNK, CHUNK]


def test_the_callers_random_state_is_kept():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    in_chunks(3, 7, CPU, noise)
    with seeded(8, 0, CPU):
        torch.rand(5)
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize(("count", "seed"), [(0, 0), (-1, 0), (1, -1), (1, 2**63)])
def test_counts_and_seeds_out_of_range_are_refused(count: int, seed: int):
    with pytest.raises(ConfigError):
        in_chunks(count, seed, CPU, noise)
