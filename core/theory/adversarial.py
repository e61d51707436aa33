"""Adversarial games: comparing two distributions by a critic.

A game is one function `loss(real, fake)` of the critic's scores, which the critic minimises. How
the learner plays follows from it:

    swap      minimises loss(fake, real): the textbook generator of GAN, LSGAN and WGAN
    minimax   minimises -loss(real, fake): gradient reversal (DANN), the first GAN
    linear    minimises real - fake: the learner of the hinge game
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn import functional as F

from core.theory.distributions import sum_events
from core.theory.passes import Passes, Point, Space, critic_of
from core.theory.shapes import Losses, Scores

Game = Callable[[Scores, Scores], Losses]
Critic = Callable[..., Scores]


@runtime_checkable
class Penalty(Protocol):
    """What a critic pays beside its game, for each sample."""

    name: ClassVar[str]

    def __call__(self, critic: Critic, reference: Point, produced: Point) -> Losses: ...


def logistic(real: Scores, fake: Scores) -> Losses:
    """-log D(real) - log(1 - D(fake)), D = sigmoid(score). Goodfellow et al., NIPS 2014, eq. 1.

    >>> logistic(torch.zeros(1), torch.zeros(1)).item() == 2 * torch.log(torch.tensor(2.0)).item()
    True
    """
    return F.softplus(-real) + F.softplus(fake)


def least_squares(real: Scores, fake: Scores) -> Losses:
    """((real - 1)^2 + fake^2) / 2. Mao et al., ICCV 2017, eq. 9."""
    return 0.5 * ((real - 1) ** 2 + fake**2)


def wasserstein(real: Scores, fake: Scores) -> Losses:
    """fake - real, for a 1-Lipschitz critic. Arjovsky, Chintala and Bottou, ICML 2017, eq. 2."""
    return fake - real


def hinge(real: Scores, fake: Scores) -> Losses:
    """max(0, 1 - real) + max(0, 1 + fake). Lim and Ye, arXiv 1705.02894."""
    return F.relu(1 - real) + F.relu(1 + fake)


Play = Literal["swap", "minimax", "linear"]


@dataclass(frozen=True)
class GradientPenalty:
    """weight * (|gradient of the critic| - 1)^2 at points between reference and produced.

    Gulrajani et al., NIPS 2017, algorithm 1: one uniform mixing factor for each sample, the norm
    over all axes of the event.
    """

    name: ClassVar[str] = "penalty"

    weight: float = 10.0

    def __call__(self, critic: Critic, reference: Point, produced: Point) -> Losses:
        between = _interpolate(reference, produced)
        return self.weight * (gradient_norm(critic, between) - 1) ** 2


@dataclass(frozen=True)
class R1:
    """weight / 2 * |gradient of the critic|^2 at the reference. Mescheder et al., ICML 2018."""

    name: ClassVar[str] = "r1"

    weight: float = 1.0

    def __call__(self, critic: Critic, reference: Point, produced: Point) -> Losses:
        return 0.5 * self.weight * gradient_norm(critic, reference) ** 2


def _interpolate(reference: Point, produced: Point) -> Point:
    """Points on the segments between two points, with the same factor for x, z and c."""
    factor = torch.rand(len(reference[0]), device=reference[0].device)
    return tuple(_mix(a, b, factor) for a, b in zip(reference, produced, strict=True))


def _mix(a: Tensor, b: Tensor, factor: Tensor) -> Tensor:
    if not a.is_floating_point():
        return a
    factor = factor.view(-1, *[1] * (a.ndim - 1))
    return (factor * a + (1 - factor) * b).float()


def gradient_norm(critic: Critic, point: Point) -> Losses:
    """Euclidean norm of the critic's gradient at each sample, in full precision, [batch]."""
    inputs = [p.detach().requires_grad_() for p in point if p.is_floating_point()]
    moving = iter(inputs)
    arguments = [next(moving) if p.is_floating_point() else p for p in point]
    with torch.autocast(point[0].device.type, enabled=False):
        gradients = torch.autograd.grad(critic(*arguments).sum(), inputs, create_graph=True)
    squared = torch.stack([sum_events(g**2) for g in gradients]).sum(0)
    return torch.sqrt(squared + 1e-12)  # the root's gradient is infinite at 0


def mismatch(point: Point) -> tuple[Point, Tensor]:
    """Each sample with its neighbour's condition, and whether that differs from its own."""
    x, c = point
    wrong = c.roll(1, 0)
    return (x, wrong), (wrong != c).flatten(1).any(1)


@dataclass(frozen=True)
class Adversarial:
    """Match by a game against the critic of the space.

    `critic_steps`: critic updates for one of the learners. `clip`: bound on each of the critic's
    weights after its update (the first WGAN), 0 for none. `mismatched`: half of what the critic is
    told to reject is data with another sample's condition (Reed et al., ICML 2016, algorithm 1).
    `smoothing`, `noise` and `augment`: see `core.training.stabilisers`.
    """

    verb: ClassVar[str] = "match"

    game: Game
    play: Play = "swap"
    critic_steps: int = 1
    penalties: tuple[Penalty, ...] = ()
    clip: float = 0.0
    mismatched: bool = False
    label_smoothing: float = 0.0
    instance_noise: float = 0.0
    augment: bool = False

    def __call__(self, passes: Passes, space: Space) -> Losses:
        """The learner's loss."""
        real = self._score(passes, space, passes.reference(space))
        fake = self._score(passes, space, passes.produced(space))
        if self.play == "minimax":
            return -self.game(real, fake)
        return real - fake if self.play == "linear" else self.game(fake, real)

    def critic_loss(self, passes: Passes, space: Space) -> dict[str, Losses]:
        """The critic's loss and its penalties; no gradient reaches any other network."""
        with torch.no_grad():
            reference, produced = passes.reference(space), passes.produced(space)
        real = self._score(passes, space, reference)
        losses = {"game": self._with_label_smoothing(real, self._score(passes, space, produced))}
        if self.mismatched:
            wrong, differs = mismatch(reference)
            against_wrong = self._with_label_smoothing(real, self._score(passes, space, wrong))
            losses["game"] = torch.where(
                differs, 0.5 * (losses["game"] + against_wrong), losses["game"]
            )
        critic = passes.networks[critic_of(space)]
        for penalty in self.penalties:
            losses[penalty.name] = penalty(critic, reference, produced)
        return losses

    def _with_label_smoothing(self, real: Scores, fake: Scores) -> Losses:
        """The game in which a share of what is real is called produced.

        A game is the cost of real plus the cost of fake, so that moving a share of the one to the
        other is the difference of two games against a score of 0, but for a constant.
        """
        losses = self.game(real, fake)
        if not self.label_smoothing:
            return losses
        zero = torch.zeros_like(real)
        return losses + self.label_smoothing * (self.game(zero, real) - self.game(real, zero))

    def _score(self, passes: Passes, space: Space, point: Point) -> Scores:
        """The critic on a point as it is shown to it."""
        if self.augment:
            shown: Any = passes.networks[critic_of(space)]
            point = (shown.augment(point[0]), *point[1:])
        if self.instance_noise:
            point = tuple(
                p + self.instance_noise * torch.randn_like(p) if p.is_floating_point() else p
                for p in point
            )
        return passes.score(space, point)
