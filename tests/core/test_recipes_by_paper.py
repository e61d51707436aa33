"""Each recipe against its paper: its terms, what each trains, its weight, and its games.

The table is written from the papers. Where a number is this project's own, since the paper gives
none or works on another scale, the line says so.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch

from core.recipe import Recipe
from core.recipes import RECIPES
from core.ring import eight_gaussians as ring
from core.ring.benchmark import adapting, on_the_ring
from core.theory.adversarial import Adversarial
from core.theory.terms import Match
from core.training.step import Optimisation, TrainState, learner_step

E, D, P = "encoder", "decoder", "prior"
C = "condition"


@dataclass(frozen=True)
class Game:
    """A game: its loss, the learner's play, and the bounds of the critic."""

    loss: str
    play: str = "swap"
    critic_steps: int = 1
    penalties: dict[str, float] = field(default_factory=dict)
    clip: float = 0.0
    mismatched: bool = False
    reconstructions: bool = False


Line = tuple[str, set[str], float] | tuple[str, set[str], float, Game]


@dataclass(frozen=True)
class Row:
    """A recipe as its paper has it."""

    terms: tuple[Line, ...]
    posterior: str = "Gaussian"
    prior: str = "the domain's"
    corruption: float = 0.0
    other: bool = False
    density: str = ""
    maps: str = ""
    begins: str = ""
    optimiser: tuple[str, float] | None = None
    patches: bool = False


def likelihood(density: str = "", maps: str = "") -> Row:
    """-log p(x) of a density: what computes it, and over maps, if not the domain's own."""
    return Row((("match_x", {"density"}, 1.0),), density=density, maps=maps)


def of_a_game(played: Game, space: str = "x", *more: str, **others: Any) -> Row:
    """One game, in which the decoder learns (and what is named beside it)."""
    return Row(((f"match_{space}", {D, *more}, 1.0, played),), **others)


LOGISTIC = Game("logistic")
TABLE = {
    # Hinton and Salakhutdinov 2006: the error of reconstruction alone, z a point
    "ae": Row((("reconstruct_x", {E, D}, 1.0),), "Delta"),
    # Vincent et al. 2008, section 2.3; the size of the noise is our own
    "denoising_ae": Row((("reconstruct_x", {E, D}, 1.0),), "Delta", corruption=0.3),
    # Kingma and Welling 2014, eq. 3: both terms of the bound weigh the same
    "vae": Row((("reconstruct_x", {E, D}, 1.0), ("match_z", {E}, 1.0))),
    # Higgins et al. 2017, eq. 4 and section 4.2: beta = 4
    "beta_vae": Row((("reconstruct_x", {E, D}, 1.0), ("match_z", {E}, 4.0))),
    # Child 2021, section 2.2: the prior of each level is learned
    "hierarchical_vae": Row(
        (("reconstruct_x", {E, D}, 1.0), ("match_z", {E, P}, 1.0)),
        "HierarchicalGaussian",
        "HierarchicalPrior",
    ),
    # Sohn, Lee and Yan 2015, eq. 4: p(z given c) is learned
    "cvae": Row((("reconstruct_x", {E, D, C}, 1.0), ("match_z", {E, P, C}, 1.0))),
    # Hinton et al. 1995: the wake phase trains the generative weights, sleep the recognition ones
    "wake_sleep": Row((("reconstruct_x", {D}, 1.0), ("reconstruct_z", {E}, 1.0))),
    # Goodfellow et al. 2014, section 3: maximise log D(G(z)); algorithm 1 with k = 1
    "gan": of_a_game(LOGISTIC),
    # Goodfellow et al. 2014, eq. 1
    "gan_minimax": of_a_game(Game("logistic", "minimax")),
    # Mao et al. 2017, eq. 9: a = 0, b = c = 1
    "lsgan": of_a_game(Game("least_squares")),
    # Lim and Ye 2017: the learner's loss is linear
    "hinge": of_a_game(Game("hinge", "linear")),
    # Arjovsky et al. 2017, algorithm 1: c = 0.01, n_critic = 5, RMSProp with rate 0.00005
    "wgan": of_a_game(Game("wasserstein", "swap", 5, clip=0.01), optimiser=("rmsprop", 0.00005)),
    # Gulrajani et al. 2017, algorithm 1: lambda = 10, n_critic = 5
    "wgan_gp": of_a_game(Game("wasserstein", "swap", 5, {"penalty": 10.0})),
    # Li, Swersky and Zemel 2015, eq. 3
    "gmmn": Row((("match_x", {D}, 1.0),)),
    # Mirza and Osindero 2014, eq. 2
    "cgan": of_a_game(LOGISTIC, "xc", C),
    # Reed et al. 2016, algorithm 1: real images with wrong text are to be rejected too
    "gan_cls": of_a_game(Game("logistic", mismatched=True), "xc", C),
    # Isola et al. 2017, eq. 4 and section 3.3: lambda = 100
    "pix2pix": Row((("l1_x", {D, C}, 100.0), ("match_xc", {D, C}, 1.0, LOGISTIC)), patches=True),
    # Zhu et al. 2017, eq. 3 and section 4: least squares, lambda = 10
    "cyclegan": Row(
        (
            ("match_x", {D}, 1.0, Game("least_squares")),
            ("match_z", {E}, 1.0, Game("least_squares")),
            ("cycle_x", {E, D}, 10.0),
            ("cycle_z", {E, D}, 10.0),
        ),
        "Delta",
        other=True,
        patches=True,
    ),
    # Larsen et al. 2016, algorithm 1: reconstructions are fake too; gamma = 1
    "vae_gan": Row(
        (
            ("reconstruct_features", {E, D}, 1.0),
            ("match_z", {E}, 1.0),
            ("match_x", {D}, 1.0, Game("logistic", reconstructions=True)),
        )
    ),
    # Chen et al. 2016, eq. 6: Q and the generator learn together; lambda is our own
    "infogan": Row(
        (
            ("match_x", {D}, 1.0, LOGISTIC),
            ("information_categorical", {E, D}, 1.0),
            ("information_continuous", {E, D}, 0.1),
        ),
        "CodePosterior",
        "LatentCodePrior",
    ),
    # Donahue et al. 2017, eq. 3: encoder and decoder play together against the critic of pairs
    "bigan": Row((("match_xz", {E, D}, 1.0, LOGISTIC),), "Delta"),
    # Makhzani et al. 2016, section 2; the weight is our own
    "aae": Row((("reconstruct_x", {E, D}, 1.0), ("match_z", {E}, 50.0, LOGISTIC)), "Delta"),
    # Tolstikhin et al. 2018, algorithm 2; lambda is our own
    "wae_mmd": Row((("reconstruct_x", {E, D}, 1.0), ("match_z", {E}, 100.0)), "Delta"),
    # Hu et al. 2018, eq. 11: the critic learns, and no learner plays against it
    "aavae": Row(
        (
            ("critic_weighted_reconstruct_x", {E, D}, 1.0),
            ("critic_weighted_match_z", {E}, 1.0),
            ("match_x", set(), 0.0, LOGISTIC),
        )
    ),
    # Dong et al. 2018, section 4.1: WGAN-GP, five updates of the critic; the moments are our own
    "musegan": Row(
        (
            ("match_x", {D}, 1.0, Game("wasserstein", "swap", 5, {"penalty": 10.0})),
            ("moments_x", {D}, 10.0),
        )
    ),
    # Chen et al. 2017, eq. 8: an autoregressive or flow prior learns with the encoder
    "vae_flow": Row((("reconstruct_x", {E, D}, 1.0), ("match_z", {E, P}, 1.0)), prior="realnvp"),
    # van den Oord et al. 2017, eq. 3: the codes follow, the encoder commits with beta = 0.25;
    # the prior over codes is fitted to the codes as they are
    "vq_vae": Row(
        (
            ("reconstruct_x", {E, D}, 1.0),
            ("codes_z", {P}, 1.0),
            ("commit_z", {E}, 0.25),
            ("match_z", {P}, 1.0),
        ),
        "Delta",
        "CodePrior",
    ),
    # Razavi et al. 2019, eq. 2: the same, beta = 0.25
    "vq_vae_2": Row(
        (
            ("reconstruct_x", {E, D}, 1.0),
            ("codes_z", {P}, 1.0),
            ("commit_z", {E}, 0.25),
            ("match_z", {P}, 1.0),
        ),
        "HierarchicalDelta",
        "TwoLevelCodePrior",
    ),
    "classifier": Row((("classify", {"classifier", E}, 1.0),), "Delta"),
    # Ganin et al. 2016, eq. 9: gradient reversal
    "dann": Row(
        (
            ("classify", {"classifier", E}, 1.0),
            ("match_domain", {E}, 1.0, Game("logistic", "minimax")),
        ),
        "Delta",
        other=True,
        begins="classifier",
    ),
    # Tzeng et al. 2017, eq. 9: inverted labels, source encoder and classifier stay
    "adda": Row(
        (("classify", set(), 0.0), ("match_domain", {E}, 1.0, LOGISTIC)),
        "Delta",
        other=True,
        begins="classifier",
    ),
    # exact likelihoods: Dinh et al. 2015 and 2017, Kingma and Dhariwal 2018, Dempster et al. 1977,
    # Tipping and Bishop 1999, van den Oord et al. 2016, Vaswani et al. 2017, Child et al. 2019,
    # Parmar et al. 2018
    "nice": likelihood("nice"),
    "realnvp": likelihood("realnvp", maps="realnvp_maps"),
    "glow": likelihood("glow", maps="glow_maps"),
    "gaussian_mixture": likelihood("GaussianMixture"),
    "ppca": likelihood("LinearGaussian"),
    "pixelcnn": likelihood("pixelcnn"),
    "wavenet": likelihood("wavenet"),
    "transformer": likelihood("transformer"),
    "sparse_transformer": likelihood("sparse_transformer"),
    "local_transformer": likelihood("local_transformer"),
    "autoregressive": likelihood(),
}


TRIO, GAN = {E, D, P}, {D, P, "critic_x"}
NETWORKS = {
    "ae": {E, D},
    "denoising_ae": {E, D},
    "vae": TRIO,
    "beta_vae": TRIO,
    "hierarchical_vae": TRIO,
    "cvae": {*TRIO, C},
    "wake_sleep": TRIO,
    "gan": GAN,
    "gan_minimax": GAN,
    "lsgan": GAN,
    "hinge": GAN,
    "wgan": GAN,
    "wgan_gp": GAN,
    "gmmn": {D, P},
    "cgan": {D, P, C, "critic_xc"},
    "gan_cls": {D, P, C, "critic_xc"},
    "pix2pix": {D, P, C, "critic_xc"},
    "cyclegan": {E, D, "critic_x", "critic_z"},  # what z is drawn of is data
    "bigan": {*TRIO, "critic_xz"},
    "aae": {*TRIO, "critic_z"},
    "wae_mmd": TRIO,
    "vae_gan": {*TRIO, "critic_x"},
    "aavae": {*TRIO, "critic_x"},
    "musegan": GAN,
    "vae_flow": TRIO,
    "vq_vae": TRIO,
    "vq_vae_2": TRIO,
    "classifier": {E, "classifier"},
    "dann": {E, "classifier", "critic_domain"},
    "adda": {E, "classifier", "source", "critic_domain"},
    "glow": {"density"},
    "pixelcnn": {"density"},
}
GENERATIVE = NETWORKS.keys() - {"ae", "denoising_ae", "cyclegan", "classifier", "dann", "adda"}
"""Models of which something is sampled from nothing."""


@pytest.mark.parametrize("name", NETWORKS)
def test_a_recipe_needs_these_networks(name):
    assert set(RECIPES[name].networks) == NETWORKS[name]
    assert RECIPES[name].draws == (name in GENERATIVE)


def pinned(recipe: Recipe) -> Row:
    """A recipe in the words of the table."""
    settings = recipe.optimisation
    return Row(
        tuple(_line(term) for term in recipe.terms),
        recipe.posterior.__name__,
        getattr(recipe.prior, "__name__", "the domain's"),
        recipe.corruption,
        recipe.other,
        getattr(recipe.density or recipe.sequence, "__name__", ""),
        getattr(recipe.map_density, "__name__", ""),
        recipe.begins,
        (settings.optimiser, settings.learning_rate) if settings else None,
        recipe.patches,
    )


def _line(term: Any) -> Line:
    assert len(term.trains) == len(set(term.trains))
    line = (term.name, set(term.trains), term.weight)
    if not isinstance(term, Match) or not isinstance(term.by, Adversarial):
        return line
    by: Any = term.by
    penalties = {penalty.name: penalty.weight for penalty in by.penalties}
    loss, sides = by.game.__name__, (by.mismatched, by.reconstructions)
    return (*line, Game(loss, by.play, by.critic_steps, penalties, by.clip, *sides))


def test_every_recipe_is_in_the_table():
    assert set(RECIPES) == set(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_a_recipe_is_its_papers(name):
    assert pinned(RECIPES[name]) == TABLE[name]


@pytest.mark.parametrize("name", sorted({*on_the_ring(), *adapting()} & {*TABLE}))
def test_a_step_of_the_learner_moves_what_the_paper_trains_and_nothing_else(name):
    recipe, rate = RECIPES[name], Optimisation()
    learned = TrainState(ring.networks(recipe), recipe, rate, rate)
    before = {key: p.detach().clone() for key, p in learned.networks.named_parameters()}
    learner_step(learned, ring.batches(recipe)(0))
    now = dict(learned.networks.named_parameters())
    moved = {key.split(".")[0] for key, p in now.items() if not torch.equal(p, before[key])}
    trained = set().union(*(line[1] for line in TABLE[name].terms if line[2]))
    assert moved == trained & {key.split(".")[0] for key in before}
