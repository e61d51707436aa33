"""The recipes of video: those of every domain, and those whose decoder generates a gist first."""

from dataclasses import replace

from core.densities.flow import realnvp
from core.recipe import Recipe
from core.recipes import RECIPES as OF_EVERY_DOMAIN
from core.recipes import TO_LEARNED_PRIOR, TO_PRIOR
from core.theory.adversarial import GAMES, R1, Adversarial, hinge, logistic
from core.theory.distributions import Delta
from core.theory.divergences import Contrast, Cover
from core.theory.terms import Match, Novel, Reconstruct
from videogen.papers import (
    BALAJI_2019,
    ESSER_2021,
    LI_2018,
    MATHIEU_2016,
    SHI_2016,
    TULYAKOV_2018,
    VONDRICK_2016,
    WANG_2004,
)
from videogen.terms import (
    Coherence,
    KeepPyramid,
    MatchSharpness,
    ReconstructEdges,
    ReconstructGist,
    ReconstructPyramid,
    ReconstructSharpness,
    SparseMask,
)

PER_NAT = 3e-4
"""Weight of the gist's bound in text_to_video: one over the 3,072 numbers of a gist of 32 x 32.

The paper weighs bound, game and coherence by 1, 1 and 0.1. Their gradients on an untrained decoder
are then as 20,000 : 6 : 0.1 on clips of 32 x 32, and the game has no effect.
"""

GAME = Adversarial(logistic, mismatched=True, penalised=0.25)
GAME_OF_HALVES = replace(GAMES["hinge"], mismatched=True, played=0.5)
"""Beside a likelihood: played on half of each batch it teaches as much in less time."""


def games_of_filters(game: Adversarial, weight: float = 1.0) -> tuple[Match, Match]:
    """Return the games of TFGAN. A penalty of 1 for each of 16 frames is one of 16 for their mean.

    That of the published code is 10 |gradient|^2, twenty times as large: small critics do not
    learn by half of it in 300 steps (EXPERIMENTS.md).
    """
    frames, clips = (replace(game, penalties=(R1(r1),)) for r1 in (16.0, 1.0))
    return (
        Match("xc", frames, trains=("decoder",), weight=weight, critic="critic_frames"),
        Match("xc", clips, trains=("decoder",), weight=weight, critic="critic_clips"),
    )


FRAMES, CLIPS = games_of_filters(GAME)
GAMES_BESIDE = games_of_filters(replace(GAME, played=0.25, penalised=0.5), weight=10.0)
"""The same beside a likelihood, which leaves them a quarter of each batch: they cost the most."""
DETAILS = Match(
    "reconstruction",
    Adversarial(hinge, play="linear", penalties=(R1(0.1),), penalised=0.25),
    trains=("encoder", "decoder"),
    weight=10.0,
    critic="critic_details",
)
"""Its weight lets it move the decoder of a trained gist_flow as far as the likelihood does."""
PYRAMID = ReconstructPyramid(weight=2.0)
NOVEL_SHARPNESS = Novel(MatchSharpness(), trains=("decoder",))
NOVEL_KEPT = Novel(KeepPyramid(), trains=("decoder",))
CONTRAST = Match("z", Contrast(), trains=("ratio",))

RECIPES: dict[str, Recipe] = {
    **OF_EVERY_DOMAIN,
    "text_to_video": Recipe(
        (
            ReconstructGist(weight=PER_NAT),
            replace(TO_PRIOR, weight=PER_NAT),
            Match("xc", Adversarial(logistic, mismatched=True), trains=("decoder",)),
            Coherence(),
        ),
        LI_2018,
        "a conditional VAE of the gist and a GAN of the clip with its caption",
    ),
    "gist": Recipe(
        (Reconstruct("x"), ReconstructGist(), TO_PRIOR),
        LI_2018,
        "a conditional VAE of the whole clip with the same networks, without a critic",
    ),
    "gist_flow": Recipe(
        (
            Reconstruct("x"),
            ReconstructGist(),
            TO_LEARNED_PRIOR,
        ),
        LI_2018,
        "gist with a flow as p(z given c): starts and phases as spread as in the data",
        prior=realnvp,
        options=(CONTRAST, PYRAMID),
    ),
    "gist_gan": Recipe(
        (
            Reconstruct("x"),
            ReconstructGist(),
            TO_PRIOR,
            Match("xc", GAME_OF_HALVES, trains=("decoder",), weight=10.0),
        ),
        LI_2018,
        "gist and the GAN of text_to_video together",
    ),
    "gist_flow_gan": Recipe(
        (
            Reconstruct("x"),
            ReconstructGist(),
            TO_LEARNED_PRIOR,
            *GAMES_BESIDE,
        ),
        BALAJI_2019,
        "gist_flow and the games of tfgan together",
        prior=realnvp,
    ),
    "gist_flow_edges": Recipe(
        (
            Reconstruct("x"),
            ReconstructGist(),
            TO_LEARNED_PRIOR,
            ReconstructEdges(weight=10.0),
        ),
        MATHIEU_2016,
        "gist_flow whose reconstructions have edges as strong as those of clips, in the end",
        prior=realnvp,
        options=(CONTRAST,),
        late={"reconstruct_edges": 0.6},
    ),
    "gist_flow_sharp": Recipe(
        (
            Reconstruct("x"),
            ReconstructGist(),
            TO_LEARNED_PRIOR,
            ReconstructPyramid(),
            ReconstructSharpness(weight=20.0),
        ),
        WANG_2004,
        "gist_flow whose patches are as sharp as those of clips, for a run that is trained",
        prior=realnvp,
        options=(CONTRAST, NOVEL_SHARPNESS, NOVEL_KEPT),
    ),
    "gist_flow_patches": Recipe(
        (
            Reconstruct("x"),
            ReconstructGist(),
            TO_LEARNED_PRIOR,
            DETAILS,
        ),
        ESSER_2021,
        "gist_flow and a game of small patches' details, of clips and their reconstructions",
        prior=realnvp,
    ),
    "tfgan": Recipe(
        (FRAMES, CLIPS),
        BALAJI_2019,
        "a path of latents; critics of frames and of clips with filters from the caption",
        critics_read=True,
    ),
    "tfgan_vae": Recipe(
        (
            Reconstruct("x"),
            TO_LEARNED_PRIOR,
            *GAMES_BESIDE,
        ),
        BALAJI_2019,
        "a VAE of tfgan's generator and its games together, with a flow as p(z given c)",
        prior=realnvp,
    ),
    "mocogan": Recipe(
        (FRAMES, CLIPS),
        TULYAKOV_2018,
        "tfgan without captions: what stays and what moves have latents of their own",
    ).unconditional(),
    "vgan": Recipe(
        (CLIPS, SparseMask(weight=0.1)),
        VONDRICK_2016,
        "a foreground of volumes over a picture, with a critic of volumes",
    ),
    "super_resolution": Recipe(
        (Reconstruct("x"),),
        SHI_2016,
        "an autoencoder whose z is the clip itself, several times smaller: it enlarges clips",
        posterior=Delta,
        corruption=0.08,
    ).unconditional(),
    "latent_tfgan": Recipe(
        (
            Reconstruct("x"),
            Match(
                "prior_c",
                replace(GAME, penalties=(R1(1.0),)),
                trains=("prior", "condition"),
            ),
            Match("prior", Cover(10), trains=("prior", "condition"), weight=10.0),
        ),
        BALAJI_2019,
        "an autoencoder of moments; a path of latents generates their codes, by a game",
        posterior=Delta,
    ),
}
