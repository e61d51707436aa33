"""The table of contents of the theory: a model is a short list of statements, a recipe names it.

`networks` follow from the statements: a domain builds those, under these names, and any recipe
runs in any domain.

>>> RECIPES["aae"].networks
('critic_z', 'decoder', 'encoder', 'prior')
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from core.adversarial import (
    Adversarial,
    GradientPenalty,
    hinge,
    least_squares,
    logistic,
    wasserstein,
)
from core.config import ConfigError, nearest
from core.distributions import Delta, Distribution, Gaussian
from core.divergences import KL, MMD, Moments
from core.terms import Coherence, Match, Reconstruct, Term


@dataclass(frozen=True)
class Paper:
    """Where a model was published."""

    key: str
    authors: str
    title: str
    venue: str
    year: int

    @property
    def bibtex(self) -> str:
        fields = {
            "author": self.authors,
            "title": f"{{{self.title}}}",
            "booktitle": self.venue,
            "year": str(self.year),
        }
        lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
        return "\n".join([f"@inproceedings{{{self.key},", *lines, "}"])


@dataclass(frozen=True)
class Recipe:
    """A model: its statements, its paper, and what kind of q(z given x) its encoder returns."""

    terms: tuple[Term, ...]
    paper: Paper
    remark: str = ""
    posterior: type[Distribution] = Gaussian

    @property
    def networks(self) -> tuple[str, ...]:
        """The networks that the statements look through, sorted."""
        return tuple(sorted({name for term in self.terms for name in term.networks}))

    @property
    def needs(self) -> frozenset[str]:
        """What a domain must have beyond x: a condition, a gist that is drawn first, a density,
        a critic that counts statistics."""
        spaces = {getattr(term, "space", "gist") for term in self.terms}
        found = {"xc": "condition", "gist": "gist"}
        needs = {need for space, need in found.items() if space in spaces}
        if any(isinstance(getattr(term, "by", None), Moments) for term in self.terms):
            needs.add("statistics")
        return frozenset(needs | ({"density"} & set(self.networks)))

    @property
    def critics(self) -> tuple[Match, ...]:
        """The statements that are games, each with a critic of its own."""
        return tuple(
            term
            for term in self.terms
            if isinstance(term, Match) and isinstance(term.by, Adversarial)
        )

    def weighted(self, weights: Mapping[str, float]) -> "Recipe":
        """The same recipe with other weights, by the names of its terms."""
        names = [term.name for term in self.terms]
        for name in weights:
            if name not in names:
                raise ConfigError(
                    f"no term is called '{name}' in this recipe: it has {', '.join(names)}"
                )
        terms = [_weigh(term, weights.get(term.name, term.weight)) for term in self.terms]
        return replace(self, terms=tuple(terms))

    def without(self, names: Collection[str]) -> "Recipe":
        """The same recipe without the terms of these names."""
        return replace(self, terms=tuple(t for t in self.terms if t.name not in names))

    def playing(self, game: str) -> "Recipe":
        """The same recipe with another game (of `GAMES`) for each of its critics."""
        if game not in GAMES:
            raise ConfigError(f"no game is called '{game}': {nearest(game, list(GAMES))}")
        return replace(self, terms=tuple(_play(term, GAMES[game]) for term in self.terms))

    def pairing(self, mismatched: bool) -> "Recipe":
        """The same recipe with or without wrong conditions for the critics that see them."""
        return replace(self, terms=tuple(_pair(term, mismatched) for term in self.terms))

    def conditional(self) -> "Recipe":
        """The same recipe for networks that are all given c: two more learn it.

        Whatever moves encoder or decoder moves how the condition is read, and what draws the
        posterior to the prior draws the prior, p(z given c), to the posterior.
        """
        return replace(self, terms=tuple(_condition(term) for term in self.terms))

    def paced(self, critic_steps: int) -> "Recipe":
        """The same recipe with this many critic updates for one of the learners."""
        return replace(self, terms=tuple(_pace(term, critic_steps) for term in self.terms))


def _pace(term: Term, critic_steps: int) -> Term:
    if isinstance(term, Match) and isinstance(term.by, Adversarial):
        return replace(term, by=replace(term.by, critic_steps=critic_steps))
    return term


def _play(term: Term, game: Adversarial) -> Term:
    if isinstance(term, Match) and isinstance(term.by, Adversarial):
        return replace(term, by=replace(game, mismatched=term.by.mismatched))
    return term


def _pair(term: Term, mismatched: bool) -> Term:
    if isinstance(term, Match) and isinstance(term.by, Adversarial) and term.space == "xc":
        return replace(term, by=replace(term.by, mismatched=mismatched))
    return term


def _condition(term: Term) -> Term:
    assert isinstance(term, Reconstruct | Match | Coherence)
    readers = ("condition",) if {"encoder", "decoder"} & set(term.trains) else ()
    matched = isinstance(term, Match) and isinstance(term.by, KL) and term.space == "z"
    prior = ("prior",) if matched else ()
    return replace(term, trains=(*term.trains, *readers, *prior))


def _weigh(term: Term, weight: float) -> Term:
    if weight == term.weight:
        return term
    assert isinstance(term, Reconstruct | Match | Coherence)
    return replace(term, weight=weight)


KINGMA = Paper(
    "kingma2014vae",
    "Kingma, Diederik P. and Welling, Max",
    "Auto-Encoding Variational Bayes",
    "ICLR",
    2014,
)
GOODFELLOW = Paper(
    "goodfellow2014gan",
    "Goodfellow, Ian and Pouget-Abadie, Jean and Mirza, Mehdi and Xu, Bing and "
    "Warde-Farley, David and Ozair, Sherjil and Courville, Aaron and Bengio, Yoshua",
    "Generative Adversarial Nets",
    "NIPS",
    2014,
)

LI = Paper(
    "li2018video",
    "Li, Yitong and Min, Martin Renqiang and Shen, Dinghan and Carlson, David and Carin, Lawrence",
    "Video Generation from Text",
    "AAAI",
    2018,
)

WGAN_GP = Adversarial(wasserstein, critic_steps=5, penalty=GradientPenalty(10.0))

GAMES: dict[str, Adversarial] = {
    "logistic": Adversarial(logistic),
    "minimax": Adversarial(logistic, play="minimax"),
    "least_squares": Adversarial(least_squares),
    "hinge": Adversarial(hinge, play="linear"),
    "wgan": Adversarial(wasserstein, critic_steps=5, clip=0.05),
    "wgan_gp": WGAN_GP,
}
"""The games by name, each as the recipes play it."""

RECIPES: dict[str, Recipe] = {
    "ae": Recipe(
        (Reconstruct("x"),),
        Paper(
            "hinton2006reducing",
            "Hinton, Geoffrey E. and Salakhutdinov, Ruslan R.",
            "Reducing the Dimensionality of Data with Neural Networks",
            "Science",
            2006,
        ),
        "reconstructs; its z has no known distribution to draw from",
        posterior=Delta,
    ),
    "vae": Recipe(
        (Reconstruct("x"), Match("z", KL(), trains=("encoder",))),
        KINGMA,
        "the evidence lower bound",
    ),
    "beta_vae": Recipe(
        (Reconstruct("x"), Match("z", KL(), trains=("encoder",), weight=4.0)),
        Paper(
            "higgins2017beta",
            "Higgins, Irina and Matthey, Loic and Pal, Arka and Burgess, Christopher and "
            "Glorot, Xavier and Botvinick, Matthew and Mohamed, Shakir and Lerchner, Alexander",
            "beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework",
            "ICLR",
            2017,
        ),
        "beta is the weight of match_z",
    ),
    "gan": Recipe(
        (Match("x", Adversarial(logistic), trains=("decoder",)),),
        GOODFELLOW,
        "the non-saturating game",
    ),
    "lsgan": Recipe(
        (Match("x", Adversarial(least_squares), trains=("decoder",)),),
        Paper(
            "mao2017lsgan",
            "Mao, Xudong and Li, Qing and Xie, Haoran and Lau, Raymond Y. K. and Wang, Zhen and "
            "Smolley, Stephen Paul",
            "Least Squares Generative Adversarial Networks",
            "ICCV",
            2017,
        ),
    ),
    "hinge": Recipe(
        (Match("x", Adversarial(hinge, play="linear"), trains=("decoder",)),),
        Paper(
            "lim2017geometric",
            "Lim, Jae Hyun and Ye, Jong Chul",
            "Geometric GAN",
            "arXiv 1705.02894",
            2017,
        ),
    ),
    "wgan": Recipe(
        (Match("x", Adversarial(wasserstein, critic_steps=5, clip=0.05), trains=("decoder",)),),
        Paper(
            "arjovsky2017wgan",
            "Arjovsky, Martin and Chintala, Soumith and Bottou, Leon",
            "Wasserstein Generative Adversarial Networks",
            "ICML",
            2017,
        ),
        "the critic's weights are clipped",
    ),
    "wgan_gp": Recipe(
        (Match("x", WGAN_GP, trains=("decoder",)),),
        Paper(
            "gulrajani2017wgangp",
            "Gulrajani, Ishaan and Ahmed, Faruk and Arjovsky, Martin and Dumoulin, Vincent and "
            "Courville, Aaron",
            "Improved Training of Wasserstein GANs",
            "NIPS",
            2017,
        ),
        "the critic's gradient has norm 1",
    ),
    "musegan": Recipe(
        (
            Match("x", WGAN_GP, trains=("decoder",)),
            Match("x", Moments(), trains=("decoder",), weight=10.0),
        ),
        Paper(
            "dong2018musegan",
            "Dong, Hao-Wen and Hsiao, Wen-Yi and Yang, Li-Chia and Yang, Yi-Hsuan",
            "MuseGAN: Multi-track Sequential Generative Adversarial Networks for Symbolic Music "
            "Generation and Accompaniment",
            "AAAI",
            2018,
        ),
        "wgan_gp with feature matching on what the critic counts (Salimans et al. 2016)",
    ),
    "aae": Recipe(
        (Reconstruct("x"), Match("z", Adversarial(logistic), trains=("encoder",), weight=50.0)),
        Paper(
            "makhzani2016aae",
            "Makhzani, Alireza and Shlens, Jonathon and Jaitly, Navdeep and Goodfellow, Ian and "
            "Frey, Brendan",
            "Adversarial Autoencoders",
            "ICLR Workshop",
            2016,
        ),
        "matches the aggregate of the posteriors, where the VAE matches each",
        posterior=Delta,
    ),
    "wae_mmd": Recipe(
        (Reconstruct("x"), Match("z", MMD(), trains=("encoder",), weight=100.0)),
        Paper(
            "tolstikhin2018wae",
            "Tolstikhin, Ilya and Bousquet, Olivier and Gelly, Sylvain and Schoelkopf, Bernhard",
            "Wasserstein Auto-Encoders",
            "ICLR",
            2018,
        ),
        "matches the aggregate of the posteriors by kernels",
        posterior=Delta,
    ),
    "vae_gan": Recipe(
        (
            Reconstruct("features"),
            Match("z", KL(), trains=("encoder",)),
            Match("x", Adversarial(logistic), trains=("decoder",)),
        ),
        Paper(
            "larsen2016vaegan",
            "Larsen, Anders Boesen Lindbo and Soenderby, Soeren Kaae and Larochelle, Hugo and "
            "Winther, Ole",
            "Autoencoding beyond Pixels Using a Learned Similarity Metric",
            "ICML",
            2016,
        ),
        "reconstructs in the features of the critic",
    ),
    "text_to_video": Recipe(
        (
            Reconstruct("gist"),
            Match("z", KL(), trains=("encoder",)),
            Match("xc", Adversarial(logistic, mismatched=True), trains=("decoder",)),
            Coherence(),
        ),
        LI,
        "a gist by a conditional VAE, the clip by a game that sees the caption",
    ),
    "gist": Recipe(
        (Reconstruct("x"), Reconstruct("gist"), Match("z", KL(), trains=("encoder",))),
        LI,
        "the same networks as a conditional VAE: the whole clip is reconstructed, no game",
    ),
    "gist_gan": Recipe(
        (
            Reconstruct("x"),
            Reconstruct("gist"),
            Match("z", KL(), trains=("encoder",)),
            Match(
                "xc",
                Adversarial(hinge, play="linear", mismatched=True),
                trains=("decoder",),
                weight=10.0,
            ),
        ),
        LI,
        "gist with the game of text_to_video beside it",
    ),
    "autoregressive": Recipe(
        (Match("x", KL(), trains=("density",)),),
        Paper(
            "vaswani2017attention",
            "Vaswani, Ashish and Shazeer, Noam and Parmar, Niki and Uszkoreit, Jakob and "
            "Jones, Llion and Gomez, Aidan N. and Kaiser, Lukasz and Polosukhin, Illia",
            "Attention Is All You Need",
            "NIPS",
            2017,
        ),
        "an exact likelihood, part after part",
    ),
}


def recipe(name: str) -> Recipe:
    """The recipe of this name; an unknown name is a `ConfigError` that lists the known ones."""
    if name not in RECIPES:
        raise ConfigError(f"no model is called '{name}': there are {', '.join(RECIPES)}")
    return RECIPES[name]
