"""Networks and recipes of songs on a device of their own."""

import pytest
from on_a_device import require_trains_on_a_device

from musegen.data.collection import Collection
from musegen.model import DOMAIN
from musegen.recipes import RECIPES

READS_MORE = {"autoregressive": 8, "lookback_rnn": 4, "latent_musegan": 20}
"""They compute for notes, or for bars that sound, alone: shapes depend on how many there are."""
NAMED = {*RECIPES, *DOMAIN.aliases}
HERE = sorted(name for name in NAMED if not DOMAIN.recipe(name).needs - DOMAIN.offers)


@pytest.mark.slow
@pytest.mark.parametrize("name", HERE)
def test_each_recipe_trains_on_a_device(bands: tuple[Collection, Collection], name: str):
    band, ballads = bands
    other = ballads if DOMAIN.recipe(name).other else None
    more = READS_MORE.get(DOMAIN.aliases.get(name, name), 0)
    equal = name != "latent_musegan"  # it assigns to rows of bars
    require_trains_on_a_device(DOMAIN, band, name, other, equal=equal, reads_more=more)
