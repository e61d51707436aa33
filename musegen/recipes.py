"""The recipes of music: those of every domain, and a density that looks back by bars."""

from core.papers import WAITE_2016
from core.recipes import LIKELIHOOD, Recipe
from core.recipes import RECIPES as OF_EVERY_DOMAIN

RECIPES: dict[str, Recipe] = {
    **OF_EVERY_DOMAIN,
    "lookback_rnn": Recipe(
        (LIKELIHOOD,),
        WAITE_2016,
        "an exact likelihood of notes, with gates on what stood 1, 2, 4 and 8 bars ago",
    ),
}
