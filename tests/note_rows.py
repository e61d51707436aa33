"""Notes from rows of numbers and back, for tests."""

import numpy as np

from musegen.roll import Notes


def notes(*rows: tuple[int, ...]) -> Notes:
    """Notes from rows of (track, start, pitch, length[, velocity])."""
    full = [(*row, 100)[:5] for row in rows]
    return Notes(*np.array(full, np.int64).reshape(-1, 5).T)


def rows(of: Notes) -> list[tuple[int, ...]]:
    return list(zip(*(c.tolist() for c in (of.track, of.start, of.pitch, of.length)), strict=True))
