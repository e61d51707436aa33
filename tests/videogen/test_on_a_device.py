"""Networks and recipes of clips on a device of their own."""

from pathlib import Path

import pytest
import torch
from on_a_device import moved_to_a_device, require_runs_on_a_gpu, require_trains_on_a_device

from videogen.model import DOMAIN, Model
from videogen.recipes import RECIPES
from videogen.shapes.dataset import MovingShapes

SHAPES = MovingShapes(size=16, frames=4)
OTHERS = MovingShapes(size=16, frames=4, showing="blue")
HERE = [name for name, recipe in RECIPES.items() if not recipe.needs - DOMAIN.offers]


@pytest.mark.slow
@pytest.mark.parametrize("name", HERE)
def test_each_recipe_trains_on_a_device(name: str):
    other = OTHERS if RECIPES[name].other else None
    require_trains_on_a_device(DOMAIN, SHAPES, name, other, equal=False)


@pytest.mark.gpu
@pytest.mark.parametrize("name", HERE)
def test_each_recipe_runs_on_a_gpu(name: str, tmp_path: Path):
    other = OTHERS if RECIPES[name].other else None
    require_runs_on_a_gpu(DOMAIN, SHAPES, name, tmp_path / "run", other)


def test_a_ratio_of_densities_is_learned_on_a_device():
    settings = ("model.weights.contrast_z=1", "model.video.flow=neural_spline")
    require_trains_on_a_device(DOMAIN, SHAPES, "gist_flow", equal=False, settings=settings)


@pytest.mark.slow
def test_the_shipped_model_shows_the_same_clips_on_a_device():
    model = Model.load("shapes", device="cpu")
    captions = ["a large red square is moving in a straight line towards north"]
    further = "a small green circle is moving in a zigzag path towards east"

    def clips() -> list[torch.Tensor]:
        whole = model.clips(captions, seed=2)
        return [
            whole,
            model.clips(captions, seed=2, frames=6, loop=True),
            model.clips(captions, seed=2, frames=24, then=[further]),
            model.reconstruct(whole, captions),
        ]

    here = clips()
    with moved_to_a_device(model):
        there = clips()
    assert [one.shape for one in there] == [one.shape for one in here]
    for one, other in zip(there, here, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-3)
