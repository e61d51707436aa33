"""The recipes of notes: those of every domain, GANSynth, and mixes of the two."""

from core.densities.flow import realnvp
from core.recipe import Recipe
from core.recipes import RECIPES as OF_EVERY_DOMAIN
from core.recipes import TO_LEARNED_PRIOR
from core.theory.adversarial import R1, GradientPenalty, logistic, wasserstein
from core.theory.terms import Match
from musegen.voice.papers import ENGEL_2019, ENGEL_2020
from musegen.voice.terms import Auxiliary, Transpose

RECIPES: dict[str, Recipe] = {
    **OF_EVERY_DOMAIN,
    "gansynth": Recipe(
        (
            Match(
                "x",
                Auxiliary(wasserstein, penalties=(GradientPenalty(10.0),)),
                trains=("decoder", "condition"),
            ),
        ),
        ENGEL_2019,
        "a GAN of spectrograms whose critic names the pitch, grown from coarse to fine",
    ),
    "timbre_vae": Recipe(
        (Transpose(), TO_LEARNED_PRIOR),
        ENGEL_2020,
        "a VAE of harmonics over noise; half of the timbres are encoded from another pitch",
        prior=realnvp,
    ),
    "timbre_vae_gan": Recipe(
        (
            Transpose(),
            TO_LEARNED_PRIOR,
            Match(
                "x",
                Auxiliary(logistic, penalties=(R1(1.0),)),
                trains=("decoder", "condition"),
                weight=100.0,
            ),
        ),
        ENGEL_2020,
        "timbre_vae and a game like gansynth's together",
        prior=realnvp,
    ),
}
