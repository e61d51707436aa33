"""The recipes of music: those of every domain, a density that looks back by bars, and MuseGAN
over the latents of bars."""

from core.papers import ACHLIOPTAS_2018, WAITE_2016
from core.recipe import Recipe
from core.recipes import LIKELIHOOD, RECONSTRUCT
from core.recipes import RECIPES as OF_EVERY_DOMAIN
from core.theory.adversarial import Adversarial, logistic
from core.theory.distributions import Delta
from core.theory.terms import Match
from musegen.terms import LearnForm, MomentsOfPieces

PRIOR = ("prior",)

RECIPES: dict[str, Recipe] = {
    **OF_EVERY_DOMAIN,
    "lookback_rnn": Recipe(
        (LIKELIHOOD,),
        WAITE_2016,
        "an exact likelihood of notes, with gates on what stood 1, 2, 4 and 8 bars ago",
    ),
    "latent_musegan": Recipe(
        (
            RECONSTRUCT,
            Match("prior", Adversarial(logistic), trains=PRIOR),
            Match("prior", MomentsOfPieces(), trains=PRIOR, weight=0.05),
            LearnForm(),
        ),
        ACHLIOPTAS_2018,
        "an autoencoder of bars; MuseGAN generates their latents, along a form",
        posterior=Delta,
    ),
}
