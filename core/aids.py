"""Aids for games: each can be switched on for any model that plays one.

pianoreel music train DATA --model gan --set model.aids.r1=1 --set model.aids.noise=0.1

Salimans, Goodfellow, Zaremba, Cheung, Radford and Chen, Improved Techniques for Training GANs,
NIPS 2016, unless another paper is named. Averages of the weights are kept for every model, see
`train.average_decay`.
"""

from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from core.adversarial import R1, Adversarial, GradientPenalty, Penalty
from core.config import ConfigError, Strict
from core.divergences import Features
from core.passes import Networks, Space, is_critic
from core.recipes import Recipe
from core.shapes import Scores
from core.terms import Match

Matrices = Float[Tensor, "matrix row column"]


class Aids(Strict):
    """What helps a game; 0 and false switch it off, and then nothing differs to the bit."""

    feature_matching: float = Field(
        default=0.0, ge=0, description="weight of |mean features made - real|^2 for the learner"
    )
    minibatch: int = Field(
        default=0, ge=0, description="kernels by which a critic sees samples beside each other"
    )
    historical_averaging: float = Field(
        default=0.0, ge=0, description="weight of |weights - their average so far|^2 for all"
    )
    smoothing: float = Field(
        default=0.0, ge=0, lt=1, description="share of real samples that are called produced"
    )
    spectral_norm: bool = Field(
        default=False, description="each of a critic's maps has norm 1 (Miyato et al. 2018)"
    )
    noise: float = Field(
        default=0.0, ge=0, description="deviation of noise on what critics see (Sonderby 2017)"
    )
    r1: float = Field(
        default=0.0, ge=0, description="weight of the slope at real samples (Mescheder 2018)"
    )
    gradient_penalty: float = Field(
        default=0.0, ge=0, description="weight of (slope - 1)^2 (Gulrajani et al. 2017)"
    )
    augment: bool = Field(
        default=False, description="what critics see is moved (Zhao et al. 2020), for few data"
    )

    def on(self, recipe: Recipe) -> Recipe:
        """The recipe with these aids; `ConfigError` where it plays no game."""
        if self == Aids():
            return recipe
        if not recipe.critics:
            raise ConfigError("model.aids are for games, and this model plays none")
        matched = tuple(
            Match(term.space, Features(), term.trains, self.feature_matching)
            for term in recipe.critics
            if self.feature_matching and term.trains
        )
        helped = recipe.with_games(self._help)
        return replace(helped, terms=(*helped.terms, *matched))

    def _help(self, space: Space, game: Adversarial) -> Adversarial:
        penalties: list[Penalty] = list(game.penalties)
        penalties += [R1(self.r1)] * bool(self.r1)
        penalties += [GradientPenalty(self.gradient_penalty)] * bool(self.gradient_penalty)
        return replace(
            game,
            penalties=tuple(penalties),
            smoothing=self.smoothing,
            noise=self.noise,
            augment=self.augment,
        )

    def fit(self, networks: Networks) -> Networks:
        """The networks with what their critics need for these aids."""
        for name, network in list(networks.items()):
            if is_critic(name):
                networks[name] = self._fitted(network)
        return networks

    def _fitted(self, critic: nn.Module) -> nn.Module:
        if self.minibatch:
            critic = Minibatch(critic, self.minibatch)
        if self.spectral_norm:
            normalise(critic)
        return critic


KERNEL = 5
"""Numbers by which a kernel compares two samples (Salimans et al.: 5 to 16)."""


class Minibatch(nn.Module):
    """A critic that sees each sample beside the others of its batch (section 3.2).

    o_k = sum over others of exp(-|M_k - M_k'|_1), M = features x T, joins what the last map of the
    critic reads. As that is linear, the score has a part of its own for it.
    """

    def __init__(self, critic: nn.Module, kernels: int):
        super().__init__()
        self.inside: Any = critic
        self.compare = nn.Linear(self.inside.width, kernels * KERNEL, bias=False)
        self.score = nn.Linear(kernels, 1, bias=False)

    def features(self, *point: Tensor) -> Float[Tensor, "batch feature"]:
        return self.inside.features(*point)

    def augment(self, x: Tensor) -> Tensor:
        return self.inside.augment(x)

    def statistics(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.inside.statistics(x)

    def forward(self, *point: Tensor) -> Scores:
        closeness = self.closeness(self.features(*point))
        return self.inside(*point) + self.score(closeness).squeeze(1)

    def closeness(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch kernel"]:
        """How near the other samples are, by each kernel; 0 where all are far."""
        made = self.compare(features).float().unflatten(1, (-1, KERNEL))
        apart = (made[:, None] - made[None]).abs().sum(3)
        return torch.exp(-apart).sum(1) - 1


def normalise(critic: nn.Module) -> None:
    """Give each linear map and convolution of a critic norm 1."""
    for module in list(critic.modules()):
        weight = getattr(module, "weight", None)
        is_map = isinstance(weight, nn.Parameter) and weight.ndim > 1
        if is_map and not isinstance(module, nn.Embedding):
            parametrize.register_parametrization(module, "weight", SpectralNorm(module))


class SpectralNorm(nn.Module):
    """weight / its largest singular value, which is followed by a power iteration in each step.

    Of torch's own layers the first axis counts outputs; other weights are stacks of matrices, one
    for each player.
    """

    left: Tensor

    def __init__(self, module: nn.Module):
        super().__init__()
        self.stacked = not isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d)
        assert isinstance(module.weight, Tensor)
        matrices = self._matrices(module.weight.detach())
        self.register_buffer("left", F.normalize(torch.randn(matrices.shape[:2]), dim=1))
        for _ in range(15):
            self._follow(matrices)

    def forward(self, weight: Tensor) -> Tensor:
        with torch.autocast(weight.device.type, enabled=False):
            matrices = self._matrices(weight)
            if self.training:
                self._follow(matrices.detach())
            right = F.normalize(torch.einsum("mrc,mr->mc", matrices.detach(), self.left), dim=1)
            norms = torch.einsum("mr,mrc,mc->m", self.left.clone(), matrices, right)
            return (matrices / norms[:, None, None]).view_as(weight)

    def _matrices(self, weight: Tensor) -> Matrices:
        return weight.flatten(0, -3) if self.stacked else weight.flatten(1)[None]

    @torch.no_grad()
    def _follow(self, matrices: Matrices) -> None:
        """One step towards the largest singular vector."""
        right = F.normalize(torch.einsum("mrc,mr->mc", matrices, self.left), dim=1)
        self.left.copy_(F.normalize(torch.einsum("mrc,mc->mr", matrices, right), dim=1))
