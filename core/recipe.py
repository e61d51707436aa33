"""A recipe: a named model as a short list of terms, and what can be changed about it.

The recipes themselves are in `core.recipes`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from torch import nn

from core.densities.flow import Flow
from core.densities.map_flow import Shape
from core.densities.sequences import CausalBody
from core.errors import ConfigError
from core.papers import Paper
from core.theory.adversarial import GAMES, R1, Adversarial
from core.theory.distributions import Distribution, Gaussian
from core.theory.divergences import KL
from core.theory.passes import Batch, Networks, Passes, Space
from core.theory.terms import CriticWeighted, Match, Term, adjust, needs_of
from core.training.optimisation import Optimisation
from core.wording import nearest


@dataclass(frozen=True)
class Recipe:
    """A model: its terms, its paper, and what its networks must be beside what the terms say."""

    terms: tuple[Term, ...]
    paper: Paper
    remark: str = ""

    posterior: type[Distribution] = Gaussian
    """The type of q(z given x)."""
    corruption: float = 0.0
    """Standard deviation of the noise on the encoder's input, in units of x."""
    prior: Callable[[int, int], nn.Module] | None = None
    """Builds p(z given c) from the sizes of z and c, in place of the domain's own prior."""

    density: Callable[[int], nn.Module] | None = None
    """Builds p(x) over vectors, from the size of x."""
    map_density: Callable[[Shape, int, int], Flow] | None = None
    """Builds p(x given c) over maps, from their shape, the size of c and a width."""
    sequence: CausalBody | None = None
    """Builds the causal network of p(x) over sequences of symbols."""

    patches: bool = False
    """Critics score each patch of x, where x has patches (the PatchGAN of Isola et al. 2017)."""
    critics_read: bool = False
    """Encoder and decoder take the condition as critics read it, and do not train that reading."""

    other: bool = False
    """It trains on a second collection, which is sampled as z or has no labels."""
    begins: str = ""
    """The recipe from which encoder and classifier are initialised."""
    optimisation: Optimisation | None = None
    """Settings of learner and critic, where the paper's differ from a domain's presets."""
    options: tuple[Term, ...] = ()
    """Terms that join where they are given a weight."""
    late: Mapping[str, float] = field(default_factory=dict, hash=False)
    """The share of a training's budget after which a term joins, by its name; the others are there
    from the first step."""

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
