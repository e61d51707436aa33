"""Sampling in chunks, each with random numbers of its own.

A sample depends on the seed and on its number alone: it is the same by itself, first of many, or
among any number of others, to the bit. For that the chunks are always the same and always full:
1, 1, 2, 4, 8 ... samples, so that one sample costs one, and many at most twice their number; or
they grow faster where a chunk costs about the same whatever its size. The caller's random state is
left as it is.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from jaxtyping import Int
from torch import Tensor

from core.config import require_seed, whole
from core.theory.shapes import Samples
from core.training.device import isolated_random_state, seed_part

LARGEST_CHUNK = 64
"""Chunks double up to this many samples, which are computed at once."""

Drawn = TypeVar("Drawn")

Rows = Int[Tensor, " row"]
"""Numbers of samples, from 0."""


@contextlib.contextmanager
def seeded(seed: int, number: int, device: torch.device) -> Iterator[None]:
    """Draw from random numbers of (seed, number) within; torch's global state is kept."""
    with isolated_random_state(device):
        seed_part(seed, number)
        yield


def in_chunks(
    count: int, seed: int, device: torch.device, draw: Callable[[Rows], Samples]
) -> Samples:
    """Return samples 0 to `count`; `draw` computes those with the given numbers.

    `ConfigError` unless count is at least 1 and the seed is 0 to 2^63 - 1.
    """
    return torch.cat(list(draw_chunks(count, seed, device, draw)))[:count]


def draw_chunks(
    count: int,
    seed: int,
    device: torch.device,
    draw: Callable[[Rows], Drawn],
    growth: int = 2,
) -> Iterator[Drawn]:
    """Return what `draw` computes for each chunk, once it is asked for; the last can go beyond
    `count`.

    Each chunk makes the number of samples so far `growth` times as large. See `in_chunks`, of
    which `draw` returns samples.
    """
    count, seed = whole("count", count), require_seed(seed)

    def chunk(number: int, first: int, size: int) -> Drawn:
        with seeded(seed, number, device):
            return draw(torch.arange(first, first + size).clamp(max=count - 1))

    return (chunk(number, *span) for number, span in enumerate(_chunks(count, growth)))


def chunks_of(count: int, growth: int = 2) -> int:
    """Return in how many chunks so many samples are drawn."""
    return sum(1 for _ in _chunks(count, growth))


def _chunks(count: int, growth: int = 2) -> Iterator[tuple[int, int]]:
    """First sample and size of each chunk, until `count` samples are covered.

    >>> list(_chunks(5)), list(_chunks(70, growth=8))
    ([(0, 1), (1, 1), (2, 2), (4, 4)], [(0, 1), (1, 7), (8, 56), (64, 64)])
    """
    first, size = 0, 1
    while first < count:
        yield first, size
        first += size
        size = min(first * (growth - 1), LARGEST_CHUNK)
