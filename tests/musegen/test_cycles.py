"""Steps of songs leave nothing in memory."""

import pytest
from cycles import require_no_cycles

from musegen.data.collection import Collection
from musegen.model import DOMAIN
from musegen.recipes import RECIPES

NAMED = {*RECIPES, *DOMAIN.aliases}
HERE = sorted(name for name in NAMED if not DOMAIN.recipe(name).needs - DOMAIN.offers)


@pytest.mark.parametrize("name", HERE)
def test_no_recipe_leaves_cycles(bands: tuple[Collection, Collection], name: str):
    band, ballads = bands
    require_no_cycles(DOMAIN, band, name, ballads if DOMAIN.recipe(name).other else None)
