"""In half precision on a processor nothing is NaN, whatever stood in memory before."""

import math

import pytest
import torch

from core.app.fit import configure
from core.training.step import TrainState, step
from videogen.model import DOMAIN
from videogen.shapes.dataset import MovingShapes

SMALL, LARGE = MovingShapes(size=16, frames=4), MovingShapes(size=32, frames=16)


def leave_nan_in_memory() -> None:
    """Free blocks of all sizes that are full of NaN: what is allocated next lies there."""
    blocks = [torch.full((2**size,), math.nan) for size in range(6, 22)]
    del blocks


@pytest.mark.parametrize(
    ("name", "preset", "clips"),
    [("glow", "tiny", SMALL), ("realnvp", "tiny", SMALL), ("mocogan", "small", LARGE)],
)
def test_a_step_in_half_precision_is_finite(name: str, preset: str, clips: MovingShapes):
    """Convolutions over three axes have finite gradients: such a step is not skipped."""
    config = configure(DOMAIN, clips, name, preset, ["train.batch_size=4"])
    torch.manual_seed(0)
    train, recipe = config.train, config.model.resolved_recipe
    state = TrainState(DOMAIN.networks(config), recipe, train.learner, train.critic, bf16=True)
    draw = DOMAIN.batches(clips, config, torch.device("cpu"))
    leave_nan_in_memory()
    losses = step(state, draw, 0, seed=1)
    assert not losses["skipped"] and all(map(math.isfinite, losses.values())), losses
