"""Steps of songs leave nothing in memory."""

from pathlib import Path

import pytest
from cycles import require_no_cycles

from musegen.data.collection import Collection
from musegen.data.preparation import prepare_band
from musegen.data.records import PrepareConfig
from musegen.model import DOMAIN
from musegen.recipes import RECIPES
from musegen.roll import Grid

CONFIG = PrepareConfig(grid=Grid(steps_per_beat=4), bars=2)
NAMED = {*RECIPES, *DOMAIN.aliases}
HERE = sorted(name for name in NAMED if not DOMAIN.recipe(name).needs - DOMAIN.offers)


@pytest.fixture(scope="module")
def bands(tmp_path_factory: pytest.TempPathFactory) -> tuple[Collection, Collection]:
    folder: Path = tmp_path_factory.mktemp("data")
    prepare_band(3, folder / "band", CONFIG)
    prepare_band(2, folder / "ballads", CONFIG, style="ballad")
    return Collection.open(folder / "band"), Collection.open(folder / "ballads")


@pytest.mark.parametrize("name", HERE)
def test_no_recipe_leaves_cycles(bands: tuple[Collection, Collection], name: str):
    band, ballads = bands
    require_no_cycles(DOMAIN, band, name, ballads if DOMAIN.recipe(name).other else None)
