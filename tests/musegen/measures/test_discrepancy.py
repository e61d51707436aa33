"""Maximum mean discrepancy of rolls, which `gmmn` minimises: music is nearest to music."""

import numpy as np
import torch

from core.theory.divergences import mmd
from musegen.data.band import song
from musegen.measures.evaluation import independent_cells
from musegen.networks.states import to_states
from musegen.roll import Grid

SONGS, BARS = 10, 4
GRID = Grid(steps_per_beat=4)


def phrases(style: str, seed: int) -> np.ndarray:
    """All phrases of ten songs of a style, in random order."""
    rolls = [song([seed, number], GRID, style)[0] for number in range(SONGS)]
    cut = [
        roll.cells[:, first : first + BARS]
        for roll in rolls
        for first in range(0, roll.bars - BARS + 1, BARS)
    ]
    return np.random.default_rng(seed).permutation(np.stack(cut))


def test_real_halves_lie_nearest_then_independent_cells_then_another_collection():
    music, generator = phrases("pop", 0), np.random.default_rng(1)
    reference, half = np.array_split(music, 2)
    density = (reference > 0).mean()
    compared = {
        "half": half,
        "independent": independent_cells(reference, generator),
        "other": phrases("swing", 1)[: len(half)],
        "noise": (generator.random(half.shape) < density).astype(half.dtype),
    }
    real = to_states(torch.from_numpy(reference))
    values = {k: mmd(to_states(torch.from_numpy(v)), real).item() for k, v in compared.items()}
    assert values["half"] < 0.02  # phrases of one song stand in both halves
    assert 0.1 < values["independent"] < values["other"]
    assert values["independent"] < values["noise"]
