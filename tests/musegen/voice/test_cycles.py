"""Steps of single notes leave nothing in memory."""

import pytest
from cycles import require_no_cycles
from note_sounds import collection

from musegen.voice.data.collection import Collection
from musegen.voice.model import DOMAIN
from musegen.voice.recipes import RECIPES

HERE = [name for name, recipe in RECIPES.items() if not recipe.needs - DOMAIN.offers]


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return collection(tmp_path_factory.mktemp("notes"))


@pytest.mark.parametrize("name", HERE)
def test_no_recipe_leaves_cycles(notes: Collection, name: str):
    require_no_cycles(DOMAIN, notes, name)
