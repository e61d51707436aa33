"""Steps of clips leave nothing in memory."""

import pytest
from cycles import require_no_cycles

from videogen.model import DOMAIN
from videogen.recipes import RECIPES
from videogen.shapes.dataset import MovingShapes

SHAPES = MovingShapes(size=16, frames=4)
OTHERS = MovingShapes(size=16, frames=4, showing="blue")
HERE = [name for name, recipe in RECIPES.items() if not recipe.needs - DOMAIN.offers]


@pytest.mark.parametrize("name", HERE)
def test_no_recipe_leaves_cycles(name: str):
    require_no_cycles(DOMAIN, SHAPES, name, OTHERS if RECIPES[name].other else None)
