"""Random numbers of sequences that are sampled side by side, each from a stream of its own."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from core.densities.arrays import Indices

BLOCK = 64
"""Positions for which the numbers of a stream are drawn at once."""


Seeds = Sequence[int | Sequence[int]]
"""A seed of each sequence."""


class Streams:
    """Uniform numbers from 0 to below 1, `width` for each position of each sequence.

    Those of a sequence depend on its seed alone, so that it is the same whatever is sampled beside
    it.

    >>> both, alone = Streams([[3, 1], [3, 2]], width=2), Streams([[3, 2]], width=2)
    >>> bool((both.next()[:, 1] == alone.next()[:, 0]).all())
    True
    """

    def __init__(self, seeds: Seeds, width: int):
        self.generators = [np.random.default_rng(seed) for seed in seeds]
        self.width, self.position = width, 0

    def next(self) -> Float[np.ndarray, "number sequence"]:
        """Return the numbers of the next position."""
        at = self.position % BLOCK
        if not at:
            shape = BLOCK, self.width
            drawn = [one.random(shape, np.float32) for one in self.generators]
            self.block = np.stack(drawn, 2)  # [position number sequence]
        self.position += 1
        return self.block[at]

    def keep(self, rows: Indices) -> None:
        """Drop all sequences but these."""
        self.generators = [self.generators[row] for row in rows]
        self.block = self.block[:, :, rows]
