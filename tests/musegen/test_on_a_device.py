"""Networks and recipes of songs on a device of their own."""

from pathlib import Path

import pytest
from on_a_device import require_trains_on_a_device

from musegen.data.collection import Collection
from musegen.data.preparation import prepare_band
from musegen.data.records import PrepareConfig
from musegen.model import DOMAIN
from musegen.recipes import RECIPES
from musegen.roll import Grid

CONFIG = PrepareConfig(grid=Grid(steps_per_beat=4), bars=4)
READS_MORE = {"autoregressive": 8, "lookback_rnn": 4, "latent_musegan": 20}
"""They compute for notes, or for bars that sound, alone: shapes depend on how many there are."""
NAMED = {*RECIPES, *DOMAIN.aliases}
HERE = sorted(name for name in NAMED if not DOMAIN.recipe(name).needs - DOMAIN.offers)


@pytest.fixture(scope="module")
def bands(tmp_path_factory: pytest.TempPathFactory) -> tuple[Collection, Collection]:
    folder: Path = tmp_path_factory.mktemp("data")
    prepare_band(3, folder / "band", CONFIG)
    prepare_band(2, folder / "ballads", CONFIG, style="ballad")
    return Collection.open(folder / "band"), Collection.open(folder / "ballads")


@pytest.mark.slow
@pytest.mark.parametrize("name", HERE)
def test_each_recipe_trains_on_a_device(bands: tuple[Collection, Collection], name: str):
    band, ballads = bands
    other = ballads if DOMAIN.recipe(name).other else None
    more = READS_MORE.get(DOMAIN.aliases.get(name, name), 0)
    equal = name != "latent_musegan"  # it assigns to rows of bars
    require_trains_on_a_device(DOMAIN, band, name, other, equal=equal, reads_more=more)
