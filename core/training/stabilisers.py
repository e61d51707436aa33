"""Stabilisers for games: each can be switched on for any model that plays one.

pianoreel music train DATA --model gan --set model.stabilisers.r1=1 --to RUN

Salimans, Goodfellow, Zaremba, Cheung, Radford and Chen, Improved Techniques for Training GANs,
NIPS 2016, unless another paper is named. Averages of the weights are kept for every model, see
`train.ema_decay`.
"""

from collections.abc import Iterator
from dataclasses import replace

from pydantic import Field
from torch import nn

from core.config import Strict
from core.errors import ConfigError
from core.networks.critics import MinibatchDiscrimination, normalise
from core.recipe import Recipe
from core.theory.adversarial import R1, Adversarial, GradientPenalty, Penalty, wasserstein
from core.theory.divergences import Features
from core.theory.passes import Networks, Space, is_critic
from core.theory.terms import Match
from core.training.step import game


class Stabilisers(Strict):
    """Stabilisers of a game; with all at their defaults a run is equal to the bit."""

    feature_matching: float = Field(
        default=0.0,
        ge=0,
        description="weight of |mean features of fake - real|^2 for the learner",
    )
    minibatch_discrimination: int = Field(
        default=0, ge=0, description="kernels by which a critic sees samples beside each other"
    )
    historical_averaging: float = Field(
        default=0.0, ge=0, description="weight of |weights - their average so far|^2 for all"
    )
    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="one-sided: the label of real samples is 1 minus this",
    )
    spectral_norm: bool = Field(
        default=False,
        description="spectral norm 1 of a critic's maps (Miyato et al. 2018)",
    )
    instance_noise: float = Field(
        default=0.0, ge=0, description="deviation of noise on what critics see (Sonderby 2017)"
    )
    r1: float = Field(
        default=0.0,
        ge=0,
        description="weight of the slope at real samples (Mescheder 2018), for the game's own",
    )
    gradient_penalty: float | None = Field(
        default=None,
        ge=0,
        description="weight of (slope - 1)^2 (Gulrajani et al. 2017), in place of the game's own",
    )
    clip: float = Field(
        default=0.0,
        ge=0,
        description="bound of a critic's weights (Arjovsky et al. 2017), in place of its game's",
    )
    augment: bool = Field(
        default=False, description="differentiable augmentation for few data (Zhao et al. 2020)"
    )
    pool: int = Field(
        default=0,
        ge=0,
        description="size of the pool of earlier samples that a critic sees (Shrivastava 2017)",
    )

    def on(self, recipe: Recipe) -> Recipe:
        """Return the recipe with these stabilisers; `ConfigError` where it plays no game."""
        if self == Stabilisers():
            return recipe
        if not recipe.critics:
            raise ConfigError("model.stabilisers are for games, and this model plays none")
        if self.label_smoothing and any(game(term).game is wasserstein for term in recipe.critics):
            raise ConfigError(
                "model.stabilisers.label_smoothing is for games whose loss has a minimum: a "
                "Wasserstein critic would push all its scores towards minus infinity. Leave it at "
                "0, or choose another game, such as model.game=hinge"
            )
        matched = {
            term.name: Match(
                term.space, Features(), term.trains, self.feature_matching, term.critic
            )
            for term in recipe.critics
            if self.feature_matching and term.trains
        }
        stabilised = recipe.with_games(self._stabilise)
        with_matched = replace(stabilised, terms=(*stabilised.terms, *matched.values()))
        joining = {
            matched[name].name: recipe.late[name] for name in matched if name in recipe.late
        }
        return with_matched.later(joining)  # as its game: before, the critic is untrained

    def _stabilise(self, space: Space, game: Adversarial) -> Adversarial:
        return replace(
            game,
            penalties=tuple(self._penalties(game)),
            clip=self.clip or game.clip,
            label_smoothing=self.label_smoothing,
            instance_noise=self.instance_noise,
            augment=self.augment,
        )

    def _penalties(self, game: Adversarial) -> Iterator[Penalty]:
        """Yield the game's own penalties, but for those in whose place another is given."""
        given = {R1: self.r1 > 0, GradientPenalty: self.gradient_penalty is not None}
        replaced = tuple(kind for kind, is_given in given.items() if is_given)
        yield from (p for p in game.penalties if not isinstance(p, replaced))
        if self.r1:
            yield R1(self.r1)
        if self.gradient_penalty:
            yield GradientPenalty(self.gradient_penalty)

    def fit(self, networks: Networks) -> Networks:
        """Wrap and normalise the critics among the networks as these stabilisers need it."""
        for name, network in list(networks.items()):
            if is_critic(name):
                networks[name] = self._fitted(network)
        return networks

    def _fitted(self, critic: nn.Module) -> nn.Module:
        if self.minibatch_discrimination:
            critic = MinibatchDiscrimination(critic, self.minibatch_discrimination)
        if self.spectral_norm:
            normalise(critic)
        return critic
