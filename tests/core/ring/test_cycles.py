"""Steps of points leave nothing in memory."""

import pytest
from cycles import require_no_cycles

from core.ring.benchmark import on_the_ring
from core.ring.data import DrawnRing
from core.ring.model import DOMAIN


@pytest.mark.parametrize("name", on_the_ring())
def test_no_recipe_leaves_cycles(name: str):
    other = DrawnRing("small") if DOMAIN.recipes[name].other else None
    require_no_cycles(DOMAIN, DrawnRing(), name, other)
