"""The table of contents of the theory: a recipe is a named model, a short list of terms.

The terms determine the networks: a domain builds those, under these names, and any recipe runs in
any domain that offers what its terms need.

>>> RECIPES["aae"].networks
('critic_z', 'decoder', 'encoder', 'prior')
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from torch import nn

from core import papers
from core.config import nearest
from core.densities.closed_form import GaussianMixture, LinearGaussian
from core.densities.codebook import CodePrior, TwoLevelCodePrior
from core.densities.flow import Flow, glow, nice, realnvp
from core.densities.map_flow import Shape, glow_maps, realnvp_maps
from core.densities.sequences import (
    CausalBody,
    local_transformer,
    pixelcnn,
    sparse_transformer,
    transformer,
    wavenet,
)
from core.errors import ConfigError
from core.networks.codes import LatentCodePrior
from core.networks.hierarchy import HierarchicalDelta, HierarchicalGaussian, HierarchicalPrior
from core.papers import Paper
from core.theory.adversarial import (
    R1,
    Adversarial,
    GradientPenalty,
    hinge,
    least_squares,
    logistic,
    wasserstein,
)
from core.theory.codes import CodePosterior
from core.theory.distributions import Delta, Distribution, Gaussian
from core.theory.divergences import EM, KL, MMD, Moments, Nearest
from core.theory.passes import Batch, Networks, Passes, Space
from core.theory.terms import (
    L1,
    Classify,
    CriticWeighted,
    Cycle,
    Identity,
    Match,
    MutualInformation,
    Reconstruct,
    Term,
    adjust,
    needs_of,
)
from core.training.optimisation import Optimisation


@dataclass(frozen=True)
class Recipe:
    """A model: its terms, its paper, and the type of its posterior q(z given x).

    `corruption`: standard deviation of the noise on the encoder's input, in units of x. `prior`:
    builds p(z given c) from the sizes of z and c, in place of the domain's own prior. `other`:
    whether it trains on a second collection, which is sampled as z or has no labels. `density`:
    builds p(x) over vectors from the size of x; `map_density`: over maps, from their shape, the
    size of c and a width; `sequence`: builds the causal network of p(x) over sequences of symbols.
    `begins`: the recipe from which encoder and classifier are initialised.
    `optimisation`: settings of learner and critic, where the paper's differ from what a domain's
    presets say. `patches`: a critic scores each patch of x, where x has patches, and the game is
    played at each of them (the PatchGAN of Isola et al. 2017). `options`: terms that join where
    they are given a weight. `late`: the share of a training's budget after which a term joins, by
    its name; the others are there from the first step. `critics_read`: the critics' own reading of
    the condition is what encoder and decoder take, and these do not train it.
    """

    terms: tuple[Term, ...]
    paper: Paper
    remark: str = ""
    posterior: type[Distribution] = Gaussian
    corruption: float = 0.0
    prior: Callable[[int, int], nn.Module] | None = None
    other: bool = False
    density: Callable[[int], nn.Module] | None = None
    map_density: Callable[[Shape, int, int], Flow] | None = None
    sequence: CausalBody | None = None
    begins: str = ""
    optimisation: Optimisation | None = None
    patches: bool = False
    options: tuple[Term, ...] = ()
    late: Mapping[str, float] = field(default_factory=dict, hash=False)
    critics_read: bool = False

    def __post_init__(self) -> None:
        _refuse_repeated([term.name for term in self.terms], "a recipe has one term")
        _refuse_repeated([term.critic_name for term in self.critics], "a critic plays one game")

    @property
    def networks(self) -> tuple[str, ...]:
        """Return the networks that the terms evaluate or train, sorted."""
        evaluated = {name for term in self.terms for name in term.networks}
        embedding = {"condition"} & {name for term in self.terms for name in term.trains}
        embedding |= {"condition"} if self.critics_read else set()
        absent = {"prior"} if self.other else set()
        return tuple(sorted((evaluated | embedding) - absent))

    @property
    def needs(self) -> frozenset[str]:
        """Return what a domain must offer beyond x.

        Besides what the terms need: a condition that a network reads, a second collection, and
        what x must be for a density: vectors, maps (vectors are those without positions),
        sequences of symbols, or a density of the domain.
        """
        needs = {need for term in self.terms for need in needs_of(term)}
        needs |= {"condition"} & set(self.networks)
        if "density" in self.networks:
            kinds = {"maps": self.map_density, "vectors": self.density, "symbols": self.sequence}
            needs.add(next((kind for kind, builder in kinds.items() if builder), "density"))
        return frozenset(needs | ({"other"} if self.other else set()))

    @property
    def learns_prior(self) -> bool:
        """Return whether some term trains p(z given c); otherwise it is N(0, I)."""
        return any("prior" in term.trains for term in self.terms)

    @property
    def draws(self) -> bool:
        """Return whether it samples x, from a prior or a density."""
        return bool({"prior", "density"} & set(self.networks))

    def passes(self, networks: Networks, batch: Batch) -> Passes:
        """Return the two passes of a batch."""
        return Passes(networks, batch, self.corruption)

    @property
    def critics(self) -> tuple[Match, ...]:
        """Return the terms that are games, each with a critic of its own.

        A game of weight 0 is not played, unless it is for its critic alone and trains no other.
        """
        return tuple(
            term
            for term in self.terms
            if isinstance(term, Match)
            and isinstance(term.by, Adversarial)
            and (term.weight or not term.trains)
        )

    def weighted(self, weights: Mapping[str, float]) -> "Recipe":
        """Return the recipe with other weights, by the names of its terms."""
        self._require_terms(weights)
        for term in (*self.terms, *self.options):
            if not term.trains and weights.get(term.name):
                raise ConfigError(
                    f"'{term.name}' trains no network of this recipe beside its critic, so that "
                    "its weight changes nothing: leave it out"
                )
        joining = tuple(term for term in self.options if weights.get(term.name))
        terms = [adjust(t, weight=weights.get(t.name)) for t in (*self.terms, *joining)]
        return replace(self, terms=tuple(terms))

    def _require_terms(self, names: Iterable[str]) -> None:
        known = [term.name for term in (*self.terms, *self.options)]
        for name in names:
            if name not in known:
                raise ConfigError(
                    f"no term is called '{name}' in this recipe: it has {', '.join(known)}"
                )

    def at(self, used: float) -> "Recipe":
        """Return the recipe where this share of a training's budget is used.

        Late terms have no weight before they join: their losses are logged, their games not
        played (as Esser, Rombach and Ommer, CVPR 2021, section 4, whose game starts late).
        """
        waiting = {name for name, share in self.late.items() if used < share}
        if not waiting:
            return self
        terms = (adjust(t, weight=0.0) if t.name in waiting else t for t in self.terms)
        return replace(self, terms=tuple(terms))

    def later(self, shares: Mapping[str, float]) -> "Recipe":
        """Return the recipe whose terms of these names join after such shares of the budget."""
        self._require_terms(shares)
        return replace(self, late={**self.late, **shares})

    def without(self, names: Collection[str]) -> "Recipe":
        """Return the recipe without the terms of these names."""
        late = {name: share for name, share in self.late.items() if name not in names}
        terms = tuple(t for t in self.terms if t.name not in names)
        return replace(self, terms=terms, late=late)

    def beside(self, frozen: Collection[str]) -> "Recipe":
        """Return the recipe without the terms that train these networks alone.

        A game stays for its critic alone where another term reads that critic.
        """
        idle = [t for t in self.terms if t.trains and set(t.trains) <= set(frozen)]
        read = {name for t in self.terms if t not in idle for name in t.networks}
        for_critic = [t for t in self.critics if t in idle and t.critic_name in read]
        left = self.without([t.name for t in idle if t not in for_critic])
        terms = (adjust(t, trains=(), weight=0.0) if t in for_critic else t for t in left.terms)
        return replace(left, terms=tuple(terms))

    def playing(self, game: str) -> "Recipe":
        """Return the recipe with another game, one of `GAMES`, for each of its critics."""
        if game not in GAMES:
            raise ConfigError(f"no game is called '{game}': {nearest(game, list(GAMES))}")
        return self.with_games(lambda space, by: _in_place_of(by, GAMES[game]))

    def without_mismatched(self) -> "Recipe":
        """Return the recipe whose critics see no data with mismatched conditions."""
        return self.with_games(lambda space, by: replace(by, mismatched=False))

    def paced(self, critic_steps: int) -> "Recipe":
        """Return the recipe with this many critic updates per learner update."""
        return self.with_games(lambda space, by: replace(by, critic_steps=critic_steps))

    def with_games(self, change: Callable[[Space, Adversarial], Adversarial]) -> "Recipe":
        """Return the recipe with each of its games changed."""
        terms = [
            replace(term, by=change(term.space, term.by))
            if isinstance(term, Match) and isinstance(term.by, Adversarial)
            else term
            for term in self.terms
        ]
        return replace(self, terms=tuple(terms))

    def beside_condition(self) -> "Recipe":
        """Return the recipe that compares samples of x beside their condition, in space xc."""
        terms = [
            replace(term, space="xc") if isinstance(term, Match) and term.space == "x" else term
            for term in self.terms
        ]
        return self._renamed(terms)

    def conditional(self) -> "Recipe":
        """Return the recipe for networks that are all conditioned on c.

        Whatever trains encoder, decoder or density trains the embedding of the condition. A term
        that matches each posterior with the prior by KL trains p(z given c) too (Sohn et al.
        2015); where no term does, as in games and where aggregates are matched, z ~ N(0, I)
        whatever c is, see `learns_prior`. A recipe between two collections stays as it is: their
        samples have conditions of their own.
        """
        if self.other:
            return self
        own = () if self.critics_read else ("condition",)
        return replace(self, terms=tuple(_condition(term, own) for term in self.terms))

    def unconditional(self) -> "Recipe":
        """Return the recipe whose critics see x, or z, alone and not with its condition."""
        alone: dict[Space, Space] = {"xc": "x", "prior_c": "prior"}
        terms = [
            replace(term, space=alone.get(term.space, term.space))
            if isinstance(term, Match)
            else term
            for term in self.terms
        ]
        return replace(self._renamed(terms), critics_read=False).without_mismatched()

    def _renamed(self, terms: Sequence[Term]) -> "Recipe":
        """Return the recipe with these terms in place of its own, which join when those did."""
        pairs = zip(self.terms, terms, strict=True)
        late = {new.name: self.late[old.name] for old, new in pairs if old.name in self.late}
        return replace(self, terms=tuple(terms), late=late)


def _refuse_repeated(names: Sequence[str], rule: str) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigError(
            f"{rule} of each name, and '{repeated[0]}' is there twice: give the second a critic "
            'of its own, as Match(..., critic="critic_patches")'
        )


def _in_place_of(by: Adversarial, game: Adversarial) -> Adversarial:
    """Return a game that compares what another one does, on the same shares of a batch.

    R1 stays where the game neither penalises the critic's gradient nor bounds its weights.
    """
    is_regular = game.penalties or game.clip
    r1 = () if is_regular else tuple(p for p in by.penalties if isinstance(p, R1))
    return replace(
        game,
        penalties=(*game.penalties, *r1),
        mismatched=by.mismatched,
        reconstructions=by.reconstructions,
        played=by.played,
        penalised=by.penalised,
    )


def _condition(term: Term, readers: tuple[str, ...]) -> Term:
    readers = readers if {"encoder", "decoder", "density"} & set(term.trains) else ()
    inner = term.inner if isinstance(term, CriticWeighted) else term
    matched = isinstance(inner, Match) and isinstance(inner.by, KL) and inner.space == "z"
    prior = ("prior",) if matched else ()
    return adjust(term, trains=tuple(dict.fromkeys((*term.trains, *readers, *prior))))


HINGE = Adversarial(hinge, play="linear")
WGAN = Adversarial(wasserstein, critic_steps=5, clip=0.01)
WGAN_GP = Adversarial(wasserstein, critic_steps=5, penalties=(GradientPenalty(10.0),))

GAMES: dict[str, Adversarial] = {
    "logistic": Adversarial(logistic),
    "minimax": Adversarial(logistic, play="minimax"),
    "least_squares": Adversarial(least_squares),
    "hinge": HINGE,
    "wgan": WGAN,
    "wgan_gp": WGAN_GP,
}
"""The games by name, each as the recipes play it."""

ENCODER, DECODER, BOTH = ("encoder",), ("decoder",), ("encoder", "decoder")
RECONSTRUCT = Reconstruct("x")
TO_PRIOR = Match("z", KL(), trains=ENCODER)
TO_LEARNED_PRIOR = Match("z", KL(), trains=("encoder", "prior"))
FOOL = Match("x", Adversarial(logistic), trains=DECODER)
CODED = (
    RECONSTRUCT,
    Match("z", Nearest("codes"), trains=("prior",)),
    Match("z", Nearest("commit"), trains=ENCODER, weight=0.25),
    Match("z", KL(), trains=("prior",)),
)
LIKELIHOOD = Match("x", KL(), trains=("density",))
"""The terms that most recipes share."""

RECIPES: dict[str, Recipe] = {
    "ae": Recipe(
        (RECONSTRUCT,),
        papers.HINTON_2006,
        "reconstructs only: without a prior, z cannot be sampled",
        posterior=Delta,
    ),
    "denoising_ae": Recipe(
        (RECONSTRUCT,),
        papers.VINCENT_2008,
        "the encoder's input is x with noise",
        posterior=Delta,
        corruption=0.3,
    ),
    "vae": Recipe((RECONSTRUCT, TO_PRIOR), papers.KINGMA_2014, "the evidence lower bound"),
    "beta_vae": Recipe(
        (RECONSTRUCT, Match("z", KL(), trains=ENCODER, weight=4.0)),
        papers.HIGGINS_2017,
        "beta is the weight of match_z",
    ),
    "hierarchical_vae": Recipe(
        (RECONSTRUCT, TO_LEARNED_PRIOR),
        papers.CHILD_2021,
        "latents on two levels, the lower conditioned on the upper",
        posterior=HierarchicalGaussian,
        prior=HierarchicalPrior,
    ),
    "cvae": Recipe(
        (RECONSTRUCT, TO_PRIOR),
        papers.SOHN_2015,
        "all networks are conditioned on c, and p(z given c) is learned",
    ).conditional(),
    "wake_sleep": Recipe(
        (Reconstruct("x", trains=DECODER), Reconstruct("z", trains=ENCODER)),
        papers.HINTON_1995,
        "the decoder is trained on data, the encoder on generated samples",
    ),
    "gan": Recipe((FOOL,), papers.GOODFELLOW_2014, "the non-saturating game"),
    "gan_minimax": Recipe(
        (Match("x", Adversarial(logistic, play="minimax"), trains=DECODER),),
        papers.GOODFELLOW_2014,
        "the original minimax game",
    ),
    "lsgan": Recipe((Match("x", Adversarial(least_squares), trains=DECODER),), papers.MAO_2017),
    "hinge": Recipe((Match("x", HINGE, trains=DECODER),), papers.LIM_2017),
    "wgan": Recipe(
        (Match("x", WGAN, trains=DECODER),),
        papers.ARJOVSKY_2017,
        "the critic's weights are clipped",
        optimisation=Optimisation(optimiser="rmsprop", learning_rate=5e-5),
    ),
    "wgan_gp": Recipe(
        (Match("x", WGAN_GP, trains=DECODER),),
        papers.GULRAJANI_2017,
        "the critic's gradient norm is penalised towards 1",
    ),
    "gmmn": Recipe(
        (Match("x", MMD(), trains=DECODER),),
        papers.LI_2015,
        "maximum mean discrepancy in place of a critic",
    ),
    "cgan": Recipe(
        (Match("xc", Adversarial(logistic), trains=DECODER),),
        papers.MIRZA_2014,
        "the critic is conditioned on c",
    ).conditional(),
    "gan_cls": Recipe(
        (Match("xc", Adversarial(logistic, mismatched=True), trains=DECODER),),
        papers.REED_2016,
        "the critic also rejects data with mismatched conditions",
    ).conditional(),
    "pix2pix": Recipe(
        (L1(weight=100.0), Match("xc", Adversarial(logistic), trains=DECODER)),
        papers.ISOLA_2017,
        "predicts x from c, and a critic of patches sees both; z is noise (the paper: dropout)",
        patches=True,
    ).conditional(),
    "cyclegan": Recipe(
        (
            Match("x", Adversarial(least_squares), trains=DECODER),
            Match("z", Adversarial(least_squares), trains=ENCODER),
            Cycle("x", weight=10.0),
            Cycle("z", weight=10.0),
        ),
        papers.ZHU_2017,
        "z is data of another collection: encoder and decoder translate, and return",
        posterior=Delta,
        other=True,
        patches=True,
        options=(Identity("x", trains=DECODER), Identity("z", trains=ENCODER)),
    ),
    "infogan": Recipe(
        (
            FOOL,
            MutualInformation("categorical", trains=BOTH),
            MutualInformation("continuous", trains=BOTH, weight=0.1),
        ),
        papers.CHEN_2016,
        "a code beside noise can be read from x; the encoder is Q, with layers of its own",
        posterior=CodePosterior,
        prior=LatentCodePrior,
    ),
    "bigan": Recipe(
        (Match("xz", Adversarial(logistic), trains=BOTH),),
        papers.DONAHUE_2017,
        "compares the joint distributions of x and z: the encoder inverts the decoder",
        posterior=Delta,
    ),
    "aae": Recipe(
        (RECONSTRUCT, Match("z", Adversarial(logistic), trains=ENCODER, weight=50.0)),
        papers.MAKHZANI_2016,
        "matches the aggregate posterior with the prior by a game; the VAE matches each posterior",
        posterior=Delta,
    ),
    "wae_mmd": Recipe(
        (RECONSTRUCT, Match("z", MMD(), trains=ENCODER, weight=100.0)),
        papers.TOLSTIKHIN_2018,
        "matches the aggregate posterior with the prior by maximum mean discrepancy",
        posterior=Delta,
    ),
    "vae_gan": Recipe(
        (
            Reconstruct("features"),
            TO_PRIOR,
            Match("x", Adversarial(logistic, reconstructions=True), trains=DECODER),
        ),
        papers.LARSEN_2016,
        "reconstruction error in the features of the critic",
    ),
    "aavae": Recipe(
        (
            CriticWeighted(RECONSTRUCT, BOTH),
            CriticWeighted(TO_PRIOR, ENCODER),
            Match("x", Adversarial(logistic), trains=(), weight=0.0),
        ),
        papers.HU_2018,
        "also trains on generated samples, weighted by the critic's probability of data",
    ),
    "musegan": Recipe(
        (Match("x", WGAN_GP, trains=DECODER), Match("x", Moments(), trains=DECODER, weight=10.0)),
        papers.DONG_2018,
        "wgan_gp with feature matching on fixed statistics (Salimans et al. 2016)",
    ),
    "vae_flow": Recipe(
        (RECONSTRUCT, TO_LEARNED_PRIOR),
        papers.CHEN_2017,
        "a VAE whose prior is a learned flow",
        prior=realnvp,
    ),
    "vq_vae": Recipe(
        CODED,
        papers.OORD_2017,
        "z is a sequence of codes, with an autoregressive prior",
        Delta,
        prior=CodePrior,
    ),
    "vq_vae_2": Recipe(
        CODED,
        papers.RAZAVI_2019,
        "coarse codes, then fine codes given those",
        HierarchicalDelta,
        prior=TwoLevelCodePrior,
    ),
    "nice": Recipe((LIKELIHOOD,), papers.DINH_2015, "additive couplings", density=nice),
    "realnvp": Recipe(
        (LIKELIHOOD,),
        papers.DINH_2017,
        "affine couplings, over maps on several scales",
        density=realnvp,
        map_density=realnvp_maps,
    ),
    "glow": Recipe(
        (LIKELIHOOD,),
        papers.KINGMA_2018,
        "affine couplings, actnorm and learned linear maps, over maps on several scales",
        density=glow,
        map_density=glow_maps,
    ),
    "gaussian_mixture": Recipe(
        (Match("x", EM(), trains=("density",)),),
        papers.DEMPSTER_1977,
        "a baseline, by expectation maximisation",
        density=GaussianMixture,
    ),
    "ppca": Recipe((LIKELIHOOD,), papers.TIPPING_1999, "a baseline", density=LinearGaussian),
    "pixelcnn": Recipe(
        (LIKELIHOOD,), papers.OORD_2016_GATED, "gated masked convolutions", sequence=pixelcnn
    ),
    "wavenet": Recipe(
        (LIKELIHOOD,),
        papers.OORD_2016_WAVENET,
        "gated dilated causal convolutions, with skips to the output",
        sequence=wavenet,
    ),
    "transformer": Recipe(
        (LIKELIHOOD,),
        papers.VASWANI_2017,
        "attention to all earlier positions",
        sequence=transformer,
    ),
    "sparse_transformer": Recipe(
        (LIKELIHOOD,),
        papers.CHILD_2019,
        "attention to the last positions and, by strides, to earlier ones",
        sequence=sparse_transformer,
    ),
    "local_transformer": Recipe(
        (LIKELIHOOD,),
        papers.PARMAR_2018,
        "attention within a block and to the block before: linear in the length",
        sequence=local_transformer,
    ),
    "classifier": Recipe(
        (Classify(),),
        papers.RUMELHART_1986,
        "a baseline trained on the labelled collection alone",
        Delta,
    ),
    "dann": Recipe(
        (
            Classify(),
            Match("domain", Adversarial(logistic, play="minimax"), trains=ENCODER),
        ),
        papers.GANIN_2016,
        "gradient reversal: z does not reveal the collection of x",
        posterior=Delta,
        other=True,
        begins="classifier",
    ),
    "adda": Recipe(
        (
            Classify(trains=(), weight=0.0, encoder="source"),
            Match("domain", Adversarial(logistic), trains=ENCODER),
        ),
        papers.TZENG_2017,
        "an encoder of the other collection, trained against the first one's latents",
        posterior=Delta,
        other=True,
        begins="classifier",
    ),
    "autoregressive": Recipe(
        (LIKELIHOOD,),
        papers.VASWANI_2017,
        "an exact likelihood, factorised autoregressively",
    ),
}


def recipe(name: str, known: Mapping[str, Recipe] = RECIPES) -> Recipe:
    """Return the recipe of this name among the `known` ones, which a domain can extend.

    `ConfigError` for an unknown name, with the nearest known ones.
    """
    if name not in known:
        raise ConfigError(f"no model is called '{name}': {nearest(name, list(known))}")
    return known[name]
