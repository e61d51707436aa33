"""Adversarial games: comparing two distributions by a critic.

A game is one function `loss(real, fake)` of the critic's scores, which the critic minimises. How
the learner plays follows from it:

    swap      minimises loss(fake, real): the textbook generator of GAN, LSGAN and WGAN
    minimax   minimises -loss(real, fake): gradient reversal (DANN), the first GAN
    linear    minimises real - fake: the learner of the hinge game
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from core.distributions import sum_events
from core.passes import Passes, Point, Space
from core.shapes import Losses, Scores

Game = Callable[[Scores, Scores], Losses]
Critic = Callable[..., Scores]


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

    weight: float = 10.0

    def __call__(self, critic: Critic, reference: Point, produced: Point) -> Losses:
        between = _interpolate(reference, produced)
        return self.weight * (gradient_norm(critic, between) - 1) ** 2


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
    """

    verb: ClassVar[str] = "match"

    game: Game
    play: Play = "swap"
    critic_steps: int = 1
    penalty: GradientPenalty | None = None
    clip: float = 0.0
    mismatched: bool = False

    def __call__(self, passes: Passes, space: Space) -> Losses:
        """The learner's loss."""
        real = passes.score(space, passes.reference(space))
        fake = passes.score(space, passes.produced(space))
        if self.play == "minimax":
            return -self.game(real, fake)
        return real - fake if self.play == "linear" else self.game(fake, real)

    def critic_loss(self, passes: Passes, space: Space) -> dict[str, Losses]:
        """The critic's loss and its penalty; no gradient reaches any other network."""
        with torch.no_grad():
            reference, produced = passes.reference(space), passes.produced(space)
        real = passes.score(space, reference)
        losses = {"game": self.game(real, passes.score(space, produced))}
        if self.mismatched:
            wrong, differs = mismatch(reference)
            against_wrong = self.game(real, passes.score(space, wrong))
            losses["game"] = torch.where(
                differs, 0.5 * (losses["game"] + against_wrong), losses["game"]
            )
        if self.penalty:
            critic = passes.networks[f"critic_{space}"]
            losses["penalty"] = self.penalty(critic, reference, produced)
        return losses
